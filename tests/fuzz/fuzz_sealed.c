/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a key sealed by a TPM. What reads is what it writes to; and since no mutation finds
 * the hash at its end, each input is read with the right one too. */
#include "attest/attester/host_internal.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(struct bytes file)
{
	uint8_t written[HOST_SEALED_MAX];
	struct host_sealed sealed;
	size_t size;

	if (!host_sealed_read(file, &sealed))
		return;
	if (sealed.pcrs.mask == 0 || sealed.pcrs.mask > HOST_PCRS_ALL)
		abort();
	if (!host_sealed_write(&sealed, written, &size)) {
		if (file.size <= HOST_SEALED_MAX)
			abort();
		return;
	}
	if (!bytes_equal(file, (struct bytes){written, size}))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *hashed = malloc(size + ATTEST_HASH_SIZE);

	check((struct bytes){data, size});
	if (hashed == NULL)
		return 0;
	if (size > 0)
		memcpy(hashed, data, size);
	if (EVP_Digest(data, size, hashed + size, NULL, EVP_sha256(), NULL) == 1)
		check((struct bytes){hashed, size + ATTEST_HASH_SIZE});
	free(hashed);
	return 0;
}
