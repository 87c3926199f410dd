/* SPDX-License-Identifier: Apache-2.0 */
/* Cedar's values: immutable, in somebody's arena, comparable with each other wherever they live. */
#ifndef POLICY_VALUE_H
#define POLICY_VALUE_H

#include "arena.h"
#include "text.h"

#include <stdbool.h>
#include <stdint.h>

enum value_kind {
	VALUE_BOOLEAN,
	VALUE_LONG,
	VALUE_STRING,
	VALUE_ENTITY,
	VALUE_SET,
	VALUE_RECORD,
	VALUE_DECIMAL, /* number: ten-thousandths */
	VALUE_IP,
	VALUE_DATETIME, /* number: milliseconds since 1970 */
	VALUE_DURATION, /* number: milliseconds */
};

struct ip_range {
	uint8_t address[16]; /* in network order; IPv4 in the first four */
	uint8_t prefix;	     /* 32 or 128 for a single address */
	bool v6;
};

struct value_field {
	const struct text *name;
	const struct policy_value *value;
};

struct policy_value {
	enum value_kind kind;
	uint32_t height; /* 0 for a scalar, 1 + the highest member's for sets and records */
	uint64_t hash;	 /* equal values have equal hashes */
	union {
		bool boolean;
		int64_t number;
		struct text string;
		struct ip_range ip;
		struct {
			const struct text *type;
			const struct text *id;
		} entity;
		struct {
			const struct policy_value *const *items; /* in order, no duplicates */
			size_t count;
			bool all_entities;
		} set;
		struct {
			const struct value_field *fields; /* in the order of text_compare */
			size_t count;
		} record;
	};
};

const char *value_kind_name(enum value_kind kind);

extern const struct policy_value value_booleans[2];
static inline const struct policy_value *
value_boolean(bool boolean)
{
	return &value_booleans[boolean ? 1 : 0];
}

/* Each returns NULL when memory runs out. Texts must live as long as the arena. */
/* Of one of the kinds that are a number inside. */
const struct policy_value *value_number(struct arena *arena, enum value_kind kind, int64_t number);
const struct policy_value *value_ip(struct arena *arena, const struct ip_range *range);
const struct policy_value *value_string(struct arena *arena, const struct text *string);
const struct policy_value *value_entity(struct arena *arena, const struct text *type,
					const struct text *id);
/* Both take over an array that lies in the arena, and put it in order. */
const struct policy_value *value_set(struct arena *arena, const struct policy_value **items,
				     size_t count);
/* Names must differ: see value_sort_fields. */
const struct policy_value *value_record(struct arena *arena, struct value_field *fields,
					size_t count);
/* Puts fields in order; false where two have the same name. */
bool value_sort_fields(struct value_field *fields, size_t count);

bool value_same(const struct policy_value *a, const struct policy_value *b); /* in full */
/* Mostly hashes tell values apart. */
static inline bool
value_equal(const struct policy_value *a, const struct policy_value *b)
{
	return a == b || (a->hash == b->hash && value_same(a, b));
}
bool value_set_contains(const struct policy_value *set, const struct policy_value *item);
/* NULL where the record has no such field. */
const struct policy_value *value_record_get(const struct policy_value *record,
					    const struct text *name);

/* Sorts in place, without allocating (qsort of libc may). Items of at most 64 bytes. */
void sort_items(void *items, size_t count, size_t size,
		int (*compare)(const void *a, const void *b));

#endif
