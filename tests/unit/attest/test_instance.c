/* SPDX-License-Identifier: Apache-2.0 */
/* Google's instance-info: it names a machine to policies, so it is read whole or not at all. */
#include "attest/instance.h"

#include "chain_world.h"
#include "spoil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* zone "z-1", project number 300, project "p", instance 0x8000000000000001, name "vm", and
 * properties. */
static const uint8_t GOOD[] = {0x30, 0x23, 0x0c, 3,    'z',  '-',  '1',	 0x02, 2,   0x01,
			       0x2c, 0x0c, 1,	 'p',  0x02, 9,	   0x00, 0x80, 0,   0,
			       0,    0,	   0,	 0,    1,    0x0c, 2,	 'v',  'm', 0xa0,
			       0x06, 0x30, 0x04, 0xa0, 2,    5,	   0};

static bool
decodes(struct bytes der, void *user)
{
	struct attest_instance instance;

	(void)user;
	return instance_decode(der, &instance);
}

static void
a_good_one_is_read(void **state)
{
	struct attest_instance instance;

	(void)state;
	assert_true(instance_decode(BYTES_OF(GOOD), &instance));
	assert_true(instance.known);
	assert_string_equal(instance.zone, "z-1");
	assert_int_equal(instance.project_number, 300);
	assert_string_equal(instance.project, "p");
	assert_true(instance.number == 0x8000000000000001);
	assert_string_equal(instance.name, "vm");
	refuses_other_sizes(BYTES_OF(GOOD), decodes, NULL);
	/* Tags and lengths up to the properties; contents may be others. */
	static const size_t frames[] = {0,  1,	2,  3,	7,  8,	11, 12, 14,
					15, 16, 25, 26, 29, 30, 31, 32};
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
		refuses_flips(BYTES_OF(GOOD), frames[i], frames[i] + 1, decodes, NULL);
}

/* clang-format off: a table */
#define END 0x0c, 1, 'n'
static const struct {
	const char *name;
	size_t size;
	uint8_t der[48];
	bool good;
} CASES[] = {
	{"without properties",
	 17,
	 {0x30, 15, 0x0c, 1, 'z', 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END},
	 true},
	{"an empty zone", 16, {0x30, 14, 0x0c, 0, 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END}, false},
	{"a negative number",
	 17,
	 {0x30, 15, 0x0c, 1, 'z', 2, 1, 0x85, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"a number of no digits",
	 16,
	 {0x30, 14, 0x0c, 1, 'z', 2, 0, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"a number with a zero too many",
	 18,
	 {0x30, 16, 0x0c, 1, 'z', 2, 2, 0, 5, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"a number of 65 bits",
	 25,
	 {0x30, 23, 0x0c, 1, 'z', 2, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"a NUL in a name",
	 18,
	 {0x30, 16, 0x0c, 2, 'z', 0, 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"a space in a name",
	 18,
	 {0x30, 16, 0x0c, 2, 'z', ' ', 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"a name not in ASCII",
	 18,
	 {0x30, 16, 0x0c, 2, 0xc3, 0xa9, 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"a name of another type",
	 17,
	 {0x30, 15, 0x13, 1, 'z', 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"a long form for a short length",
	 18,
	 {0x30, 0x81, 15, 0x0c, 1, 'z', 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END},
	 false},
	{"an indefinite length",
	 19,
	 {0x30, 0x80, 0x0c, 1, 'z', 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END, 0, 0},
	 false},
	{"something after the name",
	 20,
	 {0x30, 18, 0x0c, 1, 'z', 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END, 2, 1, 0},
	 false},
	{"properties that are cut off",
	 19,
	 {0x30, 17, 0x0c, 1, 'z', 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END, 0xa0, 0},
	 false},
	{"something behind the properties",
	 23,
	 {0x30, 21, 0x0c, 1, 'z', 2, 1, 5, 0x0c, 1, 'p', 2, 1, 7, END, 0xa0, 2, 0x30, 0, 5, 0},
	 false},
};
/* clang-format on */

static void
each_form_is_judged(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++)
		if (accepts_copy((struct bytes){CASES[i].der, CASES[i].size}, decodes, NULL) !=
		    CASES[i].good)
			fail_msg("%s", CASES[i].name);
}

/* A text that would have to be cut is refused. */
static void
long_names_are_refused(void **state)
{
	struct attest_instance instance;
	uint8_t memory[128];

	(void)state;
	for (size_t size = 63; size <= 64; size++) {
		struct writer w = writer_of(memory, sizeof(memory));

		write_u8(&w, 0x30);
		write_u8(&w, (uint8_t)(2 + size + 12));
		write_u8(&w, 0x0c);
		write_u8(&w, (uint8_t)size);
		for (size_t i = 0; i < size; i++)
			write_u8(&w, 'z');
		write_bytes(&w, (struct bytes){CASES[0].der + 5, 12});
		assert_int_equal(instance_decode(writer_bytes(&w), &instance), size < 64);
	}
}

static void
a_certificate_tells_it_or_is_refused(void **state)
{
	struct attest_chain chain;
	struct attest_error err;
	struct world world = good_world(1);

	(void)state;
	assert_int_equal(verify(&world, &chain, &err), ATTEST_OK);
	assert_false(chain.instance.known);
	world.recipes[LEAF].instance = BYTES_OF(GOOD);
	assert_int_equal(verify(&world, &chain, &err), ATTEST_OK);
	assert_true(chain.instance.known);
	assert_string_equal(chain.instance.name, "vm");
	world.recipes[LEAF].instance.size--;
	assert_int_equal(verify(&world, &chain, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "certificate.instance");
	/* An issuer's own says nothing of the TPM. */
	world = good_world(1);
	world.recipes[LOWER].instance = BYTES_OF(GOOD);
	assert_int_equal(verify(&world, &chain, &err), ATTEST_OK);
	assert_false(chain.instance.known);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_one_is_read),
		cmocka_unit_test(each_form_is_judged),
		cmocka_unit_test(long_names_are_refused),
		cmocka_unit_test(a_certificate_tells_it_or_is_refused),
	};
	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
