/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_picture.h - all that an opening hands over of a spool, byte for byte, to be compared with another
 * opening
 *
 * So a checkpoint is judged: with it, opening must hand over what it hands over without any.
 * Layer: tests of spool.
 */
#pragma once
#include "spool/test_kit.h"

struct picture {
	struct buf of[KIT_MESSAGES]; /* by id: fields of the envelope and the recipients, checksum of the
					content */
	size_t n_messages;
	uint64_t high_water;
	uint64_t used; /* number of the checkpoint that was used; 0: none */
	unsigned problems[16];
	struct spool_problem last_problem;
	int open_result, load_result;
};
/* Opens dir, waits for all messages, reads their content, closes it without writing a checkpoint. */
void picture_take(struct picture *p, const char *dir, const struct spool_settings *set);
void picture_free(struct picture *p);
/* Messages and high water are the same; what names the case. */
void assert_same_picture(const struct picture *got, const struct picture *want, const char *what);

/* to becomes a copy of the log and the body files of from, which nobody writes to. */
void picture_copy_spool(const char *from, const char *to);
void picture_remove_checkpoints(const char *dir);
/* Numbers of the checkpoints, newest first. */
size_t picture_checkpoints(const char *dir, uint64_t *numbers, size_t max);
void picture_checkpoint_path(const char *dir, uint64_t number, char *out, size_t size);
