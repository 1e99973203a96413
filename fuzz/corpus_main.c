/* SPDX-License-Identifier: Apache-2.0 */
/*
 * corpus_main.c - runs a fuzz target over the files of its corpus, where libFuzzer is not: the seeds are
 * ordinary tests
 */
#include "base/file.h"
#include <dirent.h>
#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(int dir, const char *name)
{
	auto_buf struct buf text = BUF_INIT(64 * 1024 * 1024);
	int r = file_read_path(dir, name, &text);

	if (r < 0) {
		(void)fprintf(stderr, "%s: %s\n", name, strerror(-r));
		return 1;
	}
	return LLVMFuzzerTestOneInput((const uint8_t *)buf_slice(&text).at, text.len);
}

int main(int argc, char **argv)
{
	int n = 0, status = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = argv[i][0] == '-' ? NULL : opendir(argv[i]);
		const struct dirent *e;
		while (d && (e = readdir(d))) {
			if (e->d_name[0] == '.')
				continue;
			status |= run_file(dirfd(d), e->d_name);
			n++;
		}
		if (d)
			(void)closedir(d);
	}
	if (n == 0)
		(void)fprintf(stderr, "no seeds\n");
	return status || n == 0;
}
