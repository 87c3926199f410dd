/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of a keeper begin with: a house and a client of its local socket. */
#ifndef POSTERN_TESTS_KEEPER_FIXTURE_SCENE_H
#define POSTERN_TESTS_KEEPER_FIXTURE_SCENE_H

#include "keeper_fixture.h"

struct scene {
	struct house house;
	struct house_control control;
};
/* cmocka's set-ups: their own, around these. The keeper serves, or has shares and is sealed. */
struct scene *scene_set_up(void **state, const char *policies);
struct scene *scene_set_up_sealed(void **state, const char *policies, uint8_t threshold,
				  uint8_t count);
int scene_tear_down(void **state);
/* The keeper ends, unless it did by itself; and begins anew, sealed. The client goes with it. */
void scene_stop(struct scene *scene);
void scene_start_sealed(struct scene *scene);
/* By shares, the first ones. */
void scene_unseal(struct scene *scene);

/* Into the store of a keeper that is stopped; empty: deletes it there. */
void house_put_record(struct house *house, const char *key, struct bytes value);

#endif
