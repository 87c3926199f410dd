/* SPDX-License-Identifier: Apache-2.0 */
#include "signature.h"

#include "error.h"
#include "tpm.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdio.h>

#define DER_INTEGER_MAX (2 + 1 + COORDINATE_SIZE_MAX)

/* ---- decoding ---- */

/* TPMT_SIGNATURE, Part 2, 11.3.4. */
bool
signature_decode(struct bytes tpmt_signature, struct signature *ret_signature)
{
	struct signature signature = {0};
	struct reader r = reader_of(tpmt_signature);

	signature.algorithm = read_be16(&r);
	signature.hash = signature.algorithm == TPM_ALG_NULL ? TPM_ALG_NULL : read_be16(&r);
	switch (signature.algorithm) {
	case TPM_ALG_ECDSA:
		signature.numbers[0] = read_bytes_be16(&r);
		signature.numbers[1] = read_bytes_be16(&r);
		break;
	case TPM_ALG_RSASSA:
	case TPM_ALG_RSAPSS:
		signature.numbers[0] = read_bytes_be16(&r);
		break;
	case TPM_ALG_ECDAA:
	case TPM_ALG_SM2:
	case TPM_ALG_ECSCHNORR:
	case TPM_ALG_HMAC:
	case TPM_ALG_NULL:
		read_bytes(&r, r.left);
		break;
	default:
		reader_fail(&r);
	}
	if (!reader_finished(&r))
		return false;
	*ret_signature = signature;
	return true;
}

/* ---- judging ---- */

/* "quote" and "scheme" to "quote.scheme". */
struct check {
	char name[sizeof(((struct attest_error *)0)->check)];
};

static struct check
check_of(const char *subject, const char *what)
{
	struct check check;

	snprintf(check.name, sizeof(check.name), "%s.%s", subject, what);
	return check;
}

static bool
scheme_fits(const struct signing_key *key, const struct signature *signature)
{
	if (key->scheme != TPM_ALG_NULL)
		return signature->algorithm == key->scheme && signature->hash == key->scheme_hash;
	if (hash_kind_of(signature->hash) == NULL)
		return false;
	return key->type == TPM_ALG_ECC ? signature->algorithm == TPM_ALG_ECDSA
					: signature->algorithm == TPM_ALG_RSASSA ||
						  signature->algorithm == TPM_ALG_RSAPSS;
}

static enum attest_status
refuse_scheme(const char *subject, const struct signing_key *key, const struct signature *signature,
	      struct attest_error *err)
{
	uint8_t expected[4], seen[4];
	struct writer e = writer_of(expected, sizeof(expected));
	struct writer s = writer_of(seen, sizeof(seen));

	write_be16(&s, signature->algorithm);
	write_be16(&s, signature->hash);
	if (key->scheme == TPM_ALG_NULL)
		return attest_differs(err, ATTEST_REFUSED, check_of(subject, "scheme").name,
				      (struct bytes){0}, writer_bytes(&s),
				      "not a scheme of this kind of key, or not SHA-2");
	write_be16(&e, key->scheme);
	write_be16(&e, key->scheme_hash);
	return attest_differs(err, ATTEST_REFUSED, check_of(subject, "scheme").name,
			      writer_bytes(&e), writer_bytes(&s),
			      "not signed with the key's scheme and hash");
}

enum attest_status
signature_read(const char *subject, const struct signing_key *key, struct bytes tpmt_signature,
	       struct signature *ret_signature, struct attest_error *err)
{
	struct signature signature = {0};
	struct reader r = reader_of(tpmt_signature);

	bool decoded = signature_decode(tpmt_signature, &signature);
	if (!decoded) {
		signature.algorithm = read_be16(&r);
		signature.hash = read_be16(&r);
	}
	/* Another scheme is told even when its body is laid out otherwise. */
	if ((decoded || !r.failed) && !scheme_fits(key, &signature))
		return refuse_scheme(subject, key, &signature, err);
	if (!decoded)
		return attest_fail(err, ATTEST_MALFORMED, check_of(subject, "signature.parse").name,
				   "TPMT_SIGNATURE: %zu bytes do not parse", tpmt_signature.size);
	*ret_signature = signature;
	return ATTEST_OK;
}

bool
signature_open_hasher(const struct signing_key *key, const struct signature *signature,
		      struct hasher *ret_hasher)
{
	return key->hash != NULL ? hasher_open_with(ret_hasher, key->hash)
				 : hasher_open(ret_hasher, hash_kind_of(signature->hash)->name);
}

/* One INTEGER of ECDSA-Sig-Value from an unsigned number. */
static bool
write_der_integer(struct writer *w, struct bytes number)
{
	struct reader r = reader_of(number);

	while (r.left > 0 && *r.next == 0)
		read_u8(&r);
	/* Nothing left: zero, which no ECDSA signature holds. */
	if (r.left == 0)
		return false;
	bool negative = (*r.next & 0x80) != 0;
	write_u8(w, 0x02);
	write_u8(w, (uint8_t)(r.left + negative));
	if (negative)
		write_u8(w, 0);
	write_bytes(w, read_bytes(&r, r.left));
	return !w->failed;
}

/* On P-384 the body has 102 bytes at most: the short form of a length does. */
_Static_assert(2 * DER_INTEGER_MAX < 0x80, "one byte holds the length");

static bool
write_der_signature(struct writer *w, struct bytes r, struct bytes s)
{
	uint8_t body[2 * DER_INTEGER_MAX];
	struct writer inner = writer_of(body, sizeof(body));

	if (!write_der_integer(&inner, r) || !write_der_integer(&inner, s))
		return false;
	write_u8(w, 0x30);
	write_u8(w, (uint8_t)inner.size);
	write_bytes(w, writer_bytes(&inner));
	return !w->failed;
}

/* What EVP_PKEY_verify takes: ECDSA-Sig-Value, or the RSA signature as it is. */
static enum attest_status
write_numbers(const char *subject, const struct signing_key *key, const struct signature *signature,
	      struct writer *ret_numbers, struct attest_error *err)
{
	struct bytes first = signature->numbers[0];
	struct bytes second = signature->numbers[1];

	if (key->type == TPM_ALG_RSA) {
		if (first.size != key->size)
			return attest_fail(err, ATTEST_REFUSED,
					   check_of(subject, "signature.size").name,
					   "%zu bytes by a key of %u bits", first.size, key->bits);
		write_bytes(ret_numbers, first);
		return ATTEST_OK;
	}
	if (first.size == 0 || first.size > key->size || second.size == 0 ||
	    second.size > key->size)
		return attest_fail(err, ATTEST_REFUSED, check_of(subject, "signature.size").name,
				   "r of %zu and s of %zu bytes on P-%u", first.size, second.size,
				   key->bits);
	if (!write_der_signature(ret_numbers, first, second))
		return attest_fail(err, ATTEST_REFUSED, check_of(subject, "signature.zero").name,
				   "r or s is zero, which no signature has");
	return ATTEST_OK;
}

/* `salt`: OpenSSL's word for the length of PSS's. */
static bool
prepare(EVP_PKEY_CTX *operation, const struct signature *signature, const EVP_MD *hash, int salt)
{
	if (EVP_PKEY_verify_init(operation) != 1)
		return false;
	if (signature->algorithm == TPM_ALG_ECDSA)
		return true;
	if (signature->algorithm == TPM_ALG_RSASSA)
		return EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_signature_md(operation, hash) == 1;
	return EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_signature_md(operation, hash) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(operation, hash) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, salt) == 1;
}

/* PSS: TPMs make salts of two lengths and tell neither (Part 1, B.7): the digest's, as FIPS 186
 * wants, or the largest that fits. No other is accepted. False: it could not be judged. */
static bool
judge(EVP_PKEY_CTX *operation, const struct signature *signature, const EVP_MD *hash,
      struct bytes numbers, struct bytes digest, bool *ret_verified)
{
	static const int salts[] = {RSA_PSS_SALTLEN_DIGEST, RSA_PSS_SALTLEN_MAX};
	size_t tries = signature->algorithm == TPM_ALG_RSAPSS ? 2 : 1;
	bool verified = false;

	for (size_t i = 0; i < tries && !verified; i++) {
		if (!prepare(operation, signature, hash, salts[i]))
			return false;
		verified = EVP_PKEY_verify(operation, numbers.data, numbers.size, digest.data,
					   digest.size) == 1;
	}
	*ret_verified = verified;
	return true;
}

enum attest_status
signature_verify(const char *subject, const struct signing_key *key,
		 const struct signature *signature, struct hasher *hasher, struct bytes message,
		 struct attest_error *err)
{
	uint8_t numbers[MODULUS_SIZE_MAX];
	struct writer w = writer_of(numbers, sizeof(numbers));
	uint8_t digest[HASH_SIZE_MAX];

	enum attest_status status = write_numbers(subject, key, signature, &w, err);
	if (status != ATTEST_OK)
		return status;
	auto_pkey_operation *operation = EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL);
	if (operation == NULL || !hash_pieces(hasher, &message, 1, digest))
		return attest_fail_memory(err);
	struct bytes hashed = {digest, (size_t)EVP_MD_get_size(hasher->algorithm)};
	bool verified = false;
	bool judged =
		judge(operation, signature, hasher->algorithm, writer_bytes(&w), hashed, &verified);
	if (verified)
		return ATTEST_OK;
	ERR_clear_error();
	if (!judged)
		return attest_fail_memory(err);
	return attest_fail(err, ATTEST_SIGNATURE, check_of(subject, "signature").name,
			   "the key did not sign this message");
}

enum attest_status
signature_verify_message(const char *subject, const struct signing_key *key,
			 struct bytes tpmt_signature, struct bytes message,
			 struct attest_error *err)
{
	struct signature signature;
	auto_hasher hasher = {0};

	enum attest_status status = signature_read(subject, key, tpmt_signature, &signature, err);
	if (status != ATTEST_OK)
		return status;
	if (!signature_open_hasher(key, &signature, &hasher))
		return attest_fail_memory(err);
	return signature_verify(subject, key, &signature, &hasher, message, err);
}
