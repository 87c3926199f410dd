/* SPDX-License-Identifier: Apache-2.0 */
/* Files of PCR values in all their forms, good and spoilt. */
#include "../attest/spoil.h"
#include "command/encode.h"
#include "command/pcr_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B32 "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define A20 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static bool
parses(struct bytes input, void *user)
{
	struct pcr_file file;
	char why[PCR_FILE_WHY] = "";
	bool good = pcr_file_parse(input, &file, why);

	assert_true(good == (why[0] == '\0'));
	if (good && user != NULL)
		memcpy(user, &file, sizeof(file));
	return good;
}

static struct bytes
text_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* ---- texts ---- */

static void
texts_are_read_strictly(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		bool want; /* then SHA-256 PCR 0 is A32 */
	} cases[] = {
		{"JSON", "{\"sha256\":{\"0\":\"" A32 "\",\"23\":\"" B32 "\"}}", true},
		{"JSON after white space", "\n\t {\"sha256\":{\"0\":\"" A32 "\"}}", true},
		{"JSON with 0x", "{\"sha256\":{\"0\":\"0x" A32 "\"}}", true},
		{"JSON below pcrs", "{\"pcrs\":{\"sha256\":{\"0\":\"" A32 "\"}},\"x\":1}", true},
		{"JSON as the broker has it", "{\"pcrs\":{\"0\":\"" A32 "\"},\"x\":1}", true},
		{"JSON as the broker has it, PCR 24",
		 "{\"pcrs\":{\"0\":\"" A32 "\",\"24\":\"" A32 "\"}}", false},
		{"JSON with a bank that is not ours",
		 "{\"sha256\":{\"0\":\"" A32 "\"},\"sm3_256\":{\"0\":\"" A32 "\"}}", true},
		{"JSON with an empty bank", "{\"sha1\":{},\"sha256\":{\"0\":\"" A32 "\"}}", true},
		{"nothing", "", false},
		{"white space", " \n\r\t\n", false},
		{"JSON that ends early", "{\"sha256\":{\"0\":\"" A32 "\"}", false},
		{"JSON without values", "{\"sha256\":{}}", false},
		{"JSON of a bank of nobody", "{\"sha257\":{\"0\":\"" A32 "\"}}", false},
		{"JSON, bank no object", "{\"sha256\":\"" A32 "\"}", false},
		{"JSON, value no text", "{\"sha256\":{\"0\":1}}", false},
		{"JSON, PCR 24", "{\"sha256\":{\"24\":\"" A32 "\"}}", false},
		{"JSON, PCR 00", "{\"sha256\":{\"00\":\"" A32 "\"}}", false},
		{"JSON, PCR -1", "{\"sha256\":{\"-1\":\"" A32 "\"}}", false},
		{"JSON, PCR of no digits", "{\"sha256\":{\"\":\"" A32 "\"}}", false},
		{"JSON, PCR twice", "{\"sha256\":{\"0\":\"" A32 "\",\"0\":\"" A32 "\"}}", false},
		{"JSON, another bank's size", "{\"sha256\":{\"0\":\"" A20 "\"}}", false},
		{"JSON, leading zeros stripped", "{\"sha256\":{\"0\":\"aa\"}}", false},
		{"JSON, no hex", "{\"sha1\":{\"0\":\"" A20 "\",\"1\":\"0x\"}}", false},
		{"JSON in JSON",
		 "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
		 "\"a\":{"
		 "\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}}}}}}}}}}",
		 false},
		{"printed", "  sha256:\n    0 : 0x" A32 "\n    10: 0x" B32 "\n", true},
		{"printed, of two banks", "  sha1:\n    0 : 0x" A20 "\n  sha256:\n    0 : 0x" A32,
		 true},
		{"printed, with an empty bank", "sha1:\nsha256:\n  0: 0x" A32 "\nsha384:\n", true},
		{"printed, Windows' lines", "sha256:\r\n  0 : 0x" A32 "\r\n", true},
		{"printed among others",
		 "quoted: 00\npcrs:\n  sha256:\n    0 : 0x" A32 "\ncalcDigest: 00\n", true},
		{"printed, of no bank", "    0 : 0x" A32 "\n", false},
		{"printed, a value before any bank",
		 "    1 : 0x" A32 "\nsha256:\n    0 : 0x" A32 "\n", false},
		{"printed, a bank of nobody", "sha256:\n  0 : 0x" A32 "\nsha2:\n", false},
		{"printed, twice", "sha256:\n  0 : 0x" A32 "\n  0 : 0x" A32 "\n", false},
		{"printed, the bank twice", "sha256:\n 0: " A32 "\nsha256:\n 0: " A32 "\n", false},
		{"printed, PCR 24", "sha256:\n  24: 0x" A32 "\n", false},
		{"printed, a digit less", "sha256:\n  0 : 0xa" A20 "\n", false},
		{"printed, a digit more", "sha256:\n  0 : 0x" A32 "a\n", false},
		{"printed, no colon", "sha256:\n  0 0x" A32 "\n", false},
		{"printed, more behind", "sha256:\n  0 : 0x" A32 "\nsignature: 00\n", false},
		{"another text", "Hello, world\n", false},
		{"names alone", "sha256:\nsha1:\n", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pcr_file file;
		uint8_t value[32];
		print_message("%s\n", cases[i].name);
		assert_int_equal(accepts_copy(text_of(cases[i].text), parses, &file),
				 cases[i].want);
		if (!cases[i].want)
			continue;
		assert_true((file.banks & 1U << ATTEST_SHA256) != 0);
		assert_true((file.pcrs[ATTEST_SHA256].known & 1) != 0);
		assert_true(hex_decode(A32, value, sizeof(value)));
		assert_memory_equal(file.pcrs[ATTEST_SHA256].values[0], value, sizeof(value));
	}
}

static void
a_list_is_of_24(void **state)
{
	char text[30 * 42];
	struct pcr_file file;
	size_t size = 0;

	(void)state;
	for (unsigned count = 1; count <= 25; count++) {
		size += (size_t)snprintf(text + size, sizeof(text) - size, "%040x\n", count);
		assert_int_equal(parses((struct bytes){(uint8_t *)text, size}, &file), count == 24);
		if (count == 24)
			assert_int_equal(file.pcrs[ATTEST_SHA1].values[23][19], 24);
	}
}

static void
a_nul_in_a_text_is_refused(void **state)
{
	char text[] = "sha256:\n  0 : 0x" A32 "\n \n";

	(void)state;
	assert_true(parses((struct bytes){(uint8_t *)text, sizeof(text) - 1}, NULL));
	text[sizeof(text) - 3] = '\0';
	assert_false(parses((struct bytes){(uint8_t *)text, sizeof(text) - 1}, NULL));
}

/* ---- what tpm2_quote -o writes ---- */

#define SELECTIONS   132 /* bytes of TPML_PCR_SELECTION */
#define LIST_SIZE    532 /* of TPML_DIGEST */
#define DIGEST_SIZE  66	 /* of TPM2B_DIGEST */
#define BINARY_SIZE  (SELECTIONS + 4 + 2 * LIST_SIZE)
#define SHA1_PCRS    0x000211U /* 0, 4, 9 */
#define SHA256_PCRS  0x0040ffU /* 0-7, 14 */
#define DIGEST_COUNT 12

static void
put(uint8_t *at, uint32_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static uint8_t *
digest_at(uint8_t *file, size_t number)
{
	return file + SELECTIONS + 4 + number / 8 * LIST_SIZE + 4 + number % 8 * DIGEST_SIZE;
}

/* Twelve digests, of two banks, in two lists; each is its own number, all through. */
static void
binary_make(uint8_t file[BINARY_SIZE])
{
	memset(file, 0, BINARY_SIZE);
	put(file, 2, 4);
	put(file + 4, 0x0004, 2);
	put(file + 6, 3, 1);
	put(file + 7, SHA1_PCRS, 3);
	put(file + 12, 0x000b, 2);
	put(file + 14, 4, 1);
	put(file + 15, SHA256_PCRS, 3);
	put(file + SELECTIONS, 2, 4);
	put(file + SELECTIONS + 4, 8, 4);
	put(file + SELECTIONS + 4 + LIST_SIZE, DIGEST_COUNT - 8, 4);
	for (size_t i = 0; i < DIGEST_COUNT; i++) {
		size_t size = i < 3 ? 20 : 32;
		put(digest_at(file, i), (uint32_t)size, 2);
		memset(digest_at(file, i) + 2, (int)i + 1, size);
	}
}

static void
a_binary_gives_each_digest_its_pcr(void **state)
{
	static const uint8_t sha1[] = {0, 4, 9}, sha256[] = {0, 1, 2, 3, 4, 5, 6, 7, 14};
	uint8_t bytes[BINARY_SIZE];
	struct pcr_file file;

	(void)state;
	binary_make(bytes);
	assert_true(accepts_copy(BYTES_OF(bytes), parses, &file));
	assert_int_equal(file.banks, 1U << ATTEST_SHA1 | 1U << ATTEST_SHA256);
	assert_int_equal(file.pcrs[ATTEST_SHA1].known, SHA1_PCRS);
	assert_int_equal(file.pcrs[ATTEST_SHA256].known, SHA256_PCRS);
	for (size_t i = 0; i < sizeof(sha1); i++)
		assert_int_equal(file.pcrs[ATTEST_SHA1].values[sha1[i]][19], i + 1);
	for (size_t i = 0; i < sizeof(sha256); i++)
		assert_int_equal(file.pcrs[ATTEST_SHA256].values[sha256[i]][31], i + 4);
	refuses_other_sizes(BYTES_OF(bytes), parses, NULL);
}

static void
spoilt_binaries_are_refused(void **state)
{
	static const struct {
		const char *name;
		size_t at;
		uint32_t value;
		size_t size;
	} cases[] = {
		{"no bank", 0, 0, 4},
		{"a bank less than digests are of", 0, 1, 4},
		{"more banks than there is room for", 0, 17, 4},
		{"a selection larger than its room", 6, 5, 1},
		{"a smaller selection than digests are of", 14, 1, 1},
		{"a PCR more than digests are of", 7, SHA1_PCRS | 2, 3},
		{"a PCR less than digests are of", 15, SHA256_PCRS & ~1U, 3},
		{"a PCR that no TPM has, in place of one", 15, 0x800000ff, 4},
		{"the other bank's digests", 4, 0x000b, 2},
		{"a bank twice", 12, 0x0004, 2},
		{"no list", SELECTIONS, 0, 4},
		{"a list less", SELECTIONS, 1, 4},
		{"a list more", SELECTIONS, 3, 4},
		{"lists without end", SELECTIONS, 0xffffffff, 4},
		{"a digest less", SELECTIONS + 4, 7, 4},
		{"more digests than a list holds", SELECTIONS + 4, 9, 4},
		{"an empty digest", SELECTIONS + 8, 0, 2},
		{"a digest of another size", SELECTIONS + 8, 32, 2},
		{"a digest larger than its room", SELECTIONS + 8, 65, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t bytes[BINARY_SIZE];
		binary_make(bytes);
		put(bytes + cases[i].at, cases[i].value, cases[i].size);
		print_message("%s\n", cases[i].name);
		assert_false(accepts_copy(BYTES_OF(bytes), parses, NULL));
	}
}

/* A flip in a digest is another value; one in the counts, banks or sizes is refused, or leaves no
 * more than what was there. */
static void
a_flipped_bit_adds_no_value(void **state)
{
	uint8_t bytes[BINARY_SIZE];

	(void)state;
	binary_make(bytes);
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		struct pcr_file file;
		unsigned count = 0;

		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (accepts_copy(BYTES_OF(bytes), parses, &file))
			for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
				count += (unsigned)__builtin_popcount(file.pcrs[bank].known);
		assert_true(count <= DIGEST_COUNT);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_read_strictly),
		cmocka_unit_test(a_list_is_of_24),
		cmocka_unit_test(a_nul_in_a_text_is_refused),
		cmocka_unit_test(a_binary_gives_each_digest_its_pcr),
		cmocka_unit_test(spoilt_binaries_are_refused),
		cmocka_unit_test(a_flipped_bit_adds_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
