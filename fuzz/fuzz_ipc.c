/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_ipc.c - frames from another process: header, decoder, and that what was decoded encodes to the same
 * bytes */
#include "ipc/message.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = { (const char *)data, size };
	auto_buf struct buf again = BUF_INIT(LIMIT_FRAME + MSG_HEADER_BYTES);
	struct msg_header h;
	union msg_any m;

	while (in.len >= MSG_HEADER_BYTES && msg_header_decode(in, &h) &&
		in.len - MSG_HEADER_BYTES >= h.length) {
		struct slice frame = slice_first(in, MSG_HEADER_BYTES + h.length);
		if (msg_decode(h.type, slice_from(frame, MSG_HEADER_BYTES), &m)) {
			buf_clear(&again);
			msg_encode(&again, h.type, &m, h.flags);
			CHECK(slice_eq(buf_slice(&again), frame));
		}
		in = slice_from(in, frame.len);
	}
	return 0;
}
