/* SPDX-License-Identifier: Apache-2.0 */
/* What enroll and fetch share: the pinned broker, the TPM, the event log. */
#ifndef POSTERN_COMMAND_GUEST_H
#define POSTERN_COMMAND_GUEST_H

#include "attest/attester.h"
#include "broker.h"
#include "file.h"

struct guest_options {
	const char *config;    /* NULL: /etc/postern/guest.conf */
	const char *tcti;      /* NULL: the configuration's, else /dev/tpmrm0 */
	const char *event_log; /* NULL: the configuration's, else the kernel's where it may be read;
				  "none" */
};
#define GUEST_RULES(options)                                                                       \
	{"--config", OPTION_TEXT, &(options).config}, {"--tcti", OPTION_TEXT, &(options).tcti},    \
	{                                                                                          \
		"--event-log", OPTION_TEXT, &(options).event_log                                   \
	}

struct guest {
	struct settings *settings;
	struct broker broker;
	uint8_t release_key[32]; /* pinned */
	struct attester *attester;
	struct attester_ak ak;
	struct file_text event_log; /* empty: none */
};

/* Opens all of it. 0, or an exit status that was said; guest_close in either case, and again if
 * need be. */
int guest_open(struct guest *guest, const struct guest_options *options);
void guest_close(struct guest *guest);
#define auto_guest __attribute__((cleanup(guest_close))) struct guest

/* The broker's release_key must be the pinned one: false, with the problem filled, if it is not. */
bool guest_release_key(const struct guest *guest, const json_t *answer,
		       struct broker_problem *ret_problem);
/* Quotes; false with the problem filled. */
bool guest_quote(struct guest *guest, const uint8_t transcript[ATTEST_HASH_SIZE],
		 struct attester_quote *ret_quote, struct broker_problem *ret_problem);
/* quote, signature, pcrs and event_log as members. False: no memory. */
bool guest_evidence(const struct guest *guest, const struct attester_quote *quote, json_t *body);
int attester_exit(enum attester_status status);

#endif
