/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every edit of a kind, and every extension of a kind, of real logs: against all claims, those of
 * PCR 7 too.
 */
#include "corpora.h"
#include "forge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EV_NO_ACTION 3U
#define EV_SEPARATOR 4U
#define EV_TAG	     6U
#define EV_VERSION   8U
#define EV_IPL	     13U
#define EV_IMAGE     0x80000003U
#define EV_ACTION    0x80000007U

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NONE	     ((struct bytes){NULL, 0})
#define CALLING	     "Calling EFI Application from Boot Option"
#define UTF16(text)  ((struct bytes){(const uint8_t *)(u"" text), sizeof(u"" text)})

static const uint8_t ZEROS[4];
/* Windows' test signing off. */
static const uint8_t SETTING[] = {0x03, 0x00, 0x05, 0x00, 1, 0, 0, 0, 0};

static struct forge honest;
static struct forge forged;
static struct attest_report before;
static struct attest_report after;

static const char *const REAL[] = {
	"eventlogs/go-tpm-tools/arch-linux-workstation.bin",
	"eventlogs/go-tpm-tools/cos-101-amd-sev.bin",
	"eventlogs/go-tpm-tools/ubuntu-2104-no-dbx.bin",
	"eventlogs/tpm2-tools/event-sd-boot-fedora37.bin",
	"eventlogs/tpm2-tools/event-moklisttrusted.bin",
	"eventlogs/go-attestation/windows_gcp_shielded_vm.bin",
	"eventlogs/ibmtss/p511.log",
	"eventlogs/ibmtss/sm4.log",
	"eventlogs/HIRS/TpmLog.bin",
};

static void
swap(struct forge *forge, size_t a, size_t b)
{
	struct forge_event event = forge->events[a];

	forge->events[a] = forge->events[b];
	forge->events[b] = event;
}

/* No claim may have become false, and none may be new but of a PCR that nobody else extended, or of
 * images where firmware measured none. `own`: root alone extended the PCR. */
static void
expect_no_lie(const char *log, const char *what, size_t event, bool extended, bool own)
{
	const struct attest_claim_rule *rule;

	for (size_t i = 0; (rule = attest_claim_rule_at(i)) != NULL; i++) {
		enum forge_fate fate = forge_fate(&before.claims, &after.claims, rule->id);
		bool fine = fate <= FORGE_GONE;

		if (extended && fate == FORGE_MORE)
			fine = true;
		if (extended && fate == FORGE_NEW)
			fine = own || rule->id == CLAIM_BOOT_IMAGES;
		if (!fine)
			fail_msg("%s: %s of event %zu: %s is %s", log, what, event, rule->name,
				 forge_fate_name(fate));
	}
}

/* Every event, and every edit of a kind. */
static void
no_edit_of_a_real_log_lies(void **state)
{
	static const uint32_t types[] = {EV_NO_ACTION, EV_SEPARATOR, 5,	       EV_TAG,
					 EV_VERSION,   EV_IPL,	     EV_IMAGE, EV_ACTION,
					 0x80000001,   0x800000e0};
	const struct bytes texts[] = {NONE,
				      FORGE_TEXT("WBCL"),
				      BYTES_OF(ZEROS),
				      BYTES_OF(SETTING),
				      FORGE_TEXT(CALLING),
				      UTF16("quiet"),
				      FORGE_TEXT("kernel_cmdline: /good\0")};

	(void)state;
	corpora_need();
	for (size_t log = 0; log < COUNT(REAL); log++) {
		struct bytes bytes = corpora_load(REAL[log]);

		forge_boot(&honest, bytes);
		forge_examine(&honest, &before);
		for (size_t i = 0; i < honest.count; i++) {
			for (size_t k = 0; k < COUNT(types); k++) {
				forged = honest;
				forged.events[i].type = types[k];
				forge_examine(&forged, &after);
				expect_no_lie(REAL[log], "type", i, false, false);
			}
			for (size_t k = 0; k < COUNT(texts); k++) {
				forged = honest;
				forged.events[i].data = texts[k];
				forge_examine(&forged, &after);
				expect_no_lie(REAL[log], "data", i, false, false);
			}
			forged = honest;
			forge_remove(&forged, i);
			forge_examine(&forged, &after);
			expect_no_lie(REAL[log], "absence", i, false, false);
			forged = honest;
			swap(&forged, i, (i + 1) % honest.count);
			forge_examine(&forged, &after);
			expect_no_lie(REAL[log], "place", i, false, false);
		}
		corpora_unload(bytes);
	}
}

/* Every PCR, extended with every word of a kind, or with all that another event of the log has. */
static void
no_extension_of_a_real_log_lies(void **state)
{
	const struct bytes words[] = {NONE,
				      FORGE_TEXT("WBCL"),
				      BYTES_OF(ZEROS),
				      BYTES_OF(SETTING),
				      FORGE_TEXT(CALLING),
				      UTF16("quiet"),
				      FORGE_TEXT("/good ro"),
				      FORGE_TEXT(".linux\0"),
				      FORGE_TEXT("enter-initrd"),
				      FORGE_TEXT("os-separator")};
	uint32_t used;

	(void)state;
	corpora_need();
	for (size_t log = 0; log < COUNT(REAL); log++) {
		struct bytes bytes = corpora_load(REAL[log]);

		forge_boot(&honest, bytes);
		forge_examine(&honest, &before);
		used = 0;
		for (size_t i = 0; i < honest.count; i++)
			if (honest.events[i].type != EV_NO_ACTION && honest.events[i].pcr < 32)
				used |= 1U << honest.events[i].pcr;
		for (uint32_t pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++) {
			bool own = (used >> pcr & 1) == 0;

			for (size_t k = 0; k < COUNT(words); k++) {
				forged = honest;
				forge_measure(&forged, pcr, EV_IPL, words[k]);
				forge_examine(&forged, &after);
				expect_no_lie(REAL[log], "extension", pcr, true, own);
				forged = honest;
				forge_extend(&forged, pcr, words[k]);
				forge_examine(&forged, &after);
				expect_no_lie(REAL[log], "unlogged word", pcr, true, own);
			}
			/* Of PCRs with claims. */
			for (size_t k = 0; k < honest.count && (0x7b91 >> pcr & 1) != 0; k++) {
				forged = honest;
				forge_measure_digest(&forged, pcr, honest.events[k].type,
						     honest.events[k].digest,
						     honest.events[k].data);
				forge_examine(&forged, &after);
				expect_no_lie(REAL[log], "repetition", k, true, own);
			}
		}
		corpora_unload(bytes);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_edit_of_a_real_log_lies),
		cmocka_unit_test(no_extension_of_a_real_log_lies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
