/* SPDX-License-Identifier: Apache-2.0 */
/* The endorsement key, and what its maker left about it in NV (TCG EK Credential Profile for
 * TPM 2.0, 2.2.1). */
#include "internal.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_FIRST	  0x01C00100u
#define CHAIN_LAST	  0x01C001FFu
#define CHAIN_INDICES_MAX 32
#define CHAIN_SIZE_MAX	  (2 * ATTEST_CHAIN_MAX * ATTEST_CERTIFICATE_MAX)

struct place {
	enum attester_ek_kind kind;
	TPM2_HANDLE certificate;
};

/* In the order in which a kind is chosen where the caller leaves the choice. */
static const struct place places[] = {
	{ATTESTER_EK_RSA_2048, 0x01C00002},
	{ATTESTER_EK_P384, 0x01C00016},
	{ATTESTER_EK_P256, 0x01C0000A},
};

#define PLACES (sizeof(places) / sizeof(places[0]))

static void
free_memory(void *pointer)
{
	void *memory;

	memcpy(&memory, pointer,
	       sizeof(memory)); /* the address of some T *, read without aliasing it */
	free(memory);
}

#define auto_free __attribute__((cleanup(free_memory)))

/* The certificate as it lies in NV: headers and padding are the verifier's to judge. None: size 0.
 */
static enum attester_status
read_certificate(struct attester *attester, TPM2_HANDLE handle, struct attester_ek *ek,
		 struct attester_error *err)
{
	enum attester_status status =
		attester_nv_read(attester, handle, sizeof(ek->certificates[0].der),
				 ek->certificates[0].der, &ek->certificates[0].size, err);
	if (status == ATTESTER_OK && ek->certificates[0].size > 0)
		ek->certificate_count = 1;
	return status;
}

/*
 * Splits concatenated DER. A chain only helps a verifier to find its path, so what is no
 * certificate, or one too many, ends it and is no error.
 */
static void
split_chain(const uint8_t *bytes, size_t size, struct attester_ek *ek)
{
	const uint8_t *end = bytes + size;

	while (bytes < end && ek->certificate_count < 1 + ATTEST_CHAIN_MAX) {
		const unsigned char *content = bytes;
		long length;
		int tag, class;

		/* V_ASN1_CONSTRUCTED alone: a constructed value of definite length that ends inside
		 * the input. */
		if (ASN1_get_object(&content, &length, &tag, &class, end - bytes) !=
			    V_ASN1_CONSTRUCTED ||
		    tag != V_ASN1_SEQUENCE)
			return;
		size_t whole = (size_t)(content - bytes) + (size_t)length;
		if (whole > sizeof(ek->certificates[0].der))
			return;
		ek->certificates[ek->certificate_count].size = whole;
		memcpy(ek->certificates[ek->certificate_count].der, bytes, whole);
		ek->certificate_count++;
		bytes += whole;
	}
}

/* The chain is one text over consecutive indices: a certificate may begin in one and end in the
 * next. */
static enum attester_status
read_chain(struct attester *attester, struct attester_ek *ek, struct attester_error *err)
{
	TPM2_HANDLE indices[CHAIN_INDICES_MAX];
	size_t count = 0;
	size_t size = 0;

	enum attester_status status = attester_nv_list(attester, CHAIN_FIRST, CHAIN_LAST,
						       CHAIN_INDICES_MAX, indices, &count, err);
	if (status != ATTESTER_OK || count == 0)
		return status;
	auto_free uint8_t *chain = malloc(CHAIN_SIZE_MAX);
	if (chain == NULL)
		return attester_fail(err, ATTESTER_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		size_t part = 0;

		status = attester_nv_read(attester, indices[i], CHAIN_SIZE_MAX - size, chain + size,
					  &part, err);
		if (status != ATTESTER_OK)
			return status;
		size += part;
	}
	/* What ends the chain is no error of whoever looks into OpenSSL's queue next. */
	ERR_set_mark();
	split_chain(chain, size, ek);
	ERR_pop_to_mark();
	return ATTESTER_OK;
}

static enum attester_status
make_and_describe(struct attester *attester, enum attester_ek_kind kind, struct attester_ek *ek,
		  struct attester_error *err)
{
	auto_handle struct attester_handle key = handle_of(attester);

	enum attester_status status = attester_make_ek(attester, kind, &key, err);
	if (status != ATTESTER_OK)
		return status;
	return attester_public_area(&key, sizeof(ek->public_area), ek->public_area,
				    &ek->public_size, err);
}

/* ATTESTER_EK_ANY without a certificate: the first kind that the TPM can make. */
static enum attester_status
first_makeable(struct attester *attester, enum attester_ek_kind *ret_kind, struct attester_ek *ek,
	       struct attester_error *err)
{
	enum attester_status status = ATTESTER_UNSUPPORTED;

	for (size_t i = 0; i < PLACES && status == ATTESTER_UNSUPPORTED; i++) {
		status = make_and_describe(attester, places[i].kind, ek, err);
		*ret_kind = places[i].kind;
	}
	return status;
}

/* The certificate of `kind`, or the first that there is, whose kind then becomes the kind. */
static enum attester_status
find_certificate(struct attester *attester, enum attester_ek_kind *kind, struct attester_ek *ek,
		 struct attester_error *err)
{
	for (size_t i = 0; i < PLACES; i++) {
		if (*kind != ATTESTER_EK_ANY && *kind != places[i].kind)
			continue;
		enum attester_status status =
			read_certificate(attester, places[i].certificate, ek, err);
		if (status != ATTESTER_OK)
			return status;
		if (ek->certificate_count > 0) {
			*kind = places[i].kind;
			return read_chain(attester, ek, err);
		}
	}
	return ATTESTER_OK;
}

enum attester_status
attester_ek(struct attester *attester, enum attester_ek_kind kind, struct attester_ek *ret_ek,
	    struct attester_error *err)
{
	auto_free struct attester_ek *ek = calloc(1, sizeof(*ek));

	if (ek == NULL)
		return attester_fail(err, ATTESTER_MEMORY, "out of memory");
	enum attester_status status = find_certificate(attester, &kind, ek, err);
	if (status != ATTESTER_OK)
		return status;
	if (kind == ATTESTER_EK_ANY)
		status = first_makeable(attester, &kind, ek, err);
	else
		status = make_and_describe(attester, kind, ek, err);
	if (status != ATTESTER_OK)
		return status;
	attester->ek = kind;
	memcpy(ret_ek, ek, sizeof(*ret_ek));
	return ATTESTER_OK;
}
