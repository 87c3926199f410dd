/* SPDX-License-Identifier: Apache-2.0 */
#include "software_tpm.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define EV_NO_ACTION 3U
#define EV_SEPARATOR 4U
#define EV_IPL	     13U
#define EV_POST_CODE 1U
#define EV_VARIABLE  0x80000001U
#define EV_AUTHORITY 0x800000e0U

static void
append(struct software_log *log, const void *data, size_t size)
{
	log->data = realloc(log->data, log->size + size);
	assert(log->data != NULL);
	if (size > 0)
		memcpy(log->data + log->size, data, size);
	log->size += size;
}

static void
append_le(struct software_log *log, uint64_t value, size_t size)
{
	uint8_t le[8];

	for (size_t i = 0; i < size; i++)
		le[i] = (uint8_t)(value >> 8 * i);
	append(log, le, size);
}

static void
sha256(struct bytes input, uint8_t ret[ATTEST_HASH_SIZE])
{
	assert(EVP_Digest(input.data, input.size, ret, NULL, EVP_sha256(), NULL) == 1);
}

static void
extend(uint8_t pcr[ATTEST_HASH_SIZE], const uint8_t digest[ATTEST_HASH_SIZE])
{
	uint8_t both[2 * ATTEST_HASH_SIZE];

	memcpy(both, pcr, ATTEST_HASH_SIZE);
	memcpy(both + ATTEST_HASH_SIZE, digest, ATTEST_HASH_SIZE);
	sha256(BYTES_OF(both), pcr);
}

void
software_log_begin(struct software_log *log)
{
	static const uint8_t spec_id[] = {'S', 'p', 'e', 'c', ' ', 'I', 'D',  ' ', 'E',	 'v', 'e',
					  'n', 't', '0', '3', 0,   0,	0,    0,   0,	 0,   2,
					  0,   2,   1,	 0,   0,   0,	0x0b, 0,   0x20, 0,   0};
	static const uint8_t no_digest[20];

	*log = (struct software_log){0};
	append_le(log, 0, 4);
	append_le(log, EV_NO_ACTION, 4);
	append(log, no_digest, sizeof(no_digest));
	append_le(log, sizeof(spec_id), 4);
	append(log, spec_id, sizeof(spec_id));
}

void
software_log_event_with(struct software_log *log, uint32_t pcr, uint32_t type,
			const uint8_t digest[ATTEST_HASH_SIZE], struct bytes data)
{
	append_le(log, pcr, 4);
	append_le(log, type, 4);
	append_le(log, 1, 4);
	append_le(log, 0x0b, 2);
	append(log, digest, ATTEST_HASH_SIZE);
	append_le(log, data.size, 4);
	append(log, data.data, data.size);
	if (type != EV_NO_ACTION && pcr < ATTEST_PCR_COUNT)
		extend(log->pcrs[pcr], digest);
}

void
software_log_event(struct software_log *log, uint32_t pcr, uint32_t type, struct bytes data)
{
	uint8_t digest[ATTEST_HASH_SIZE] = {0};

	if (type != EV_NO_ACTION)
		sha256(data, digest);
	software_log_event_with(log, pcr, type, digest, data);
}

void
software_log_variable(struct software_log *log, uint32_t type, bool image_security,
		      const char *name, struct bytes value)
{
	static const uint8_t global[] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
					 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
	static const uint8_t image[] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
					0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};
	struct software_log scratch = {0};

	append(&scratch, image_security ? image : global, 16);
	append_le(&scratch, strlen(name), 8);
	append_le(&scratch, value.size, 8);
	for (const char *c = name; *c != '\0'; c++)
		append_le(&scratch, (uint8_t)*c, 2);
	append(&scratch, value.data, value.size);
	software_log_event(log, 7, type, (struct bytes){scratch.data, scratch.size});
	software_log_free(&scratch);
}

void
software_log_boot(struct software_log *log, uint32_t event_count, bool secure_boot)
{
	static const uint8_t key[64] = {0x30, 0x82};
	static const uint8_t separator[4];
	uint8_t enabled = secure_boot;
	uint8_t line[16];

	software_log_begin(log);
	software_log_event(log, 0, EV_POST_CODE, BYTES_OF(key));
	software_log_variable(log, EV_VARIABLE, false, "SecureBoot", (struct bytes){&enabled, 1});
	software_log_variable(log, EV_VARIABLE, false, "PK", BYTES_OF(key));
	software_log_variable(log, EV_VARIABLE, false, "KEK", BYTES_OF(key));
	software_log_variable(log, EV_VARIABLE, true, "db", BYTES_OF(key));
	software_log_variable(log, EV_VARIABLE, true, "dbx", BYTES_OF(key));
	for (uint32_t pcr = 0; pcr < 8; pcr++)
		software_log_event(log, pcr, EV_SEPARATOR, BYTES_OF(separator));
	software_log_variable(log, EV_AUTHORITY, true, "db", BYTES_OF(key));
	for (uint32_t i = 15; i < event_count; i++) {
		struct writer w = writer_of(line, sizeof(line));

		write_be32(&w, i);
		software_log_event(log, 8 + i % 2, EV_IPL, writer_bytes(&w));
	}
}

void
software_log_free(struct software_log *log)
{
	free(log->data);
	*log = (struct software_log){0};
}

void
software_pcr_extend_text(uint8_t pcr[ATTEST_HASH_SIZE], const char *text)
{
	uint8_t digest[ATTEST_HASH_SIZE];

	sha256((struct bytes){(const uint8_t *)text, strlen(text)}, digest);
	extend(pcr, digest);
}
