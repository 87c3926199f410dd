/* SPDX-License-Identifier: Apache-2.0 */
/* What is a policy set and what is not, and where a mistake is said to be. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define P	     "permit(principal,action,resource)"
#define W(text)	     P "\nwhen { " text " };"
#define S(p, a, r)   "permit(" p "," a "," r ");"

/* ---- accepted ---- */

static const char *const accepted[] = {
	"",
	"// only a comment",
	P ";" P ";// and one at the end",
	P "\r\n\t\v\f\xc2\x85\xc2\xa0\xe1\x9a\x80\xe2\x80\x83\xe2\x80\xa8\xe3\x80\x80;",
	P "// a comment ends at a carriage return\r;",
	P "// and not here\xe2\x80\xa8;\n;",
	"permit(principal,action,resource,);",
	P " when {true} unless {false} when {true};",
	"@a(\"b\")" P ";",
	"@ a ( \"b\" ) @b " P ";",
	"@if @in(\"x\") @permit @__cedar(\"c\") " P ";",
	S("principal == User::\"a\"", "action == A::Action::\"b\"", "resource in A::B::\"c\""),
	S("principal == (User::\"a\")", "action in ((Action::\"a\"))", "resource"),
	S("principal", "action in ([(Action::\"a\"), Action::\"b\",])", "resource"),
	S("principal", "action in []", "resource"),
	S("principal is User", "action", "resource is A::B in (C::\"d\")"),
	S("principal is principal", "action == Action::\"*\"", "resource"),
	W("context has a.b.principal"),
	W("context has \"if\""),
	W("context has \"__cedar\" && context[\"__cedar\"]"),
	W("context.permit.when.principal.ip.contains"),
	W("{principal: 1, \"a b\": 2, ip: 3,} == {}"),
	W("[1,] == []"),
	W("principal.contains(1,)"),
	W("if true then 1 else 2 == 3"),
	W("(if true then true else false)"),
	W("principal is User in [Group::\"a\"]"),
	W("principal is User in Group::\"a\" + 1"),
	W("principal::\"a\" == context::a::\"x\" && permit::\"a\" == ip::\"b\""),
	W("--1 == 1 && ----1 == 1 && !!!!true"),
	W("1--1 == 2 && 1---1 == 0 && 1*-1 == -1"),
	W("-9223372036854775808 == 00009223372036854775807"),
	W("1.a == true.b"),
	W("\"\\x7f\\u{10ffff}\\u{000000}\\u{1_0}\\u{1_}\\0\\t\\r\\n\\\\\\'\\\"\" == \"\""),
	W("\"a\nb\tc\" == \"//\""),
	W("\"\" like \"\\*\\u{2a}\""),
	W("User :: \"a\" == 1"),
	W("ip() && ip(1, 2) && datetime(\"x\").offset()"),
};

static void
test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(accepted); i++) {
		struct policy_set *set = NULL;
		struct policy_error err = {0};
		if (parse_exact(accepted[i], strlen(accepted[i]), &set, &err) != POLICY_OK)
			fail_msg("%s: %u:%u: %s", accepted[i], err.line, err.column, err.message);
		policy_set_free(set);
	}
}

/* ---- refused ---- */

static const struct {
	const char *name;
	const char *source;
	enum policy_status want;
	uint32_t line;
	uint32_t column;
} refused[] = {
	/* policies and scopes */
	{"effect in another case", "Permit(principal,action,resource);", POLICY_SYNTAX, 1, 1},
	{"no semicolon", P, POLICY_SYNTAX, 1, 34},
	{"two semicolons", P ";\n ;", POLICY_SYNTAX, 2, 2},
	{"garbage behind", P ";\n\n foo", POLICY_SYNTAX, 3, 2},
	{"NUL behind", NULL, POLICY_SYNTAX, 1, 35},
	{"byte order mark", "\xef\xbb\xbf" P ";", POLICY_SYNTAX, 1, 1},
	{"no resource", "permit(principal,action);", POLICY_SYNTAX, 1, 24},
	{"nothing in the scope", "permit();", POLICY_SYNTAX, 1, 8},
	{"scope out of order", "permit(principal,resource,action);", POLICY_SYNTAX, 1, 18},
	{"context in the scope", "permit(principal,action,resource,context);", POLICY_SYNTAX, 1,
	 34},
	{"zero-width space", "permit(principal\xe2\x80\x8b,action,resource);", POLICY_SYNTAX, 1,
	 17},
	{"empty condition", P " when {};", POLICY_SYNTAX, 1, 41},
	{"unknown condition", P " if {true};", POLICY_SYNTAX, 1, 35},
	{"annotation twice", "@a(\"b\")\n @b @a " P ";", POLICY_SYNTAX, 2, 6},
	{"annotation with nothing", "@a()" P ";", POLICY_SYNTAX, 1, 4},
	{"annotation with a name", "@a(b)" P ";", POLICY_SYNTAX, 1, 4},
	{"annotation with a path", "@a::b" P ";", POLICY_SYNTAX, 1, 3},
	{"escape in an annotation", "@a(\"x\\q\")" P ";", POLICY_SYNTAX, 1, 6},
	{"set of actions with ==", S("principal", "action==[Action::\"a\"]", "resource"),
	 POLICY_SYNTAX, 1, 26},
	{"set in a set of actions", S("principal", "action in [[]]", "resource"), POLICY_SYNTAX, 1,
	 29},
	{"action of another type", S("principal", "action==Act::\"a\"", "resource"), POLICY_SYNTAX,
	 1, 26},
	{"namespace named Action", S("principal", "action==Action::A::\"a\"", "resource"),
	 POLICY_SYNTAX, 1, 26},
	{"is for actions", S("principal", "action is Action", "resource"), POLICY_SYNTAX, 1, 25},
	{"is and ==", S("principal is U == B::\"c\"", "action", "resource"), POLICY_SYNTAX, 1, 23},
	{"set of principals", S("principal in [A::\"a\"]", "action", "resource"), POLICY_SYNTAX, 1,
	 21},
	{"!= in the scope", S("principal != A::\"a\"", "action", "resource"), POLICY_SYNTAX, 1, 18},
	{"type by colon", S("principal: U", "action", "resource"), POLICY_SYNTAX, 1, 17},
	{"variable as an entity", S("principal == principal", "action", "resource"), POLICY_SYNTAX,
	 1, 21},
	{"string as an entity", S("principal == \"a\"", "action", "resource"), POLICY_SYNTAX, 1,
	 21},
	{"entity as a type", S("principal is A::\"b\"", "action", "resource"), POLICY_SYNTAX, 1,
	 21},
	{"reserved type", S("principal is __cedar::A", "action", "resource"), POLICY_SYNTAX, 1, 21},
	{"access in the scope", S("principal in U::\"a\".b", "action", "resource"), POLICY_SYNTAX,
	 1, 27},
	{"slot of the other variable", S("principal == ?resource", "action", "resource"),
	 POLICY_SYNTAX, 1, 21},
	{"slot for an action", S("principal", "action == ?action", "resource"), POLICY_SYNTAX, 1,
	 28},
	{"slot in a condition", W("principal == ?principal"), POLICY_SYNTAX, 2, 21},
	{"partial evaluation", W("unknown(\"a\")"), POLICY_UNSUPPORTED, 2, 8},
	/* relations */
	{"relations chain", W("1 < 2 < 3"), POLICY_SYNTAX, 2, 14},
	{"equalities chain", W("1 == 2 == 3"), POLICY_SYNTAX, 2, 15},
	{"in chains", W("principal in action in resource"), POLICY_SYNTAX, 2, 28},
	{"is in chains", W("principal is U in G::\"a\" in x"), POLICY_SYNTAX, 2, 33},
	{"has chains", W("principal has a has b"), POLICY_SYNTAX, 2, 24},
	{"has compared", W("principal has a == true"), POLICY_SYNTAX, 2, 24},
	{"like chains", W("\"\" like \"a\" like \"b\""), POLICY_SYNTAX, 2, 20},
	{"single equals sign", W("1 = 2"), POLICY_SYNTAX, 2, 10},
	{"division", W("5 / 2 == 1"), POLICY_SYNTAX, 2, 10},
	{"remainder", W("5 % 2 == 1"), POLICY_SYNTAX, 2, 10},
	{"single bar", W("true | false"), POLICY_SYNTAX, 2, 13},
	{"has in parentheses", W("context has (a)"), POLICY_SYNTAX, 2, 20},
	{"has a string in a path", W("context has a.\"b\""), POLICY_SYNTAX, 2, 22},
	{"has a path from a string", W("context has \"a\".b"), POLICY_SYNTAX, 2, 23},
	{"has an index", W("context has a[\"b\"]"), POLICY_SYNTAX, 2, 21},
	{"has a reserved word", W("context has if"), POLICY_SYNTAX, 2, 20},
	{"has a reserved word in a path", W("context has a.in"), POLICY_SYNTAX, 2, 22},
	{"has a name with a namespace", W("context has a::b"), POLICY_SYNTAX, 2, 21},
	{"has a sum", W("context has a + 1"), POLICY_SYNTAX, 2, 22},
	{"like a variable", W("\"a\" like principal"), POLICY_SYNTAX, 2, 17},
	{"like a sum", W("\"a\" like \"a\" + \"b\""), POLICY_SYNTAX, 2, 21},
	{"is a string", W("principal is \"User\""), POLICY_SYNTAX, 2, 21},
	{"is in parentheses", W("principal is (User)"), POLICY_SYNTAX, 2, 21},
	{"is an entity", W("principal is User::\"a\""), POLICY_SYNTAX, 2, 21},
	/* operators */
	{"if inside a sum", W("1 + if true then 1 else 2 == 3"), POLICY_SYNTAX, 2, 12},
	{"if behind and", W("true && if true then true else true"), POLICY_SYNTAX, 2, 16},
	{"if behind not", W("!if true then true else true"), POLICY_SYNTAX, 2, 9},
	{"if without else", W("if true then true"), POLICY_SYNTAX, 2, 26},
	{"five minuses", W("-----1 == 1"), POLICY_SYNTAX, 2, 12},
	{"five nots", W("!!!!!true"), POLICY_SYNTAX, 2, 12},
	{"not and minus", W("!-1"), POLICY_SYNTAX, 2, 9},
	{"minus and not", W("-!true"), POLICY_SYNTAX, 2, 9},
	{"long too large", W("9223372036854775808 == 1"), POLICY_SYNTAX, 2, 8},
	{"long too small", W("-9223372036854775809 == 1"), POLICY_SYNTAX, 2, 9},
	{"smallest long in parentheses", W("-(9223372036854775808) == 1"), POLICY_SYNTAX, 2, 10},
	{"access on the smallest long", W("-9223372036854775808.a == 1"), POLICY_SYNTAX, 2, 9},
	{"long far too large", W("99999999999999999999999999 == 1"), POLICY_SYNTAX, 2, 8},
	{"number runs into a name", W("1a == 1"), POLICY_SYNTAX, 2, 9},
	/* names and members */
	{"unknown variable", W("foo == 1"), POLICY_SYNTAX, 2, 8},
	{"variable with a namespace", W("a::b"), POLICY_SYNTAX, 2, 8},
	{"unknown function", W("foo()"), POLICY_SYNTAX, 2, 8},
	{"function in a namespace", W("a::ip(\"::\")"), POLICY_SYNTAX, 2, 8},
	{"function as a method", W("principal.ip(\"a\")"), POLICY_SYNTAX, 2, 18},
	{"method as a function", W("contains(1)"), POLICY_SYNTAX, 2, 8},
	{"extension method as a function", W("lessThan(1)"), POLICY_SYNTAX, 2, 8},
	{"unknown method", W("principal.foo()"), POLICY_SYNTAX, 2, 18},
	{"variable called", W("principal()"), POLICY_SYNTAX, 2, 17},
	{"literal called", W("1()"), POLICY_SYNTAX, 2, 9},
	{"contains of nothing", W("principal.contains()"), POLICY_SYNTAX, 2, 18},
	{"contains of two", W("principal.contains(1, 2)"), POLICY_SYNTAX, 2, 18},
	{"isEmpty of one", W("principal.isEmpty(1)"), POLICY_SYNTAX, 2, 18},
	{"hasTag of nothing", W("principal.hasTag()"), POLICY_SYNTAX, 2, 18},
	{"reserved attribute", W("context.if"), POLICY_SYNTAX, 2, 16},
	{"reserved attribute", W("context.a.is"), POLICY_SYNTAX, 2, 18},
	{"Cedar's own attribute", W("context.__cedar"), POLICY_SYNTAX, 2, 16},
	{"reserved type", W("a::if::\"a\" == 1"), POLICY_SYNTAX, 2, 11},
	{"reserved type", W("in::\"a\" == 1"), POLICY_SYNTAX, 2, 8},
	{"entity by record", W("User::{a: 1} == 1"), POLICY_SYNTAX, 2, 14},
	{"index by name", W("principal[a]"), POLICY_SYNTAX, 2, 18},
	{"index by sum", W("principal[\"a\" + \"b\"]"), POLICY_SYNTAX, 2, 22},
	{"key twice", W("{a: 1, b: 2,\n \"a\": 3} == {}"), POLICY_SYNTAX, 3, 2},
	{"reserved key", W("{if: 1} == {}"), POLICY_SYNTAX, 2, 9},
	{"key with a namespace", W("{a::b: 1} == {}"), POLICY_SYNTAX, 2, 10},
	{"number as a key", W("{1: 1} == {}"), POLICY_SYNTAX, 2, 9},
	{"only a comma", W("[,] == []"), POLICY_SYNTAX, 2, 9},
	{"empty parentheses", W("()"), POLICY_SYNTAX, 2, 9},
	/* strings */
	{"string does not end", W("\"abc"), POLICY_SYNTAX, 2, 8},
	{"line continuation", W("\"a\\\nb\" == 1"), POLICY_SYNTAX, 2, 8},
	{"carriage return", W("\"a\rb\" == 1"), POLICY_SYNTAX, 2, 10},
	{"unknown escape", W("\"\xc3\xa4\\a\" == 1"), POLICY_SYNTAX, 2, 10},
	{"star outside of like", W("\"\\*\" == 1"), POLICY_SYNTAX, 2, 9},
	{"byte beyond ASCII", W("\"\\x80\" == 1"), POLICY_SYNTAX, 2, 9},
	{"short byte", W("\"\\x1\" == 1"), POLICY_SYNTAX, 2, 9},
	{"no digits", W("\"\\u{}\" == 1"), POLICY_SYNTAX, 2, 9},
	{"seven digits", W("\"\\u{0000000}\" == 1"), POLICY_SYNTAX, 2, 9},
	{"beyond Unicode", W("\"\\u{110000}\" == 1"), POLICY_SYNTAX, 2, 9},
	{"surrogate", W("\"\\u{d800}\" == 1"), POLICY_SYNTAX, 2, 9},
	{"underscore first", W("\"\\u{_10}\" == 1"), POLICY_SYNTAX, 2, 9},
	{"no braces", W("\"\\u0041\" == 1"), POLICY_SYNTAX, 2, 9},
	{"single quotes", W("'a' == 1"), POLICY_SYNTAX, 2, 8},
	{"second line of a string counts", W("\"\n\" == foo"), POLICY_SYNTAX, 3, 6},
	{"not UTF-8", P ";\n// \xc3\xa4 \xff", POLICY_SYNTAX, 2, 6},
	{"cut character", P ";\xe2\x82", POLICY_SYNTAX, 1, 35},
	{"overlong character", P ";\xc0\x80", POLICY_SYNTAX, 1, 35},
	{"surrogate in UTF-8", P ";\xed\xa0\x80", POLICY_SYNTAX, 1, 35},
};

static void
test_refused(void **state)
{
	static const char nul_behind[] = P ";\0";
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct policy_set *set = NULL;
		struct policy_error err = {0};
		const char *source = refused[i].source != NULL ? refused[i].source : nul_behind;
		size_t size = refused[i].source != NULL ? strlen(source) : sizeof(nul_behind) - 1;
		enum policy_status status = parse_exact(source, size, &set, &err);
		if (status == refused[i].want && err.status == status &&
		    err.line == refused[i].line && err.column == refused[i].column &&
		    err.message[0] != '\0' && set == NULL)
			continue;
		print_error("%s: status %d at %u:%u, not %d at %u:%u (%s)\n", refused[i].name,
			    (int)status, err.line, err.column, (int)refused[i].want,
			    refused[i].line, refused[i].column, err.message);
		policy_set_free(set);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

/* ---- limits ---- */

/* `count` times `open`, the middle, `count` times `close`, as a condition. */
static enum policy_status
parse_nested(const char *open, const char *middle, const char *close, size_t count)
{
	size_t size = sizeof(P) + 32 + count * (strlen(open) + strlen(close)) + strlen(middle);
	char *source = calloc(1, size);
	struct policy_set *set = NULL;
	struct policy_error err = {0};

	assert_non_null(source);
	char *end = stpcpy(source, P " when {");
	for (size_t i = 0; i < count; i++)
		end = stpcpy(end, open);
	end = stpcpy(end, middle);
	for (size_t i = 0; i < count; i++)
		end = stpcpy(end, close);
	stpcpy(end, "};");
	enum policy_status status = parse_exact(source, strlen(source), &set, &err);
	policy_set_free(set);
	free(source);
	return status;
}

static void
test_nesting(void **state)
{
	static const struct {
		const char *open;
		const char *middle;
		const char *close;
		size_t levels; /* that one of these takes */
	} shapes[] = {
		{"(", "1", ")", 1},
		{"[", "1", "]", 1},
		{"{a:", "1", "}", 1},
		{"-(", "1", ")", 1},
		{"if true then 1 else ", "1", "", 1},
		{"ip(", "1", ")", 1},
		{"", "context", ".a", 1},
		{"", "context", "[\"a\"]", 1},
		{"", "context", ".isEmpty()", 1},
		{"[].contains(", "1", ")", 2},
		/* What is accessed lies below the access: parentheses must not hide how deep. */
		{"(", "context", ").a", 2},
		{"(", "context", ").isEmpty()", 2},
		{"(true && ", "context", ").a", 2},
		{"[", "context", "].isEmpty()", 2},
		{"(", "context", ").a.a.a", 4},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(shapes); i++) {
		const char *open = shapes[i].open;
		const char *middle = shapes[i].middle;
		const char *close = shapes[i].close;
		/* The condition itself is the first level. */
		size_t most = (POLICY_NESTING_MAX - 1) / shapes[i].levels;
		assert_int_equal(parse_nested(open, middle, close, most), POLICY_OK);
		assert_int_equal(parse_nested(open, middle, close, most + 1), POLICY_LIMIT);
		assert_int_equal(parse_nested(open, middle, close, 50000), POLICY_LIMIT);
	}
	/* Chains are no nesting. */
	assert_int_equal(parse_nested("true && ", "true", "", 50000), POLICY_OK);
	assert_int_equal(parse_nested("true || ", "true", "", 50000), POLICY_OK);
	assert_int_equal(parse_nested("1 + ", "1 == 1", "", 50000), POLICY_OK);
	assert_int_equal(parse_nested("1 * ", "1 == 1", "", 50000), POLICY_OK);
	assert_int_equal(parse_nested("", "[1", ", 1", 50000), POLICY_SYNTAX);
}

static void
test_scope_nesting(void **state)
{
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	char source[20 + POLICY_NESTING_MAX + 1];

	(void)state;
	memcpy(source, "permit(principal == ", 20);
	memset(source + 20, '(', POLICY_NESTING_MAX + 1);
	assert_int_equal(parse_exact(source, sizeof(source), &set, &err), POLICY_LIMIT);
	assert_int_equal(err.column, 21 + POLICY_NESTING_MAX);
}

static void
test_counts(void **state)
{
	static const char policy[] = P ";";
	size_t length = sizeof(policy) - 1;
	size_t size = (POLICY_POLICIES_MAX + 1) * length;
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	struct policy_summary summary;

	(void)state;
	char *source = malloc(size);
	assert_non_null(source);
	for (size_t i = 0; i <= POLICY_POLICIES_MAX; i++)
		memcpy(source + i * length, policy, length);
	assert_int_equal(parse_exact(source, size, &set, &err), POLICY_LIMIT);
	assert_int_equal(err.column, 1 + POLICY_POLICIES_MAX * length);
	assert_int_equal(parse_exact(source, size - length, &set, &err), POLICY_OK);
	assert_int_equal(policy_set_count(set), POLICY_POLICIES_MAX);
	policy_set_summary(set, POLICY_POLICIES_MAX - 1, &summary);
	assert_int_equal(summary.id.size, strlen("policy9999"));
	assert_memory_equal(summary.id.data, "policy9999", summary.id.size);
	policy_set_free(set);
	free(source);
}

static void
test_size(void **state)
{
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	char *source = malloc(POLICY_SOURCE_MAX + 1);

	(void)state;
	assert_non_null(source);
	memset(source, ' ', POLICY_SOURCE_MAX + 1);
	assert_int_equal(parse_exact(source, POLICY_SOURCE_MAX + 1, &set, &err), POLICY_LIMIT);
	assert_int_equal(err.line, 0);
	assert_int_equal(parse_exact(source, POLICY_SOURCE_MAX, &set, &err), POLICY_OK);
	assert_int_equal(policy_set_count(set), 0);
	policy_set_free(set);
	assert_int_equal(policy_set_parse((struct policy_text){0}, &set, NULL), POLICY_OK);
	policy_set_free(set);
	free(source);
}

/* ---- what policies say about themselves ---- */

static void
test_summaries(void **state)
{
	static const char source[] =
		"@id(\"first \\u{e4}\") permit(principal is U in G::\"g\", action in "
		"[Action::\"a\"], "
		"resource);\n\n  @note @id forbid(principal == U::\"u\", action == "
		"N::Action::\"b\", "
		"resource is R);\n permit(principal in G::\"g\", action, resource);"
		"permit(principal, action in [], resource);";
	struct policy_set *set = NULL;
	struct policy_summary summary;

	(void)state;
	assert_int_equal(parse_exact(source, sizeof(source) - 1, &set, NULL), POLICY_OK);
	assert_int_equal(policy_set_count(set), 4);
	policy_set_summary(set, 0, &summary);
	assert_int_equal(summary.effect, POLICY_PERMIT);
	assert_int_equal(summary.name.size, strlen("first \xc3\xa4"));
	assert_memory_equal(summary.name.data, "first \xc3\xa4", summary.name.size);
	assert_int_equal(summary.principal, POLICY_IS_IN);
	assert_int_equal(summary.action, POLICY_IN);
	assert_int_equal(summary.resource, POLICY_ANY);
	assert_int_equal(summary.line, 1);
	policy_set_summary(set, 1, &summary);
	assert_int_equal(summary.effect, POLICY_FORBID);
	assert_int_equal(summary.name.size, 0);
	assert_memory_equal(summary.id.data, "policy1", summary.id.size);
	assert_int_equal(summary.principal, POLICY_EQUALS);
	assert_int_equal(summary.action, POLICY_EQUALS);
	assert_int_equal(summary.resource, POLICY_IS);
	assert_int_equal(summary.line, 3);
	assert_int_equal(summary.column, 3);
	policy_set_summary(set, 2, &summary);
	assert_int_equal(summary.principal, POLICY_IN);

	assert_true(policy_set_may_cover(set, 0, text("Action"), text("z")));
	assert_true(policy_set_may_cover(set, 1, text("N::Action"), text("b")));
	assert_false(policy_set_may_cover(set, 1, text("Action"), text("b")));
	assert_false(policy_set_may_cover(set, 1, text("N::Action"), text("c")));
	assert_true(policy_set_may_cover(set, 2, text("Action"), text("z")));
	assert_false(policy_set_may_cover(set, 3, text("Action"), text("z")));
	policy_set_free(set);
}

static void
test_mentions(void **state)
{
	static const char source[] = "@id(\"note\") permit(principal is T, action, resource) when "
				     "{ context.a.b == {\"key\": 1} && context[\"bo\\u{6f}t\"] "
				     "&& context has deep.er && \"text\" like \"wild*\" };";
	static const char *const there[] = {"a", "b", "key", "boot", "deep", "er", "text", "T"};
	static const char *const not_there[] = {"c", "bo", "oot", "keys", "ab"};
	struct policy_set *set = NULL;

	(void)state;
	assert_int_equal(parse_exact(source, sizeof(source) - 1, &set, NULL), POLICY_OK);
	for (size_t i = 0; i < COUNT(there); i++)
		assert_true(policy_set_mentions(set, text(there[i])));
	for (size_t i = 0; i < COUNT(not_there); i++)
		assert_false(policy_set_mentions(set, text(not_there[i])));
	policy_set_free(set);
	assert_int_equal(parse_exact("", 0, &set, NULL), POLICY_OK);
	assert_false(policy_set_mentions(set, text("a")));
	policy_set_free(set);
}

/* ---- damage ---- */

static const char sample[] =
	"@id(\"a\") permit(principal is U in G::\"g\", action in [Action::\"a\"], resource)\n"
	"when { if context has a.b then context.l.contains(U::\"\\u{e4}\") else !true || 1 + -2 < "
	"3 }\n"
	"unless { \"x*y\" like \"a*\\*\" && {a: [1], \"b\": ip(\"::1/64\")}[\"a\"].isEmpty() };\n";

/* Whatever comes in, it is answered; what was accepted can be decided on. */
static void
parse_and_decide(struct world *world, const char *data, size_t size)
{
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	struct policy_decision decision;

	enum policy_status status = parse_exact(data, size, &set, &err);
	if (status != POLICY_OK) {
		assert_null(set);
		assert_int_equal(err.status, status);
		return;
	}
	assert_int_equal(policy_decide(set, world->facts, &world->request, &decision, NULL),
			 POLICY_OK);
	policy_set_free(set);
}

static void
test_truncations(void **state)
{
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	/* Only what is cut before the policy begins, or in the blank behind it, is a set. */
	size_t end = sizeof(sample) - 2;

	(void)state;
	for (size_t size = 1; size < end; size++) {
		assert_int_equal(parse_exact(sample, size, &set, &err), POLICY_SYNTAX);
		assert_in_range(err.line, 1, 3);
	}
	assert_int_equal(parse_exact(sample, end, &set, &err), POLICY_OK);
	policy_set_free(set);
}

static void
test_bit_flips(void **state)
{
	char changed[sizeof(sample)];
	struct world world;

	(void)state;
	assert_true(world_build(&world));
	for (size_t bit = 0; bit < (sizeof(sample) - 1) * 8; bit++) {
		memcpy(changed, sample, sizeof(sample));
		changed[bit / 8] = (char)(changed[bit / 8] ^ 1 << bit % 8);
		parse_and_decide(&world, changed, sizeof(sample) - 1);
	}
	world_clear(&world);
}

#define MUTATIONS 30000

/* Pieces of the sample and of the language, thrown together; the same ones each time. */
static void
test_mutations(void **state)
{
	static const char *const pieces[] = {
		"(",   ")",	  "[",	       "]",	   "{",	   "}",	       "\"",	"\\",
		"*",   ".",	  ",",	       "::",	   " in ", " is ",     " has ", " like ",
		"if ", "then ",	  "else ",     "&&",	   "||",   "!",	       "-",	"==",
		"<",   "context", "principal", "U::\"a\"", "1",	   "\xc3\xa4", "\xff",	"//"};
	char changed[2 * sizeof(sample)];
	uint32_t random = 12345;
	struct world world;

	(void)state;
	assert_true(world_build(&world));
	for (size_t i = 0; i < MUTATIONS; i++) {
		size_t size = sizeof(sample) - 1;
		memcpy(changed, sample, size);
		for (uint32_t changes = 1 + i % 4; changes > 0; changes--) {
			random = random * 1664525 + 1013904223;
			const char *piece = pieces[(random >> 8) % COUNT(pieces)];
			size_t place = (random >> 13) % (size - 16);
			size_t gone = (random >> 24) % 8;
			size_t length = strlen(piece);
			memmove(changed + place + length, changed + place + gone,
				size - place - gone);
			memcpy(changed + place, piece, length);
			size = size - gone + length;
		}
		parse_and_decide(&world, changed, size);
		if (i % 1000 == 0)
			assert_true((world_clear(&world), world_build(&world)));
	}
	world_clear(&world);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nesting),	  cmocka_unit_test(test_scope_nesting),
		cmocka_unit_test(test_counts),	  cmocka_unit_test(test_size),
		cmocka_unit_test(test_summaries), cmocka_unit_test(test_mentions),
		cmocka_unit_test(test_truncations), cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
