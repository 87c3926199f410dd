/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step for each check, made in the order of enum attest_quote_check until one fails. Whatever
 * else may be wrong, the PCR selection is the signed one, the scheme is the key's, and what nobody
 * gave to compare with is told as skipped and never as passed.
 */
#include "inspect.h"

#include "error.h"
#include "keyform.h"
#include "quotecheck.h"
#include "tpm.h"

#include <stdio.h>
#include <string.h>

#define RESETTABLE_PCRS                                                                            \
	(1U << 16 | 1U << 23) /* debug, and application: TPM2_PCR_Reset takes both */
#define PC_CLIENT_PCRS ((1U << ATTEST_PCRS) - 1)
#define LIST_SIZE      (3 * ATTEST_PCRS + 8)

struct inspecting {
	const struct attest_inspect_input *input;
	struct key_given given;
	struct signing_key key;
	struct attestation message;
	struct bytes signed_bytes;
	struct signature signature;
	struct hasher hasher; /* of the scheme, once that is known */
	struct attest_inspection seen;
};

static void
inspecting_clear(struct inspecting *inspecting)
{
	key_given_clear(&inspecting->given);
	signing_key_clear(&inspecting->key);
	hasher_close(&inspecting->hasher);
}
#define auto_inspecting __attribute__((cleanup(inspecting_clear))) struct inspecting

static enum attest_status
skip(struct inspecting *inspecting, enum attest_quote_check check)
{
	inspecting->seen.checks[check] = ATTEST_SKIPPED;
	return ATTEST_OK;
}

/* ---- the steps ---- */

static enum attest_status
check_attributes(struct inspecting *inspecting, struct attest_error *err)
{
	if (!inspecting->given.area_known)
		return skip(inspecting, ATTEST_CHECK_ATTRIBUTES);
	return public_area_check_attributes(&inspecting->given.area, err);
}

static enum attest_status
check_key(struct inspecting *inspecting, struct attest_error *err)
{
	const struct key_given *given = &inspecting->given;
	struct attest_inspection *seen = &inspecting->seen;
	enum attest_status status = ATTEST_OK;

	if (given->area_known)
		status = public_area_name(&given->area, &seen->key_name, err);
	if (status != ATTEST_OK)
		return status;
	status = given->area_known ? signing_key_from_area(&given->area, &inspecting->key, err)
				   : signing_key_from_pkey(given->foreign, &inspecting->key, err);
	if (status == ATTEST_OK)
		snprintf(seen->key_kind, sizeof(seen->key_kind),
			 inspecting->key.type == TPM_ALG_RSA ? "rsa-%u" : "ecc-p%u",
			 inspecting->key.bits);
	return status;
}

static enum attest_status
check_magic(struct inspecting *inspecting, struct attest_error *err)
{
	return quote_check_magic(&inspecting->message, err);
}

static enum attest_status
check_type(struct inspecting *inspecting, struct attest_error *err)
{
	return quote_check_type(&inspecting->message, err);
}

/* A primary key's qualified name is nameAlg || H(handle of the hierarchy || name): Part 1, 26.5.
 * Of a key below another the parents would have to be known. */
static enum attest_status
find_hierarchy(struct inspecting *inspecting, struct hasher *hasher, struct attest_error *err)
{
	static const struct {
		uint32_t handle;
		const char *name;
	} hierarchies[] = {
		{TPM_RH_ENDORSEMENT, "endorsement"},
		{TPM_RH_OWNER, "owner"},
		{TPM_RH_PLATFORM, "platform"},
		{TPM_RH_NULL, "null"},
	};
	const struct attest_name *name = &inspecting->seen.key_name;

	for (size_t i = 0; i < sizeof(hierarchies) / sizeof(hierarchies[0]); i++) {
		uint8_t handle[4];
		struct writer w = writer_of(handle, sizeof(handle));
		uint8_t qualified[ATTEST_NAME_SIZE_MAX];
		write_be32(&w, hierarchies[i].handle);
		struct bytes pieces[] = {writer_bytes(&w), {name->bytes, name->size}};
		memcpy(qualified, name->bytes, 2);
		if (!hash_pieces(hasher, pieces, 2, qualified + 2))
			return attest_fail_memory(err);
		if (bytes_equal(inspecting->message.signer, (struct bytes){qualified, name->size}))
			inspecting->seen.hierarchy = hierarchies[i].name;
	}
	return ATTEST_OK;
}

static enum attest_status
check_signer(struct inspecting *inspecting, struct attest_error *err)
{
	const struct attest_name *name = &inspecting->seen.key_name;
	struct bytes signer = inspecting->message.signer;
	auto_hasher hasher = {0};

	if (!inspecting->given.area_known)
		return skip(inspecting, ATTEST_CHECK_SIGNER);
	if (signer.size != name->size || memcmp(signer.data, name->bytes, 2) != 0)
		return attest_differs(err, ATTEST_REFUSED, "quote.signer",
				      (struct bytes){name->bytes, 2}, signer,
				      "qualifiedSigner is no name of the key's nameAlg");
	if (!hasher_open(&hasher, hash_kind_of(inspecting->given.area.name_alg)->name))
		return attest_fail_memory(err);
	enum attest_status status = find_hierarchy(inspecting, &hasher, err);
	if (status != ATTEST_OK || inspecting->seen.hierarchy != NULL)
		return status;
	return skip(inspecting, ATTEST_CHECK_SIGNER);
}

static enum attest_status
check_qualifying(struct inspecting *inspecting, struct attest_error *err)
{
	const struct bytes *asked = inspecting->input->qualifying;
	enum attest_status status = ATTEST_OK;

	if (asked != NULL)
		status = quote_check_qualifying(&inspecting->message, *asked, err);
	/* An empty question is one that every quote without a nonce answers. */
	if (status == ATTEST_OK && (asked == NULL || asked->size == 0))
		return skip(inspecting, ATTEST_CHECK_QUALIFYING);
	return status;
}

static bool
selects_twice(const struct attest_inspection *seen)
{
	for (uint32_t i = 0; i < seen->selected_count; i++)
		for (uint32_t k = i + 1; k < seen->selected_count; k++)
			if (seen->selected[i].algorithm == seen->selected[k].algorithm)
				return true;
	return false;
}

/* One bank: in the digest of two, the values of one could be read as those of the other. */
static enum attest_status
check_selection(struct inspecting *inspecting, struct attest_error *err)
{
	const struct attest_inspection *seen = &inspecting->seen;
	const struct attest_selected *bank = &seen->selected[0];
	struct bytes selection = inspecting->message.selection;
	struct bytes none = {0};

	if (selects_twice(seen))
		return attest_differs(err, ATTEST_REFUSED, "quote.selection.duplicate", none,
				      selection, "the signed selection names a bank twice");
	if (seen->selected_count > 1)
		return attest_differs(err, ATTEST_REFUSED, "quote.selection.banks", none, selection,
				      "the signed selection names several banks: quote one");
	if (seen->selected_count == 0 || bank->pcrs == 0)
		return attest_differs(err, ATTEST_REFUSED, "quote.selection.empty", none, selection,
				      "a quote that selects nothing proves nothing");
	if (bank->algorithm == TPM_ALG_SHA1)
		return attest_differs(err, ATTEST_REFUSED, "quote.sha1", none, selection,
				      "the quote is over the SHA-1 bank, which is not accepted");
	if (hash_kind_of(bank->algorithm) == NULL)
		return attest_differs(err, ATTEST_UNSUPPORTED, "quote.selection.bank", none,
				      selection,
				      "the quote is over a bank other than SHA-256, -384 and -512");
	if ((bank->pcrs & ~PC_CLIENT_PCRS) != 0)
		return attest_differs(err, ATTEST_REFUSED, "quote.selection.pcr", none, selection,
				      "the quote selects PCRs above 23, which no PC has");
	return ATTEST_OK;
}

static enum attest_status
check_signature(struct inspecting *inspecting, struct attest_error *err)
{
	enum attest_status status =
		signature_read("quote", &inspecting->key, inspecting->input->signature,
			       &inspecting->signature, err);
	if (status != ATTEST_OK)
		return status;
	if (!signature_open_hasher(&inspecting->key, &inspecting->signature, &inspecting->hasher))
		return attest_fail_memory(err);
	return signature_verify("quote", &inspecting->key, &inspecting->signature,
				&inspecting->hasher, inspecting->signed_bytes, err);
}

/* "0,1,7" */
static void
print_pcrs(char ret[LIST_SIZE], uint32_t pcrs)
{
	size_t size = 0;

	ret[0] = '\0';
	for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++)
		if ((pcrs >> pcr & 1) != 0)
			size += (size_t)snprintf(ret + size, LIST_SIZE - size, "%s%u",
						 size > 0 ? "," : "", pcr);
}

/* The values given of the bank that was quoted. */
static enum attest_status
find_values(const struct attest_inspect_input *input, uint16_t algorithm,
	    const struct attest_pcrs **ret_values, struct attest_error *err)
{
	const struct attest_pcrs *values = NULL;

	for (size_t i = 0; i < input->pcrs_count; i++) {
		if (input->pcrs[i].known == 0 || strcmp(attest_bank_name(input->pcrs[i].bank),
							attest_algorithm_name(algorithm)) != 0)
			continue;
		if (values != NULL)
			return attest_fail(err, ATTEST_REFUSED, "quote.pcrs.bank",
					   "two sets of values of one bank");
		values = &input->pcrs[i];
	}
	if (values == NULL)
		return attest_differs_text(err, ATTEST_REFUSED, "quote.pcrs.bank",
					   attest_algorithm_name(algorithm), "",
					   "no values were given of the bank that was quoted");
	*ret_values = values;
	return ATTEST_OK;
}

static enum attest_status
check_pcrs(struct inspecting *inspecting, struct attest_error *err)
{
	const struct attest_selected *bank = &inspecting->seen.selected[0];
	const struct attest_pcrs *given = NULL;
	struct bytes values[ATTEST_PCRS];
	char expected[LIST_SIZE], seen[LIST_SIZE];
	size_t count = 0;

	if (inspecting->message.pcr_digest.size !=
	    (size_t)EVP_MD_get_size(inspecting->hasher.algorithm))
		return attest_fail(err, ATTEST_REFUSED, "quote.pcrs.size",
				   "a PCR digest of %zu bytes is none of the scheme's hash",
				   inspecting->message.pcr_digest.size);
	if (inspecting->input->pcrs_count == 0)
		return skip(inspecting, ATTEST_CHECK_PCRS);
	enum attest_status status = find_values(inspecting->input, bank->algorithm, &given, err);
	if (status != ATTEST_OK)
		return status;
	if ((bank->pcrs & ~given->known) != 0) {
		print_pcrs(expected, bank->pcrs);
		print_pcrs(seen, given->known);
		return attest_differs_text(err, ATTEST_REFUSED, "quote.pcrs.missing", expected,
					   seen, "values of quoted PCRs were not given");
	}
	for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++)
		if ((bank->pcrs >> pcr & 1) != 0)
			values[count++] =
				(struct bytes){given->values[pcr], attest_bank_size(given->bank)};
	inspecting->seen.not_quoted = given->known & ~bank->pcrs & PC_CLIENT_PCRS;
	return quote_check_values(&inspecting->message, values, count, &inspecting->hasher, err);
}

static const struct {
	const char *name;
	enum attest_status (*run)(struct inspecting *inspecting, struct attest_error *err);
} STEPS[ATTEST_QUOTE_CHECKS] = {
	[ATTEST_CHECK_ATTRIBUTES] = {"attributes", check_attributes},
	[ATTEST_CHECK_KEY] = {"key", check_key},
	[ATTEST_CHECK_MAGIC] = {"magic", check_magic},
	[ATTEST_CHECK_TYPE] = {"type", check_type},
	[ATTEST_CHECK_SIGNER] = {"signer", check_signer},
	[ATTEST_CHECK_QUALIFYING] = {"qualifying", check_qualifying},
	[ATTEST_CHECK_SELECTION] = {"selection", check_selection},
	[ATTEST_CHECK_SIGNATURE] = {"signature", check_signature},
	[ATTEST_CHECK_PCRS] = {"pcrs", check_pcrs},
};

const char *
attest_quote_check_name(enum attest_quote_check check)
{
	return STEPS[check].name;
}

static enum attest_status
judge(struct inspecting *inspecting, struct attest_error *err)
{
	for (unsigned i = 0; i < ATTEST_QUOTE_CHECKS; i++) {
		enum attest_check_state *state = &inspecting->seen.checks[i];
		enum attest_status status = STEPS[i].run(inspecting, err);
		if (status != ATTEST_OK) {
			*state = ATTEST_FAILED;
			return status;
		}
		if (*state == ATTEST_UNREACHED)
			*state = ATTEST_PASSED;
	}
	return ATTEST_OK;
}

/* ---- reading ---- */

static void
note_selection(const struct attestation *message, struct attest_inspection *seen)
{
	struct reader r = reader_of(message->selection);
	struct selection selection;

	read_selection(&r, &selection);
	seen->selected_count = selection.count;
	for (uint32_t i = 0; i < selection.count; i++) {
		seen->selected[i] = (struct attest_selected){selection.banks[i].algorithm,
							     selection.banks[i].pcrs};
		seen->resettable |= selection.banks[i].pcrs & RESETTABLE_PCRS;
	}
}

static void
note(struct inspecting *inspecting)
{
	const struct attestation *message = &inspecting->message;
	struct attest_inspection *seen = &inspecting->seen;

	seen->key_form = inspecting->given.form;
	seen->area_known = inspecting->given.area_known;
	seen->attributes = inspecting->given.area.attributes;
	seen->magic = message->magic;
	seen->type = message->type;
	seen->signer = message->signer;
	seen->extra_data = message->extra_data;
	seen->clock = message->clock;
	seen->clock_safe = message->clock_safe;
	seen->firmware_version = message->firmware_version;
	seen->pcr_digest = message->pcr_digest;
	seen->certified_name = message->name;
	seen->signature_scheme = inspecting->signature.algorithm;
	seen->signature_hash = inspecting->signature.hash;
	if (message->type == TPM_ST_ATTEST_QUOTE)
		note_selection(message, seen);
}

/* All that can be said without keys: does it parse? */
static enum attest_status
read_all(struct inspecting *inspecting, struct attest_error *err)
{
	const struct attest_inspect_input *input = inspecting->input;

	enum attest_status status = key_given_read(input->key, &inspecting->given, err);
	if (status != ATTEST_OK)
		return status;
	inspecting->signed_bytes = sized_contents(input->message, &inspecting->seen.message_sized);
	if (inspecting->signed_bytes.size > ATTEST_QUOTE_SIZE_MAX ||
	    input->signature.size > ATTEST_QUOTE_SIZE_MAX)
		return attest_fail(err, ATTEST_LIMIT, "quote.size",
				   "quote of %zu and signature of %zu bytes, at most %d",
				   inspecting->signed_bytes.size, input->signature.size,
				   ATTEST_QUOTE_SIZE_MAX);
	if (!attestation_decode(inspecting->signed_bytes, &inspecting->message))
		return attest_fail(err, ATTEST_MALFORMED, "quote.parse",
				   "%zu bytes are no TPMS_ATTEST or TPM2B_ATTEST",
				   input->message.size);
	if (!signature_decode(input->signature, &inspecting->signature))
		return attest_fail(err, ATTEST_MALFORMED, "quote.signature.parse",
				   "%zu bytes are no TPMT_SIGNATURE; a signature without its "
				   "algorithm and hash is none",
				   input->signature.size);
	return ATTEST_OK;
}

enum attest_status
attest_inspect_quote(const struct attest_inspect_input *input,
		     struct attest_inspection *ret_inspection, struct attest_error *err)
{
	auto_inspecting inspecting = {.input = input};

	enum attest_status status = read_all(&inspecting, err);
	if (status != ATTEST_OK)
		return status;
	note(&inspecting);
	status = judge(&inspecting, err);
	if (status != ATTEST_MEMORY)
		*ret_inspection = inspecting.seen;
	return status;
}

const char *
attest_algorithm_name(uint16_t algorithm)
{
	static const struct {
		uint16_t algorithm;
		const char *name;
	} names[] = {
		{TPM_ALG_SHA1, "sha1"},	    {TPM_ALG_SHA256, "sha256"},
		{TPM_ALG_SHA384, "sha384"}, {TPM_ALG_SHA512, "sha512"},
		{TPM_ALG_RSASSA, "rsassa"}, {TPM_ALG_RSAPSS, "rsapss"},
		{TPM_ALG_ECDSA, "ecdsa"},   {TPM_ALG_ECDAA, "ecdaa"},
		{TPM_ALG_SM2, "sm2"},	    {TPM_ALG_ECSCHNORR, "ecschnorr"},
		{TPM_ALG_HMAC, "hmac"},	    {TPM_ALG_NULL, "null"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].algorithm == algorithm)
			return names[i].name;
	return "unknown";
}
