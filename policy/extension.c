/* SPDX-License-Identifier: Apache-2.0 */
/* The functions and methods of extension types, as one table. Arguments have been checked for their
 * kinds when a function is applied. */
#include "extension.h"

#define SECOND 1000 /* in milliseconds */

typedef const struct policy_value *const *arguments_of;

static const struct policy_value *
construct_number(struct arena *arena, enum value_kind kind, const struct text *text,
		 bool (*read)(const struct text *text, int64_t *ret_number),
		 const char **ret_reason)
{
	int64_t number = 0;

	if (!read(text, &number)) {
		*ret_reason = "the text is malformed or out of range";
		return NULL;
	}
	return value_number(arena, kind, number);
}

static const struct policy_value *
construct_decimal(struct arena *arena, arguments_of arguments, const char **ret_reason)
{
	return construct_number(arena, VALUE_DECIMAL, &arguments[0]->string, decimal_read,
				ret_reason);
}

static const struct policy_value *
construct_datetime(struct arena *arena, arguments_of arguments, const char **ret_reason)
{
	return construct_number(arena, VALUE_DATETIME, &arguments[0]->string, datetime_read,
				ret_reason);
}

static const struct policy_value *
construct_duration(struct arena *arena, arguments_of arguments, const char **ret_reason)
{
	return construct_number(arena, VALUE_DURATION, &arguments[0]->string, duration_read,
				ret_reason);
}

static const struct policy_value *
construct_ip(struct arena *arena, arguments_of arguments, const char **ret_reason)
{
	struct ip_range range;

	if (!ip_read(&arguments[0]->string, &range)) {
		*ret_reason = "the text is no address or range";
		return NULL;
	}
	return value_ip(arena, &range);
}

static bool
is_ipv4(arguments_of arguments)
{
	return !arguments[0]->ip.v6;
}

static bool
is_ipv6(arguments_of arguments)
{
	return arguments[0]->ip.v6;
}

static bool
is_loopback(arguments_of arguments)
{
	return ip_is_loopback(&arguments[0]->ip);
}

static bool
is_multicast(arguments_of arguments)
{
	return ip_is_multicast(&arguments[0]->ip);
}

static bool
is_in_range(arguments_of arguments)
{
	return ip_in_range(&arguments[0]->ip, &arguments[1]->ip);
}

static bool
less_than(arguments_of arguments)
{
	return arguments[0]->number < arguments[1]->number;
}

static bool
less_than_or_equal(arguments_of arguments)
{
	return arguments[0]->number <= arguments[1]->number;
}

static bool
greater_than(arguments_of arguments)
{
	return arguments[0]->number > arguments[1]->number;
}

static bool
greater_than_or_equal(arguments_of arguments)
{
	return arguments[0]->number >= arguments[1]->number;
}

static const struct policy_value *
overflow(const char **ret_reason)
{
	*ret_reason = "out of range";
	return NULL;
}

static const struct policy_value *
offset(struct arena *arena, arguments_of arguments, const char **ret_reason)
{
	int64_t sum;

	if (__builtin_add_overflow(arguments[0]->number, arguments[1]->number, &sum))
		return overflow(ret_reason);
	return value_number(arena, VALUE_DATETIME, sum);
}

static const struct policy_value *
duration_since(struct arena *arena, arguments_of arguments, const char **ret_reason)
{
	int64_t difference;

	if (__builtin_sub_overflow(arguments[0]->number, arguments[1]->number, &difference))
		return overflow(ret_reason);
	return value_number(arena, VALUE_DURATION, difference);
}

static const struct policy_value *
to_date(struct arena *arena, arguments_of arguments, const char **ret_reason)
{
	int64_t date;

	if (!datetime_date(arguments[0]->number, &date))
		return overflow(ret_reason);
	return value_number(arena, VALUE_DATETIME, date);
}

static const struct policy_value *
to_time(struct arena *arena, arguments_of arguments, const char **ret_reason)
{
	(void)ret_reason;
	return value_number(arena, VALUE_DURATION, datetime_time(arguments[0]->number));
}

/* clang-format off: one line each */
static const struct extension_function functions[] = {
	{"ip", EXTENSION_CONSTRUCTOR, 1, {VALUE_STRING}, .apply = construct_ip},
	{"decimal", EXTENSION_CONSTRUCTOR, 1, {VALUE_STRING}, .apply = construct_decimal},
	{"datetime", EXTENSION_CONSTRUCTOR, 1, {VALUE_STRING}, .apply = construct_datetime},
	{"duration", EXTENSION_CONSTRUCTOR, 1, {VALUE_STRING}, .apply = construct_duration},
	{"isIpv4", EXTENSION_METHOD, 1, {VALUE_IP}, .holds = is_ipv4},
	{"isIpv6", EXTENSION_METHOD, 1, {VALUE_IP}, .holds = is_ipv6},
	{"isLoopback", EXTENSION_METHOD, 1, {VALUE_IP}, .holds = is_loopback},
	{"isMulticast", EXTENSION_METHOD, 1, {VALUE_IP}, .holds = is_multicast},
	{"isInRange", EXTENSION_METHOD, 2, {VALUE_IP, VALUE_IP}, .holds = is_in_range},
	{"lessThan", EXTENSION_METHOD, 2, {VALUE_DECIMAL, VALUE_DECIMAL}, .holds = less_than},
	{"lessThanOrEqual",
	 EXTENSION_METHOD,
	 2,
	 {VALUE_DECIMAL, VALUE_DECIMAL},
	 .holds = less_than_or_equal},
	{"greaterThan", EXTENSION_METHOD, 2, {VALUE_DECIMAL, VALUE_DECIMAL}, .holds = greater_than},
	{"greaterThanOrEqual",
	 EXTENSION_METHOD,
	 2,
	 {VALUE_DECIMAL, VALUE_DECIMAL},
	 .holds = greater_than_or_equal},
	{"offset",
	 EXTENSION_METHOD,
	 2,
	 {VALUE_DATETIME, VALUE_DURATION},
	 .apply = offset,
	 .result = VALUE_DATETIME},
	{"durationSince",
	 EXTENSION_METHOD,
	 2,
	 {VALUE_DATETIME, VALUE_DATETIME},
	 .apply = duration_since,
	 .result = VALUE_DURATION},
	{"toDate", EXTENSION_METHOD, 1, {VALUE_DATETIME}, .apply = to_date, .result = VALUE_DATETIME},
	{"toTime", EXTENSION_METHOD, 1, {VALUE_DATETIME}, .apply = to_time, .result = VALUE_DURATION},
	{"toMilliseconds", EXTENSION_METHOD, 1, {VALUE_DURATION}, .unit = 1},
	{"toSeconds", EXTENSION_METHOD, 1, {VALUE_DURATION}, .unit = SECOND},
	{"toMinutes", EXTENSION_METHOD, 1, {VALUE_DURATION}, .unit = 60 * SECOND},
	{"toHours", EXTENSION_METHOD, 1, {VALUE_DURATION}, .unit = 60 * 60 * SECOND},
	{"toDays", EXTENSION_METHOD, 1, {VALUE_DURATION}, .unit = 24 * 60 * 60 * SECOND},
};
/* clang-format on */

const struct extension_function *
extension_find(const struct text *name, enum extension_style style)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (functions[i].style == style && text_is(name, functions[i].name))
			return &functions[i];
	}
	return NULL;
}

const struct policy_value *
extension_apply(const struct extension_function *function, struct arena *arena,
		const struct policy_value *const *arguments, const char **ret_reason)
{
	if (function->holds != NULL)
		return value_boolean(function->holds(arguments));
	/* Rounded towards zero. */
	if (function->unit != 0)
		return value_number(arena, VALUE_LONG, arguments[0]->number / function->unit);
	return function->apply(arena, arguments, ret_reason);
}
