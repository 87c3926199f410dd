/* SPDX-License-Identifier: Apache-2.0 */
#include "records.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#define RECORD_VERSION	1
#define RECORD_NAME_MAX 64

void
record_act_key(uint64_t revision, char ret_key[RECORD_KEY_SIZE])
{
	snprintf(ret_key, RECORD_KEY_SIZE, "act/%016" PRIx64, revision);
}

void
record_machine_key(const char *id, char ret_key[RECORD_KEY_SIZE])
{
	snprintf(ret_key, RECORD_KEY_SIZE, "machine/%s", id);
}

void
record_secret_key(struct bytes path, char ret_key[RECORD_KEY_SIZE])
{
	snprintf(ret_key, RECORD_KEY_SIZE, "secret/%.*s", (int)path.size, (const char *)path.data);
}

void
record_value_key(struct bytes path, uint32_t version, char ret_key[RECORD_KEY_SIZE])
{
	snprintf(ret_key, RECORD_KEY_SIZE, "value/%.*s@%08" PRIx32, (int)path.size,
		 (const char *)path.data, version);
}

void
record_lease_key(const uint8_t id[LEASE_ID_SIZE], char ret_key[RECORD_KEY_SIZE])
{
	char hex[2 * LEASE_ID_SIZE + 1];

	sodium_bin2hex(hex, sizeof(hex), id, LEASE_ID_SIZE);
	snprintf(ret_key, RECORD_KEY_SIZE, "lease/%s", hex);
}

void
record_claims_key(const char *id, char ret_key[RECORD_KEY_SIZE])
{
	snprintf(ret_key, RECORD_KEY_SIZE, "claims/%s", id);
}

bool
record_put_claims(struct store_batch *batch, const char *id, const struct claims_record *record)
{
	uint8_t memory[CLAIMS_RECORD_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	char key[RECORD_KEY_SIZE];

	claims_record_write(&w, record);
	record_claims_key(id, key);
	store_batch_put(batch, key, (struct store_bytes){memory, w.size});
	return !w.failed;
}

void
trust_record_write(struct writer *w, const struct trust_record *record)
{
	write_be64(w, record->revision);
	write_bytes(w, BYTES_OF(record->head));
}

bool
trust_record_read(struct bytes encoded, struct trust_record *ret_record)
{
	struct reader r = reader_of(encoded);
	struct trust_record record;

	record.revision = read_be64(&r);
	read_copy(&r, record.head, sizeof(record.head));
	if (!reader_finished(&r) || record.revision == 0)
		return false;
	*ret_record = record;
	return true;
}

void
act_record_write(struct writer *w, const struct act_record *record)
{
	write_lp(w, record->request);
	write_bytes(w, record->signature);
}

bool
act_record_read(struct bytes encoded, struct act_record *ret_record)
{
	struct reader r = reader_of(encoded);
	struct act_record record;

	record.request = read_lp(&r, STORE_VALUE_MAX);
	record.signature = read_bytes(&r, crypto_sign_BYTES);
	if (!reader_finished(&r))
		return false;
	*ret_record = record;
	return true;
}

void
lease_record_write(struct writer *w, const struct lease_record *record)
{
	write_u8(w, RECORD_VERSION);
	write_lp(w, record->machine);
	write_be64(w, (uint64_t)record->issued);
	write_be32(w, record->lifetime);
	write_be64(w, record->trust_revision);
	write_be16(w, record->count);
	for (size_t i = 0; i < record->count; i++) {
		write_lp(w, record->secrets[i].path);
		write_be32(w, record->secrets[i].version);
	}
}

bool
lease_record_read(struct bytes encoded, struct lease_record *ret_record)
{
	struct reader r = reader_of(encoded);
	struct lease_record record = {0};

	uint8_t version = read_u8(&r);
	record.machine = read_lp(&r, RECORD_NAME_MAX);
	record.issued = (int64_t)read_be64(&r);
	record.lifetime = read_be32(&r);
	record.trust_revision = read_be64(&r);
	record.count = (uint16_t)read_count(&r, read_be16(&r), WIRE_WANTED_MAX);
	for (size_t i = 0; i < record.count; i++) {
		record.secrets[i].path = read_lp(&r, WIRE_PATH_MAX);
		record.secrets[i].version = read_be32(&r);
	}
	if (!reader_finished(&r) || version != RECORD_VERSION || record.issued < 0)
		return false;
	*ret_record = record;
	return true;
}
