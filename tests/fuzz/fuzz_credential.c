/* SPDX-License-Identifier: Apache-2.0 */
/* An activation blob of a TPM2B name and a TPM2B secret that somebody chose, under the template
 * that the first byte chooses. The broker makes these blobs; only TPMs take them apart. */
#include "attest/credential.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of either hash that templates have. */
static const struct ek_template TEMPLATES[] = {
	{.hash = "SHA256", .hash_size = 32, .aes_bits = 128},
	{.hash = "SHA384", .hash_size = 48, .aes_bits = 256},
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t seed[HASH_SIZE_MAX] = {1, 2, 3};
	struct reader r = reader_of((struct bytes){data, size});
	const struct ek_template *template = &TEMPLATES[read_u8(&r) & 1];
	struct bytes name_bytes = read_bytes_be16(&r);
	struct bytes secret = read_bytes_be16(&r);
	struct attest_name name = {.size = name_bytes.size};
	uint8_t memory[ATTEST_CREDENTIAL_MAX];
	struct writer w = writer_of(memory, sizeof(memory));

	if (!reader_finished(&r) || name.size > sizeof(name.bytes))
		return 0;
	if (name.size > 0)
		memcpy(name.bytes, name_bytes.data, name.size);
	bool sealed = credential_seal(template, seed, &name, secret, &w);
	if (sealed != (secret.size <= HASH_SIZE_MAX))
		abort();
	if (!sealed)
		return 0;
	/* TPM2B integrity as long as the hash, then TPM2B secret, encrypted. */
	struct reader blob = reader_of(writer_bytes(&w));
	if (read_bytes_be16(&blob).size != template->hash_size || blob.left != 2 + secret.size)
		abort();
	return 0;
}
