/* SPDX-License-Identifier: Apache-2.0 */
/* A file of certificates, or of CRLs. */
#include "attest/endorsement.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (unsigned kind = ATTEST_CERTIFICATE; kind <= ATTEST_CRL; kind++) {
		struct attest_bundle bundle;
		struct attest_error err;
		size_t total = 0;

		if (attest_bundle_read((struct bytes){data, size}, (enum attest_item)kind, &bundle,
				       &err) != ATTEST_OK)
			continue;
		if (bundle.count == 0 || bundle.count > ATTEST_PILE_MAX)
			abort();
		for (size_t i = 0; i < bundle.count; i++) {
			/* Reads its ends, for the sanitizer. */
			if (bundle.items[i].size == 0 ||
			    bundle.items[i].data[0] +
					    bundle.items[i].data[bundle.items[i].size - 1] <
				    0)
				abort();
			total += bundle.items[i].size;
		}
		if (total > size)
			abort();
		attest_bundle_clear(&bundle);
	}
	return 0;
}
