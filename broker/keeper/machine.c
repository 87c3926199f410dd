/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "json_out.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_VERSION 3

const char *
log_state_text(enum log_state state)
{
	switch (state) {
	case LOG_ABSENT:
		return "absent";
	case LOG_REFUSED:
		return "refused";
	case LOG_UNEXPLAINED:
		return "unexplained";
	case LOG_REPLAYS:
		return "replays";
	}
	return "absent";
}

const char *
ima_state_text(enum ima_state state)
{
	switch (state) {
	case IMA_ABSENT:
		return "absent";
	case IMA_REFUSED:
		return "refused";
	case IMA_VERIFIED:
		return "verified";
	}
	return "absent";
}

static void
write_endorsement(struct writer *w, const struct machine_endorsement *endorsement)
{
	write_u8(w, (uint8_t)endorsement->verdict);
	write_u8(w, endorsement->ca_count);
	write_bytes(w, endorsement->ca_ids);
	write_u8(w, endorsement->link_count);
	write_bytes(w, endorsement->links);
	write_lp(w, endorsement->problem);
}

static struct machine_endorsement
read_endorsement(struct reader *r)
{
	struct machine_endorsement endorsement;

	endorsement.verdict = (enum wire_verdict)read_count(r, read_u8(r), WIRE_VERIFIED);
	endorsement.ca_count = (uint8_t)read_count(r, read_u8(r), ATTEST_CHAIN_MAX);
	endorsement.ca_ids = read_bytes(r, (size_t)endorsement.ca_count * ATTEST_HASH_SIZE);
	endorsement.link_count = (uint8_t)read_count(r, read_u8(r), ATTEST_LINKS_MAX);
	endorsement.links = read_bytes(r, (size_t)endorsement.link_count * ATTEST_HASH_SIZE);
	endorsement.problem = read_lp(r, MACHINE_TEXT_MAX);
	return endorsement;
}

static void
write_instance(struct writer *w, const struct machine_instance *instance)
{
	write_u8(w, instance->known);
	if (!instance->known)
		return;
	write_lp(w, instance->zone);
	write_lp(w, instance->project);
	write_be64(w, instance->project_number);
	write_be64(w, instance->number);
	write_lp(w, instance->name);
}

static struct machine_instance
read_instance(struct reader *r)
{
	struct machine_instance instance = {.known = read_count(r, read_u8(r), 1) == 1};

	if (!instance.known)
		return instance;
	instance.zone = read_lp(r, MACHINE_TEXT_MAX);
	instance.project = read_lp(r, MACHINE_TEXT_MAX);
	instance.project_number = read_be64(r);
	instance.number = read_be64(r);
	instance.name = read_lp(r, MACHINE_TEXT_MAX);
	return instance;
}

void
machine_fixed_write(struct writer *w, const struct machine_fixed *fixed)
{
	write_be64(w, (uint64_t)fixed->first_seen);
	write_bytes_be16(w, fixed->ek_public);
	write_bytes_be16(w, fixed->ak_public);
	write_bytes_be16(w, fixed->ek_name);
	write_bytes_be16(w, fixed->ak_name);
	write_bytes(w, fixed->ek_id);
	write_lp(w, fixed->ek_kind);
	write_endorsement(w, &fixed->endorsement);
	write_lp(w, fixed->manufacturer);
	write_lp(w, fixed->model);
	write_lp(w, fixed->version);
	write_endorsement(w, &fixed->cloud);
	write_instance(w, &fixed->instance);
}

static bool
fixed_read(struct bytes encoded, struct machine_fixed *fixed)
{
	struct reader r = reader_of(encoded);

	fixed->first_seen = (int64_t)read_be64(&r);
	fixed->ek_public = read_bytes_be16(&r);
	fixed->ak_public = read_bytes_be16(&r);
	fixed->ek_name = read_bytes_be16(&r);
	fixed->ak_name = read_bytes_be16(&r);
	fixed->ek_id = read_bytes(&r, ATTEST_HASH_SIZE);
	fixed->ek_kind = read_lp(&r, MACHINE_TEXT_MAX);
	fixed->endorsement = read_endorsement(&r);
	fixed->manufacturer = read_lp(&r, MACHINE_TEXT_MAX);
	fixed->model = read_lp(&r, MACHINE_TEXT_MAX);
	fixed->version = read_lp(&r, MACHINE_TEXT_MAX);
	fixed->cloud = read_endorsement(&r);
	fixed->instance = read_instance(&r);
	return reader_finished(&r) && fixed->ak_name.size == AK_NAME_SIZE &&
	       fixed->ek_public.size <= ATTEST_PUBLIC_SIZE_MAX &&
	       fixed->ak_public.size <= ATTEST_PUBLIC_SIZE_MAX &&
	       fixed->ek_name.size <= ATTEST_NAME_SIZE_MAX && fixed->first_seen >= 0;
}

/* The index-th of two rows of hashes. */
static bool
pick(struct bytes one, struct bytes other, size_t index, struct bytes *ret_hash)
{
	size_t offset = index * ATTEST_HASH_SIZE;

	if (offset >= one.size) {
		offset -= one.size;
		one = other;
	}
	if (offset >= one.size)
		return false;
	*ret_hash = (struct bytes){one.data + offset, ATTEST_HASH_SIZE};
	return true;
}

bool
machine_ca(const struct machine_fixed *fixed, size_t index, struct bytes *ret_id)
{
	return pick(fixed->endorsement.ca_ids, fixed->cloud.ca_ids, index, ret_id);
}

bool
machine_link(const struct machine_fixed *fixed, size_t index, struct bytes *ret_link)
{
	return pick(fixed->endorsement.links, fixed->cloud.links, index, ret_link);
}

struct bytes
machine_anchor(const struct machine_endorsement *endorsement)
{
	struct bytes anchor = {0};

	if (endorsement->ca_count == 0)
		return anchor;
	/* Nearest first: the anchor is the last. */
	anchor.data =
		endorsement->ca_ids.data + (endorsement->ca_count - 1u) * (size_t)ATTEST_HASH_SIZE;
	anchor.size = ATTEST_HASH_SIZE;
	return anchor;
}

/* Numbers of 64 bits are texts: JSON's are not sure to hold them. */
void
out_machine_instance(struct json *json, const struct machine_instance *instance)
{
	char number[24];

	out_string(json, "zone", instance->zone);
	out_string(json, "project", instance->project);
	snprintf(number, sizeof(number), "%" PRIu64, instance->project_number);
	out_text(json, "project_number", number);
	snprintf(number, sizeof(number), "%" PRIu64, instance->number);
	out_text(json, "instance_id", number);
	out_string(json, "instance_name", instance->name);
}

void
machine_record_write(struct writer *w, const struct machine_record *record)
{
	write_u8(w, RECORD_VERSION);
	write_be64(w, (uint64_t)record->last_seen);
	write_u8(w, record->clock_known);
	write_be32(w, record->clock.reset_count);
	write_be32(w, record->clock.restart_count);
	write_be64(w, record->clock.clock);
	write_bytes(w, (struct bytes){record->pcrs[0], sizeof(record->pcrs)});
	write_u8(w, (uint8_t)record->log);
	write_u8(w, (uint8_t)record->ima);
	write_u8(w, (uint8_t)record->secure_boot);
	write_bytes(w, BYTES_OF(record->claims));
	write_u8(w, record->suspended);
	write_lp_text(w, record->reason);
	write_lp(w, record->encoded);
}

bool
machine_record_read(struct bytes encoded, struct machine_record *ret_record)
{
	struct reader r = reader_of(encoded);
	struct machine_record record = {0};

	uint8_t version = read_u8(&r);
	record.last_seen = (int64_t)read_be64(&r);
	record.clock_known = read_count(&r, read_u8(&r), 1) == 1;
	record.clock.reset_count = read_be32(&r);
	record.clock.restart_count = read_be32(&r);
	record.clock.clock = read_be64(&r);
	read_copy(&r, record.pcrs[0], sizeof(record.pcrs));
	record.log = (enum log_state)read_count(&r, read_u8(&r), LOG_REPLAYS);
	record.ima = (enum ima_state)read_count(&r, read_u8(&r), IMA_VERIFIED);
	record.secure_boot = (enum attest_answer)read_count(&r, read_u8(&r), ATTEST_YES);
	read_copy(&r, record.claims, sizeof(record.claims));
	record.suspended = read_count(&r, read_u8(&r), 1) == 1;
	struct bytes reason = read_lp(&r, sizeof(record.reason) - 1);
	record.encoded = read_lp(&r, MACHINE_RECORD_MAX);
	if (!reader_finished(&r) || version != RECORD_VERSION || record.last_seen < 0 ||
	    !fixed_read(record.encoded, &record.fixed))
		return false;
	if (reason.size > 0 && memchr(reason.data, 0, reason.size))
		return false;
	memcpy(record.reason, reason.data, reason.size);
	*ret_record = record;
	return true;
}

struct machine *
machine_new(const char *id)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	if (!machine)
		return NULL;
	memcpy(machine->id, id, MACHINE_ID_SIZE);
	pthread_mutex_init(&machine->mutex, NULL);
	return machine;
}

void
machine_free(struct machine *machine)
{
	if (!machine)
		return;
	attest_ak_free(machine->ak);
	free(machine->groups);
	free(machine->ima);
	free(machine->fixed_memory);
	pthread_mutex_destroy(&machine->mutex);
	free(machine);
}

void
machine_id_of(const uint8_t ek_id[ATTEST_HASH_SIZE], char ret_id[MACHINE_ID_SIZE])
{
	memcpy(ret_id, "m-", 2);
	sodium_bin2hex(ret_id + 2, MACHINE_ID_SIZE - 2, ek_id, 8);
}

bool
machine_id_valid(struct bytes text)
{
	if (text.size != MACHINE_ID_SIZE - 1 || text.data[0] != 'm' || text.data[1] != '-')
		return false;
	for (size_t i = 2; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return true;
}

bool
machine_enrol(struct machine *machine, const struct machine_record *record)
{
	uint8_t *memory = malloc(record->encoded.size);
	struct machine_record own = *record;

	if (!memory)
		return false;
	memcpy(memory, record->encoded.data, record->encoded.size);
	own.encoded.data = memory;
	if (!fixed_read(own.encoded, &own.fixed)) {
		free(memory);
		return false;
	}
	pthread_mutex_lock(&machine->mutex);
	machine->fixed_memory = memory;
	machine->record = own;
	machine->enrolled = true;
	pthread_mutex_unlock(&machine->mutex);
	return true;
}

void
machine_snapshot(struct machine *machine, struct machine_record *ret_record,
		 uint64_t *ret_accepted_at)
{
	pthread_mutex_lock(&machine->mutex);
	*ret_record = machine->record;
	if (ret_accepted_at)
		*ret_accepted_at = machine->accepted_at;
	pthread_mutex_unlock(&machine->mutex);
}

const struct attest_ak *
machine_ak(struct machine *machine)
{
	struct attest_error err;

	pthread_mutex_lock(&machine->mutex);
	if (!machine->ak &&
	    attest_ak_decode(machine->record.fixed.ak_public, &machine->ak, &err) != ATTEST_OK)
		machine->ak = NULL;
	const struct attest_ak *ak = machine->ak;
	pthread_mutex_unlock(&machine->mutex);
	return ak;
}

void
ak_name_of(struct bytes tpmt_public, uint8_t ret_name[AK_NAME_SIZE])
{
	ret_name[0] = 0x00; /* TPM_ALG_SHA256 */
	ret_name[1] = 0x0b;
	crypto_hash_sha256(ret_name + 2, tpmt_public.data, tpmt_public.size);
}
