/* SPDX-License-Identifier: Apache-2.0 */
/* What digests prove of data, and what logs lead to in every bank. */
#include "attest/eventlog.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EV_NO_ACTION	   0x00000003U
#define EV_SEPARATOR	   0x00000004U
#define EV_EVENT_TAG	   0x00000006U
#define EV_S_CRTM_VERSION  0x00000008U
#define EV_IPL		   0x0000000dU
#define EV_VARIABLE	   0x80000001U
#define EV_VARIABLE_BOOT   0x80000002U
#define EV_APPLICATION	   0x80000003U
#define EV_EFI_ACTION	   0x80000007U
#define EV_EFI_HCRTM_EVENT 0x80000010U
#define EV_AUTHORITY	   0x800000e0U

#define LOG_BANKS 0x6U /* SHA-256 and SHA-384 */

static size_t
digest_of(enum attest_bank bank, const void *data, size_t size, uint8_t *ret)
{
	static const EVP_MD *(*const algorithms[])(void) = {EVP_sha1, EVP_sha256, EVP_sha384,
							    EVP_sha512};

	EVP_Digest(data, size, ret, NULL, algorithms[bank](), NULL);
	return attest_bank_size(bank);
}

/* A variable of one character's name and three bytes. */
#define VARIABLE                                                                                   \
	"guidguidguidguid"                                                                         \
	"\1\0\0\0\0\0\0\0"                                                                         \
	"\3\0\0\0\0\0\0\0"                                                                         \
	"B\0"                                                                                      \
	"val"

static void
digests_prove_what_they_are_of(void **state)
{
#define TEXT(literal) literal, sizeof(literal) - 1
	/* clang-format off: a table */
	static const struct {
		const char *name;
		uint32_t type;
		const char *data;
		size_t size;
		const char *hashed;
		size_t hashed_size;
		enum attest_proof want;
		size_t at; /* where in data the proved bytes begin */
		size_t proved;
	} cases[] = {
		{"a separator", EV_SEPARATOR, TEXT("\0\0\0\0"), TEXT("\0\0\0\0"), ATTEST_PROOF_DATA,
		 0, 4},
		{"no data", EV_IPL, TEXT(""), TEXT(""), ATTEST_PROOF_DATA, 0, 0},
		{"a separator of an error", EV_SEPARATOR, TEXT("\0\0\0\0"), TEXT("\1\0\0\0"),
		 ATTEST_PROOF_MISMATCH, 0, 0},
		{"an unknown type", 0x1234, TEXT("x"), TEXT("x"), ATTEST_PROOF_DATA, 0, 1},
		{"of something else", 0x1234, TEXT("x"), TEXT("y"), ATTEST_PROOF_DIGEST, 0, 0},
		{"an image", EV_APPLICATION, TEXT("path"), TEXT("image"), ATTEST_PROOF_DIGEST, 0,
		 0},
		{"tagged", EV_EVENT_TAG, TEXT("tag"), TEXT("initrd"), ATTEST_PROOF_DIGEST, 0, 0},
		{"an action", EV_EFI_ACTION, TEXT("Calling"), TEXT("Calling!"),
		 ATTEST_PROOF_MISMATCH, 0, 0},
		{"a version", EV_S_CRTM_VERSION, TEXT("1"), TEXT("2"), ATTEST_PROOF_MISMATCH, 0, 0},
		{"an authority", EV_AUTHORITY, TEXT("certificate"), TEXT("certificate"),
		 ATTEST_PROOF_DATA, 0, 11},
		{"a byte more", EV_AUTHORITY, TEXT("certificate"), TEXT("certificat"),
		 ATTEST_PROOF_DATA_BUT_LAST, 0, 10},
		{"two more", EV_AUTHORITY, TEXT("certificate"), TEXT("certifica"),
		 ATTEST_PROOF_MISMATCH, 0, 0},
		{"a byte of none", EV_AUTHORITY, TEXT(""), TEXT("x"), ATTEST_PROOF_MISMATCH, 0, 0},
		{"a byte more of a variable", EV_VARIABLE, TEXT(VARIABLE "x"), TEXT(VARIABLE),
		 ATTEST_PROOF_MISMATCH, 0, 0},
		{"a variable", EV_VARIABLE, TEXT(VARIABLE), TEXT(VARIABLE), ATTEST_PROOF_DATA, 0,
		 37},
		{"its value alone", EV_VARIABLE, TEXT(VARIABLE), TEXT("val"), ATTEST_PROOF_MISMATCH,
		 0, 0},
		{"a boot variable", EV_VARIABLE_BOOT, TEXT(VARIABLE), TEXT(VARIABLE),
		 ATTEST_PROOF_DATA, 0, 37},
		{"its value", EV_VARIABLE_BOOT, TEXT(VARIABLE), TEXT("val"), ATTEST_PROOF_VALUE, 34,
		 3},
		{"another's value", EV_VARIABLE_BOOT, TEXT(VARIABLE), TEXT("vax"),
		 ATTEST_PROOF_MISMATCH, 0, 0},
		{"no variable", EV_VARIABLE_BOOT, TEXT("short"), TEXT("val"), ATTEST_PROOF_MISMATCH,
		 0, 0},
		{"GRUB's command", EV_IPL, TEXT("grub_cmd: ls: x\0"), TEXT("ls: x"),
		 ATTEST_PROOF_TEXT, 10, 5},
		{"without NUL", EV_IPL, TEXT("grub_cmd: ls"), TEXT("ls"), ATTEST_PROOF_DIGEST, 0,
		 0},
		{"a later colon", EV_IPL, TEXT("grub_cmd: ls: x\0"), TEXT("x"), ATTEST_PROOF_DIGEST,
		 0, 0},
		{"Red Hat's", EV_IPL, TEXT("grub_cmd ls: x\0"), TEXT("ls: x\0"), ATTEST_PROOF_TEXT,
		 9, 5},
		{"Red Hat's command line", EV_IPL, TEXT("grub_kernel_cmdline /x\0"), TEXT("/x"),
		 ATTEST_PROOF_TEXT, 20, 2},
		{"a text of another type", EV_EVENT_TAG, TEXT("grub_cmd: ls\0"), TEXT("ls"),
		 ATTEST_PROOF_DIGEST, 0, 0},
		{"systemd-boot's, a byte short", EV_IPL, TEXT("q\0\0"), TEXT("q\0\0\0"),
		 ATTEST_PROOF_TEXT, 0, 3},
		{"a section's name", EV_IPL, TEXT(".\0l\0\0\0"), TEXT(".l\0"), ATTEST_PROOF_NAME, 0,
		 6},
		{"its contents", EV_IPL, TEXT(".\0l\0\0\0"), TEXT("kernel"), ATTEST_PROOF_DIGEST, 0,
		 0},
		{"a name without NUL", EV_IPL, TEXT(".\0l\0"), TEXT(".l"), ATTEST_PROOF_DIGEST, 0,
		 0},
		{"a name of two parts", EV_IPL, TEXT(".\0\0\0l\0\0\0"), TEXT(".\0l\0"),
		 ATTEST_PROOF_DIGEST, 0, 0},
		{"a name beyond ASCII", EV_IPL, TEXT("\xe9\0\0\0"), TEXT("\xe9\0"),
		 ATTEST_PROOF_DIGEST, 0, 0},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attest_event event = {
			.pcr = 8,
			.type = cases[i].type,
			.banks = LOG_BANKS,
			.extends = true,
			.data = {(const uint8_t *)cases[i].data, cases[i].size}};
		enum attest_proof proof;
		struct bytes proved;
		struct attest_error err;
		uint8_t digest[64];

		digest_of(ATTEST_SHA384, cases[i].hashed, cases[i].hashed_size, digest);
		event.digests[ATTEST_SHA384] = (struct bytes){digest, 48};
		/* The strongest bank decides, whatever others say. */
		event.digests[ATTEST_SHA256] = (struct bytes){digest, 32};
		event.digests[ATTEST_SHA1] = (struct bytes){digest, 20};
		assert_int_equal(attest_event_proof(&event, &proof, &proved, &err), ATTEST_OK);
		if (proof != cases[i].want || proved.size != cases[i].proved ||
		    (proved.size > 0 && proved.data != event.data.data + cases[i].at))
			fail_msg("%s: %d, %zu bytes", cases[i].name, proof, proved.size);
	}
}

static void
sha1_proves_where_there_is_nothing_else(void **state)
{
	static const struct {
		uint32_t banks; /* of the log */
		bool extends;
		bool sha1;
		enum attest_proof want;
	} cases[] = {
		{1, true, true, ATTEST_PROOF_DATA},
		{3, true, true, ATTEST_PROOF_NOTHING},
		{1, true, false, ATTEST_PROOF_NOTHING},
		{1, false, true, ATTEST_PROOF_NOTHING},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct attest_event event = {.type = EV_IPL,
					     .banks = cases[i].banks,
					     .extends = cases[i].extends,
					     .data = {(const uint8_t *)"x", 1}};
		enum attest_proof proof;
		struct bytes proved;
		struct attest_error err;
		uint8_t digest[20];

		digest_of(ATTEST_SHA1, "x", 1, digest);
		if (cases[i].sha1)
			event.digests[ATTEST_SHA1] = BYTES_OF(digest);
		assert_int_equal(attest_event_proof(&event, &proof, &proved, &err), ATTEST_OK);
		assert_int_equal(proof, cases[i].want);
		assert_int_equal(proved.size, proof == ATTEST_PROOF_DATA ? 1 : 0);
	}
}

/* ---- values ---- */

static void
write_le(struct writer *w, uint32_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		write_u8(w, (uint8_t)(value >> 8 * i));
}

static const uint16_t ALGORITHMS[] = {4, 0xb, 0xc, 0xd};

static void
write_header(struct writer *w)
{
	write_le(w, 0, 4);
	write_le(w, EV_NO_ACTION, 4);
	for (unsigned i = 0; i < 20; i++)
		write_u8(w, 0);
	write_le(w, 28 + 4 * ATTEST_BANKS + 1, 4);
	write_bytes(w, (struct bytes){(const uint8_t *)"Spec ID Event03", 16});
	write_be64(w, 2); /* and platformClass before it */
	write_le(w, ATTEST_BANKS, 4);
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		write_le(w, ALGORITHMS[bank], 2);
		write_le(w, (uint32_t)attest_bank_size((enum attest_bank)bank), 2);
	}
	write_u8(w, 0);
}

/* With the digests of `banks`, a bit each, of its data. */
static void
write_event(struct writer *w, uint32_t pcr, uint32_t type, uint32_t banks, const char *data,
	    size_t size)
{
	uint32_t count = 0;

	write_le(w, pcr, 4);
	write_le(w, type, 4);
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		count += banks >> bank & 1;
	write_le(w, count, 4);
	/* In another order than the header's. */
	for (unsigned bank = ATTEST_BANKS; bank-- > 0;) {
		uint8_t digest[64];

		if ((banks >> bank & 1) == 0)
			continue;
		write_le(w, ALGORITHMS[bank], 2);
		size_t digest_size = digest_of((enum attest_bank)bank, data, size, digest);
		write_bytes(w, (struct bytes){digest, digest_size});
	}
	write_le(w, (uint32_t)size, 4);
	write_bytes(w, (struct bytes){(const uint8_t *)data, size});
}

/* `pcr` extended by H(data), as the specification says it. */
static void
extend(enum attest_bank bank, uint8_t *pcr, const char *data, size_t size)
{
	uint8_t both[128];
	size_t digest_size = attest_bank_size(bank);

	memcpy(both, pcr, digest_size);
	digest_of(bank, data, size, both + digest_size);
	digest_of(bank, both, 2 * digest_size, pcr);
}

static void
every_bank_is_replayed(void **state)
{
	static struct attest_pcrs pcrs[ATTEST_BANKS];
	uint8_t memory[2048];
	struct writer w = writer_of(memory, sizeof(memory));
	struct attest_error err;
	uint32_t banks = 0;

	(void)state;
	write_header(&w);
	write_event(&w, 3, EV_IPL, 0xf, TEXT("one"));
	write_event(&w, 17, EV_IPL, 0xf, TEXT("two"));
	write_event(&w, 3, EV_NO_ACTION, 0xf, TEXT("note"));
	write_event(&w, 23, EV_IPL, 1U << ATTEST_SHA512, TEXT("three"));
	assert_false(w.failed);
	assert_int_equal(attest_eventlog_replay(writer_bytes(&w), pcrs, &banks, &err), ATTEST_OK);
	assert_int_equal(banks, 0xf);
	for (unsigned i = 0; i < ATTEST_BANKS; i++) {
		enum attest_bank bank = (enum attest_bank)i;

		assert_int_equal(pcrs[bank].bank, bank);
		assert_int_equal(pcrs[bank].known, 0xffffff);
		for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++) {
			uint8_t want[ATTEST_DIGEST_MAX] = {0};

			if (pcr >= 17 && pcr <= 22)
				memset(want, 0xff, attest_bank_size(bank));
			if (pcr == 3)
				extend(bank, want, TEXT("one"));
			if (pcr == 17)
				extend(bank, want, TEXT("two"));
			if (pcr == 23 && bank == ATTEST_SHA512)
				extend(bank, want, TEXT("three"));
			assert_memory_equal(pcrs[bank].values[pcr], want, ATTEST_DIGEST_MAX);
		}
	}
}

#define LOCALITY(n) EV_NO_ACTION, "StartupLocality\0" n, 17

static void
pcr_0_starts_where_the_log_says(void **state)
{
	/* clang-format off: a table */
	static const struct {
		const char *name;
		uint32_t pcr;
		uint32_t type;
		const char *data;
		size_t size;
		bool late; /* after an event that extends */
		uint8_t start;
		bool counts; /* it extends PCR 0 itself */
	} cases[] = {
		{"locality 0", 0, LOCALITY("\0"), false, 0, false},
		{"locality 3", 0, LOCALITY("\3"), false, 3, false},
		{"locality 4", 0, LOCALITY("\4"), false, 4, false},
		{"locality 1, which none starts at", 0, LOCALITY("\1"), false, 0, false},
		{"too late", 0, LOCALITY("\3"), true, 0, false},
		{"of another PCR", 1, LOCALITY("\3"), false, 0, false},
		{"a byte more", 0, EV_NO_ACTION, "StartupLocality\0\3\0", 18, false, 0, false},
		{"a byte less", 0, EV_NO_ACTION, "StartupLocality\0", 16, false, 0, false},
		{"another note", 0, EV_NO_ACTION, "StartupLocalitx\0\3", 17, false, 0, false},
		{"not a note", 0, EV_IPL, "StartupLocality\0\3", 17, false, 0, true},
		{"H-CRTM", 0, EV_EFI_HCRTM_EVENT, "HCRTM", 5, false, 4, true},
		{"H-CRTM too late", 0, EV_EFI_HCRTM_EVENT, "HCRTM", 5, true, 0, true},
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct attest_pcrs pcrs[ATTEST_BANKS];
		uint8_t memory[2048];
		struct writer w = writer_of(memory, sizeof(memory));
		struct attest_error err;
		uint32_t banks;

		write_header(&w);
		if (cases[i].late)
			write_event(&w, 0, EV_IPL, 0xf, TEXT("first"));
		write_event(&w, cases[i].pcr, cases[i].type, 0xf, cases[i].data, cases[i].size);
		write_event(&w, 0, EV_IPL, 0xf, TEXT("last"));
		assert_int_equal(attest_eventlog_replay(writer_bytes(&w), pcrs, &banks, &err),
				 ATTEST_OK);
		for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
			uint8_t want[ATTEST_DIGEST_MAX] = {0};

			want[attest_bank_size((enum attest_bank)bank) - 1] = cases[i].start;
			if (cases[i].late)
				extend((enum attest_bank)bank, want, TEXT("first"));
			if (cases[i].counts)
				extend((enum attest_bank)bank, want, cases[i].data, cases[i].size);
			extend((enum attest_bank)bank, want, TEXT("last"));
			if (memcmp(pcrs[bank].values[0], want, sizeof(want)) != 0)
				fail_msg("%s: %s", cases[i].name,
					 attest_bank_name((enum attest_bank)bank));
		}
	}
}

static void
nothing_is_written_of_a_log_that_ends_early(void **state)
{
	static struct attest_pcrs pcrs[ATTEST_BANKS];
	static struct attest_pcrs before[ATTEST_BANKS];
	uint8_t memory[2048];
	struct writer w = writer_of(memory, sizeof(memory));
	struct attest_error err;
	uint32_t banks = 77;
	unsigned good = 0;

	(void)state;
	memset(pcrs, 0x55, sizeof(pcrs));
	memset(before, 0x55, sizeof(before));
	write_header(&w);
	size_t header = w.size;
	write_event(&w, 3, EV_IPL, 0xf, TEXT("one"));
	for (size_t size = 0; size < w.size; size++) {
		uint8_t *copy = malloc(size == 0 ? 1 : size);

		assert_non_null(copy);
		memcpy(copy, memory, size);
		if (size != header) {
			assert_int_equal(attest_eventlog_replay((struct bytes){copy, size}, pcrs,
								&banks, &err),
					 ATTEST_MALFORMED);
			assert_int_equal(banks, 77);
			assert_memory_equal(pcrs, before, sizeof(pcrs));
		} else {
			good++;
		}
		free(copy);
	}
	assert_int_equal(good, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_prove_what_they_are_of),
		cmocka_unit_test(sha1_proves_where_there_is_nothing_else),
		cmocka_unit_test(every_bank_is_replayed),
		cmocka_unit_test(pcr_0_starts_where_the_log_says),
		cmocka_unit_test(nothing_is_written_of_a_log_that_ends_early),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
