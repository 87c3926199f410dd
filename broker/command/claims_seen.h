/* SPDX-License-Identifier: Apache-2.0 */
/* Claims as the broker recorded them, in short: of lists how many values they have. */
#ifndef POSTERN_COMMAND_CLAIMS_SEEN_H
#define POSTERN_COMMAND_CLAIMS_SEEN_H

#include "json.h"

/* A line for each, after `indent`; nothing where there are none. */
void claims_seen_print(const char *indent, json_t *claims);

#endif
