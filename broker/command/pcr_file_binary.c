/* SPDX-License-Identifier: Apache-2.0 */
/* As tpm2-tools writes memory of TPM 2.0 Library Part 2's structures on a little-endian machine. */
#include "pcr_file_forms.h"

#define SELECTIONS_MAX	16 /* TPML_PCR_SELECTION */
#define SELECT_SIZE_MAX 4  /* TPMS_PCR_SELECTION, with a byte that pads it to eight */
#define DIGESTS_MAX	8  /* TPML_DIGEST */
#define LISTS_MAX	16 /* of those: 24 PCRs in four banks are twelve */

struct selection {
	size_t bank; /* ATTEST_BANKS: one that is skipped */
	uint32_t pcrs;
};

static void
read_selection(struct reader *r, bool used, struct selection *ret_selection)
{
	uint16_t algorithm = read_le16(r);
	uint32_t size = read_count(r, read_u8(r), SELECT_SIZE_MAX);
	uint32_t pcrs = read_le32(r);

	read_u8(r);
	*ret_selection = (struct selection){.bank = attest_bank_of(algorithm)};
	if (!used)
		return;
	/* what lies behind sizeofSelect is not part of the selection */
	ret_selection->pcrs = size < SELECT_SIZE_MAX ? pcrs & ((1U << 8 * size) - 1) : pcrs;
	if (ret_selection->pcrs >> ATTEST_PCRS != 0)
		reader_fail(r);
}

static uint32_t
lowest_bit(uint32_t bits)
{
	return (uint32_t)__builtin_ctz(bits);
}

/* Takes the next PCR that is selected, banks in their order; false: there is none. */
static bool
selection_next(struct selection *selections, uint32_t count, size_t *ret_bank, uint32_t *ret_pcr)
{
	for (uint32_t i = 0; i < count; i++) {
		if (selections[i].pcrs == 0)
			continue;
		*ret_bank = selections[i].bank;
		*ret_pcr = lowest_bit(selections[i].pcrs);
		selections[i].pcrs &= selections[i].pcrs - 1;
		return true;
	}
	return false;
}

/* One TPM2B_DIGEST of fixed room. */
static void
read_digest(struct pcr_parse *parse, struct reader *r, struct selection *selections, uint32_t count)
{
	uint16_t size = read_le16(r);
	struct bytes room = read_bytes(r, ATTEST_DIGEST_MAX);
	size_t bank = 0;
	uint32_t pcr = 0;

	if (r->failed)
		return;
	if (!selection_next(selections, count, &bank, &pcr))
		pcr_parse_fail(parse, "it holds more digests than it says it selects");
	else if (bank < ATTEST_BANKS && size != attest_bank_size((enum attest_bank)bank))
		pcr_parse_fail(parse, "a digest is not of its bank's size");
	else if (bank < ATTEST_BANKS)
		pcr_parse_value(parse, bank, pcr, room.data);
}

bool
pcr_parse_is_binary(struct bytes file)
{
	struct reader r = reader_of(file);
	uint32_t first = read_le32(&r);

	/* no text has three NULs there */
	return first > 0 && first <= SELECTIONS_MAX;
}

void
pcr_parse_binary(struct pcr_parse *parse, struct bytes file)
{
	struct selection selections[SELECTIONS_MAX];
	struct reader r = reader_of(file);
	size_t bank = 0;
	uint32_t pcr = 0;

	uint32_t count = read_count(&r, read_le32(&r), SELECTIONS_MAX);
	for (uint32_t i = 0; i < SELECTIONS_MAX; i++)
		read_selection(&r, i < count, &selections[i]);
	uint32_t lists = read_count(&r, read_le32(&r), LISTS_MAX);
	for (uint32_t i = 0; i < lists; i++) {
		uint32_t digests = read_count(&r, read_le32(&r), DIGESTS_MAX);
		for (uint32_t j = 0; j < DIGESTS_MAX; j++)
			if (j < digests)
				read_digest(parse, &r, selections, count);
			else
				read_bytes(&r, 2 + ATTEST_DIGEST_MAX);
	}
	if (!reader_finished(&r))
		pcr_parse_fail(parse, "what looks like the output of tpm2_quote -o does not parse");
	if (selection_next(selections, count, &bank, &pcr))
		pcr_parse_fail(parse, "it holds fewer digests than it says it selects");
}
