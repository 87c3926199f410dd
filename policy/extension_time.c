/* SPDX-License-Identifier: Apache-2.0 */
/* Decimals, points in time, and spans between them: their texts. */
#include "extension.h"

#include <string.h>

#define DECIMAL_SCALE	      10000
#define DECIMAL_PLACES_MAX    4
#define MILLISECONDS_A_SECOND 1000
#define MILLISECONDS_A_DAY    ((int64_t)24 * 60 * 60 * MILLISECONDS_A_SECOND)

struct digits {
	const char *next;
	const char *end;
};

static struct digits
start_digits(const struct text *text)
{
	return (struct digits){.next = text->data, .end = text->data + text->size};
}

static bool
take(struct digits *digits, char wanted)
{
	if (digits->next == digits->end || *digits->next != wanted)
		return false;
	digits->next++;
	return true;
}

static bool
at_digit(const struct digits *digits)
{
	return digits->next < digits->end && *digits->next >= '0' && *digits->next <= '9';
}

/* All digits that follow, at least one; false when they do not fit. */
static bool
take_number(struct digits *digits, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!at_digit(digits))
		return false;
	for (; at_digit(digits); digits->next++) {
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*digits->next - '0'), &number))
			return false;
	}
	*ret_number = number;
	return true;
}

/* Exactly `count` digits. */
static bool
take_fixed(struct digits *digits, unsigned int count, int64_t *ret_number)
{
	int64_t number = 0;

	for (; count > 0; count--) {
		if (!at_digit(digits))
			return false;
		number = number * 10 + (*digits->next++ - '0');
	}
	*ret_number = number;
	return true;
}

/* ---- decimal: -?[0-9]+\.[0-9]{1,4} ---- */

bool
decimal_read(const struct text *text, int64_t *ret_ten_thousandths)
{
	struct digits digits = start_digits(text);
	uint64_t whole = 0;
	uint64_t part = 0;
	int64_t value;

	bool negative = take(&digits, '-');
	if (!take_number(&digits, &whole) || !take(&digits, '.'))
		return false;
	size_t places = (size_t)(digits.end - digits.next);
	if (places > DECIMAL_PLACES_MAX || !take_number(&digits, &part) ||
	    digits.next != digits.end)
		return false;
	for (; places < DECIMAL_PLACES_MAX; places++)
		part *= 10;
	if (whole > INT64_MAX ||
	    __builtin_mul_overflow((int64_t)whole, negative ? -DECIMAL_SCALE : DECIMAL_SCALE,
				   &value))
		return false;
	if (__builtin_add_overflow(value, negative ? -(int64_t)part : (int64_t)part, &value))
		return false;
	*ret_ten_thousandths = value;
	return true;
}

/* ---- duration: -?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)? but not empty ---- */

static const struct {
	const char *name;
	int64_t milliseconds;
} units[] = {
	{"d", MILLISECONDS_A_DAY},
	{"h", 60 * 60 * MILLISECONDS_A_SECOND},
	{"m", 60 * MILLISECONDS_A_SECOND},
	{"s", MILLISECONDS_A_SECOND},
	{"ms", 1},
};
#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

/* The unit that stands here: letters up to the next digit. UNIT_COUNT where it is none. */
static size_t
take_unit(struct digits *digits)
{
	const char *start = digits->next;
	size_t unit = 0;

	while (digits->next < digits->end && !at_digit(digits))
		digits->next++;
	size_t size = (size_t)(digits->next - start);
	while (unit < UNIT_COUNT &&
	       (strlen(units[unit].name) != size || memcmp(units[unit].name, start, size) != 0))
		unit++;
	return unit;
}

/* One number and unit, added to the sum with its sign. */
static bool
take_span(struct digits *digits, bool negative, size_t *next_unit, int64_t *sum)
{
	uint64_t number = 0;
	int64_t span;

	if (!take_number(digits, &number))
		return false;
	size_t unit = take_unit(digits);
	if (unit == UNIT_COUNT || unit < *next_unit)
		return false;
	*next_unit = unit + 1;
	int64_t factor = negative ? -units[unit].milliseconds : units[unit].milliseconds;
	return !__builtin_mul_overflow(number, factor, &span) &&
	       !__builtin_add_overflow(*sum, span, sum);
}

bool
duration_read(const struct text *text, int64_t *ret_milliseconds)
{
	struct digits digits = start_digits(text);
	size_t next_unit = 0;
	int64_t sum = 0;

	bool negative = take(&digits, '-');
	do {
		if (!take_span(&digits, negative, &next_unit, &sum))
			return false;
	} while (digits.next < digits.end);
	*ret_milliseconds = sum;
	return true;
}

/* ---- datetime: YYYY-MM-DD[Thh:mm:ss[.SSS](Z|(+|-)hhmm)] ---- */

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 in the Gregorian calendar, extended backwards; years from 0 on. */
static int64_t
days_since_epoch(int64_t year, int64_t month, int64_t day)
{
	static const int64_t before_month[] = {0,   31,	 59,  90,  120, 151,
					       181, 212, 243, 273, 304, 334};
	/* Leap days in the years 0 to year - 1: year 0 is one itself. */
	int64_t leaps = year == 0 ? 0 : (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
	int64_t days = year * 365 + leaps + before_month[month - 1] + day - 1;

	if (month > 2 && is_leap(year))
		days++;
	return days - 719528;
}

static bool
take_date(struct digits *digits, int64_t *ret_days)
{
	static const int64_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t year, month, day;

	if (!take_fixed(digits, 4, &year) || !take(digits, '-') || !take_fixed(digits, 2, &month) ||
	    !take(digits, '-') || !take_fixed(digits, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1)
		return false;
	if (day > month_days[month - 1] && !(month == 2 && day == 29 && is_leap(year)))
		return false;
	*ret_days = days_since_epoch(year, month, day);
	return true;
}

static bool
take_time(struct digits *digits, int64_t *ret_milliseconds)
{
	int64_t hours, minutes, seconds;
	int64_t milliseconds = 0;

	if (!take(digits, 'T') || !take_fixed(digits, 2, &hours) || !take(digits, ':') ||
	    !take_fixed(digits, 2, &minutes) || !take(digits, ':') ||
	    !take_fixed(digits, 2, &seconds))
		return false;
	if (hours > 23 || minutes > 59 || seconds > 59)
		return false;
	if (take(digits, '.') && !take_fixed(digits, 3, &milliseconds))
		return false;
	*ret_milliseconds =
		((hours * 60 + minutes) * 60 + seconds) * MILLISECONDS_A_SECOND + milliseconds;
	return true;
}

/* Z or the distance from UTC */
static bool
take_zone(struct digits *digits, int64_t *ret_milliseconds)
{
	int64_t hours, minutes;

	if (take(digits, 'Z')) {
		*ret_milliseconds = 0;
		return true;
	}
	bool west = take(digits, '-');
	if (!west && !take(digits, '+'))
		return false;
	if (!take_fixed(digits, 2, &hours) || !take_fixed(digits, 2, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	int64_t distance = (hours * 60 + minutes) * 60 * MILLISECONDS_A_SECOND;
	*ret_milliseconds = west ? -distance : distance;
	return true;
}

bool
datetime_read(const struct text *text, int64_t *ret_milliseconds)
{
	struct digits digits = start_digits(text);
	int64_t days = 0;
	int64_t time = 0;
	int64_t zone = 0;

	if (!take_date(&digits, &days))
		return false;
	if (digits.next < digits.end && (!take_time(&digits, &time) || !take_zone(&digits, &zone)))
		return false;
	if (digits.next != digits.end)
		return false;
	*ret_milliseconds = days * MILLISECONDS_A_DAY + time - zone;
	return true;
}

int64_t
datetime_time(int64_t milliseconds)
{
	int64_t rest = milliseconds % MILLISECONDS_A_DAY;

	return rest < 0 ? rest + MILLISECONDS_A_DAY : rest;
}

bool
datetime_date(int64_t milliseconds, int64_t *ret_milliseconds)
{
	return !__builtin_sub_overflow(milliseconds, datetime_time(milliseconds), ret_milliseconds);
}
