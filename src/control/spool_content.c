/* SPDX-License-Identifier: Apache-2.0 */
/* spool_content.c - postrider spool dump --content ID: the mail as it is in the spool; see spool.h */
#include "control/spool.h"
#include "control/commands.h"
#include <sysexits.h>

struct content_dump {
	uint64_t id;
	bool is_found, is_whole;
	int error;
};

static void write_out(
	void *user, const struct spool_envelope *env, const struct spool_scanned *content, bool is_whole)
{
	struct content_dump *d = user;
	auto_buf struct buf chunk = BUF_INIT(65536);

	if (env->id != d->id)
		return;
	d->is_found = true;
	d->is_whole = is_whole;
	for (uint64_t at = 0; at < env->content_bytes && d->error == 0; at += chunk.len) {
		buf_clear(&chunk);
		d->error = spool_scanned_read(content, at, 65536, &chunk);
		if (d->error == 0 && fwrite(chunk.at, 1, chunk.len, stdout) != chunk.len)
			d->error = -EIO;
	}
}

int spool_dump_content(const struct paths *paths, uint64_t id)
{
	struct content_dump d = { .id = id };
	const struct spool_visitor visitor = { .content = write_out, .verify_content = true };
	int r = spool_scan(paths->spool_dir, &visitor, &d);

	if (r < 0)
		return spool_fail(paths->spool_dir, r);
	if (!d.is_found) {
		complain("%s: no such mail is in the spool", queue_id_format(id).at);
		return EX_NOINPUT;
	}
	if (d.error < 0)
		complain("%s: its content cannot be read to the end: %s", queue_id_format(id).at,
			strerror(-d.error));
	else if (!d.is_whole)
		complain("%s: its content fails its checksum: what was written is damaged",
			queue_id_format(id).at);
	return d.error < 0 || !d.is_whole ? SPOOL_EXIT_DAMAGE : EX_OK;
}
