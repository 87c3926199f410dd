/* SPDX-License-Identifier: Apache-2.0 */
/* Shares as people type them: forgiven what does not matter, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "store/shares.h"

#include <cmocka.h>
#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPED_MAX (4 * SHARE_TEXT_SIZE)

static struct share sample;
static char text[SHARE_TEXT_SIZE];

static int
make_sample(void **state)
{
	struct secret *key = secret_new(STORE_ROOT_KEY_SIZE);
	struct share shares[12];
	struct share_set set;

	(void)state;
	if (!key || !shares_split(key, 3, 12, shares, &set))
		return -1;
	sample = shares[10];
	share_write(&sample, text);
	secret_free(key);
	return 0;
}

static bool
read_exactly(const char *typed, size_t size, struct share *ret_share)
{
	char *copy = malloc(size > 0 ? size : 1);

	memcpy(copy, typed, size);
	bool good = share_read(copy, size, ret_share);
	free(copy);
	return good;
}

static void
must_be_sample(const char *typed, size_t size)
{
	struct share back;

	if (!read_exactly(typed, size, &back))
		fail_msg("refused: %.*s", (int)size, typed);
	assert_memory_equal(&back, &sample, sizeof back);
}

static void
names_set_numbers_and_is_one_line(void **state)
{
	char beginning[64], set[2 * SHARE_SET_SIZE + 1];

	(void)state;
	sodium_bin2hex(set, sizeof set, sample.set, sizeof sample.set);
	snprintf(beginning, sizeof beginning, "postern-share-v1-3of12-11-%s-", set);
	assert_memory_equal(text, beginning, strlen(beginning));
	for (const char *at = text; *at; at++)
		assert_true(isdigit((unsigned char)*at) || islower((unsigned char)*at) ||
			    *at == '-');
	must_be_sample(text, strlen(text));
}

static void
every_set_of_numbers_comes_back(void **state)
{
	(void)state;
	for (uint8_t count = 1; count <= SHARES_MAX; count++) {
		for (uint8_t number = 1; number <= count; number++) {
			struct share share = {.threshold = count, .count = count, .number = number};
			struct share back;
			char written[SHARE_TEXT_SIZE];
			randombytes_buf(share.bytes, sizeof share.bytes);
			randombytes_buf(share.set, sizeof share.set);
			share_write(&share, written);
			assert_true(strlen(written) < SHARE_TEXT_SIZE - 1);
			assert_true(read_exactly(written, strlen(written), &back));
			assert_memory_equal(&back, &share, sizeof back);
		}
	}
}

static void
capitals_spaces_and_line_ends_are_forgiven(void **state)
{
	char typed[TYPED_MAX];
	size_t size = 0;

	(void)state;
	for (size_t i = 0; text[i]; i++)
		typed[size++] = (char)toupper((unsigned char)text[i]);
	must_be_sample(typed, size);
	typed[size++] = '\r';
	typed[size++] = '\n';
	must_be_sample(typed, size);
	size = 0;
	for (size_t i = 0; text[i]; i++) {
		typed[size++] = text[i];
		typed[size++] = " \t\r\n"[i % 4];
	}
	must_be_sample(typed, size);
	size = (size_t)snprintf(typed, sizeof typed, "\n  %s  \n\n", text);
	must_be_sample(typed, size);
}

/* A change of one character: refused, unless it is one that is forgiven. */
static void
every_typing_mistake_is_found(void **state)
{
	char typed[SHARE_TEXT_SIZE];
	struct share back;

	(void)state;
	for (size_t at = 0; text[at]; at++) {
		for (unsigned character = 0; character < 256; character++) {
			strcpy(typed, text);
			typed[at] = (char)character;
			if (tolower((int)character) == text[at])
				must_be_sample(typed, strlen(text));
			else if (read_exactly(typed, strlen(text), &back))
				fail_msg("character %zu as %02x: accepted", at, character);
		}
	}
}

static void
characters_left_out_doubled_or_swapped_are_found(void **state)
{
	size_t size = strlen(text);
	char typed[SHARE_TEXT_SIZE + 1];
	struct share back;

	(void)state;
	for (size_t at = 0; at < size; at++) {
		assert_false(read_exactly(text, at, &back));
		memcpy(typed, text, at);
		memcpy(typed + at, text + at + 1, size - at);
		assert_false(read_exactly(typed, size - 1, &back));
		memcpy(typed, text, at + 1);
		memcpy(typed + at + 1, text + at, size - at + 1);
		assert_false(read_exactly(typed, size + 1, &back));
		strcpy(typed, text);
		if (at + 1 < size && text[at] != text[at + 1]) {
			typed[at] = text[at + 1];
			typed[at + 1] = text[at];
			assert_false(read_exactly(typed, size, &back));
		}
	}
	for (unsigned behind = 0; behind < 256; behind++) {
		strcpy(typed, text);
		typed[size] = (char)behind;
		bool white = behind == ' ' || behind == '\t' || behind == '\r' || behind == '\n';
		assert_int_equal(read_exactly(typed, size + 1, &back), white);
	}
}

/* With the checksum that belongs to it: numbers that no set has. */
static void
numbers_that_make_no_sense_are_refused(void **state)
{
	static const uint8_t rows[][3] = {
		{0, 3, 1}, {4, 3, 1},  {1, 2, 1},    {2, 3, 0},
		{2, 3, 4}, {2, 33, 1}, {33, 33, 33}, {2, 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct share share = sample, back;
		char written[SHARE_TEXT_SIZE];
		share.threshold = rows[i][0];
		share.count = rows[i][1];
		share.number = rows[i][2];
		share_write(&share, written);
		if (read_exactly(written, strlen(written), &back))
			fail_msg("%s: accepted", written);
	}
}

static void
numbers_are_written_in_one_way(void **state)
{
	static const char *const ways[] = {"03of12-11",	 "+3of12-11", "3of012-11",
					   "3of12-011",	 "3of12--11", "3of-12-11",
					   "3 of 12 11", "3of12-11",  "259of12-11"};
	char typed[TYPED_MAX];
	struct share back;

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		size_t size = (size_t)snprintf(typed, sizeof typed, "postern-share-v1-%s%s",
					       ways[i], text + strlen("postern-share-v1-3of12-11"));
		assert_int_equal(read_exactly(typed, size, &back), i == 7);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_set_numbers_and_is_one_line),
		cmocka_unit_test(every_set_of_numbers_comes_back),
		cmocka_unit_test(capitals_spaces_and_line_ends_are_forgiven),
		cmocka_unit_test(every_typing_mistake_is_found),
		cmocka_unit_test(characters_left_out_doubled_or_swapped_are_found),
		cmocka_unit_test(numbers_that_make_no_sense_are_refused),
		cmocka_unit_test(numbers_are_written_in_one_way),
	};

	return cmocka_run_group_tests(tests, make_sample, NULL);
}
