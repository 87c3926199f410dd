/* SPDX-License-Identifier: Apache-2.0 */
/* Cedar's JSON for entities and values -> facts. */
#ifndef TESTS_FACTS_JSON_H
#define TESTS_FACTS_JSON_H

#include "policy/policy.h"

#include <jansson.h>

enum json_verdict {
	JSON_READ,
	JSON_UNSUPPORTED, /* says something that the facts cannot express: `told` says what */
	JSON_WRONG,
};

struct json_reader {
	struct policy_facts *facts;
	enum json_verdict verdict;
	const char *told;
};

/* Jansson takes no NUL in keys, and Cedar does: here `\u0000` is read as the character below, and
 * made a NUL again in facts. The data is changed. */
#define NUL_STAND_IN "\xee\x80\x80" /* U+E000 */
json_t *json_load_exact(char *data, size_t size);

/* NULL unless the verdict stays JSON_READ. */
const struct policy_value *json_value(struct json_reader *reader, json_t *json);
const struct policy_value *json_entity_name(struct json_reader *reader, json_t *json);
/* Adds each of an array of entities. */
void json_entities(struct json_reader *reader, json_t *entities);

#endif
