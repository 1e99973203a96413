/* SPDX-License-Identifier: Apache-2.0 */
/* listeners.c - the sockets that outlive the processes which serve them; see supervisor.h */
#include "supervisor/supervisor.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct bind_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa;
	socklen_t len;
};

/* "1.2.3.4:25", "[::1]:25" or "25" (all IPv4 addresses); no names: nothing is looked up here. */
static bool parse_listen(struct slice text, struct bind_address *out)
{
	char host[INET6_ADDRSTRLEN] = "0.0.0.0";
	struct slice host_part = SLICE_EMPTY;
	size_t colon = slice_rfind(text, ':');
	uint64_t port;

	memset(out, 0, sizeof(*out));
	if (colon < text.len) {
		host_part = slice_first(text, colon);
		text = slice_from(text, colon + 1);
	}
	if (!slice_to_u64(text, 65535, &port))
		return false;
	if (host_part.len >= 2 && host_part.at[0] == '[' && host_part.at[host_part.len - 1] == ']')
		host_part = slice_first(slice_from(host_part, 1), host_part.len - 2);
	if (host_part.len >= sizeof(host))
		return false;
	if (host_part.len)
		(void)snprintf(host, sizeof(host), "%.*s", SLICE_ARG(host_part));
	if (inet_pton(AF_INET, host, &out->sa.v4.sin_addr) == 1) {
		out->sa.v4.sin_family = AF_INET;
		out->sa.v4.sin_port = htons((uint16_t)port);
		out->len = sizeof(out->sa.v4);
		return true;
	}
	if (inet_pton(AF_INET6, host, &out->sa.v6.sin6_addr) == 1) {
		out->sa.v6.sin6_family = AF_INET6;
		out->sa.v6.sin6_port = htons((uint16_t)port);
		out->len = sizeof(out->sa.v6);
		return true;
	}
	return false;
}

static int bind_one(const struct bind_address *a)
{
	static const int one = 1;
	auto_close int fd = socket(a->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
		return -errno;
	if (a->sa.any.sa_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return -errno;
	if (bind(fd, &a->sa.any, a->len) < 0 || listen(fd, 1024) < 0)
		return -errno;
	return take_fd(&fd);
}

/* With SO_REUSEPORT a second daemon could bind beside a foreign one of the same user: ask first without it.
 */
static int probe_free(const struct bind_address *a)
{
	static const int one = 1;
	auto_close int fd = socket(a->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	(void)setsockopt(
		fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)); /* without it the bind fails, and says so */
	if (a->sa.any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)); /* likewise */
	return bind(fd, &a->sa.any, a->len) < 0 ? -errno : 0;
}

static bool listen_word(struct supervisor *s, struct slice word, unsigned n_processes)
{
	struct bind_address a;
	int r;

	if (!parse_listen(word, &a)) {
		log_error("smtpd.listen: \"%.*s\" is not address:port", SLICE_ARG(word));
		return false;
	}
	r = probe_free(&a);
	if (r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL) {
		/* A host without IPv6 still has mail; a wrong IPv4 address is a mistake to tell. */
		log_warning("smtpd.listen: %.*s: %s; not listening there", SLICE_ARG(word), strerror(-r));
		return a.sa.any.sa_family == AF_INET6;
	}
	for (unsigned i = 0; r == 0 && i < n_processes && s->n_listeners < SUPERVISOR_MAX_LISTENERS; i++) {
		struct listener *l = &s->listeners[s->n_listeners];
		r = bind_one(&a);
		if (r < 0)
			break;
		*l = (struct listener){ .fd = r, .instance = i };
		(void)snprintf(l->address, sizeof(l->address), "%.*s", SLICE_ARG(word));
		s->n_listeners++;
		r = 0;
	}
	if (r < 0)
		log_error("cannot listen on %.*s (smtpd.listen): %s%s", SLICE_ARG(word), strerror(-r),
			r == -EADDRINUSE ? "; `ss -ltnp` shows by whom: stop that other mail system for good"
					 : "");
	return r == 0;
}

static int open_control(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(a.sun_path))
		return -ENAMETOOLONG;
	memcpy(a.sun_path, path, strlen(path) + 1);
	if (fd < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(path, 0666) < 0 || listen(fd, 1024) < 0)
		return -errno;
	return take_fd(&fd);
}

bool listeners_open(struct supervisor *s)
{
	struct slice list = slice_of(s->config->smtpd_listen), word;
	unsigned n_processes = role_row_of(ROLE_SMTPD)->count(s->config);

	s->control_listener = open_control(s->paths.control_socket);
	if (s->control_listener < 0) {
		log_error("%s: %s", s->paths.control_socket, strerror(-s->control_listener));
		return false;
	}
	while (config_list_next(&list, &word))
		if (!listen_word(s, word, n_processes))
			return false;
	return true;
}

void listeners_close(struct supervisor *s)
{
	for (size_t i = 0; i < s->n_listeners; i++)
		cleanup_close(&s->listeners[i].fd);
	cleanup_close(&s->control_listener);
	(void)unlink(s->paths.control_socket); /* a leftover is replaced at the next start */
}
