/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event of a log says, in a line for people. These are the log's words, of which its digest
 * may prove nothing: whoever prints them says beside them what attest_event_proof found. All here
 * read bytes that a guest made up.
 */
#ifndef POSTERN_COMMAND_EVENT_WORDS_H
#define POSTERN_COMMAND_EVENT_WORDS_H

#include "attest/eventlog.h"
#include "words.h"

/* "EV_EFI_ACTION"; "0x80000123" for a type that the specifications do not name. */
void words_add_event_type(struct words *words, uint32_t type);
void words_add_event(struct words *words, const struct attest_event *event);
/* What this PCR is for, by PFP 1.05, 3.3.4 and by custom. */
const char *pcr_purpose(uint32_t pcr);
/* "data-but-last", for programs. */
const char *proof_word(enum attest_proof proof);
/* "proves: ..." without the first word, for people. */
const char *proof_sentence(enum attest_proof proof, uint32_t type);

#endif
