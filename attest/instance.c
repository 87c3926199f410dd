/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GceInstanceInfo ::= SEQUENCE {
 *	zone UTF8String, projectNumber INTEGER, projectId UTF8String,
 *	instanceId INTEGER, instanceName UTF8String,
 *	securityProperties [0] EXPLICIT SEQUENCE OPTIONAL }
 *
 * These name a machine to policies, so a text that would have to be cut or altered is refused.
 */
#include "instance.h"

#include "error.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#define OID_TEXT_MAX 64
#define OID_INSTANCE "1.3.6.1.4.1.11129.2.1.21"
#define VALUE_MAX    4096

#define DER_INTEGER  0x02
#define DER_UTF8     0x0c
#define DER_SEQUENCE 0x30
#define DER_CONTEXT0 0xa0 /* [0], constructed */

/* One element's contents; its length in the only form that DER allows (X.690, 10.1). */
static struct bytes
read_element(struct reader *r, uint8_t tag)
{
	if (read_u8(r) != tag)
		reader_fail(r);
	size_t size = read_u8(r);
	if (size == 0x81) {
		size = read_u8(r);
		if (size < 0x80)
			reader_fail(r);
	} else if (size == 0x82) {
		size = read_be16(r);
		if (size < 0x100)
			reader_fail(r);
	} else if (size >= 0x80) {
		reader_fail(r);
	}
	return read_bytes(r, size);
}

/* Not negative, in as few bytes as can be (X.690, 8.3), and of 64 bits at most. */
static uint64_t
read_number(struct reader *r)
{
	struct reader digits = reader_of(read_element(r, DER_INTEGER));
	size_t size = digits.left;
	uint64_t number = 0;

	for (size_t i = 0; i < size; i++) {
		uint8_t digit = read_u8(&digits);

		if (i == 0 && (digit & 0x80) != 0)
			reader_fail(r);
		if (i == 1 && number == 0 && (digit & 0x80) == 0)
			reader_fail(r);
		if (number > UINT64_MAX >> 8)
			reader_fail(r);
		number = number << 8 | digit;
	}
	if (size == 0)
		reader_fail(r);
	return number;
}

static void
read_name(struct reader *r, char *ret_text, size_t capacity)
{
	struct bytes text = read_element(r, DER_UTF8);
	struct reader characters = reader_of(text);

	if (text.size == 0 || text.size >= capacity) {
		reader_fail(r);
		return;
	}
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = read_u8(&characters);

		if (c <= 0x20 || c >= 0x7f)
			reader_fail(r);
		ret_text[i] = (char)c;
	}
	ret_text[text.size] = '\0';
}

bool
instance_decode(struct bytes der, struct attest_instance *ret_instance)
{
	struct attest_instance instance = {.known = true};
	struct reader whole = reader_of(der);
	struct bytes body = read_element(&whole, DER_SEQUENCE);
	struct reader r = reader_of(body);

	read_name(&r, instance.zone, sizeof(instance.zone));
	instance.project_number = read_number(&r);
	read_name(&r, instance.project, sizeof(instance.project));
	instance.number = read_number(&r);
	read_name(&r, instance.name, sizeof(instance.name));
	if (r.left > 0) {
		struct reader properties = reader_of(read_element(&r, DER_CONTEXT0));

		/* Nothing of them is claimed: they say what the CA was told of its machine. */
		read_element(&properties, DER_SEQUENCE);
		if (!reader_finished(&properties))
			reader_fail(&r);
	}
	if (!reader_finished(&whole) || !reader_finished(&r))
		return false;
	*ret_instance = instance;
	return true;
}

enum attest_status
certificate_instance(const X509 *certificate, struct attest_instance *ret_instance,
		     struct attest_error *err)
{
	struct attest_instance instance = {0};
	unsigned found = 0;

	for (int i = 0; i < X509_get_ext_count(certificate); i++) {
		X509_EXTENSION *extension = X509_get_ext(certificate, i);
		char oid[OID_TEXT_MAX] = {0};

		if (OBJ_obj2txt(oid, sizeof(oid), X509_EXTENSION_get_object(extension), 1) <= 0)
			return attest_fail_memory(err);
		if (strcmp(oid, OID_INSTANCE) != 0)
			continue;
		const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
		struct bytes der = {ASN1_STRING_get0_data(value),
				    (size_t)ASN1_STRING_length(value)};
		if (found++ > 0 || der.size > VALUE_MAX || !instance_decode(der, &instance))
			return attest_fail(err, ATTEST_REFUSED, "certificate.instance",
					   "Google's instance-info does not parse, or is there "
					   "twice");
	}
	*ret_instance = instance;
	return ATTEST_OK;
}
