/* SPDX-License-Identifier: Apache-2.0 */
/* What a baseline leaves open, and what of it will break: one table of rules over PCR values. */
#ifndef POSTERN_COMMAND_LINT_H
#define POSTERN_COMMAND_LINT_H

#include "attest/eventlog.h"

#define LINT_NO_PCR (-1)

struct lint_subject {
	const char *name;
	struct attest_pcrs pcrs;
	bool dated; /* it is a baseline of a broker, which has dates */
	bool ends;
};

struct lint_rule {
	const char *code; /* stable: "pcr7.absent" */
	int pcr;	  /* LINT_NO_PCR: of the whole */
	bool (*applies)(const struct lint_subject *subject, unsigned pcr);
	const char *why;    /* what it leaves open, or why it breaks */
	const char *advice; /* what to do */
};

/* NULL after the last. */
const struct lint_rule *lint_rule_at(size_t index);
bool lint_applies(const struct lint_rule *rule, const struct lint_subject *subject);
/* Does whatever matches `narrow` match `broad` too? */
bool lint_covers(const struct lint_subject *broad, const struct lint_subject *narrow);

#endif
