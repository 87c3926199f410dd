/* SPDX-License-Identifier: Apache-2.0 */
/* Piles of CAs as vendors ship them: cross-signed, of one name, in circles, with wrong identifiers.
 * The answer depends on what is in them and never on its order. */
#include "attest/endorsement.h"
#include "chain_world.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PILE_MAX     300
#define SHUFFLES     40
#define LARGE	     100 /* piles that take long to read */
#define FEW_SHUFFLES 8

struct heap {
	size_t count;
	struct bytes items[PILE_MAX];
	uint8_t der[PILE_MAX][1536];
};

static EVP_PKEY *keys[6];

static int
set_up(void **state)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		keys[i] = EVP_EC_gen("P-256");
	return world_set_up(state);
}

static int
tear_down(void **state)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		EVP_PKEY_free(keys[i]);
	return world_tear_down(state);
}

static struct software_certificate
ca(const char *subject, EVP_PKEY *key, const char *issuer, EVP_PKEY *signer)
{
	return (struct software_certificate){.subject = subject,
					     .issuer = issuer,
					     .key = key,
					     .signer = signer,
					     .constraints = "critical,CA:TRUE",
					     .usage = "critical,keyCertSign,cRLSign"};
}

static void
add(struct heap *heap, const struct software_certificate *recipe)
{
	uint8_t *der = heap->der[heap->count];

	assert_true(heap->count < PILE_MAX);
	heap->items[heap->count++] =
		(struct bytes){der, software_certificate_make(recipe, der, sizeof(heap->der[0]))};
}

static void
add_ca(struct heap *heap, const char *subject, EVP_PKEY *key, const char *issuer, EVP_PKEY *signer)
{
	const struct software_certificate recipe = ca(subject, key, issuer, signer);

	add(heap, &recipe);
}

static uint32_t seed = 1;

/* The same on every run. */
static size_t
below(size_t limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

static void
shuffle(struct bytes *items, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = below(i);
		struct bytes kept = items[i - 1];

		items[i - 1] = items[other];
		items[other] = kept;
	}
}

/* EK 1's certificate by CA "a" of keys[0]. */
static struct bytes
make_leaf(uint8_t *der, size_t capacity)
{
	struct software_certificate recipe = good_world(1).recipes[LEAF];

	recipe.issuer = "a";
	recipe.signer = keys[0];
	recipe.serial = 77;
	return (struct bytes){der, software_certificate_make(&recipe, der, capacity)};
}

struct answer {
	enum attest_status status;
	struct attest_chain chain;
	char check[40];
};

static struct answer
ask(struct bytes leaf, const struct heap *helpers, const struct heap *anchors,
    const struct bytes *crls, size_t crl_count)
{
	static struct bytes sent[PILE_MAX + 1];
	struct answer answer = {.status = ATTEST_OK};
	struct attest_error err = {0};

	sent[0] = leaf;
	if (helpers->count > 0)
		memcpy(sent + 1, helpers->items, helpers->count * sizeof(struct bytes));
	answer.status =
		attest_chain_verify(eks[1], sent, helpers->count + 1,
				    &(const struct attest_trust){.anchors = anchors->items,
								 .anchor_count = anchors->count,
								 .crls = crls,
								 .crl_count = crl_count,
								 .now = NOW},
				    &answer.chain, &err);
	if (answer.status != ATTEST_OK)
		memcpy(answer.check, err.check, sizeof(err.check));
	return answer;
}

/* Shuffles both piles, and holds every answer to the first. */
static struct answer
ask_in_any_order(struct heap *helpers, struct heap *anchors, struct bytes *crls, size_t crl_count)
{
	uint8_t der[WORLD_DER];
	struct bytes leaf = make_leaf(der, sizeof(der));
	struct answer first = ask(leaf, helpers, anchors, crls, crl_count);
	unsigned shuffles = helpers->count + anchors->count > LARGE ? FEW_SHUFFLES : SHUFFLES;

	for (unsigned i = 0; i < shuffles; i++) {
		shuffle(helpers->items, helpers->count);
		shuffle(anchors->items, anchors->count);
		shuffle(crls, crl_count);
		struct answer other = ask(leaf, helpers, anchors, crls, crl_count);
		assert_int_equal(other.status, first.status);
		assert_string_equal(other.check, first.check);
		if (first.status == ATTEST_OK)
			assert_memory_equal(&other.chain, &first.chain, sizeof(first.chain));
	}
	return first;
}

static struct heap helpers;
static struct heap anchors;

static void
clear(void)
{
	helpers.count = 0;
	anchors.count = 0;
}

static bool
names(const struct attest_chain *chain, EVP_PKEY *key)
{
	uint8_t id[ATTEST_HASH_SIZE];

	public_key_id(key, id);
	for (uint32_t i = 0; i < chain->ca_count; i++)
		if (memcmp(chain->ca_ids[i], id, sizeof(id)) == 0)
			return true;
	return false;
}

/* Hundreds of others, as in a folder of all vendors. */
static void
a_path_is_found_in_a_large_pile(void **state)
{
	static char subjects[PILE_MAX][8];

	(void)state;
	clear();
	for (unsigned i = 0; i < 250; i++) {
		snprintf(subjects[i], sizeof(subjects[i]), "v%u", i);
		add_ca(i % 2 == 0 ? &helpers : &anchors, subjects[i], keys[5], subjects[i / 2],
		       keys[5]);
	}
	add_ca(&helpers, "a", keys[0], "b", keys[1]);
	add_ca(&anchors, "b", keys[1], "b", keys[1]);
	struct answer answer = ask_in_any_order(&helpers, &anchors, NULL, 0);
	assert_int_equal(answer.status, ATTEST_OK);
	assert_int_equal(answer.chain.ca_count, 2);
	assert_int_equal(answer.chain.path_count, 2);
	assert_true(names(&answer.chain, keys[0]) && names(&answer.chain, keys[1]));
}

/* Generations of one CA: a name, many keys. */
static void
namesakes_are_told_apart(void **state)
{
	(void)state;
	clear();
	for (unsigned i = 0; i < 12; i++) {
		add_ca(&helpers, "a", keys[2 + i % 4], "b", keys[1]);
		add_ca(&anchors, "b", keys[2 + i % 4], "b", keys[2 + i % 4]);
	}
	add_ca(&helpers, "a", keys[0], "b", keys[1]);
	add_ca(&anchors, "b", keys[1], "b", keys[1]);
	struct answer answer = ask_in_any_order(&helpers, &anchors, NULL, 0);
	assert_true(answer.status == ATTEST_OK || answer.status == ATTEST_LIMIT);
	/* With so few the bound is never met. */
	anchors.count = 0;
	add_ca(&anchors, "b", keys[2], "b", keys[2]);
	add_ca(&anchors, "b", keys[1], "b", keys[1]);
	answer = ask_in_any_order(&helpers, &anchors, NULL, 0);
	assert_int_equal(answer.status, ATTEST_OK);
	assert_int_equal(answer.chain.ca_count, 2);
}

/* A CA that two roots certified; only one of them is pinned, or both. */
static void
cross_signed_cas_lead_anywhere(void **state)
{
	(void)state;
	clear();
	add_ca(&helpers, "a", keys[0], "b", keys[1]);
	add_ca(&helpers, "a", keys[0], "c", keys[2]);
	add_ca(&helpers, "c", keys[2], "b", keys[1]);
	add_ca(&helpers, "b", keys[1], "c", keys[2]);
	assert_string_equal(ask_in_any_order(&helpers, &anchors, NULL, 0).check, "ek.chain.depth");
	add_ca(&anchors, "c", keys[2], "c", keys[2]);
	struct answer answer = ask_in_any_order(&helpers, &anchors, NULL, 0);
	assert_int_equal(answer.status, ATTEST_OK);
	assert_true(names(&answer.chain, keys[2]));
	add_ca(&anchors, "b", keys[1], "b", keys[1]);
	assert_int_equal(ask_in_any_order(&helpers, &anchors, NULL, 0).status, ATTEST_OK);
}

/* Both certificates of "a" are pinned, and so is the root above one of them: a revocation of that
 * root must find it, whichever of the two ended the path. */
static void
the_root_above_a_twin_is_named(void **state)
{
	(void)state;
	for (unsigned pinned = 0; pinned < 2; pinned++) {
		clear();
		add_ca(&anchors, "a", keys[0], "a", keys[0]);
		add_ca(&anchors, "a", keys[0], "b", keys[1]);
		if (pinned > 0)
			add_ca(&anchors, "b", keys[1], "b", keys[1]);
		struct answer answer = ask_in_any_order(&helpers, &anchors, NULL, 0);
		assert_int_equal(answer.status, ATTEST_OK);
		assert_int_equal(answer.chain.ca_count, 1 + pinned);
		assert_int_equal(names(&answer.chain, keys[1]), pinned);
	}
}

/* Neither of the two is signed by itself, so that no signature leads from one to the other. */
static void
a_twin_is_known_by_its_key(void **state)
{
	(void)state;
	/* Which of the two ends the path is chance: by their fingerprints. */
	for (unsigned i = 1; i <= 10; i++) {
		struct software_certificate recipe = ca("a", keys[0], "x", keys[3]);

		clear();
		recipe.serial = i;
		add(&anchors, &recipe);
		add_ca(&anchors, "a", keys[0], "b", keys[1]);
		add_ca(&anchors, "b", keys[1], "b", keys[1]);
		struct answer answer = ask_in_any_order(&helpers, &anchors, NULL, 0);
		assert_int_equal(answer.status, ATTEST_OK);
		assert_true(names(&answer.chain, keys[1]));
	}
}

/* And its CRL counts, for the twin that it revoked is no less this CA. */
static void
a_revoked_twin_is_a_revoked_ca(void **state)
{
	static const struct software_revoked revoked[] = {{.serial = 55}, {.serial = 0}};
	struct software_certificate recipe = ca("a", keys[0], "b", keys[1]);
	const struct software_crl crl = {.issuer = "b", .signer = keys[1], .revoked = revoked};
	uint8_t der[2048];
	struct bytes crls[1] = {{der, software_crl_make(&crl, der, sizeof(der))}};

	(void)state;
	clear();
	add_ca(&anchors, "a", keys[0], "a", keys[0]);
	recipe.serial = 55;
	add(&anchors, &recipe);
	add_ca(&anchors, "b", keys[1], "b", keys[1]);
	struct answer answer = ask_in_any_order(&helpers, &anchors, crls, 1);
	assert_int_equal(answer.status, ATTEST_REFUSED);
	assert_string_equal(answer.check, "ek.chain.revoked");
}

/* A helper that is revoked helps nobody, and another way may still do. */
static void
another_way_than_the_revoked_may_do(void **state)
{
	static const struct software_revoked revoked[] = {{.serial = 55}, {.serial = 0}};
	struct software_certificate recipe = ca("a", keys[0], "b", keys[1]);
	const struct software_crl crl = {.issuer = "b", .signer = keys[1], .revoked = revoked};
	uint8_t der[2048];
	struct bytes crls[1] = {{der, software_crl_make(&crl, der, sizeof(der))}};

	(void)state;
	clear();
	recipe.serial = 55;
	add(&helpers, &recipe);
	add_ca(&anchors, "b", keys[1], "b", keys[1]);
	add_ca(&anchors, "c", keys[2], "c", keys[2]);
	assert_string_equal(ask_in_any_order(&helpers, &anchors, crls, 1).check,
			    "ek.chain.revoked");
	add_ca(&helpers, "a", keys[0], "c", keys[2]);
	struct answer answer = ask_in_any_order(&helpers, &anchors, crls, 1);
	assert_int_equal(answer.status, ATTEST_OK);
	assert_false(names(&answer.chain, keys[1]));
}

/* Key identifiers choose who is tried first, and nothing else. */
static void
wrong_identifiers_hide_nothing(void **state)
{
	struct software_certificate recipe = ca("a", keys[0], "b", keys[1]);

	(void)state;
	clear();
	recipe.key_id = "aabb";
	recipe.issuer_key_id = "ccdd";
	add(&helpers, &recipe);
	recipe = ca("b", keys[1], "b", keys[1]);
	recipe.key_id = "eeff";
	add(&anchors, &recipe);
	recipe = ca("b", keys[2], "b", keys[2]);
	recipe.key_id = "ccdd";
	add(&anchors, &recipe);
	struct answer answer = ask_in_any_order(&helpers, &anchors, NULL, 0);
	assert_int_equal(answer.status, ATTEST_OK);
	assert_true(names(&answer.chain, keys[1]));
	assert_false(names(&answer.chain, keys[2]));
}

/* The same CA many times over is one. */
static void
copies_cost_nothing(void **state)
{
	(void)state;
	clear();
	add_ca(&helpers, "a", keys[0], "b", keys[1]);
	add_ca(&anchors, "b", keys[1], "b", keys[1]);
	for (; helpers.count < 200; helpers.count++)
		helpers.items[helpers.count] = helpers.items[0];
	for (; anchors.count < 200; anchors.count++)
		anchors.items[anchors.count] = anchors.items[0];
	assert_int_equal(ask_in_any_order(&helpers, &anchors, NULL, 0).status, ATTEST_OK);
}

/* ---- names ---- */

/* The same name in another kind of string: PrintableString, UTF8String, T61String. */
static void
names_are_compared_as_names(void **state)
{
	/* OpenSSL converts what it is given (MBSTRING_*) to the kind that holds it, or takes it
	 * for what it is said to be (V_ASN1_*). */
	static const int forms[] = {MBSTRING_ASC, V_ASN1_UTF8STRING, V_ASN1_T61STRING,
				    V_ASN1_PRINTABLESTRING};
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct world world = good_world(1);

		world.recipes[LOWER].text_form = forms[i];
		if (verify(&world, &chain, &err) != ATTEST_OK)
			fail_msg("form %d: %s %s", forms[i], err.check, err.message);
	}
}

/* An RDN of two parts. */
static void
names_may_have_rdns_of_two(void **state)
{
	struct world world = good_world(1);
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		world.recipes[i].organization = "O";
	assert_int_equal(verify(&world, &chain, &err), ATTEST_OK);
	world.recipes[LEAF].organization = "P";
	assert_int_equal(verify(&world, &chain, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "ek.chain.anchor");
}

/* ---- how it is signed, and by what ---- */

static void
masks_are_of_sha2(void **state)
{
	static const struct {
		const char *hash;
		const char *mask;
		bool good;
	} cases[] = {
		{"SHA256", "SHA256", true},  {"SHA384", "SHA256", true},
		{"SHA256", "SHA512", true},  {"SHA256", "SHA1", false},
		{"SHA1", "SHA1", false},     {"SHA1", "SHA256", false},
		{"SHA256", "SHA224", false}, {"SHA224", "SHA256", false},
	};
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct world world = good_world(1);

		/* The upper CA has the RSA key. */
		world.recipes[LOWER].hash = cases[i].hash;
		world.recipes[LOWER].mask = cases[i].mask;
		enum attest_status status = verify(&world, &chain, &err);
		assert_int_equal(status, cases[i].good ? ATTEST_OK : ATTEST_REFUSED);
		if (!cases[i].good)
			assert_string_equal(err.check, "certificate.algorithm");
	}
}

static EVP_PKEY *
rsa_with_exponent(const char *exponent)
{
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *number = NULL;
	EVP_PKEY *key = NULL;

	assert_true(BN_hex2bn(&number, exponent) > 0);
	assert_int_equal(EVP_PKEY_keygen_init(operation), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(operation, 2048), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(operation, number), 1);
	assert_int_equal(EVP_PKEY_generate(operation, &key), 1);
	BN_free(number);
	EVP_PKEY_CTX_free(operation);
	return key;
}

static void
issuers_keys_are_bounded(void **state)
{
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		static const char *const exponents[] = {"010001", "FFFFFFFB", "0100000001"};
		struct world world = good_world(1);
		EVP_PKEY *key = rsa_with_exponent(exponents[i]);

		world.recipes[LOWER].key = key;
		world.recipes[LEAF].signer = key;
		enum attest_status status = verify(&world, &chain, &err);
		assert_int_equal(status, i < 2 ? ATTEST_OK : ATTEST_REFUSED);
		if (status != ATTEST_OK)
			assert_string_equal(err.check, "ca.key");
		EVP_PKEY_free(key);
	}
	for (unsigned i = 0; i < 3; i++) {
		static const char *const curves[] = {"P-521", "P-384", "secp256k1"};
		struct world world = good_world(1);
		EVP_PKEY *key = EVP_EC_gen(curves[i]);

		world.recipes[LOWER].key = key;
		world.recipes[LEAF].signer = key;
		assert_int_equal(verify(&world, &chain, &err), i < 2 ? ATTEST_OK : ATTEST_REFUSED);
		EVP_PKEY_free(key);
	}
}

/* A key for OAEP alone is an EK's, and no issuer's. */
static void
keys_for_oaep_issue_nothing(void **state)
{
	struct world world = good_world(1);
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	world.recipes[UPPER].oaep = true;
	assert_int_equal(verify(&world, &chain, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "ca.key");
}

/* Old certificates name the TPM in their subject. */
static void
the_subject_may_name_the_tpm(void **state)
{
	struct world world = good_world(1);
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	world.recipes[LEAF].names = false;
	world.recipes[LEAF].names_in_subject = true;
	assert_int_equal(verify(&world, &chain, &err), ATTEST_OK);
	assert_string_equal(chain.manufacturer, "id:504F5354");
	assert_string_equal(chain.version, "id:00010002");
	assert_string_equal(attest_manufacturer_name("id:53544D20"), "STMicroelectronics");
	assert_null(attest_manufacturer_name(chain.manufacturer));
	assert_null(attest_manufacturer_name(""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_found_in_a_large_pile),
		cmocka_unit_test(namesakes_are_told_apart),
		cmocka_unit_test(cross_signed_cas_lead_anywhere),
		cmocka_unit_test(the_root_above_a_twin_is_named),
		cmocka_unit_test(a_twin_is_known_by_its_key),
		cmocka_unit_test(a_revoked_twin_is_a_revoked_ca),
		cmocka_unit_test(another_way_than_the_revoked_may_do),
		cmocka_unit_test(wrong_identifiers_hide_nothing),
		cmocka_unit_test(copies_cost_nothing),
		cmocka_unit_test(names_are_compared_as_names),
		cmocka_unit_test(names_may_have_rdns_of_two),
		cmocka_unit_test(masks_are_of_sha2),
		cmocka_unit_test(issuers_keys_are_bounded),
		cmocka_unit_test(keys_for_oaep_issue_nothing),
		cmocka_unit_test(the_subject_may_name_the_tpm),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
