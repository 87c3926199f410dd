/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list as text, a line an entry: "10 ", the template digest, the template's name, and each field
 * after one space. Kernels write '_' for a space in a name; older ones did not, so the first name
 * takes what the fields behind it leave. A name with a line's end breaks the list: the binary form
 * has no such trouble. Template data are made again out of the text, and hash to the template
 * digest if nothing was lost.
 */
#include "attest/error.h"
#include "internal.h"

#include <string.h>

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Lower case, as the kernel prints it. */
static bool
write_hex(struct writer *w, struct bytes text)
{
	struct reader r = reader_of(text);

	while (r.left > 0) {
		int high = hex_digit(read_u8(&r));
		int low = hex_digit(read_u8(&r));
		if (r.failed || high < 0 || low < 0)
			return false;
		write_u8(w, (uint8_t)(high << 4 | low));
	}
	return !w->failed;
}

static struct bytes
read_token(struct reader *r, uint8_t end)
{
	struct bytes token = {r->next, 0};

	while (r->left > 0 && read_u8(r) != end)
		token.size++;
	return token;
}

/* The token that leaves `after` spaces behind it, each of which begins a field. */
static struct bytes
read_spaced(struct reader *r, size_t after)
{
	struct reader look = *r;
	size_t spaces = 0;

	while (look.left > 0)
		spaces += read_u8(&look) == ' ';
	struct bytes token = read_token(r, ' ');
	while (spaces > after && r->left > 0) {
		token.size += 1 + read_token(r, ' ').size;
		spaces--;
	}
	return token;
}

static void
write_le32(struct writer *w, uint32_t value)
{
	for (unsigned shift = 0; shift < 32; shift += 8)
		write_u8(w, (uint8_t)(value >> shift));
}

/* "sha256:9f..." or "ima:sha256:9f...": all up to the last colon, NUL, the bytes. */
static bool
write_named(struct writer *w, struct bytes text)
{
	struct reader r = reader_of(text);
	struct bytes prefix = {text.data, 0};
	struct bytes algorithm = {0};
	struct reader hex = r;

	while (r.left > 0) {
		struct bytes part = read_token(&r, ':');
		if (prefix.size + part.size == text.size)
			break;
		algorithm = part;
		prefix.size += part.size + 1;
		hex = r;
	}
	size_t size = ima_algorithm_size(algorithm);
	if (prefix.size == 0 || algorithm.size == 0 || (size != 0 && hex.left != 2 * size))
		return false;
	write_bytes(w, prefix);
	write_u8(w, 0);
	return write_hex(w, read_bytes(&hex, hex.left));
}

static bool
write_number(struct writer *w, struct bytes text, size_t size)
{
	struct reader r = reader_of(text);
	uint64_t value = 0;

	while (r.left > 0) {
		uint8_t c = read_u8(&r);
		value = 10 * value + (uint64_t)(c - '0');
		if (c < '0' || c > '9' || value >> (8 * size) != 0)
			return false;
	}
	for (size_t i = 0; i < size; i++)
		write_u8(w, (uint8_t)(value >> (8 * i)));
	return text.size > 0 && !w->failed;
}

static bool
write_value(struct writer *w, const struct ima_field *field, struct bytes text)
{
	/* The kernel prints nothing of an empty field. */
	if (text.size == 0 && field->form != IMA_FIELD_DIGEST)
		return true;
	switch (field->form) {
	case IMA_FIELD_DIGEST:
		return text.size == 2 * field->size && write_hex(w, text);
	case IMA_FIELD_NAMED:
		return write_named(w, text);
	case IMA_FIELD_TEXT:
		write_bytes(w, text);
		write_u8(w, 0);
		return !w->failed;
	case IMA_FIELD_HEX:
		return write_hex(w, text);
	case IMA_FIELD_NUMBER:
		return write_number(w, text, field->size);
	}
	return false;
}

/* Each field behind its size. NULL, or what is wrong. */
static const char *
write_fields(struct attest_ima_list *list, struct reader *line, struct bytes template_name,
	     struct bytes *ret_data)
{
	const struct ima_field *fields[IMA_FIELDS_MAX];
	size_t count = ima_template_fields(template_name, fields);
	struct writer w = writer_of(list->data, sizeof(list->data));

	for (size_t i = 0; i < count; i++) {
		struct bytes text = fields[i]->form == IMA_FIELD_TEXT
					    ? read_spaced(line, count - i - 1)
					    : read_token(line, ' ');
		size_t at = w.size;
		write_le32(&w, 0);
		if (!write_value(&w, fields[i], text))
			return "a field has not the form that its template gives it";
		struct writer size = writer_of(list->data + at, 4);
		write_le32(&size, (uint32_t)(w.size - at - 4));
	}
	*ret_data = writer_bytes(&w);
	if (w.failed)
		return "its data are more than 65536 bytes";
	return count == 0 ? "no such template" : line->left > 0 ? "too many fields" : NULL;
}

static bool
read_pcr(struct reader *line, uint32_t *ret_pcr)
{
	struct bytes text;
	uint32_t pcr = 0;

	if (line->left > 0 && *line->next == ' ')
		read_u8(line);
	text = read_token(line, ' ');
	struct reader digits = reader_of(text);
	while (digits.left > 0) {
		uint8_t c = read_u8(&digits);
		if (c < '0' || c > '9' || text.size > 2)
			return false;
		pcr = 10 * pcr + (uint32_t)(c - '0');
	}
	*ret_pcr = pcr;
	return text.size > 0 && pcr < ATTEST_PCRS;
}

static bool
read_template_digest(struct reader *line, struct attest_ima_entry *entry)
{
	struct writer w = writer_of(entry->digest, sizeof(entry->digest));
	bool hex = write_hex(&w, read_token(line, ' '));

	entry->digest_size = w.size;
	for (unsigned bank = 0; hex && bank < ATTEST_BANKS; bank++)
		if (attest_bank_size((enum attest_bank)bank) == w.size)
			return true;
	return false;
}

/* NULL, or what is wrong. */
static const char *
read_line(struct attest_ima_list *list, struct reader *line, struct attest_ima_entry *entry)
{
	uint8_t digest[ATTEST_DIGEST_MAX];
	struct writer w = writer_of(digest, sizeof(digest));

	if (!read_pcr(line, &entry->pcr))
		return "it does not begin with the number of a PCR";
	if (!read_template_digest(line, entry))
		return "its template digest is not 20, 32, 48 or 64 bytes in hex";
	entry->template_name = read_token(line, ' ');
	if (!ima_template_is_old(entry->template_name))
		return write_fields(list, line, entry->template_name, &entry->data);
	return write_hex(&w, read_token(line, ' ')) &&
			       ima_old_data(list, writer_bytes(&w), read_bytes(line, line->left),
					    &entry->data)
		       ? NULL
		       : "its digest is not 20 bytes in hex, or its name over 255 bytes";
}

enum attest_status
ima_ascii_next(struct attest_ima_list *list, struct attest_ima_entry *entry,
	       struct attest_error *err)
{
	struct reader line = reader_of(read_token(&list->reader, '\n'));
	const char *wrong = read_line(list, &line, entry);

	if (wrong != NULL)
		return attest_fail(err, ATTEST_MALFORMED, "ima.parse",
				   "line %llu of the IMA list: %s",
				   (unsigned long long)(entry->number + 1), wrong);
	return ATTEST_OK;
}
