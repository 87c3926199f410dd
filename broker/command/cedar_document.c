/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jansson reads; this file adds what it lacks. Places: the text is kept, and the path to a value is
 * walked in it when a refusal needs to say where that is. NULs in names: jansson refuses `\u0000`
 * there, so a character that the text does not use stands in for it until the tree is made.
 */
#include "cedar_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUL_ESCAPE	"\\u0000"
#define NUL_ESCAPE_SIZE 6
/* Unicode's private use area, U+E000 to U+F8FF: three bytes each in UTF-8. */
#define PRIVATE_FIRST 0xe000U
#define PRIVATE_COUNT 6400U

struct cedar_document {
	char *text;
	size_t size;
	json_t *root;
};

static enum policy_status
refuse(struct policy_error *err, enum policy_status status, const char *message)
{
	*err = (struct policy_error){.status = status};
	(void)snprintf(err->message, sizeof(err->message), "%s", message);
	return status;
}

/* ---- the text ---- */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t
skip_blanks(const struct cedar_document *document, size_t at)
{
	while (at < document->size && is_blank(document->text[at]))
		at++;
	return at;
}

/* From a quote to behind the next that is not escaped. */
static size_t
skip_string(const struct cedar_document *document, size_t at)
{
	for (at++; at < document->size && document->text[at] != '"'; at++)
		if (document->text[at] == '\\')
			at++;
	return at < document->size ? at + 1 : document->size;
}

/* Lines and columns of a byte; columns count characters, from 1. */
static void
place_byte(const struct cedar_document *document, size_t byte, struct policy_error *err)
{
	err->line = 1;
	err->column = 1;
	for (size_t i = 0; i < byte && i < document->size; i++) {
		if (document->text[i] == '\n') {
			err->line++;
			err->column = 1;
		} else if (((unsigned char)document->text[i] & 0xc0) != 0x80) {
			err->column++;
		}
	}
}

/* Serde takes `-0` for a real, and jansson for 0; no real is a value of Cedar. */
static bool
is_minus_zero(const struct cedar_document *document, size_t at)
{
	const char *text = document->text + at;
	size_t rest = document->size - at;

	return rest >= 2 && text[0] == '-' && text[1] == '0' &&
	       (rest == 2 || strchr(".eE0123456789", text[2]) == NULL || text[2] == '\0');
}

static enum policy_status
check_text(const struct cedar_document *document, struct policy_error *err)
{
	enum policy_status status = POLICY_OK;
	size_t depth = 0, at = 0;

	while (at < document->size && status == POLICY_OK) {
		char c = document->text[at];
		if (c == '"') {
			at = skip_string(document, at);
			continue;
		}
		if ((c == '{' || c == '[') && ++depth > CEDAR_JSON_DEPTH_MAX)
			status = refuse(err, POLICY_LIMIT, "brackets are nested too deep");
		if ((c == '}' || c == ']') && depth > 0)
			depth--;
		if (is_minus_zero(document, at))
			status = refuse(err, POLICY_SYNTAX, "`-0` is no integer");
		at++;
	}
	if (status != POLICY_OK)
		place_byte(document, at - 1, err);
	return status;
}

/* ---- NULs in names ---- */

/* Marks every private character that occurs, as itself or escaped: too many rather than too few. */
static void
mark_private(const struct cedar_document *document, bool used[PRIVATE_COUNT])
{
	for (size_t i = 0; i + 3 <= document->size; i++) {
		const unsigned char *bytes = (const unsigned char *)document->text + i;
		char digits[5] = {0};
		unsigned long code = 0;
		if ((bytes[0] & 0xf0) == 0xe0) {
			code = ((bytes[0] & 0xfUL) << 12) | ((bytes[1] & 0x3fUL) << 6) |
			       (bytes[2] & 0x3fUL);
		} else if (bytes[0] == '\\' && bytes[1] == 'u' && document->size - i >= 6) {
			memcpy(digits, bytes + 2, 4);
			code = strtoul(digits, NULL, 16);
		}
		if (code >= PRIVATE_FIRST && code - PRIVATE_FIRST < PRIVATE_COUNT)
			used[code - PRIVATE_FIRST] = true;
	}
}

static void
replace_nuls(char *name, size_t size, unsigned int stand_in)
{
	char escape[NUL_ESCAPE_SIZE + 1];

	(void)snprintf(escape, sizeof(escape), "\\u%04x", stand_in);
	for (size_t i = 0; i + NUL_ESCAPE_SIZE <= size; i++) {
		if (memcmp(name + i, NUL_ESCAPE, NUL_ESCAPE_SIZE) == 0)
			memcpy(name + i, escape, NUL_ESCAPE_SIZE);
		if (name[i] == '\\')
			i++;
	}
}

/* 0: nothing had to be replaced, or no character is free, which jansson then refuses. The new
 * escape is as long as the old one, so that places stay. */
static unsigned int
hide_nuls(struct cedar_document *document)
{
	bool used[PRIVATE_COUNT] = {false};
	unsigned int free_one = 0;

	if (memmem(document->text, document->size, NUL_ESCAPE, NUL_ESCAPE_SIZE) == NULL)
		return 0;
	mark_private(document, used);
	while (free_one < PRIVATE_COUNT && used[free_one])
		free_one++;
	if (free_one == PRIVATE_COUNT)
		return 0;
	for (size_t at = 0; at < document->size; at++) {
		if (document->text[at] != '"')
			continue;
		size_t end = skip_string(document, at);
		size_t next = skip_blanks(document, end);
		if (next < document->size && document->text[next] == ':')
			replace_nuls(document->text + at, end - at, PRIVATE_FIRST + free_one);
		at = end - 1;
	}
	return PRIVATE_FIRST + free_one;
}

/* The name with its NULs again, for jansson takes them in names that it does not parse. */
static size_t
show_name(const char *name, unsigned int stand_in, char *ret_name)
{
	const char bytes[3] = {(char)(0xe0 | (stand_in >> 12)),
			       (char)(0x80 | ((stand_in >> 6) & 0x3f)),
			       (char)(0x80 | (stand_in & 0x3f))};
	size_t size = 0;

	while (*name != '\0') {
		bool hidden = strncmp(name, bytes, sizeof(bytes)) == 0;
		ret_name[size++] = hidden ? '\0' : *name;
		name += hidden ? sizeof(bytes) : 1;
	}
	return size;
}

static json_t *show_nuls(json_t *value, unsigned int stand_in);

static json_t *
show_object(const json_t *object, unsigned int stand_in)
{
	json_t *shown = json_object();
	const char *name;
	json_t *member;

	/* The macro wants an object that may change; it does not. */
	json_object_foreach((json_t *)(uintptr_t)object, name, member)
	{
		char *plain = malloc(strlen(name) + 1);
		size_t size = plain != NULL ? show_name(name, stand_in, plain) : 0;
		int failed = plain == NULL ||
			     json_object_setn_new(shown, plain, size, show_nuls(member, stand_in));
		free(plain);
		if (failed) {
			json_decref(shown);
			return NULL;
		}
	}
	return shown;
}

/* A copy: members keep their order, and so their places. NULL: out of memory. */
static json_t *
show_nuls(json_t *value, unsigned int stand_in)
{
	json_t *item, *shown;
	size_t i;

	if (json_is_object(value))
		return show_object(value, stand_in);
	if (!json_is_array(value))
		return json_incref(value);
	shown = json_array();
	json_array_foreach(value, i, item)
	{
		if (json_array_append_new(shown, show_nuls(item, stand_in)) != 0) {
			json_decref(shown);
			return NULL;
		}
	}
	return shown;
}

/* ---- reading ---- */

static enum policy_status
load(struct cedar_document *document, struct policy_error *err)
{
	const size_t flags = JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	enum policy_status status = check_text(document, err);
	json_error_t wrong;

	if (status != POLICY_OK)
		return status;
	unsigned int stand_in = hide_nuls(document);
	document->root = json_loadb(document->text, document->size, flags, &wrong);
	if (document->root == NULL) {
		/* jansson says nothing where memory runs out in the middle. */
		bool memory = wrong.text[0] == '\0';
		status = refuse(err, memory ? POLICY_MEMORY : POLICY_SYNTAX,
				memory ? "out of memory" : wrong.text);
		place_byte(document, wrong.position > 0 ? (size_t)wrong.position - 1 : 0, err);
		return status;
	}
	if (stand_in == 0)
		return POLICY_OK;
	json_t *shown = show_nuls(document->root, stand_in);
	json_decref(document->root);
	document->root = shown;
	return shown != NULL ? POLICY_OK : refuse(err, POLICY_MEMORY, "out of memory");
}

enum policy_status
cedar_document_parse(struct policy_text source, struct cedar_document **ret_document,
		     struct policy_error *err)
{
	if (source.size > CEDAR_JSON_MAX)
		return refuse(err, POLICY_LIMIT, "the JSON is too large");
	auto_cedar_document *document = calloc(1, sizeof(*document));
	if (document == NULL || (document->text = malloc(source.size + 1)) == NULL)
		return refuse(err, POLICY_MEMORY, "out of memory");
	if (source.size > 0)
		memcpy(document->text, source.data, source.size);
	document->size = source.size;
	enum policy_status status = load(document, err);
	if (status != POLICY_OK)
		return status;
	*ret_document = document;
	document = NULL;
	return POLICY_OK;
}

void
cedar_document_free(struct cedar_document *document)
{
	if (document == NULL)
		return;
	json_decref(document->root);
	free(document->text);
	free(document);
}

struct policy_text
cedar_text(const json_t *string)
{
	const char *data = json_string_value(string);

	return (struct policy_text){.data = data != NULL ? data : "",
				    .size = json_string_length(string)};
}

/* ---- places ---- */

struct cedar_place
cedar_root(const struct cedar_document *document)
{
	return (struct cedar_place){.document = document, .value = document->root};
}

struct cedar_place
cedar_member(const struct cedar_place *within, const char *name)
{
	struct cedar_place place = {.document = within->document, .within = within};
	const char *other;
	json_t *value;

	json_object_foreach(within->value, other, value)
	{
		if (strcmp(other, name) == 0 &&
		    json_object_iter_key_len(json_object_key_to_iter(other)) == strlen(name)) {
			place.value = value;
			return place;
		}
		place.index++;
	}
	return place;
}

struct cedar_place
cedar_item(const struct cedar_place *within, size_t index)
{
	return (struct cedar_place){.document = within->document,
				    .within = within,
				    .value = json_array_get(within->value, index),
				    .index = index};
}

/* The text is known to be JSON: a value ends where its brackets close. */
static size_t
skip_value(const struct cedar_document *document, size_t at)
{
	size_t depth = 0;

	while (at < document->size) {
		char c = document->text[at];
		if (c == '"') {
			at = skip_string(document, at);
		} else if (c == '{' || c == '[') {
			depth++;
			at++;
		} else if ((c == '}' || c == ']' || c == ',') && depth == 0) {
			break;
		} else {
			depth -= c == '}' || c == ']' ? 1 : 0;
			at++;
		}
		if (depth == 0 && (c == '"' || c == '}' || c == ']'))
			break;
	}
	return at;
}

/* From a value's first byte to that of its member or item. */
static size_t
step_into(const struct cedar_document *document, size_t at, size_t index)
{
	bool named = document->text[at] == '{';

	at = skip_blanks(document, at + 1);
	for (size_t i = 0;; i++) {
		if (named) {
			at = skip_blanks(document, skip_string(document, at));
			at = skip_blanks(document, at + 1); /* the colon */
		}
		if (i == index || at >= document->size)
			return at;
		at = skip_blanks(document, skip_value(document, at));
		at = skip_blanks(document, at + 1); /* the comma */
	}
}

static size_t
find_byte(const struct cedar_place *place)
{
	/* What is not there is meant by where it should be. */
	if (place->within == NULL)
		return skip_blanks(place->document, 0);
	size_t at = find_byte(place->within);
	return place->value != NULL ? step_into(place->document, at, place->index) : at;
}

void
cedar_locate(const struct cedar_place *place, struct policy_error *err)
{
	place_byte(place->document, find_byte(place), err);
}
