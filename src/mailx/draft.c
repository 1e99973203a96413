/* SPDX-License-Identifier: Apache-2.0 */
/* draft.c - see draft.h */
#include "mailx/draft.h"
#include "mail/address.h"
#include "mail/header.h"
#include "mailx/head.h"

#define LIST_FLAGS (ADDRESS_UTF8 | ADDRESS_UNQUALIFIED)

const char *const draft_field_names[DRAFT_FIELD_COUNT] = { "To", "Cc", "Bcc" };

void draft_free(struct draft *d)
{
	for (size_t i = 0; i < DRAFT_FIELD_COUNT; i++)
		strlist_free(&d->recipients[i]);
	mem_free(d->subject);
	mem_free(d->from);
	mem_free(d->sender);
	mem_free(d->reply_to);
	mem_free(d->in_reply_to);
	mem_free(d->references);
	mem_free(d->content_type);
	strlist_free(&d->fields);
	strlist_free(&d->attachments);
	strlist_free(&d->targets);
	for (size_t i = 0; i < d->n_messages; i++)
		buf_free(&d->messages[i]);
	mem_free(d->messages);
	buf_free(&d->text);
	*d = DRAFT_INIT;
}

struct slice draft_bare_address(const char *text, struct slice *name_out)
{
	struct address_list list = ADDRESS_LIST_INIT(slice_of(text), LIST_FLAGS);
	struct address_item item;

	*name_out = SLICE_EMPTY;
	while (address_list_next(&list, &item)) {
		if (item.status != ADDRESS_OK)
			continue;
		*name_out = item.name;
		return item.text;
	}
	return SLICE_EMPTY;
}

static bool is_known_address(const struct draft *d, struct slice address)
{
	struct slice name;

	for (size_t f = 0; f < DRAFT_FIELD_COUNT; f++)
		for (size_t i = 0; i < d->recipients[f].n; i++)
			if (slice_eq_nocase(draft_bare_address(d->recipients[f].at[i], &name), address))
				return true;
	return false;
}

/* Files, folders and commands are no addressees here: names of them can come from a message (CVE-2004-2771).
 */
static const char *address_problem(struct slice address, enum address_status status)
{
	if (slice_find(address, '@') == address.len && address.len && strchr("/|+", address.at[0]))
		return "mail is delivered to files and commands only with the variable `expandaddr'";
	return status == ADDRESS_OK ? NULL : address_status_text(status);
}

/* One addressee that is no alias any more. */
static bool collect_address(struct mailx *mx, const char *text, struct strlist *out)
{
	struct address_list list = ADDRESS_LIST_INIT(slice_of(text), LIST_FLAGS);
	auto_buf struct buf shown = BUF_INIT(MAILX_VALUE_MAX), name = BUF_INIT(MAILX_VALUE_MAX);
	struct address_item item;
	size_t before = out->n;

	while (address_list_next(&list, &item)) {
		const char *problem = address_problem(item.text, item.status);
		if (problem) {
			mailx_error(mx, "\"%.*s\" is no address: %s", SLICE_ARG(item.text), problem);
			return false;
		}
		buf_clear(&shown);
		buf_clear(&name);
		head_display_name(item.name, &name);
		if (name.len) {
			header_append_phrase(&shown, buf_slice(&name));
			buf_printf(&shown, " <%.*s>", SLICE_ARG(item.text));
		} else {
			buf_append(&shown, item.text);
		}
		strlist_add_slice(out, buf_slice(&shown));
	}
	if (out->n == before)
		mailx_error(mx, "\"%s\" is no address", text);
	return out->n > before;
}

static bool is_target(const struct draft *d, const char *text)
{
	return d->takes_targets && (strchr("/|+", text[0]) || strncmp(text, "./", 2) == 0);
}

/* A word that may be an alias, else an address. */
static bool collect_name(struct mailx *mx, struct draft *d, const char *word, struct strlist *out)
{
	auto_strlist struct strlist expanded = STRLIST_INIT;

	aliases_expand(&mx->aliases, word, &expanded);
	for (size_t i = 0; i < expanded.n; i++) {
		if (is_target(d, expanded.at[i]))
			strlist_add(&d->targets, expanded.at[i]);
		else if (!collect_address(mx, expanded.at[i], out))
			return false;
	}
	return true;
}

static bool collect_plain(struct mailx *mx, struct draft *d, const char *text, struct strlist *out)
{
	struct slice rest = slice_of(text);

	while (rest.len) {
		size_t n = 0;
		while (n < rest.len && !strchr(", \t\n", rest.at[n]))
			n++;
		if (n) {
			auto_free char *word = slice_dup(slice_first(rest, n));
			if (!collect_name(mx, d, word, out))
				return false;
		}
		rest = slice_from(rest, n + 1);
	}
	return true;
}

static bool collect_listed(struct mailx *mx, struct draft *d, const char *text, struct strlist *out)
{
	struct address_list list = ADDRESS_LIST_INIT(slice_of(text), LIST_FLAGS);
	struct address_item item;

	while (address_list_next(&list, &item)) {
		auto_free char *word = slice_dup(item.text);
		if (item.status == ADDRESS_OK && item.name.len == 0) {
			if (!collect_name(mx, d, word, out))
				return false;
		} else if (item.status == ADDRESS_OK) {
			auto_buf struct buf whole = BUF_INIT(MAILX_VALUE_MAX);
			buf_printf(&whole, "%.*s <%s>", SLICE_ARG(item.name), word);
			if (!buf_cstr(&whole) || !collect_address(mx, buf_cstr(&whole), out))
				return false;
		} else if (!collect_address(mx, word, out)) {
			return false;
		}
	}
	return true;
}

bool draft_add_recipients(struct mailx *mx, struct draft *d, enum draft_field field, const char *text)
{
	auto_strlist struct strlist found = STRLIST_INIT;
	char *clean = NULL;
	bool is_good;

	draft_set(&clean, text);
	if (!clean)
		return true;
	if (is_target(d, clean) && clean[0] == '|') { /* a command is all there is, blanks and commas too */
		strlist_add(&d->targets, clean);
		mem_free(clean);
		return true;
	}
	is_good = strpbrk(clean, "<\"(;") ? collect_listed(mx, d, clean, &found)
					  : collect_plain(mx, d, clean, &found);
	mem_free(clean);
	for (size_t i = 0; i < found.n && is_good; i++) {
		struct slice name;
		if (!is_known_address(d, draft_bare_address(found.at[i], &name)))
			strlist_add(&d->recipients[field], found.at[i]);
	}
	return is_good;
}

size_t draft_count_recipients(const struct draft *d)
{
	return d->recipients[DRAFT_TO].n + d->recipients[DRAFT_CC].n + d->recipients[DRAFT_BCC].n +
		d->targets.n;
}

void draft_envelope(const struct draft *d, struct strlist *out)
{
	struct slice name;

	for (size_t f = 0; f < DRAFT_FIELD_COUNT; f++)
		for (size_t i = 0; i < d->recipients[f].n; i++)
			strlist_add_slice(out, draft_bare_address(d->recipients[f].at[i], &name));
}

void draft_set(char **slot, const char *text)
{
	auto_free char *copy = text ? slice_dup(slice_trim(slice_of(text))) : NULL;

	for (char *p = copy; p && *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	mem_free(*slot);
	*slot = copy && *copy ? take_ptr(&copy) : NULL;
}

bool draft_variable_text(const struct mailx *mx, const char *name, struct buf *out)
{
	const char *value = vars_get(&mx->vars, name);

	if (!value)
		return false;
	for (; *value; value++) { /* \n and \t as POSIX has them for `sign' */
		if (value[0] == '\\' && (value[1] == 'n' || value[1] == 't')) {
			buf_append_byte(out, value[1] == 'n' ? '\n' : '\t');
			value++;
		} else {
			buf_append_byte(out, *value);
		}
	}
	buf_append_byte(out, '\n');
	return true;
}

const char *draft_field(const struct draft *d, const char *name)
{
	for (size_t i = 0; i < d->fields.n; i++) {
		struct slice value = slice_of(d->fields.at[i]), found;
		if (slice_cut(&value, ':', &found) && slice_eq_nocase(slice_trim(found), slice_of(name)))
			return slice_trim(value).at;
	}
	return NULL;
}

static void template_field(struct buf *out, const char *name, const char *value)
{
	if (value)
		buf_printf(out, "%s: %s\n", name, value);
}

void draft_write_template(const struct draft *d, struct buf *out)
{
	template_field(out, "From", d->from);
	for (size_t f = 0; f < DRAFT_FIELD_COUNT; f++) {
		for (size_t i = 0; i < d->recipients[f].n; i++)
			buf_printf(out, "%s%s%s", i ? "," : draft_field_names[f], i ? "\n " : ": ",
				d->recipients[f].at[i]);
		if (d->recipients[f].n)
			buf_append_byte(out, '\n');
	}
	template_field(out, "Subject", d->subject);
	template_field(out, "Reply-To", d->reply_to);
	template_field(out, "In-Reply-To", d->in_reply_to);
	template_field(out, "References", d->references);
	for (size_t i = 0; i < d->fields.n; i++)
		buf_printf(out, "%s\n", d->fields.at[i]);
	buf_append_byte(out, '\n');
	buf_append(out, buf_slice(&d->text));
}

/* The place of a field in the draft that holds one string; NULL: it has none of its own. */
static char **template_slot(struct draft *d, struct slice name)
{
	const struct {
		struct slice name;
		char **slot;
	} slots[] = {
		{ SLICE("Subject"), &d->subject },
		{ SLICE("From"), &d->from },
		{ SLICE("Reply-To"), &d->reply_to },
		{ SLICE("In-Reply-To"), &d->in_reply_to },
		{ SLICE("References"), &d->references },
	};

	for (size_t i = 0; i < ARRAY_LEN(slots); i++)
		if (slice_eq_nocase(name, slots[i].name))
			return slots[i].slot;
	return NULL;
}

static bool template_take(struct mailx *mx, struct draft *d, const struct header_field *field)
{
	auto_buf struct buf value = BUF_INIT(MAILX_TEXT_MAX), whole = BUF_INIT(MAILX_TEXT_MAX);
	char **slot = template_slot(d, field->name), *clean = NULL;

	header_unfold(field->value, &value);
	for (size_t f = 0; f < DRAFT_FIELD_COUNT; f++)
		if (slice_eq_nocase(field->name, slice_of(draft_field_names[f])))
			return draft_add_recipients(mx, d, (enum draft_field)f, buf_cstr(&value));
	if (slot) {
		draft_set(slot, buf_cstr(&value));
		return true;
	}
	buf_printf(&whole, "%.*s: %.*s", SLICE_ARG(field->name), SLICE_ARG(buf_slice(&value)));
	if (!buf_ok(&whole))
		return false;
	draft_set(&clean, buf_cstr(&whole));
	strlist_add(&d->fields, clean);
	mem_free(clean);
	return true;
}

bool draft_take_field(struct mailx *mx, struct draft *d, const char *text)
{
	struct header_field field;
	struct slice rest;
	char *clean = NULL;
	bool is_good = false;

	draft_set(&clean, text);
	rest = slice_of(clean);
	if (clean && header_next(&rest, &field))
		is_good = template_take(mx, d, &field);
	else
		mailx_error(mx, "\"%s\" is no header field: write \"Name: value\"", text);
	mem_free(clean);
	return is_good;
}

bool draft_read_template(struct mailx *mx, struct draft *d, struct slice template_text)
{
	struct slice header, body;
	struct header_field field;

	header_split(template_text, &header, &body);
	while (header_next(&header, &field))
		if (!template_take(mx, d, &field))
			return false;
	buf_clear(&d->text);
	buf_append(&d->text, body);
	return buf_ok(&d->text);
}
