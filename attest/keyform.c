/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The forms cannot be taken for each other: a TPMT_PUBLIC begins with 0001 or 0023, which as the
 * size of a TPM2B would be less than any key; DER begins with 30, and no TPM2B here is that long;
 * PEM begins with dashes, likewise.
 */
#include "keyform.h"

#include "error.h"

#include <ctype.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#define DER_SEQUENCE 0x30

static const uint8_t PEM_BEGIN[] = {'-', '-', '-', '-', '-', 'B', 'E', 'G', 'I', 'N', ' '};

void
key_given_clear(struct key_given *given)
{
	EVP_PKEY_free(given->foreign);
	*given = (struct key_given){0};
}

struct bytes
sized_contents(struct bytes input, bool *ret_sized)
{
	struct reader r = reader_of(input);
	struct bytes inner = read_bytes_be16(&r);

	*ret_sized = reader_finished(&r);
	return *ret_sized ? inner : input;
}

/* Just as OpenSSL would write it: what it reads is BER, in which one key has many spellings, and a
 * point may be compressed or hybrid. */
static bool
spelled_so(EVP_PKEY *key, struct bytes der)
{
	unsigned char *again = NULL;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	    EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
					   OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) != 1)
		return false;
	int size = i2d_PUBKEY(key, &again);
	bool same = size > 0 && bytes_equal(der, (struct bytes){again, (size_t)size});

	OPENSSL_free(again);
	return same;
}

static EVP_PKEY *
decode_spki(struct bytes der)
{
	const unsigned char *next = der.data;
	EVP_PKEY *key = d2i_PUBKEY(NULL, &next, (long)der.size);

	if (key != NULL && !spelled_so(key, der)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();
	return key;
}

/* What OpenSSL allocates for one block of PEM. */
struct pem_block {
	BIO *text;
	char *label;
	char *header;
	unsigned char *der;
};

static void
pem_block_clear(struct pem_block *block)
{
	BIO_free(block->text);
	OPENSSL_free(block->label);
	OPENSSL_free(block->header);
	OPENSSL_free(block->der);
}

/* Nothing but white space is left: a second key behind the first would be one that nobody sees. */
static bool
rest_is_blank(BIO *text)
{
	char c;

	while (BIO_read(text, &c, 1) == 1)
		if (isspace((unsigned char)c) == 0)
			return false;
	return true;
}

static enum attest_status
read_pem(struct bytes input, struct key_given *given, struct attest_error *err)
{
	__attribute__((cleanup(pem_block_clear))) struct pem_block block = {
		.text = BIO_new_mem_buf(input.data, (int)input.size)};
	long size = 0;

	if (block.text == NULL)
		return attest_fail_memory(err);
	int read = PEM_read_bio(block.text, &block.label, &block.header, &block.der, &size);
	ERR_clear_error();
	if (read != 1)
		return attest_fail(err, ATTEST_MALFORMED, "ak.parse",
				   "PEM: the block is cut off, or is not base64");
	if (!rest_is_blank(block.text))
		return attest_fail(err, ATTEST_MALFORMED, "ak.parse",
				   "PEM: something follows the key: a file of one key is wanted");
	if (strcmp(block.label, PEM_STRING_PUBLIC) != 0)
		return attest_fail(err, ATTEST_MALFORMED, "ak.parse", "PEM: not a PUBLIC KEY%s",
				   strcmp(block.label, PEM_STRING_X509) == 0
					   ? " but a certificate: `openssl x509 -pubkey -noout` "
					     "prints its key"
					   : "");
	given->form = ATTEST_SPKI_PEM;
	given->foreign = decode_spki((struct bytes){block.der, (size_t)size});
	return ATTEST_OK;
}

static bool
begins_with(struct bytes input, struct bytes start)
{
	return input.size >= start.size &&
	       bytes_equal((struct bytes){input.data, start.size}, start);
}

static enum attest_status
read_any(struct bytes input, struct key_given *given, struct attest_error *err)
{
	bool sized;

	if (begins_with(input, BYTES_OF(PEM_BEGIN)))
		return read_pem(input, given, err);
	if (input.size > 0 && memmem(input.data, input.size, PEM_BEGIN, sizeof(PEM_BEGIN)) != NULL)
		return attest_fail(err, ATTEST_MALFORMED, "ak.parse",
				   "PEM: something stands before the key: a file of one key is "
				   "wanted");
	if (input.size > 0 && input.data[0] == DER_SEQUENCE) {
		given->form = ATTEST_SPKI_DER;
		given->foreign = decode_spki(input);
		return ATTEST_OK;
	}
	struct bytes area = sized_contents(input, &sized);
	given->form = sized ? ATTEST_TPM2B_PUBLIC : ATTEST_TPMT_PUBLIC;
	given->area_known = public_area_decode(area, &given->area);
	return ATTEST_OK;
}

enum attest_status
key_given_read(struct bytes input, struct key_given *ret_given, struct attest_error *err)
{
	auto_key_given given = {0};

	if (input.size > ATTEST_KEY_FILE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "ak.size", "a key of %zu bytes, at most %d",
				   input.size, ATTEST_KEY_FILE_MAX);
	enum attest_status status = read_any(input, &given, err);
	if (status != ATTEST_OK)
		return status;
	if (!given.area_known && given.foreign == NULL)
		return attest_fail(err, ATTEST_MALFORMED, "ak.parse",
				   "%zu bytes are no TPMT_PUBLIC, TPM2B_PUBLIC or "
				   "SubjectPublicKeyInfo of a key that signs",
				   input.size);
	*ret_given = given;
	given = (struct key_given){0};
	return ATTEST_OK;
}
