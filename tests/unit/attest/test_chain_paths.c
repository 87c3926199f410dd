/* SPDX-License-Identifier: Apache-2.0 */
/* Paths through piles of certificates. */
#include "attest/endorsement.h"
#include "chain_world.h"
#include "spoil.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
a_path_is_at_most_four_long(void **state)
{
	struct software_certificate recipe = {.constraints = "critical,CA:TRUE",
					      .usage = "critical,keyCertSign",
					      .key = ca_keys[LOWER],
					      .signer = ca_keys[LOWER]};
	uint8_t der[6][2048];
	struct bytes made[6];
	static const char *const names[] = {"0", "1", "2", "3", "4", "5"};
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		recipe.subject = names[i];
		recipe.issuer = names[i == 0 ? 0 : i - 1];
		made[i] = (struct bytes){der[i], software_certificate_make(&recipe, der[i], 2048)};
	}
	for (unsigned cas = 1; cas < 6; cas++) {
		struct bytes sent[6];
		struct world world = good_world(0);

		world.recipes[LEAF].issuer = names[cas - 1];
		uint8_t leaf[4096];
		sent[0] = dress_leaf(&world, leaf, sizeof(leaf));
		for (unsigned i = 1; i < cas; i++)
			sent[i] = made[i];
		enum attest_status status =
			attest_chain_verify(eks[0], sent, cas,
					    &(const struct attest_trust){
						    .anchors = made, .anchor_count = 1, .now = NOW},
					    &chain, &err);
		assert_int_equal(status, cas <= 3 ? ATTEST_OK : ATTEST_REFUSED);
		if (status != ATTEST_OK)
			assert_string_equal(err.check, "ek.chain.depth");
		else
			/* One key for all these CAs: one name of it. */
			assert_int_equal(chain.ca_count, 1);
	}
}

/* Many CAs of the same name, all plausible, none the right one: bounded work. */
static void
look_alikes_cost_little(void **state)
{
	struct software_certificate recipe = {.subject = "lower",
					      .issuer = "lower",
					      .constraints = "critical,CA:TRUE",
					      .usage = "critical,keyCertSign",
					      .key = ca_keys[LOWER],
					      .signer = ca_keys[LOWER]};
	static uint8_t der[8][2048];
	static const char *const until[] = {"20400101000000Z", "20410101000000Z", "20420101000000Z",
					    "20430101000000Z", "20440101000000Z", "20450101000000Z",
					    "20460101000000Z"};
	struct bytes sent[8];
	struct world world = good_world(0);
	struct attest_chain chain;
	struct attest_error err;
	uint8_t leaf[4096];
	uint8_t root[4096];

	(void)state;
	sent[0] = dress_leaf(&world, leaf, sizeof(leaf));
	for (unsigned i = 1; i < 8; i++) {
		recipe.until = until[i - 1];
		sent[i] = (struct bytes){der[i], software_certificate_make(&recipe, der[i], 2048)};
	}
	struct bytes anchor = {root,
			       software_certificate_make(&world.recipes[ROOT], root, sizeof(root))};
	assert_int_not_equal(attest_chain_verify(eks[0], sent, 8,
						 &(const struct attest_trust){.anchors = &anchor,
									      .anchor_count = 1,
									      .now = NOW},
						 &chain, &err),
			     ATTEST_OK);
}

/* Two anchors that certify each other: both are named, once. */
static void
a_circle_of_anchors_ends(void **state)
{
	struct software_certificate recipe = {.subject = "lower",
					      .issuer = "other",
					      .constraints = "critical,CA:TRUE",
					      .usage = "critical,keyCertSign",
					      .key = ca_keys[LOWER],
					      .signer = ca_keys[ROOT]};
	struct world world = good_world(0);
	struct attest_chain chain;
	struct attest_error err;
	uint8_t der[2][2048];
	uint8_t memory[4096];
	struct bytes leaf = dress_leaf(&world, memory, sizeof(memory));

	(void)state;
	size_t size = software_certificate_make(&recipe, der[0], sizeof(der[0]));
	recipe.subject = "other";
	recipe.issuer = "lower";
	recipe.key = ca_keys[ROOT];
	recipe.signer = ca_keys[LOWER];
	struct bytes anchors[] = {
		{der[0], size},
		{der[1], software_certificate_make(&recipe, der[1], sizeof(der[1]))}};
	assert_int_equal(attest_chain_verify(eks[0], &leaf, 1,
					     &(const struct attest_trust){.anchors = anchors,
									  .anchor_count = 2,
									  .now = NOW},
					     &chain, &err),
			 ATTEST_OK);
	assert_int_equal(chain.ca_count, 2);
}

static void
too_many_is_a_limit(void **state)
{
	static const uint8_t large[ATTEST_CERTIFICATE_MAX + 1] = {0x30};
	static struct bytes many[ATTEST_PILE_MAX + 1];
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	assert_int_equal(attest_chain_verify(eks[0], many, 0,
					     &(const struct attest_trust){.anchors = many,
									  .anchor_count = 1,
									  .now = NOW},
					     &chain, &err),
			 ATTEST_LIMIT);
	assert_int_equal(attest_chain_verify(eks[0], many, ATTEST_PILE_MAX + 1,
					     &(const struct attest_trust){.anchors = many,
									  .anchor_count = 1,
									  .now = NOW},
					     &chain, &err),
			 ATTEST_LIMIT);
	assert_int_equal(attest_chain_verify(
				 eks[0], many, 1,
				 &(const struct attest_trust){.anchors = many,
							      .anchor_count = ATTEST_PILE_MAX + 1,
							      .now = NOW},
				 &chain, &err),
			 ATTEST_LIMIT);
	many[0] = BYTES_OF(large);
	assert_int_equal(attest_chain_verify(eks[0], many, 1,
					     &(const struct attest_trust){.anchors = many,
									  .anchor_count = 1,
									  .now = NOW},
					     &chain, &err),
			 ATTEST_LIMIT);
}

/* A helper that does not parse helps nobody and hurts nobody; an anchor that does not is our own
 * defect. */
static void
only_helpers_may_be_broken(void **state)
{
	static const uint8_t junk[] = {0x30, 0x03, 1, 2, 3};
	static const uint8_t large[ATTEST_CERTIFICATE_MAX + 1];
	struct software_tpm *tpm = &tpms[1];
	struct bytes sent[2] = {{tpm->ek_certificate, tpm->ek_certificate_size}, BYTES_OF(junk)};
	struct bytes anchors[2] = {{tpm->ca_certificate, tpm->ca_certificate_size}, BYTES_OF(junk)};
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	assert_int_equal(attest_chain_verify(eks[1], sent, 2,
					     &(const struct attest_trust){.anchors = anchors,
									  .anchor_count = 1,
									  .now = NOW},
					     &chain, &err),
			 ATTEST_OK);
	assert_int_equal(attest_chain_verify(eks[1], sent, 1,
					     &(const struct attest_trust){.anchors = anchors,
									  .anchor_count = 2,
									  .now = NOW},
					     &chain, &err),
			 ATTEST_MALFORMED);
	assert_int_equal(attest_chain_verify(eks[1], sent + 1, 1,
					     &(const struct attest_trust){.anchors = anchors,
									  .anchor_count = 1,
									  .now = NOW},
					     &chain, &err),
			 ATTEST_MALFORMED);
	sent[1] = BYTES_OF(large);
	assert_int_equal(attest_chain_verify(eks[1], sent, 2,
					     &(const struct attest_trust){.anchors = anchors,
									  .anchor_count = 1,
									  .now = NOW},
					     &chain, &err),
			 ATTEST_LIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_at_most_four_long),
		cmocka_unit_test(look_alikes_cost_little),
		cmocka_unit_test(a_circle_of_anchors_ends),
		cmocka_unit_test(too_many_is_a_limit),
		cmocka_unit_test(only_helpers_may_be_broken),
	};
	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
