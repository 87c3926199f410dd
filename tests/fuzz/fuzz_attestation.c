/* SPDX-License-Identifier: Apache-2.0 */
/* TPMS_ATTEST. What is decoded of a quote or a certification is all of it: written again, it is the
 * same bytes. */
#include "attest/attestation.h"
#include "attest/tpm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_selection(struct writer *w, struct bytes seen)
{
	struct reader r = reader_of(seen);
	struct selection selection;

	read_selection(&r, &selection);
	if (!reader_finished(&r) || selection.count > SELECTION_BANKS_MAX)
		abort();
	write_bytes(w, seen);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = {data, size};
	struct attestation seen;
	uint8_t again[ATTEST_QUOTE_SIZE_MAX];
	struct writer w = writer_of(again, sizeof(again));

	if (size > sizeof(again) || !attestation_decode(input, &seen))
		return 0;
	write_be32(&w, seen.magic);
	write_be16(&w, seen.type);
	write_bytes_be16(&w, seen.signer);
	write_bytes_be16(&w, seen.extra_data);
	write_be64(&w, seen.clock.clock);
	write_be32(&w, seen.clock.reset_count);
	write_be32(&w, seen.clock.restart_count);
	write_u8(&w, seen.clock_safe);
	write_be64(&w, seen.firmware_version);
	if (seen.type == TPM_ST_ATTEST_QUOTE) {
		write_selection(&w, seen.selection);
		write_bytes_be16(&w, seen.pcr_digest);
	} else if (seen.type == TPM_ST_ATTEST_CERTIFY) {
		write_bytes_be16(&w, seen.name);
		write_bytes_be16(&w, seen.qualified_name);
	} else {
		input.size = w.size; /* the body of another is not looked at */
	}
	if (w.failed || !bytes_equal(input, writer_bytes(&w)))
		abort();
	return 0;
}
