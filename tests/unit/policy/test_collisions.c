/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes are not secret, so whoever names things can make them collide. Equal hashes must never
 * make unequal texts equal: here are two that collide. */
#include "fixture.h"
#include "policy/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORD	     8
#define SIZE	     ((size_t)2 * WORD)
#define HASH_SEED    0x9e3779b97f4a7c15U /* as in text.c; a change of it is seen below */
#define TRIES	     10000000

static char one[SIZE + 1];
static char other[SIZE + 1];

static bool
is_plain(uint64_t word)
{
	for (int i = 0; i < WORD; i++, word >>= 8) {
		char c = (char)(word & 0xff);
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
			return false;
	}
	return true;
}

static uint64_t
hash_of_first_word(const char word[WORD])
{
	uint64_t value;

	memcpy(&value, word, WORD);
	return hash_mix(HASH_SEED ^ SIZE, value);
}

/* After the first word two texts differ by some bits; a second word that differs by the same bits
 * takes the difference away. First words are tried until that one can be written in a policy. */
static bool
find_collision(void)
{
	uint64_t second, wanted;

	memcpy(one, "00000000AAAAAAAA", SIZE);
	memcpy(&second, one + WORD, WORD);
	uint64_t start = hash_of_first_word(one) ^ second;
	for (unsigned int i = 1; i < TRIES; i++) {
		char first[WORD + 1];
		snprintf(first, sizeof(first), "%08u", i);
		wanted = hash_of_first_word(first) ^ start;
		if (!is_plain(wanted))
			continue;
		memcpy(other, first, WORD);
		memcpy(other + WORD, &wanted, WORD);
		return text_of(one, SIZE).hash == text_of(other, SIZE).hash;
	}
	return false;
}

/* $ is one of the two, % the other. */
static void
write_texts(const char *template, char *source)
{
	for (; *template != '\0'; template ++) {
		if (*template == '$')
			source = stpcpy(source, one);
		else if (*template == '%')
			source = stpcpy(source, other);
		else
			*source++ = *template;
	}
	*source = '\0';
}

static const struct {
	const char *expression;
	bool want;
} cases[] = {
	{"\"$\" == \"$\" && \"%\" == \"%\"", true},
	{"\"$\" == \"%\"", false},
	{"E::\"$\" == E::\"%\"", false},
	{"E::\"$\" in E::\"%\"", false},
	{"E::\"$\" is E && principal in E::\"$\"", true},
	{"principal in E::\"%\"", false},
	{"principal == E::\"%\"", false},
	{"E::\"$\" is A$ || A$::\"x\" is A%", false},
	{"A$::\"x\" == A%::\"x\"", false},
	{"[\"$\"].contains(\"%\")", false},
	{"[\"$\"] == [\"%\"]", false},
	{"[\"$\", \"%\"] == [\"$\"]", false},
	{"[\"$\", \"%\", \"$\"] == [\"%\", \"$\"]", true},
	{"[principal, E::\"%\"].containsAll([E::\"%\", E::\"$\"])", true},
	{"{\"$\": 1} == {\"%\": 1}", false},
	{"{\"$\": 1, \"%\": 2}[\"$\"] == 1 && {\"%\": 2, \"$\": 1}[\"%\"] == 2", true},
	{"context has \"$\"", true},
	{"context has \"%\"", false},
	{"principal has \"$\" && principal.hasTag(\"$\")", true},
	{"principal has \"%\" || principal.hasTag(\"%\")", false},
	{"E::\"%\" has \"$\"", false},
};

static void
test_collisions(void **state)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_text name = {.data = one, .size = SIZE};

	(void)state;
	assert_true(find_collision());
	const struct policy_value *principal = policy_value_entity(facts, text("E"), name);
	const struct policy_field fields[] = {{name, policy_value_long(facts, 1)}};
	const struct policy_value *record = policy_value_record(facts, fields, 1);
	assert_int_equal(policy_facts_entity(facts, principal, record, NULL, 0, NULL), POLICY_OK);
	assert_int_equal(policy_facts_tags(facts, principal, record, NULL), POLICY_OK);
	struct policy_request request = {
		.principal = principal,
		.action = policy_value_entity(facts, text("Action"), text("a")),
		.resource = principal,
		.context = record,
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char expression[512];
		char source[600];
		struct policy_set *set = NULL;
		struct policy_decision decision;
		write_texts(cases[i].expression, expression);
		snprintf(source, sizeof(source), "permit(principal, action, resource) when { %s };",
			 expression);
		assert_int_equal(parse_exact(source, strlen(source), &set, NULL), POLICY_OK);
		assert_int_equal(policy_decide(set, facts, &request, &decision, NULL), POLICY_OK);
		if (decision.allowed != cases[i].want || decision.failure_count > 0)
			fail_msg("%s", expression);
		policy_set_free(set);
	}
	policy_facts_free(facts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_collisions)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
