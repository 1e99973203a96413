/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_sendmail.c - a command line of sendmail's (words in lines, up to an empty one), then its standard
 * input; what comes of it must be a whole message that the drop directory takes
 */
#include "base/limits.h"
#include "mail/drop_format.h"
#include "mail/header.h"
#include "sendmail/program.h"
#include "sendmail/submission.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sysexits.h>

#define WORDS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool adds_header; /* not over SMTP */

/* ---- what the program gives its parts ---- */

void program_complain(const char *fmt, ...)
{
	(void)fmt;
}

const char *program_login(const struct config *config)
{
	(void)config;
	return "user";
}

/* The header that was made is one, and nobody's words made a field of their own. */
static void check_header(const struct submission *s)
{
	struct slice header, body;

	header_split(s->header, &header, &body);
	CHECK(header.len + 1 == s->header.len && body.len == 0);
	CHECK(header_count(header, SLICE("Bcc")) == 0 && header_count(header, SLICE("Resent-Bcc")) == 0);
	CHECK(header_count(header, SLICE("From")) || header_count(header, SLICE("Resent-From")));
}

int submission_send(const struct submission *s)
{
	auto_buf struct buf file = BUF_INIT(64 * 1024 * 1024);
	struct drop_encoder e = DROP_ENCODER_INIT;
	const struct drop_envelope envelope = { .submission_id = slice_of(s->id),
		.sender = s->sender,
		.ret = (enum ret)s->ret,
		.envid = s->envid,
		.body = (enum body_type)s->body,
		.smtputf8 = s->smtputf8,
		.client = s->client };
	struct drop_message m;

	if (adds_header)
		check_header(s);
	drop_encode_begin(&e, &envelope, &file);
	for (size_t i = 0; i < s->n_rcpts; i++)
		drop_encode_recipient(&e,
			&(struct drop_recipient){ .address = s->rcpts[i].address,
				.notify = s->rcpts[i].notify,
				.orcpt = s->rcpts[i].orcpt },
			&file);
	drop_encode_content(&e, &file);
	drop_encode_data(&e, s->header);
	drop_encode_data(&e, s->content);
	buf_append(&file, s->header);
	buf_append(&file, s->content);
	drop_encode_end(&e, &file);
	CHECK(buf_ok(&file) && drop_decode(buf_slice(&file), &m) == DROP_OK);
	CHECK(m.n_recipients == s->n_rcpts && s->n_rcpts > 0);
	return EX_OK;
}

/* ---- one call ---- */

/* Standard input is this text; what is said goes nowhere. */
static bool redirect(struct slice text)
{
	static int input = -1, null = -1;

	if (input < 0) {
		input = memfd_create("input", MFD_CLOEXEC);
		null = open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (input < 0 || null < 0 || dup2(null, STDOUT_FILENO) < 0)
			return false;
	}
	return ftruncate(input, 0) == 0 && pwrite(input, text.at, text.len, 0) == (ssize_t)text.len &&
		lseek(input, 0, SEEK_SET) == 0 && dup2(input, STDIN_FILENO) == STDIN_FILENO;
}

static void call(int argc, char **argv, struct slice input)
{
	static struct config config = { .main_origin = "origin.test",
		.main_host_name = "host.test",
		.message_max_size = 1024 * 1024,
		.paths = { .sandbox = "/nowhere" } };
	struct sendmail_options o;
	char why[256] = "";

	if (!options_parse(argv[0], argc, argv, &o, why)) {
		CHECK(*why);
		return;
	}
	CHECK(o.n_words >= 0 && o.words >= argv && o.words + o.n_words == argv + argc);
	CHECK(!o.choice || (o.choice_value && !strchr(o.choice_value, '\n')));
	adds_header = o.mode == MODE_SEND;
	if (o.mode == MODE_SEND && redirect(input))
		(void)send_run(&config, &o);
	if ((o.mode == MODE_SMTP || o.mode == MODE_BATCH) && redirect(input))
		(void)smtp_run(&config, &o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *copy = slice_dup((struct slice){ (const char *)data, size });
	char *argv[WORDS_MAX + 1], *at = copy;
	int argc = 0;

	while (argc < WORDS_MAX && at < copy + size && *at != '\n') {
		char *end = memchr(at, '\n', (size_t)(copy + size - at));
		argv[argc++] = at;
		at = end ? end + 1 : copy + size;
		if (end)
			*end = '\0';
	}
	argv[argc] = NULL;
	if (argc)
		call(argc, argv, slice_from((struct slice){ copy, size }, (size_t)(at - copy)));
	return 0;
}
