/* SPDX-License-Identifier: Apache-2.0 */
/* What others say that real logs replay to. */
#ifndef POSTERN_TESTS_ORACLES_H
#define POSTERN_TESTS_ORACLES_H

#include "attest/eventlog.h"

struct oracle {
	struct attest_pcrs banks[ATTEST_BANKS]; /* `known`: the PCRs that it states */
};
/* By the file's name: JSON (`key` names the log in it), tpm2_eventlog's YAML, or a line per PCR. */
void oracle_load(const char *name, const char *key, struct oracle *ret_oracle);
/* Not an oracle: what the log itself leads to, for logs of which nobody states values. */
void oracle_of_log(struct bytes log, struct oracle *ret_oracle);

#endif
