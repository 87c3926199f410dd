/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate must be, to stand where it stands. */
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
good_paths_name_every_ca(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++)
		for (unsigned pinned = 0; pinned < 2; pinned++) {
			struct world world = good_world(kind);
			struct attest_chain chain;
			struct attest_error err;
			uint8_t id[ATTEST_HASH_SIZE];

			world.upper_is_anchor = pinned == 1;
			world.recipes[UPPER].until = "20300101000000Z";
			if (verify(&world, &chain, &err) != ATTEST_OK)
				fail_msg("%u: %s %s", kind, err.check, err.message);
			assert_int_equal(chain.ca_count, 3);
			for (unsigned i = 0; i < 3; i++) {
				public_key_id(ca_keys[LOWER - i], id);
				assert_memory_equal(chain.ca_ids[i], id, sizeof(id));
			}
			assert_int_equal(chain.expires, 1893456000);
			assert_string_equal(chain.manufacturer, "id:504F5354");
			assert_string_equal(chain.model, "Software??");
			assert_string_equal(chain.version, "id:00010002");
		}
}

static void
year_9999_fits(void **state)
{
	struct world world = good_world(0);
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	assert_int_equal(verify(&world, &chain, &err), ATTEST_OK);
	assert_true(chain.expires == 253402300799);
}

/* ---- one change each ---- */

#define CHANGE(name, code)                                                                         \
	static void name(struct world *world)                                                      \
	{                                                                                          \
		code;                                                                              \
	}
CHANGE(other_key, world->recipes[LEAF].key = tpms[1].ek)
CHANGE(signs_too, world->recipes[LEAF].usage = "critical,keyEncipherment,digitalSignature")
CHANGE(agrees_only, world->recipes[LEAF].usage = "critical,keyAgreement")
CHANGE(any_use, world->recipes[LEAF].usage = NULL)
CHANGE(platform, world->recipes[LEAF].purpose = "2.23.133.8.2")
CHANGE(platform_too, world->recipes[LEAF].purpose = "2.23.133.8.1,2.23.133.8.2")
CHANGE(ak_too, world->recipes[LEAF].purpose = "2.23.133.8.1,2.23.133.8.3")
CHANGE(server, world->recipes[LEAF].purpose = "serverAuth")
CHANGE(leaf_is_ca, world->recipes[LEAF].constraints = "critical,CA:TRUE")
CHANGE(leaf_unknown, world->recipes[LEAF].unknown = "1.2.3.4.5")
CHANGE(leaf_expired, world->recipes[LEAF].until = "20250101000000Z")
CHANGE(leaf_early, world->recipes[LEAF].from = "20500101000000Z")
CHANGE(leaf_sha1, world->recipes[LEAF].hash = "SHA1")
CHANGE(leaf_version_1, world->recipes[LEAF].version = 1)
CHANGE(leaf_signed_by_another, world->recipes[LEAF].signer = ca_keys[ROOT])
CHANGE(lower_is_no_ca, world->recipes[LOWER].constraints = "critical,CA:FALSE")
CHANGE(lower_without_constraints, world->recipes[LOWER].constraints = NULL)
CHANGE(lower_without_usage, world->recipes[LOWER].usage = NULL)
CHANGE(lower_signs_crls_only, world->recipes[LOWER].usage = "critical,cRLSign")
CHANGE(lower_for_servers, world->recipes[LOWER].purpose = "serverAuth")
CHANGE(lower_unknown, world->recipes[LOWER].unknown = "1.2.3.4.5")
CHANGE(lower_sha1, world->recipes[LOWER].hash = "SHA1")
CHANGE(lower_expired, world->recipes[LOWER].until = "20250101000000Z")
CHANGE(lower_missing, world->without_lower = true)
CHANGE(lower_weak, world->recipes[LOWER].key = weak_rsa; world->recipes[LEAF].signer = weak_rsa)
CHANGE(lower_weak_ec, world->recipes[LOWER].key = weak_ec; world->recipes[LEAF].signer = weak_ec)
CHANGE(upper_constrains_names, world->recipes[UPPER].constrained = "permitted;DNS:example.org")
CHANGE(upper_allows_none_below, world->recipes[UPPER].constraints = "critical,CA:TRUE,pathlen:0")
CHANGE(root_expired, world->recipes[ROOT].until = "20250101000000Z")
CHANGE(root_is_no_ca, world->recipes[ROOT].constraints = NULL)
CHANGE(no_anchors, world->no_anchor = true)
CHANGE(junk_behind, world->padding = 1 + 0x30)
/* Good ones, so that the changes above are what is refused. */
CHANGE(nothing, (void)world)
CHANGE(no_purpose, world->recipes[LEAF].purpose = NULL)
CHANGE(no_names, world->recipes[LEAF].names = false)
CHANGE(zeros_behind, world->padding = 1 + 0x00)
CHANGE(ones_behind, world->padding = 1 + 0xff)
CHANGE(in_nv_form, world->header = true; world->padding = 1 + 0xff)
CHANGE(for_oaep, world->recipes[LEAF].oaep = true)
CHANGE(last_second, world->recipes[LEAF].until = "20270115080000Z")
CHANGE(agreement_too, world->recipes[LEAF].usage = "critical,keyEncipherment,keyAgreement")

static const struct {
	void (*change)(struct world *world);
	const char *check; /* NULL: accepted */
} CASES[] = {
	{nothing, NULL},
	{no_purpose, NULL},
	{no_names, NULL},
	{zeros_behind, NULL},
	{ones_behind, NULL},
	{in_nv_form, NULL},
	{for_oaep, NULL},
	{last_second, NULL},
	{agreement_too, NULL},
	{other_key, "ek.certificate.key"},
	{signs_too, "ek.certificate.signs"},
	{agrees_only, "ek.certificate.usage"},
	{any_use, "ek.certificate.usage"},
	{platform, "ek.certificate.platform"},
	{platform_too, "ek.certificate.platform"},
	{ak_too, "ek.certificate.attestation"},
	{server, "ek.certificate.purpose"},
	{leaf_is_ca, "ek.certificate.ca"},
	{leaf_unknown, "certificate.critical"},
	{leaf_expired, "certificate.expired"},
	{leaf_early, "certificate.early"},
	{leaf_sha1, "certificate.algorithm"},
	{leaf_version_1, "certificate.form"},
	{leaf_signed_by_another, "ek.chain.signature"},
	{lower_is_no_ca, "ca.constraints"},
	{lower_without_constraints, "ca.constraints"},
	{lower_without_usage, "ca.usage"},
	{lower_signs_crls_only, "ca.usage"},
	{lower_for_servers, "ca.purpose"},
	{lower_unknown, "certificate.critical"},
	{lower_sha1, "certificate.algorithm"},
	{lower_expired, "certificate.expired"},
	{lower_missing, "ek.chain.anchor"},
	{lower_weak, "ca.key"},
	{lower_weak_ec, "ca.key"},
	{upper_constrains_names, "ca.names"},
	{upper_allows_none_below, "ca.pathlen"},
	{root_expired, "certificate.expired"},
	{root_is_no_ca, "ca.constraints"},
	{no_anchors, "ek.chain.anchor"},
	{junk_behind, "certificate.parse"},
};

static void
each_change_is_judged_by_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct world world = good_world(0);
		struct attest_chain chain;
		struct attest_error err = {0};

		CASES[i].change(&world);
		enum attest_status status = verify(&world, &chain, &err);
		if ((status == ATTEST_OK) != (CASES[i].check == NULL) ||
		    (CASES[i].check != NULL && strcmp(err.check, CASES[i].check) != 0))
			fail_msg("case %zu: wanted %s: %d %s: %s", i, CASES[i].check, status,
				 err.check, err.message);
	}
}

/* GCP's AK certificates carry the EK's purpose: the usage tells them apart. */
static void
an_ecc_certificate_must_agree(void **state)
{
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	for (unsigned kind = 1; kind < 3; kind++) {
		struct world world = good_world(kind);

		world.recipes[LEAF].usage = "critical,digitalSignature";
		assert_int_equal(verify(&world, &chain, &err), ATTEST_REFUSED);
		assert_string_equal(err.check, "ek.certificate.signs");
		world.recipes[LEAF].usage = "critical,keyEncipherment";
		assert_int_equal(verify(&world, &chain, &err), ATTEST_REFUSED);
		assert_string_equal(err.check, "ek.certificate.usage");
	}
}

static void
keys_of_other_kinds_are_refused(void **state)
{
	EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct world world = good_world(0);
	struct attest_chain chain;
	struct attest_error err;
	struct attest_ek *ek;
	uint8_t leaf[4096];

	(void)state;
	world.recipes[LOWER].key = other;
	assert_int_equal(verify(&world, &chain, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "ca.key");
	world = good_world(0);
	world.recipes[LEAF].key = other;
	assert_int_equal(verify(&world, &chain, &err), ATTEST_UNSUPPORTED);
	assert_int_equal(
		attest_ek_from_certificate(dress_leaf(&world, leaf, sizeof(leaf)), &ek, &err),
		ATTEST_UNSUPPORTED);
	EVP_PKEY_free(other);
}

static bool
leaf_accepted(struct bytes leaf, void *user)
{
	struct software_tpm *tpm = user;
	struct bytes anchor = {tpm->ca_certificate, tpm->ca_certificate_size};
	struct attest_chain chain;
	struct attest_error err;

	return attest_chain_verify(eks[tpm->kind], &leaf, 1,
				   &(const struct attest_trust){
					   .anchors = &anchor, .anchor_count = 1, .now = NOW},
				   &chain, &err) == ATTEST_OK;
}

static void
no_truncation_and_no_flip_passes(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 3; kind++) {
		struct bytes leaf = {tpms[kind].ek_certificate, tpms[kind].ek_certificate_size};

		assert_true(accepts_copy(leaf, leaf_accepted, &tpms[kind]));
		for (size_t size = 0; size < leaf.size; size++)
			assert_false(accepts_copy((struct bytes){leaf.data, size}, leaf_accepted,
						  &tpms[kind]));
		refuses_flips(leaf, 0, leaf.size, leaf_accepted, &tpms[kind]);
	}
}

static void
anchors_are_described_or_refused(void **state)
{
	struct software_certificate recipe = good_world(0).recipes[ROOT];
	uint8_t der[2048];
	uint8_t id[ATTEST_HASH_SIZE];
	uint8_t want[ATTEST_HASH_SIZE];
	char subject[160];
	struct attest_error err;

	(void)state;
	size_t size = software_certificate_make(&recipe, der, sizeof(der));
	assert_int_equal(attest_anchor_describe((struct bytes){der, size}, id, subject, &err),
			 ATTEST_OK);
	public_key_id(ca_keys[ROOT], want);
	assert_memory_equal(id, want, sizeof(id));
	assert_string_equal(subject, "CN=root");
	recipe.usage = "critical,digitalSignature";
	size = software_certificate_make(&recipe, der, sizeof(der));
	assert_int_equal(attest_anchor_describe((struct bytes){der, size}, id, subject, &err),
			 ATTEST_REFUSED);
	assert_string_equal(err.check, "ca.usage");
	assert_int_equal(attest_anchor_describe((struct bytes){tpms[0].ek_certificate,
							       tpms[0].ek_certificate_size},
						id, subject, &err),
			 ATTEST_REFUSED);
	assert_int_equal(attest_anchor_describe((struct bytes){der, size - 1}, id, subject, &err),
			 ATTEST_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_paths_name_every_ca),
		cmocka_unit_test(year_9999_fits),
		cmocka_unit_test(each_change_is_judged_by_its_name),
		cmocka_unit_test(an_ecc_certificate_must_agree),
		cmocka_unit_test(keys_of_other_kinds_are_refused),
		cmocka_unit_test(no_truncation_and_no_flip_passes),
		cmocka_unit_test(anchors_are_described_or_refused),
	};
	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
