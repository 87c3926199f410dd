/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret values as JSON, without ever leaving locked memory: an object of texts made from pairs,
 * one member taken out of an object, and any value as a JSON text. jansson is not used here because
 * its memory is neither locked nor wiped.
 */
#ifndef POSTERN_COMMAND_VALUE_H
#define POSTERN_COMMAND_VALUE_H

#include "attest/bytes.h"
#include "store/secret.h"

#define VALUE_DEPTH_MAX 16

enum value_status {
	VALUE_OK = 0,
	VALUE_MALFORMED, /* not an object of JSON */
	VALUE_MISSING,	 /* no such member */
	VALUE_REPEATED,	 /* a member twice */
	VALUE_ENCODING,	 /* not UTF-8 */
	VALUE_LIMIT,
	VALUE_MEMORY,
};

struct value_pair {
	const char *name;
	struct bytes value; /* UTF-8 */
};

/* {"name":"value",...} in the order given, at most `max` bytes. */
__attribute__((warn_unused_result)) enum value_status
value_object(const struct value_pair *pairs, size_t count, size_t max, struct secret **ret_object);
/* The member `name`: a text decoded, anything else as it is written. The whole object must be well
 * formed. */
__attribute__((warn_unused_result)) enum value_status
value_member(struct bytes object, const char *name, struct secret **ret_value);
/* Bytes as they stand in JSON between quotes. With `w` of too small a capacity it fails as writers
 * do. */
void value_escape(struct writer *w, struct bytes text);

#endif
