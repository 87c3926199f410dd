/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of a keeper begin with, a house alone or with a client of its local socket, and what
 * they ask of its answers. */
#ifndef POSTERN_TESTS_KEEPER_FIXTURE_SCENE_H
#define POSTERN_TESTS_KEEPER_FIXTURE_SCENE_H

#include "keeper_fixture.h"

/* A machine of group "web" gets what lies in folder "web". */
#define SCENE_RULES                                                                                \
	"permit (principal in MachineGroup::\"web\", action == Action::\"release\", "              \
	"resource in Folder::\"web\");"

/* cmocka's set-ups are the tests' own, around these; what they leave in *state is torn down with
 * it. The house serves. */
struct house *house_set_up(void **state, const char *policies);
int house_tear_down(void **state);

struct scene {
	struct house house;
	struct house_control control;
};
/* It serves, or has shares and is sealed. */
struct scene *scene_set_up(void **state, const char *policies);
struct scene *scene_set_up_sealed(void **state, const char *policies, uint8_t threshold,
				  uint8_t count);
int scene_tear_down(void **state);
/* The keeper ends, unless it did by itself; and begins anew, sealed. The client goes with it. */
void scene_stop(struct scene *scene);
void scene_start_sealed(struct scene *scene);
/* By shares, the first ones. */
void scene_unseal(struct scene *scene);

/* Wants this outcome, and these words in the answer, which is freed; "" is fine with anything. */
void assert_answer(struct house_answer answer, enum operation_outcome want, const char *says);
void assert_operation(struct house *house, const struct house_operator *signer,
		      struct operation_request *request, enum operation_outcome want,
		      const char *says);

/* As the gateway asks for it. */
struct wire_health house_health(struct house *house);

/* The count comes to that within some seconds. */
void await_count(atomic_uint *count, unsigned least);

/* Of a clock that nobody sets. */
int64_t monotonic_milliseconds(void);

/* Into the store of a keeper that is stopped; empty: deletes it there. */
void house_put_record(struct house *house, const char *key, struct bytes value);

#endif
