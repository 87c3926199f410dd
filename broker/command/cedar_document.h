/* SPDX-License-Identifier: Apache-2.0 */
/* A text of JSON whose values know where they stand. Integers are exact or refused, members named
 * twice are refused, names may hold NULs. Nothing is printed. */
#ifndef POSTERN_COMMAND_CEDAR_DOCUMENT_H
#define POSTERN_COMMAND_CEDAR_DOCUMENT_H

#include "policy/policy.h"

#include <jansson.h>

#define CEDAR_JSON_MAX (16 * 1024 * 1024) /* bytes of one text */
#define CEDAR_JSON_DEPTH_MAX                                                                       \
	256 /* brackets inside each other: a value's level takes up to three                       \
	     */

struct cedar_document;

/* POLICY_SYNTAX, POLICY_LIMIT or POLICY_MEMORY; line and column say where. */
__attribute__((warn_unused_result)) enum policy_status
cedar_document_parse(struct policy_text source, struct cedar_document **ret_document,
		     struct policy_error *err);
void cedar_document_free(struct cedar_document *document);

static inline void
cedar_document_free_at(struct cedar_document **document)
{
	cedar_document_free(*document);
}
#define auto_cedar_document __attribute__((cleanup(cedar_document_free_at))) struct cedar_document

/* A value of a document. `within` must outlive it. */
struct cedar_place {
	const struct cedar_document *document;
	const struct cedar_place *within; /* NULL: the whole */
	json_t *value;			  /* NULL: there is none */
	size_t index;			  /* which member or item it is */
};

struct cedar_place cedar_root(const struct cedar_document *document);
/* Without a value where it is no object, or has no such member. */
struct cedar_place cedar_member(const struct cedar_place *within, const char *name);
struct cedar_place cedar_item(const struct cedar_place *within, size_t index);
/* A text as it is, NULs too; empty where it is none. */
struct policy_text cedar_text(const json_t *string);
/* Says where the place is, in an error that is filled but for that. */
void cedar_locate(const struct cedar_place *place, struct policy_error *err);

#endif
