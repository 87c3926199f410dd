/* SPDX-License-Identifier: Apache-2.0 */
/* The name in a certificate, and nothing else of it: to be read by people, never judged. */
#include "event_describe.h"

#define DER_INTEGER  0x02
#define DER_OID	     0x06
#define DER_SEQUENCE 0x30
#define DER_SET	     0x31
#define DER_VERSION  0xa0 /* [0] of TBSCertificate, RFC 5280, 4.1 */
#define DER_BMP	     0x1e /* UTF-16 */
#define LENGTH_MAX   3	  /* bytes of a long length */
#define NAMES_MAX    32

static const uint8_t COMMON_NAME[] = {0x55, 0x04, 0x03};
static const uint8_t ORGANIZATION[] = {0x55, 0x04, 0x0a};

/* One element with this tag; fails for another. */
static struct reader
element(struct reader *r, uint8_t tag)
{
	if (read_u8(r) != tag)
		reader_fail(r);
	size_t size = read_u8(r);
	if (size >= 0x80) {
		unsigned count = read_count(r, (uint32_t)(size & 0x7f), LENGTH_MAX);
		size = 0;
		for (unsigned i = 0; i < count; i++)
			size = size << 8 | read_u8(r);
	}
	return reader_of(read_bytes(r, size));
}

/* A value of `wanted` in a Name. False: it has none. */
static bool
add_attribute(struct words *words, struct reader name, struct bytes wanted)
{
	for (unsigned i = 0; i < NAMES_MAX && name.left > 0 && !name.failed; i++) {
		struct reader set = element(&name, DER_SET);
		struct reader pair = element(&set, DER_SEQUENCE);
		struct reader oid = element(&pair, DER_OID);
		uint8_t tag = pair.left > 0 ? *pair.next : 0;
		struct reader value = element(&pair, tag);

		if (set.failed || pair.failed || !bytes_equal(read_bytes(&oid, oid.left), wanted))
			continue;
		words_add(words, "\"");
		if (tag == DER_BMP)
			words_add_text(words, (struct bytes){(const uint8_t *)"?", 1});
		else
			words_add_text(words, read_bytes(&value, value.left));
		words_add(words, "\"");
		return true;
	}
	return false;
}

bool
words_add_certificate(struct words *words, struct bytes der)
{
	struct reader r = reader_of(der);
	struct reader certificate = element(&r, DER_SEQUENCE);
	struct reader body = element(&certificate, DER_SEQUENCE);

	if (body.left > 0 && *body.next == DER_VERSION)
		element(&body, DER_VERSION);
	element(&body, DER_INTEGER);  /* serialNumber */
	element(&body, DER_SEQUENCE); /* signature */
	element(&body, DER_SEQUENCE); /* issuer */
	element(&body, DER_SEQUENCE); /* validity */
	struct reader subject = element(&body, DER_SEQUENCE);
	if (r.failed || certificate.failed || body.failed)
		return false;
	if (!add_attribute(words, subject, BYTES_OF(COMMON_NAME)) &&
	    !add_attribute(words, subject, BYTES_OF(ORGANIZATION)))
		words_add(words, "without a name");
	return true;
}
