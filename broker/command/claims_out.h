/* SPDX-License-Identifier: Apache-2.0 */
/* Claims as people and programs read them, whatever they are of: by the rules of attest/claims.h
 * alone, so that a new claim needs no line here. */
#ifndef POSTERN_COMMAND_CLAIMS_OUT_H
#define POSTERN_COMMAND_CLAIMS_OUT_H

#include "attest/claims.h"

#include <jansson.h>

/* A new object, a member per claim: booleans, integers, texts, digests in lower-case hex; arrays of
 * these where the rule says list. Empty without claims; NULL without memory. */
json_t *claims_json(const struct attest_claims *claims);
/* To stdout: name, value and meaning of each, indented by two spaces, one value a line
 * and of long lists the first. Returns how many claims there were; prints nothing without any. */
size_t claims_print(const struct attest_claims *claims);

#endif
