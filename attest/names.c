/* SPDX-License-Identifier: Apache-2.0 */
/* Who made the TPM, as its certificate says, and who issued what, for people to read. */
#include "certificate.h"

#include "error.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#define OID_TEXT_MAX 64

/* TCG EK Credential Profile 2.5, 3.1.2 and A.1. */
#define OID_MANUFACTURER "2.23.133.2.1"
#define OID_MODEL	 "2.23.133.2.2"
#define OID_VERSION	 "2.23.133.2.3"

/* Printable ASCII, cut to fit: this is for people to read and for policies to compare. */
static void
copy_text(struct bytes text, char *ret, size_t size)
{
	struct reader r = reader_of(text);
	struct writer w = writer_of(ret, size - 1);

	while (r.left > 0 && !w.failed) {
		uint8_t c = read_u8(&r);
		write_u8(&w, c >= 0x20 && c < 0x7f ? c : '?');
	}
	ret[w.size] = '\0';
}

/* Of whatever kind of string; one that is not what it says to be is taken byte by byte. */
static enum attest_status
copy_string(const ASN1_STRING *string, char *ret, size_t size, struct attest_error *err)
{
	unsigned char *text = NULL;
	int length = ASN1_STRING_to_UTF8(&text, string);
	bool memory = length < 0 && ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;

	ERR_clear_error();
	/* A text that is lost for want of memory would be an absent one to a policy. */
	if (memory)
		return attest_fail_memory(err);
	if (length < 0)
		copy_text((struct bytes){ASN1_STRING_get0_data(string),
					 (size_t)ASN1_STRING_length(string)},
			  ret, size);
	else
		copy_text((struct bytes){text, (size_t)length}, ret, size);
	OPENSSL_free(text);
	return ATTEST_OK;
}

static enum attest_status
describe_name(const X509_NAME *name, struct attest_chain *chain, struct attest_error *err)
{
	const struct {
		const char *oid;
		char *text;
		size_t size;
	} fields[] = {
		{OID_MANUFACTURER, chain->manufacturer, sizeof(chain->manufacturer)},
		{OID_MODEL, chain->model, sizeof(chain->model)},
		{OID_VERSION, chain->version, sizeof(chain->version)},
	};

	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		char oid[OID_TEXT_MAX] = {0};

		if (OBJ_obj2txt(oid, sizeof(oid), X509_NAME_ENTRY_get_object(entry), 1) <= 0)
			return attest_fail_memory(err);
		for (size_t k = 0; k < sizeof(fields) / sizeof(fields[0]); k++) {
			if (strcmp(oid, fields[k].oid) != 0)
				continue;
			enum attest_status status =
				copy_string(X509_NAME_ENTRY_get_data(entry), fields[k].text,
					    fields[k].size, err);
			if (status != ATTEST_OK)
				return status;
		}
	}
	return ATTEST_OK;
}

static inline void
names_free_at(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}
#define auto_names __attribute__((cleanup(names_free_at))) GENERAL_NAMES

enum attest_status
certificate_describe(const X509 *certificate, struct attest_chain *chain, struct attest_error *err)
{
	int critical = -1;
	auto_names *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);

	ERR_clear_error();
	/* certificate_check_form has found that it parses, where it stands at all (-1: nowhere). */
	if (names == NULL && critical != -1)
		return attest_fail_memory(err);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		enum attest_status status = ATTEST_OK;

		if (name->type == GEN_DIRNAME)
			status = describe_name(name->d.directoryName, chain, err);
		if (status != ATTEST_OK)
			return status;
	}
	if (chain->manufacturer[0] != '\0')
		return ATTEST_OK;
	return describe_name(X509_get_subject_name(certificate), chain, err);
}

static inline void
bio_free_at(BIO **bio)
{
	BIO_free(*bio);
}

bool
certificate_print_name(const X509_NAME *name, char ret_text[ATTEST_SUBJECT_SIZE])
{
	char text[ATTEST_SUBJECT_SIZE] = {0};
	__attribute__((cleanup(bio_free_at))) BIO *bio = BIO_new(BIO_s_mem());
	bool printed = bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0;

	if (printed)
		BIO_read(bio, text, sizeof(text) - 1);
	ERR_clear_error();
	if (printed)
		memcpy(ret_text, text, sizeof(text));
	return printed;
}

/* ---- TCG TPM Vendor ID Registry 1.06 ---- */

static const struct {
	const char *id;
	const char *name;
} MANUFACTURERS[] = {
	{"id:414D4400", "AMD"},
	{"id:414E5400", "Ant Group"},
	{"id:41544D4C", "Atmel"},
	{"id:4252434D", "Broadcom"},
	{"id:4353434F", "Cisco"},
	{"id:464C5953", "Flyslice Technologies"},
	{"id:46534C20", "Freescale"},
	{"id:474F4F47", "Google"},
	{"id:48504500", "HPE"},
	{"id:48504900", "HPI"},
	{"id:48495349", "Huawei"},
	{"id:49424D00", "IBM"},
	{"id:49465800", "Infineon"},
	{"id:494E5443", "Intel"},
	{"id:4C454E00", "Lenovo"},
	{"id:4D534654", "Microsoft"},
	{"id:4E534D20", "National Semiconductor"},
	{"id:4E545A00", "Nationz"},
	{"id:4E534700", "NSING"},
	{"id:4E544300", "Nuvoton Technology"},
	{"id:51434F4D", "Qualcomm"},
	{"id:524F4343", "Fuzhou Rockchip"},
	{"id:53454345", "SecEdge"},
	{"id:534D5343", "Microchip (SMSC)"},
	{"id:534E5300", "Sinosun"},
	{"id:53544D20", "STMicroelectronics"},
	{"id:534D534E", "Samsung"},
	{"id:54584E00", "Texas Instruments"},
	{"id:57454300", "Winbond"},
	/* Not of the registry: what software TPMs and simulators call themselves. */
	{"id:00001014", "IBM (swtpm)"},
};

const char *
attest_manufacturer_name(const char *id)
{
	for (size_t i = 0; i < sizeof(MANUFACTURERS) / sizeof(MANUFACTURERS[0]); i++)
		if (strcasecmp(id, MANUFACTURERS[i].id) == 0)
			return MANUFACTURERS[i].name;
	return NULL;
}
