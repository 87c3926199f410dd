/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates with 2-byte lengths: the EK's, helpers, and last the anchor. */
#include "attest/attest.h"
#include "attest/endorsement.h"

#include <stdlib.h>
#include <string.h>

#define CERTIFICATES_MAX 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of((struct bytes){data, size});
	struct bytes certificates[CERTIFICATES_MAX];
	size_t count = 0;
	struct attest_ek *ek;
	struct attest_chain chain;
	struct attest_error err;
	uint8_t id[ATTEST_HASH_SIZE];
	char subject[160];

	while (r.left > 0 && count < CERTIFICATES_MAX)
		certificates[count++] = read_bytes_be16(&r);
	if (count < 2 || r.failed)
		return 0;
	bool anchor =
		attest_anchor_describe(certificates[count - 1], id, subject, &err) == ATTEST_OK;
	if (anchor && memchr(subject, '\0', sizeof(subject)) == NULL)
		abort();
	if (attest_ek_from_certificate(certificates[0], &ek, &err) != ATTEST_OK)
		return 0;
	if (attest_chain_verify(ek, certificates, count - 1,
				&(const struct attest_trust){.anchors = &certificates[count - 1],
							     .anchor_count = 1,
							     .now = 1800000000},
				&chain, &err) == ATTEST_OK &&
	    (!anchor || chain.ca_count == 0))
		abort();
	attest_ek_free(ek);
	return 0;
}
