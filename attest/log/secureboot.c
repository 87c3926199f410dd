/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PFP 1.05, 3.3.4.8: PCR 7 holds SecureBoot, PK, KEK, db, dbx, a separator, and then what
 * authorized each image. The digest covers name and value but not the type of an event, so a claim
 * needs the whole sequence: whoever relabels an event, or appends another machine's, must break it.
 */
#include "events.h"
#include "witnesses.h"

#include <stddef.h>

#define NAME_CHARACTERS_MAX 64
#define GUID_SIZE	    16

static const uint8_t GLOBAL[GUID_SIZE] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
					  0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};
static const uint8_t IMAGE_SECURITY[GUID_SIZE] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45,
						  0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f};

struct variable_name {
	const uint8_t *guid;
	const char *name;
};

static const struct variable_name REQUIRED[] = {
	{GLOBAL, "SecureBoot"}, {GLOBAL, "PK"},		 {GLOBAL, "KEK"},
	{IMAGE_SECURITY, "db"}, {IMAGE_SECURITY, "dbx"},
};
/* These may follow dbx. */
static const struct variable_name OPTIONAL[] = {
	{GLOBAL, "AuditMode"},
	{GLOBAL, "DeployedMode"},
	{IMAGE_SECURITY, "dbt"},
	{IMAGE_SECURITY, "dbr"},
};

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define STEP_VARIABLES COUNT(REQUIRED)	    /* all required variables were seen */
#define STEP_SEPARATED (STEP_VARIABLES + 1) /* and the separator */

struct secureboot {
	unsigned step; /* how far the grammar has come */
	bool broken;   /* an event did not fit, or its digest is not of its data: no claim */
	bool on;
};

/* UEFI_VARIABLE_DATA, PFP 10.2.6. */
struct variable {
	struct bytes guid;
	struct bytes name; /* UTF-16LE */
	struct bytes value;
};

static bool
decode_variable(struct bytes data, struct variable *ret_variable)
{
	struct reader r = reader_of(data);

	ret_variable->guid = read_bytes(&r, GUID_SIZE);
	uint64_t characters = read_le64(&r);
	uint64_t size = read_le64(&r);
	if (characters > NAME_CHARACTERS_MAX || size > ATTEST_EVENTLOG_MAX)
		return false;
	ret_variable->name = read_bytes(&r, 2 * (size_t)characters);
	ret_variable->value = read_bytes(&r, (size_t)size);
	return reader_finished(&r);
}

static bool
variable_is(const struct variable *variable, const struct variable_name *wanted)
{
	struct reader r = reader_of(variable->name);

	for (const char *c = wanted->name; *c != '\0'; c++)
		if (read_le16(&r) != (uint8_t)*c)
			return false;
	return reader_finished(&r) &&
	       bytes_equal(variable->guid, (struct bytes){wanted->guid, GUID_SIZE});
}

static bool
step_variable(struct secureboot *secureboot, struct bytes data)
{
	struct variable variable;

	if (!decode_variable(data, &variable))
		return false;
	if (secureboot->step == STEP_VARIABLES) {
		for (size_t i = 0; i < COUNT(OPTIONAL); i++)
			if (variable_is(&variable, &OPTIONAL[i]))
				return true;
		return false;
	}
	if (secureboot->step > STEP_VARIABLES ||
	    !variable_is(&variable, &REQUIRED[secureboot->step]))
		return false;
	/* Absent counts as off; anything but one byte 0 or 1 is nothing we can read. */
	if (secureboot->step == 0) {
		if (variable.value.size > 1 ||
		    (variable.value.size == 1 && variable.value.data[0] > 1))
			return false;
		secureboot->on = variable.value.size == 1 && variable.value.data[0] == 1;
	}
	secureboot->step++;
	return true;
}

static bool
step_separator(struct secureboot *secureboot, struct bytes data)
{
	static const uint8_t zero[4];

	if (secureboot->step != STEP_VARIABLES || !bytes_equal(data, BYTES_OF(zero)))
		return false;
	secureboot->step = STEP_SEPARATED;
	return true;
}

static bool
step(struct secureboot *secureboot, const struct attest_event *event)
{
	switch (event->type) {
	case EV_EFI_VARIABLE_DRIVER_CONFIG:
		return step_variable(secureboot, event->data);
	case EV_SEPARATOR:
		return step_separator(secureboot, event->data);
	case EV_EFI_VARIABLE_AUTHORITY:
		return secureboot->step == STEP_SEPARATED;
	default:
		return false;
	}
}

/* The digest is of the data; shim's authorities are sometimes logged with a byte more than was
 * hashed. */
static bool
recomputed(const struct attest_event *event, struct witness_hash *hash)
{
	struct bytes digest = event->digests[hash->bank];
	struct bytes data = event->data;

	if (witness_hash_matches(hash, digest, data, (struct bytes){0}))
		return true;
	if (event->type != EV_EFI_VARIABLE_AUTHORITY || data.size == 0)
		return false;
	data.size--;
	return witness_hash_matches(hash, digest, data, (struct bytes){0});
}

static void
witness_event(void *state, const struct attest_event *event, struct witness_hash *hash)
{
	struct secureboot *secureboot = state;

	if (!secureboot->broken)
		secureboot->broken = !recomputed(event, hash) || !step(secureboot, event);
}

static void
conclude(const void *state, uint32_t held, struct witness_hash *hash, struct attest_claims *claims)
{
	const struct secureboot *secureboot = state;

	(void)hash;
	if ((held >> 7 & 1) == 0 || secureboot->broken || secureboot->step != STEP_SEPARATED)
		return;
	attest_claim_boolean(claims, CLAIM_SECURE_BOOT, secureboot->on);
}

const struct witness witness_secureboot = {
	.name = "secure boot",
	.pcrs = 1U << 7,
	.state_size = sizeof(struct secureboot),
	.event = witness_event,
	.conclude = conclude,
};
