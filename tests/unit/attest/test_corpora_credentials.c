/* SPDX-License-Identifier: Apache-2.0 */
/* Published vectors of TPM2_MakeCredential, where POSTERN_SHARED says that there are some. */
#include "attest/credential.h"
#include "corpora.h"

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define QUOTES "quotes/"
#define EMU    QUOTES "keylime/emulator-files"

/* What tpm2_makecredential writes: a magic, a version, TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET. */
struct credential_file {
	struct bytes blob;
	struct bytes secret;
};

static struct credential_file
open_credential(struct bytes file)
{
	struct reader r = reader_of(file);
	struct credential_file credential;

	assert_int_equal(read_be32(&r), 0xbadcc0de);
	assert_int_equal(read_be32(&r), 1);
	credential.blob = read_bytes_be16(&r);
	credential.secret = read_bytes_be16(&r);
	assert_true(reader_finished(&r));
	return credential;
}

static struct bytes
hex_of(json_t *vector, const char *member)
{
	long size = 0;
	unsigned char *bytes =
		OPENSSL_hexstr2buf(json_string_value(json_object_get(vector, member)), &size);

	assert_non_null(bytes);
	return (struct bytes){bytes, (size_t)size};
}

static struct attest_ek *
ek_of(json_t *vector)
{
	struct bytes sized = hex_of(vector, "ek_tpm");
	struct reader r = reader_of(sized);
	struct attest_ek *ek = NULL;
	struct attest_error err;

	assert_int_equal(attest_ek_decode(read_bytes_be16(&r), &ek, &err), ATTEST_OK);
	OPENSSL_free((void *)(uintptr_t)sized.data);
	return ek;
}

static struct attest_name
name_of(json_t *vector)
{
	struct bytes bytes = hex_of(vector, "aik_name");
	struct attest_name name = {.size = bytes.size};

	memcpy(name.bytes, bytes.data, bytes.size);
	OPENSSL_free((void *)(uintptr_t)bytes.data);
	return name;
}

/* The vector's ephemeral key: its number is in the note, its point in what is expected. */
static EVP_PKEY *
ephemeral_of(struct bytes secret)
{
	static const char number[] =
		"7554831872450625200699280371363244875400980776515197495266864298"
		"8315053146586";
	struct reader r = reader_of(secret);
	uint8_t point[65] = {4};
	BIGNUM *private = NULL;
	EVP_PKEY *key = NULL;

	memcpy(point + 1, read_bytes_be16(&r).data, 32);
	memcpy(point + 33, read_bytes_be16(&r).data, 32);
	assert_true(BN_dec2bn(&private, number) > 0);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, private);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *operation = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	assert_int_equal(EVP_PKEY_fromdata_init(operation), 1);
	assert_int_equal(EVP_PKEY_fromdata(operation, &key, EVP_PKEY_KEYPAIR, params), 1);
	EVP_PKEY_CTX_free(operation);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(builder);
	BN_free(private);
	return key;
}

static void
seal_vector(json_t *vector, const struct attest_ek *ek, const uint8_t *seed, struct bytes want)
{
	struct attest_name name = name_of(vector);
	struct bytes challenge = hex_of(vector, "challenge");
	uint8_t blob[ATTEST_CREDENTIAL_MAX];
	struct writer w = writer_of(blob, sizeof(blob));

	assert_true(credential_seal(ek->template, seed, &name, challenge, &w));
	assert_int_equal(w.size, want.size);
	assert_memory_equal(blob, want.data, want.size);
	OPENSSL_free((void *)(uintptr_t)challenge.data);
}

static json_t *
load_vectors(void)
{
	struct bytes text = corpora_load(QUOTES "keylime/makecredential.json");
	json_t *vectors = json_loadb((const char *)text.data, text.size, 0, NULL);

	assert_non_null(vectors);
	corpora_unload(text);
	return vectors;
}

/* Its seed is 32 bytes of 12: all that is no encryption by RSA is compared. */
static void
the_rsa_credential_is_as_published(void **state)
{
	uint8_t seed[HASH_SIZE_MAX];

	(void)state;
	corpora_need();
	json_t *vectors = load_vectors();
	json_t *vector = json_object_get(vectors, "test_makecredential");
	struct attest_ek *ek = ek_of(vector);
	struct bytes expected = hex_of(vector, "expected_credential");
	struct reader r = reader_of(expected);
	memset(seed, 0x12, sizeof(seed));
	read_bytes(&r, 8);
	seal_vector(vector, ek, seed, read_bytes_be16(&r));
	assert_int_equal(read_be16(&r), ek->unique_size);
	assert_true(reader_finished(&r));
	OPENSSL_free((void *)(uintptr_t)expected.data);
	attest_ek_free(ek);
	json_decref(vectors);
}

/* All of it: KDFe from a known ephemeral key, then the same. */
static void
the_ecc_credential_is_as_published(void **state)
{
	uint8_t seed[HASH_SIZE_MAX];
	uint8_t shared[ATTEST_CREDENTIAL_MAX];
	struct writer w = writer_of(shared, sizeof(shared));

	(void)state;
	corpora_need();
	json_t *vectors = load_vectors();
	json_t *vector = json_object_get(vectors, "test_makecredential_ecc");
	struct attest_ek *ek = ek_of(vector);
	struct bytes expected = hex_of(vector, "expected_credential");
	struct credential_file file = open_credential(expected);
	EVP_PKEY *ephemeral = ephemeral_of(file.secret);
	assert_true(credential_agree(ek, ephemeral, seed, &w));
	assert_true(bytes_equal(writer_bytes(&w), file.secret));
	seal_vector(vector, ek, seed, file.blob);
	EVP_PKEY_free(ephemeral);
	OPENSSL_free((void *)(uintptr_t)expected.data);
	attest_ek_free(ek);
	json_decref(vectors);
}

/* tpm2_makecredential's for the emulator's keys is laid out as ours for them. */
static void
a_credential_is_laid_out_as_the_tools_lay_it(void **state)
{
	static const uint8_t secret[9] = "12345678\n";

	(void)state;
	corpora_need();
	struct bytes file = corpora_load(EMU "/"
					     "mkcred.out");
	struct bytes key = corpora_load(EMU "/"
					    "ek.pub");
	struct bytes ak = corpora_load(EMU "/"
					   "ak.name");
	struct credential_file theirs = open_credential(file);
	struct reader r = reader_of(key);
	struct attest_credential ours;
	struct attest_ek *ek = NULL;
	struct attest_error err;
	struct attest_name name = {.size = ak.size};
	memcpy(name.bytes, ak.data, ak.size);
	assert_int_equal(attest_ek_decode(read_bytes_be16(&r), &ek, &err), ATTEST_OK);
	assert_int_equal(attest_credential_make(ek, &name, BYTES_OF(secret), &ours, &err),
			 ATTEST_OK);
	assert_int_equal(ours.blob_size, theirs.blob.size);
	assert_int_equal(ours.secret_size, theirs.secret.size);
	assert_memory_equal(ours.blob, theirs.blob.data, 2);
	attest_ek_free(ek);
	corpora_unload(file);
	corpora_unload(key);
	corpora_unload(ak);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rsa_credential_is_as_published),
		cmocka_unit_test(the_ecc_credential_is_as_published),
		cmocka_unit_test(a_credential_is_laid_out_as_the_tools_lay_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
