/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations that fail: every one of the library, and what the test itself takes from malloc and
 * calloc. For programs that are linked with failing.c and its wrappers. */
#ifndef POSTERN_TESTS_POLICY_FAILING_H
#define POSTERN_TESTS_POLICY_FAILING_H

#include <stddef.h>

extern struct failing {
	size_t at;	    /* 0: none; else this one and all that follow */
	size_t allocations; /* so far: a test puts it back */
	size_t chunks;	    /* of them from malloc, counted on */
	size_t bytes;	    /* taken from arenas */
} failing;

#endif
