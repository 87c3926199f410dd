/* SPDX-License-Identifier: Apache-2.0 */
/* Policies, schemas and JSON from files, for the commands that need no broker. Each call says
 * itself what is wrong, as FILE:LINE:COLUMN. 0, EX_NOINPUT, EX_DATAERR, EX_IOERR or EX_SOFTWARE. */
#ifndef POSTERN_COMMAND_POLICY_FILES_H
#define POSTERN_COMMAND_POLICY_FILES_H

#include "cedar_json.h"
#include "command.h"

static inline void
policy_set_free_at(struct policy_set **set)
{
	policy_set_free(*set);
}
#define auto_policy_set __attribute__((cleanup(policy_set_free_at))) struct policy_set

static inline void
policy_schema_free_at(struct policy_schema **schema)
{
	policy_schema_free(*schema);
}
#define auto_policy_schema __attribute__((cleanup(policy_schema_free_at))) struct policy_schema

/* Is more than one of them "-"? NULLs are passed over. */
bool policy_files_share_input(const char *const *paths, size_t count);
/* The exit status of a refusal, which is said. */
int policy_complain(const char *path, const struct policy_error *err);
/* Cedar's text, or a set in JSON where it begins with `{`; and links, where `links` is not NULL. */
int policy_file_set(const char *path, const char *links, struct policy_set **ret_set);
/* One that says nothing: `err` tells what is wrong with the text. */
enum policy_status policy_text_set(struct policy_text text, struct policy_set **ret_set,
				   struct policy_error *err);
/* NULL: the broker's own. */
int policy_file_schema(const char *path, struct policy_schema **ret_schema);
int policy_file_document(const char *path, struct cedar_document **ret_document);

#endif
