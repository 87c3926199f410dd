/* SPDX-License-Identifier: Apache-2.0 */
/* Decoded here and not by tpm2-tss, whose decoder had a hole (CVE-2024-29040). */
#include "attestation.h"

#include "tpm.h"

#define BITMAP_SIZE_MAX 4

void
read_selection(struct reader *r, struct selection *ret_selection)
{
	struct selection selection = {.count = read_count(r, read_be32(r), SELECTION_BANKS_MAX)};

	for (uint32_t i = 0; i < selection.count; i++) {
		struct selected_bank *bank = &selection.banks[i];
		bank->algorithm = read_be16(r);
		uint32_t size = read_count(r, read_u8(r), BITMAP_SIZE_MAX);
		for (uint32_t octet = 0; octet < size; octet++)
			bank->pcrs |= (uint32_t)read_u8(r) << 8 * octet;
	}
	*ret_selection = selection;
}

/* TPMS_QUOTE_INFO, 10.12.4. */
static void
read_quote_info(struct reader *r, struct attestation *attestation)
{
	struct reader whole = *r;
	struct selection selection;

	read_selection(r, &selection);
	attestation->selection = read_bytes(&whole, r->failed ? 0 : whole.left - r->left);
	attestation->pcr_digest = read_bytes_be16(r);
}

/* TPMS_CERTIFY_INFO, 10.12.3. */
static void
read_certify_info(struct reader *r, struct attestation *attestation)
{
	attestation->name = read_bytes_be16(r);
	attestation->qualified_name = read_bytes_be16(r);
}

/* TPMS_ATTEST, 10.12.12, with TPMS_CLOCK_INFO, 10.11.1. */
bool
attestation_decode(struct bytes input, struct attestation *ret_attestation)
{
	struct attestation attestation = {0};
	struct reader r = reader_of(input);

	attestation.magic = read_be32(&r);
	attestation.type = read_be16(&r);
	attestation.signer = read_bytes_be16(&r);
	attestation.extra_data = read_bytes_be16(&r);
	attestation.clock.clock = read_be64(&r);
	attestation.clock.reset_count = read_be32(&r);
	attestation.clock.restart_count = read_be32(&r);
	uint8_t safe = read_u8(&r);
	attestation.firmware_version = read_be64(&r);
	if (attestation.type == TPM_ST_ATTEST_QUOTE)
		read_quote_info(&r, &attestation);
	else if (attestation.type == TPM_ST_ATTEST_CERTIFY)
		read_certify_info(&r, &attestation);
	else
		read_bytes(&r, r.left);
	/* TPMI_YES_NO has two values. */
	if (!reader_finished(&r) || safe > 1)
		return false;
	attestation.clock_safe = safe == 1;
	*ret_attestation = attestation;
	return true;
}
