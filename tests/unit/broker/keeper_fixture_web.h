/* SPDX-License-Identifier: Apache-2.0 */
/* A house for tests of machines: rules for the group "web", values, and what operators see of a
 * machine. */
#ifndef POSTERN_TESTS_KEEPER_FIXTURE_WEB_H
#define POSTERN_TESTS_KEEPER_FIXTURE_WEB_H

#include "keeper_fixture_scene.h"

/* Under web/key, web/broken (a policy that errors), booted/key (baseline and log wanted) and
 * other/key (nobody's). */
#define WEB_RULES                                                                                  \
	SCENE_RULES                                                                                \
	"\n"                                                                                       \
	"forbid (principal, action == Action::\"release\", resource == Secret::\"web/broken\") "   \
	"when { context.nothing.more };\n"                                                         \
	"permit (principal in MachineGroup::\"web\", action == Action::\"release\", "              \
	"resource == Secret::\"booted/key\") when { "                                              \
	"context.baselines.contains(Baseline::\"image\") && "                                      \
	"context.claims.eventLog == \"replays\" && context.claims has secureBoot && "              \
	"context.claims.secureBoot && context.ek.certified };"
/* What all four hold. */
#define VALUE "the value, and nobody else's"

/* cmocka's set-up and tear-down. Whatever a test did: no value stands in the audit log then. */
int web_set_up(void **state);
int web_tear_down(void **state);

/* The newest decision about the guest has that text in it. */
void assert_explained(struct house *house, const struct guest *guest, const char *what);
/* machine-show's JSON; free it. */
char *machine_shown(struct house *house, const struct guest *guest);
void assert_state(struct house *house, const struct guest *guest, const char *state);

#endif
