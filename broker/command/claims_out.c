/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_out.h"

#include "command.h"
#include "encode.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>

#define VALUES_SHOWN	16 /* of a list, to people */
#define DIGEST_SIZE_MAX 64 /* the longest that a claim of digests holds */

static void
digest_hex(struct bytes value, char ret_hex[2 * DIGEST_SIZE_MAX + 1])
{
	hex_encode(value.data, value.size <= DIGEST_SIZE_MAX ? value.size : DIGEST_SIZE_MAX,
		   ret_hex);
}

static json_t *
value_json(enum attest_claim_kind kind, struct bytes value)
{
	char hex[2 * DIGEST_SIZE_MAX + 1];

	switch (kind) {
	case CLAIM_KIND_BOOLEAN:
		return json_boolean(attest_claim_value_boolean(value));
	case CLAIM_KIND_NUMBER:
		return json_integer((json_int_t)attest_claim_value_number(value));
	case CLAIM_KIND_TEXT:
		return json_stringn((const char *)value.data, value.size);
	case CLAIM_KIND_DIGEST:
		digest_hex(value, hex);
		return json_string(hex);
	}
	return NULL;
}

static json_t *
claim_json(struct attest_claim *claim)
{
	if (!claim->rule->list)
		return value_json(claim->rule->kind, attest_claim_next_value(claim));
	auto_json *list = json_array();
	for (uint32_t i = 0; i < claim->count; i++)
		if (json_array_append_new(list, value_json(claim->rule->kind,
							   attest_claim_next_value(claim))) != 0)
			return NULL;
	return json_incref(list);
}

json_t *
claims_json(const struct attest_claims *claims)
{
	struct reader r = reader_of((struct bytes){claims->encoded, claims->size});
	auto_json *object = json_object();
	struct attest_claim claim;

	while (attest_claim_next(&r, &claim))
		if (json_object_set_new(object, claim.rule->name, claim_json(&claim)) != 0)
			return NULL;
	return json_incref(object);
}

static void
value_print(enum attest_claim_kind kind, struct bytes value)
{
	char hex[2 * DIGEST_SIZE_MAX + 1], text[ATTEST_CLAIM_TEXT_MAX + 1];

	switch (kind) {
	case CLAIM_KIND_BOOLEAN:
		(void)puts(attest_claim_value_boolean(value) ? "yes" : "no");
		return;
	case CLAIM_KIND_NUMBER:
		(void)printf("%" PRIu64 "\n", attest_claim_value_number(value));
		return;
	case CLAIM_KIND_TEXT: /* claims hold no control characters, but marks of direction */
		text_tame((const char *)value.data, value.size, text, sizeof(text));
		(void)printf("\"%s\"\n", text);
		return;
	case CLAIM_KIND_DIGEST:
		digest_hex(value, hex);
		(void)puts(hex);
		return;
	}
}

/* What a boolean means is said of its "yes". */
static const char *
meaning_prefix(const struct attest_claim *claim)
{
	struct attest_claim copy = *claim;

	if (claim->rule->kind != CLAIM_KIND_BOOLEAN ||
	    attest_claim_value_boolean(attest_claim_next_value(&copy)))
		return "";
	return "it is not so that ";
}

size_t
claims_print(const struct attest_claims *claims)
{
	struct reader r = reader_of((struct bytes){claims->encoded, claims->size});
	struct attest_claim claim;
	size_t count = 0;

	for (; attest_claim_next(&r, &claim); count++) {
		(void)printf("  %s (%s%s)\n", claim.rule->name, meaning_prefix(&claim),
			     claim.rule->meaning);
		for (uint32_t i = 0; i < claim.count && i < VALUES_SHOWN; i++) {
			(void)fputs("    ", stdout);
			value_print(claim.rule->kind, attest_claim_next_value(&claim));
		}
		if (claim.count == 0)
			(void)puts("    none");
		if (claim.count > VALUES_SHOWN)
			(void)printf("    and %" PRIu32 " more: --json has all\n",
				     claim.count - VALUES_SHOWN);
	}
	return count;
}
