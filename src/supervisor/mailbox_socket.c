/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox_socket.c - connects to the Unix socket of local.mailbox_transport, for smtp
 *
 * The path is that of our own configuration; who asks names none. A stream socket of this host takes a
 * connection at once or not at all, so nothing here waits.
 * Tests: tests/system/test_lmtp.py.
 */
#include "config/mailbox_transport.h"
#include "supervisor/supervisor.h"
#include <sys/socket.h>
#include <sys/un.h>

int mailbox_socket_open(const struct config *c)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct mailbox_transport t;
	auto_close int fd = -1;

	if (!mailbox_transport_parse(slice_of(c->local_mailbox_transport), &t) ||
		t.kind != MAILBOX_TRANSPORT_UNIX)
		return -EDESTADDRREQ; /* it was changed since smtp was asked to use it */
	CHECK(t.place.len < sizeof(address.sun_path));
	memcpy(address.sun_path, t.place.at, t.place.len);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return take_fd(&fd);
}
