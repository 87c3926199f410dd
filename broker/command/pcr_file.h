/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCR values from a file, in any of the forms that people have them in:
 *
 *   {"sha256": {"0": "<hex>", ...}, "sha1": {...}}    JSON; or under a member "pcrs", as
 *                                                     `postern eventlog --json` writes it
 *   {"pcrs": {"0": "<hex>", ...}}                     as `postern machine show --json` does:
 *                                                     SHA-256
 *   what `tpm2_quote -o` writes                       binary: a TPML_PCR_SELECTION, then digests
 *   what `tpm2_pcrread` prints                        "  sha256:", then "    0 : 0x<HEX>"; or such
 *                                                     lines below "pcrs:", as tpm2_quote,
 *                                                     tpm2_checkquote, tpm2_eventlog print
 *   24 lines of hex                                   PCR 0 to 23 of the bank of that size
 *
 * They are values that somebody says a TPM has: whoever wants that proved verifies a quote.
 */
#ifndef POSTERN_COMMAND_PCR_FILE_H
#define POSTERN_COMMAND_PCR_FILE_H

#include "attest/eventlog.h"

#define PCR_FILE_MAX (64 * 1024) /* bytes; four banks of 24 in JSON are 14 KB */
#define PCR_FILE_WHY 120

struct pcr_file {
	uint32_t banks; /* a bit per enum attest_bank of which some value is known; never zero */
	struct attest_pcrs pcrs[ATTEST_BANKS]; /* of each bank; nothing known where its bit is 0 */
};

/* False: `ret_why` says what is wrong, in our own words alone, and nothing else is written. */
bool pcr_file_parse(struct bytes file, struct pcr_file *ret_file, char ret_why[PCR_FILE_WHY]);
/* `path` "-" is stdin. 0, EX_NOINPUT, EX_IOERR or EX_DATAERR, and then it has said why. */
int pcr_file_read(const char *path, struct pcr_file *ret_file);

#endif
