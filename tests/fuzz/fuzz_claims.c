/* SPDX-License-Identifier: Apache-2.0 */
/* Claims as another process sends them. Whatever is accepted is what its own values encode to. */
#include "attest/claims.h"

#include <stdlib.h>

#define VALUES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
make(struct attest_claims *claims, struct attest_claim *claim)
{
	static struct bytes values[VALUES_MAX];
	enum attest_claim_id id = claim->rule->id;

	if (claim->count > VALUES_MAX || (!claim->rule->list && claim->count != 1))
		abort();
	for (uint32_t i = 0; i < claim->count; i++)
		values[i] = attest_claim_next_value(claim);
	if (claim->values.failed || claim->values.left > 0)
		abort();
	switch (claim->rule->kind) {
	case CLAIM_KIND_BOOLEAN:
		return attest_claim_boolean(claims, id, attest_claim_value_boolean(values[0]));
	case CLAIM_KIND_NUMBER:
		if (!claim->rule->list)
			return attest_claim_number(claims, id,
						   attest_claim_value_number(values[0]));
		return attest_claim_values(claims, id, values, claim->count);
	case CLAIM_KIND_TEXT:
	case CLAIM_KIND_DIGEST:
		return attest_claim_values(claims, id, values, claim->count);
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct attest_claims claims;
	const struct bytes input = {data, size};
	struct reader r = reader_of(input);
	struct attest_claim claim;
	bool made = true;

	claims.size = 0;
	while (attest_claim_next(&r, &claim) && made)
		made = make(&claims, &claim);
	if (!attest_claims_valid(input))
		return 0;
	if (!made || r.failed || !bytes_equal(input, (struct bytes){claims.encoded, claims.size}))
		abort();
	return 0;
}
