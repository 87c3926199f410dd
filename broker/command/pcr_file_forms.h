/* SPDX-License-Identifier: Apache-2.0 */
/* What the forms of files of PCR values share: one file each but for JSON. The first thing that is
 * wrong is kept, and what follows it does not matter. */
#ifndef POSTERN_COMMAND_PCR_FILE_FORMS_H
#define POSTERN_COMMAND_PCR_FILE_FORMS_H

#include "pcr_file.h"

struct pcr_parse {
	struct pcr_file file;
	const char *why; /* NULL: nothing is wrong */
};

void pcr_parse_fail(struct pcr_parse *parse, const char *why);
/* Of the bank's size; a PCR that has a value already fails. */
void pcr_parse_value(struct pcr_parse *parse, size_t bank, uint32_t pcr, const uint8_t *value);
/* Hex of exactly the bank's size, after "0x" or without it. */
void pcr_parse_hex(struct pcr_parse *parse, size_t bank, uint32_t pcr, const char *text);
/* "7", and not "07" or "+7"; false for what is no PCR. */
bool pcr_parse_number(const char *text, size_t size, uint32_t *ret_pcr);
/* "sha256"; ATTEST_BANKS: not one of ours. */
size_t pcr_parse_bank(const char *name, size_t size);
/* One that TPMs have and that is skipped. */
bool pcr_parse_other_bank(const char *name, size_t size);
/* Without white space at both ends. */
struct bytes pcr_parse_trimmed(struct bytes text);

/* pcr_file_text.c: what tpm2_pcrread prints; 24 lines of hex, false where it is not that. */
void pcr_parse_printed(struct pcr_parse *parse, struct bytes file);
bool pcr_parse_list(struct pcr_parse *parse, struct bytes file);
/* pcr_file_binary.c: what tpm2_quote -o writes. */
bool pcr_parse_is_binary(struct bytes file);
void pcr_parse_binary(struct pcr_parse *parse, struct bytes file);

#endif
