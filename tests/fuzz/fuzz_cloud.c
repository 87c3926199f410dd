/* SPDX-License-Identifier: Apache-2.0 */
/* With 2-byte lengths: Postern's AK, the cloud's, a certification and its signature, the cloud's
 * certificate and its anchor. */
#include "attest/endorsement.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of((struct bytes){data, size});
	struct bytes area = read_bytes_be16(&r);
	struct attest_cloud_input input = {
		.cloud_public = read_bytes_be16(&r), .certificate_count = 1, .qualifying = {7}};
	input.message = read_bytes_be16(&r);
	input.signature = read_bytes_be16(&r);
	struct bytes certificate = read_bytes_be16(&r);
	struct bytes anchor = read_bytes_be16(&r);
	struct attest_trust trust = {.anchors = &anchor, .anchor_count = 1, .now = 1800000000};
	struct attest_chain chain;
	struct attest_error err;
	struct attest_ak *ak;

	if (r.failed || attest_ak_decode(area, &ak, &err) != ATTEST_OK)
		return 0;
	input.ak = ak;
	input.certificates = &certificate;
	if (attest_cloud_verify(&input, &trust, &chain, &err) == ATTEST_OK) {
		/* Never without its anchor. */
		trust.anchor_count = 0;
		if (chain.ca_count == 0 ||
		    attest_cloud_verify(&input, &trust, &chain, &err) == ATTEST_OK)
			abort();
	}
	attest_ak_free(ak);
	return 0;
}
