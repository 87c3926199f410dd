/* SPDX-License-Identifier: Apache-2.0 */
#include "failing.h"

#include <execinfo.h>
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 40000
/* OpenSSL makes thousands of allocations for one path, most of them in loops: those that the same
 * functions make by the same calls are tried this often, the others are passed over. */
#define TRIES_PER_STACK 2
#define ALL_OF_FEW	256 /* of so many none is passed over */
#define FRAMES_MAX	64
#define STACKS_SIZE	16384 /* a power of two, of which few are used */

static long countdown = -1; /* of allocations until the one that fails; negative: none */

static struct {
	bool on;
	long count;
	bool chosen[ALLOCATIONS_MAX];
	struct {
		uint64_t hash;
		unsigned times;
	} stacks[STACKS_SIZE];
} watched;

static uint64_t
hash_stack(void)
{
	void *frames[FRAMES_MAX];
	int depth = backtrace(frames, FRAMES_MAX);
	uint64_t hash = 0xcbf29ce484222325U; /* FNV-1a, a frame at a time */

	for (int i = 0; i < depth; i++)
		hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * 0x100000001b3U;
	return hash == 0 ? 1 : hash;
}

static void
watch(void)
{
	uint64_t hash = hash_stack();
	size_t at = hash % STACKS_SIZE;

	while (watched.stacks[at].hash != 0 && watched.stacks[at].hash != hash)
		at = (at + 1) % STACKS_SIZE;
	watched.stacks[at].hash = hash;
	assert_true(watched.count < ALLOCATIONS_MAX);
	watched.chosen[watched.count++] = watched.stacks[at].times++ < TRIES_PER_STACK;
}

static bool
fails(void)
{
	if (watched.on)
		watch();
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

/* Without a failure, for what OpenSSL keeps for good, and once more to see who allocates. */
static void
watch_one(const struct failing_case *one)
{
	assert_int_equal(one->run(), one->want);
	memset(&watched, 0, sizeof(watched));
	watched.on = true;
	enum attest_status status = one->run();
	watched.on = false;
	assert_int_equal(status, one->want);
}

static void
run_one(const struct failing_case *one, bool all)
{
	long tried = 0;

	watch_one(one);
	all = all || watched.count <= ALL_OF_FEW;
	for (long before = 0; before < watched.count; before++) {
		if (!all && !watched.chosen[before])
			continue;
		failing_arm(before);
		enum attest_status status = one->run();
		assert_true(failing_disarm());
		tried++;
		if (one->want != ATTEST_OK && status == ATTEST_OK)
			fail_msg("%s: accepted when allocation %ld fails", one->name, before);
	}
	assert_true(tried > 0);
	print_message("%s: %ld of %ld allocations\n", one->name, tried, watched.count);
	/* And nothing of it stays behind. */
	assert_int_equal(one->run(), one->want);
}

void
failing_run(const struct failing_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		run_one(&cases[i], getenv("POSTERN_EVERY_ALLOCATION") != NULL);
}
