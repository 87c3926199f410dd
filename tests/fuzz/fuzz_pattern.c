/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern of `like` and a text, over letters and stars, against the obvious way to match. */
#include "policy/policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_EACH 96

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One symbol of a pattern. */
enum symbol { SYMBOL_A, SYMBOL_B, SYMBOL_STAR, SYMBOL_ANY };

static bool
matches(const uint8_t *pattern, size_t count, const char *text, size_t size)
{
	bool reached[SIZE_MAX_EACH + 1] = {true}; /* the pattern so far, and text[0..i) */

	for (size_t p = 0; p < count; p++) {
		bool next[SIZE_MAX_EACH + 1] = {false};

		for (size_t i = 0; i <= size; i++) {
			if (pattern[p] == SYMBOL_ANY)
				next[i] = reached[i] || (i > 0 && next[i - 1]);
			else
				next[i] =
					i > 0 && reached[i - 1] && text[i - 1] == "ab*"[pattern[p]];
		}
		memcpy(reached, next, sizeof(reached));
	}
	return reached[size];
}

static bool
decide(const char *source, const char *text, size_t size)
{
	struct policy_set *set = NULL;
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_decision decision;
	struct policy_error err;

	if (policy_set_parse((struct policy_text){source, strlen(source)}, &set, &err) != POLICY_OK)
		abort();
	const struct policy_value *thing = policy_value_entity(facts, (struct policy_text){"T", 1},
							       (struct policy_text){"x", 1});
	const struct policy_field field = {
		.name = {"s", 1},
		.value = policy_value_string(facts, (struct policy_text){text, size}),
	};
	const struct policy_request request = {
		.principal = thing,
		.action = thing,
		.resource = thing,
		.context = policy_value_record(facts, &field, 1),
	};
	if (policy_decide(set, facts, &request, &decision, &err) != POLICY_OK ||
	    decision.failure_count > 0)
		abort();
	bool allowed = decision.allowed;
	policy_facts_free(facts);
	policy_set_free(set);
	return allowed;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const written[] = {"a", "b", "\\*", "*"};
	uint8_t pattern[SIZE_MAX_EACH];
	char text[SIZE_MAX_EACH];
	char source[96 + 2 * SIZE_MAX_EACH];
	size_t count = size > 0 ? data[0] % SIZE_MAX_EACH : 0;

	if (size < 1 + count)
		return 0;
	size_t used = (size_t)sprintf(source, "permit(principal,action,resource) when {"
					      " context.s like \"");
	for (size_t i = 0; i < count; i++) {
		pattern[i] = data[1 + i] % 4;
		used += (size_t)sprintf(source + used, "%s", written[pattern[i]]);
	}
	sprintf(source + used, "\" };");
	size_t left = size - 1 - count;
	size_t length = left < SIZE_MAX_EACH ? left : SIZE_MAX_EACH;
	for (size_t i = 0; i < length; i++)
		text[i] = "ab*"[data[1 + count + i] % 3];
	if (decide(source, text, length) != matches(pattern, count, text, length))
		abort();
	return 0;
}
