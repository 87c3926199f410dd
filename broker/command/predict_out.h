/* SPDX-License-Identifier: Apache-2.0 */
/* What a prediction says, to people and to programs. */
#ifndef POSTERN_COMMAND_PREDICT_OUT_H
#define POSTERN_COMMAND_PREDICT_OUT_H

#include "attest/image.h"

#define PHASES_MAX     8
#define PHASE_WORD_MAX 32
#define PHASE_PATH_MAX (PHASES_MAX * PHASE_WORD_MAX)

struct phase {				  /* a point in time */
	char path[PHASE_PATH_MAX];	  /* "enter-initrd:leave-initrd" */
	uint8_t value[ATTEST_DIGEST_MAX]; /* of PCR 11 then */
};

struct phases {
	size_t count;
	size_t taken; /* which of them the baseline is of */
	struct phase items[PHASES_MAX + 1];
};

/* To stdout. 0 or EX_SOFTWARE. */
int prediction_print_json(const struct attest_prediction *prediction, const struct phases *phases,
			  unsigned stub);
/* `name` of the baseline may be NULL. */
void prediction_print(const struct attest_prediction *prediction, const struct phases *phases,
		      const char *name);

#endif
