/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates (Linux, security/integrity/ima/ima_template.c) and what their data says. The name of a
 * template is not hashed, so an entry is read by its data alone: size, digest, size, name, and so
 * on, each size in 4 bytes. Where a name is needed to make data out of text, a wrong one makes data
 * that do not hash to what the TPM saw.
 */
#include "internal.h"

#include <string.h>

#define SHA1_SIZE 20

/* ima_template_lib.c. */
static const struct ima_field FIELDS[] = {
	{"d", IMA_FIELD_DIGEST, SHA1_SIZE}, {"n", IMA_FIELD_TEXT, 0},
	{"d-ng", IMA_FIELD_NAMED, 0},	    {"d-ngv2", IMA_FIELD_NAMED, 0},
	{"n-ng", IMA_FIELD_TEXT, 0},	    {"sig", IMA_FIELD_HEX, 0},
	{"buf", IMA_FIELD_HEX, 0},	    {"d-modsig", IMA_FIELD_NAMED, 0},
	{"modsig", IMA_FIELD_HEX, 0},	    {"evmsig", IMA_FIELD_HEX, 0},
	{"iuid", IMA_FIELD_NUMBER, 4},	    {"igid", IMA_FIELD_NUMBER, 4},
	{"imode", IMA_FIELD_NUMBER, 2},	    {"xattrnames", IMA_FIELD_TEXT, 0},
	{"xattrlengths", IMA_FIELD_HEX, 0}, {"xattrvalues", IMA_FIELD_HEX, 0},
};

static const struct {
	const char *name;
	const char *fields;
} TEMPLATES[] = {
	{"ima", "d|n"},
	{"ima-ng", "d-ng|n-ng"},
	{"ima-ngv2", "d-ngv2|n-ng"},
	{"ima-sig", "d-ng|n-ng|sig"},
	{"ima-sigv2", "d-ngv2|n-ng|sig"},
	{"ima-buf", "d-ng|n-ng|buf"},
	{"ima-modsig", "d-ng|n-ng|sig|d-modsig|modsig"},
	{"evm-sig", "d-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode"},
};

/* include/uapi/linux/hash_info.h and crypto/hash_info.c; some spellings changed. */
static const struct {
	const char *name;
	size_t size;
} ALGORITHMS[] = {
	{"md5", 16},	  {"sha1", SHA1_SIZE}, {"rmd160", 20},	    {"sha224", 28},
	{"sha256", 32},	  {"sha384", 48},      {"sha512", 64},	    {"sm3", 32},
	{"sm3-256", 32},  {"sm3_256", 32},     {"streebog256", 32}, {"streebog512", 64},
	{"sha3-256", 32}, {"sha3-384", 48},    {"sha3-512", 64},    {"wp256", 32},
	{"wp384", 48},	  {"wp512", 64},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

size_t
ima_algorithm_size(struct bytes algorithm)
{
	for (size_t i = 0; i < COUNT(ALGORITHMS); i++)
		if (bytes_equal(algorithm, ima_text(ALGORITHMS[i].name)))
			return ALGORITHMS[i].size;
	return 0;
}

bool
ima_template_is_old(struct bytes name)
{
	return bytes_equal(name, ima_text("ima"));
}

bool
ima_template_name_plausible(struct bytes name)
{
	struct reader r = reader_of(name);

	while (r.left > 0) {
		uint8_t c = read_u8(&r);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		      c == '|'))
			return false;
	}
	return name.size > 0 && name.size <= IMA_TEMPLATE_NAME_MAX;
}

/* What stands before `end` or the end of the input; it is read away, the end too. */
static struct bytes
read_until(struct reader *r, uint8_t end)
{
	struct bytes text = {r->next, 0};

	while (r->left > 0 && read_u8(r) != end)
		text.size++;
	return text;
}

static const struct ima_field *
field_find(struct bytes name)
{
	for (size_t i = 0; i < COUNT(FIELDS); i++)
		if (bytes_equal(name, ima_text(FIELDS[i].name)))
			return &FIELDS[i];
	return NULL;
}

size_t
ima_template_fields(struct bytes name, const struct ima_field *ret_fields[IMA_FIELDS_MAX])
{
	struct bytes format = name;
	size_t count = 0;

	for (size_t i = 0; i < COUNT(TEMPLATES); i++)
		if (bytes_equal(name, ima_text(TEMPLATES[i].name)))
			format = ima_text(TEMPLATES[i].fields);
	struct reader r = reader_of(format);
	while (r.left > 0) {
		const struct ima_field *field = field_find(read_until(&r, '|'));
		if (field == NULL || count == IMA_FIELDS_MAX)
			return 0;
		ret_fields[count++] = field;
	}
	return count;
}

/* "sha256:" NUL digest, with "ima:" or "verity:" before it in the second version; or a bare SHA-1
 * digest, as the field `d` has it. */
static bool
read_digest(struct bytes field, struct attest_ima_entry *entry)
{
	struct reader r = reader_of(field);
	struct bytes first = read_until(&r, ':');
	struct reader after_first = r;
	struct bytes second = read_until(&r, ':');

	if (bytes_equal(first, ima_text("ima")) || bytes_equal(first, ima_text("verity"))) {
		entry->verity = first.size == 6;
		first = second;
	} else {
		r = after_first;
	}
	bool named = read_u8(&r) == 0 && !r.failed && ima_template_name_plausible(first);
	entry->algorithm = named ? first : ima_text("sha1");
	entry->file_digest = named ? read_bytes(&r, r.left) : field;
	size_t size = ima_algorithm_size(entry->algorithm);
	entry->algorithm_known = size != 0;
	return size == 0 ? entry->file_digest.size > 0 : entry->file_digest.size == size;
}

/* A text of C: not empty, and with a NUL at its end alone. */
static bool
read_name(struct bytes field, struct bytes *ret_name)
{
	struct reader r = reader_of(field);
	struct bytes name = read_until(&r, 0);

	if (name.size == 0 || name.size + 1 != field.size)
		return false;
	*ret_name = name;
	return true;
}

static bool
read_old(struct attest_ima_entry *entry)
{
	struct reader r = reader_of(entry->data);

	entry->fields = 2;
	entry->algorithm = ima_text("sha1");
	entry->algorithm_known = true;
	entry->file_digest = read_bytes(&r, SHA1_SIZE);
	entry->name = read_until(&r, 0);
	return !r.failed && entry->name.size > 0;
}

static bool
read_fields(struct attest_ima_entry *entry)
{
	struct bytes fields[IMA_FIELDS_MAX] = {{0}};
	struct reader r = reader_of(entry->data);
	uint32_t count = 0;

	while (r.left > 0) {
		if (count == IMA_FIELDS_MAX)
			return false;
		fields[count++] = read_bytes(&r, read_le32(&r));
	}
	entry->fields = count;
	entry->third = fields[2];
	return !r.failed && count >= 2 && read_digest(fields[0], entry) &&
	       read_name(fields[1], &entry->name);
}

void
ima_entry_read(struct attest_ima_entry *entry)
{
	struct attest_ima_entry read = *entry;

	read.readable =
		ima_template_is_old(entry->template_name) ? read_old(&read) : read_fields(&read);
	if (read.readable)
		*entry = read;
}
