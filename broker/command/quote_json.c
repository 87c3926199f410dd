/* SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"
#include "quote_out.h"

#include <inttypes.h>
#include <stdio.h>

#define DIGITS_MAX (2 * ATTEST_QUOTE_SIZE_MAX + 1)

static const char *const STATES[] = {
	[ATTEST_UNREACHED] = "unreached",
	[ATTEST_PASSED] = "passed",
	[ATTEST_FAILED] = "failed",
	[ATTEST_SKIPPED] = "skipped",
};
static const char *const FORMS[] = {
	[ATTEST_TPMT_PUBLIC] = "TPMT_PUBLIC",
	[ATTEST_TPM2B_PUBLIC] = "TPM2B_PUBLIC",
	[ATTEST_SPKI_DER] = "DER",
	[ATTEST_SPKI_PEM] = "PEM",
};

static json_t *
hex(struct bytes value)
{
	char digits[DIGITS_MAX];

	if (value.size > ATTEST_QUOTE_SIZE_MAX)
		return NULL;
	hex_encode(value.data, value.size, digits);
	return json_string(digits);
}

/* As many hex digits as the field has. */
static json_t *
number_hex(int width, unsigned value)
{
	char digits[16];

	(void)snprintf(digits, sizeof(digits), "%0*x", width, value);
	return json_string(digits);
}

static json_t *
pcr_numbers(uint32_t pcrs)
{
	json_t *list = json_array();

	for (unsigned pcr = 0; pcr < 32; pcr++)
		if ((pcrs >> pcr & 1) != 0)
			(void)json_array_append_new(list, json_integer(pcr));
	return list;
}

static json_t *
checks_json(const struct attest_inspection *seen)
{
	json_t *checks = json_object();

	for (unsigned i = 0; i < ATTEST_QUOTE_CHECKS; i++)
		(void)json_object_set_new(checks,
					  attest_quote_check_name((enum attest_quote_check)i),
					  json_string(STATES[seen->checks[i]]));
	return checks;
}

static json_t *
attributes_json(uint32_t attributes)
{
	json_t *list = json_array();
	const char *name;

	while ((name = attribute_next(&attributes)) != NULL)
		(void)json_array_append_new(list, json_string(name));
	return list;
}

static json_t *
key_json(const struct attest_inspection *seen)
{
	json_t *key = json_pack("{s:s,s:s}", "form", FORMS[seen->key_form], "kind", seen->key_kind);

	/* Of a PEM these are unknown: absent, rather than false. */
	if (seen->area_known) {
		(void)json_object_set_new(key, "attributes", attributes_json(seen->attributes));
		(void)json_object_set_new(
			key, "name",
			hex((struct bytes){seen->key_name.bytes, seen->key_name.size}));
	}
	if (seen->hierarchy != NULL)
		(void)json_object_set_new(key, "hierarchy", json_string(seen->hierarchy));
	return key;
}

static json_t *
selection_json(const struct attest_inspection *seen)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < seen->selected_count; i++)
		(void)json_array_append_new(
			list, json_pack("{s:s,s:o,s:o}", "bank",
					attest_algorithm_name(seen->selected[i].algorithm),
					"algorithm", number_hex(4, seen->selected[i].algorithm),
					"pcrs", pcr_numbers(seen->selected[i].pcrs)));
	return list;
}

/* What no integer of JSON's reader holds is a text. */
static json_t *
number_json(uint64_t number)
{
	char digits[24];

	if (number <= INT64_MAX)
		return json_integer((json_int_t)number);
	(void)snprintf(digits, sizeof(digits), "%" PRIu64, number);
	return json_string(digits);
}

static json_t *
message_json(const struct attest_inspection *seen)
{
	json_t *json = json_pack(
		"{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:o}", "magic", number_hex(8, seen->magic),
		"type", number_hex(4, seen->type), "qualified_signer", hex(seen->signer),
		"extra_data", hex(seen->extra_data), "clock", number_json(seen->clock.clock),
		"reset_count", number_json(seen->clock.reset_count), "restart_count",
		number_json(seen->clock.restart_count), "clock_safe", seen->clock_safe,
		"firmware_version", number_json(seen->firmware_version));

	if (json != NULL && seen->type == 0x8018) {
		(void)json_object_set_new(json, "selection", selection_json(seen));
		(void)json_object_set_new(json, "pcr_digest", hex(seen->pcr_digest));
	}
	return json;
}

json_t *
quote_json(const struct quote_view *view)
{
	const struct attest_inspection *seen = &view->seen;
	bool verified = view->err.status == ATTEST_OK;
	json_t *json = json_pack(
		"{s:b,s:o,s:o,s:o,s:{s:s,s:s},s:o,s:o}", "verified", verified, "checks",
		checks_json(seen), "key", key_json(seen), "quote", message_json(seen), "signature",
		"scheme", attest_algorithm_name(seen->signature_scheme), "hash",
		attest_algorithm_name(seen->signature_hash), "resettable",
		pcr_numbers(seen->resettable), "not_quoted", pcr_numbers(seen->not_quoted));

	if (json != NULL && !verified)
		(void)json_object_set_new(json, "failed",
					  json_pack("{s:s,s:s,s:s,s:s}", "check", view->err.check,
						    "message", view->err.message, "expected",
						    view->err.expected, "seen", view->err.seen));
	return json;
}
