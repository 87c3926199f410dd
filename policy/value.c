/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include <string.h>

const char *
value_kind_name(enum value_kind kind)
{
	switch (kind) {
	case VALUE_BOOLEAN:
		return "a boolean";
	case VALUE_LONG:
		return "a long";
	case VALUE_STRING:
		return "a string";
	case VALUE_ENTITY:
		return "an entity";
	case VALUE_SET:
		return "a set";
	case VALUE_RECORD:
		return "a record";
	case VALUE_DECIMAL:
		return "a decimal";
	case VALUE_IP:
		return "an ipaddr";
	case VALUE_DATETIME:
		return "a datetime";
	case VALUE_DURATION:
		return "a duration";
	}
	return "nothing";
}

/* Zeroed, so that no value carries what its kind does not use. */
static struct policy_value *
take_value(struct arena *arena, enum value_kind kind)
{
	struct policy_value *value = arena_take(arena, 1, sizeof(*value));

	if (value != NULL) {
		memset(value, 0, sizeof(*value));
		value->kind = kind;
	}
	return value;
}

/* Their hashes may be any two that no other kind is likely to have: the kind is compared too. */
const struct policy_value value_booleans[2] = {
	{.kind = VALUE_BOOLEAN, .hash = 1, .boolean = false},
	{.kind = VALUE_BOOLEAN, .hash = 2, .boolean = true},
};

const struct policy_value *
value_number(struct arena *arena, enum value_kind kind, int64_t number)
{
	struct policy_value *value = take_value(arena, kind);

	if (value != NULL) {
		value->number = number;
		value->hash = hash_mix(kind, (uint64_t)number);
	}
	return value;
}

const struct policy_value *
value_ip(struct arena *arena, const struct ip_range *range)
{
	struct policy_value *value = take_value(arena, VALUE_IP);
	uint64_t words[2];

	if (value != NULL) {
		value->ip = *range;
		memcpy(words, range->address, sizeof(words));
		value->hash = hash_mix(hash_mix(VALUE_IP, words[0]), words[1]);
		value->hash = hash_mix(value->hash, (uint64_t)range->prefix * 2 + range->v6);
	}
	return value;
}

const struct policy_value *
value_string(struct arena *arena, const struct text *string)
{
	struct policy_value *value = take_value(arena, VALUE_STRING);

	if (value != NULL) {
		value->string = *string;
		value->hash = hash_mix(VALUE_STRING, string->hash);
	}
	return value;
}

const struct policy_value *
value_entity(struct arena *arena, const struct text *type, const struct text *id)
{
	struct policy_value *value = take_value(arena, VALUE_ENTITY);

	if (value != NULL) {
		value->entity.type = type;
		value->entity.id = id;
		value->hash = hash_mix(hash_mix(VALUE_ENTITY, type->hash), id->hash);
	}
	return value;
}

static int compare_values(const struct policy_value *a, const struct policy_value *b);

static int
compare_sets(const struct policy_value *a, const struct policy_value *b)
{
	if (a->set.count != b->set.count)
		return a->set.count < b->set.count ? -1 : 1;
	for (size_t i = 0; i < a->set.count; i++) {
		int order = compare_values(a->set.items[i], b->set.items[i]);
		if (order != 0)
			return order;
	}
	return 0;
}

static int
compare_records(const struct policy_value *a, const struct policy_value *b)
{
	if (a->record.count != b->record.count)
		return a->record.count < b->record.count ? -1 : 1;
	for (size_t i = 0; i < a->record.count; i++) {
		const struct value_field *x = &a->record.fields[i];
		const struct value_field *y = &b->record.fields[i];
		int order = text_compare(x->name, y->name);
		if (order == 0)
			order = compare_values(x->value, y->value);
		if (order != 0)
			return order;
	}
	return 0;
}

static int
compare_entities(const struct policy_value *a, const struct policy_value *b)
{
	int order = text_compare(a->entity.type, b->entity.type);

	return order != 0 ? order : text_compare(a->entity.id, b->entity.id);
}

static int
compare_ranges(const struct ip_range *a, const struct ip_range *b)
{
	if (a->v6 != b->v6)
		return a->v6 ? 1 : -1;
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	return memcmp(a->address, b->address, sizeof(a->address));
}

static int
compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* A total order over all values; the hash goes first, so members are looked at only where values
 * are equal or their hashes collide. */
static int
compare_values(const struct policy_value *a, const struct policy_value *b)
{
	if (a == b)
		return 0;
	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	switch (a->kind) {
	case VALUE_BOOLEAN:
		return (int)a->boolean - (int)b->boolean;
	case VALUE_LONG:
	case VALUE_DECIMAL:
	case VALUE_DATETIME:
	case VALUE_DURATION:
		return compare_numbers(a->number, b->number);
	case VALUE_IP:
		return compare_ranges(&a->ip, &b->ip);
	case VALUE_STRING:
		return text_compare(&a->string, &b->string);
	case VALUE_ENTITY:
		return compare_entities(a, b);
	case VALUE_SET:
		return compare_sets(a, b);
	case VALUE_RECORD:
		return compare_records(a, b);
	}
	return 0;
}

/* Entities, which are compared most, without the detour over their order. */
bool
value_same(const struct policy_value *a, const struct policy_value *b)
{
	if (a->kind == VALUE_ENTITY && b->kind == VALUE_ENTITY)
		return text_equal(a->entity.type, b->entity.type) &&
		       text_equal(a->entity.id, b->entity.id);
	return compare_values(a, b) == 0;
}

static int
compare_items(const void *a, const void *b)
{
	const struct policy_value *const *x = a;
	const struct policy_value *const *y = b;

	return compare_values(*x, *y);
}

/* Of items in order: equal ones are neighbours. */
static size_t
drop_duplicates(const struct policy_value **items, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || !value_equal(items[kept - 1], items[i]))
			items[kept++] = items[i];
	}
	return kept;
}

/* Members are hashed in their order, which depends on nothing but the members: equal sets come to
 * equal hashes however they were written. */
const struct policy_value *
value_set(struct arena *arena, const struct policy_value **items, size_t count)
{
	struct policy_value *value = take_value(arena, VALUE_SET);

	if (value == NULL)
		return NULL;
	sort_items(items, count, sizeof(items[0]), compare_items);
	count = drop_duplicates(items, count);
	value->set.items = items;
	value->set.count = count;
	value->set.all_entities = true;
	value->hash = hash_mix(VALUE_SET, count);
	for (size_t i = 0; i < count; i++) {
		value->hash = hash_mix(value->hash, items[i]->hash);
		if (items[i]->kind != VALUE_ENTITY)
			value->set.all_entities = false;
		if (items[i]->height > value->height)
			value->height = items[i]->height;
	}
	value->height++;
	return value;
}

static int
compare_fields(const void *a, const void *b)
{
	const struct value_field *x = a;
	const struct value_field *y = b;

	return text_compare(x->name, y->name);
}

bool
value_sort_fields(struct value_field *fields, size_t count)
{
	sort_items(fields, count, sizeof(fields[0]), compare_fields);
	for (size_t i = 1; i < count; i++) {
		if (text_equal(fields[i - 1].name, fields[i].name))
			return false;
	}
	return true;
}

const struct policy_value *
value_record(struct arena *arena, struct value_field *fields, size_t count)
{
	struct policy_value *value = take_value(arena, VALUE_RECORD);

	if (value == NULL)
		return NULL;
	sort_items(fields, count, sizeof(fields[0]), compare_fields);
	value->record.fields = fields;
	value->record.count = count;
	value->hash = hash_mix(VALUE_RECORD, count);
	for (size_t i = 0; i < count; i++) {
		value->hash = hash_mix(value->hash, fields[i].name->hash);
		value->hash = hash_mix(value->hash, fields[i].value->hash);
		if (fields[i].value->height > value->height)
			value->height = fields[i].value->height;
	}
	value->height++;
	return value;
}

/* The item is hashed already, so most steps compare two numbers. */
bool
value_set_contains(const struct policy_value *set, const struct policy_value *item)
{
	size_t low = 0;
	size_t high = set->set.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_values(set->set.items[middle], item);
		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

const struct policy_value *
value_record_get(const struct policy_value *record, const struct text *name)
{
	size_t low = 0;
	size_t high = record->record.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = text_compare(record->record.fields[middle].name, name);
		if (order == 0)
			return record->record.fields[middle].value;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
