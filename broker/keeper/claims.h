/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims of a machine's newest quote, as the keeper keeps them for policy-check and shows them to
 * people. All of them would be too much for both: what is left out is named.
 *
 *   claims/<machine id> = 1:u8 || SHA-256 of all claims:32 || count:u8 || id:u8 * count, of those
 *       left out, ascending || lp(the others, attest/claims.h's encoding)
 */
#ifndef POSTERN_KEEPER_CLAIMS_H
#define POSTERN_KEEPER_CLAIMS_H

#include "json_out.h"

#include "attest/claims.h"

#define CLAIMS_KEPT_MAX	  4096 /* bytes of them in a record */
#define CLAIMS_RECORD_MAX (1 + 32 + 1 + 256 + 4 + CLAIMS_KEPT_MAX)
#define CLAIMS_TEXT_SHOWN 256 /* bytes of a text in an audit entry; of longer ones the size */

struct claims_record {
	uint8_t hash[32];
	uint8_t left_out_count;
	uint8_t left_out[256]; /* ids */
	struct bytes kept;
};
/* What of all claims is kept: the largest are left out until the others fit. Writes the kept ones
 * into `kept_w`, which has room for CLAIMS_KEPT_MAX. */
void claims_select(struct bytes all, struct writer *kept_w, struct claims_record *ret_record);
void claims_record_write(struct writer *w, const struct claims_record *record);
/* `kept` points into `encoded`. */
__attribute__((warn_unused_result)) bool claims_record_read(struct bytes encoded,
							    struct claims_record *ret_record);
/* The hash that names them; zeros where there are none. */
void claims_hash(struct bytes all, uint8_t ret_hash[32]);

/* Members of the object that is open: every value, or of lists their count and of long texts their
 * size ({"count":n}, {"size":n}). */
void claims_out(struct json *json, struct bytes claims);
void claims_out_small(struct json *json, struct bytes claims);

#endif
