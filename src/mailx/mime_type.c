/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mime_type.c - the type of an attachment: a short table, then the host's mime.types, then the bytes
 * Tests: test_mime.c.
 */
#include "base/file.h"
#include "mailx/mime_out.h"
#include <fcntl.h>

static const struct {
	const char *extension, *type;
} types[] = {
	{ "txt", "text/plain" },
	{ "log", "text/plain" },
	{ "conf", "text/plain" },
	{ "c", "text/x-c" },
	{ "h", "text/x-c" },
	{ "sh", "text/x-shellscript" },
	{ "diff", "text/x-diff" },
	{ "patch", "text/x-diff" },
	{ "csv", "text/csv" },
	{ "htm", "text/html" },
	{ "html", "text/html" },
	{ "css", "text/css" },
	{ "xml", "application/xml" },
	{ "json", "application/json" },
	{ "js", "text/javascript" },
	{ "md", "text/markdown" },
	{ "ics", "text/calendar" },
	{ "pdf", "application/pdf" },
	{ "ps", "application/postscript" },
	{ "zip", "application/zip" },
	{ "gz", "application/gzip" },
	{ "tgz", "application/gzip" },
	{ "bz2", "application/x-bzip2" },
	{ "xz", "application/x-xz" },
	{ "zst", "application/zstd" },
	{ "tar", "application/x-tar" },
	{ "doc", "application/msword" },
	{ "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
	{ "xls", "application/vnd.ms-excel" },
	{ "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" },
	{ "ppt", "application/vnd.ms-powerpoint" },
	{ "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation" },
	{ "odt", "application/vnd.oasis.opendocument.text" },
	{ "ods", "application/vnd.oasis.opendocument.spreadsheet" },
	{ "png", "image/png" },
	{ "jpg", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "gif", "image/gif" },
	{ "svg", "image/svg+xml" },
	{ "webp", "image/webp" },
	{ "tif", "image/tiff" },
	{ "tiff", "image/tiff" },
	{ "mp3", "audio/mpeg" },
	{ "ogg", "audio/ogg" },
	{ "wav", "audio/x-wav" },
	{ "mp4", "video/mp4" },
	{ "mpeg", "video/mpeg" },
	{ "webm", "video/webm" },
};

/* A line of mime.types: type, then extensions. */
static bool find_in_text(struct slice text, struct slice extension, char *type_out, size_t size)
{
	struct slice line, type, word;

	while (slice_next_line(&text, &line)) {
		line = slice_first(line, slice_find(line, '#'));
		if (!slice_next_word(&line, &type))
			continue;
		while (slice_next_word(&line, &word))
			if (slice_eq_nocase(word, extension) && type.len < size &&
				slice_find(type, '/') < type.len) {
				(void)snprintf(type_out, size, "%.*s", SLICE_ARG(type));
				return true;
			}
	}
	return false;
}

static bool find_in_files(struct mailx *mx, struct slice extension, char *type_out, size_t size)
{
	auto_buf struct buf own = BUF_INIT(PATH_MAX);
	const char *files[2] = { NULL, "/etc/mime.types" };

	buf_printf(&own, "%s/.mime.types", mx->home);
	files[0] = buf_cstr(&own);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		auto_buf struct buf text = BUF_INIT(MAILX_LINE_MAX);
		if (files[i] && file_read_path(AT_FDCWD, files[i], &text) == 0 &&
			find_in_text(buf_slice(&text), extension, type_out, size))
			return true;
	}
	return false;
}

const char *mime_type_of_file(struct mailx *mx, const char *name, struct slice content)
{
	static char found[256];
	const char *dot = strrchr(name, '.');
	struct text_traits t;

	for (size_t i = 0; dot && i < ARRAY_LEN(types); i++)
		if (slice_eq_nocase(slice_of(dot + 1), slice_of(types[i].extension)))
			return types[i].type;
	if (dot && dot[1] && find_in_files(mx, slice_of(dot + 1), found, sizeof(found)))
		return found;
	t = mime_traits(content);
	if (t.has_control || (t.has_8bit && !t.is_utf8))
		return "application/octet-stream";
	return t.has_8bit ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii";
}
