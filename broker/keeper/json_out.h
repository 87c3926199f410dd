/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer of JSON text, for audit entries and operators' answers: the keeper writes JSON and never
 * reads it. Fails stickily: past its limit, or out of memory, it writes nothing more and
 * out_finish answers false.
 */
#ifndef POSTERN_KEEPER_JSON_OUT_H
#define POSTERN_KEEPER_JSON_OUT_H

#include "attest/bytes.h"

struct json {
	char *memory; /* kept between uses; out_clear frees it */
	size_t size;
	size_t capacity;
	size_t limit;
	unsigned depth;
	bool comma; /* a value stands before */
	bool failed;
};

/* Forgets the text and keeps the memory. */
void out_start(struct json *json, size_t limit);
void out_clear(struct json *json);
/* Everything fitted, and every bracket is closed. */
bool out_finish(const struct json *json);
struct bytes out_bytes(const struct json *json);

/* `name` is NULL within arrays and at the top; it is a literal that needs no escape. */
void out_object(struct json *json, const char *name);
void out_object_end(struct json *json);
void out_array(struct json *json, const char *name);
void out_array_end(struct json *json);
/* Anything that is not UTF-8 is written as '?', controls as escapes. */
void out_string(struct json *json, const char *name, struct bytes text);
void out_text(struct json *json, const char *name, const char *text); /* NULL: null */
void out_number(struct json *json, const char *name, uint64_t value);
void out_boolean(struct json *json, const char *name, bool value);
void out_null(struct json *json, const char *name);
void out_hex(struct json *json, const char *name, struct bytes value);
void out_base64(struct json *json, const char *name, struct bytes value);
/* A member whose name is somebody else's text. */
void out_pair(struct json *json, struct bytes name, struct bytes text);
/* Text that is JSON already, because another writer made it. */
void out_embed(struct json *json, const char *name, struct bytes text);
/* A member whose name is a small number ("pcrs":{"7":...}). */
void out_hex_numbered(struct json *json, unsigned number, struct bytes value);

static inline struct bytes
text_bytes(const char *text)
{
	return (struct bytes){(const uint8_t *)text, __builtin_strlen(text)};
}

#endif
