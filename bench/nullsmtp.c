/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nullsmtp - accepts every mail and throws it away, counting messages and recipients
 *
 *	nullsmtp [-a ADDRESS] [-p PORT] [-r REFUSAL]
 *
 * The sink of relay measurements, and the limit of the load generator: what smtpload reaches here is what it
 * could reach anywhere. With -r each RCPT has that reply. Prints its counts when it is stopped; XCOUNT tells
 *them while it runs.
 */
#include "bench/responder.h"

static bool count_only(struct responder *r, struct responder_conn *c, struct slice content)
{
	return true;
}

int main(int argc, char **argv)
{
	struct responder r = { .wake_fd = -1, .on_message = count_only };
	const char *address = "127.0.0.1";
	uint64_t port = 2525;
	int opt, e;

	while ((opt = getopt(argc, argv, "a:p:r:")) >= 0) {
		if (opt == 'a') {
			address = optarg;
		} else if (opt == 'r') {
			r.refusal = optarg;
		} else if (opt != 'p' || !slice_to_u64(slice_of(optarg), UINT16_MAX, &port)) {
			fprintf(stderr, "usage: nullsmtp [-a ADDRESS] [-p PORT] [-r REFUSAL]\n");
			return 64;
		}
	}
	e = responder_open(&r, address, (uint16_t)port);
	if (e < 0) {
		fprintf(stderr, "nullsmtp: %s port %" PRIu64 ": %s\n", address, port, strerror(-e));
		return 1;
	}
	responder_run(&r);
	printf("messages=%" PRIu64 " recipients=%" PRIu64 "\n", r.n_messages, r.n_recipients);
	return 0;
}
