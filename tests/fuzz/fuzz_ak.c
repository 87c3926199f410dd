/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_PUBLIC of an AK. One that is accepted is 120 bytes on P-256 and 312 of RSA, and
 * its name hashes all of them. */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_ak *ak;
	struct attest_error err;

	if (attest_ak_decode((struct bytes){data, size}, &ak, &err) != ATTEST_OK)
		return 0;
	if ((size != 120 && size != 312) || attest_ak_name(ak)->size != 34)
		abort();
	attest_ak_free(ak);
	return 0;
}
