/* SPDX-License-Identifier: Apache-2.0 */
/* For programs that are killed, or whose calls fail: they end without a test's frame. */
#ifndef TESTS_STORE_DIE_H
#define TESTS_STORE_DIE_H

__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);

#endif
