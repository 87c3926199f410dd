/* SPDX-License-Identifier: Apache-2.0 */
/* Validation: verdicts, the places of mistakes, templates, limits, and memory that runs out. */
#include "failing.h"
#include "fixture.h"

#include "policy/builder.h"
#include "policy/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char schema_text[] =
	"type Home = { city: String, zip?: Long };\n"
	"entity Team in [Org];\n"
	"entity Org;\n"
	"entity User in [Team, User] = {\n"
	"  name: String, level: Long, active: Bool, nick?: String, boss?: User, owner: User,\n"
	"  home?: Home, place: Home, langs: Set<String>, friends: Set<User>, teams: Set<Team>,\n"
	"  addr: ipaddr, cost: decimal, born: datetime, span: duration, flags: Set<Bool>,\n"
	"  recs: Set<{a: Long}>, opt: {x?: Long}, color: Color\n"
	"} tags String;\n"
	"entity Robot in [Team] = { name: String, level: Long, nick?: Long, active: String }\n"
	"  tags Set<String>;\n"
	"entity Photo in [Album] = {\n"
	"  owner: User, private: Bool, size?: Long, sizes?: {w: Long, h?: Long} };\n"
	"entity Album in [Album] = { owner: User };\n"
	"entity Color enum [\"red\", \"green\"];\n"
	"action read;\n"
	"action view in [read] appliesTo { principal: [User, Robot], resource: [Photo],\n"
	"  context: { n: Long, ip?: ipaddr, mfa: Bool, rec?: {a?: {b?: Long}}, who: User } };\n"
	"action edit in [read, write] appliesTo { principal: [User], resource: [Photo, Album],\n"
	"  context: { n: Long, reason?: String } };\n"
	"action write;\n"
	"action paint appliesTo { principal: [User], resource: [Color], context: {} };\n"
	"action idle;\n"
	"namespace NS {\n"
	"  entity E;\n"
	"  action look appliesTo { principal: [E], resource: [E], context: {} };\n"
	"  action other in [look]\n"
	"    appliesTo { principal: [User], resource: [Photo], context: {} };\n"
	"}\n";

#define VIEW_SCOPE "permit(principal is User, action == Action::\"view\", resource)"

/* ---- what is told ---- */

struct tally {
	size_t errors;
	size_t warnings;
	struct policy_finding last;
	char message[sizeof(((struct policy_error *)NULL)->message)];
};

static void
count_finding(void *user, const struct policy_finding *finding)
{
	struct tally *tally = user;

	if (finding->warning)
		tally->warnings++;
	else
		tally->errors++;
	tally->last = *finding;
	snprintf(tally->message, sizeof(tally->message), "%s", finding->message);
	tally->last.message = tally->message;
}

static struct policy_schema *
parse_schema(const char *source)
{
	struct policy_schema *schema = NULL;
	struct policy_error err = {0};

	if (policy_schema_parse(text(source), &schema, &err) != POLICY_OK)
		fail_msg("schema: %u:%u: %s", err.line, err.column, err.message);
	return schema;
}

static enum policy_status
validate(const struct policy_schema *schema, const char *source, struct tally *tally,
	 struct policy_error *err)
{
	struct policy_set *set = NULL;

	*tally = (struct tally){0};
	if (parse_exact(source, strlen(source), &set, err) != POLICY_OK)
		fail_msg("%s: %u:%u: %s", source, err->line, err->column, err->message);
	enum policy_status status = policy_validate(schema, set, count_finding, tally, err);
	policy_set_free(set);
	return status;
}

/* ---- verdicts ---- */

enum verdict { VALID, INVALID, NEVER /* valid, and warned that it can never apply */ };
enum form {
	POLICY, /* a whole policy */
	ALL,	/* the condition of one whose scope is open */
	VIEW,	/* of one for users that view photos */
};

static const struct {
	enum verdict verdict;
	enum form form;
	const char *source;
} verdicts[] = {
#include "validations.inc"
};

static const char *
whole_policy(enum form form, const char *source, char *buffer, size_t size)
{
	const char *scope = form == VIEW ? VIEW_SCOPE : "permit(principal, action, resource)";

	if (form == POLICY)
		return source;
	snprintf(buffer, size, "%s when { %s };", scope, source);
	return buffer;
}

static void
test_verdicts(void **state)
{
	struct policy_schema *schema = parse_schema(schema_text);
	char buffer[1024];
	struct tally tally;

	(void)state;
	assert_true(COUNT(verdicts) > 430);
	for (size_t i = 0; i < COUNT(verdicts); i++) {
		struct policy_error err = {0};
		const char *source =
			whole_policy(verdicts[i].form, verdicts[i].source, buffer, sizeof(buffer));
		enum policy_status status = validate(schema, source, &tally, &err);
		bool invalid = verdicts[i].verdict == INVALID;
		if (status != (invalid ? POLICY_INVALID : POLICY_OK) ||
		    (tally.errors > 0) != invalid ||
		    (!invalid && (tally.warnings > 0) != (verdicts[i].verdict == NEVER)))
			fail_msg("%s: status %d, %zu errors, %zu warnings: %s", verdicts[i].source,
				 (int)status, tally.errors, tally.warnings, tally.message);
		if (invalid && (err.status != POLICY_INVALID || err.line == 0))
			fail_msg("%s: no place in the error", verdicts[i].source);
	}
	policy_schema_free(schema);
}

/* ---- places ---- */

static const struct {
	const char *name;
	const char *source;
	const char *want; /* "line:column: message" */
} mistakes[] = {
#include "mistakes.inc"
};

static void
test_places(void **state)
{
	struct policy_schema *schema = parse_schema(schema_text);
	struct tally tally;
	char found[256];

	(void)state;
	for (size_t i = 0; i < COUNT(mistakes); i++) {
		struct policy_error err = {0};
		enum policy_status status = validate(schema, mistakes[i].source, &tally, &err);
		snprintf(found, sizeof(found), "%u:%u: %s", err.line, err.column, err.message);
		if (status != POLICY_INVALID || strcmp(found, mistakes[i].want) != 0)
			fail_msg("%s: %s", mistakes[i].name, found);
		if (tally.errors == 1)
			assert_string_equal(tally.message, err.message);
	}
	policy_schema_free(schema);
}

/* A mistake is told once, though it shows in four environments; all policies are looked at. */
static void
test_told_once(void **state)
{
	struct policy_schema *schema = parse_schema(schema_text);
	struct policy_error err = {0};
	struct tally tally;

	(void)state;
	assert_int_equal(validate(schema,
				  "permit(principal is User, action, resource) when {\n"
				  "principal.nope };\npermit(principal, action, resource);\n"
				  "permit(principal, action, resource) when { false };\n"
				  "forbid(principal, action, resource) when { [] == [1] };",
				  &tally, &err),
			 POLICY_INVALID);
	assert_int_equal(tally.errors, 2);
	assert_int_equal(tally.warnings, 1);
	assert_int_equal(tally.last.policy, 3);
	assert_int_equal(tally.last.line, 5);
	assert_int_equal(err.line, 2);
	assert_string_equal(err.message, "User has no attribute `nope`");
	policy_schema_free(schema);
}

/* Of a policy with a thousand mistakes, some are told. */
static void
test_many_mistakes(void **state)
{
	struct policy_schema *schema = parse_schema(schema_text);
	struct policy_error err = {0};
	struct tally tally;
	size_t size = 64 * 1024;
	char *source = malloc(size);

	(void)state;
	assert_non_null(source);
	size_t used = (size_t)snprintf(source, size, VIEW_SCOPE " when { 1");
	for (int i = 0; i < 1000; i++)
		used += (size_t)snprintf(source + used, size - used, " +\n\"%d\"", i);
	snprintf(source + used, size - used, " == 1 };" VIEW_SCOPE " when { 1 };");
	assert_int_equal(validate(schema, source, &tally, &err), POLICY_INVALID);
	assert_int_equal(tally.errors, 64 + 1);
	assert_int_equal(tally.last.policy, 1);
	assert_int_equal(err.line, 2);
	free(source);
	policy_schema_free(schema);
}

/* ---- templates and links ---- */

static const struct {
	const char *source;
	const char *principal; /* the type of the entity linked to; NULL: no link */
	const char *resource;
	enum policy_status want;
} templates[] = {
	{"permit(principal == ?principal, action, resource);", NULL, NULL, POLICY_OK},
	{"permit(principal in ?principal, action == Action::\"view\", resource in ?resource)"
	 "when { principal.nope };",
	 NULL, NULL, POLICY_INVALID},
	{"permit(principal is User in ?principal, action == Action::\"view\", resource)"
	 "when { principal.nick == \"a\" };",
	 NULL, NULL, POLICY_INVALID},
	{"permit(principal is User in ?principal, action == Action::\"view\", resource)"
	 "when { principal.name == \"a\" };",
	 NULL, NULL, POLICY_OK},
	{"permit(principal is Team in ?principal, action, resource);", NULL, NULL, POLICY_INVALID},
	{"permit(principal is Nope in ?principal, action, resource);", NULL, NULL, POLICY_INVALID},
	{"permit(principal == ?principal, action, resource);", "User", NULL, POLICY_OK},
	{"permit(principal == ?principal, action, resource);", "Nope", NULL, POLICY_INVALID},
	{"permit(principal == ?principal, action, resource);", "Team", NULL, POLICY_INVALID},
	{"permit(principal in ?principal, action, resource);", "Team", NULL, POLICY_OK},
	{"permit(principal in ?principal, action, resource);", "Photo", NULL, POLICY_INVALID},
	{"permit(principal is Robot in ?principal, action, resource);", "User", NULL,
	 POLICY_INVALID},
	{"permit(principal is Robot in ?principal, action, resource);", "Team", NULL, POLICY_OK},
	/* Not what one would expect of an enumerated type: but so it is published. */
	{"permit(principal, action, resource == ?resource);", NULL, "Color", POLICY_OK},
	{"permit(principal, action == Action::\"edit\", resource == ?resource);", NULL, "Color",
	 POLICY_INVALID},
	{"permit(principal == ?principal, action, resource);", "Action", NULL, POLICY_INVALID},
	{"permit(principal == ?principal, action, resource) when { principal.nope };", "Robot",
	 NULL, POLICY_INVALID},
	{"permit(principal == ?principal, action, resource)"
	 "when { principal is Robot && principal.active == \"x\" };",
	 "User", NULL, POLICY_OK},
};

static struct policy_set *
link_template(const char *source, const char *principal, const char *resource)
{
	struct policy_builder *builder = policy_builder_new();
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_set *set = NULL;
	const struct policy_value *fillings[2] = {NULL, NULL};

	assert_non_null(builder);
	assert_non_null(facts);
	if (principal != NULL)
		fillings[0] = policy_value_entity(facts, text(principal), text("x"));
	if (resource != NULL)
		fillings[1] = policy_value_entity(facts, text(resource), text("x"));
	assert_int_equal(policy_builder_add_named(builder, text("t"), text(source), NULL),
			 POLICY_OK);
	if (principal != NULL || resource != NULL)
		assert_int_equal(policy_builder_link(builder, text("t"), text("l"), fillings[0],
						     fillings[1], NULL),
				 POLICY_OK);
	assert_int_equal(policy_builder_finish(builder, &set, NULL), POLICY_OK);
	policy_facts_free(facts);
	policy_builder_free(builder);
	return set;
}

static void
test_templates(void **state)
{
	struct policy_schema *schema = parse_schema(schema_text);

	(void)state;
	for (size_t i = 0; i < COUNT(templates); i++) {
		struct policy_set *set = link_template(templates[i].source, templates[i].principal,
						       templates[i].resource);
		if (policy_validate(schema, set, NULL, NULL, NULL) != templates[i].want)
			fail_msg("%s linked to %s, %s", templates[i].source, templates[i].principal,
				 templates[i].resource);
		policy_set_free(set);
	}
	policy_schema_free(schema);
}

/* ---- limits ---- */

/* Two hundred kinds of requests, each with half a million letters to look at. */
static void
test_steps(void **state)
{
	size_t size = 600 * 1024;
	size_t letters = 500 * 1000;
	char *source = malloc(size);
	struct policy_error err = {0};
	struct tally tally;

	(void)state;
	assert_non_null(source);
	size_t used = 0;
	for (int i = 0; i < 250; i++)
		used += (size_t)snprintf(source + used, size - used, "entity E%d tags String;", i);
	used += (size_t)snprintf(source + used, size - used,
				 "action a appliesTo { resource: [E0], principal: [E0");
	for (int i = 1; i < 250; i++)
		used += (size_t)snprintf(source + used, size - used, ", E%d", i);
	snprintf(source + used, size - used, "] };");
	struct policy_schema *schema = parse_schema(source);
	used = (size_t)snprintf(source, size,
				"permit(principal, action, resource) when { principal.hasTag(\n"
				"if \"a\" like \"");
	memset(source + used, 'a', letters);
	snprintf(source + used + letters, size - used - letters, "\" then \"x\" else \"y\") };");
	assert_int_equal(validate(schema, source, &tally, &err), POLICY_LIMIT);
	assert_int_equal(err.status, POLICY_LIMIT);
	assert_int_equal(err.line, 1);
	policy_schema_free(schema);
	free(source);
}

/* A path of three hundred thousand names, and names of which any might be meant: each is told of in
 * bounded time and memory. The test is over in a second, or not before its time limit. */
static void
test_hostile(void **state)
{
	size_t size = 1000 * 1000;
	char *source = malloc(size);
	struct policy_schema *schema = parse_schema(
		"entity E { a?: E }; action a appliesTo { principal: E, resource: E };");
	struct policy_error err = {0};
	struct tally tally;

	(void)state;
	assert_non_null(source);
	size_t used = (size_t)snprintf(
		source, size, "permit(principal, action, resource) when { principal has a");
	for (int i = 0; i < 300 * 1000; i++)
		used += (size_t)snprintf(source + used, size - used, ".a");
	snprintf(source + used, size - used, " };");
	failing.bytes = 0;
	assert_int_equal(validate(schema, source, &tally, &err), POLICY_LIMIT);
	assert_true(failing.bytes < 256 * 1024 * 1024);
	policy_schema_free(schema);

	used = (size_t)snprintf(source, size, "entity E { a: Long");
	for (int i = 0; i < 30 * 1000; i++)
		used += (size_t)snprintf(source + used, size - used, ", aaaaaaaaaaaa%05d: Long", i);
	snprintf(source + used, size - used,
		 " }; action a appliesTo { principal: E, resource: E };");
	schema = parse_schema(source);
	used = (size_t)snprintf(source, size, "permit(principal, action, resource) when { true");
	for (int i = 0; i < 250; i++)
		used += (size_t)snprintf(source + used, size - used,
					 " && principal.%022dbaaaaaaaaaa == 1", i);
	for (char *at = source; (at = strstr(at, ".0")) != NULL;)
		at[1] = 'b';
	snprintf(source + used, size - used, " };");
	assert_int_equal(validate(schema, source, &tally, &err), POLICY_INVALID);
	policy_schema_free(schema);
	free(source);
}

/* ---- memory that runs out ---- */

static const char everything[] =
	"permit(principal, action in [Action::\"view\"], resource is Photo in Album::\"a\") when "
	"{\n"
	"((principal has nick && principal has home.zip) || principal has nick) &&\n"
	"[principal, principal].contains(principal) && {a: [true, false], b: principal} ==\n"
	"{b: principal, a: [true, principal.name == \"x\"]} && (if context.mfa then {a: true} "
	"else\n"
	"{a: false}).a && principal.hasTag(if principal.name like \"a*\" then \"x\" else \"y\") "
	"};\n"
	"permit(principal, action, resource) when { principal.nick == 3 };\n"
	"permit(principal is Usr, action, resource);";

static void
test_memory(void **state)
{
	struct policy_schema *schema = parse_schema(schema_text);
	struct policy_set *set = NULL;
	struct policy_error err = {0};

	(void)state;
	assert_int_equal(parse_exact(everything, sizeof(everything) - 1, &set, &err), POLICY_OK);
	failing.allocations = 0;
	assert_int_equal(policy_validate(schema, set, NULL, NULL, &err), POLICY_INVALID);
	size_t count = failing.allocations;
	assert_in_range(count, 50, 5000);
	for (size_t i = 1; i <= count; i++) {
		failing.allocations = 0;
		failing.at = i;
		enum policy_status status = policy_validate(schema, set, NULL, NULL, &err);
		failing.at = 0;
		if (status != POLICY_MEMORY || err.status != POLICY_MEMORY)
			fail_msg("allocation %zu of %zu failed: status %d", i, count, (int)status);
	}
	assert_int_equal(policy_validate(schema, set, NULL, NULL, &err), POLICY_INVALID);
	policy_set_free(set);
	policy_schema_free(schema);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),  cmocka_unit_test(test_places),
		cmocka_unit_test(test_told_once), cmocka_unit_test(test_many_mistakes),
		cmocka_unit_test(test_templates), cmocka_unit_test(test_steps),
		cmocka_unit_test(test_hostile),	  cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
