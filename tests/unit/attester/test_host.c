/* SPDX-License-Identifier: Apache-2.0 */
/* A key sealed to a host's TPM and its PCRs, and a counter in its NV. */
#include "attest/attester/host_session.h"
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include <cmocka.h>

#define INDEX 0x01800042U

static const uint8_t some_key[HOST_KEY_SIZE] = "a root key of thirty-two bytes!";

struct sealed_file {
	uint8_t bytes[HOST_SEALED_MAX];
	size_t size;
};

static void
seal(struct attester *attester, uint32_t pcrs, struct sealed_file *ret_file)
{
	struct attester_error err;

	if (host_seal(attester, some_key, pcrs, ret_file->bytes, &ret_file->size, &err) !=
	    ATTESTER_OK)
		fail_msg("%s", err.message);
}

static void
assert_opens(struct attester *attester, const struct sealed_file *file)
{
	uint8_t key[HOST_KEY_SIZE] = {0};
	struct attester_error err;

	if (host_unseal(attester, file->bytes, file->size, key, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	assert_memory_equal(key, some_key, sizeof(key));
}

/* Refused with these words, and nothing is given out. */
static void
assert_refused(struct attester *attester, const struct sealed_file *file, const char *words)
{
	static const uint8_t untouched[HOST_KEY_SIZE] = {0};
	uint8_t key[HOST_KEY_SIZE] = {0};
	struct attester_error err = {0};

	assert_int_equal(host_unseal(attester, file->bytes, file->size, key, &err),
			 ATTESTER_REFUSED);
	if (strstr(err.message, words) == NULL)
		fail_msg("wanted \"%s\": %s", words, err.message);
	assert_memory_equal(key, untouched, sizeof(key));
}

static void
extend(struct attester *attester, unsigned pcr)
{
	const TPML_DIGEST_VALUES digests = {
		.count = 1, .digests = {{.hashAlg = TPM2_ALG_SHA256, .digest.sha256 = {1, 2, 3}}}};

	assert_int_equal(Esys_PCR_Extend(attester->esys, (ESYS_TR)pcr, ESYS_TR_PASSWORD,
					 ESYS_TR_NONE, ESYS_TR_NONE, &digests),
			 TSS2_RC_SUCCESS);
}

static struct attester *
reboot(struct attester *attester)
{
	close_tpm(attester);
	assert_true(private_tpm_restart(&tpm));
	return open_tpm();
}

/* ---- sealed keys ---- */

static void
a_key_opens_while_the_pcrs_stay(void **state)
{
	static const uint32_t masks[] = {1U << 7, 1U << 7 | 1U << 11, 0xffffU, HOST_PCRS_ALL};
	struct attester *attester = open_tpm();
	(void)state;

	for (size_t i = 0; i < COUNT(masks); i++) {
		struct sealed_file file;
		uint32_t pcrs = 0;

		seal(attester, masks[i], &file);
		assert_true(host_sealed_pcrs(file.bytes, file.size, &pcrs));
		assert_int_equal(pcrs, masks[i]);
		assert_opens(attester, &file);
		assert_nothing_left(attester);
	}
	close_tpm(attester);
}

static void
moved_pcrs_are_named_until_the_host_is_what_it_was(void **state)
{
	struct attester *attester = open_tpm();
	struct sealed_file file;
	(void)state;

	seal(attester, 1U << 7 | 1U << 8 | 1U << 11, &file);
	extend(attester, 9);
	assert_opens(attester, &file);
	extend(attester, 11);
	assert_refused(attester, &file, "other values in PCR 11");
	extend(attester, 7);
	assert_refused(attester, &file, "other values in PCR 7, 11");
	assert_nothing_left(attester);
	attester = reboot(attester);
	assert_opens(attester, &file);
	close_tpm(attester);
}

static void
another_tpm_opens_nothing(void **state)
{
	struct private_tpm other;
	struct attester *attester = open_tpm();
	struct sealed_file file;
	struct attester_error err;
	(void)state;

	seal(attester, 1U << 7, &file);
	close_tpm(attester);
	assert_true(private_tpm_start(&other, "sha256"));
	assert_int_equal(attester_open(other.tcti, &attester, &err), ATTESTER_OK);
	assert_refused(attester, &file, "another TPM");

	/* Who writes the name anew gets no further: it only words the refusal. */
	auto_handle struct attester_handle primary = handle_of(attester);
	struct host_sealed parsed;
	TPM2B_NAME name;
	struct sealed_file forged;
	assert_int_equal(host_primary(attester, &primary, &name, &err), ATTESTER_OK);
	attester_handle_flush(&primary);
	assert_true(host_sealed_read((struct bytes){file.bytes, file.size}, &parsed));
	parsed.primary = (struct bytes){name.name, name.size};
	assert_true(host_sealed_write(&parsed, forged.bytes, &forged.size));
	assert_refused(attester, &forged, "it was not made for these keys of this TPM");
	close_tpm(attester);
	private_tpm_stop(&other);
}

/* The policy is in what the TPM made, not in the mask beside it. */
static void
a_rewritten_mask_opens_nothing(void **state)
{
	struct attester *attester = open_tpm();
	struct sealed_file file, forged;
	struct host_sealed parsed;
	(void)state;

	seal(attester, 1U << 7, &file);
	assert_true(host_sealed_read((struct bytes){file.bytes, file.size}, &parsed));
	parsed.pcrs.mask = 1U << 8;
	assert_true(host_sealed_write(&parsed, forged.bytes, &forged.size));
	assert_refused(attester, &forged, "was the file altered");

	uint8_t area[512];
	memcpy(area, parsed.private_area.data, parsed.private_area.size);
	area[parsed.private_area.size - 1] ^= 1;
	parsed.pcrs.mask = 1U << 7;
	parsed.private_area.data = area;
	assert_true(host_sealed_write(&parsed, forged.bytes, &forged.size));
	assert_refused(attester, &forged, "it was not made for these keys of this TPM");
	close_tpm(attester);
}

/* The password session: what userWithAuth would have let in. */
static void
a_password_is_no_way_in(void **state)
{
	struct attester *attester = open_tpm();
	auto_handle struct attester_handle primary = handle_of(attester);
	auto_handle struct attester_handle object = handle_of(attester);
	auto_esys TPM2B_SENSITIVE_DATA *opened = NULL;
	struct sealed_file file;
	struct host_sealed parsed;
	struct attester_error err;
	TPM2B_PRIVATE private = {0};
	TPM2B_PUBLIC public = {0};
	TPM2B_NAME name;
	size_t offset = 0;
	(void)state;

	seal(attester, 1U << 7, &file);
	assert_true(host_sealed_read((struct bytes){file.bytes, file.size}, &parsed));
	assert_int_equal(host_primary(attester, &primary, &name, &err), ATTESTER_OK);
	private.size = (UINT16)parsed.private_area.size;
	memcpy(private.buffer, parsed.private_area.data, private.size);
	assert_int_equal(Tss2_MU_TPMT_PUBLIC_Unmarshal(parsed.public_area.data,
						       parsed.public_area.size, &offset,
						       &public.publicArea),
			 TSS2_RC_SUCCESS);
	assert_int_equal(public.publicArea.objectAttributes,
			 TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_NODA |
				 TPMA_OBJECT_ADMINWITHPOLICY);
	assert_int_equal(Esys_Load(attester->esys, primary.id, ESYS_TR_PASSWORD, ESYS_TR_NONE,
				   ESYS_TR_NONE, &private, &public, &object.id),
			 TSS2_RC_SUCCESS);
	assert_int_not_equal(Esys_Unseal(attester->esys, object.id, ESYS_TR_PASSWORD, ESYS_TR_NONE,
					 ESYS_TR_NONE, &opened),
			     TSS2_RC_SUCCESS);
	attester_handle_flush(&object);
	attester_handle_flush(&primary);
	close_tpm(attester);
}

static void
no_pcrs_and_unknown_ones_are_refused(void **state)
{
	static const uint32_t masks[] = {0, 1U << HOST_PCR_COUNT, 1U << 31 | 1U << 7};
	struct attester *attester = open_tpm();
	struct sealed_file file = {.size = 4711};
	struct attester_error err;
	(void)state;

	for (size_t i = 0; i < COUNT(masks); i++)
		assert_int_equal(
			host_seal(attester, some_key, masks[i], file.bytes, &file.size, &err),
			ATTESTER_REFUSED);
	assert_int_equal(file.size, 4711);
	close_tpm(attester);
}

static void
set_owner_password(struct attester *attester, const char *old, const char *new)
{
	TPM2B_AUTH present = {.size = (UINT16)strlen(old)}, next = {.size = (UINT16)strlen(new)};

	memcpy(present.buffer, old, present.size);
	memcpy(next.buffer, new, next.size);
	assert_int_equal(Esys_TR_SetAuth(attester->esys, ESYS_TR_RH_OWNER, &present),
			 TSS2_RC_SUCCESS);
	assert_int_equal(Esys_HierarchyChangeAuth(attester->esys, ESYS_TR_RH_OWNER,
						  ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
						  &next),
			 TSS2_RC_SUCCESS);
	close_tpm(attester);
}

static void
an_owned_tpm_says_what_to_do(void **state)
{
	struct attester *attester = open_tpm();
	struct sealed_file file;
	struct attester_error err = {0};
	uint64_t value;
	(void)state;

	seal(attester, 1U << 7, &file);
	set_owner_password(attester, "", "owner");
	attester = open_tpm(); /* anew: ESYS remembers the password that it set */
	assert_int_equal(host_seal(attester, some_key, 1U << 7, file.bytes, &file.size, &err),
			 ATTESTER_REFUSED);
	assert_non_null(strstr(err.message, "tpm2_changeauth -c owner"));
	assert_refused(attester, &file, "tpm2_changeauth -c owner");
	err.message[0] = '\0';
	assert_int_equal(host_counter_define(attester, INDEX + 7, &value, &err), ATTESTER_REFUSED);
	assert_non_null(strstr(err.message, "tpm2_changeauth -c owner"));
	set_owner_password(attester, "owner", "");
	attester = open_tpm();
	assert_opens(attester, &file);
	close_tpm(attester);
}

/* ---- counters ---- */

static uint64_t
counted(enum attester_status (*call)(struct attester *, uint32_t, uint64_t *,
				     struct attester_error *),
	struct attester *attester)
{
	struct attester_error err;
	uint64_t value = 0;

	if (call(attester, INDEX, &value, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	assert_nothing_left(attester);
	return value;
}

static void
a_counter_only_rises(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err;
	bool there = true;
	(void)state;

	assert_int_equal(host_counter_defined(attester, INDEX, &there, &err), ATTESTER_OK);
	assert_false(there);
	uint64_t value = counted(host_counter_define, attester);
	assert_true(value > 0);
	assert_int_equal(host_counter_defined(attester, INDEX, &there, &err), ATTESTER_OK);
	assert_true(there);
	assert_int_equal(counted(host_counter_define, attester), value);
	assert_int_equal(counted(host_counter_read, attester), value);
	for (int i = 0; i < 3; i++)
		assert_int_equal(counted(host_counter_increment, attester), ++value);
	attester = reboot(attester);
	assert_int_equal(counted(host_counter_read, attester), value);
	undefine_nv(attester, INDEX, ESYS_TR_RH_OWNER);
	assert_true(counted(host_counter_define, attester) > value);
	undefine_nv(attester, INDEX, ESYS_TR_RH_OWNER);
	close_tpm(attester);
}

/* An interrupted definition: there, and never incremented. */
static void
a_counter_that_was_never_written_is_taken_on(void **state)
{
	const TPMA_NV attributes = (TPMA_NV)TPM2_NT_COUNTER << TPMA_NV_TPM2_NT_SHIFT |
				   TPMA_NV_AUTHREAD | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD;
	struct attester *attester = open_tpm();
	struct attester_error err = {0};
	uint64_t value = 4711;
	(void)state;

	define_nv(attester, INDEX, attributes, NULL, 8);
	assert_int_equal(host_counter_read(attester, INDEX, &value, &err), ATTESTER_REFUSED);
	assert_non_null(strstr(err.message, "never incremented"));
	assert_int_equal(value, 4711);
	value = counted(host_counter_define, attester);
	assert_int_equal(counted(host_counter_increment, attester), value + 1);
	undefine_nv(attester, INDEX, ESYS_TR_RH_OWNER);
	close_tpm(attester);
}

static void
what_is_no_counter_is_refused(void **state)
{
	static const uint32_t foreign[] = {0, HOST_COUNTER_MIN - 1, HOST_COUNTER_MAX + 1,
					   0x81000001U};
	const uint8_t bytes[8] = {0, 0, 0, 0, 0, 0, 0, 9};
	struct attester *attester = open_tpm();
	struct attester_error err = {0};
	uint64_t value = 4711;
	(void)state;

	assert_int_equal(host_counter_read(attester, INDEX, &value, &err), ATTESTER_REFUSED);
	assert_non_null(strstr(err.message, "has none at NV index 0x1800042"));
	assert_int_equal(host_counter_increment(attester, INDEX, &value, &err), ATTESTER_REFUSED);
	define_nv(attester, INDEX, TPMA_NV_AUTHREAD, bytes, sizeof(bytes));
	assert_int_equal(host_counter_read(attester, INDEX, &value, &err), ATTESTER_REFUSED);
	assert_non_null(strstr(err.message, "something else"));
	assert_int_equal(host_counter_define(attester, INDEX, &value, &err), ATTESTER_REFUSED);
	undefine_nv(attester, INDEX, ESYS_TR_RH_OWNER);
	for (size_t i = 0; i < COUNT(foreign); i++)
		assert_int_equal(host_counter_define(attester, foreign[i], &value, &err),
				 ATTESTER_REFUSED);
	assert_int_equal(value, 4711);
	close_tpm(attester);
}

/* Between the opening of the key and the reading of the counter, the line leads elsewhere. */
static void
a_counter_of_another_primary_key_is_not_believed(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err = {0};
	struct sealed_file file;
	uint64_t value = 4711;
	(void)state;

	seal(attester, 1U << 7, &file);
	assert_opens(attester, &file);
	(void)counted(host_counter_define, attester);
	attester->primary.name[5] ^= 1;
	assert_int_equal(host_counter_read(attester, INDEX, &value, &err), ATTESTER_REFUSED);
	assert_non_null(strstr(err.message, "another TPM"));
	assert_int_equal(value, 4711);
	undefine_nv(attester, INDEX, ESYS_TR_RH_OWNER);
	close_tpm(attester);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_opens_while_the_pcrs_stay),
		cmocka_unit_test(moved_pcrs_are_named_until_the_host_is_what_it_was),
		cmocka_unit_test(another_tpm_opens_nothing),
		cmocka_unit_test(a_rewritten_mask_opens_nothing),
		cmocka_unit_test(a_password_is_no_way_in),
		cmocka_unit_test(no_pcrs_and_unknown_ones_are_refused),
		cmocka_unit_test(an_owned_tpm_says_what_to_do),
		cmocka_unit_test(a_counter_only_rises),
		cmocka_unit_test(a_counter_that_was_never_written_is_taken_on),
		cmocka_unit_test(what_is_no_counter_is_refused),
		cmocka_unit_test(a_counter_of_another_primary_key_is_not_believed),
	};

	if (!private_tpm_possible()) {
		fprintf(stderr, "skipped: swtpm is not installed\n");
		return PRIVATE_TPM_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, stop_tpm);
}
