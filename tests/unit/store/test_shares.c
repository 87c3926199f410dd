/* SPDX-License-Identifier: Apache-2.0 */
/* Shamir's scheme against two others who compute it differently, and against what it promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "store/shares.h"

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 8 /* every threshold, count and subset up to here */

static struct secret *
random_key(void)
{
	struct secret *key = secret_new(STORE_ROOT_KEY_SIZE);

	if (!key)
		abort();
	randombytes_buf(key->bytes, key->size);
	return key;
}

/* ---- the field, as another would write it ---- */

static uint8_t powers[255], logarithms[256];

/* Powers of the generator 3 = x + 1. */
static int
make_tables(void **state)
{
	unsigned value = 1;

	(void)state;
	for (unsigned i = 0; i < 255; i++) {
		powers[i] = (uint8_t)value;
		logarithms[value] = (uint8_t)i;
		value ^= value << 1;
		if (value > 255)
			value ^= 0x11b;
	}
	return value == 1 ? 0 : -1;
}

static uint8_t
times(uint8_t a, uint8_t b)
{
	return a && b ? powers[(logarithms[a] + logarithms[b]) % 255] : 0;
}

static uint8_t
over(uint8_t a, uint8_t b)
{
	return a ? powers[(logarithms[a] + 255 - logarithms[b]) % 255] : 0;
}

struct point {
	uint8_t x;
	uint8_t y;
};

/* The value at `at` of the one polynomial of lowest degree through the points (Neville). */
static uint8_t
value_at(const struct point *points, size_t count, uint8_t at)
{
	uint8_t value[SHARES_MAX];

	for (size_t i = 0; i < count; i++)
		value[i] = points[i].y;
	for (size_t step = 1; step < count; step++) {
		for (size_t i = 0; i + step < count; i++) {
			uint8_t left = points[i].x, right = points[i + step].x;
			value[i] = over((uint8_t)(times(at ^ right, value[i]) ^
						  times(at ^ left, value[i + 1])),
					left ^ right);
		}
	}
	return value[0];
}

/* ---- every subset ---- */

static size_t
choose(const struct share *shares, size_t count, unsigned subset, struct share *ret_chosen)
{
	size_t chosen = 0;

	for (size_t i = 0; i < count; i++) {
		if (subset >> i & 1)
			ret_chosen[chosen++] = shares[i];
	}
	return chosen;
}

/* The same key by Neville's scheme and tables? */
static void
check_with_tables(const struct share *shares, size_t count, const struct secret *key)
{
	for (size_t i = 0; i < STORE_ROOT_KEY_SIZE; i++) {
		struct point points[SHARES_MAX];
		for (size_t j = 0; j < count; j++)
			points[j] = (struct point){shares[j].number, shares[j].bytes[i]};
		assert_int_equal(value_at(points, count, 0), key->bytes[i]);
	}
}

static void
check_subset(const struct share *chosen, size_t size, uint8_t threshold, const struct secret *key)
{
	auto_secret *combined = secret_new(STORE_ROOT_KEY_SIZE + 8);

	memset(combined->bytes, 0xee, combined->capacity);
	if (size != threshold) {
		assert_false(shares_combine(chosen, size, combined));
		assert_int_equal(combined->size, STORE_ROOT_KEY_SIZE + 8);
		assert_int_equal(combined->bytes[0], 0xee);
		return;
	}
	assert_true(shares_combine(chosen, size, combined));
	assert_true(secret_equals(combined, key));
	check_with_tables(chosen, size, key);
}

/* Shares of another set of the same numbers in the place of each. */
static void
check_mixed(struct share *chosen, size_t size, const struct share *others)
{
	auto_secret *combined = secret_new(STORE_ROOT_KEY_SIZE);

	for (size_t i = 0; i < size && size > 1; i++) {
		struct share own = chosen[i];
		chosen[i] = others[own.number - 1];
		assert_false(shares_combine(chosen, size, combined));
		chosen[i] = own;
	}
}

static void
check_numbers(uint8_t threshold, uint8_t count)
{
	auto_secret *key = random_key();
	struct share shares[SMALL], others[SMALL], chosen[SMALL];
	struct share_set set, other_set;

	assert_true(shares_split(key, threshold, count, shares, &set));
	assert_true(shares_split(key, threshold, count, others, &other_set));
	for (unsigned subset = 0; subset < 1U << count; subset++) {
		size_t size = choose(shares, count, subset, chosen);
		check_subset(chosen, size, threshold, key);
		if (size == threshold)
			check_mixed(chosen, size, others);
	}
	for (uint8_t i = 0; i < count; i++) {
		assert_int_equal(shares[i].number, i + 1);
		assert_int_equal(share_check(&set, &shares[i]), SHARE_GOOD);
		assert_int_equal(share_check(&other_set, &shares[i]), SHARE_OTHER_SET);
	}
}

static void
any_threshold_of_shares_is_the_key_and_nothing_else_is(void **state)
{
	unsigned checked = 0;

	(void)state;
	for (uint8_t count = 1; count <= SMALL; count++) {
		for (uint8_t threshold = 1; threshold <= count; threshold++) {
			if (threshold == 1 && count > 1)
				continue; /* refused: below */
			check_numbers(threshold, count);
			checked++;
		}
	}
	assert_int_equal(checked, 1 + SMALL * (SMALL - 1) / 2);
}

static void
order_does_not_matter_and_the_largest_set_works(void **state)
{
	auto_secret *key = random_key(), *combined = secret_new(STORE_ROOT_KEY_SIZE);
	struct share shares[SHARES_MAX];
	struct share_set set;

	(void)state;
	assert_true(shares_split(key, SHARES_MAX, SHARES_MAX, shares, &set));
	for (int round = 0; round < 50; round++) {
		for (uint32_t i = SHARES_MAX; i > 1; i--) {
			uint32_t j = randombytes_uniform(i);
			struct share other = shares[i - 1];
			shares[i - 1] = shares[j];
			shares[j] = other;
		}
		assert_true(shares_combine(shares, SHARES_MAX, combined));
		assert_true(secret_equals(combined, key));
	}
}

static void
numbers_that_make_no_sense_are_refused(void **state)
{
	static const struct {
		const char *name;
		uint8_t threshold, count;
	} rows[] = {
		{"no share needed", 0, 3},
		{"no shares", 0, 0},
		{"none of nothing", 1, 0},
		{"more than there are", 4, 3},
		{"each is the key", 1, 2},
		{"too many", 2, SHARES_MAX + 1},
		{"all of too many", SHARES_MAX + 1, SHARES_MAX + 1},
		{"far too many", 255, 255},
	};
	auto_secret *key = random_key(), *small = secret_new(STORE_ROOT_KEY_SIZE - 1);
	struct share shares[256] = {0};
	struct share_set set = {.count = 77};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (shares_split(key, rows[i].threshold, rows[i].count, shares, &set))
			fail_msg("%s: accepted", rows[i].name);
		assert_int_equal(set.count, 77);
	}
	assert_false(shares_split(small, 2, 3, shares, &set));
	assert_true(shares_split(key, 2, 3, shares, &set));
	assert_false(shares_combine(shares, 2, small));
}

/* Threshold shares, with one thing about one of them changed. */
static void
shares_that_do_not_belong_together_are_refused(void **state)
{
	auto_secret *key = random_key(), *combined = secret_new(STORE_ROOT_KEY_SIZE);
	struct share shares[5];
	struct share_set set;

	(void)state;
	assert_true(shares_split(key, 3, 5, shares, &set));
	struct share spoils[9] = {shares[2], shares[2], shares[2], shares[2], shares[2],
				  shares[2], shares[2], shares[2], shares[0]};
	spoils[0].number = 0;
	spoils[1].number = 6;
	spoils[2].number = 1; /* twice */
	spoils[3].threshold = 2;
	spoils[4].count = 6;
	spoils[5].set[7] ^= 1;
	spoils[6].threshold = 0;
	spoils[7].number = 255;
	for (size_t i = 0; i < 9; i++) {
		struct share mixed[3] = {shares[0], shares[1], spoils[i]};
		if (shares_combine(mixed, 3, combined))
			fail_msg("spoil %zu: accepted", i);
	}
	struct share none[3] = {{.threshold = 0, .count = 0}};
	assert_false(shares_combine(none, 3, combined));
	assert_false(shares_combine(none, 0, combined));
	assert_false(shares_combine(shares, 4, combined));
}

/* ---- what fewer shares say ---- */

/*
 * To whoever holds threshold - 1 shares each value of a byte of the key remains possible, by
 * exactly one polynomial, whose value at the missing share's number is another for each value of
 * the byte.
 */
static void
fewer_shares_leave_every_key_possible(void **state)
{
	auto_secret *key = random_key();
	struct share shares[SMALL];
	struct share_set set;

	(void)state;
	for (uint8_t threshold = 2; threshold <= SMALL; threshold++) {
		struct point points[SMALL];
		bool seen[256] = {false};
		assert_true(shares_split(key, threshold, SMALL, shares, &set));
		for (uint8_t i = 1; i < threshold; i++)
			points[i] = (struct point){shares[i].number, shares[i].bytes[0]};
		for (unsigned value = 0; value < 256; value++) {
			points[0] = (struct point){0, (uint8_t)value};
			uint8_t missing = value_at(points, threshold, shares[0].number);
			assert_false(seen[missing]);
			seen[missing] = true;
			if (value == key->bytes[0])
				assert_int_equal(missing, shares[0].bytes[0]);
		}
	}
}

/* Pearson's statistic of the bytes of one share over many splits of one key: 255 degrees of
 * freedom, mean 255, deviation 22.6. */
static double
unevenness(const struct secret *key, uint8_t threshold, uint8_t of_share)
{
	const unsigned rounds = 4096;
	const double expected = rounds * (double)STORE_ROOT_KEY_SIZE / 256;
	unsigned seen[256] = {0};
	double sum = 0;
	struct share shares[4];
	struct share_set set;

	for (unsigned i = 0; i < rounds; i++) {
		assert_true(shares_split(key, threshold, 4, shares, &set));
		for (size_t j = 0; j < STORE_ROOT_KEY_SIZE; j++)
			seen[shares[of_share].bytes[j]]++;
	}
	for (unsigned value = 0; value < 256; value++)
		sum += (seen[value] - expected) * (seen[value] - expected) / expected;
	return sum;
}

static void
a_share_alone_is_evenly_random_whatever_the_key(void **state)
{
	auto_secret *key = secret_new(STORE_ROOT_KEY_SIZE);

	(void)state;
	for (unsigned fill = 0; fill < 256; fill += 85) {
		memset(key->bytes, (int)fill, key->size);
		for (uint8_t threshold = 2; threshold <= 4; threshold++) {
			double sum = unevenness(key, threshold, (uint8_t)(threshold - 1));
			if (sum < 255 - 8 * 22.6 || sum > 255 + 8 * 22.6)
				fail_msg("key of %02x, %u of 4: %.1f", fill, threshold, sum);
		}
	}
}

/* ---- others' numbers ---- */

static const struct {
	const char *key;
	const char *shares[SMALL];
} vectors[] = {
#include "shares_vectors.inc"
};

static void
vectors_made_elsewhere_give_their_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
		auto_secret *key = secret_new(STORE_ROOT_KEY_SIZE);
		auto_secret *combined = secret_new(STORE_ROOT_KEY_SIZE);
		struct share shares[SMALL];
		size_t count = 0;
		sodium_hex2bin(key->bytes, key->size, vectors[i].key, strlen(vectors[i].key), NULL,
			       NULL, NULL);
		for (; count < SMALL && vectors[i].shares[count]; count++) {
			const char *text = vectors[i].shares[count];
			char written[SHARE_TEXT_SIZE];
			assert_true(share_read(text, strlen(text), &shares[count]));
			share_write(&shares[count], written);
			assert_string_equal(written, text);
		}
		assert_true(shares_combine(shares, count, combined));
		assert_true(secret_equals(combined, key));
		check_with_tables(shares, count, key);
	}
}

/* Two shares, of which one is zero: what is left is one product, of each byte by each weight that
 * two numbers can have. */
static void
every_product_is_that_of_the_tables(void **state)
{
	auto_secret *combined = secret_new(STORE_ROOT_KEY_SIZE);

	(void)state;
	for (uint8_t one = 1; one <= SHARES_MAX; one++) {
		for (uint8_t two = 1; two <= SHARES_MAX; two++) {
			struct share shares[2] = {{.threshold = 2, .count = SHARES_MAX},
						  {.threshold = 2, .count = SHARES_MAX}};
			if (one == two)
				continue;
			shares[0].number = one;
			shares[1].number = two;
			for (unsigned value = 0; value < 256; value++) {
				shares[0].bytes[value % 32] = (uint8_t)value;
				if (value % 32 < 31)
					continue;
				assert_true(shares_combine(shares, 2, combined));
				check_with_tables(shares, 2, combined);
			}
		}
	}
}

/* ---- verdicts ---- */

static void
a_wrong_share_is_told_from_one_of_another_set(void **state)
{
	auto_secret *key = random_key();
	struct share shares[5];
	struct share_set set, none = {0};

	(void)state;
	assert_true(shares_split(key, 3, 5, shares, &set));
	for (size_t i = 0; i < sizeof shares[0].bytes * 8; i++) {
		struct share spoiled = shares[1];
		spoiled.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
		assert_int_equal(share_check(&set, &spoiled), SHARE_WRONG);
	}
	for (unsigned number = 0; number < 256; number++) {
		struct share spoiled = shares[1];
		spoiled.number = (uint8_t)number;
		assert_int_equal(share_check(&set, &spoiled),
				 number == 2 ? SHARE_GOOD : SHARE_WRONG);
	}
	struct share spoiled = shares[1];
	spoiled.threshold = 2;
	assert_int_equal(share_check(&set, &spoiled), SHARE_WRONG);
	spoiled = shares[1];
	spoiled.count = 6;
	assert_int_equal(share_check(&set, &spoiled), SHARE_WRONG);
	spoiled = shares[1];
	spoiled.set[0] ^= 0x80;
	assert_int_equal(share_check(&set, &spoiled), SHARE_OTHER_SET);
	assert_int_equal(share_check(&none, &shares[1]), SHARE_OTHER_SET);
}

/* ---- the set's note ---- */

static bool
read_note_exactly(const uint8_t *note, size_t size, struct share_set *ret_set)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	memcpy(copy, note, size);
	bool good = share_set_read((struct store_bytes){copy, size}, ret_set);
	free(copy);
	return good;
}

static void
notes_come_back_and_no_piece_of_one_does(void **state)
{
	auto_secret *key = random_key();
	struct share shares[SHARES_MAX];
	uint8_t note[SHARES_NOTE_SIZE + 1] = {0}, again[SHARES_NOTE_SIZE];
	struct share_set set, back;

	(void)state;
	for (uint8_t count = 2; count <= SHARES_MAX; count += 10) {
		assert_true(shares_split(key, 2, count, shares, &set));
		size_t size = share_set_write(&set, note);
		assert_int_equal(size, 2 + SHARE_SET_SIZE + count * SHARE_HASH_SIZE);
		for (size_t cut = 1; cut < size; cut++)
			assert_false(read_note_exactly(note, cut, &back));
		assert_false(read_note_exactly(note, size + 1, &back));
		for (size_t bit = 0; bit < 8 * size; bit++) { /* another set, or none */
			note[bit / 8] ^= (uint8_t)(1U << bit % 8);
			if (read_note_exactly(note, size, &back))
				assert_memory_not_equal(&back, &set, sizeof set);
			note[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		assert_true(read_note_exactly(note, size, &back));
		assert_memory_equal(&back, &set, sizeof set);
		assert_int_equal(share_set_write(&back, again), size);
		assert_memory_equal(again, note, size);
	}
	assert_int_equal(share_set_write(&(struct share_set){0}, note), 0);
	assert_true(read_note_exactly(note, 0, &back));
	assert_int_equal(back.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_threshold_of_shares_is_the_key_and_nothing_else_is),
		cmocka_unit_test(order_does_not_matter_and_the_largest_set_works),
		cmocka_unit_test(numbers_that_make_no_sense_are_refused),
		cmocka_unit_test(shares_that_do_not_belong_together_are_refused),
		cmocka_unit_test(fewer_shares_leave_every_key_possible),
		cmocka_unit_test(a_share_alone_is_evenly_random_whatever_the_key),
		cmocka_unit_test(vectors_made_elsewhere_give_their_keys),
		cmocka_unit_test(every_product_is_that_of_the_tables),
		cmocka_unit_test(a_wrong_share_is_told_from_one_of_another_set),
		cmocka_unit_test(notes_come_back_and_no_piece_of_one_does),
	};

	return cmocka_run_group_tests(tests, make_tables, NULL);
}
