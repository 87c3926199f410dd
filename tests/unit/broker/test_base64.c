/* SPDX-License-Identifier: Apache-2.0 */
/* The gateway's base64, against RFC 4648's examples and against libsodium's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "gateway/base64.h"

/* On exact-size copies, so that a byte too far is seen. */
static bool
decodes(const char *text, size_t size, uint8_t *ret_bytes, size_t *ret_size)
{
	char *copy = malloc(size + (size == 0));
	uint8_t *bytes = malloc(size / 4 * 3 + (size < 4));

	assert_non_null(copy);
	assert_non_null(bytes);
	memcpy(copy, text, size);
	bool decoded = base64_decode(copy, size, bytes, ret_size);
	if (decoded)
		memcpy(ret_bytes, bytes, *ret_size);
	free(copy);
	free(bytes);
	return decoded;
}

/* Both say the same of a text, and give the same bytes; but libsodium 1.0.18 takes bytes above 127
 * for 'A'. */
static void
agree(const char *text, size_t size)
{
	uint8_t ours[512];
	uint8_t theirs[512];
	size_t our_size = 0;
	size_t their_size = 0;
	const char *end = NULL;
	bool decoded = decodes(text, size, ours, &our_size);
	bool want = sodium_base642bin(theirs, sizeof(theirs), text, size, NULL, &their_size, &end,
				      sodium_base64_VARIANT_ORIGINAL) == 0 &&
		    end == text + size;

	for (size_t i = 0; i < size; i++)
		want &= (uint8_t)text[i] < 128;

	if (decoded != want)
		fail_msg("%.*s", (int)size, text);
	if (decoded) {
		assert_int_equal(our_size, their_size);
		assert_memory_equal(ours, theirs, our_size);
	}
}

static void
the_standards_examples(void **state)
{
	/* RFC 4648, 10 */
	static const char *const texts[] = {"",		"Zg==",	    "Zm8=",    "Zm9v",
					    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	char text[16];
	uint8_t bytes[16];
	size_t size = 99;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct bytes plain = {(const uint8_t *)"foobar", i};
		assert_int_equal(BASE64_ENCODED_SIZE(i), strlen(texts[i]));
		base64_encode(plain, text);
		assert_memory_equal(text, texts[i], strlen(texts[i]));
		assert_true(decodes(texts[i], strlen(texts[i]), bytes, &size));
		assert_int_equal(size, i);
		assert_memory_equal(bytes, plain.data, i);
	}
}

static void
bad_texts_are_refused(void **state)
{
	static const char *const bad[] = {
		"=",	"==",	    "===",	"====",	 "A",	     "AA",     "AAA",	  "A===",
		"AB==", "AAB=",	    "A=AA",	"=AAA",	 "AA=A",     "AAA ",   "AA A",	  "AAA\n",
		"AA-_", "AAA=AAAA", "AA==AAAA", "AAAA=", "AAAA====", "AAA=\n", "AAA\xc1", "AA\x80=",
	};
	uint8_t bytes[16];
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (decodes(bad[i], strlen(bad[i]), bytes, &size))
			fail_msg("%s", bad[i]);
		agree(bad[i], strlen(bad[i]));
	}
	assert_false(decodes("AA\0A", 4, bytes, &size));
}

static void
every_character_at_every_place(void **state)
{
	static const char *const base[] = {"AAAA", "AAAAAAAA", "AAA=", "AA==", "AAAAAA=="};

	(void)state;
	for (size_t i = 0; i < sizeof(base) / sizeof(base[0]); i++) {
		for (size_t at = 0; at < strlen(base[i]); at++) {
			for (int c = 0; c < 256; c++) {
				char text[9];
				strcpy(text, base[i]);
				text[at] = (char)c;
				agree(text, strlen(base[i]));
			}
		}
	}
}

static void
lengths_truncations_and_tails(void **state)
{
	uint8_t plain[200];
	uint8_t back[200];
	char text[BASE64_ENCODED_SIZE(sizeof(plain)) + 1];
	size_t back_size;

	(void)state;
	randombytes_buf(plain, sizeof(plain));
	for (size_t size = 0; size <= sizeof(plain); size++) {
		size_t length = BASE64_ENCODED_SIZE(size);
		base64_encode((struct bytes){plain, size}, text);
		assert_true(decodes(text, length, back, &back_size));
		assert_int_equal(back_size, size);
		assert_memory_equal(back, plain, size);
		for (size_t cut = 0; cut < length; cut++)
			agree(text, cut);
		text[length] = 'A';
		assert_false(decodes(text, length + 1, back, &back_size));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_standards_examples),
		cmocka_unit_test(bad_texts_are_refused),
		cmocka_unit_test(every_character_at_every_place),
		cmocka_unit_test(lengths_truncations_and_tails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
