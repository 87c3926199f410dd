/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t COUNTING[] = {1, 2, 3, 4, 5, 6, 7, 8};

static void
integers_have_their_order(void **state)
{
	(void)state;
	struct reader r = reader_of(BYTES_OF(COUNTING));
	assert_int_equal(read_u8(&r), 1);
	assert_int_equal(read_be16(&r), 0x0203);
	assert_int_equal(read_be32(&r), 0x04050607);
	assert_false(reader_finished(&r));
	assert_int_equal(read_u8(&r), 8);
	assert_true(reader_finished(&r));
	r = reader_of(BYTES_OF(COUNTING));
	assert_true(read_be64(&r) == 0x0102030405060708);
	r = reader_of(BYTES_OF(COUNTING));
	assert_true(read_le64(&r) == 0x0807060504030201);
	r = reader_of(BYTES_OF(COUNTING));
	assert_int_equal(read_le16(&r), 0x0201);
	assert_int_equal(read_le32(&r), 0x06050403);
}

/* Each kind of read, on an input that is one byte short for it. */
static void
a_short_read_fails_and_gives_nothing(void **state)
{
	static const size_t sizes[] = {1, 2, 4, 8, 2, 4, 8, 3, 8, 8, 5};

	(void)state;
	for (size_t kind = 0; kind < sizeof(sizes) / sizeof(sizes[0]); kind++) {
		uint8_t *block = malloc(sizes[kind]);
		uint8_t copy[5] = {9, 9, 9, 9, 9};
		struct bytes got = {0};
		uint64_t value = 0;

		assert_non_null(block);
		memset(block, 0, sizes[kind]);
		block[1 % sizes[kind]] = kind == 8 ? 7 : 0; /* TPM2B of 7 with 5 behind */
		struct reader r = reader_of((struct bytes){block, sizes[kind] - 1});
		switch (kind) {
		case 0:
			value = read_u8(&r);
			break;
		case 1:
			value = read_be16(&r);
			break;
		case 2:
			value = read_be32(&r);
			break;
		case 3:
			value = read_be64(&r);
			break;
		case 4:
			value = read_le16(&r);
			break;
		case 5:
			value = read_le32(&r);
			break;
		case 6:
			value = read_le64(&r);
			break;
		case 7:
			got = read_bytes(&r, 3);
			break;
		case 8:
			got = read_bytes_be16(&r);
			break;
		case 9:
			block[3] = 4;
			got = read_lp(&r, 4);
			break;
		case 10:
			read_copy(&r, copy, 5);
			assert_int_equal(copy[4], 0);
			break;
		}
		assert_true(r.failed);
		assert_true(value == 0);
		assert_null(got.data);
		assert_false(reader_finished(&r));
		assert_int_equal(read_u8(&r), 0);
		assert_null(read_bytes(&r, 0).data);
		free(block);
	}
}

static void
limits_hold(void **state)
{
	static const uint8_t lp[] = {0, 0, 0, 2, 'a', 'b'};
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 'a'};

	(void)state;
	struct reader r = reader_of(BYTES_OF(lp));
	assert_int_equal(read_lp(&r, 2).size, 2);
	assert_true(reader_finished(&r));
	r = reader_of(BYTES_OF(lp));
	assert_null(read_lp(&r, 1).data);
	assert_true(r.failed);
	r = reader_of(BYTES_OF(huge));
	assert_null(read_lp(&r, SIZE_MAX).data);
	assert_true(r.failed);
	r = reader_of(BYTES_OF(lp));
	assert_int_equal(read_count(&r, 3, 3), 3);
	assert_int_equal(read_count(&r, 4, 3), 0);
	assert_true(r.failed);
	assert_int_equal(read_count(&r, 1, 3), 0);
}

static void
no_bytes_at_all_are_fine(void **state)
{
	(void)state;
	struct reader r = reader_of((struct bytes){0});
	assert_int_equal(read_bytes(&r, 0).size, 0);
	read_copy(&r, NULL, 0);
	assert_true(reader_finished(&r));
	assert_true(bytes_equal((struct bytes){0}, (struct bytes){0}));
	assert_false(bytes_equal((struct bytes){0}, BYTES_OF(COUNTING)));
}

static void
writers_write_what_readers_read(void **state)
{
	uint8_t memory[64];

	(void)state;
	struct writer w = writer_of(memory, sizeof(memory));
	write_u8(&w, 1);
	write_be16(&w, 0x0203);
	write_be32(&w, 0x04050607);
	write_be64(&w, 0x08090a0b0c0d0e0f);
	write_bytes_be16(&w, BYTES_OF(COUNTING));
	write_lp(&w, BYTES_OF(COUNTING));
	write_lp_text(&w, "abc");
	assert_false(w.failed);
	struct reader r = reader_of(writer_bytes(&w));
	for (unsigned i = 1; i <= 15; i++)
		assert_int_equal(read_u8(&r), i);
	assert_true(bytes_equal(read_bytes_be16(&r), BYTES_OF(COUNTING)));
	assert_true(bytes_equal(read_lp(&r, 8), BYTES_OF(COUNTING)));
	assert_true(bytes_equal(read_lp(&r, 3), (struct bytes){(const uint8_t *)"abc", 3}));
	assert_true(reader_finished(&r));
}

/* What does not fit leaves no part of itself, and nothing is written after it. */
static void
a_full_writer_stays_as_it_was(void **state)
{
	(void)state;
	for (size_t capacity = 0; capacity < 12; capacity++) {
		uint8_t *memory = malloc(capacity + 1);
		assert_non_null(memory);
		for (unsigned kind = 0; kind < 6; kind++) {
			struct writer w = writer_of(memory, capacity);
			size_t before = capacity - capacity % 2;

			for (size_t i = 0; i < capacity / 2; i++)
				write_be16(&w, 0);
			switch (kind) {
			case 0:
				write_be16(&w, 1);
				break;
			case 1:
				write_be32(&w, 1);
				break;
			case 2:
				write_be64(&w, 1);
				break;
			case 3:
				write_bytes(&w, BYTES_OF(COUNTING));
				break;
			case 4:
				write_bytes_be16(&w, BYTES_OF(COUNTING));
				break;
			case 5:
				write_lp(&w, BYTES_OF(COUNTING));
				break;
			}
			assert_true(w.failed);
			assert_int_equal(w.size, before);
			write_u8(&w, 1);
			assert_int_equal(w.size, before);
		}
		free(memory);
	}
	static uint8_t large[UINT16_MAX + 10];
	struct writer w = writer_of(large, sizeof(large));
	write_bytes_be16(&w, (struct bytes){large, UINT16_MAX + 1});
	assert_true(w.failed);
	assert_int_equal(w.size, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_have_their_order),
		cmocka_unit_test(a_short_read_fails_and_gives_nothing),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(no_bytes_at_all_are_fine),
		cmocka_unit_test(writers_write_what_readers_read),
		cmocka_unit_test(a_full_writer_stays_as_it_was),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
