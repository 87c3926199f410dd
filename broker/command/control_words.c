/* SPDX-License-Identifier: Apache-2.0 */
#include "control_words.h"

#include "command.h"
#include "encode.h"
#include "output.h"

#include <stdio.h>

#define WHY_SIZE (CONTROL_TEXT_MAX + 1)

static void
why_text(const struct control_state *state, char ret_text[WHY_SIZE])
{
	text_tame((const char *)state->why.data, state->why.size, ret_text, WHY_SIZE);
}

static json_t *
rotation_json(const struct control_state *state)
{
	return json_pack("{s:I,s:I,s:b,s:I,s:I}", "generation", (json_int_t)state->generation,
			 "oldest", (json_int_t)state->oldest, "under_way",
			 state->generation != state->oldest, "resealed",
			 (json_int_t)state->resealed, "records", (json_int_t)state->records);
}

json_t *
control_state_json(const struct control_state *state)
{
	char set[2 * CONTROL_SET_SIZE + 1], why[WHY_SIZE];

	hex_encode(state->set, sizeof(state->set), set);
	why_text(state, why);
	json_t *json = json_pack("{s:b,s:b,s:I,s:I,s:I}", "sealed", state->sealed, "frozen",
				 state->frozen, "shares", (json_int_t)state->count, "threshold",
				 (json_int_t)state->threshold, "given", (json_int_t)state->given);
	bool whole = json != NULL;
	if (whole && state->count > 0)
		whole = json_object_set_new(json, "set", json_string(set)) == 0;
	if (whole && state->rekey_given > 0)
		whole = json_object_set_new(json, "rekey_given",
					    json_integer(state->rekey_given)) == 0;
	if (whole && state->frozen)
		whole = json_object_set_new(json, "why", json_string(why)) == 0;
	if (whole && !state->sealed) {
		json_t *more = json_pack(
			"{s:I,s:I,s:I,s:o}", "trust_revision", (json_int_t)state->trust_revision,
			"store_revision", (json_int_t)state->store_revision, "witness",
			(json_int_t)state->witness, "rotation", rotation_json(state));
		whole = more != NULL && json_object_update(json, more) == 0;
		json_decref(more);
	}
	if (whole)
		return json;
	json_decref(json);
	return NULL;
}

int
control_state_out(const struct control_state *state)
{
	auto_json *json = control_state_json(state);

	return json != NULL ? output_json(json) : complain(EX_SOFTWARE, "out of memory");
}

static void
rotation_print(const struct control_state *state)
{
	(void)printf("data key             generation %u", state->generation);
	if (state->generation == state->oldest) {
		(void)printf("\n");
		return;
	}
	(void)printf(", re-sealing what is under %u and later: ", state->oldest);
	if (state->records > 0)
		(void)printf("%llu of %llu records\n", (unsigned long long)state->resealed,
			     (unsigned long long)state->records);
	else
		(void)printf("%llu records so far\n", (unsigned long long)state->resealed);
}

void
control_state_print(const struct control_state *state)
{
	char why[WHY_SIZE];

	(void)printf("sealed               %s\n", state->sealed ? "yes" : "no");
	if (state->count > 0)
		(void)printf("root key             in %u shares, %u of which open it\n",
			     state->count, state->threshold);
	else
		(void)printf("root key             in a file or a TPM\n");
	if (state->sealed && state->count > 0)
		(void)printf("shares given         %u of %u\n", state->given, state->threshold);
	if (state->rekey_given > 0)
		(void)printf("given to rekey       %u of %u\n", state->rekey_given,
			     state->threshold);
	if (state->sealed)
		return;
	why_text(state, why);
	(void)printf("frozen               %s%s\n", state->frozen ? "yes: " : "no", why);
	(void)printf("trust revision       %llu\n", (unsigned long long)state->trust_revision);
	(void)printf("store revision       %llu\n", (unsigned long long)state->store_revision);
	rotation_print(state);
	if (state->witness > 0)
		(void)printf("witness              starts with a TPM counter of %llu at least\n",
			     (unsigned long long)state->witness);
}

void
control_frozen_say(const struct control_state *state)
{
	char why[WHY_SIZE];

	if (!state->frozen)
		return;
	why_text(state, why);
	remark("the broker is frozen: it answers readings and releases nothing, because %s", why);
	remark("its trust revision is %llu: compare that with what operators and guests saw last. "
	       "If it "
	       "is the newest there is:",
	       (unsigned long long)state->trust_revision);
	remark("  postern thaw --revision %llu --reason TEXT",
	       (unsigned long long)state->trust_revision);
}
