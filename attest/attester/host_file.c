/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a sealed key. */
#include "host_internal.h"

#include <openssl/evp.h>
#include <string.h>

#define PART_MAX 512 /* a name has 34 bytes, the two areas some 80 and 160 */

static bool
hash(struct bytes input, uint8_t ret_hash[ATTEST_HASH_SIZE])
{
	return EVP_Digest(input.data, input.size, ret_hash, NULL, EVP_sha256(), NULL) == 1;
}

static struct bytes
read_part(struct reader *r)
{
	struct bytes part = read_bytes_be16(r);

	if (part.size == 0 || part.size > PART_MAX)
		reader_fail(r);
	return part;
}

static void
read_pcrs(struct reader *r, struct host_pcrs *ret_pcrs)
{
	uint32_t mask = read_be32(r);

	if (mask == 0 || (mask & ~HOST_PCRS_ALL) != 0) {
		reader_fail(r);
		return;
	}
	ret_pcrs->mask = mask;
	for (unsigned pcr = 0; pcr < HOST_PCR_COUNT; pcr++)
		if (mask & 1U << pcr)
			read_copy(r, ret_pcrs->values[pcr], ATTEST_HASH_SIZE);
}

bool
host_sealed_read(struct bytes file, struct host_sealed *ret_sealed)
{
	struct host_sealed sealed = {.pcrs = {.mask = 0}};
	struct reader r = reader_of(file);
	uint8_t sum[ATTEST_HASH_SIZE];

	uint32_t magic = read_be32(&r);
	uint16_t version = read_be16(&r);
	read_pcrs(&r, &sealed.pcrs);
	sealed.primary = read_part(&r);
	sealed.public_area = read_part(&r);
	sealed.private_area = read_part(&r);
	const struct bytes covered = {file.data, file.size - r.left};
	const struct bytes stated = read_bytes(&r, ATTEST_HASH_SIZE);
	if (!reader_finished(&r) || magic != HOST_SEALED_MAGIC || version != HOST_SEALED_VERSION)
		return false;
	if (!hash(covered, sum) || !bytes_equal(stated, BYTES_OF(sum)))
		return false;
	*ret_sealed = sealed;
	return true;
}

bool
host_sealed_write(const struct host_sealed *sealed, uint8_t ret_file[HOST_SEALED_MAX],
		  size_t *ret_size)
{
	uint8_t file[HOST_SEALED_MAX], sum[ATTEST_HASH_SIZE];
	struct writer w = writer_of(file, sizeof(file));

	write_be32(&w, HOST_SEALED_MAGIC);
	write_be16(&w, HOST_SEALED_VERSION);
	write_be32(&w, sealed->pcrs.mask);
	for (unsigned pcr = 0; pcr < HOST_PCR_COUNT; pcr++)
		if (sealed->pcrs.mask & 1U << pcr)
			write_bytes(&w, BYTES_OF(sealed->pcrs.values[pcr]));
	write_bytes_be16(&w, sealed->primary);
	write_bytes_be16(&w, sealed->public_area);
	write_bytes_be16(&w, sealed->private_area);
	if (w.failed || !hash(writer_bytes(&w), sum))
		return false;
	write_bytes(&w, BYTES_OF(sum));
	if (w.failed)
		return false;
	memcpy(ret_file, file, w.size);
	*ret_size = w.size;
	return true;
}

bool
host_sealed_pcrs(const uint8_t *sealed, size_t size, uint32_t *ret_pcrs)
{
	struct host_sealed parsed;

	if (!host_sealed_read((struct bytes){sealed, size}, &parsed))
		return false;
	*ret_pcrs = parsed.pcrs.mask;
	return true;
}
