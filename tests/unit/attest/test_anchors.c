/* SPDX-License-Identifier: Apache-2.0 */
/* Pinned anchors above the one that ends a path: none may be left out, for a revocation is looked
 * up among those that are named. */
#include "attest/endorsement.h"
#include "software_ca.h"
#include "software_tpm.h"

#include <openssl/ec.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW	    1800000000 /* 2027 */
#define ANCHORS_MAX 64

struct anchors {
	uint8_t der[ANCHORS_MAX][2048];
	struct bytes items[ANCHORS_MAX];
	size_t count;
};

static struct software_tpm tpm;
static struct attest_ek *ek;
static EVP_PKEY *keys[6];

static int
set_up(void **state)
{
	struct attest_error err;

	(void)state;
	software_tpm_open(&tpm, SOFTWARE_EK_P256);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		keys[i] = EVP_EC_gen("P-256");
	return attest_ek_decode((struct bytes){tpm.ek_public, tpm.ek_public_size}, &ek, &err) !=
	       ATTEST_OK;
}

static int
tear_down(void **state)
{
	(void)state;
	attest_ek_free(ek);
	software_tpm_close(&tpm);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		EVP_PKEY_free(keys[i]);
	return 0;
}

static void
add_anchor(struct anchors *anchors, const char *subject, EVP_PKEY *key, const char *issuer,
	   EVP_PKEY *signer)
{
	const struct software_certificate recipe = {.subject = subject,
						    .issuer = issuer,
						    .key = key,
						    .signer = signer,
						    .constraints = "critical,CA:TRUE",
						    .usage = "critical,keyCertSign"};
	uint8_t *der = anchors->der[anchors->count];

	assert_true(anchors->count < ANCHORS_MAX);
	anchors->items[anchors->count++] = (struct bytes){
		der, software_certificate_make(&recipe, der, sizeof(anchors->der[0]))};
}

/* The EK's certificate by that issuer, against these anchors. */
static enum attest_status
verify(const struct anchors *anchors, const char *issuer, EVP_PKEY *signer,
       struct attest_chain *ret_chain, struct attest_error *err)
{
	const struct software_certificate recipe = {.issuer = issuer,
						    .key = tpm.ek,
						    .signer = signer,
						    .constraints = "critical,CA:FALSE",
						    .usage = "critical,keyAgreement",
						    .purpose = "2.23.133.8.1"};
	uint8_t der[4096];
	struct bytes leaf = {der, software_certificate_make(&recipe, der, sizeof(der))};

	return attest_chain_verify(ek, &leaf, 1,
				   &(const struct attest_trust){.anchors = anchors->items,
								.anchor_count = anchors->count,
								.now = NOW},
				   ret_chain, err);
}

/* "0" is the root, and each has issued the next. */
static void
anchors_above_are_all_named_or_none(void **state)
{
	static const char *const names[] = {"0", "1", "2", "3", "4"};

	(void)state;
	for (size_t count = 1; count <= ATTEST_CHAIN_MAX + 1; count++) {
		struct anchors anchors = {0};
		struct attest_chain chain = {0};
		struct attest_error err = {0};

		for (size_t i = 0; i < count; i++) {
			size_t above = i == 0 ? 0 : i - 1;
			add_anchor(&anchors, names[i], keys[i], names[above], keys[above]);
		}
		enum attest_status status =
			verify(&anchors, names[count - 1], keys[count - 1], &chain, &err);
		if (count <= ATTEST_CHAIN_MAX) {
			assert_int_equal(status, ATTEST_OK);
			assert_int_equal(chain.ca_count, count);
		} else {
			assert_int_equal(status, ATTEST_REFUSED);
			assert_string_equal(err.check, "ek.chain.depth");
		}
	}
}

/* Anchors of the root's name and with other keys stand before it: either it is reached, or nothing
 * is answered. Tried twice, below the root and above it. */
static void
a_root_is_not_lost_among_its_namesakes(void **state)
{
	static const struct {
		size_t namesakes;
		enum attest_status want;
	} cases[] = {{0, ATTEST_OK}, {22, ATTEST_OK}, {60, ATTEST_LIMIT}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct anchors anchors = {0};
		struct attest_chain chain = {0};
		struct attest_error err = {0};

		for (size_t k = 0; k < cases[i].namesakes; k++)
			add_anchor(&anchors, "root", keys[2], "root", keys[2]);
		add_anchor(&anchors, "root", keys[0], "root", keys[0]);
		add_anchor(&anchors, "upper", keys[1], "root", keys[0]);
		assert_int_equal(verify(&anchors, "upper", keys[1], &chain, &err), cases[i].want);
		if (cases[i].want == ATTEST_OK)
			assert_int_equal(chain.ca_count, 2);
		else
			assert_string_equal(err.check, "ek.chain.work");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anchors_above_are_all_named_or_none),
		cmocka_unit_test(a_root_is_not_lost_among_its_namesakes),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
