/* SPDX-License-Identifier: Apache-2.0 */
#include "ek.h"

#include "certificate.h"
#include "command.h"
#include "encode.h"

#include <string.h>

#define PUBLIC_FILE_MAX 8192

int
ek_id_from_certificate(const char *path, uint8_t ret_id[ATTEST_HASH_SIZE])
{
	struct certificate certificate;
	struct attest_ek *ek = NULL;
	struct attest_error err;
	int status = certificate_read(path, &certificate);

	if (status != 0)
		return status;
	if (attest_ek_from_certificate((struct bytes){certificate.der, certificate.size}, &ek,
				       &err) != ATTEST_OK)
		return complain(EX_DATAERR, "%s: not the certificate of an EK: %s", path,
				err.message);
	attest_ek_id(ek, ret_id);
	attest_ek_free(ek);
	return 0;
}

bool
ek_id_from_area(struct bytes tpmt_public, uint8_t ret_id[ATTEST_HASH_SIZE])
{
	struct attest_ek *ek = NULL;
	struct attest_error err;

	if (attest_ek_decode(tpmt_public, &ek, &err) != ATTEST_OK)
		return false;
	attest_ek_id(ek, ret_id);
	attest_ek_free(ek);
	return true;
}

int
ek_id_from_public(const char *path, uint8_t ret_id[ATTEST_HASH_SIZE])
{
	auto_file_text file = {.data = NULL};
	int status = file_read(path, PUBLIC_FILE_MAX, &file);

	if (status != 0)
		return status;
	struct bytes whole = {(const uint8_t *)file.data, file.size};
	struct reader r = reader_of(whole);
	struct bytes inner = read_bytes_be16(&r); /* TPM2B_PUBLIC: a size, then TPMT_PUBLIC */
	if (ek_id_from_area(whole, ret_id) ||
	    (reader_finished(&r) && ek_id_from_area(inner, ret_id)) ||
	    public_key_id(file.data, file.size, ret_id))
		return 0;
	return complain(EX_DATAERR,
			"%s: neither TPMT_PUBLIC nor TPM2B_PUBLIC of an EK, nor a PEM public key",
			path);
}

void
machine_id_text(const uint8_t ek_id[ATTEST_HASH_SIZE], char ret_text[MACHINE_ID_SIZE])
{
	memcpy(ret_text, "m-", 2);
	hex_encode(ek_id, 8, ret_text + 2);
}
