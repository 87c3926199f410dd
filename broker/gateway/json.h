/* SPDX-License-Identifier: Apache-2.0 */
/* The members of a request's JSON object, decoded into memory that is freed with the request. */
#ifndef POSTERN_GATEWAY_JSON_H
#define POSTERN_GATEWAY_JSON_H

#include <jansson.h>

#include "routes.h"

/* A request being decoded: failures stick, and the first is the one that is told. */
struct body {
	json_t *root;
	struct writer decoded; /* holds every decoded member */
	const char *problem;
	bool too_large;
};

/* Once, before the first request. */
void body_start(void);
__attribute__((warn_unused_result)) bool body_open(struct bytes text, struct body *ret_body);
void body_close(struct body *body);

/* A base64 member; `required` false: absent or null gives empty bytes. */
struct bytes body_base64(struct body *body, const char *member, bool required);
/* An optional log of at most `max` bytes. */
struct bytes body_log(struct body *body, const char *member, size_t max);
/* An optional whole number; absent or null gives 0. */
uint64_t body_number(struct body *body, const char *member);
/* The same for an array of at most `max`. */
size_t body_base64_array(struct body *body, const char *member, size_t max,
			 struct bytes *ret_items);
struct bytes body_text(struct body *body, const char *member);
bool body_has(const struct body *body, const char *member);
/* "secrets" as the canonical list. */
struct bytes body_wanted(struct body *body);

#endif
