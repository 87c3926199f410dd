/* SPDX-License-Identifier: Apache-2.0 */
/* What root of a machine can do to its list, while the TPM keeps what the kernel measured. */
#include "attest/ima.h"
#include "software_ima.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DATA_MAX 512

static struct software_ima list;
static uint8_t good[64]; /* the one digest on the allow-list */

enum want {
	WANT_REFUSED,  /* the list leads nowhere */
	WANT_UNLISTED, /* it does, and not all files are known */
	WANT_LISTED,   /* it does, and nothing bad was measured */
};

/* A file's data, as the kernel hashes them. */
static struct bytes
data_of(const char *prefix, struct bytes digest, struct bytes name, const struct bytes *third,
	uint8_t memory[DATA_MAX])
{
	uint8_t field[96];
	const struct bytes fields[] = {
		{field, software_ima_digest(prefix, digest, field, sizeof(field))},
		name,
		third != NULL ? *third : (struct bytes){0},
	};

	return (struct bytes){memory,
			      software_ima_fields(fields, third != NULL ? 3 : 2, memory, DATA_MAX)};
}

static struct bytes
bad_data(uint8_t memory[DATA_MAX])
{
	uint8_t hash[64];
	const struct bytes none = {NULL, 0};
	const struct bytes digest = {hash,
				     software_ima_hash("sha256", software_ima_text("bad"), hash)};

	return data_of("sha256", digest, (struct bytes){(const uint8_t *)"/bad", 5}, &none, memory);
}

static struct bytes
good_digest(void)
{
	return (struct bytes){good, 32};
}

/* ---- forgeries: each writes what the liar sends, and extends what the kernel measured ---- */

static void
relabelled(const char *label)
{
	uint8_t memory[DATA_MAX];
	struct bytes data = bad_data(memory);

	software_ima_write(&list, 10, NULL, label, data);
	software_ima_extend(&list, data, false);
}

static void
honest(const char *label)
{
	software_ima_file(&list, label, "good", NULL);
}

static void
violation_hides(const char *label)
{
	static const uint8_t zeros[20];
	uint8_t memory[DATA_MAX];
	struct bytes data = bad_data(memory);

	software_ima_write(&list, 10, zeros, label, data);
	software_ima_extend(&list, data, false);
}

static void
violation_shown_as_file(const char *label)
{
	uint8_t memory[DATA_MAX];
	struct bytes data = data_of("sha256", good_digest(),
				    (struct bytes){(const uint8_t *)"/g", 3}, NULL, memory);

	software_ima_write(&list, 10, NULL, label, data);
	software_ima_extend(&list, data, true);
}

static void
violation_shown(const char *label)
{
	software_ima_violation(&list, label);
}

static void
cut_before_the_bad(const char *label)
{
	uint8_t memory[DATA_MAX];

	(void)label;
	software_ima_extend(&list, bad_data(memory), false);
}

static void
appended(const char *label)
{
	uint8_t memory[DATA_MAX];

	software_ima_write(&list, 10, NULL, label, bad_data(memory));
}

static void
moved_to_another_pcr(const char *label)
{
	uint8_t memory[DATA_MAX];
	struct bytes data = bad_data(memory);

	software_ima_write(&list, 11, NULL, label, data);
	software_ima_extend(&list, data, false);
}

static void
noise_of_another_pcr(const char *label)
{
	uint8_t memory[DATA_MAX];

	software_ima_write(&list, 11, NULL, label, bad_data(memory));
	software_ima_file(&list, "/good", "good", NULL);
}

/* The file's content stands in the place of its signature too, so that it reads as a buffer. */
static void
poses_as_buffer(const char *content)
{
	uint8_t memory[DATA_MAX];
	uint8_t hash[64];
	struct bytes third = software_ima_text(content);
	struct bytes digest = {hash, software_ima_hash("sha256", third, hash)};
	const char *name = content[0] == '\3' || content[0] == '\6' ? ".ima" : "/tmp/x";

	software_ima_add(&list, 10, "ima-buf",
			 data_of("sha256", digest,
				 (struct bytes){(const uint8_t *)name, strlen(name) + 1}, &third,
				 memory));
}

static void
buffer_of_other_content(const char *content)
{
	uint8_t memory[DATA_MAX];
	uint8_t hash[64];
	struct bytes third = software_ima_text("something else");
	struct bytes digest = {hash, software_ima_hash("sha256", software_ima_text(content), hash)};

	software_ima_add(&list, 10, "ima-buf",
			 data_of("sha256", digest, (struct bytes){(const uint8_t *)".ima", 5},
				 &third, memory));
}

static void
buffer_by_sha1(const char *content)
{
	uint8_t memory[DATA_MAX];
	uint8_t hash[64];
	struct bytes third = software_ima_text(content);
	struct bytes digest = {hash, software_ima_hash("sha1", third, hash)};

	software_ima_add(&list, 10, "ima-buf",
			 data_of("sha1", digest, (struct bytes){(const uint8_t *)".ima", 5}, &third,
				 memory));
}

static void
buffer_shown(const char *content)
{
	software_ima_buffer(&list, ".ima", content);
}

/* The same digest under another algorithm's name, as measured. */
static void
other_algorithm(const char *algorithm)
{
	uint8_t memory[DATA_MAX];
	struct bytes digest = {good, strcmp(algorithm, "sha1") == 0 ? 20 : 32};

	software_ima_add(
		&list, 10, "ima-ng",
		data_of(algorithm, digest, (struct bytes){(const uint8_t *)"/g", 3}, NULL, memory));
}

/* Measured by SHA-1, told as SHA-256. */
static void
algorithm_changed(const char *label)
{
	uint8_t memory[DATA_MAX];
	const struct bytes name = {(const uint8_t *)"/g", 3};

	software_ima_write(&list, 10, NULL, label,
			   data_of("sha256", good_digest(), name, NULL, memory));
	software_ima_extend(&list, data_of("sha1", (struct bytes){good, 20}, name, NULL, memory),
			    false);
}

static void
with_name(const uint8_t *name, size_t size)
{
	uint8_t memory[DATA_MAX];

	software_ima_add(
		&list, 10, "ima-ng",
		data_of("sha256", good_digest(), (struct bytes){name, size}, NULL, memory));
}

static void
name_is_empty(const char *label)
{
	(void)label;
	with_name((const uint8_t *)"", 1);
}

static void
name_is_absent(const char *label)
{
	(void)label;
	with_name(NULL, 0);
}

static void
name_with_nul(const char *label)
{
	(void)label;
	with_name((const uint8_t *)"/a\0b", 5);
}

static void
name_without_nul(const char *label)
{
	(void)label;
	with_name((const uint8_t *)"/ab", 3);
}

static void
name_of_any_characters(const char *label)
{
	with_name((const uint8_t *)label, strlen(label) + 1);
}

static void
a_second_boot(const char *label)
{
	(void)label;
	software_ima_boot(&list);
}

static void
digest_of_33(const char *label)
{
	uint8_t memory[DATA_MAX];

	software_ima_add(&list, 10, label,
			 data_of("sha256", (struct bytes){good, 33},
				 (struct bytes){(const uint8_t *)"/g", 3}, NULL, memory));
}

static void
field_cut(const char *label)
{
	uint8_t memory[DATA_MAX];
	struct bytes data = data_of("sha256", good_digest(),
				    (struct bytes){(const uint8_t *)"/g", 3}, NULL, memory);

	data.size--;
	software_ima_add(&list, 10, label, data);
}

/* The third says that it is longer than it is. */
static void
third_cut(const char *label)
{
	uint8_t memory[DATA_MAX];
	struct bytes third = software_ima_text("0302");
	struct bytes data = data_of("sha256", good_digest(),
				    (struct bytes){(const uint8_t *)"/g", 3}, &third, memory);

	data.size--;
	software_ima_add(&list, 10, label, data);
}

static void
left_out(const char *label)
{
	uint8_t memory[DATA_MAX];

	software_ima_extend(&list, bad_data(memory), false);
	software_ima_file(&list, label, "good", NULL);
}

static void
padded(const char *label)
{
	(void)label;
	software_ima_file(&list, "/good", "good", NULL);
	memset(list.data + list.size, 0xff, 64);
	list.size += 64;
}

static void
padded_and_cut(const char *label)
{
	cut_before_the_bad(label);
	memset(list.data + list.size, 0, 64);
	list.size += 64;
}

/* A digest that is on the list, as what it is not of: the content. */
static void
digest_named(const char *prefix)
{
	uint8_t memory[DATA_MAX];

	software_ima_add(&list, 10, "ima-sigv2",
			 data_of(prefix, good_digest(), (struct bytes){(const uint8_t *)"/g", 3},
				 NULL, memory));
}

/* clang-format off: a table */
static const struct {
	const char *name;
	void (*forge)(const char *);
	const char *argument;
	enum want want;
} FORGERIES[] = {
	{"an honest list", honest, "/good", WANT_LISTED},
	{"relabelled ima-buf", relabelled, "ima-buf", WANT_UNLISTED},
	{"relabelled ima-ng", relabelled, "ima-ng", WANT_UNLISTED},
	{"relabelled ima-modsig", relabelled, "ima-modsig", WANT_UNLISTED},
	{"relabelled evm-sig", relabelled, "evm-sig", WANT_UNLISTED},
	{"relabelled as fields", relabelled, "d-ng|n-ng|buf", WANT_UNLISTED},
	{"relabelled as nothing known", relabelled, "boot_aggregate", WANT_UNLISTED},
	{"relabelled ima", relabelled, "ima", WANT_REFUSED},
	{"a violation that hides a file", violation_hides, "ima-sig", WANT_REFUSED},
	{"a violation told as a file", violation_shown_as_file, "ima-ng", WANT_REFUSED},
	{"a violation", violation_shown, "/good", WANT_UNLISTED},
	{"cut before the bad file", cut_before_the_bad, "", WANT_REFUSED},
	{"entries appended", appended, "ima-sig", WANT_LISTED},
	{"moved to another PCR", moved_to_another_pcr, "ima-sig", WANT_REFUSED},
	{"noise of another PCR", noise_of_another_pcr, "ima-sig", WANT_LISTED},
	{"a file as a buffer, type 3", poses_as_buffer, "\3evil", WANT_UNLISTED},
	{"a file as a buffer, type 6", poses_as_buffer, "\6evil", WANT_UNLISTED},
	{"a file as a buffer, by a path", poses_as_buffer, "0evil", WANT_UNLISTED},
	{"a buffer of other content", buffer_of_other_content, "x", WANT_UNLISTED},
	{"a buffer by SHA-1", buffer_by_sha1, "0key", WANT_UNLISTED},
	{"a buffer", buffer_shown, "0key", WANT_LISTED},
	{"SHA-1", other_algorithm, "sha1", WANT_UNLISTED},
	{"SM3", other_algorithm, "sm3", WANT_UNLISTED},
	{"an unknown algorithm", other_algorithm, "xyz", WANT_UNLISTED},
	{"a prefix with NUL", other_algorithm, "", WANT_UNLISTED},
	{"a digest of the content", digest_named, "ima:sha256", WANT_LISTED},
	{"a digest of fs-verity", digest_named, "verity:sha256", WANT_UNLISTED},
	{"SHA-1 told as SHA-256", algorithm_changed, "ima-ng", WANT_REFUSED},
	{"an empty name", name_is_empty, "", WANT_UNLISTED},
	{"no name", name_is_absent, "", WANT_UNLISTED},
	{"a name with a NUL", name_with_nul, "", WANT_UNLISTED},
	{"a name without a NUL", name_without_nul, "", WANT_UNLISTED},
	{"a name with a line's end", name_of_any_characters, "/a\n10 0", WANT_LISTED},
	{"a name with an escape", name_of_any_characters, "/\033[2J\x80", WANT_LISTED},
	{"a second boot_aggregate", a_second_boot, "", WANT_UNLISTED},
	{"a digest of 33 bytes", digest_of_33, "ima-ng", WANT_UNLISTED},
	{"a field that is cut", field_cut, "ima-ng", WANT_UNLISTED},
	{"a third field that is cut", third_cut, "ima-sig", WANT_UNLISTED},
	{"the bad file left out", left_out, "/good", WANT_REFUSED},
	{"padding after the end", padded, "", WANT_LISTED},
	{"padding for the bad file", padded_and_cut, "", WANT_REFUSED},
};
/* clang-format on */

static void
forgeries_get_what_they_deserve(void **state)
{
	const struct attest_ima_allowed allowed = {good_digest()};

	(void)state;
	software_ima_hash("sha256", software_ima_text("good"), good);
	for (size_t i = 0; i < sizeof(FORGERIES) / sizeof(FORGERIES[0]); i++) {
		struct attest_ima_report report = {0};
		struct attest_claims claims = {0};
		struct attest_error err = {0};

		list = (struct software_ima){0};
		software_ima_boot(&list);
		software_ima_file(&list, "/good", "good", NULL);
		FORGERIES[i].forge(FORGERIES[i].argument);
		const struct attest_ima_input input = {
			.list = software_ima_bytes(&list),
			.bank = ATTEST_SHA256,
			.quoted = {list.pcr10[ATTEST_SHA256], 32},
			.allowed = &allowed,
		};
		bool led = attest_ima_examine(&input, &report, &err) == ATTEST_OK;
		if (led != (FORGERIES[i].want != WANT_REFUSED))
			fail_msg("%s: %s", FORGERIES[i].name, led ? "leads" : err.message);
		if (!led)
			continue;
		attest_ima_claims(&report, &claims);
		if (attest_claims_answer(&claims, CLAIM_IMA_ALL_LISTED) !=
		    (FORGERIES[i].want == WANT_LISTED ? ATTEST_YES : ATTEST_NO))
			fail_msg("%s: listed %d", FORGERIES[i].name,
				 attest_claims_answer(&claims, CLAIM_IMA_ALL_LISTED));
		assert_int_equal(attest_claims_answer(&claims, CLAIM_IMA_ALL_SIGNED),
				 ATTEST_UNKNOWN);
	}
}

/* Each order but the kernel's, and each entry twice. */
static void
entries_do_not_change_places(void **state)
{
	struct software_ima forged;
	size_t at[4];
	struct attest_ima_report report;
	struct attest_error err;

	(void)state;
	list = (struct software_ima){0};
	for (size_t i = 0; i < 3; i++) {
		at[i] = list.size;
		software_ima_file(&list, (const char *[]){"/a", "/b", "/c"}[i], "x", NULL);
	}
	at[3] = list.size;
	for (size_t code = 0; code < 27; code++) {
		const size_t order[] = {code / 9, code / 3 % 3, code % 3};
		bool right = code == 0 * 9 + 1 * 3 + 2;

		forged.size = 0;
		for (size_t i = 0; i < 3; i++) {
			size_t size = at[order[i] + 1] - at[order[i]];
			memcpy(forged.data + forged.size, list.data + at[order[i]], size);
			forged.size += size;
		}
		const struct attest_ima_input input = {
			.list = software_ima_bytes(&forged),
			.bank = ATTEST_SHA256,
			.quoted = {list.pcr10[ATTEST_SHA256], 32},
		};
		assert_int_equal(attest_ima_examine(&input, &report, &err),
				 right ? ATTEST_OK : ATTEST_REFUSED);
	}
}

/* What people are told of an entry whose name lies. */
static void
names_that_lie_are_told(void **state)
{
	static const struct {
		const char *label;
		bool fits;
	} cases[] = {
		{"ima-sig", true},
		{"d-ng|n-ng|sig", true},
		{"ima-ng", false},
		{"ima-buf", false},
		{"ima-modsig", false},
		{"evm-sig", false},
		{"ima-from-tomorrow", false},
	};
	static struct attest_ima_list reading;
	struct attest_ima_judge *judge = NULL;
	struct attest_error err;

	(void)state;
	assert_int_equal(attest_ima_judge_new(NULL, NULL, 0, &judge, &err), ATTEST_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attest_ima_entry entry;
		struct attest_ima_verdict verdict;
		bool end = false;

		list = (struct software_ima){0};
		relabelled(cases[i].label);
		assert_int_equal(attest_ima_open(software_ima_bytes(&list), &reading, &err),
				 ATTEST_OK);
		assert_int_equal(attest_ima_next(&reading, &entry, &end, &err), ATTEST_OK);
		assert_int_equal(attest_ima_judge_entry(judge, &entry, &verdict, &err), ATTEST_OK);
		assert_int_equal(verdict.kind, ATTEST_IMA_FILE);
		assert_true(verdict.digest_matches && verdict.sound);
		if (verdict.name_fits != cases[i].fits)
			fail_msg("%s", cases[i].label);
		entry.digest[3] ^= 1;
		assert_int_equal(attest_ima_judge_entry(judge, &entry, &verdict, &err), ATTEST_OK);
		assert_false(verdict.digest_matches);
	}
	struct attest_ima_entry unreadable = {.readable = false};
	struct attest_ima_verdict verdict;
	assert_int_equal(attest_ima_judge_entry(judge, &unreadable, &verdict, &err), ATTEST_OK);
	assert_int_equal(verdict.kind, ATTEST_IMA_UNREADABLE);
	assert_false(verdict.digest_matches || verdict.name_fits || verdict.sound ||
		     verdict.listed);
	attest_ima_judge_free(judge);
}

static void
allow_lists_ascend(void **state)
{
	uint8_t digests[3 * 32] = {0};
	struct attest_ima_allowed allowed = {{digests, sizeof(digests)}};
	struct attest_ima_judge *judge = NULL;
	struct attest_error err = {0};

	(void)state;
	digests[32 + 31] = 1;
	digests[64 + 31] = 2;
	assert_int_equal(attest_ima_judge_new(&allowed, NULL, 0, &judge, &err), ATTEST_OK);
	attest_ima_judge_free(judge);
	digests[64 + 31] = 1; /* twice */
	assert_int_equal(attest_ima_judge_new(&allowed, NULL, 0, &judge, &err), ATTEST_MALFORMED);
	assert_string_equal(err.check, "ima.allowed");
	digests[64 + 31] = 0;
	assert_int_equal(attest_ima_judge_new(&allowed, NULL, 0, &judge, &err), ATTEST_MALFORMED);
	allowed.digests.size = 63;
	assert_int_equal(attest_ima_judge_new(&allowed, NULL, 0, &judge, &err), ATTEST_MALFORMED);
	allowed.digests.size = 0;
	assert_int_equal(attest_ima_judge_new(&allowed, NULL, 0, &judge, &err), ATTEST_OK);
	attest_ima_judge_free(judge);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forgeries_get_what_they_deserve),
		cmocka_unit_test(entries_do_not_change_places),
		cmocka_unit_test(names_that_lie_are_told),
		cmocka_unit_test(allow_lists_ascend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
