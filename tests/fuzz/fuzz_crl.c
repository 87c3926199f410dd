/* SPDX-License-Identifier: Apache-2.0 */
/* With 2-byte lengths an EK's certificate and its issuer's; the rest is a CRL, which may turn an
 * acceptance into a refusal and never the other way. */
#include "attest/endorsement.h"

#include <stdlib.h>
#include <string.h>

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
describe(struct bytes crl, struct bytes issuer)
{
	struct attest_crl described;
	struct attest_error err;

	if (attest_crl_describe(crl, &issuer, 1, &described, &err) == ATTEST_OK &&
	    (memchr(described.issuer, '\0', sizeof(described.issuer)) == NULL ||
	     described.revoked > crl.size))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of((struct bytes){data, size});
	struct bytes leaf = read_bytes_be16(&r);
	struct bytes issuer = read_bytes_be16(&r);
	struct bytes crl = read_bytes(&r, r.left);
	struct attest_trust trust = {
		.anchors = &issuer, .anchor_count = 1, .crls = &crl, .now = NOW};
	struct attest_chain chain;
	struct attest_error err;
	struct attest_ek *ek;

	if (r.failed)
		return 0;
	describe(crl, issuer);
	if (attest_ek_from_certificate(leaf, &ek, &err) != ATTEST_OK)
		return 0;
	enum attest_status without = attest_chain_verify(ek, &leaf, 1, &trust, &chain, &err);
	trust.crl_count = 1;
	enum attest_status with = attest_chain_verify(ek, &leaf, 1, &trust, &chain, &err);
	attest_ek_free(ek);
	if (with == ATTEST_OK && without != ATTEST_OK)
		abort();
	return 0;
}
