/* SPDX-License-Identifier: Apache-2.0 */
/* Predictions: extended here again, step by step, from what the stub's manual says. */
#include "attest/image.h"
#include "image_builder.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STUB	     "systemd-stub 252.39-1"
#define LINE	     "quiet"
#define OSREL_LOADED 50 /* more than is in the file */

static uint8_t *kernel_data;
static size_t kernel_size;
static uint8_t kernel_digest[ATTEST_DIGEST_MAX];

static int
make_kernel(void **state)
{
	const struct built_recipe recipe = {.sections = {{.name = ".text", .text = "a kernel"}}};
	struct built built = image_build(&recipe);
	struct attest_image image;
	struct attest_error err;

	(void)state;
	kernel_data = built.data;
	kernel_size = built.size;
	if (attest_image_open((struct bytes){built.data, built.size}, &image, &err) != ATTEST_OK)
		return -1;
	return attest_image_authenticode(&image, ATTEST_SHA256, kernel_digest, &err) == ATTEST_OK
		       ? 0
		       : -1;
}

static int
free_kernel(void **state)
{
	(void)state;
	free(kernel_data);
	return 0;
}

struct made { /* an image with what it points into */
	struct built built;
	struct attest_image image;
};

static struct made
make(const struct built_recipe *recipe)
{
	struct made made = {.built = image_build(recipe)};
	struct attest_error err;

	assert_int_equal(attest_image_open((struct bytes){made.built.data, made.built.size},
					   &made.image, &err),
			 ATTEST_OK);
	return made;
}

/* With a kernel, and up to six sections more. */
static struct made
make_uki(const char *stub, const struct built_section *more)
{
	struct built_recipe recipe = {.program = stub};
	size_t count = 0;

	/* Not first in the file: the stub goes by its own order. */
	for (; more != NULL && more[count].name != NULL; count++)
		recipe.sections[count] = more[count];
	recipe.sections[count] = (struct built_section){
		.name = ".linux", .text = (const char *)kernel_data, .size = kernel_size};
	return make(&recipe);
}

static void
extend(uint8_t value[32], const void *digest)
{
	uint8_t both[64];

	memcpy(both, value, 32);
	memcpy(both + 32, digest, 32);
	assert_int_equal(EVP_Digest(both, 64, value, NULL, EVP_sha256(), NULL), 1);
}

static void
extend_hash(uint8_t value[32], const void *data, size_t size)
{
	uint8_t digest[32];

	assert_int_equal(EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL), 1);
	extend(value, digest);
}

static void
extend_image(uint8_t value[32], const struct attest_image *image)
{
	uint8_t digest[ATTEST_DIGEST_MAX];
	struct attest_error err;

	assert_int_equal(attest_image_authenticode(image, ATTEST_SHA256, digest, &err), ATTEST_OK);
	extend(value, digest);
}

static struct attest_prediction
predicted(const struct attest_boot *boot)
{
	struct attest_prediction prediction;
	struct attest_error err;

	if (attest_boot_predict(boot, ATTEST_SHA256, &prediction, &err) != ATTEST_OK)
		fail_msg("%s", err.message);
	return prediction;
}

static void
refused(const struct attest_boot *boot, const char *check)
{
	struct attest_prediction prediction;
	struct attest_error err;

	assert_int_equal(attest_boot_predict(boot, ATTEST_SHA256, &prediction, &err),
			 ATTEST_UNSUPPORTED);
	assert_string_equal(err.check, check);
}

static void
action_and_separator(uint8_t value[32])
{
	static const char ACTION[] = "Calling EFI Application from Boot Option";

	extend_hash(value, ACTION, sizeof(ACTION) - 1);
	extend_hash(value, "\0\0\0", 4);
}

static const struct built_section SECTIONS[] = {
	{.name = ".cmdline", .text = LINE "\n"},
	{.name = ".osrel", .text = "ID=x", .loaded_size = OSREL_LOADED},
	{.name = ".uname", .text = "6.1"},
	{.name = ".pcrsig", .text = "{}"},
	{.name = NULL}};

static void
pcr_4_of_a_boot_option(void **state)
{
	struct made uki = make_uki(STUB, SECTIONS);
	uint8_t want[32] = {0};

	(void)state;
	action_and_separator(want);
	extend_image(want, &uki.image);
	extend(want, kernel_digest);
	struct attest_prediction have = predicted(&(struct attest_boot){.uki = &uki.image});
	assert_memory_equal(have.pcrs.values[4], want, 32);
	assert_true(have.kernel_measured);
	free(uki.built.data);
}

static void
pcr_4_of_qemus_kernel_option(void **state)
{
	struct made uki = make_uki(STUB, SECTIONS);
	uint8_t want[32] = {0};

	(void)state;
	extend_image(want, &uki.image);
	action_and_separator(want);
	extend(want, kernel_digest);
	struct attest_boot boot = {.uki = &uki.image, .direct = true};
	struct attest_prediction have = predicted(&boot);
	assert_memory_equal(have.pcrs.values[4], want, 32);
	boot.loader_count = 1;
	boot.loaders[0] = &uki.image;
	refused(&boot, "image.direct");
	free(uki.built.data);
}

/* Under Secure Boot, or from 258 on, the firmware does not see the kernel. */
static void
pcr_4_without_the_kernel(void **state)
{
	const char *stubs[] = {STUB, "systemd-stub 258"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct made uki = make_uki(stubs[i], SECTIONS);
		uint8_t want[32] = {0};
		action_and_separator(want);
		extend_image(want, &uki.image);
		struct attest_prediction have =
			predicted(&(struct attest_boot){.uki = &uki.image, .secure_boot = i == 0});
		assert_memory_equal(have.pcrs.values[4], want, 32);
		assert_false(have.kernel_measured);
		free(uki.built.data);
	}
}

static void
pcr_11_in_the_stubs_order(void **state)
{
	static const char LINUX[] = ".linux", OSREL[] = ".osrel", CMDLINE[] = ".cmdline",
			  UNAME[] = ".uname", PROGRAM[] = "systemd-stub 253";
	struct made old = make_uki(STUB, SECTIONS), newer = make_uki(PROGRAM, SECTIONS);
	static const uint8_t LOADED[OSREL_LOADED] = "ID=x";
	uint8_t want[32] = {0};

	(void)state;
	extend_hash(want, LINUX, sizeof(LINUX));
	extend_hash(want, kernel_data, kernel_size);
	extend_hash(want, OSREL, sizeof(OSREL));
	extend_hash(want, LOADED, sizeof(LOADED));
	extend_hash(want, CMDLINE, sizeof(CMDLINE));
	extend_hash(want, LINE "\n", sizeof(LINE "\n") - 1);
	assert_memory_equal(predicted(&(struct attest_boot){.uki = &old.image}).pcrs.values[11],
			    want, 32);
	extend_hash(want, UNAME, sizeof(UNAME)); /* passed over by 252 */
	extend_hash(want, "6.1", 3);
	assert_memory_equal(predicted(&(struct attest_boot){.uki = &newer.image}).pcrs.values[11],
			    want, 32);
	free(old.built.data);
	free(newer.built.data);
}

/* The first profile's own line replaces that of all; the second one is not chosen. */
static void
pcr_11_of_the_first_profile(void **state)
{
	static const char LINUX[] = ".linux", OSREL[] = ".osrel", CMDLINE[] = ".cmdline",
			  PROFILE[] = ".profile";
	static const struct built_section PROFILES[] = {
		{.name = ".linux", .text = NULL},	{.name = ".cmdline", .text = "all"},
		{.name = ".osrel", .text = "ID=x"},	{.name = ".profile", .text = "ID=1"},
		{.name = ".cmdline", .text = "first"},	{.name = ".profile", .text = "ID=2"},
		{.name = ".cmdline", .text = "second"},
	};
	struct built_recipe recipe = {.program = "systemd-stub 257"};
	uint8_t want[32] = {0};

	(void)state;
	memcpy(recipe.sections, PROFILES, sizeof(PROFILES));
	recipe.sections[0].text = (const char *)kernel_data;
	recipe.sections[0].size = kernel_size;
	struct made uki = make(&recipe);
	extend_hash(want, LINUX, sizeof(LINUX));
	extend_hash(want, kernel_data, kernel_size);
	extend_hash(want, OSREL, sizeof(OSREL));
	extend_hash(want, "ID=x", 4);
	extend_hash(want, CMDLINE, sizeof(CMDLINE));
	extend_hash(want, "first", 5);
	extend_hash(want, PROFILE, sizeof(PROFILE));
	extend_hash(want, "ID=1", 4);
	assert_memory_equal(predicted(&(struct attest_boot){.uki = &uki.image}).pcrs.values[11],
			    want, 32);
	free(uki.built.data);
	recipe.sections[5].name = ".cmdline"; /* now the first profile has three */
	uki = make(&recipe);
	refused(&(struct attest_boot){.uki = &uki.image}, "image.twice");
	free(uki.built.data);
	recipe.program = "systemd-stub 256"; /* knows no profiles */
	uki = make(&recipe);
	refused(&(struct attest_boot){.uki = &uki.image}, "image.twice");
	free(uki.built.data);
}

static void
wide(uint8_t value[32], const char *line)
{
	uint8_t utf16[64] = {0};

	for (size_t i = 0; line[i] != '\0'; i++)
		utf16[2 * i] = (uint8_t)line[i];
	extend_hash(value, utf16, 2 * (strlen(line) + 1));
}

static void
pcr_12_by_who_passes_a_line(void **state)
{
	static const struct {
		const char *name;
		const char *menu; /* NULL: none */
		bool own;	  /* the image has a line */
		bool secure;
		const char *passed;
		const char *measured[2];
	} CASES[] = {
		{"none at all", NULL, false, false, NULL, {NULL, NULL}},
		{"its own", NULL, true, false, NULL, {NULL, NULL}},
		{"passed to one without", NULL, false, false, "a b", {"a b", NULL}},
		{"passed instead of its own", NULL, true, false, "a b", {"a b", NULL}},
		{"passed in vain under Secure Boot", NULL, true, true, "a b", {NULL, NULL}},
		{"passed under Secure Boot to one without",
		 NULL,
		 false,
		 true,
		 "a b",
		 {"a b", NULL}},
		{"by a menu", "systemd-boot 257", true, false, "a b", {"a b", "a b"}},
		{"by a menu, in vain", "systemd-boot 257", true, true, "a b", {"a b", NULL}},
		{"its own, passed back by a menu",
		 "systemd-boot 252",
		 true,
		 false,
		 NULL,
		 {LINE, LINE}},
		{"the same under Secure Boot", "systemd-boot 254", true, true, NULL, {LINE, NULL}},
		{"its own, and a newer menu", "systemd-boot 257", true, false, NULL, {NULL, NULL}},
		{"its own, and a loader of others", "shim 16", true, false, NULL, {NULL, NULL}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct made uki = make_uki(STUB, CASES[i].own ? SECTIONS : SECTIONS + 1);
		struct made menu = make_uki(CASES[i].menu, NULL);
		uint8_t want[32] = {0};
		for (size_t j = 0; j < 2; j++)
			if (CASES[i].measured[j] != NULL)
				wide(want, CASES[i].measured[j]);
		struct attest_boot boot = {.uki = &uki.image,
					   .loaders = {&menu.image},
					   .loader_count = CASES[i].menu != NULL,
					   .secure_boot = CASES[i].secure,
					   .command_line = CASES[i].passed};
		struct attest_prediction have = predicted(&boot);
		if (memcmp(have.pcrs.values[12], want, 32) != 0)
			fail_msg("%s", CASES[i].name);
		free(uki.built.data);
		free(menu.built.data);
	}
}

/* What these do with an image's own line was not seen. */
static void
refuses_menus_between(void **state)
{
	static const char *const MENUS[] = {"systemd-boot 255", "systemd-boot 256"};
	struct made uki = make_uki(STUB, SECTIONS), bare = make_uki(STUB, SECTIONS + 1);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct made menu = make_uki(MENUS[i], NULL);
		struct attest_boot boot = {
			.uki = &uki.image, .loaders = {&menu.image}, .loader_count = 1};
		refused(&boot, "image.boot");
		boot.command_line = LINE;
		predicted(&boot);
		boot = (struct attest_boot){
			.uki = &bare.image, .loaders = {&menu.image}, .loader_count = 1};
		predicted(&boot);
		free(menu.built.data);
	}
	free(uki.built.data);
	free(bare.built.data);
}

static void
separator_of_the_system(void **state)
{
	struct made uki = make_uki(STUB, SECTIONS);
	struct attest_boot boot = {.uki = &uki.image};
	struct attest_prediction without = predicted(&boot);

	(void)state;
	boot.os_separator = true;
	struct attest_prediction with = predicted(&boot);
	for (unsigned pcr = 4; pcr <= 12; pcr += 8) {
		extend_hash(without.pcrs.values[pcr], "os-separator", 12);
		assert_memory_equal(with.pcrs.values[pcr], without.pcrs.values[pcr], 32);
	}
	assert_memory_equal(with.pcrs.values[11], without.pcrs.values[11], 32);
	free(uki.built.data);
}

static void
phases_extend_by_words(void **state)
{
	uint8_t value[ATTEST_DIGEST_MAX] = {1, 2, 3}, have[ATTEST_DIGEST_MAX];
	struct attest_error err;

	(void)state;
	assert_int_equal(attest_phase_extend(ATTEST_SHA256, value, "enter-initrd", have, &err),
			 ATTEST_OK);
	extend_hash(value, "enter-initrd", 12);
	assert_memory_equal(have, value, 32);
}

static void
refuses_what_is_not_decided_by_the_image(void **state)
{
	static const struct {
		const char *stub;
		struct built_section section;
		const char *check;
	} CASES[] = {
		{NULL, {.name = ".osrel", .text = "x"}, "image.stub"},
		{"systemd-boot 252", {.name = ".osrel", .text = "x"}, "image.stub"},
		{"systemd-stub 251", {.name = ".osrel", .text = "x"}, "image.stub"},
		{"systemd-stub 263", {.name = ".osrel", .text = "x"}, "image.stub"},
		{"systemd-stub 257", {.name = ".dtbauto", .text = "x"}, "image.hardware"},
		{"systemd-stub 258", {.name = ".efifw", .text = "x"}, "image.hardware"},
		{STUB, {.name = ".linux", .text = "x"}, "image.twice"},
		{STUB, {.name = ".osrel", .text = "x", .loaded_size = 70000}, "image.zeros"},
		{STUB, {.name = ".cmdline", .text = "x", .loaded_size = 0x1000}, "image.line"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(*CASES); i++) {
		struct built_section more[] = {CASES[i].section, {.name = NULL}};
		struct made uki = make_uki(CASES[i].stub, more);
		refused(&(struct attest_boot){.uki = &uki.image}, CASES[i].check);
		free(uki.built.data);
	}
}

static void
refuses_without_a_kernel_or_with_overlaps(void **state)
{
	const struct built_recipe none = {.program = STUB,
					  .sections = {{.name = ".osrel", .text = "x"}}};
	const struct built_recipe text = {.program = STUB,
					  .sections = {{.name = ".linux", .text = "no PE"}}};
	struct made uki = make(&none);
	struct attest_prediction prediction;
	struct attest_error err;

	(void)state;
	refused(&(struct attest_boot){.uki = &uki.image}, "image.kernel");
	free(uki.built.data);
	uki = make(&text);
	assert_int_equal(attest_boot_predict(&(struct attest_boot){.uki = &uki.image},
					     ATTEST_SHA256, &prediction, &err),
			 ATTEST_MALFORMED);
	assert_string_equal(err.check, "image.kernel");
	free(uki.built.data);
	struct built kernel = image_build(&(struct built_recipe){
		.old_kernel = true, .sections = {{.name = ".text", .text = "4.19"}}});
	const struct built_recipe old = {.program = STUB,
					 .sections = {{.name = ".linux",
						       .text = (const char *)kernel.data,
						       .size = kernel.size}}};
	uki = make(&old);
	refused(&(struct attest_boot){.uki = &uki.image}, "image.kernel");
	free(uki.built.data);
	free(kernel.data);
	uki = make_uki(STUB, SECTIONS);
	uki.image.sections[1].address = uki.image.sections[0].address;
	refused(&(struct attest_boot){.uki = &uki.image}, "image.loaded");
	free(uki.built.data);
}

static void
refuses_lines_that_change_on_the_way(void **state)
{
	static const char *const LINES[] = {" a", "a ", "a\tb", "a\n", "@1 a", "\xc3\xa4"};
	struct made uki = make_uki(STUB, SECTIONS);
	char longest[ATTEST_IMAGE_LINE_MAX + 2];
	struct attest_prediction prediction;
	struct attest_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(LINES) / sizeof(*LINES); i++)
		refused(&(struct attest_boot){.uki = &uki.image, .command_line = LINES[i]},
			"image.line");
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	struct attest_boot boot = {.uki = &uki.image, .command_line = longest};
	assert_int_equal(attest_boot_predict(&boot, ATTEST_SHA256, &prediction, &err),
			 ATTEST_LIMIT);
	longest[sizeof(longest) - 2] = '\0';
	assert_int_equal(attest_boot_predict(&boot, ATTEST_SHA256, &prediction, &err), ATTEST_OK);
	free(uki.built.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcr_4_of_a_boot_option),
		cmocka_unit_test(pcr_4_of_qemus_kernel_option),
		cmocka_unit_test(pcr_4_without_the_kernel),
		cmocka_unit_test(pcr_11_in_the_stubs_order),
		cmocka_unit_test(pcr_11_of_the_first_profile),
		cmocka_unit_test(pcr_12_by_who_passes_a_line),
		cmocka_unit_test(refuses_menus_between),
		cmocka_unit_test(separator_of_the_system),
		cmocka_unit_test(phases_extend_by_words),
		cmocka_unit_test(refuses_what_is_not_decided_by_the_image),
		cmocka_unit_test(refuses_without_a_kernel_or_with_overlaps),
		cmocka_unit_test(refuses_lines_that_change_on_the_way),
	};
	return cmocka_run_group_tests(tests, make_kernel, free_kernel);
}
