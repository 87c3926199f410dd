/* SPDX-License-Identifier: Apache-2.0 */
/* A creation is killed in the middle. For a store that is there already: crash.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fixture.h"

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int
setup_path(void **state)
{
	*state = fixture_new(FIXTURE_LMDB);
	return 0;
}

/* A creation that is killed leaves a store or none, and creating again settles it. */
static void
creation_is_whole_or_nothing(void **state)
{
	struct fixture *fixture = *state;

	for (int round = 0; round < 20; round++) {
		struct store *store = NULL;
		int status;
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit((int)store_create(fixture->path, fixture->root_key,
						(struct store_bytes){0}, NULL));
		usleep((useconds_t)round * 100);
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		enum store_status opened =
			store_open(fixture->path, fixture->root_key, &store, NULL);
		enum store_status wanted = opened == STORE_OK ? STORE_EXISTS : STORE_OK;
		assert_true(opened == STORE_OK || opened == STORE_MISSING);
		store_close(store);
		assert_int_equal(store_create(fixture->path, fixture->root_key,
					      (struct store_bytes){0}, NULL),
				 wanted);
		fixture_free(fixture);
		fixture = fixture_new(FIXTURE_LMDB);
		*state = fixture;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(creation_is_whole_or_nothing, setup_path,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
