/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

#include "encode.h"

#include <string.h>

#define ESCAPE_MAX 6 /* \u001f */

/* ---- writing ---- */

void
value_escape(struct writer *w, struct bytes text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (c == '"' || c == '\\') {
			write_u8(w, '\\');
			write_u8(w, c);
		} else if (c < 0x20 || c == 0x7f) {
			write_bytes(w, text_bytes("\\u00"));
			write_u8(w, (uint8_t)digits[c >> 4]);
			write_u8(w, (uint8_t)digits[c & 15]);
		} else {
			write_u8(w, c);
		}
	}
}

static void
pair_write(struct writer *w, const struct value_pair *pair, bool first)
{
	write_bytes(w, text_bytes(first ? "{\"" : ",\""));
	value_escape(w, text_bytes(pair->name));
	write_bytes(w, text_bytes("\":\""));
	value_escape(w, pair->value);
	write_bytes(w, text_bytes("\""));
}

static enum value_status
pairs_check(const struct value_pair *pairs, size_t count, size_t *ret_size)
{
	size_t size = 2;

	for (size_t i = 0; i < count; i++) {
		size_t name = strlen(pairs[i].name);
		if (!utf8_wellformed(pairs[i].value.data, pairs[i].value.size) ||
		    !utf8_wellformed((const uint8_t *)pairs[i].name, name))
			return VALUE_ENCODING;
		for (size_t k = 0; k < i; k++)
			if (strcmp(pairs[k].name, pairs[i].name) == 0)
				return VALUE_REPEATED;
		size += 6 + ESCAPE_MAX * (name + pairs[i].value.size);
	}
	*ret_size = size;
	return VALUE_OK;
}

enum value_status
value_object(const struct value_pair *pairs, size_t count, size_t max, struct secret **ret_object)
{
	size_t size = 0;
	enum value_status status = pairs_check(pairs, count, &size);

	if (status != VALUE_OK)
		return status;
	auto_secret *object = secret_new(size < max ? size : max);
	if (object == NULL)
		return VALUE_MEMORY;
	struct writer w = writer_of(object->bytes, object->capacity);
	for (size_t i = 0; i < count; i++)
		pair_write(&w, &pairs[i], i == 0);
	write_bytes(&w, text_bytes(count == 0 ? "{}" : "}"));
	if (w.failed)
		return VALUE_LIMIT;
	object->size = w.size;
	*ret_object = object;
	object = NULL;
	return VALUE_OK;
}

/* ---- reading: RFC 8259, over the bytes in place ---- */

static uint8_t
peek(const struct reader *r)
{
	return r->left > 0 && !r->failed ? *r->next : 0;
}

static bool
accept(struct reader *r, char c)
{
	if (peek(r) != (uint8_t)c || r->left == 0)
		return false;
	(void)read_u8(r);
	return true;
}

static void
expect(struct reader *r, const char *text)
{
	for (; *text != '\0'; text++)
		if (!accept(r, *text))
			reader_fail(r);
}

static void
skip_space(struct reader *r)
{
	while (accept(r, ' ') || accept(r, '\t') || accept(r, '\n') || accept(r, '\r'))
		continue;
}

static uint32_t
read_hex4(struct reader *r)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		uint8_t c = read_u8(r);
		uint8_t lower = (uint8_t)(c | 0x20);
		if (c >= '0' && c <= '9')
			value = value << 4 | (uint32_t)(c - '0');
		else if (lower >= 'a' && lower <= 'f')
			value = value << 4 | (uint32_t)(lower - 'a' + 10);
		else
			reader_fail(r);
	}
	return value;
}

static void
write_utf8(struct writer *w, uint32_t code)
{
	if (code < 0x80) {
		write_u8(w, (uint8_t)code);
		return;
	}
	if (code < 0x800) {
		write_u8(w, (uint8_t)(0xc0 | code >> 6));
	} else if (code < 0x10000) {
		write_u8(w, (uint8_t)(0xe0 | code >> 12));
		write_u8(w, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
	} else {
		write_u8(w, (uint8_t)(0xf0 | code >> 18));
		write_u8(w, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
		write_u8(w, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
	}
	write_u8(w, (uint8_t)(0x80 | (code & 0x3f)));
}

/* What follows a backslash; a pair of surrogates is one character, half of one is an error. */
static void
read_escape(struct reader *r, struct writer *w)
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	uint8_t c = read_u8(r);
	const char *name = c != 0 ? strchr(names, c) : NULL;

	if (name != NULL) {
		write_u8(w, (uint8_t)meanings[name - names]);
		return;
	}
	uint32_t code = c == 'u' ? read_hex4(r) : 0xd800;
	if (code >= 0xd800 && code <= 0xdbff && c == 'u') {
		expect(r, "\\u");
		uint32_t low = read_hex4(r);
		bool pair = low >= 0xdc00 && low <= 0xdfff;
		code = pair ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : 0xd800;
	}
	if (code >= 0xd800 && code <= 0xdfff)
		reader_fail(r);
	else
		write_utf8(w, code);
}

/* A text from its opening quote on, decoded; never longer than it is written. */
static void
read_text(struct reader *r, struct writer *w)
{
	expect(r, "\"");
	while (!r->failed && !accept(r, '"')) {
		uint8_t c = read_u8(r);
		if (c == '\\')
			read_escape(r, w);
		else if (c < 0x20)
			reader_fail(r);
		else
			write_u8(w, c);
	}
}

static void
skip_text(struct reader *r)
{
	uint8_t character[4];

	expect(r, "\"");
	while (!r->failed && !accept(r, '"')) {
		struct writer w = writer_of(character, sizeof(character));
		uint8_t c = read_u8(r);
		if (c == '\\')
			read_escape(r, &w);
		else if (c < 0x20)
			reader_fail(r);
	}
}

static bool
skip_digits(struct reader *r)
{
	bool any = false;

	while (peek(r) >= '0' && peek(r) <= '9') {
		(void)read_u8(r);
		any = true;
	}
	return any;
}

static void
skip_number(struct reader *r)
{
	(void)accept(r, '-');
	bool good = accept(r, '0') || skip_digits(r);
	if (accept(r, '.'))
		good = skip_digits(r) && good;
	if (accept(r, 'e') || accept(r, 'E')) {
		(void)(accept(r, '+') || accept(r, '-'));
		good = skip_digits(r) && good;
	}
	if (!good)
		reader_fail(r);
}

static void
skip_value(struct reader *r, unsigned depth)
{
	bool object = peek(r) == '{';

	if (!object && peek(r) != '[') {
		if (peek(r) == '"')
			skip_text(r);
		else if (peek(r) == 't' || peek(r) == 'f' || peek(r) == 'n')
			expect(r, peek(r) == 't' ? "true" : peek(r) == 'f' ? "false" : "null");
		else
			skip_number(r);
		return;
	}
	if (depth == VALUE_DEPTH_MAX) {
		reader_fail(r);
		return;
	}
	(void)read_u8(r);
	skip_space(r);
	if (accept(r, object ? '}' : ']'))
		return;
	do {
		skip_space(r);
		if (object) {
			skip_text(r);
			skip_space(r);
			expect(r, ":");
			skip_space(r);
		}
		skip_value(r, depth + 1);
		skip_space(r);
	} while (accept(r, ','));
	expect(r, object ? "}" : "]");
}

/* Does the member's name, whose text begins at `r`, read `name`? Goes past it. */
static bool
name_matches(struct reader *r, const char *name)
{
	uint8_t decoded[256];
	struct writer w = writer_of(decoded, sizeof(decoded));

	read_text(r, &w);
	return !w.failed && bytes_equal(writer_bytes(&w), text_bytes(name));
}

/* Walks the object; *ret_value is where the one member `name` stands. */
static enum value_status
member_find(struct bytes object, const char *name, struct bytes *ret_value)
{
	struct reader r = reader_of(object);
	size_t found = 0;

	skip_space(&r);
	expect(&r, "{");
	skip_space(&r);
	bool more = !accept(&r, '}');
	while (more && !r.failed) {
		skip_space(&r);
		bool wanted = name_matches(&r, name);
		skip_space(&r);
		expect(&r, ":");
		skip_space(&r);
		const uint8_t *begin = r.next;
		skip_value(&r, 1);
		if (wanted && !r.failed && ++found == 1)
			*ret_value = (struct bytes){begin, (size_t)(r.next - begin)};
		skip_space(&r);
		more = accept(&r, ',');
		if (!more)
			expect(&r, "}");
	}
	skip_space(&r);
	if (!reader_finished(&r))
		return VALUE_MALFORMED;
	return found == 0 ? VALUE_MISSING : found == 1 ? VALUE_OK : VALUE_REPEATED;
}

enum value_status
value_member(struct bytes object, const char *name, struct secret **ret_value)
{
	struct bytes text = {NULL, 0};
	enum value_status status = utf8_wellformed(object.data, object.size)
					   ? member_find(object, name, &text)
					   : VALUE_ENCODING;

	if (status != VALUE_OK)
		return status;
	struct secret *value = secret_new(text.size);
	if (value == NULL)
		return VALUE_MEMORY;
	struct writer w = writer_of(value->bytes, value->capacity);
	if (text.data[0] == '"') {
		struct reader r = reader_of(text);
		read_text(&r, &w);
	} else {
		write_bytes(&w, text);
	}
	value->size = w.size;
	*ret_value = value;
	return VALUE_OK;
}
