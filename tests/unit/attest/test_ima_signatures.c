/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of files (security.ima), and the keys that make them. */
#include "attest/ima.h"
#include "software_ima.h"
#include "spoil.h"

#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define FIELD_MAX 1100

static const char *const KEYS[] = {"RSA", "prime256v1", "secp384r1", "secp521r1", "secp256k1"};
#define KEY_COUNT (sizeof(KEYS) / sizeof(KEYS[0]))

static struct signer {
	EVP_PKEY *key;
	struct attest_ima_key public;
	struct bytes der;
} signers[KEY_COUNT];
static struct software_ima list;

static struct bytes
public_der(EVP_PKEY *key, uint8_t *memory)
{
	unsigned char *at = memory;
	int size = i2d_PUBKEY(key, &at);

	assert_true(size > 0 && size < 2048);
	return (struct bytes){memory, (size_t)size};
}

static EVP_PKEY *
key_new(const char *kind)
{
	EVP_PKEY *key = strcmp(kind, "RSA") == 0 ? EVP_RSA_gen(2048) : EVP_EC_gen(kind);

	assert_non_null(key);
	return key;
}

static int
keys_make(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		uint8_t memory[2048];
		struct attest_error err;

		signers[i].key = key_new(KEYS[i]);
		assert_int_equal(attest_ima_key_decode(public_der(signers[i].key, memory),
						       &signers[i].public, &err),
				 ATTEST_OK);
		signers[i].der = (struct bytes){signers[i].public.der, signers[i].public.size};
	}
	return 0;
}

static int
keys_free(void **state)
{
	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++)
		EVP_PKEY_free(signers[i].key);
	return 0;
}

/* How a field of ima-sig is made, and what is wrong with it. */
struct made {
	uint8_t type, version, hash_number;
	const char *hash;
	bool verity;
	bool pss;
	int size_change; /* of what the header says */
	int id_change;
};

static const struct made RIGHT = {3, 2, 4, "sha256", false, false, 0, 0};

static size_t
sign(const struct signer *signer, const struct made *made, struct bytes digest,
     uint8_t field[FIELD_MAX])
{
	uint8_t input[80] = {made->type, made->hash_number};
	uint8_t hash[64];
	uint8_t signature[1024];
	size_t size = sizeof(signature);
	struct writer w = writer_of(field, FIELD_MAX);
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new(signer->key, NULL);

	if (made->version == 3) {
		memcpy(input + 2, digest.data, digest.size);
		digest.size =
			software_ima_hash(made->hash, (struct bytes){input, 2 + digest.size}, hash);
		digest.data = hash;
	}
	assert_int_equal(EVP_PKEY_sign_init(operation), 1);
	if (EVP_PKEY_get_base_id(signer->key) == EVP_PKEY_RSA)
		assert_int_equal(
			EVP_PKEY_CTX_set_rsa_padding(operation, made->pss ? RSA_PKCS1_PSS_PADDING
									  : RSA_PKCS1_PADDING),
			1);
	assert_int_equal(EVP_PKEY_CTX_set_signature_md(operation, EVP_get_digestbyname(made->hash)),
			 1);
	assert_int_equal(EVP_PKEY_sign(operation, signature, &size, digest.data, digest.size), 1);
	EVP_PKEY_CTX_free(operation);
	write_u8(&w, made->type);
	write_u8(&w, made->version);
	write_u8(&w, made->hash_number);
	write_bytes(&w, (struct bytes){signer->public.id, 3});
	write_u8(&w, (uint8_t)(signer->public.id[3] + made->id_change));
	write_be16(&w, (uint16_t)(size + (size_t)made->size_change));
	write_bytes(&w, (struct bytes){signature, size});
	assert_false(w.failed);
	return w.size;
}

/* The data of an entry: digest of "content" by made->hash, a name, the field. */
static struct bytes
entry_of(const struct made *made, struct bytes digest, struct bytes field, uint8_t memory[2048])
{
	char prefix[32];
	uint8_t named[96];
	const struct bytes fields[] = {{named, 0}, {(const uint8_t *)"/usr/bin/x", 11}, field};
	struct bytes all[3];

	memcpy(all, fields, sizeof(all));
	snprintf(prefix, sizeof(prefix), "%s%s", made->verity ? "verity:" : "", made->hash);
	all[0].size = software_ima_digest(prefix, digest, named, sizeof(named));
	return (struct bytes){memory, software_ima_fields(all, 3, memory, 2048)};
}

static enum attest_ima_signature
judge(struct bytes data, const struct bytes *keys, size_t key_count)
{
	static struct attest_ima_list reading;
	struct attest_ima_judge *judge = NULL;
	struct attest_ima_entry entry;
	struct attest_ima_verdict verdict;
	struct attest_error err;
	bool end = false;

	list = (struct software_ima){0};
	software_ima_add(&list, 10, "ima-sig", data);
	assert_int_equal(attest_ima_open(software_ima_bytes(&list), &reading, &err), ATTEST_OK);
	assert_int_equal(attest_ima_next(&reading, &entry, &end, &err), ATTEST_OK);
	assert_int_equal(attest_ima_judge_new(NULL, keys, key_count, &judge, &err), ATTEST_OK);
	assert_int_equal(attest_ima_judge_entry(judge, &entry, &verdict, &err), ATTEST_OK);
	attest_ima_judge_free(judge);
	assert_int_equal(verdict.kind, ATTEST_IMA_FILE);
	return verdict.signature;
}

static enum attest_ima_signature
judge_made(const struct signer *signer, const struct made *made)
{
	uint8_t digest[64], field[FIELD_MAX], memory[2048];
	struct bytes hash = {digest, software_ima_hash(made->hash, software_ima_text("x"), digest)};
	size_t size = sign(signer, made, hash, field);

	return judge(entry_of(made, hash, (struct bytes){field, size}, memory), &signer->der, 1);
}

static void
each_key_signs(void **state)
{
	static const struct made made[] = {
		{3, 2, 4, "sha256", false, false, 0, 0}, {3, 2, 5, "sha384", false, false, 0, 0},
		{3, 2, 6, "sha512", false, false, 0, 0}, {6, 3, 4, "sha256", true, false, 0, 0},
		{3, 3, 6, "sha512", false, false, 0, 0},
	};

	(void)state;
	for (size_t key = 0; key < KEY_COUNT; key++)
		for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
			if (judge_made(&signers[key], &made[i]) != ATTEST_IMA_SIGNATURE_GOOD)
				fail_msg("%s, %s, version %u", KEYS[key], made[i].hash,
					 made[i].version);
}

static void
what_is_wrong_has_a_name(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *name;
		struct made made;
		enum attest_ima_signature want;
	} cases[] = {
		{"version 1", {3, 1, 4, "sha256", false, false, 0, 0}, ATTEST_IMA_SIGNATURE_OTHER},
		{"version 4",
		 {3, 4, 4, "sha256", false, false, 0, 0},
		 ATTEST_IMA_SIGNATURE_MALFORMED},
		{"EVM's", {5, 2, 4, "sha256", false, false, 0, 0}, ATTEST_IMA_SIGNATURE_OTHER},
		{"an HMAC", {2, 2, 4, "sha256", false, false, 0, 0}, ATTEST_IMA_SIGNATURE_OTHER},
		{"fs-verity's, version 2",
		 {6, 2, 4, "sha256", true, false, 0, 0},
		 ATTEST_IMA_SIGNATURE_MALFORMED},
		{"SHA-1", {3, 2, 2, "sha1", false, false, 0, 0}, ATTEST_IMA_SIGNATURE_OTHER},
		{"another hash's number",
		 {3, 2, 5, "sha256", false, false, 0, 0},
		 ATTEST_IMA_SIGNATURE_BAD},
		{"of a file, for fs-verity",
		 {3, 2, 4, "sha256", true, false, 0, 0},
		 ATTEST_IMA_SIGNATURE_BAD},
		{"of fs-verity, for a file",
		 {6, 3, 4, "sha256", false, false, 0, 0},
		 ATTEST_IMA_SIGNATURE_BAD},
		{"PSS", {3, 2, 4, "sha256", false, true, 0, 0}, ATTEST_IMA_SIGNATURE_BAD},
		{"a size too small",
		 {3, 2, 4, "sha256", false, false, -1, 0},
		 ATTEST_IMA_SIGNATURE_MALFORMED},
		{"a size too large",
		 {3, 2, 4, "sha256", false, false, 1, 0},
		 ATTEST_IMA_SIGNATURE_MALFORMED},
		{"a key id that nobody has",
		 {3, 2, 4, "sha256", false, false, 0, 1},
		 ATTEST_IMA_SIGNATURE_NO_KEY},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (judge_made(&signers[0], &cases[i].made) != cases[i].want)
			fail_msg("%s: %d", cases[i].name, judge_made(&signers[0], &cases[i].made));
}

struct spoiled {
	struct bytes digest;
	const struct signer *signer;
};

static bool
field_is_good(struct bytes field, void *user)
{
	const struct spoiled *spoiled = user;
	uint8_t memory[2048];

	return judge(entry_of(&RIGHT, spoiled->digest, field, memory), &spoiled->signer->der, 1) ==
	       ATTEST_IMA_SIGNATURE_GOOD;
}

static void
every_bit_of_a_signature_counts(void **state)
{
	uint8_t digest[64], field[FIELD_MAX];
	struct spoiled spoiled = {
		{digest, software_ima_hash("sha256", software_ima_text("x"), digest)}, &signers[1]};
	size_t size = sign(&signers[1], &RIGHT, spoiled.digest, field);

	(void)state;
	assert_true(accepts_copy((struct bytes){field, size}, field_is_good, &spoiled));
	refuses_flips((struct bytes){field, size}, 0, size, field_is_good, &spoiled);
	refuses_other_sizes((struct bytes){field, size}, field_is_good, &spoiled);
	digest[0] ^= 1; /* of another file */
	assert_false(accepts_copy((struct bytes){field, size}, field_is_good, &spoiled));
}

/* The key id decides; another key's signature under its id does not verify. */
static void
keys_are_not_tried_in_turn(void **state)
{
	uint8_t digest[64], field[FIELD_MAX], memory[2048];
	struct bytes hash = {digest, software_ima_hash("sha256", software_ima_text("x"), digest)};
	struct bytes keys[KEY_COUNT];
	size_t size = sign(&signers[2], &RIGHT, hash, field);

	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++)
		keys[i] = signers[i].der;
	struct bytes data = entry_of(&RIGHT, hash, (struct bytes){field, size}, memory);
	assert_int_equal(judge(data, keys, KEY_COUNT), ATTEST_IMA_SIGNATURE_GOOD);
	assert_int_equal(judge(data, keys, 2), ATTEST_IMA_SIGNATURE_NO_KEY);
	assert_int_equal(judge(data, NULL, 0), ATTEST_IMA_SIGNATURE_NO_KEY);
	memcpy(field + 3, signers[1].public.id, 4);
	data = entry_of(&RIGHT, hash, (struct bytes){field, size}, memory);
	assert_int_equal(judge(data, keys, KEY_COUNT), ATTEST_IMA_SIGNATURE_BAD);
	/* Under the same id: whoever gives a key twice has it twice. */
	keys[0] = keys[2];
	memcpy(field + 3, signers[2].public.id, 4);
	data = entry_of(&RIGHT, hash, (struct bytes){field, size}, memory);
	assert_int_equal(judge(data, keys, KEY_COUNT), ATTEST_IMA_SIGNATURE_GOOD);
}

static void
all_files_are_signed_or_not(void **state)
{
	static const struct {
		bool second_signed, violation, buffer;
		enum attest_bank bank;
		enum attest_answer want;
	} cases[] = {
		{true, false, false, ATTEST_SHA256, ATTEST_YES},
		{true, false, true, ATTEST_SHA512, ATTEST_YES},
		{false, false, false, ATTEST_SHA256, ATTEST_NO},
		{true, true, false, ATTEST_SHA256, ATTEST_NO},
		{true, false, false, ATTEST_SHA1, ATTEST_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t digest[64], field[FIELD_MAX], memory[2048];
		struct attest_ima_report report;
		struct attest_claims claims = {0};
		struct attest_error err;
		struct bytes hash = {digest, 32};

		list = (struct software_ima){0};
		software_ima_boot(&list);
		for (unsigned file = 0; file < 2; file++) {
			software_ima_hash("sha256", software_ima_text(file == 0 ? "a" : "b"),
					  digest);
			size_t size = sign(&signers[file], &RIGHT, hash, field);
			if (file == 1 && !cases[i].second_signed)
				size = 0;
			software_ima_add(
				&list, 10, "ima-sig",
				entry_of(&RIGHT, hash, (struct bytes){field, size}, memory));
		}
		if (cases[i].violation)
			software_ima_violation(&list, "/v");
		if (cases[i].buffer)
			software_ima_buffer(&list, ".ima", "0key");
		const struct bytes keys[] = {signers[0].der, signers[1].der};
		const struct attest_ima_input input = {
			.list = software_ima_bytes(&list),
			.bank = cases[i].bank,
			.quoted = {list.pcr10[cases[i].bank], attest_bank_size(cases[i].bank)},
			.keys = keys,
			.key_count = 2,
		};
		assert_int_equal(attest_ima_examine(&input, &report, &err), ATTEST_OK);
		attest_ima_claims(&report, &claims);
		assert_int_equal(attest_claims_answer(&claims, CLAIM_IMA_ALL_SIGNED),
				 cases[i].want);
		assert_int_equal(attest_claims_answer(&claims, CLAIM_IMA_ALL_LISTED),
				 ATTEST_UNKNOWN);
	}
}

/* Whoever sends a list chooses how many signatures it has: by a slow curve some thousands are
 * verified, and past them nothing is known to be signed. */
static void
an_examination_ends(void **state)
{
	enum { FILES = 4001 };
	static struct software_ima part;
	static uint8_t memory[8 * 1024 * 1024];
	struct writer whole = writer_of(memory, sizeof(memory));
	uint8_t digest[64], field[FIELD_MAX], data[2048];
	struct bytes hash = {digest, software_ima_hash("sha256", software_ima_text("x"), digest)};
	struct bytes value = {field, sign(&signers[2], &RIGHT, hash, field)};
	struct bytes entry = entry_of(&RIGHT, hash, value, data);
	struct attest_ima_input input = {
		.bank = ATTEST_SHA256, .keys = &signers[2].der, .key_count = 1};

	(void)state;
	part = (struct software_ima){0};
	for (size_t i = 0; i < FILES; i++) {
		struct attest_ima_report report;
		struct attest_error err;
		part.size = 0;
		software_ima_add(&part, 10, "ima-sig", entry);
		write_bytes(&whole, software_ima_bytes(&part));
		if (i + 2 < FILES)
			continue;
		input.list = writer_bytes(&whole);
		input.quoted = (struct bytes){part.pcr10[ATTEST_SHA256], 32};
		assert_int_equal(attest_ima_examine(&input, &report, &err), ATTEST_OK);
		assert_int_equal(report.point.entries, i + 1);
		assert_int_equal(report.point.all_signed, i + 1 < FILES);
	}
}

/* ---- keys ---- */

static X509 *
certificate_new(EVP_PKEY *key, const char *id)
{
	X509 *certificate = X509_new();
	ASN1_OCTET_STRING *value = s2i_ASN1_OCTET_STRING(NULL, NULL, id);

	assert_true(certificate != NULL && value != NULL);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 60);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_key_identifier, value, 0, 0),
			 1);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	ASN1_OCTET_STRING_free(value);
	return certificate;
}

/* evmctl signs under the certificate's own id where it is told to. */
static void
certificates_bring_their_own_id(void **state)
{
	uint8_t digest[64], field[FIELD_MAX], memory[2048];
	struct bytes hash = {digest, software_ima_hash("sha256", software_ima_text("x"), digest)};
	X509 *certificate = certificate_new(signers[1].key, "0a0b0c0d0e0f");
	struct signer signer = {.key = signers[1].key};
	unsigned char *der = NULL;
	struct attest_error err;

	(void)state;
	int size = i2d_X509(certificate, &der);
	X509_free(certificate);
	assert_int_equal(
		attest_ima_key_decode((struct bytes){der, (size_t)size}, &signer.public, &err),
		ATTEST_OK);
	OPENSSL_free(der);
	signer.der = (struct bytes){signer.public.der, signer.public.size};
	assert_memory_equal(signer.public.id, "\x0c\x0d\x0e\x0f", 4);
	for (unsigned own = 0; own < 2; own++) {
		if (!own) /* and under that of the key */
			memcpy(signer.public.id, signers[1].public.id, 4);
		struct bytes value = {field, sign(&signer, &RIGHT, hash, field)};
		assert_int_equal(judge(entry_of(&RIGHT, hash, value, memory), &signer.der, 1),
				 ATTEST_IMA_SIGNATURE_GOOD);
	}
}

static bool
key_decodes(struct bytes file, void *user)
{
	struct attest_ima_key key;
	struct attest_error err;

	(void)user;
	return attest_ima_key_decode(file, &key, &err) == ATTEST_OK;
}

static void
keys_are_pem_or_der(void **state)
{
	struct attest_ima_key key;
	struct attest_error err;
	char *text = NULL;

	(void)state;
	for (size_t i = 0; i < KEY_COUNT; i++) {
		BIO *bio = BIO_new(BIO_s_mem());
		assert_int_equal(PEM_write_bio_PUBKEY(bio, signers[i].key), 1);
		long size = BIO_get_mem_data(bio, &text);
		assert_int_equal(
			attest_ima_key_decode((struct bytes){(const uint8_t *)text, (size_t)size},
					      &key, &err),
			ATTEST_OK);
		assert_true(bytes_equal(signers[i].der, (struct bytes){key.der, key.size}));
		assert_memory_equal(key.id, signers[i].public.id, 4);
		BIO_free(bio);
	}
	refuses_other_sizes(signers[1].der, key_decodes, NULL);
}

/* By an exponent of 1 every signature is a number that anybody can write down. */
static EVP_PKEY *
rsa_with_exponent(unsigned long exponent)
{
	EVP_PKEY *honest = EVP_RSA_gen(2048), *key = NULL;
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = NULL;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();

	assert_int_equal(EVP_PKEY_get_bn_param(honest, "n", &n), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_BN(builder, "n", n), 1);
	assert_int_equal(OSSL_PARAM_BLD_push_ulong(builder, "e", exponent), 1);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	assert_int_equal(EVP_PKEY_fromdata_init(operation), 1);
	assert_int_equal(EVP_PKEY_fromdata(operation, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	EVP_PKEY_CTX_free(operation);
	BN_free(n);
	EVP_PKEY_free(honest);
	return key;
}

static void
keys_that_sign_nothing_are_refused(void **state)
{
	EVP_PKEY *keys[] = {EVP_RSA_gen(1024),
			    EVP_EC_gen("P-224"),
			    EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"),
			    EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
			    rsa_with_exponent(1),
			    rsa_with_exponent(4),
			    rsa_with_exponent(0x100000001)};
	struct attest_ima_key key;
	struct attest_error err;
	struct bytes many[ATTEST_IMA_KEYS_MAX + 1];
	struct attest_ima_judge *judge = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		uint8_t memory[2048];

		assert_int_equal(attest_ima_key_decode(public_der(keys[i], memory), &key, &err),
				 ATTEST_UNSUPPORTED);
		EVP_PKEY_free(keys[i]);
	}
	assert_int_equal(attest_ima_key_decode(software_ima_text(""), &key, &err), ATTEST_LIMIT);
	assert_int_equal(attest_ima_key_decode(software_ima_text("key"), &key, &err),
			 ATTEST_MALFORMED);
	for (size_t i = 0; i <= ATTEST_IMA_KEYS_MAX; i++)
		many[i] = signers[1].der;
	assert_int_equal(attest_ima_judge_new(NULL, many, ATTEST_IMA_KEYS_MAX + 1, &judge, &err),
			 ATTEST_LIMIT);
	assert_int_equal(attest_ima_judge_new(NULL, many, ATTEST_IMA_KEYS_MAX, &judge, &err),
			 ATTEST_OK);
	attest_ima_judge_free(judge);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_signs),
		cmocka_unit_test(what_is_wrong_has_a_name),
		cmocka_unit_test(every_bit_of_a_signature_counts),
		cmocka_unit_test(keys_are_not_tried_in_turn),
		cmocka_unit_test(all_files_are_signed_or_not),
		cmocka_unit_test(an_examination_ends),
		cmocka_unit_test(certificates_bring_their_own_id),
		cmocka_unit_test(keys_are_pem_or_der),
		cmocka_unit_test(keys_that_sign_nothing_are_refused),
	};

	return cmocka_run_group_tests(tests, keys_make, keys_free);
}
