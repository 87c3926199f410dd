/* SPDX-License-Identifier: Apache-2.0 */
/* Every operation with what it needs, without each of it, with each field it does not take, and
 * each field's forms. */
#include "wire/operation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENCODED_MAX (OPERATION_REQUEST_MAX + 65536)
#define F(field)    (1u << FIELD_##field)

static uint8_t memory[ENCODED_MAX];
static const uint8_t zeros[WIRE_SECRET_MAX + 256];
static const uint8_t ak_name[34] = {0x00, 0x0b};
static const uint8_t pcrs[2 + 32] = {0x00, 0x10};
static const uint8_t number[8] = {0, 0, 0, 0, 0, 0, 0, 9};
#define HEX_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct bytes
word(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* What the keeper's rules rest on, written down a second time. */
static const struct {
	enum operation operation;
	const char *name;
	const char *group;
	uint32_t required;
	uint32_t optional;
} table[] = {
	{OPERATION_STATUS, "status", "read", 0, 0},
	{OPERATION_SECRET_LIST, "secret-list", "read", 0, F(PATH) | F(AFTER) | F(COUNT)},
	{OPERATION_SECRET_SHOW, "secret-show", "read", F(PATH), 0},
	{OPERATION_MACHINE_LIST, "machine-list", "read", 0, F(STATE) | F(AFTER) | F(COUNT)},
	{OPERATION_MACHINE_SHOW, "machine-show", "read", F(MACHINE), 0},
	{OPERATION_BASELINE_LIST, "baseline-list", "read", 0, 0},
	{OPERATION_POLICY_SHOW, "policy-show", "read", 0, F(NAME)},
	{OPERATION_POLICY_CHECK, "policy-check", "read", F(NAME) | F(POLICY), 0},
	{OPERATION_OPERATOR_LIST, "operator-list", "read", 0, 0},
	{OPERATION_ANCHOR_LIST, "anchor-list", "read", 0, 0},
	{OPERATION_EXPLAIN, "explain", "read", F(MACHINE), F(COUNT)},
	{OPERATION_AUDIT_READ, "audit-read", "read", F(FROM), F(COUNT)},
	{OPERATION_ACT_READ, "act-read", "read", F(FROM), F(COUNT)},
	{OPERATION_IMA_KEY_LIST, "ima-key-list", "read", 0, 0},
	{OPERATION_IMA_ALLOW_LIST, "ima-allow-list", "read", 0, 0},
	{OPERATION_CRL_LIST, "crl-list", "read", 0, 0},
	{OPERATION_SECRET_PUT, "secret-put", "write", F(PATH) | F(CAS) | F(SEALED), 0},
	{OPERATION_SECRET_DELETE, "secret-delete", "write", F(PATH), F(CAS) | F(VERSIONS)},
	{OPERATION_SECRET_UNDELETE, "secret-undelete", "write", F(PATH) | F(VERSIONS), 0},
	{OPERATION_SECRET_DESTROY, "secret-destroy", "write", F(PATH) | F(VERSIONS), 0},
	{OPERATION_SECRET_SETTINGS, "secret-settings", "write", F(PATH), F(SETTINGS) | F(CUSTOM)},
	{OPERATION_SECRET_REMOVE, "secret-remove", "write", F(PATH), F(CAS)},
	{OPERATION_SEAL, "seal", "write", 0, F(REASON)},
	{OPERATION_ROTATE, "rotate", "write", 0, 0},
	{OPERATION_GENESIS, "genesis", "trust", F(NAME) | F(ROLES) | F(OPERATOR_KEY) | F(POLICIES),
	 0},
	{OPERATION_MACHINE_REGISTER, "machine-register", "trust", F(NAME) | F(GROUPS) | F(EK_ID),
	 0},
	{OPERATION_MACHINE_ADMIT, "machine-admit", "trust",
	 F(MACHINE) | F(NAME) | F(GROUPS) | F(EK_ID) | F(AK_NAME), 0},
	{OPERATION_MACHINE_SUSPEND, "machine-suspend", "trust", F(MACHINE) | F(REASON), 0},
	{OPERATION_MACHINE_READMIT, "machine-readmit", "trust", F(MACHINE) | F(REASON), 0},
	{OPERATION_MACHINE_GROUP, "machine-group", "trust", F(MACHINE) | F(GROUPS), 0},
	{OPERATION_BASELINE_ADD, "baseline-add", "trust", F(NAME) | F(PCRS) | F(FROM), F(UNTIL)},
	{OPERATION_BASELINE_END, "baseline-end", "trust", F(NAME) | F(UNTIL), 0},
	{OPERATION_POLICY_APPLY, "policy-apply", "trust", F(NAME) | F(POLICY), 0},
	{OPERATION_POLICY_DELETE, "policy-delete", "trust", F(NAME), 0},
	{OPERATION_ANCHOR_ADD, "anchor-add", "trust", F(ID) | F(CERTIFICATE) | F(SUBJECT), 0},
	{OPERATION_REVOKE, "revoke", "trust", F(KIND) | F(ID) | F(REASON), 0},
	{OPERATION_OPERATOR_ADD, "operator-add", "trust", F(NAME) | F(ROLES) | F(OPERATOR_KEY), 0},
	{OPERATION_IMA_KEY_ADD, "ima-key-add", "trust", F(ID) | F(PUBLIC_KEY) | F(SUBJECT), 0},
	{OPERATION_IMA_ALLOW_ADD, "ima-allow-add", "trust", F(NAME) | F(DIGESTS), 0},
	{OPERATION_IMA_ALLOW_END, "ima-allow-end", "trust", F(NAME), 0},
	{OPERATION_CRL_ADD, "crl-add", "trust", F(CRL) | F(ID) | F(SUBJECT) | F(FROM) | F(UNTIL),
	 F(DIGESTS)},
	{OPERATION_CRL_END, "crl-end", "trust", F(ID), 0},
	{OPERATION_REKEY, "rekey", "trust", F(SHARES), F(REASON)},
};
#define TABLE_COUNT (sizeof(table) / sizeof(table[0]))

static struct bytes
list_of(size_t count, const struct bytes *names)
{
	static uint8_t lists[2 * OPERATION_POLICY_MAX];
	struct writer w = writer_of(lists, sizeof(lists));
	write_be16(&w, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		write_lp(&w, names[i]);
	assert_false(w.failed);
	return writer_bytes(&w);
}

/* A value of the right form. */
static struct bytes
good_value(unsigned field)
{
	static const uint8_t names[] = {0, 1, 0, 0, 0, 1, 'a'};
	static const uint8_t none[] = {0, 0};
	static const uint8_t versions[] = {0, 0, 0, 1, 0, 0, 1, 0};
	static const uint8_t settings[] = {7, 0, 0, 0, 5, 1, 0, 0, 0, 0, 0, 0, 0, 60};
	static const uint8_t shares[] = {5, 3};
	switch ((enum operation_field)field) {
	case FIELD_MACHINE:
		return word("m-0123456789abcdef");
	case FIELD_GROUPS:
	case FIELD_ROLES:
		return BYTES_OF(names);
	case FIELD_POLICIES:
		return BYTES_OF(none);
	case FIELD_EK_ID:
	case FIELD_OPERATOR_KEY:
		return (struct bytes){zeros, 32};
	case FIELD_AK_NAME:
		return BYTES_OF(ak_name);
	case FIELD_PCRS:
		return BYTES_OF(pcrs);
	case FIELD_FROM:
	case FIELD_UNTIL:
	case FIELD_CAS:
	case FIELD_COUNT:
		return BYTES_OF(number);
	case FIELD_KIND:
		return word("ek-ca");
	case FIELD_ID:
		return word(HEX_64);
	case FIELD_DIGESTS:
		return (struct bytes){zeros, 32};
	case FIELD_CERTIFICATE:
	case FIELD_PUBLIC_KEY:
	case FIELD_CRL:
		return (struct bytes){zeros, 600};
	case FIELD_SEALED:
		return (struct bytes){zeros, 48};
	case FIELD_STATE:
		return word("pending");
	case FIELD_VERSIONS:
		return BYTES_OF(versions);
	case FIELD_SETTINGS:
		return BYTES_OF(settings);
	case FIELD_CUSTOM:
		return BYTES_OF(none);
	case FIELD_SHARES:
		return BYTES_OF(shares);
	case FIELD_NAME:
	case FIELD_POLICY:
	case FIELD_REASON:
	case FIELD_SUBJECT:
	case FIELD_PATH:
	case FIELD_AFTER:
	case FIELD_LIMIT:
		break;
	}
	return word("plain");
}

static struct operation_request
request_for(enum operation operation)
{
	const struct operation_info *info = operation_find((uint16_t)operation);
	assert_non_null(info);
	struct operation_request request = {
		.answer_key = {zeros, 32},
		.operator_name = word("alice"),
		.challenge = {zeros, operation == OPERATION_GENESIS ? 0 : WIRE_CHALLENGE_SIZE},
		.trust_revision = info->act ? 3 : 0,
		.operation = (uint16_t)operation,
	};
	for (unsigned field = 1; field < FIELD_LIMIT; field++) {
		if ((info->required & 1u << field) != 0)
			operation_set(&request, (enum operation_field)field, good_value(field));
	}
	return request;
}

/* NULL: accepted. */
static const char *
problem_of(const struct operation_request *request)
{
	static struct operation_request decoded;
	const char *problem = NULL;
	struct writer w = writer_of(memory, sizeof(memory));
	operation_request_write(&w, request);
	assert_false(w.failed);
	if (operation_request_read(writer_bytes(&w), &decoded, &problem)) {
		assert_null(problem);
		assert_int_equal(decoded.present, request->present);
		return NULL;
	}
	assert_non_null(problem);
	return problem;
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		const struct operation_info *info = operation_find((uint16_t)table[i].operation);
		assert_ptr_equal(info, operation_at(i));
		assert_string_equal(info->name, table[i].name);
		assert_string_equal(info->group, table[i].group);
		assert_int_equal(info->act, strcmp(table[i].group, "trust") == 0);
		assert_int_equal(info->required, table[i].required);
		assert_int_equal(info->optional, table[i].optional);
		assert_int_equal(info->required & info->optional, 0);
	}
	assert_null(operation_at(TABLE_COUNT));
	assert_null(operation_find(0));
	assert_null(operation_find(OPERATION_REKEY + 1));
}

static void
test_required_and_optional(void **state)
{
	(void)state;
	for (size_t i = 0; i < TABLE_COUNT; i++) {
		struct operation_request request = request_for(table[i].operation);
		if (problem_of(&request) != NULL)
			fail_msg("%s: %s", table[i].name, problem_of(&request));
		for (unsigned field = 1; field < FIELD_LIMIT; field++) {
			uint32_t bit = 1u << field;
			struct operation_request other = request;
			bool wrong = (table[i].optional & bit) == 0;
			if ((table[i].required & bit) != 0)
				other.present &= ~bit;
			else
				operation_set(&other, (enum operation_field)field,
					      good_value(field));
			if ((problem_of(&other) != NULL) != wrong)
				fail_msg("%s with or without field %u", table[i].name, field);
		}
	}
}

static void
test_head(void **state)
{
	(void)state;
	struct operation_request request = request_for(OPERATION_MACHINE_SUSPEND);
	request.challenge.size = 0;
	assert_string_equal(problem_of(&request), "challenge: not of its size");
	request.challenge.size = WIRE_CHALLENGE_SIZE - 1;
	assert_string_equal(problem_of(&request), "challenge: not of its size");
	request = request_for(OPERATION_GENESIS);
	request.challenge.size = WIRE_CHALLENGE_SIZE;
	assert_string_equal(problem_of(&request), "challenge: not of its size");
	request = request_for(OPERATION_STATUS);
	request.trust_revision = 1;
	assert_string_equal(problem_of(&request),
			    "trust revision: must be 0 in what is not an act");
	request = request_for(OPERATION_STATUS);
	request.operator_name = word("al ice");
	assert_string_equal(problem_of(&request), "operator: not a name");
	request = request_for(OPERATION_STATUS);
	request.operation = 100;
	assert_string_equal(problem_of(&request), "operation: not one that is known");
}

/* Fields in another order, twice, or with a number beyond the last are not the same request. */
static void
test_field_order(void **state)
{
	static const struct {
		uint8_t count;
		uint8_t fields[3];
		bool good;
	} orders[] = {
		{2, {FIELD_FROM, FIELD_COUNT}, true},  {2, {FIELD_COUNT, FIELD_FROM}, false},
		{2, {FIELD_FROM, FIELD_FROM}, false},  {1, {FIELD_FROM, FIELD_COUNT}, false},
		{3, {FIELD_FROM, FIELD_COUNT}, false}, {2, {0, FIELD_FROM}, false},
		{2, {FIELD_FROM, FIELD_LIMIT}, false}, {2, {FIELD_FROM, 255}, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct operation_request decoded;
		const char *problem = NULL;
		struct writer w = writer_of(memory, sizeof(memory));
		write_lp_text(&w, "postern/operator/v1");
		write_bytes(&w, (struct bytes){zeros, 32});
		write_lp_text(&w, "alice");
		write_lp(&w, (struct bytes){zeros, WIRE_CHALLENGE_SIZE});
		write_be64(&w, 0);
		write_be16(&w, OPERATION_ACT_READ);
		write_u8(&w, orders[i].count);
		for (size_t j = 0; j < 2; j++) {
			write_u8(&w, orders[i].fields[j]);
			write_lp(&w, BYTES_OF(number));
		}
		if (operation_request_read(writer_bytes(&w), &decoded, &problem) != orders[i].good)
			fail_msg("order %zu", i);
	}
}

static void
check_form(enum operation operation, enum operation_field field, struct bytes value, bool good,
	   const char *what)
{
	struct operation_request request = request_for(operation);
	operation_set(&request, field, value);
	if ((problem_of(&request) == NULL) != good)
		fail_msg("%s should be %s", what, good ? "accepted" : "refused");
}

static void
test_text_forms(void **state)
{
	static const struct {
		enum operation operation;
		enum operation_field field;
		const char *value;
		bool good;
	} forms[] = {
		{OPERATION_MACHINE_SHOW, FIELD_MACHINE, "web-1", true},
		{OPERATION_MACHINE_SHOW, FIELD_MACHINE, "web/1", false},
		{OPERATION_MACHINE_SHOW, FIELD_MACHINE, "", false},
		{OPERATION_POLICY_DELETE, FIELD_NAME, "..", false},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "", true},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "permit(principal, action, resource);\n\t",
		 true},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "\"\xe2\x82\xac \xf0\x9f\x94\x91\"", true},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "\xc0\x80", false},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "\xe2\x82", false},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "\x80", false},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "\xed\xa0\x80", false},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "\xf4\x90\x80\x80", false},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "\xf8\x88\x80\x80\x80", false},
		{OPERATION_POLICY_APPLY, FIELD_POLICY, "\xe0\x9f\xbf", false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "stolen \xc3\xbc", true},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "", false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "a\nb", false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "a\x1b[2J", false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON,
		 "\xe2\x80\xae"
		 "evil",
		 false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "\xd8\x9c", false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "\xe2\x81\xa0", false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "\xef\xbf\xbb", false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "\xf3\xa0\x81\xbf", false},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON, "\xe2\x82\xac", true},
		{OPERATION_MACHINE_SUSPEND, FIELD_REASON,
		 "\xc2\x9b"
		 "2J",
		 false},
		{OPERATION_MACHINE_LIST, FIELD_STATE, "suspended", true},
		{OPERATION_MACHINE_LIST, FIELD_STATE, "Suspended", false},
		{OPERATION_MACHINE_LIST, FIELD_STATE, "", false},
		{OPERATION_MACHINE_LIST, FIELD_AFTER, "", true},
		{OPERATION_MACHINE_LIST, FIELD_AFTER, "a\x01", false},
		{OPERATION_SECRET_LIST, FIELD_PATH, "", true},
		{OPERATION_SECRET_LIST, FIELD_PATH, "db/", false},
		{OPERATION_SECRET_SHOW, FIELD_PATH, "", false},
		{OPERATION_SECRET_SHOW, FIELD_PATH, "db/../x", false},
		{OPERATION_REVOKE, FIELD_KIND, "ca", false},
		{OPERATION_REVOKE, FIELD_ID, "0123", false},
		{OPERATION_REVOKE, FIELD_ID,
		 "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", false},
		{OPERATION_ANCHOR_ADD, FIELD_ID, "name", false},
		{OPERATION_ANCHOR_ADD, FIELD_SUBJECT, "", true},
		{OPERATION_ANCHOR_ADD, FIELD_SUBJECT, "CN=a\r", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		check_form(forms[i].operation, forms[i].field, word(forms[i].value), forms[i].good,
			   forms[i].value);
	check_form(OPERATION_POLICY_APPLY, FIELD_POLICY, (struct bytes){zeros, 1}, false, "NUL");
}

static void
test_ids_by_kind(void **state)
{
	static const struct {
		const char *kind;
		const char *id;
		bool good;
	} ids[] = {
		{"ek-ca", HEX_64, true},      {"ek", HEX_64, true},
		{"ak", HEX_64, false},	      {"ak", "000b" HEX_64, true},
		{"ek", "000b" HEX_64, false}, {"machine", "web-1", true},
		{"machine", "a/b", false},    {"baseline", "v1.2", true},
		{"operator", "alice", true},  {"operator", "", false},
		{"ek", "alice", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct operation_request request = request_for(OPERATION_REVOKE);
		operation_set_text(&request, FIELD_KIND, ids[i].kind);
		operation_set_text(&request, FIELD_ID, ids[i].id);
		if ((problem_of(&request) == NULL) != ids[i].good)
			fail_msg("%s %s", ids[i].kind, ids[i].id);
	}
}

static void
test_sizes(void **state)
{
	static const struct {
		const char *what;
		enum operation operation;
		enum operation_field field;
		size_t least;
		size_t most;
	} sizes[] = {
		{"EK id", OPERATION_MACHINE_REGISTER, FIELD_EK_ID, 32, 32},
		{"operator's key", OPERATION_OPERATOR_ADD, FIELD_OPERATOR_KEY, 32, 32},
		{"until", OPERATION_BASELINE_END, FIELD_UNTIL, 8, 8},
		{"count", OPERATION_EXPLAIN, FIELD_COUNT, 8, 8},
		{"cas", OPERATION_SECRET_DELETE, FIELD_CAS, 8, 8},
		{"certificate", OPERATION_ANCHOR_ADD, FIELD_CERTIFICATE, 1, ATTEST_CERTIFICATE_MAX},
		{"public key", OPERATION_IMA_KEY_ADD, FIELD_PUBLIC_KEY, 1, ATTEST_CERTIFICATE_MAX},
		{"sealed", OPERATION_SECRET_PUT, FIELD_SEALED, 48, WIRE_SECRET_MAX + 48},
	};
	static uint8_t letters[OPERATION_POLICY_MAX + 1];
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		enum operation operation = sizes[i].operation;
		enum operation_field field = sizes[i].field;
		const char *what = sizes[i].what;
		check_form(operation, field, (struct bytes){zeros, sizes[i].least}, true, what);
		check_form(operation, field, (struct bytes){zeros, sizes[i].most}, true, what);
		check_form(operation, field, (struct bytes){zeros, sizes[i].least - 1}, false,
			   what);
		check_form(operation, field, (struct bytes){zeros, sizes[i].most + 1}, false, what);
	}
	memset(letters, 'a', sizeof(letters));
	for (size_t excess = 0; excess < 2; excess++) {
		bool good = excess == 0;
		check_form(OPERATION_POLICY_APPLY, FIELD_POLICY,
			   (struct bytes){letters, OPERATION_POLICY_MAX + excess}, good, "policy");
		check_form(OPERATION_MACHINE_SUSPEND, FIELD_REASON,
			   (struct bytes){letters, OPERATION_REASON_MAX + excess}, good, "reason");
		check_form(OPERATION_ANCHOR_ADD, FIELD_SUBJECT,
			   (struct bytes){letters, 160 + excess}, good, "subject");
		check_form(OPERATION_SECRET_SHOW, FIELD_PATH,
			   (struct bytes){letters, WIRE_PATH_MAX + excess}, good, "path");
		check_form(OPERATION_SECRET_LIST, FIELD_AFTER,
			   (struct bytes){letters, 320 + excess}, good, "after");
	}
}

static void
test_structured_forms(void **state)
{
	static const uint8_t sha1_name[34] = {0x00, 0x04};
	static const uint8_t no_mask[2] = {0, 0};
	static const uint8_t two_wanted[2 + 32] = {0x00, 0x03};
	static const uint8_t beyond[8] = {0x80};
	static const uint8_t all[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	(void)state;
	check_form(OPERATION_MACHINE_ADMIT, FIELD_AK_NAME, BYTES_OF(sha1_name), false,
		   "SHA-1 name");
	check_form(OPERATION_BASELINE_ADD, FIELD_PCRS, BYTES_OF(no_mask), false, "no PCR");
	check_form(OPERATION_BASELINE_ADD, FIELD_PCRS, BYTES_OF(two_wanted), false, "one of two");
	check_form(OPERATION_BASELINE_ADD, FIELD_FROM, BYTES_OF(beyond), false, "time below zero");
	check_form(OPERATION_SECRET_DELETE, FIELD_CAS, BYTES_OF(all), true, "no check");
	/* Their own forms: test_wire_secret_field.c. */
	check_form(OPERATION_SECRET_DESTROY, FIELD_VERSIONS, BYTES_OF(beyond), false, "falling");
	check_form(OPERATION_SECRET_SETTINGS, FIELD_SETTINGS, BYTES_OF(all), false, "no settings");
	check_form(OPERATION_SECRET_SETTINGS, FIELD_CUSTOM, BYTES_OF(all), false, "no metadata");

	static uint8_t digests[WIRE_IMA_ALLOWED_MAX + 1][ATTEST_HASH_SIZE];
	const enum operation allow = OPERATION_IMA_ALLOW_ADD;
	for (size_t i = 0; i <= WIRE_IMA_ALLOWED_MAX; i++) {
		struct writer w = writer_of(digests[i], ATTEST_HASH_SIZE);
		write_be32(&w, (uint32_t)i);
	}
	const struct bytes most = {digests[0], WIRE_IMA_ALLOWED_MAX * ATTEST_HASH_SIZE};
	check_form(allow, FIELD_DIGESTS, most, true, "as many digests as may be");
	check_form(allow, FIELD_DIGESTS, (struct bytes){digests[0], sizeof(digests)}, false,
		   "a digest too many");
	check_form(allow, FIELD_DIGESTS, (struct bytes){NULL, 0}, false, "no digest");
	check_form(allow, FIELD_DIGESTS, (struct bytes){digests[0], 33}, false, "half a digest");
	memcpy(digests[1], digests[2], ATTEST_HASH_SIZE);
	check_form(allow, FIELD_DIGESTS, (struct bytes){digests[0], 96}, false, "a digest twice");
	digests[0][0] = 1;
	check_form(allow, FIELD_DIGESTS, (struct bytes){digests[0], 64}, false, "out of order");

	static const uint8_t crl[WIRE_CRL_MAX + 1];
	check_form(OPERATION_CRL_ADD, FIELD_CRL, (struct bytes){crl, WIRE_CRL_MAX}, true,
		   "as large a CRL as may be");
	check_form(OPERATION_CRL_ADD, FIELD_CRL, BYTES_OF(crl), false, "a CRL too large");
	check_form(OPERATION_CRL_ADD, FIELD_CRL, (struct bytes){0}, false, "no CRL");
	check_form(OPERATION_CRL_ADD, FIELD_DIGESTS, (struct bytes){crl, 0}, false,
		   "an empty list of revoked ones");
	check_form(OPERATION_CRL_END, FIELD_ID, word("root"), false, "a CA by its name");

	const struct bytes same[] = {word("a"), word("b"), word("a")};
	const struct bytes bad[] = {word("a b")};
	const struct bytes policies[] = {word("base"), word("permit(\n"), word("more"), word("")};
	const struct bytes policies_twice[] = {word("base"), word("x"), word("base"), word("y")};
	const struct bytes policy_text[] = {word("base"), word("\xff")};
	struct bytes many[OPERATION_LIST_MAX + 1];
	char names[OPERATION_LIST_MAX + 1][4];
	for (size_t i = 0; i < OPERATION_LIST_MAX + 1; i++) {
		names[i][0] = (char)('A' + i / 10);
		names[i][1] = (char)('0' + i % 10);
		names[i][2] = '\0';
		many[i] = word(names[i]);
	}
	const enum operation group = OPERATION_MACHINE_GROUP, add = OPERATION_OPERATOR_ADD;
	check_form(group, FIELD_GROUPS, list_of(0, NULL), true, "no group");
	check_form(add, FIELD_ROLES, list_of(0, NULL), false, "no role");
	check_form(group, FIELD_GROUPS, list_of(2, same), true, "two groups");
	check_form(group, FIELD_GROUPS, list_of(3, same), false, "a group twice");
	check_form(group, FIELD_GROUPS, list_of(1, bad), false, "not a name");
	check_form(group, FIELD_GROUPS, list_of(OPERATION_LIST_MAX, many), true,
		   "as many as may be");
	check_form(group, FIELD_GROUPS, list_of(OPERATION_LIST_MAX + 1, many), false,
		   "one too many");
	check_form(OPERATION_GENESIS, FIELD_POLICIES, list_of(4, policies), true, "two policies");
	check_form(OPERATION_GENESIS, FIELD_POLICIES, list_of(3, policies), false, "no text");
	check_form(OPERATION_GENESIS, FIELD_POLICIES, list_of(4, policies_twice), false,
		   "same name");
	check_form(OPERATION_GENESIS, FIELD_POLICIES, list_of(2, policy_text), false, "not UTF-8");
}

static void
test_numbers(void **state)
{
	struct operation_request request = {0};
	uint8_t storage[8];
	(void)state;
	assert_true(operation_number(&request, FIELD_COUNT, 50) == 50);
	operation_set_number(&request, FIELD_COUNT, UINT64_MAX - 1, storage);
	assert_true(operation_has(&request, FIELD_COUNT));
	assert_true(operation_number(&request, FIELD_COUNT, 50) == UINT64_MAX - 1);
	assert_false(operation_has(&request, FIELD_FROM));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	   cmocka_unit_test(test_required_and_optional),
		cmocka_unit_test(test_head),	   cmocka_unit_test(test_field_order),
		cmocka_unit_test(test_text_forms), cmocka_unit_test(test_ids_by_kind),
		cmocka_unit_test(test_sizes),	   cmocka_unit_test(test_structured_forms),
		cmocka_unit_test(test_numbers),
	};
	return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
