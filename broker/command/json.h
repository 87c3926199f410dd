/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that came over the network: bounded in size and depth, duplicate members refused. Holds no
 * secret value: jansson's memory is neither locked nor wiped. */
#ifndef POSTERN_COMMAND_JSON_H
#define POSTERN_COMMAND_JSON_H

#include "attest/bytes.h"

#include <jansson.h>

#define JSON_SIZE_MAX  (4 * 1024 * 1024)
#define JSON_DEPTH_MAX 16

static inline void
json_free_at(json_t **json)
{
	json_decref(*json);
}
#define auto_json __attribute__((cleanup(json_free_at))) json_t

/* NULL: not an object of JSON within the limits. */
json_t *json_parse(const char *text, size_t size);
/* The text of a member, "" where it is absent or not a text. */
const char *json_text(const json_t *object, const char *member);
/* 0 where absent, not an integer, or negative. */
uint64_t json_number(const json_t *object, const char *member);
/* A base64 member into memory the caller owns; false unless it is there, strict, and fits. */
bool json_bytes(const json_t *object, const char *member, uint8_t *ret_bytes, size_t capacity,
		size_t *ret_size);
/* A base64 member of exactly `size` bytes. */
bool json_bytes_exact(const json_t *object, const char *member, uint8_t *ret_bytes, size_t size);
/* New value, or NULL without memory. */
json_t *json_base64(struct bytes bytes);

#endif
