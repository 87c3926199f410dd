/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation that an examination makes fails once: no file becomes listed or signed for it,
 * and no list leads where it did not. */
#include "attest/ima.h"
#include "failing.h"
#include "software_ima.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 20000

static struct software_ima lists[2]; /* signed and listed; not */
static struct attest_ima_key key;
static uint8_t digests[64];

static struct bytes
sign(EVP_PKEY *signer, const char *content, uint8_t field[160])
{
	static const uint8_t head[] = {3, 2, 4};
	struct writer w = writer_of(field, 160);
	uint8_t hash[64], signature[128];
	size_t size = sizeof(signature);
	size_t hash_size = software_ima_hash("sha256", software_ima_text(content), hash);
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(signer, NULL);

	assert_int_equal(EVP_PKEY_sign_init(operation), 1);
	assert_int_equal(EVP_PKEY_sign(operation, signature, &size, hash, hash_size), 1);
	EVP_PKEY_CTX_free(operation);
	write_bytes(&w, BYTES_OF(head));
	write_bytes(&w, BYTES_OF(key.id));
	write_bytes_be16(&w, (struct bytes){signature, size});
	assert_false(w.failed);
	return writer_bytes(&w);
}

static int
set_up(void **state)
{
	EVP_PKEY *signer = EVP_EC_gen("P-256");
	unsigned char *der = NULL;
	uint8_t field[160];
	struct attest_error err;

	(void)state;
	int size = i2d_PUBKEY(signer, &der);
	assert_int_equal(attest_ima_key_decode((struct bytes){der, (size_t)size}, &key, &err),
			 ATTEST_OK);
	OPENSSL_free(der);
	for (unsigned i = 0; i < 2; i++) {
		/* The second has another file's signature, and a buffer that is none. */
		struct bytes third = sign(signer, i == 0 ? "a" : "b", field);
		software_ima_boot(&lists[i]);
		software_ima_file(&lists[i], "/a", "a", &third);
		software_ima_buffer(&lists[i], ".ima", "0key");
		third = software_ima_text("0none");
		if (i == 1)
			software_ima_file(&lists[i], ".ima", "c", &third);
	}
	software_ima_hash("sha256", software_ima_text("a"), digests);
	EVP_PKEY_free(signer);
	return 0;
}

/* Returns false when no allocation was left to fail. */
static bool
examine_failing(long nth, unsigned which, bool other_pcr)
{
	const struct bytes keys[] = {{key.der, key.size}};
	const struct attest_ima_allowed allowed = {{digests, 32}};
	uint8_t pcr[32];
	struct attest_ima_report report;
	struct attest_error err;

	memcpy(pcr, lists[which].pcr10[ATTEST_SHA256], sizeof(pcr));
	pcr[31] ^= (uint8_t)other_pcr;
	const struct attest_ima_input input = {
		.list = software_ima_bytes(&lists[which]),
		.bank = ATTEST_SHA256,
		.quoted = BYTES_OF(pcr),
		.allowed = &allowed,
		.keys = keys,
		.key_count = 1,
	};
	failing_arm(nth);
	enum attest_status status = attest_ima_examine(&input, &report, &err);
	bool failed = failing_disarm();
	if (status == ATTEST_OK) {
		assert_false(other_pcr);
		assert_false(which == 1 && (report.point.all_listed || report.point.all_signed));
		assert_true(failed || which == 1 ||
			    (report.point.all_listed && report.point.all_signed));
	} else {
		assert_true(failed || other_pcr);
	}
	return failed;
}

static void
no_failure_makes_a_list_better(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		long nth = 0;

		while (examine_failing(nth, i / 2, i % 2 == 1))
			assert_true(++nth < ALLOCATIONS_MAX);
		assert_true(nth > 10);
	}
}

static void
keys_fail_cleanly(void **state)
{
	(void)state;
	for (long nth = 0; nth < ALLOCATIONS_MAX; nth++) {
		struct attest_ima_key other;
		struct attest_error err;

		failing_arm(nth);
		enum attest_status status =
			attest_ima_key_decode((struct bytes){key.der, key.size}, &other, &err);
		bool failed = failing_disarm();
		assert_true(status == ATTEST_OK || failed);
		if (status == ATTEST_OK)
			assert_memory_equal(other.id, key.id, 4);
		if (!failed)
			return;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_failure_makes_a_list_better),
		cmocka_unit_test(keys_fail_cleanly),
	};

	if (!failing_install())
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, set_up, NULL);
}
