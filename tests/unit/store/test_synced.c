/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are not made durable are lost with the power, and no kill shows it: so the calls are
 * counted that a new folder takes. A folder that is there needs none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "fault.h"
#include "tape.h"

#include <cmocka.h>

static int
setup_path(void **state)
{
	*state = fixture_new(FIXTURE_LMDB);
	return 0;
}

/* The folder, for the names in it, and the one above, for its own. */
static void
a_new_store_has_a_durable_name(void **state)
{
	struct fixture *fixture = *state;
	const struct store_bytes note = {0};

	fault_arm("fsync", 0, 0, FAULT_ONCE);
	assert_int_equal(store_create(fixture->path, fixture->root_key, note, NULL), STORE_OK);
	assert_int_equal(fault_disarm(), 2);
	fault_arm("fsync", 0, 0, FAULT_ONCE);
	fixture_reopen(fixture);
	must_put(fixture->store, "a", "1");
	assert_int_equal(fault_disarm(), 0);
}

/* Once more when it is given its name; and its slots, of which LMDB knows nothing, before the
 * header says that there is a store. */
static void
a_restored_store_is_durable(void **state)
{
	struct fixture *fixture = *state;
	auto_tape tape = {0};
	auto_place place = place_new();

	put_erasable(fixture->store, "a", "1");
	must_back_up(fixture, &tape);
	fault_arm("fsync", 0, 0, FAULT_ONCE);
	must_restore(fixture, &tape, &place);
	assert_int_equal(fault_disarm(), 3);
	remove_store(place.path);
	fault_arm("fdatasync", 0, 0, FAULT_ONCE);
	must_restore(fixture, &tape, &place);
	assert_int_equal(fault_disarm(), 3); /* records, slots, header */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_new_store_has_a_durable_name, setup_path,
						fixture_teardown),
		cmocka_unit_test_setup_teardown(a_restored_store_is_durable, fixture_setup_lmdb,
						fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
