/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 40000
/* OpenSSL makes thousands of allocations for one path. After the first the same few functions of
 * its take turns: one in STEP is tried, by cases in turn each of the STEP that there are. */
#define EACH_OF_FIRST 128
#define STEP	      17

static long countdown = -1; /* of allocations until the one that fails; negative: none */

static bool
fails(void)
{
	return countdown >= 0 && countdown-- == 0;
}

/* The linker's names for what --wrap hides. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *
__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

static void *
counted_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return size == 0 || fails() ? NULL : __real_malloc(size);
}

static void *
counted_realloc(void *old, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	if (size == 0) {
		free(old);
		return NULL;
	}
	return fails() ? NULL : __real_realloc(old, size);
}

static void
counted_free(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

bool
failing_install(void)
{
	return CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) == 1;
}

void
failing_arm(long before)
{
	countdown = before;
}

bool
failing_disarm(void)
{
	bool reached = countdown < 0;

	countdown = -1;
	return reached;
}

static void
run_one(const struct failing_case *one, long phase)
{
	bool all = getenv("POSTERN_EVERY_ALLOCATION") != NULL;
	bool reached = true;
	long tried = 0;

	/* Once with none, so that what OpenSSL keeps for good is there. */
	assert_int_equal(one->run(), one->want);
	for (long before = 0; before < ALLOCATIONS_MAX && reached; before++) {
		if (!all && before >= EACH_OF_FIRST && before % STEP != phase)
			continue;
		failing_arm(before);
		enum attest_status status = one->run();
		reached = failing_disarm();
		tried += reached;
		if (one->want != ATTEST_OK && status == ATTEST_OK)
			fail_msg("%s: accepted when allocation %ld fails", one->name, before);
	}
	assert_true(tried > 0 && !reached);
	print_message("%s: %ld allocations tried\n", one->name, tried);
	/* And nothing of it stays behind. */
	assert_int_equal(one->run(), one->want);
}

void
failing_run(const struct failing_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run_one(&cases[i], (long)(i % STEP));
}
