/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_PUBLIC of an EK; for one that is accepted a credential can be made, whatever its key. */
#include "attest/attest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[32] = {1};
	const struct attest_name name = {.size = 34, .bytes = {0x00, 0x0b}};
	struct attest_credential credential;
	struct attest_ek *ek;
	struct attest_error err;
	uint8_t id[ATTEST_HASH_SIZE];

	if (attest_ek_decode((struct bytes){data, size}, &ek, &err) != ATTEST_OK)
		return 0;
	attest_ek_id(ek, id);
	if (attest_credential_make(ek, &name, BYTES_OF(secret), &credential, &err) != ATTEST_OK)
		abort();
	attest_ek_free(ek);
	return 0;
}
