/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User::"alice" in Group::"staff" in Group::"all"
 *	tags a 1, b "x"; level 5, name "alice", manager User::"bob", home {city: "Turku"}, langs
 *["c", "fi"] User::"bob", without attributes; User::"ghost" is nowhere Action::"view" in
 *Action::"read" Photo::"p.jpg" in Album::"trip", owner User::"alice", private false context: n 7,
 *min and max of a long, s, set [1, 2, 3], users [alice, bob], mixed, rec.a.b.c 1
 */
#include "fixture.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct policy_value *
entity(struct policy_facts *facts, const char *type, const char *id)
{
	return policy_value_entity(facts, text(type), text(id));
}

static const struct policy_value *
string(struct policy_facts *facts, const char *value)
{
	return policy_value_string(facts, text(value));
}

static const struct policy_value *
record_of_one(struct policy_facts *facts, const char *name, const struct policy_value *value)
{
	const struct policy_field fields[] = {{text(name), value}};

	return policy_value_record(facts, fields, COUNT(fields));
}

/* An entity without attributes, in one other or in none. */
static bool
add_plain(struct policy_facts *facts, const struct policy_value *name,
	  const struct policy_value *parent)
{
	const struct policy_value *parents[] = {parent};
	size_t count = parent != NULL ? 1 : 0;

	return policy_facts_entity(facts, name, NULL, parents, count, NULL) == POLICY_OK;
}

static bool
build_base(struct policy_facts *base)
{
	const struct policy_value *all = entity(base, "Group", "all");
	const struct policy_value *read = entity(base, "Action", "read");

	return add_plain(base, all, NULL) && add_plain(base, entity(base, "Group", "staff"), all) &&
	       add_plain(base, read, NULL) &&
	       add_plain(base, entity(base, "Action", "view"), read) &&
	       add_plain(base, entity(base, "Album", "trip"), NULL) &&
	       add_plain(base, entity(base, "User", "bob"), NULL);
}

static bool
build_alice(struct policy_facts *facts)
{
	const struct policy_value *parents[] = {entity(facts, "Group", "staff")};
	const struct policy_value *langs[] = {string(facts, "fi"), string(facts, "c")};
	const struct policy_field fields[] = {
		{text("level"), policy_value_long(facts, 5)},
		{text("name"), string(facts, "alice")},
		{text("manager"), entity(facts, "User", "bob")},
		{text("home"), record_of_one(facts, "city", string(facts, "Turku"))},
		{text("langs"), policy_value_set(facts, langs, COUNT(langs))},
	};

	const struct policy_field tags[] = {
		{text("a"), policy_value_long(facts, 1)},
		{text("b"), string(facts, "x")},
	};
	const struct policy_value *alice = entity(facts, "User", "alice");
	const struct policy_value *attributes = policy_value_record(facts, fields, COUNT(fields));
	const struct policy_value *record = policy_value_record(facts, tags, COUNT(tags));

	return policy_facts_entity(facts, alice, attributes, parents, COUNT(parents), NULL) ==
		       POLICY_OK &&
	       policy_facts_tags(facts, alice, record, NULL) == POLICY_OK;
}

static bool
build_photo(struct policy_facts *facts)
{
	const struct policy_value *parents[] = {entity(facts, "Album", "trip")};
	const struct policy_field fields[] = {
		{text("owner"), entity(facts, "User", "alice")},
		{text("private"), policy_value_boolean(facts, false)},
	};

	return policy_facts_entity(facts, entity(facts, "Photo", "p.jpg"),
				   policy_value_record(facts, fields, COUNT(fields)), parents,
				   COUNT(parents), NULL) == POLICY_OK;
}

static const struct policy_value *
build_context(struct policy_facts *facts)
{
	const struct policy_value *numbers[] = {
		policy_value_long(facts, 3), policy_value_long(facts, 1),
		policy_value_long(facts, 2), policy_value_long(facts, 1)};
	const struct policy_value *users[] = {entity(facts, "User", "alice"),
					      entity(facts, "User", "bob")};
	const struct policy_value *mixed[] = {entity(facts, "User", "alice"), numbers[0]};
	const struct policy_value *c = record_of_one(facts, "c", numbers[1]);
	const struct policy_value *b = record_of_one(facts, "b", c);
	const struct policy_field fields[] = {
		{text("n"), policy_value_long(facts, 7)},
		{text("min"), policy_value_long(facts, INT64_MIN)},
		{text("max"), policy_value_long(facts, INT64_MAX)},
		{text("s"), string(facts, "a*b\xc3\xa4\xe2\x82\xac")},
		{text("set"), policy_value_set(facts, numbers, COUNT(numbers))},
		{text("users"), policy_value_set(facts, users, COUNT(users))},
		{text("mixed"), policy_value_set(facts, mixed, COUNT(mixed))},
		{text("rec"), record_of_one(facts, "a", b)},
		{text("if"), policy_value_boolean(facts, true)},
		{text(""), policy_value_boolean(facts, true)},
	};

	return policy_value_record(facts, fields, COUNT(fields));
}

bool
world_build(struct world *world)
{
	*world = (struct world){.base = policy_facts_new(NULL)};
	if (world->base == NULL || !build_base(world->base))
		return false;
	world->facts = policy_facts_new(world->base);
	if (world->facts == NULL || !build_alice(world->facts) || !build_photo(world->facts))
		return false;
	world->request = (struct policy_request){
		.principal = entity(world->facts, "User", "alice"),
		.action = entity(world->facts, "Action", "view"),
		.resource = entity(world->facts, "Photo", "p.jpg"),
		.context = build_context(world->facts),
	};
	return true;
}

void
world_clear(struct world *world)
{
	policy_facts_free(world->facts);
	policy_facts_free(world->base);
	*world = (struct world){0};
}

enum policy_status
parse_exact(const char *data, size_t size, struct policy_set **ret_set, struct policy_error *err)
{
	char *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		return POLICY_MEMORY;
	memcpy(copy, data, size);
	enum policy_status status =
		policy_set_parse((struct policy_text){.data = copy, .size = size}, ret_set, err);
	free(copy);
	return status;
}
