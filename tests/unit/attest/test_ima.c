/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of both forms, read entry by entry, and examined against PCR 10. */
#include "attest/ima.h"
#include "software_ima.h"
#include "spoil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct software_ima list; /* too large for the stack of a test */
static struct attest_ima_list reading;

static void
begin(void)
{
	list = (struct software_ima){0};
}

static struct bytes
pcr10(enum attest_bank bank)
{
	return (struct bytes){list.pcr10[bank], attest_bank_size(bank)};
}

static struct attest_ima_input
input_of(enum attest_bank bank)
{
	return (struct attest_ima_input){
		.list = software_ima_bytes(&list), .bank = bank, .quoted = pcr10(bank)};
}

static enum attest_status
examine(const struct attest_ima_input *input, struct attest_ima_report *report, const char *check)
{
	struct attest_error err = {0};
	enum attest_status status = attest_ima_examine(input, report, &err);

	if (strcmp(err.check, check) != 0)
		fail_msg("%s instead of %s: %s", err.check, check, err.message);
	return status;
}

static void
some_entries(void)
{
	begin();
	software_ima_boot(&list);
	software_ima_file(&list, "/usr/bin/true", "true", NULL);
	software_ima_buffer(&list, ".ima", "0a key");
	software_ima_violation(&list, "/var/log/x");
	software_ima_file(&list, "/usr/bin/false", "false", NULL);
}

/* ---- reading ---- */

static bool
reads_whole(struct bytes input, void *user)
{
	struct attest_ima_entry entry;
	struct attest_error err;
	bool end = false;

	if (input.size == 0 || attest_ima_open(input, &reading, &err) != ATTEST_OK)
		return false;
	while (!end)
		if (attest_ima_next(&reading, &entry, &end, &err) != ATTEST_OK)
			return false;
	return user == NULL || reading.count == *(const uint64_t *)user;
}

static void
one_entry_has_one_size(void **state)
{
	uint64_t count = 1;

	(void)state;
	begin();
	software_ima_file(&list, "/usr/bin/true", "true", NULL);
	assert_true(accepts_copy(software_ima_bytes(&list), reads_whole, &count));
	refuses_other_sizes(software_ima_bytes(&list), reads_whole, &count);
}

static const char LINE[] =
	"10 7936eb315fb4e74b99e7d461bc5c96049e1ee092 ima-ng "
	"sha1:bc026ae66d81713e4e852465e980784dc96651f8 /usr/lib/systemd/systemd\n";
#define D20   "7936eb315fb4e74b99e7d461bc5c96049e1ee092"
#define D32   D20 "5bc5c96049e1ee0920000000"
#define S256  "sha256:" D32
#define PLAIN "10 " D20 " "

static void
lines_are_read_or_refused(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *name;
		const char *text;
		bool want;
	} cases[] = {
		{"ima-ng", LINE, true},
		{"no line's end", PLAIN "ima-ng " S256 " /a", true},
		{"PCR 9", " 9 " D20 " ima-ng " S256 " /a\n", true},
		{"template digest of SHA-256", "10 " D32 " ima-ng " S256 " /a\n", true},
		{"a name with spaces", PLAIN "ima-ng " S256 " /a b c\n", true},
		{"ima-sig, no signature", PLAIN "ima-sig " S256 " /a \n", true},
		{"ima-sig, cut after the name", PLAIN "ima-sig " S256 " /a\n", true},
		{"ima-sig, a name with spaces", PLAIN "ima-sig " S256 " /a b 0302\n", true},
		{"ima-ngv2", PLAIN "ima-ngv2 ima:" S256 " /a\n", true},
		{"ima-sigv2, fs-verity", PLAIN "ima-sigv2 verity:" S256 " /a 06\n", true},
		{"ima-buf", PLAIN "ima-buf " S256 " .ima 3082\n", true},
		{"ima-modsig", PLAIN "ima-modsig " S256 " /a 0302 " S256 " 3082\n", true},
		{"ima-modsig without", PLAIN "ima-modsig " S256 " /a   \n", true},
		{"fields spelled out", PLAIN "d-ng|n-ng|iuid|imode " S256 " /a 1000 33188\n", true},
		{"an algorithm that nobody knows", PLAIN "ima-ng blake:00ff /a\n", true},
		{"no template of the kernel's", PLAIN "not-ima " S256 " /a\n", false},
		{"fields that nobody knows", PLAIN "d-ng|n-ng|x " S256 " /a 00\n", false},
		{"an empty field's name", PLAIN "d-ng||n-ng " S256 " /a\n", false},
		{"PCR 24", "24 " D20 " ima-ng " S256 " /a\n", false},
		{"PCR 010", "010 " D20 " ima-ng " S256 " /a\n", false},
		{"PCR 1a", "1a " D20 " ima-ng " S256 " /a\n", false},
		{"a template digest cut", "10 7936 ima-ng " S256 " /a\n", false},
		{"a template digest, odd", "10 " D20 "0 ima-ng " S256 " /a\n", false},
		{"a template digest, no hex",
		 "10 I936eb315fb4e74b99e7d461bc5c96049e1ee092 ima-ng " S256 " /a\n", false},
		{"a template digest too long", "10 " D32 D32 "00 ima-ng " S256 " /a\n", false},
		{"a file digest, no hex",
		 PLAIN "ima-ng sha1:Ic026ae66d81713e4e852465e980784dc96651f8 /a\n", false},
		{"a file digest of SHA-1's size", PLAIN "ima-ng sha256:" D20 " /a\n", false},
		{"a file digest without algorithm", PLAIN "ima-ng " D32 " /a\n", false},
		{"a signature, no hex", PLAIN "ima-sig " S256 " /a 0g\n", false},
		{"a signature, odd", PLAIN "ima-sig " S256 " /a 030\n", false},
		{"a number too large", PLAIN "d-ng|n-ng|imode " S256 " /a 65536\n", false},
		{"a number, none", PLAIN "d-ng|n-ng|imode " S256 " /a x\n", false},
		{"ima with a digest of SHA-256", PLAIN "ima " D32 " /a\n", false},
		{"a name with a line's end", PLAIN "ima-ng " S256 " /a\nb\n", false},
		{"empty lines at the end", PLAIN "ima-ng " S256 " /a\n\n\n", true},
		{"an empty line between",
		 PLAIN "ima-ng " S256 " /a\n\n" PLAIN "ima-ng " S256 " /a\n", false},
		{"a space at the end", PLAIN "ima-ng " S256 " /a\n\n ", false},
		{"words", "this is text not an ima entry\n", false},
		{"a digit and words", "10 words\n", false},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (accepts_copy(software_ima_text(cases[i].text), reads_whole, NULL) !=
		    cases[i].want)
			fail_msg("%s", cases[i].name);
}

/* Both forms of an entry are the same data, whose SHA-1 the line itself states. */
static void
text_gives_the_data_that_were_hashed(void **state)
{
	struct attest_ima_entry entry;
	struct attest_error err;
	uint8_t digest[64];
	bool end = false;

	(void)state;
	assert_int_equal(attest_ima_open(software_ima_text(LINE), &reading, &err), ATTEST_OK);
	assert_true(reading.ascii);
	assert_int_equal(attest_ima_next(&reading, &entry, &end, &err), ATTEST_OK);
	software_ima_hash("sha1", entry.data, digest);
	assert_memory_equal(digest, entry.digest, 20);
	assert_true(entry.readable && entry.algorithm_known && !entry.violation);
	assert_true(bytes_equal(entry.algorithm, software_ima_text("sha1")));
	assert_true(bytes_equal(entry.name, software_ima_text("/usr/lib/systemd/systemd")));
	assert_int_equal(entry.file_digest.size, 20);
	assert_int_equal(entry.fields, 2);
}

static void
digest_sizes_are_found(void **state)
{
	static const size_t sizes[] = {20, 32, 48, 64};
	static const uint8_t data[] = {1, 2, 3};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t memory[128] = {0};
		struct writer w = writer_of(memory, sizeof(memory));
		struct attest_error err;

		write_u8(&w, 10);
		w.size += 3 + sizes[i]; /* PCR and a violation's digest */
		write_u8(&w, 6);
		w.size += 3;
		write_bytes(&w, software_ima_text("ima-ng"));
		write_u8(&w, sizeof(data));
		w.size += 3;
		write_bytes(&w, BYTES_OF(data));
		assert_false(w.failed);
		assert_int_equal(attest_ima_open(writer_bytes(&w), &reading, &err), ATTEST_OK);
		assert_int_equal(reading.digest_size, sizes[i]);
		assert_true(accepts_copy(writer_bytes(&w), reads_whole, NULL));
	}
}

/* ima_fs.c, the old template: no size of its data, and a name without NUL. */
static void
the_old_template_is_padded(void **state)
{
	static const uint8_t head[] = {10, 0, 0, 0};
	static const uint8_t name_size[] = {3, 0, 0, 0};
	uint8_t memory[128];
	struct writer w = writer_of(memory, sizeof(memory));
	uint8_t padded[276] = {0};
	uint8_t digest[64];
	struct attest_ima_entry entry;
	struct attest_error err;
	bool end = false;

	(void)state;
	memset(padded, 0xab, 20);
	memcpy(padded + 20, "ima", 3);
	software_ima_hash("sha1", BYTES_OF(padded), digest);
	write_bytes(&w, BYTES_OF(head));
	write_bytes(&w, (struct bytes){digest, 20});
	write_bytes(&w, BYTES_OF(name_size));
	write_bytes(&w, software_ima_text("ima"));
	write_bytes(&w, (struct bytes){padded, 20});
	write_bytes(&w, BYTES_OF(name_size));
	write_bytes(&w, software_ima_text("ima"));
	assert_int_equal(attest_ima_open(writer_bytes(&w), &reading, &err), ATTEST_OK);
	assert_int_equal(attest_ima_next(&reading, &entry, &end, &err), ATTEST_OK);
	assert_true(bytes_equal(entry.data, BYTES_OF(padded)));
	assert_true(entry.readable && bytes_equal(entry.name, software_ima_text("ima")));
	refuses_other_sizes(writer_bytes(&w), reads_whole, NULL);
}

static void
only_real_pcrs_are_extended(void **state)
{
	static const uint32_t pcrs[] = {0, 10, 23, 24, 0x0a000000, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < sizeof(pcrs) / sizeof(pcrs[0]); i++) {
		begin();
		software_ima_add(&list, 10, "ima-ng", software_ima_text("any"));
		software_ima_write(&list, pcrs[i], NULL, "ima-ng", software_ima_text("any"));
		assert_int_equal(accepts_copy(software_ima_bytes(&list), reads_whole, NULL), i < 3);
	}
}

static void
lists_of_other_kinds_are_refused(void **state)
{
	static const uint8_t big_endian[] = {0, 0, 0, 10, 1,  2,  3,  4, 5,
					     6, 7, 8, 9,  10, 11, 12, 13};
	static uint8_t huge[ATTEST_IMA_MAX + 1];
	struct attest_error err;

	(void)state;
	assert_int_equal(attest_ima_open(BYTES_OF(big_endian), &reading, &err), ATTEST_MALFORMED);
	assert_string_equal(err.check, "ima.form");
	assert_int_equal(attest_ima_open(BYTES_OF(huge), &reading, &err), ATTEST_LIMIT);
}

/* ---- examining ---- */

static void
a_list_leads_to_each_bank(void **state)
{
	struct attest_ima_report report;
	struct attest_pcrs pcrs[ATTEST_BANKS];
	struct attest_error err;

	(void)state;
	some_entries();
	assert_int_equal(attest_ima_replay(software_ima_bytes(&list), pcrs, &err), ATTEST_OK);
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		struct attest_ima_input input = input_of((enum attest_bank)bank);

		assert_int_equal(examine(&input, &report, ""), ATTEST_OK);
		assert_int_equal(report.point.entries, 5);
		assert_int_equal(report.point.violations, 1);
		assert_int_equal(report.point.offset, list.size);
		assert_int_equal(report.dropped, 0);
		assert_int_equal(pcrs[bank].known, 1U << 10);
		assert_memory_equal(pcrs[bank].values[10], list.pcr10[bank], input.quoted.size);
	}
}

static bool
examines(struct bytes copy, void *user)
{
	struct attest_ima_input input = *(const struct attest_ima_input *)user;
	struct attest_ima_report report;
	struct attest_error err;

	input.list = copy;
	return attest_ima_examine(&input, &report, &err) == ATTEST_OK;
}

/* All that is hashed counts. Template digests and names are not hashed: see the forgeries. */
static void
every_bit_that_is_hashed_counts(void **state)
{
	struct attest_ima_input input;
	size_t head = 4 + 20 + 4 + 6;

	(void)state;
	begin();
	software_ima_file(&list, "/usr/bin/true", "true", NULL);
	input = input_of(ATTEST_SHA256);
	assert_true(accepts_copy(input.list, examines, &input));
	refuses_flips(input.list, head, list.size, examines, &input);
	for (size_t size = 0; size < list.size; size++)
		assert_false(accepts_copy((struct bytes){list.data, size}, examines, &input));
}

static void
no_entry_is_proved_by_a_pcr_of_zeros(void **state)
{
	struct attest_ima_report report;
	struct attest_claims claims = {0};
	struct attest_claim claim;
	struct attest_ima_input input;
	const struct attest_ima_allowed allowed = {{NULL, 0}};

	(void)state;
	begin();
	input = input_of(ATTEST_SHA256);
	input.allowed = &allowed;
	input.list = (struct bytes){NULL, 0};
	assert_int_equal(examine(&input, &report, ""), ATTEST_OK);
	attest_ima_claims(&report, &claims);
	assert_true(attest_claims_find(&claims, CLAIM_IMA_ENTRIES, &claim));
	assert_int_equal(attest_claim_value_number(attest_claim_next_value(&claim)), 0);
	assert_int_equal(attest_claims_answer(&claims, CLAIM_IMA_ALL_LISTED), ATTEST_UNKNOWN);

	/* A TPM that the kernel did not use: its list is nobody's word. */
	software_ima_write(&list, 10, NULL, "ima-ng", software_ima_text("x"));
	input.list = software_ima_bytes(&list);
	assert_int_equal(examine(&input, &report, "ima.pcr"), ATTEST_REFUSED);
}

static void
an_extended_pcr_needs_its_list(void **state)
{
	struct attest_ima_report report;
	struct attest_ima_input input;

	(void)state;
	some_entries();
	input = input_of(ATTEST_SHA256);
	input.list = (struct bytes){NULL, 0};
	assert_int_equal(examine(&input, &report, "ima.pcr"), ATTEST_REFUSED);
	input = input_of(ATTEST_SHA256);
	input.quoted.size = 20;
	assert_int_equal(examine(&input, &report, "ima.quoted"), ATTEST_MALFORMED);
}

/* ---- going on ---- */

static void
it_goes_on_from_a_point(void **state)
{
	struct attest_ima_report first;
	struct attest_ima_report report;
	struct attest_ima_input input;
	size_t offset;

	(void)state;
	some_entries();
	input = input_of(ATTEST_SHA256);
	input.reset_count = 7;
	assert_int_equal(examine(&input, &first, ""), ATTEST_OK);
	offset = list.size;
	/* A file of that name is none of the kernel's words where the list does not begin. */
	software_ima_boot(&list);
	software_ima_file(&list, "/bin/sh", "sh", NULL);
	for (unsigned whole = 0; whole < 2; whole++) {
		input = input_of(ATTEST_SHA256);
		input.from = &first.point;
		input.reset_count = 7;
		if (!whole)
			input.list = (struct bytes){list.data + offset, list.size - offset};
		assert_int_equal(examine(&input, &report, ""), ATTEST_OK);
		assert_int_equal(report.point.entries, 7);
		assert_int_equal(report.point.violations, 1);
		assert_int_equal(report.point.offset, list.size);
		assert_int_equal(report.boot_aggregate, ATTEST_UNKNOWN);
	}
	/* Nothing was measured since. */
	memcpy(list.pcr10[ATTEST_SHA256], first.point.pcr, 32);
	assert_int_equal(examine(&input, &report, ""), ATTEST_OK);
	assert_int_equal(report.point.entries, 5);
	assert_int_equal(report.point.offset, offset);
}

/* What is known of files is known of all of them, before the point and after it. */
static void
what_was_known_goes_on(void **state)
{
	static const struct {
		const char *before, *after;
		bool want;
	} cases[] = {
		{"/good", "/good", true},
		{"/good", "/bad", false},
		{"/bad", "/good", false},
		{"/good", "boot_aggregate",
		 false}, /* the kernel's word where a list begins alone */
	};
	uint8_t good[64];
	const struct attest_ima_allowed allowed = {
		{good, software_ima_hash("sha256", software_ima_text("good"), good)}};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *before = cases[i / 2].before;
		const char *after = cases[i / 2].after;
		struct attest_ima_report first;
		struct attest_ima_report second;

		begin();
		software_ima_boot(&list);
		software_ima_file(&list, before, before[1] == 'g' ? "good" : "bad", NULL);
		size_t offset = list.size;
		struct attest_ima_input input = input_of(ATTEST_SHA256);
		input.allowed = &allowed;
		assert_int_equal(examine(&input, &first, ""), ATTEST_OK);
		software_ima_file(&list, after, after[1] == 'g' ? "good" : "bad", NULL);
		input.from = &first.point;
		input.list = software_ima_bytes(&list);
		if (i % 2 == 1)
			input.list = (struct bytes){list.data + offset, list.size - offset};
		assert_int_equal(examine(&input, &second, ""), ATTEST_OK);
		assert_true(second.listed_known);
		assert_int_equal(second.point.all_listed, cases[i / 2].want);
		assert_false(second.point.all_signed);
		input.allowed = NULL;
		assert_int_equal(examine(&input, &second, ""), ATTEST_OK);
		assert_false(second.listed_known || second.point.all_listed);
	}
}

static void
it_does_not_go_on_from_elsewhere(void **state)
{
	static const struct {
		const char *name;
		uint32_t reset_count, restart_count;
		enum attest_bank bank;
		int offset;
		uint8_t pcr_change;
		const char *check;
	} cases[] = {
		{"another boot", 8, 0, ATTEST_SHA256, 0, 0, "ima.point"},
		{"a resume since", 7, 1, ATTEST_SHA256, 0, 0, "ima.point"},
		{"another bank", 7, 0, ATTEST_SHA384, 0, 0, "ima.point"},
		{"a lower offset", 7, 0, ATTEST_SHA256, -1, 0, "ima.form"},
		{"the offset of another entry", 7, 0, ATTEST_SHA256, -1000, 0, "ima.pcr"},
		{"another value", 7, 0, ATTEST_SHA256, 0, 1, "ima.pcr"},
	};
	struct attest_ima_report first;

	(void)state;
	some_entries();
	struct attest_ima_input input = input_of(ATTEST_SHA256);
	input.reset_count = 7;
	assert_int_equal(examine(&input, &first, ""), ATTEST_OK);
	size_t middle = list.size;
	software_ima_file(&list, "/bin/sh", "sh", NULL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attest_ima_point point = first.point;
		struct attest_ima_report report;
		struct attest_error err = {0};

		point.bank = cases[i].bank;
		point.offset =
			cases[i].offset == -1000 ? 0 : point.offset + (uint64_t)cases[i].offset;
		point.pcr[0] ^= cases[i].pcr_change;
		input = input_of(ATTEST_SHA256);
		input.from = &point;
		input.reset_count = cases[i].reset_count;
		input.restart_count = cases[i].restart_count;
		if (cases[i].offset == -1) /* the tail that this offset is said to have */
			input.list = (struct bytes){list.data + middle - 1, list.size - middle + 1};
		if (attest_ima_examine(&input, &report, &err) == ATTEST_OK ||
		    strcmp(err.check, cases[i].check) != 0)
			fail_msg("%s: %s %s", cases[i].name, err.check, err.message);
	}
}

/* ---- boot_aggregate ---- */

static void
the_aggregate_follows_from_pcrs(void **state)
{
	static const unsigned counts[] = {10, 8, 9};
	struct attest_pcrs boot = {.bank = ATTEST_SHA256, .known = 0xffff};
	uint8_t values[10 * 32];

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		memset(boot.values[i], (int)i + 1, 32);
		memset(values + (size_t)32 * i, (int)i + 1, 32);
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint8_t hash[64], digest[80], data[256];
		struct attest_ima_report report;

		software_ima_hash("sha256", (struct bytes){values, (size_t)32 * counts[i]}, hash);
		const struct bytes fields[] = {
			{digest, software_ima_digest("sha256", (struct bytes){hash, 32}, digest,
						     sizeof(digest))},
			{(const uint8_t *)"boot_aggregate", 15},
		};
		begin();
		size_t size = software_ima_fields(fields, 2, data, sizeof(data));
		software_ima_add(&list, 10, "ima-ng", (struct bytes){data, size});
		struct attest_ima_input input = input_of(ATTEST_SHA256);
		assert_int_equal(examine(&input, &report, ""), ATTEST_OK);
		assert_int_equal(report.boot_aggregate, ATTEST_UNKNOWN);
		input.boot = &boot;
		assert_int_equal(examine(&input, &report, ""), ATTEST_OK);
		assert_int_equal(report.boot_aggregate, i < 2 ? ATTEST_YES : ATTEST_NO);
		boot.bank = ATTEST_SHA384;
		assert_int_equal(examine(&input, &report, ""), ATTEST_OK);
		assert_int_equal(report.boot_aggregate, ATTEST_UNKNOWN);
		boot.bank = ATTEST_SHA256;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_entry_has_one_size),
		cmocka_unit_test(lines_are_read_or_refused),
		cmocka_unit_test(text_gives_the_data_that_were_hashed),
		cmocka_unit_test(digest_sizes_are_found),
		cmocka_unit_test(the_old_template_is_padded),
		cmocka_unit_test(only_real_pcrs_are_extended),
		cmocka_unit_test(lists_of_other_kinds_are_refused),
		cmocka_unit_test(a_list_leads_to_each_bank),
		cmocka_unit_test(every_bit_that_is_hashed_counts),
		cmocka_unit_test(no_entry_is_proved_by_a_pcr_of_zeros),
		cmocka_unit_test(an_extended_pcr_needs_its_list),
		cmocka_unit_test(it_goes_on_from_a_point),
		cmocka_unit_test(what_was_known_goes_on),
		cmocka_unit_test(it_does_not_go_on_from_elsewhere),
		cmocka_unit_test(the_aggregate_follows_from_pcrs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
