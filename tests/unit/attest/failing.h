/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation fails once, OpenSSL's and, where the program is linked with --wrap, ours. */
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
/* Runs each case with the first allocation failing, with the second, and so on until none does:
 * what is refused is never accepted. */
void failing_run(const struct failing_case *cases, size_t count);

#endif
