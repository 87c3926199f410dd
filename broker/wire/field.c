/* SPDX-License-Identifier: Apache-2.0 */
#include "field.h"

#include "control.h"
#include "hpke.h"
#include "ima.h"
#include "text.h"

#include <string.h>

#define TPM_ALG_SHA256 0x000b
#define AK_NAME_SIZE   (2 + ATTEST_HASH_SIZE)
#define SUBJECT_MAX    160
#define AFTER_MAX      320 /* the longest key that a list shows */
#define HEX(size)      (2 * (size))

/* ---- values with a structure ---- */

void
name_list_write(struct writer *w, const struct name_list *list)
{
	write_be16(w, list->count);
	for (uint16_t i = 0; i < list->count; i++)
		write_lp(w, list->names[i]);
}

bool
name_list_read(struct bytes encoded, struct name_list *ret_list)
{
	struct reader r = reader_of(encoded);
	struct name_list list = {0};
	list.count = (uint16_t)read_count(&r, read_be16(&r), OPERATION_LIST_MAX);
	/* FIELD_POLICIES has texts among its names: each reader of a list checks what it holds. */
	for (uint16_t i = 0; i < list.count; i++)
		list.names[i] = read_lp(&r, OPERATION_POLICY_MAX);
	if (!reader_finished(&r))
		return false;
	*ret_list = list;
	return true;
}

void
pcr_values_write(struct writer *w, const struct pcr_values *values)
{
	write_be16(w, values->mask);
	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++) {
		if ((values->mask & 1u << i) != 0)
			write_bytes(w, BYTES_OF(values->values[i]));
	}
}

bool
pcr_values_read(struct bytes encoded, struct pcr_values *ret_values)
{
	struct reader r = reader_of(encoded);
	struct pcr_values values = {0};
	values.mask = read_be16(&r);
	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++) {
		if ((values.mask & 1u << i) != 0)
			read_copy(&r, values.values[i], sizeof(values.values[i]));
	}
	if (!reader_finished(&r) || values.mask == 0)
		return false;
	*ret_values = values;
	return true;
}

/* ---- forms ---- */

/* Every `step`-th entry is a name, and no name is there twice. */
static bool
names_distinct(const struct name_list *list, uint16_t step)
{
	for (uint16_t i = 0; i < list->count; i = (uint16_t)(i + step)) {
		if (!name_valid(list->names[i]))
			return false;
		for (uint16_t j = 0; j < i; j = (uint16_t)(j + step)) {
			if (bytes_equal(list->names[i], list->names[j]))
				return false;
		}
	}
	return true;
}

static bool
names_valid(struct bytes value, uint16_t least)
{
	struct name_list list;
	return name_list_read(value, &list) && list.count >= least && names_distinct(&list, 1);
}

static bool
policy_valid(struct bytes value)
{
	return value.size <= OPERATION_POLICY_MAX && text_utf8(value);
}

static bool
policies_valid(struct bytes value)
{
	struct name_list list;
	if (!name_list_read(value, &list) || list.count % 2 != 0 || !names_distinct(&list, 2))
		return false;
	for (uint16_t i = 1; i < list.count; i = (uint16_t)(i + 2)) {
		if (!policy_valid(list.names[i]))
			return false;
	}
	return true;
}

static bool
ak_name_valid(struct bytes value)
{
	struct reader r = reader_of(value);
	return value.size == AK_NAME_SIZE && read_be16(&r) == TPM_ALG_SHA256;
}

static bool
pcrs_valid(struct bytes value)
{
	struct pcr_values values;
	return pcr_values_read(value, &values);
}

static bool
time_valid(struct bytes value)
{
	struct reader r = reader_of(value);
	return value.size == 8 && read_be64(&r) <= INT64_MAX;
}

static bool
word_in(struct bytes value, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (text_equals(value, *words))
			return true;
	}
	return false;
}

static bool
kind_valid(struct bytes value)
{
	static const char *const kinds[] = {"ek-ca",	"ek",	    "ak",      "machine",
					    "baseline", "operator", "ima-key", NULL};
	return word_in(value, kinds);
}

static bool
state_valid(struct bytes value)
{
	static const char *const states[] = {"pending", "admitted", "suspended", NULL};
	return word_in(value, states);
}

/* Without a kind (ANCHOR_ADD, CRL_ADD, IMA_KEY_ADD) it is a hash. */
static bool
id_valid(const struct operation_request *request)
{
	struct bytes id = request->fields[FIELD_ID];
	struct bytes kind = request->fields[FIELD_KIND];
	if (!operation_has(request, FIELD_KIND) || text_equals(kind, "ek-ca") ||
	    text_equals(kind, "ek") || text_equals(kind, "ima-key"))
		return text_hex(id, HEX(ATTEST_HASH_SIZE));
	if (text_equals(kind, "ak"))
		return text_hex(id, HEX(AK_NAME_SIZE));
	return name_valid(id);
}

static bool
versions_valid(struct bytes value)
{
	struct version_list list;
	return version_list_read(value, &list);
}

static bool
settings_valid(struct bytes value)
{
	struct secret_settings settings;
	return secret_settings_read(value, &settings);
}

static bool
custom_valid(struct bytes value)
{
	struct custom_metadata metadata;
	return custom_metadata_read(value, &metadata);
}

static bool
shares_valid(struct bytes value)
{
	return value.size == 2 && control_numbers_valid(value.data[0], value.data[1]);
}

static bool
within(struct bytes value, size_t least, size_t most)
{
	return value.size >= least && value.size <= most;
}

bool
field_valid(const struct operation_request *request, enum operation_field field)
{
	struct bytes value = request->fields[field];
	switch (field) {
	case FIELD_MACHINE:
	case FIELD_NAME:
		return name_valid(value);
	case FIELD_GROUPS:
		return names_valid(value, 0);
	case FIELD_ROLES:
		return names_valid(value, 1);
	case FIELD_EK_ID:
		return value.size == ATTEST_HASH_SIZE;
	case FIELD_AK_NAME:
		return ak_name_valid(value);
	case FIELD_PCRS:
		return pcrs_valid(value);
	case FIELD_FROM:
	case FIELD_UNTIL:
		return time_valid(value);
	case FIELD_POLICY:
		return policy_valid(value);
	case FIELD_KIND:
		return kind_valid(value);
	case FIELD_ID:
		return id_valid(request);
	case FIELD_REASON:
		return within(value, 1, OPERATION_REASON_MAX) && text_printable(value);
	case FIELD_OPERATOR_KEY:
		return value.size == WIRE_KEY_SIZE;
	case FIELD_CERTIFICATE:
		return within(value, 1, ATTEST_CERTIFICATE_MAX);
	case FIELD_SUBJECT:
		return within(value, 0, SUBJECT_MAX) && text_printable(value);
	case FIELD_PATH:
		return path_valid(value) ||
		       (value.size == 0 && request->operation == OPERATION_SECRET_LIST);
	case FIELD_CAS:
	case FIELD_COUNT:
		return value.size == 8;
	case FIELD_SEALED:
		return within(value, HPKE_OVERHEAD, WIRE_SECRET_MAX + HPKE_OVERHEAD);
	case FIELD_AFTER:
		return within(value, 0, AFTER_MAX) && text_printable(value);
	case FIELD_STATE:
		return state_valid(value);
	case FIELD_POLICIES:
		return policies_valid(value);
	case FIELD_PUBLIC_KEY:
		return within(value, 1, ATTEST_CERTIFICATE_MAX);
	case FIELD_DIGESTS:
		return within(value, ATTEST_HASH_SIZE,
			      (size_t)WIRE_IMA_ALLOWED_MAX * ATTEST_HASH_SIZE) &&
		       wire_digests_ascend(value);
	case FIELD_CRL:
		return within(value, 1, WIRE_CRL_MAX);
	case FIELD_VERSIONS:
		return versions_valid(value);
	case FIELD_SETTINGS:
		return settings_valid(value);
	case FIELD_CUSTOM:
		return custom_valid(value);
	case FIELD_SHARES:
		return shares_valid(value);
	case FIELD_LIMIT:
		break;
	}
	return false;
}

/* ---- problems ---- */

struct problems {
	const char *missing;
	const char *extra;
	const char *malformed;
};
#define PROBLEMS(word, form)                                                                       \
	{                                                                                          \
		word ": missing", word ": not for this operation", word ": must be " form          \
	}

static const struct problems problems[FIELD_LIMIT] = {
	[FIELD_MACHINE] = PROBLEMS("machine", "a machine's id or name"),
	[FIELD_NAME] = PROBLEMS("name", "1 to 64 of A-Z a-z 0-9 _ . -"),
	[FIELD_GROUPS] = PROBLEMS("groups", "a list of at most 32 distinct names"),
	[FIELD_ROLES] = PROBLEMS("roles", "a list of 1 to 32 distinct names"),
	[FIELD_EK_ID] = PROBLEMS("EK id", "32 bytes"),
	[FIELD_AK_NAME] = PROBLEMS("AK name", "a SHA-256 name of 34 bytes"),
	[FIELD_PCRS] = PROBLEMS("PCRs", "a mask and 32 bytes for each"),
	[FIELD_FROM] = PROBLEMS("from", "a number of at most 63 bits"),
	[FIELD_UNTIL] = PROBLEMS("until", "a number of at most 63 bits"),
	[FIELD_POLICY] = PROBLEMS("policy", "UTF-8 text of at most 256 KiB"),
	[FIELD_KIND] = PROBLEMS("kind", "ek-ca, ek, ak, machine, baseline, operator or ima-key"),
	[FIELD_ID] = PROBLEMS("id", "what its kind is called by: lower-case hex or a name"),
	[FIELD_REASON] = PROBLEMS("reason", "1 to 200 bytes of printable text"),
	[FIELD_OPERATOR_KEY] = PROBLEMS("operator's key", "32 bytes"),
	[FIELD_CERTIFICATE] = PROBLEMS("certificate", "DER of at most 8192 bytes"),
	[FIELD_SUBJECT] = PROBLEMS("subject", "at most 160 bytes of printable text"),
	[FIELD_PATH] = PROBLEMS("path", "components of A-Z a-z 0-9 _ . - joined by /"),
	[FIELD_CAS] = PROBLEMS("check-and-set", "a number"),
	[FIELD_SEALED] = PROBLEMS("value", "sealed, and of at most 1 MiB"),
	[FIELD_COUNT] = PROBLEMS("count", "a number"),
	[FIELD_AFTER] = PROBLEMS("after", "a key from the last page"),
	[FIELD_STATE] = PROBLEMS("state", "pending, admitted or suspended"),
	[FIELD_POLICIES] = PROBLEMS("policies", "a list of distinct names and UTF-8 texts"),
	[FIELD_PUBLIC_KEY] = PROBLEMS("public key", "DER of at most 8192 bytes"),
	[FIELD_DIGESTS] = PROBLEMS("digests", "1 to 16384 of SHA-256, each once and in order"),
	[FIELD_CRL] = PROBLEMS("CRL", "DER of at most 256 KiB"),
	[FIELD_VERSIONS] = PROBLEMS("versions", "1 to 100 numbers, each once and in order"),
	[FIELD_SETTINGS] = PROBLEMS("settings", "at most 100 versions, and a time in seconds"),
	[FIELD_CUSTOM] =
		PROBLEMS("custom metadata",
			 "at most 64 distinct names of 1 to 128 bytes, and printable texts of at "
			 "most 512"),
	[FIELD_SHARES] =
		PROBLEMS("shares", "1 to 32, and a threshold of at most as many (2 or more "
				   "where there are several)"),
};

const char *
field_problem(enum operation_field field, enum field_fault fault)
{
	switch (fault) {
	case FIELD_IS_MISSING:
		return problems[field].missing;
	case FIELD_IS_EXTRA:
		return problems[field].extra;
	case FIELD_IS_MALFORMED:
		break;
	}
	return problems[field].malformed;
}
