/* SPDX-License-Identifier: Apache-2.0 */
/* PE/COFF images: which are refused, and what their Authenticode digests cover. */
#include "attest/image.h"
#include "image_builder.h"
#include "spoil.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct built_recipe SIGNED = {
	.sections = {{.name = ".text", .text = "code"},
		     {.name = ".data", .text = "data", .loaded_size = 100}},
	.certificates = 24,
	.behind = 5,
};
static const struct built_recipe UNSIGNED = {
	.pe32 = true,
	.sections = {{.name = ".text", .text = "code"}, {.name = ".verylong", .text = "data"}},
};

static enum attest_status
open_copy(struct bytes file, struct attest_error *err)
{
	struct attest_image image;

	return attest_image_open(file, &image, err);
}

/* Opens, and has every byte of it hashed, so that a sanitizer sees what is reached. */
static bool
accepts_image(struct bytes file, void *user)
{
	struct attest_image image;
	struct attest_error err;
	uint8_t digest[ATTEST_DIGEST_MAX];

	(void)user;
	return attest_image_open(file, &image, &err) == ATTEST_OK &&
	       attest_image_authenticode(&image, ATTEST_SHA256, digest, &err) == ATTEST_OK;
}

static void
digest_of(struct bytes file, enum attest_bank bank, uint8_t ret_digest[ATTEST_DIGEST_MAX])
{
	struct attest_image image;
	struct attest_error err;

	assert_int_equal(attest_image_open(file, &image, &err), ATTEST_OK);
	assert_int_equal(attest_image_authenticode(&image, bank, ret_digest, &err), ATTEST_OK);
}

static void
reads_both_forms(void **state)
{
	const struct built_recipe *recipes[] = {&SIGNED, &UNSIGNED};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct built built = image_build(recipes[i]);
		struct attest_image image;
		struct attest_error err;
		assert_int_equal(
			attest_image_open((struct bytes){built.data, built.size}, &image, &err),
			ATTEST_OK);
		assert_int_equal(image.pe32_plus, !recipes[i]->pe32);
		assert_int_equal(image.section_count, 2);
		assert_string_equal(image.sections[0].name, ".text");
		assert_int_equal(image.sections[0].size, 4);
		assert_int_equal(image.certificates.size, recipes[i]->certificates);
		assert_int_equal(image.stub, 0);
		free(built.data);
	}
}

/* A name of eight bytes has no NUL in the file, and more than eight do not fit. */
static void
cuts_names_at_eight(void **state)
{
	struct built built = image_build(&UNSIGNED);
	struct attest_image image;
	struct attest_error err;

	(void)state;
	assert_int_equal(attest_image_open((struct bytes){built.data, built.size}, &image, &err),
			 ATTEST_OK);
	assert_string_equal(image.sections[1].name, ".verylon");
	free(built.data);
}

static void
refuses_what_is_cut_short(void **state)
{
	struct built built = image_build(&SIGNED);

	(void)state;
	/* A byte behind certificates, too: they end the file. */
	refuses_other_sizes((struct bytes){built.data, built.size}, accepts_image, NULL);
	free(built.data);
}

static void
reads_nothing_too_far_when_cut(void **state)
{
	struct built built = image_build(&UNSIGNED);
	size_t least = built.first_section + 2 * BUILT_ALIGNMENT;

	(void)state;
	for (size_t size = 0; size < least; size++)
		assert_false(accepts_copy((struct bytes){built.data, size}, accepts_image, NULL));
	assert_true(accepts_copy((struct bytes){built.data, least}, accepts_image, NULL));
	free(built.data);
}

/* Whatever a bit does: refused, or another digest; the checksum and certificates alone excepted. */
static void
every_bit_counts(void **state)
{
	struct built built = image_build(&SIGNED);
	struct bytes file = {built.data, built.size};
	uint8_t before[ATTEST_DIGEST_MAX], after[ATTEST_DIGEST_MAX];
	size_t same = 0;

	(void)state;
	digest_of(file, ATTEST_SHA256, before);
	for (size_t bit = 0; bit < 8 * built.size; bit++) {
		size_t at = bit / 8;
		bool left_out = (at >= built.checksum && at < built.checksum + 4) ||
				at >= built.certificates;
		built.data[at] ^= (uint8_t)(1U << bit % 8);
		if (accepts_copy(file, accepts_image, NULL)) {
			digest_of(file, ATTEST_SHA256, after);
			bool equal = memcmp(before, after, ATTEST_HASH_SIZE) == 0;
			if (equal != left_out)
				fail_msg("bit %zu of byte %zu", bit % 8, at);
			same += equal;
		} else {
			assert_false(left_out);
		}
		built.data[at] ^= (uint8_t)(1U << bit % 8);
	}
	assert_int_equal(same, 8 * (4 + SIGNED.certificates));
	free(built.data);
}

/* Signing again, or removing a signature, changes certificates and their entry alone. */
static void
signatures_do_not_change_the_digest(void **state)
{
	struct built_recipe bare = SIGNED;
	uint8_t one[ATTEST_DIGEST_MAX], other[ATTEST_DIGEST_MAX];

	(void)state;
	bare.certificates = 0;
	struct built built = image_build(&SIGNED), stripped = image_build(&bare);
	digest_of((struct bytes){built.data, built.size}, ATTEST_SHA384, one);
	digest_of((struct bytes){stripped.data, stripped.size}, ATTEST_SHA384, other);
	assert_memory_equal(one, other, 48);
	free(built.data);
	free(stripped.data);
}

/* By the document's steps, over this very file, and not by the code under test. */
static void
digest_is_that_of_the_document(void **state)
{
	struct built built = image_build(&SIGNED);
	uint8_t want[EVP_MAX_MD_SIZE], have[ATTEST_DIGEST_MAX];
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	size_t after = built.checksum + 4, entry = built.certificate_entry;

	(void)state;
	assert_int_equal(EVP_DigestInit_ex(hash, EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_DigestUpdate(hash, built.data, built.checksum), 1);
	assert_int_equal(EVP_DigestUpdate(hash, built.data + after, entry - after), 1);
	assert_int_equal(
		EVP_DigestUpdate(hash, built.data + entry + 8, built.certificates - entry - 8), 1);
	assert_int_equal(EVP_DigestFinal_ex(hash, want, NULL), 1);
	digest_of((struct bytes){built.data, built.size}, ATTEST_SHA256, have);
	assert_memory_equal(want, have, 32);
	EVP_MD_CTX_free(hash);
	free(built.data);
}

/* Sections are hashed as they lie in the file, whatever the order of the table. */
static void
order_of_the_table_does_not_matter(void **state)
{
	struct built built = image_build(&SIGNED);
	struct bytes file = {built.data, built.size};
	struct attest_image image, swapped;
	struct attest_error err;
	uint8_t one[ATTEST_DIGEST_MAX], other[ATTEST_DIGEST_MAX];

	(void)state;
	assert_int_equal(attest_image_open(file, &image, &err), ATTEST_OK);
	swapped = image;
	swapped.sections[0] = image.sections[1];
	swapped.sections[1] = image.sections[0];
	assert_int_equal(attest_image_authenticode(&image, ATTEST_SHA256, one, &err), ATTEST_OK);
	assert_int_equal(attest_image_authenticode(&swapped, ATTEST_SHA256, other, &err),
			 ATTEST_OK);
	assert_memory_equal(one, other, 32);
	free(built.data);
}

static void
refuses_sha1(void **state)
{
	struct built built = image_build(&SIGNED);
	struct attest_image image;
	struct attest_error err;
	uint8_t digest[ATTEST_DIGEST_MAX];

	(void)state;
	assert_int_equal(attest_image_open((struct bytes){built.data, built.size}, &image, &err),
			 ATTEST_OK);
	assert_int_equal(attest_image_authenticode(&image, ATTEST_SHA1, digest, &err),
			 ATTEST_UNSUPPORTED);
	free(built.data);
}

enum field { OPTIONAL, TABLE, ENTRY, START };

static void
refuses_named_spoils(void **state)
{
	static const struct {
		const char *name;
		enum field of;
		size_t at;
		unsigned bytes;
		uint32_t value;
		const char *check;
	} SPOILS[] = {
		{"no MZ", START, 0, 2, 0x4d5a, "image.headers"},
		{"headers behind the end", START, 0x3c, 4, 0xfffffff0, "image.headers"},
		{"no PE signature", START, 0x40, 4, 0x4551, "image.headers"},
		{"no sections", START, 0x46, 2, 0, "image.headers"},
		{"97 sections", START, 0x46, 2, 97, "image.headers"},
		{"a section more than there is room for", START, 0x46, 2, 4, "image.section"},
		{"an optional header that is too short", START, 0x54, 2, 60, "image.headers"},
		{"neither PE32 nor PE32+", OPTIONAL, 0, 2, 0x30b, "image.headers"},
		{"17 directories", OPTIONAL, 108, 4, 17, "image.headers"},
		{"headers that do not hold the table", OPTIONAL, 60, 4, 0x100,
		 "image.certificates"},
		{"headers larger than the file", OPTIONAL, 60, 4, 0x7fffffff, "image.certificates"},
		{"certificates in the middle", ENTRY, 0, 4, 0x180, "image.certificates"},
		{"certificates past the end", ENTRY, 4, 4, 25, "image.certificates"},
		{"certificates of nearly 4 GiB", ENTRY, 4, 4, 0xffffffff, "image.certificates"},
		{"a section that begins within the headers", TABLE, 20, 4, 0x100, "image.section"},
		{"a section past the end", TABLE, 20, 4, 0xfffffff0, "image.section"},
		{"a section longer than the file", TABLE, 16, 4, 0xffffffff, "image.section"},
		{"a section that reaches into certificates", TABLE, 40 + 16, 4,
		 BUILT_ALIGNMENT + 16, "image.section"},
		{"two sections at one place", TABLE, 16, 4, 2 * BUILT_ALIGNMENT, "image.overlap"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(SPOILS) / sizeof(*SPOILS); i++) {
		struct built built = image_build(&SIGNED);
		struct attest_error err = {.status = ATTEST_OK};
		size_t bases[] = {[OPTIONAL] = built.optional,
				  [TABLE] = built.table,
				  [ENTRY] = built.certificate_entry,
				  [START] = 0};
		for (unsigned b = 0; b < SPOILS[i].bytes; b++)
			built.data[bases[SPOILS[i].of] + SPOILS[i].at + b] =
				(uint8_t)(SPOILS[i].value >> 8 * b);
		if (open_copy((struct bytes){built.data, built.size}, &err) != ATTEST_MALFORMED ||
		    strcmp(err.check, SPOILS[i].check) != 0)
			fail_msg("%s: %s", SPOILS[i].name, err.check);
		free(built.data);
	}
}

/* The size is looked at before anything else is. */
static void
refuses_what_is_too_large(void **state)
{
	struct attest_error err;
	uint8_t byte = 'M';

	(void)state;
	assert_int_equal(open_copy((struct bytes){&byte, (size_t)ATTEST_IMAGE_MAX + 1}, &err),
			 ATTEST_LIMIT);
	assert_string_equal(err.check, "image.size");
}

static void
knows_systemds_programs(void **state)
{
	static const struct {
		const char *program;
		unsigned stub;
		unsigned boot;
	} CASES[] = {
		{"systemd-stub 252.39-1~deb12u2", 252, 0},
		{"systemd-boot 257", 0, 257},
		{"systemd-stub 258~devel", 258, 0},
		{"systemd-stub devel", 0, 0},
		{"systemd-stubby 252", 0, 0},
		{"somebody-else 252", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct built_recipe recipe = SIGNED;
		struct attest_image image;
		struct attest_error err;
		recipe.program = CASES[i].program;
		struct built built = image_build(&recipe);
		assert_int_equal(
			attest_image_open((struct bytes){built.data, built.size}, &image, &err),
			ATTEST_OK);
		assert_int_equal(image.stub, CASES[i].stub);
		assert_int_equal(image.boot, CASES[i].boot);
		free(built.data);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_both_forms),
		cmocka_unit_test(cuts_names_at_eight),
		cmocka_unit_test(refuses_what_is_cut_short),
		cmocka_unit_test(reads_nothing_too_far_when_cut),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(signatures_do_not_change_the_digest),
		cmocka_unit_test(digest_is_that_of_the_document),
		cmocka_unit_test(order_of_the_table_does_not_matter),
		cmocka_unit_test(refuses_sha1),
		cmocka_unit_test(refuses_named_spoils),
		cmocka_unit_test(refuses_what_is_too_large),
		cmocka_unit_test(knows_systemds_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
