/* SPDX-License-Identifier: Apache-2.0 */
/* Who describes which events: one row each in the table of event_words.c. Each adds to `words`, and
 * says of data that does not parse that it does not. */
#ifndef POSTERN_COMMAND_EVENT_DESCRIBE_H
#define POSTERN_COMMAND_EVENT_DESCRIBE_H

#include "attest/events.h"
#include "event_words.h"

typedef void event_describer(struct words *words, const struct attest_event *event);

/* variable_words.c */
event_describer describe_variable, describe_authority;
/* firmware_words.c */
event_describer describe_image, describe_partitions, describe_blob, describe_blob2;
event_describer describe_tables, describe_tables2, describe_crtm_version, describe_post_code;
event_describer describe_no_action, describe_hcrtm;
/* system_words.c */
event_describer describe_separator, describe_action, describe_ipl, describe_tag;
/* Any other: its text, or the first of its bytes. */
event_describer describe_bytes;

/* sipa_words.c: a list of Windows' tagged events, and whether the first is one. */
void words_add_sipa(struct words *words, struct bytes data);
bool sipa_tag_known(uint32_t tag);
/* certificate_words.c: whom an X.509 certificate names. False, and nothing added: not one. */
bool words_add_certificate(struct words *words, struct bytes der);

#endif
