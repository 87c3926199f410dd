/* SPDX-License-Identifier: Apache-2.0 */
/* Cedar's extension types: decimal, ipaddr, datetime, duration. */
#ifndef POLICY_EXTENSION_H
#define POLICY_EXTENSION_H

#include "value.h"

#define EXTENSION_ARGUMENTS_MAX 2 /* a method's subject counts */

enum extension_style { EXTENSION_CONSTRUCTOR, EXTENSION_METHOD };

struct extension_function {
	const char *name;
	enum extension_style style;
	size_t arguments;
	enum value_kind kinds[EXTENSION_ARGUMENTS_MAX];
	/* One of: a function of its own, a question, or a unit to count a duration in. */
	const struct policy_value *(*apply)(struct arena *arena,
					    const struct policy_value *const *arguments,
					    const char **ret_reason);
	bool (*holds)(const struct policy_value *const *arguments);
	int64_t unit;
	enum value_kind result; /* of a method with `apply`; others are of booleans and longs */
};

/* NULL where there is no such function or method. */
const struct extension_function *extension_find(const struct text *name,
						enum extension_style style);
/* Arguments are of the right number and kinds. NULL with a reason when there is no result, without
 * one when memory ran out. */
const struct policy_value *extension_apply(const struct extension_function *function,
					   struct arena *arena,
					   const struct policy_value *const *arguments,
					   const char **ret_reason);

/* ---- extension_time.c, extension_ip.c: what constructors read; false where it is malformed ----
 */

bool decimal_read(const struct text *text, int64_t *ret_ten_thousandths);
bool datetime_read(const struct text *text, int64_t *ret_milliseconds);
bool duration_read(const struct text *text, int64_t *ret_milliseconds);
/* The start of the day (UTC); false where it would overflow. */
bool datetime_date(int64_t milliseconds, int64_t *ret_milliseconds);
int64_t datetime_time(int64_t milliseconds);

bool ip_read(const struct text *text, struct ip_range *ret_range);
bool ip_is_loopback(const struct ip_range *range);
bool ip_is_multicast(const struct ip_range *range);
bool ip_in_range(const struct ip_range *range, const struct ip_range *within);

#endif
