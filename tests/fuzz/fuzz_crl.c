/* SPDX-License-Identifier: Apache-2.0 */
/* With 2-byte lengths an EK's certificate and its issuer's; the rest is a CRL, which may turn an
 * acceptance into a refusal and never the other way. Whom a path rests on, no CRL that was asked
 * lists. */
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

/* Of one that would be kept: an accepted path has no link that it revokes. */
static void
compare(struct bytes crl, struct bytes issuer, const struct attest_chain *chain)
{
	static uint8_t links[4096][ATTEST_HASH_SIZE];
	struct attest_crl described;
	struct attest_error err;
	size_t count = 0;

	if (attest_crl_describe(crl, &issuer, 1, &described, &err) != ATTEST_OK ||
	    attest_crl_revoked(crl, described.issuer_id, 4096, links, &count, &err) != ATTEST_OK)
		return;
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && memcmp(links[i - 1], links[i], ATTEST_HASH_SIZE) >= 0)
			abort();
		for (size_t link = 0; link < chain->link_count; link++)
			if (memcmp(links[i], chain->links[link], ATTEST_HASH_SIZE) == 0)
				abort();
	}
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
	if (with == ATTEST_OK)
		compare(crl, issuer, &chain);
	return 0;
}
