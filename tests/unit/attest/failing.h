/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail: OpenSSL's, and ours by --wrap (meson.build has the words for the linker).
 */
#ifndef POSTERN_TESTS_FAILING_H
#define POSTERN_TESTS_FAILING_H

#include "attest/attest.h"

struct failing_case {
	const char *name;
	enum attest_status (*run)(void); /* asserts for itself whatever else must hold */
	enum attest_status want;
};

/* Before OpenSSL allocates anything. */
bool failing_install(void);
/* Runs each case with an allocation failing, then with another, until all have: what is refused is
 * never accepted. Of those that are alike, made by the same chain of calls, it takes two, or all
 * where the environment has POSTERN_EVERY_ALLOCATION. */
void failing_run(const struct failing_case *cases, size_t count);

/* The allocation after `before` others will fail. */
void failing_arm(long before);
/* No longer. False: it was not reached. */
bool failing_disarm(void);

#endif
