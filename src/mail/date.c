/* SPDX-License-Identifier: Apache-2.0 */
/* date.c - without strftime, whose names follow the locale; see date.h */
#include "mail/date.h"
#include <time.h>

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct",
	"Nov", "Dec" };

static struct tm local_time(int64_t time_s)
{
	time_t t = (time_t)time_s;
	struct tm tm = { 0 };

	if (!localtime_r(&t, &tm)) { /* a year that does not fit: the epoch rather than nothing */
		t = 0;
		CHECK(localtime_r(&t, &tm) != NULL);
	}
	return tm;
}

static char *put_2(char *at, int n, char fill)
{
	*at++ = n < 10 ? fill : (char)('0' + n / 10 % 10);
	*at++ = (char)('0' + n % 10);
	return at;
}

static char *put_3(char *at, const char *name)
{
	memcpy(at, name, 3);
	return at + 3;
}

static char *put_time(char *at, const struct tm *tm)
{
	at = put_2(at, tm->tm_hour, '0');
	*at++ = ':';
	at = put_2(at, tm->tm_min, '0');
	*at++ = ':';
	return put_2(at, tm->tm_sec, '0');
}

static char *put_year(char *at, const struct tm *tm)
{
	int year = (tm->tm_year + 1900) % 10000;

	at = put_2(at, year / 100, '0');
	return put_2(at, year % 100, '0');
}

/* "Wed Feb 19 05:10:35" */
static char *put_stamp(char *at, const struct tm *tm)
{
	at = put_3(at, days[tm->tm_wday]);
	*at++ = ' ';
	at = put_3(at, months[tm->tm_mon]);
	*at++ = ' ';
	at = put_2(at, tm->tm_mday, ' ');
	*at++ = ' ';
	return put_time(at, tm);
}

/* " (EST)": a comment, so only what cannot end it. */
static void append_zone_name(struct buf *out, const char *zone)
{
	struct slice name = slice_of(zone);

	for (size_t i = 0; i < name.len; i++)
		if (!ascii_is_alnum(name.at[i]) && name.at[i] != '+' && name.at[i] != '-')
			return;
	if (name.len == 0 || name.len > 10)
		return;
	buf_append_str(out, " (");
	buf_append(out, name);
	buf_append_byte(out, ')');
}

void date_append_rfc5322(struct buf *out, int64_t time_s)
{
	struct tm tm = local_time(time_s);
	long minutes = tm.tm_gmtoff / 60;
	char text[40], *at = put_3(text, days[tm.tm_wday]);

	*at++ = ',';
	*at++ = ' ';
	if (tm.tm_mday >= 10)
		*at++ = (char)('0' + tm.tm_mday / 10);
	*at++ = (char)('0' + tm.tm_mday % 10);
	*at++ = ' ';
	at = put_3(at, months[tm.tm_mon]);
	*at++ = ' ';
	at = put_year(at, &tm);
	*at++ = ' ';
	at = put_time(at, &tm);
	*at++ = ' ';
	*at++ = minutes < 0 ? '-' : '+';
	minutes = labs(minutes);
	at = put_2(at, (int)(minutes / 60), '0');
	at = put_2(at, (int)(minutes % 60), '0');
	buf_append(out, (struct slice){ text, (size_t)(at - text) });
	append_zone_name(out, tm.tm_zone);
}

void date_append_from_line(struct buf *out, int64_t time_s)
{
	struct tm tm = local_time(time_s);
	char text[40], *at = put_stamp(text, &tm);

	*at++ = ' ';
	at = put_year(at, &tm);
	buf_append(out, (struct slice){ text, (size_t)(at - text) });
}

void date_append_mailq(struct buf *out, int64_t time_s)
{
	struct tm tm = local_time(time_s);
	char text[40], *at = put_stamp(text, &tm);

	buf_append(out, (struct slice){ text, (size_t)(at - text) });
}

/* In the largest unit of which there are several, or exactly one: 36 hours are not a day. */
void date_append_duration(struct buf *out, uint64_t seconds)
{
	static const struct {
		uint64_t s;
		const char *name;
	} units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" }, { 1, "second" } };
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && seconds < 2 * units[i].s && seconds != units[i].s)
		i++;
	uint64_t n = seconds / units[i].s;
	buf_printf(out, "%" PRIu64 " %s%s", n, units[i].name, n == 1 ? "" : "s");
}
