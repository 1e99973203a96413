/* SPDX-License-Identifier: Apache-2.0 */
/* alias_findings.c - see alias_findings.h */
#include "table/alias_findings.h"

struct finding {
	enum alias_problem_kind kind;
	size_t file, line, number;
	size_t text_at, text_len;
};

static struct finding *finding_at(const struct alias_findings *f, size_t i)
{
	return (struct finding *)(void *)f->list.at + i;
}

void alias_findings_deinit(struct alias_findings *f)
{
	while (f->n_files)
		mem_free(f->files[--f->n_files]);
	buf_free(&f->list);
	buf_free(&f->texts);
}

size_t alias_findings_count(const struct alias_findings *f)
{
	return f->list.len / sizeof(struct finding);
}

void alias_findings_file(struct alias_findings *f, const char *file)
{
	CHECK(f->n_files < LIMIT_ALIAS_FILES);
	f->files[f->n_files++] = mem_dup_str(file);
}

static size_t file_number(const struct alias_findings *f, const char *file)
{
	size_t i = 0;

	while (i < f->n_files && strcmp(f->files[i], file) != 0)
		i++;
	CHECK(i < f->n_files);
	return i;
}

void alias_findings_add(const struct alias_problem *p, void *findings)
{
	struct alias_findings *f = findings;
	const struct finding finding = { .kind = p->kind,
		.file = file_number(f, p->file),
		.line = p->line,
		.number = alias_findings_count(f),
		.text_at = f->texts.len,
		.text_len = p->text.len };

	f->n[alias_problem_severity(p->kind)]++;
	if (!buf_reserve(&f->list, sizeof(finding)) || !buf_reserve(&f->texts, p->text.len + 1))
		return;
	buf_append(&f->list, (struct slice){ (const char *)&finding, sizeof(finding) });
	buf_append(&f->texts, p->text);
}

static int compare_numbers(size_t a, size_t b)
{
	return a < b ? -1 : a > b;
}

static int compare(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int order = compare_numbers(x->file, y->file);

	if (order == 0)
		order = compare_numbers(x->line, y->line);
	return order ? order : compare_numbers(x->number, y->number);
}

void alias_findings_sort(struct alias_findings *f)
{
	if (f->list.len)
		qsort(f->list.at, alias_findings_count(f), sizeof(struct finding), compare);
}

struct alias_problem alias_findings_get(const struct alias_findings *f, size_t number)
{
	const struct finding *found = finding_at(f, number);

	return (struct alias_problem){ .kind = found->kind,
		.file = f->files[found->file],
		.line = found->line,
		.text = { f->texts.at + found->text_at, found->text_len } };
}

void alias_findings_print(const struct alias_findings *f, bool with_notes, FILE *to)
{
	for (size_t i = 0; i < alias_findings_count(f); i++) {
		struct alias_problem p = alias_findings_get(f, i);
		if (with_notes || alias_problem_severity(p.kind) != ALIAS_NOTE)
			alias_problem_print(&p, to);
	}
}
