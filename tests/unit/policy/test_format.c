/* SPDX-License-Identifier: Apache-2.0 */
/* What the formatter changes, and that it changes nothing but blanks. */
#include "policy/arena.h"
#include "policy/format.h"
#include "policy/format_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct policy_text
text_of_literal(const char *literal)
{
	return (struct policy_text){literal, strlen(literal)};
}

/* NULL where it is refused. Terminated. */
static char *
formatted(struct policy_text source)
{
	struct policy_error err;
	char *text = NULL;
	size_t size = 0;

	if (policy_format(source, &text, &size, &err) != POLICY_OK)
		return NULL;
	char *copy = malloc(size + 1);
	assert_non_null(copy);
	memcpy(copy, text, size);
	copy[size] = '\0';
	free(text);
	return copy;
}

/* clang-format off */
static const struct {
	const char *name;
	const char *source;
	const char *want;
} rows[] = {
	{"nothing", "", ""},
	{"a comment alone", " // x \n", "// x\n"},
	{"unconstrained", "permit(principal,action,resource);", "permit (principal, action, resource);\n"},
	{"a trailing comma", "permit(principal,action,resource,);", "permit (principal, action, resource,);\n"},
	{"scopes",
	 "forbid(principal is A::B in C::\"x\",action in[Action::\"a\",Action::\"b\"],resource==D::\"y\");",
	 "forbid (\n  principal is A::B in C::\"x\",\n  action in [Action::\"a\", Action::\"b\"],\n  resource == D::\"y\"\n);\n"},
	{"two, and annotations", "@id(\"a\")@b permit(principal,action,resource);\n\n\n\n"
	 "permit(principal,action,resource);",
	 "@id(\"a\")\n@b\npermit (principal, action, resource);\n\npermit (principal, action, resource);\n"},
	{"operators",
	 "permit(principal,action,resource)when{!(-1<- 2)&&a.b[\"c\"].d(1,-2)-3!=4||!!context.x};",
	 NULL}, /* `a` is no variable */
	{"operators of all kinds",
	 "permit(principal,action,resource)when{!(-1<- 2)&&context.b[\"c\"].contains(1)||3- -1 - 2*4>=-context.x};",
	 "permit (principal, action, resource)\nwhen {\n  !(-1 < -2) && context.b[\"c\"].contains(1) || 3 - -1 - 2 * 4 >= -context.x\n};\n"},
	{"short conditions",
	 "permit(principal,action,resource)when{true}unless{{\"a b\":[],c:{}}=={}};",
	 "permit (principal, action, resource)\nwhen { true }\nunless { {\"a b\": [], c: {}} == {} };\n"},
	{"weakest first",
	 "permit(principal,action,resource)when{context.aaaaaaaaaaaaaaaaaaaaaaaaa&&context.bbbbbbbbbbbbbbbbbbbbbbb"
	 "||context.cccccccccccccc&&context.ddddddddddddd};",
	 "permit (principal, action, resource)\nwhen {\n"
	 "  context.aaaaaaaaaaaaaaaaaaaaaaaaa && context.bbbbbbbbbbbbbbbbbbbbbbb ||\n"
	 "  context.cccccccccccccc && context.ddddddddddddd\n};\n"},
	{"long lists",
	 "permit(principal,action,resource)when{context.aaaaaaaaaaaaaaaaaaaaaaaa.containsAny([\"bbbbbbbbbbbbbbbbbbbbbb\","
	 "\"cccccccccccccccccc\"])};",
	 "permit (principal, action, resource)\nwhen {\n"
	 "  context.aaaaaaaaaaaaaaaaaaaaaaaa.containsAny([\n"
	 "    \"bbbbbbbbbbbbbbbbbbbbbb\", \"cccccccccccccccccc\"\n  ])\n};\n"},
	{"branches",
	 "permit(principal,action,resource)when{if context.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa then context.bbbbbbbbbbbbbbb"
	 " else if context.c then true else false};",
	 "permit (principal, action, resource)\nwhen {\n"
	 "  if context.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n  then context.bbbbbbbbbbbbbbb\n"
	 "  else if context.c then true else false\n};\n"},
	{"comments stay where they are",
	 "// head\n\n// of the policy\npermit(principal, // who\n action,\n // what\n resource)// where\n"
	 "when{true // why\n // at the end\n};// done\n// last",
	 "// head\n\n// of the policy\npermit (\n  principal, // who\n  action,\n  // what\n  resource\n) // where\n"
	 "when {\n  true // why\n  // at the end\n}; // done\n\n// last\n"},
	{"an attribute called like a word", "permit(principal,action,resource)when{context.then&&context.when};", NULL},
	{"no policy", "permit(principal,action);", NULL},
};
/* clang-format on */

static void
layouts(void **state)
{
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		char *got = formatted(text_of_literal(rows[i].source));

		if ((got == NULL) != (rows[i].want == NULL) ||
		    (got != NULL && strcmp(got, rows[i].want) != 0))
			fail_msg("%s:\n%s", rows[i].name, got == NULL ? "refused" : got);
		free(got);
	}
}

/* Tokens and comments of both, one by one. */
static void
assert_same_words(const char *name, struct policy_text before, struct policy_text after)
{
	struct arena arena = {0};
	size_t counts[2];
	const struct format_token *tokens[2] = {format_tokens(&arena, before, &counts[0]),
						format_tokens(&arena, after, &counts[1])};

	if (counts[0] != counts[1])
		fail_msg("%s: %zu tokens became %zu", name, counts[0], counts[1]);
	for (size_t i = 0; i < counts[0]; i++) {
		const struct format_token *a = &tokens[0][i];
		const struct format_token *b = &tokens[1][i];

		if (a->token.kind != b->token.kind || a->token.size != b->token.size ||
		    memcmp(a->token.data, b->token.data, a->token.size) != 0)
			fail_msg("%s: token %zu changed", name, i);
		if (a->comment_count != b->comment_count || a->trailing.size != b->trailing.size)
			fail_msg("%s: a comment at token %zu moved", name, i);
	}
	arena_free(&arena);
}

static void
assert_stable(const char *name, struct policy_text source)
{
	char *once = formatted(source);

	if (once == NULL)
		fail_msg("%s: refused", name);
	char *twice = formatted(text_of_literal(once));
	assert_non_null(twice);
	if (strcmp(once, twice) != 0)
		fail_msg("%s:\n%s\nbecame\n%s", name, once, twice);
	assert_same_words(name, source, text_of_literal(once));
	for (const char *c = once; *c != '\0'; c++)
		if ((c[0] == ' ' && c[1] == '\n') || (c[0] == '\n' && c[1] == '\n' && c[2] == '\n'))
			fail_msg("%s: blanks at the end of a line, or two empty lines", name);
	free(once);
	free(twice);
}

static void
what_is_formatted_stays(void **state)
{
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].want != NULL)
			assert_stable(rows[i].name, text_of_literal(rows[i].source));
}

/* A comment of its own, or one that trails, between any two tokens. */
static void
comments_anywhere(void **state)
{
	static const char *const comments[] = {" // trails \n", "\n// own\n", "\r\n\r\n// own\r",
					       "// a\n// b\n", "\n"};
	(void)state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct policy_text source = text_of_literal(rows[i].source);
		struct arena arena = {0};
		size_t count;
		const struct format_token *tokens = format_tokens(&arena, source, &count);

		for (size_t t = 0; rows[i].want != NULL && t < count; t++)
			for (size_t c = 0; c < COUNT(comments); c++) {
				size_t at = tokens[t].token.kind == TOKEN_END
						    ? source.size
						    : (size_t)(tokens[t].token.data - source.data);
				char text[1024];
				int size = snprintf(text, sizeof(text), "%.*s%s%s", (int)at,
						    source.data, comments[c], source.data + at);
				assert_in_range(size, 0, (int)sizeof(text) - 1);
				assert_stable(rows[i].name, text_of_literal(text));
			}
		arena_free(&arena);
	}
}

/* The deepest nesting, and one long line. */
static void
large_texts(void **state)
{
	const char *start = "permit(principal,action,resource)when{", *end = "};";
	size_t size = 300000;
	char *text = malloc(size + 200);
	(void)state;

	assert_non_null(text);
	char *next = text + sprintf(text, "%s", start);
	for (int i = 0; i < 50; i++)
		*next++ = '(';
	next += sprintf(next, "true");
	for (int i = 0; i < 50; i++)
		*next++ = ')';
	sprintf(next, "%s", end);
	assert_stable("nested", text_of_literal(text));

	next = text + sprintf(text, "%strue", start);
	while ((size_t)(next - text) < size)
		next += sprintf(next, "&&[1,2].contains(context.a)");
	sprintf(next, "%s", end);
	assert_stable("long", text_of_literal(text));
	free(text);
}

/* What is laid out can be read again: blanks and line ends may make it too large. */
static void
too_large(void **state)
{
	struct policy_error err = {0};
	char *text = malloc(POLICY_SOURCE_MAX);
	char *laid_out = NULL;
	size_t size = 0;

	(void)state;
	assert_non_null(text);
	char *next = text + sprintf(text, "permit(principal,action,resource)when{[1");
	while (next - text < POLICY_SOURCE_MAX - 100)
		next += sprintf(next, ",1");
	sprintf(next, "]==[]};");
	assert_int_equal(
		policy_format((struct policy_text){text, strlen(text)}, &laid_out, &size, &err),
		POLICY_LIMIT);
	assert_int_equal(err.status, POLICY_LIMIT);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts),	     cmocka_unit_test(what_is_formatted_stays),
		cmocka_unit_test(comments_anywhere), cmocka_unit_test(large_texts),
		cmocka_unit_test(too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
