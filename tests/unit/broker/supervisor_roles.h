/* SPDX-License-Identifier: Apache-2.0 */
/* Roles of test_supervisor.c's own: what one is to do stands in its setup. */
#ifndef POSTERN_TESTS_SUPERVISOR_ROLES_H
#define POSTERN_TESTS_SUPERVISOR_ROLES_H

#define AS_EXPECTED 42 /* what a role exits with when all it saw was right */

/* The process's exit status. */
int run_test_role(const char *name);
void pause_milliseconds(long count);

#endif
