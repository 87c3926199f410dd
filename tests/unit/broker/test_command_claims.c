/* SPDX-License-Identifier: Apache-2.0 */
/* Claims as JSON: each kind, alone and in lists, by the rules' table. */
#include "command/claims_out.h"
#include "command/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct bytes
text_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void
each_kind_has_its_json(void **state)
{
	uint8_t short_digest[32], long_digest[64];
	const struct bytes digests[] = {BYTES_OF(short_digest), BYTES_OF(long_digest)};
	const struct bytes texts[] = {text_of("quiet"), text_of("a \"b\" \xc3\xa9")};
	struct attest_claims claims = {.size = 0};

	(void)state;
	memset(short_digest, 0x0a, sizeof(short_digest));
	memset(long_digest, 0xff, sizeof(long_digest));
	assert_true(attest_claim_boolean(&claims, CLAIM_SECURE_BOOT, true));
	assert_true(attest_claim_boolean(&claims, CLAIM_SETUP_MODE, false));
	assert_true(attest_claim_values(&claims, CLAIM_PK, digests, 1));
	assert_true(attest_claim_values(&claims, CLAIM_AUTHORITIES, NULL, 0));
	assert_true(attest_claim_values(&claims, CLAIM_BOOT_IMAGES, digests, 2));
	assert_true(attest_claim_values(&claims, CLAIM_GRUB_COMMAND_LINES, texts, 2));
	assert_true(attest_claim_number(&claims, CLAIM_WINDOWS_BOOT_COUNTER, INT64_MAX));

	auto_json *json = claims_json(&claims);
	assert_non_null(json);
	assert_int_equal(json_object_size(json), 7);
	assert_true(json_is_true(json_object_get(json, "secureBoot")));
	assert_true(json_is_false(json_object_get(json, "setupMode")));
	assert_string_equal(json_text(json, "pk"),
			    "0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a");
	assert_int_equal(json_array_size(json_object_get(json, "authorities")), 0);
	const json_t *images = json_object_get(json, "bootImages");
	assert_int_equal(json_array_size(images), 2);
	assert_int_equal(json_string_length(json_array_get(images, 1)), 128);
	const json_t *lines = json_object_get(json, "grubCommandLines");
	assert_string_equal(json_string_value(json_array_get(lines, 1)), "a \"b\" \xc3\xa9");
	assert_true(json_integer_value(json_object_get(json, "windowsBootCounter")) == INT64_MAX);
}

static void
without_claims_there_is_an_empty_object(void **state)
{
	const struct attest_claims claims = {.size = 0};
	auto_json *json = claims_json(&claims);

	(void)state;
	assert_true(json_is_object(json));
	assert_int_equal(json_object_size(json), 0);
	assert_int_equal(claims_print(&claims), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_its_json),
		cmocka_unit_test(without_claims_there_is_an_empty_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
