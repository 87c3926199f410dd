/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"
#include "store/batch.h"

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* Its runtime makes mlock do nothing, so that two tests have nothing to see. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOCKING_WORKS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOCKING_WORKS false
#endif
#endif
#ifndef LOCKING_WORKS
#define LOCKING_WORKS true
#endif

static void
a_new_secret_is_zero_and_all_its_own(void **state)
{
	const size_t sizes[] = {0, 1, 15, 16, 17, 32, 4096, 100001};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		auto_secret *secret = secret_new(sizes[i]);
		assert_non_null(secret);
		assert_int_equal(secret->size, sizes[i]);
		assert_int_equal(secret->capacity, sizes[i]);
		for (size_t j = 0; j < sizes[i]; j++) {
			assert_int_equal(secret->bytes[j], 0);
			secret->bytes[j] = 0xaa;
		}
	}
	assert_null(secret_new(SIZE_MAX));
	assert_null(secret_new(SIZE_MAX - 64));
	secret_free(NULL);
}

static void
secrets_are_compared_by_size_and_bytes(void **state)
{
	auto_secret *a = fixture_key(7);
	auto_secret *b = fixture_key(7);

	(void)state;
	assert_true(secret_equals(a, b));
	for (size_t bit = 0; bit < b->size * 8; bit++) {
		b->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(secret_equals(a, b));
		b->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	b->size--;
	assert_false(secret_equals(a, b));
	a->size = b->size = 0;
	assert_true(secret_equals(a, b));
}

/* Its memory is kept, small as it is, and nothing in it. */
static void
a_cleared_batch_holds_no_value(void **state)
{
	struct store_batch *batch = store_batch_new();

	(void)state;
	store_batch_put(batch, "a", bytes_of("value"));
	const struct secret *values = batch->values;
	assert_memory_equal(values->bytes, "value", 5);
	store_batch_clear(batch);
	store_batch_clear(NULL);
	assert_ptr_equal(batch->values, values);
	assert_int_equal(values->size, 0);
	for (size_t i = 0; i < values->capacity; i++)
		assert_int_equal(values->bytes[i], 0);
	store_batch_free(batch);
}

/* The flags of the mapping that holds `address`. */
static void
mapping_flags(const void *address, char *flags, size_t size)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512];
	bool inside = false;

	assert_non_null(maps);
	flags[0] = 0;
	while (fgets(line, sizeof line, maps)) {
		unsigned long from, to;
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)address >= from && (uintptr_t)address < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, size, "%.200s", line + 8);
	}
	fclose(maps);
}

static void
secrets_are_locked_and_not_dumped(void **state)
{
	auto_secret *secret = secret_new(10000);
	char flags[256];

	(void)state;
	if (!LOCKING_WORKS)
		skip();
	for (size_t i = 0; i < secret->capacity; i += 1000) {
		mapping_flags(secret->bytes + i, flags, sizeof flags);
		assert_non_null(strstr(flags, " lo")); /* locked */
		assert_non_null(strstr(flags, " dd")); /* do not dump */
	}
	mapping_flags(flags, flags, sizeof flags);
	assert_null(strstr(flags, " dd")); /* so the test can tell */
}

/* What the child's work returns, or minus the signal that ended it. */
static int
in_a_child(int (*work)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL); /* not a sanitizer's report */
		_exit(work());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Root may lock without limit, so it stops being root. */
static int
lock_beyond_the_limit(void)
{
	const struct rlimit none = {0, 0};

	if (setrlimit(RLIMIT_MEMLOCK, &none) != 0)
		return 2;
	if (geteuid() == 0 && setuid(NOBODY) != 0)
		return 3;
	return secret_new(32) ? 1 : 0;
}

static void
what_cannot_be_locked_is_not_given(void **state)
{
	(void)state;
	if (!LOCKING_WORKS)
		skip();
	assert_int_equal(in_a_child(lock_beyond_the_limit), 0);
}

static int
write_behind(void)
{
	struct secret *secret = secret_new(4096 - sizeof *secret);

	((volatile uint8_t *)secret->bytes)[secret->capacity] = 1;
	return 0;
}

static void
a_guard_page_lies_behind(void **state)
{
	(void)state;
	assert_int_equal(in_a_child(write_behind), -SIGSEGV);
}

#define THREADS 8

static void *
make_secrets(void *user)
{
	for (int i = 0; i < 100; i++) {
		struct secret *secret = secret_new(32);
		if (!secret)
			return user;
		secret_free(secret);
	}
	return NULL;
}

static int
first_use_by_many(void)
{
	pthread_t threads[THREADS];
	void *failed = NULL;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, make_secrets, threads);
	for (int i = 0; i < THREADS; i++) {
		void *result;
		pthread_join(threads[i], &result);
		failed = result ? result : failed;
	}
	return failed != NULL;
}

/* First in the list, so that the child's is the first use of libsodium. */
static void
the_first_use_may_be_by_many_threads(void **state)
{
	(void)state;
	assert_int_equal(in_a_child(first_use_by_many), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_use_may_be_by_many_threads),
		cmocka_unit_test(a_new_secret_is_zero_and_all_its_own),
		cmocka_unit_test(secrets_are_compared_by_size_and_bytes),
		cmocka_unit_test(a_cleared_batch_holds_no_value),
		cmocka_unit_test(secrets_are_locked_and_not_dumped),
		cmocka_unit_test(what_cannot_be_locked_is_not_given),
		cmocka_unit_test(a_guard_page_lies_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
