/* SPDX-License-Identifier: Apache-2.0 */
/* For somebody who has never read a TPMS_ATTEST: each field in words, what each check means, and
 * what a quote leaves open. */
#include "encode.h"
#include "quote_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_BYTES 72
#define FIELD	    "  %-14s "

/* TPMA_OBJECT: TPM 2.0 Library Part 2, 8.3.2. */
static const struct {
	uint32_t bit;
	const char *name;
} ATTRIBUTES[] = {
	{1U << 1, "fixedTPM"},	   {1U << 2, "stClear"},
	{1U << 4, "fixedParent"},  {1U << 5, "sensitiveDataOrigin"},
	{1U << 6, "userWithAuth"}, {1U << 7, "adminWithPolicy"},
	{1U << 10, "noDA"},	   {1U << 11, "encryptedDuplication"},
	{1U << 16, "restricted"},  {1U << 17, "decrypt"},
	{1U << 18, "sign"},	   {1U << 19, "x509sign"},
};

const char *
attribute_next(uint32_t *attributes)
{
	for (size_t i = 0; i < sizeof(ATTRIBUTES) / sizeof(*ATTRIBUTES); i++) {
		if ((*attributes & ATTRIBUTES[i].bit) == 0)
			continue;
		*attributes &= ~ATTRIBUTES[i].bit;
		return ATTRIBUTES[i].name;
	}
	return NULL;
}

void
pcr_list_text(uint32_t pcrs, char ret_text[PCR_LIST_SIZE])
{
	size_t size = 0;

	(void)snprintf(ret_text, PCR_LIST_SIZE, "none");
	for (unsigned first = 0; first < 32; first++) {
		unsigned last = first;
		if ((pcrs >> first & 1) == 0)
			continue;
		while (last < 31 && (pcrs >> (last + 1) & 1) != 0)
			last++;
		int added = snprintf(ret_text + size, PCR_LIST_SIZE - size,
				     last > first ? "%s%u-%u" : "%s%u", size > 0 ? "," : "", first,
				     last);
		if (added < 0 || (size_t)added >= PCR_LIST_SIZE - size)
			return;
		size += (size_t)added;
		first = last;
	}
}

static void
hex_print(struct bytes value)
{
	char digits[2 * SHOWN_BYTES + 1];
	size_t shown = value.size < SHOWN_BYTES ? value.size : SHOWN_BYTES;

	hex_encode(value.data, shown, digits);
	(void)printf("%s%s", value.size > 0 ? digits : "(empty)", shown < value.size ? "..." : "");
}

static void
field_hex(const char *name, struct bytes value, const char *meaning)
{
	(void)printf(FIELD, name);
	hex_print(value);
	(void)printf("\n" FIELD "%s\n", "", meaning);
}

/* ---- the key ---- */

static const char *
key_form_text(enum attest_key_form form)
{
	switch (form) {
	case ATTEST_TPMT_PUBLIC:
		return "TPMT_PUBLIC";
	case ATTEST_TPM2B_PUBLIC:
		return "TPM2B_PUBLIC";
	case ATTEST_SPKI_DER:
		return "SubjectPublicKeyInfo in DER";
	case ATTEST_SPKI_PEM:
		return "SubjectPublicKeyInfo in PEM";
	}
	return "";
}

static void
attributes_print(const struct attest_inspection *seen)
{
	uint32_t left = seen->attributes;
	const char *name;

	(void)printf(FIELD "%08" PRIx32, "attributes", seen->attributes);
	while ((name = attribute_next(&left)) != NULL)
		(void)printf(" %s", name);
	(void)printf("\n" FIELD "as the file says them: what vouches for the file (a certificate "
		     "of the AK,\n" FIELD "or activation of a credential) vouches for them\n",
		     "", "");
}

static void
key_print(const struct attest_inspection *seen)
{
	(void)printf("\nThe key\n" FIELD "%s\n", "form", key_form_text(seen->key_form));
	if (seen->key_kind[0] != '\0')
		(void)printf(FIELD "%s\n", "kind", seen->key_kind);
	(void)printf(FIELD "%s with %s, as the signature says%s\n", "scheme",
		     attest_algorithm_name(seen->signature_scheme),
		     attest_algorithm_name(seen->signature_hash),
		     seen->area_known ? "" : "; this form of key says none");
	if (!seen->area_known) {
		(void)printf(FIELD
			     "unknown: whether the key is restricted and fixed to a TPM.\n" FIELD
			     "A key that is not signs whatever it is given, forged quotes "
			     "as well.\n" FIELD "A TPMT_PUBLIC or TPM2B_PUBLIC would say it\n",
			     "attributes", "", "");
		return;
	}
	attributes_print(seen);
	if (seen->key_name.size > 0)
		field_hex("name", (struct bytes){seen->key_name.bytes, seen->key_name.size},
			  "nameAlg and the hash of the whole public area");
}

/* ---- the message ---- */

static void
signer_print(const struct attest_inspection *seen)
{
	char meaning[96];

	(void)snprintf(meaning, sizeof(meaning), "this key as a primary key of the %s hierarchy",
		       seen->hierarchy != NULL ? seen->hierarchy : "");
	field_hex("signer", seen->signer,
		  seen->hierarchy != NULL ? meaning
		  : seen->area_known ? "a key below others, whose names would be needed to check it"
				     : "not compared: this form of key has no name");
}

static void
extra_data_print(struct bytes value)
{
	bool text = value.size > 0;

	field_hex("extraData", value, "what the verifier asked to be signed with it: a nonce");
	for (size_t i = 0; i < value.size; i++)
		text = text && value.data[i] >= ' ' && value.data[i] <= '~';
	if (text && value.size <= SHOWN_BYTES)
		(void)printf(FIELD "as text: %.*s\n", "", (int)value.size,
			     (const char *)value.data);
}

static void
clock_print(const struct attest_inspection *seen)
{
	uint64_t seconds = seen->clock.clock / 1000;

	(void)printf(FIELD "%" PRIu64 " ms: the TPM ran for %" PRIu64 " d %02u:%02u:%02u since "
			   "TPM2_Clear\n",
		     "clock", seen->clock.clock, seconds / 86400, (unsigned)(seconds / 3600 % 24),
		     (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
	(void)printf(FIELD "%s\n", "",
		     seen->clock_safe ? "safe: no such value was told before"
				      : "not safe: after a loss of power it may repeat itself");
	(void)printf(FIELD "%" PRIu32 " times the TPM was reset: each boot adds one\n",
		     "resetCount", seen->clock.reset_count);
	(void)printf(FIELD "%" PRIu32 " times resumed or restarted since\n", "restartCount",
		     seen->clock.restart_count);
	if (seen->hierarchy == NULL || strcmp(seen->hierarchy, "endorsement") != 0)
		(void)printf(FIELD "these two and the firmware's version are obfuscated unless "
				   "the key is in the\n" FIELD
				   "endorsement or platform hierarchy\n",
			     "", "");
	(void)printf(FIELD "%016" PRIx64 "\n", "firmware", seen->firmware_version);
}

static void
selection_print(const struct attest_inspection *seen)
{
	char pcrs[PCR_LIST_SIZE];

	for (uint32_t i = 0; i < seen->selected_count; i++) {
		pcr_list_text(seen->selected[i].pcrs, pcrs);
		(void)printf(FIELD "%s of the %s bank\n", "PCRs", pcrs,
			     attest_algorithm_name(seen->selected[i].algorithm));
	}
	if (seen->selected_count == 0)
		(void)printf(FIELD "none\n", "PCRs");
	field_hex("PCR digest", seen->pcr_digest, "the hash of their values, one behind another");
}

static void
message_print(const struct attest_inspection *seen)
{
	bool quote = seen->type == 0x8018;

	(void)printf("\nWhat was signed%s\n", seen->message_sized ? " (TPM2B_ATTEST)" : "");
	(void)printf(FIELD "%08" PRIx32 "%s\n", "magic", seen->magic,
		     seen->magic == 0xff544347U
			     ? ": made in a TPM; no restricted key signs other data that begin so"
			     : "");
	(void)printf(FIELD "%04x%s\n", "type", seen->type,
		     quote		    ? ": a quote of PCRs"
		     : seen->type == 0x8017 ? ": a certification of another key"
					    : ": some other attestation");
	signer_print(seen);
	extra_data_print(seen->extra_data);
	clock_print(seen);
	if (quote)
		selection_print(seen);
}

/* ---- the checks ---- */

static const char *const MEANINGS[ATTEST_QUOTE_CHECKS] = {
	[ATTEST_CHECK_ATTRIBUTES] =
		"a restricted key, fixed to a TPM that made it, which only signs",
	[ATTEST_CHECK_KEY] = "a sound key, with a scheme and hash that are accepted",
	[ATTEST_CHECK_MAGIC] = "says that a TPM made it",
	[ATTEST_CHECK_TYPE] = "is a quote, and no other attestation",
	[ATTEST_CHECK_SIGNER] = "names a signer as this key's TPM would",
	[ATTEST_CHECK_QUALIFYING] = "answers this question, and no earlier one",
	[ATTEST_CHECK_SELECTION] = "covers PCRs of one bank of SHA-2",
	[ATTEST_CHECK_SIGNATURE] = "is signed by this key, with its own scheme",
	[ATTEST_CHECK_PCRS] = "stands for these PCR values",
};

static const char *
state_text(enum attest_check_state state)
{
	switch (state) {
	case ATTEST_PASSED:
		return "passed";
	case ATTEST_FAILED:
		return "FAILED";
	case ATTEST_SKIPPED:
		return "skipped";
	case ATTEST_UNREACHED:
		return "-";
	}
	return "";
}

static void
checks_print(const struct attest_inspection *seen)
{
	(void)printf("\nThe checks, in order%s\n",
		     seen->checks[ATTEST_CHECK_PCRS] == ATTEST_UNREACHED ? " (- was not reached)"
									 : "");
	for (unsigned i = 0; i < ATTEST_QUOTE_CHECKS; i++)
		(void)printf("  %-8s %-11s %s\n", state_text(seen->checks[i]),
			     attest_quote_check_name((enum attest_quote_check)i), MEANINGS[i]);
}

/* In the first lines, for many read no further: "qualifying, pcrs". */
static void
unchecked_print(const struct attest_inspection *seen)
{
	const char *before = "  but not checked: ";

	for (unsigned i = 0; i < ATTEST_QUOTE_CHECKS; i++) {
		if (seen->checks[i] != ATTEST_SKIPPED)
			continue;
		(void)printf("%s%s", before, attest_quote_check_name((enum attest_quote_check)i));
		before = ", ";
	}
	if (before[0] == ',')
		(void)printf(" (see \"What this leaves open\")\n");
}

static void
skipped_print(const struct quote_view *view)
{
	const struct attest_inspection *seen = &view->seen;

	if (view->qualifying == NULL)
		(void)printf("  Freshness was not checked: without --qualifying this may be an old "
			     "quote.\n");
	else if (view->qualifying->size == 0)
		(void)printf("  An empty --qualifying proves no freshness: this may be an old "
			     "quote.\n");
	if (view->pcrs == NULL)
		(void)printf("  PCR values were not checked: without --pcrs only their digest is "
			     "known.\n");
	if (!seen->area_known)
		(void)printf("  Whether the key is restricted and fixed to a TPM is unknown: see "
			     "above.\n");
	else if (seen->checks[ATTEST_CHECK_SIGNER] == ATTEST_SKIPPED)
		(void)printf("  The signer's name was not checked: it hashes the names of the "
			     "key's parents too.\n");
}

static void
notes_print(const struct quote_view *view)
{
	char pcrs[PCR_LIST_SIZE];

	(void)printf("\nWhat this leaves open\n");
	skipped_print(view);
	if (view->seen.not_quoted != 0) {
		pcr_list_text(view->seen.not_quoted, pcrs);
		(void)printf("  Values of PCR %s were given, and the quote does not cover them.\n",
			     pcrs);
	}
	if (view->seen.resettable != 0) {
		pcr_list_text(view->seen.resettable, pcrs);
		(void)printf("  PCR %s can be reset by software: their values say nothing of the "
			     "boot.\n",
			     pcrs);
	}
	(void)printf("  That the key is in a TPM at all: a certificate of it, or activation of a "
		     "credential\n  (`postern enroll`), proves that.\n"
		     "  What the PCR values mean: `postern eventlog --pcrs` explains them; a "
		     "baseline judges them.\n"
		     "  Anything that happened after the quote was made.\n");
}

void
quote_print(const struct quote_view *view)
{
	const struct attest_error *err = &view->err;

	if (err->status == ATTEST_OK) {
		(void)printf("verified: every check that could be made has passed\n");
		unchecked_print(&view->seen);
	} else {
		(void)printf("NOT VERIFIED: %s: %s\n", err->check, err->message);
		if (err->expected[0] != '\0')
			(void)printf("  expected  %s\n", err->expected);
		if (err->seen[0] != '\0')
			(void)printf("  seen      %s\n", err->seen);
		(void)printf("  What follows is what the files say, and none of it is proved.\n");
	}
	key_print(&view->seen);
	message_print(&view->seen);
	checks_print(&view->seen);
	notes_print(view);
}
