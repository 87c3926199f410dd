/* SPDX-License-Identifier: Apache-2.0 */
#include "software_tpm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t SECRET[32] = "thirty-two bytes of a credential";
static struct software_tpm tpms[3];
static struct attest_ek *eks[3];
static struct attest_ak *aks[3];

static int
set_up(void **state)
{
	struct attest_error err;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		software_tpm_open(&tpms[i], (enum software_ek)i);
		if (attest_ek_decode((struct bytes){tpms[i].ek_public, tpms[i].ek_public_size},
				     &eks[i], &err) != ATTEST_OK ||
		    attest_ak_decode((struct bytes){tpms[i].ak_public, tpms[i].ak_public_size},
				     &aks[i], &err) != ATTEST_OK)
			return 1;
	}
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		attest_ek_free(eks[i]);
		attest_ak_free(aks[i]);
		software_tpm_close(&tpms[i]);
	}
	return 0;
}

static void
make(unsigned kind, struct attest_credential *credential)
{
	struct attest_error err;

	assert_int_equal(attest_credential_make(eks[kind], attest_ak_name(aks[kind]),
						BYTES_OF(SECRET), credential, &err),
			 ATTEST_OK);
}

static void
the_tpm_with_both_keys_opens_it(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct attest_credential credential;
		uint8_t secret[64];
		size_t size;

		make(kind, &credential);
		assert_true(software_tpm_activate(&tpms[kind], attest_ak_name(aks[kind]),
						  &credential, secret, &size));
		assert_int_equal(size, sizeof(SECRET));
		assert_memory_equal(secret, SECRET, sizeof(SECRET));
	}
}

static void
another_ak_or_another_ek_does_not(void **state)
{
	struct software_tpm other;
	struct attest_credential credential;
	uint8_t secret[64];
	size_t size;

	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		make(kind, &credential);
		assert_false(software_tpm_activate(&tpms[kind], attest_ak_name(aks[(kind + 1) % 3]),
						   &credential, secret, &size));
		software_tpm_open(&other, (enum software_ek)kind);
		assert_false(software_tpm_activate(&other, attest_ak_name(aks[kind]), &credential,
						   secret, &size));
		software_tpm_close(&other);
	}
}

static void
no_two_are_alike(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct attest_credential a;
		struct attest_credential b;

		make(kind, &a);
		make(kind, &b);
		assert_memory_not_equal(a.secret, b.secret, a.secret_size);
		assert_memory_not_equal(a.blob, b.blob, a.blob_size);
	}
}

static void
a_changed_credential_is_refused(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct attest_credential credential;
		uint8_t secret[64];
		size_t size;

		make(kind, &credential);
		for (size_t i = 0; i < credential.blob_size; i++) {
			credential.blob[i] ^= 1;
			assert_false(software_tpm_activate(&tpms[kind], attest_ak_name(aks[kind]),
							   &credential, secret, &size));
			credential.blob[i] ^= 1;
		}
	}
}

static void
sizes_that_no_tpm_takes_are_refused(void **state)
{
	static const size_t most[] = {32, 32, 48};
	static const uint8_t bytes[64];

	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct attest_credential credential;
		struct attest_error err;

		for (size_t size = 0; size <= sizeof(bytes); size++) {
			bool fits = size > 0 && size <= most[kind];
			assert_int_equal(attest_credential_make(
						 eks[kind], attest_ak_name(aks[kind]),
						 (struct bytes){bytes, size}, &credential, &err),
					 fits ? ATTEST_OK : ATTEST_LIMIT);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tpm_with_both_keys_opens_it),
		cmocka_unit_test(another_ak_or_another_ek_does_not),
		cmocka_unit_test(no_two_are_alike),
		cmocka_unit_test(a_changed_credential_is_refused),
		cmocka_unit_test(sizes_that_no_tpm_takes_are_refused),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
