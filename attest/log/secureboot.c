/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PFP 1.05, 3.3.4.8: PCR 7 holds SecureBoot, PK, KEK, db, dbx, a separator, and then what
 * authorized each image. The digest covers name and value but not the type of an event, so a claim
 * needs the whole sequence: whoever relabels an event, or appends another machine's, must break it.
 */
#include "attest/events.h"
#include "attest/signaturelist.h"
#include "attest/variable.h"
#include "authorities.h"
#include "witnesses.h"

#include <string.h>

static const struct variable_name REQUIRED[] = {
	{VARIABLE_GLOBAL, "SecureBoot"}, {VARIABLE_GLOBAL, "PK"},	   {VARIABLE_GLOBAL, "KEK"},
	{VARIABLE_IMAGE_SECURITY, "db"}, {VARIABLE_IMAGE_SECURITY, "dbx"},
};
enum { SECURE_BOOT, PK, KEK, DB, DBX, REQUIRED_COUNT };
/* These may follow dbx, each once. */
static const struct variable_name OPTIONAL[] = {
	{VARIABLE_GLOBAL, "AuditMode"},
	{VARIABLE_GLOBAL, "DeployedMode"},
	{VARIABLE_IMAGE_SECURITY, "dbt"},
	{VARIABLE_IMAGE_SECURITY, "dbr"},
};
enum { AUDIT_MODE, DEPLOYED_MODE, DBT, DBR, OPTIONAL_COUNT };
/* EV_EFI_ACTIONs, anywhere before the separator, each once: PFP 1.05, 3.3.4.8, and what Windows
 * asks of firmware that lets its DMA protection be switched off. */
static const char *const ACTIONS[] = {"UEFI Debug Mode", "DMA Protection Disabled"};
enum { DEBUG_MODE, DMA_PROTECTION_DISABLED, ACTION_COUNT };

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define STEP_SEPARATED (REQUIRED_COUNT + 1) /* all required variables, and the separator */

_Static_assert(COUNT(REQUIRED) == REQUIRED_COUNT && COUNT(OPTIONAL) == OPTIONAL_COUNT &&
		       COUNT(ACTIONS) == ACTION_COUNT,
	       "a name for each");

struct secureboot {
	unsigned step; /* how far the grammar has come: a required variable each, the separator */
	bool broken;   /* an event did not fit, or its digest is not of its data: no claim */
	struct bytes required[REQUIRED_COUNT]; /* values */
	bool optional_seen[OPTIONAL_COUNT];
	struct bytes optional[OPTIONAL_COUNT];
	bool action_seen[ACTION_COUNT];
	struct authorities authorities;
};

/* Modes are one byte 0 or 1; without a value the variable does not exist. */
static bool
is_mode(struct bytes value)
{
	return value.size == 0 || (value.size == 1 && value.data[0] <= 1);
}

static bool
is_on(struct bytes mode)
{
	return mode.size == 1 && mode.data[0] == 1;
}

static bool
step_optional(struct secureboot *secureboot, const struct variable *variable)
{
	for (size_t i = 0; i < OPTIONAL_COUNT; i++) {
		if (!attest_variable_is(variable, &OPTIONAL[i]))
			continue;
		if (secureboot->optional_seen[i])
			return false;
		secureboot->optional_seen[i] = true;
		secureboot->optional[i] = variable->value;
		return (i != AUDIT_MODE && i != DEPLOYED_MODE) || is_mode(variable->value);
	}
	return false;
}

static bool
step_variable(struct secureboot *secureboot, struct bytes data)
{
	struct variable variable;

	if (!attest_variable_decode(data, &variable) || variable.rest.size != 0)
		return false;
	if (secureboot->step == REQUIRED_COUNT)
		return step_optional(secureboot, &variable);
	if (secureboot->step > REQUIRED_COUNT ||
	    !attest_variable_is(&variable, &REQUIRED[secureboot->step]) ||
	    (secureboot->step == SECURE_BOOT && !is_mode(variable.value)))
		return false;
	secureboot->required[secureboot->step++] = variable.value;
	return true;
}

/* With or without the NUL that firmware may count in. */
static bool
step_action(struct secureboot *secureboot, struct bytes data)
{
	for (size_t i = 0; i < ACTION_COUNT; i++) {
		size_t size = strlen(ACTIONS[i]);

		if ((data.size != size && data.size != size + 1) ||
		    memcmp(data.data, ACTIONS[i], data.size) != 0)
			continue;
		if (secureboot->action_seen[i])
			return false;
		secureboot->action_seen[i] = true;
		return secureboot->step < STEP_SEPARATED;
	}
	return false;
}

static bool
step_separator(struct secureboot *secureboot, struct bytes data)
{
	static const uint8_t zero[4];

	if (secureboot->step != REQUIRED_COUNT || !bytes_equal(data, BYTES_OF(zero)))
		return false;
	secureboot->step = STEP_SEPARATED;
	return true;
}

static bool
step(struct secureboot *secureboot, uint32_t type, struct bytes proved)
{
	switch (type) {
	case EV_EFI_VARIABLE_DRIVER_CONFIG:
		return step_variable(secureboot, proved);
	case EV_EFI_ACTION:
		return step_action(secureboot, proved);
	case EV_SEPARATOR:
		return step_separator(secureboot, proved);
	case EV_EFI_VARIABLE_AUTHORITY:
		if (secureboot->step != STEP_SEPARATED)
			return false;
		authorities_add(&secureboot->authorities, proved);
		return true;
	default:
		return false;
	}
}

/* The digest is of the data; shim's authorities are sometimes logged with a byte more than was
 * hashed. */
static bool
recompute(const struct attest_event *event, struct witness_hash *hash, struct bytes *ret_proved)
{
	struct bytes digest = event->digests[hash->bank];
	struct bytes data = event->data;

	*ret_proved = data;
	if (witness_hash_matches(hash, digest, data, (struct bytes){0}))
		return true;
	if (event->type != EV_EFI_VARIABLE_AUTHORITY || data.size == 0)
		return false;
	ret_proved->size--;
	return witness_hash_matches(hash, digest, *ret_proved, (struct bytes){0});
}

static void
witness_event(void *state, const struct attest_event *event, struct witness_hash *hash)
{
	struct secureboot *secureboot = state;
	struct bytes proved;

	if (!secureboot->broken)
		secureboot->broken =
			!recompute(event, hash, &proved) || !step(secureboot, event->type, proved);
}

/* As many as fit into claims. */
#define HASHES_MAX (ATTEST_CLAIMS_MAX / (2 + ATTEST_HASH_SIZE))

static void
claim_dbx_hashes(struct bytes dbx, struct attest_claims *claims)
{
	struct signature_lists lists = attest_signature_lists_of(dbx);
	struct bytes hashes[HASHES_MAX];
	struct signature signature;
	size_t count = 0;

	while (attest_signature_next(&lists, &signature)) {
		if (!bytes_equal(signature.type, BYTES_OF(SIGNATURE_SHA256)))
			continue;
		if (count == HASHES_MAX)
			return;
		hashes[count++] = signature.data;
	}
	if (!lists.lists.failed)
		attest_claim_values(claims, CLAIM_DBX_HASHES, hashes, count);
}

static void
claim_variables(const struct secureboot *secureboot, struct witness_hash *hash,
		struct attest_claims *claims)
{
	static const enum attest_claim_id digests[REQUIRED_COUNT] = {
		[PK] = CLAIM_PK, [KEK] = CLAIM_KEK, [DB] = CLAIM_DB, [DBX] = CLAIM_DBX};
	static const enum attest_claim_id modes[] = {
		[AUDIT_MODE] = CLAIM_AUDIT_MODE, [DEPLOYED_MODE] = CLAIM_DEPLOYED_MODE};

	attest_claim_boolean(claims, CLAIM_SECURE_BOOT, is_on(secureboot->required[SECURE_BOOT]));
	/* UEFI 2.10, 32.3: without a platform key the firmware is in setup mode. */
	attest_claim_boolean(claims, CLAIM_SETUP_MODE, secureboot->required[PK].size == 0);
	for (size_t i = 0; i < COUNT(modes); i++)
		if (secureboot->optional[i].size != 0)
			attest_claim_boolean(claims, modes[i], is_on(secureboot->optional[i]));
	for (size_t i = PK; i < REQUIRED_COUNT; i++) {
		uint8_t digest[ATTEST_HASH_SIZE];
		const struct bytes value = BYTES_OF(digest);

		if (witness_hash_sha256(hash, secureboot->required[i], digest))
			attest_claim_values(claims, digests[i], &value, 1);
	}
	claim_dbx_hashes(secureboot->required[DBX], claims);
}

static void
conclude(const void *state, uint32_t held, struct witness_hash *hash, struct attest_claims *claims)
{
	const struct secureboot *secureboot = state;

	if ((held >> 7 & 1) == 0 || secureboot->broken || secureboot->step != STEP_SEPARATED)
		return;
	claim_variables(secureboot, hash, claims);
	/* With Secure Boot off nothing was checked, and whatever ran could note what it likes. */
	if (is_on(secureboot->required[SECURE_BOOT]))
		authorities_claim(&secureboot->authorities, hash, claims);
	attest_claim_boolean(claims, CLAIM_DMA_PROTECTION_DISABLED,
			     secureboot->action_seen[DMA_PROTECTION_DISABLED]);
	attest_claim_boolean(claims, CLAIM_UEFI_DEBUG_MODE, secureboot->action_seen[DEBUG_MODE]);
}

const struct witness witness_secureboot = {
	.name = "secure boot",
	.pcrs = 1U << 7,
	.state_size = sizeof(struct secureboot),
	.event = witness_event,
	.conclude = conclude,
};
