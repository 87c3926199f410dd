/* SPDX-License-Identifier: Apache-2.0 */
/* Files of certificates and of CRLs: found here, judged elsewhere. */
#include "certificate.h"
#include "error.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

static const char PEM_BEGIN[] = "-----BEGIN ";

void
attest_bundle_clear(struct attest_bundle *bundle)
{
	free(bundle->items);
	free(bundle->memory);
	*bundle = (struct attest_bundle){0};
}
#define auto_bundle __attribute__((cleanup(attest_bundle_clear))) struct attest_bundle

static bool
is_pem(struct bytes file)
{
	return file.size > 0 &&
	       memmem(file.data, file.size, PEM_BEGIN, sizeof(PEM_BEGIN) - 1) != NULL;
}

static bool
label_fits(const char *label, enum attest_item kind)
{
	switch (kind) {
	case ATTEST_CERTIFICATE:
		/* The last is no certificate of a key, which its reader will say. */
		return strcmp(label, PEM_STRING_X509) == 0 ||
		       strcmp(label, PEM_STRING_X509_OLD) == 0 ||
		       strcmp(label, "ATTRIBUTE CERTIFICATE") == 0;
	case ATTEST_CRL:
		return strcmp(label, PEM_STRING_X509_CRL) == 0;
	}
	return false;
}

static inline void
bio_free_at(BIO **bio)
{
	BIO_free(*bio);
}

/* Where the next item's bytes go: DER is shorter than the base64 it came in, so that all fit in a
 * block of the file's size. */
static enum attest_status
add_item(struct attest_bundle *bundle, struct bytes item, struct attest_error *err)
{
	if (bundle->count == ATTEST_PILE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "bundle.count", "more than %d in one file",
				   ATTEST_PILE_MAX);
	bundle->items[bundle->count++] = item;
	return ATTEST_OK;
}

/* One block of PEM. *ret_more is false at the end of them. */
static enum attest_status
read_block(BIO *bio, enum attest_item kind, struct writer *w, struct attest_bundle *bundle,
	   bool *ret_more, struct attest_error *err)
{
	char *label = NULL;
	char *header = NULL;
	unsigned char *data = NULL;
	long size = 0;
	enum attest_status status = ATTEST_OK;

	*ret_more = PEM_read_bio(bio, &label, &header, &data, &size) == 1;
	unsigned long reason = *ret_more ? 0 : ERR_peek_last_error();
	ERR_clear_error();
	if (!*ret_more)
		return ERR_GET_REASON(reason) == PEM_R_NO_START_LINE
			       ? ATTEST_OK
			       : attest_fail(err, ATTEST_MALFORMED, "bundle.parse",
					     "a block of PEM is cut off or is not base64");
	if (label_fits(label, kind) && size > 0) {
		struct bytes item = {w->start + w->size, (size_t)size};

		write_bytes(w, (struct bytes){data, (size_t)size});
		status = w->failed ? attest_fail_memory(err) : add_item(bundle, item, err);
	}
	OPENSSL_free(label);
	OPENSSL_free(header);
	OPENSSL_free(data);
	return status;
}

static enum attest_status
read_pem(struct bytes file, enum attest_item kind, struct attest_bundle *bundle,
	 struct attest_error *err)
{
	struct writer w = writer_of(bundle->memory, file.size);
	__attribute__((cleanup(bio_free_at))) BIO *bio = BIO_new_mem_buf(file.data, (int)file.size);
	bool more = true;

	if (bio == NULL)
		return attest_fail_memory(err);
	while (more) {
		enum attest_status status = read_block(bio, kind, &w, bundle, &more, err);
		if (status != ATTEST_OK)
			return status;
	}
	return ATTEST_OK;
}

/* The DER element that begins there, whole; a length of more than four bytes is none of ours. */
static struct bytes
read_der(struct reader *r)
{
	struct reader whole = *r;
	size_t header = 2;

	if (read_u8(r) != 0x30)
		reader_fail(r);
	size_t size = read_u8(r);
	if (size >= 0x80) {
		size_t length = size & 0x7f;

		if (length == 0 || length > 4)
			reader_fail(r);
		size = 0;
		for (size_t i = 0; i < length && !r->failed; i++)
			size = size << 8 | read_u8(r);
		header += length;
	}
	read_bytes(r, size);
	return r->failed ? (struct bytes){0} : read_bytes(&whole, header + size);
}

static enum attest_status
read_binary(struct bytes file, struct attest_bundle *bundle, struct attest_error *err)
{
	if (file.size > 0)
		memcpy(bundle->memory, file.data, file.size);
	struct bytes stored = certificate_strip_header((struct bytes){bundle->memory, file.size});
	struct reader r = reader_of(stored);

	do {
		struct bytes item = read_der(&r);
		if (r.failed)
			return attest_fail(err, ATTEST_MALFORMED, "bundle.parse",
					   "neither PEM nor DER, or cut off");
		enum attest_status status = add_item(bundle, item, err);
		if (status != ATTEST_OK)
			return status;
	} while (r.left > 0 && *r.next == 0x30);
	if (!certificate_is_padding(read_bytes(&r, r.left)))
		return attest_fail(err, ATTEST_MALFORMED, "bundle.parse",
				   "something follows that is no certificate");
	return ATTEST_OK;
}

enum attest_status
attest_bundle_read(struct bytes file, enum attest_item kind, struct attest_bundle *ret_bundle,
		   struct attest_error *err)
{
	if (file.size > ATTEST_BUNDLE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "bundle.size", "%zu bytes, at most %d",
				   file.size, ATTEST_BUNDLE_MAX);
	auto_bundle bundle = {.items = calloc(ATTEST_PILE_MAX, sizeof(struct bytes)),
			      .memory = malloc(file.size + 1)};
	if (bundle.items == NULL || bundle.memory == NULL)
		return attest_fail_memory(err);
	enum attest_status status =
		is_pem(file) ? read_pem(file, kind, &bundle, err) : read_binary(file, &bundle, err);
	if (status != ATTEST_OK)
		return status;
	if (bundle.count == 0)
		return attest_fail(err, ATTEST_MALFORMED, "bundle.empty",
				   kind == ATTEST_CRL ? "no CRL in it" : "no certificate in it");
	struct bytes *fitted = realloc(bundle.items, bundle.count * sizeof(struct bytes));
	if (fitted != NULL)
		bundle.items = fitted;
	*ret_bundle = bundle;
	bundle = (struct attest_bundle){0};
	return ATTEST_OK;
}
