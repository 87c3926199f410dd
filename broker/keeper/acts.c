/* SPDX-License-Identifier: Apache-2.0 */
#include "acts.h"

#include "acts_crl.h"
#include "acts_ima.h"
#include "acts_machine.h"
#include "acts_policy.h"
#include "json_out.h"

#include <assert.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINT(text) (int)(text).size, (const char *)(text).data

void
act_set_text(char *ret, size_t capacity, struct bytes text)
{
	size_t size = text.size < capacity ? text.size : capacity - 1;

	if (size > 0)
		memcpy(ret, text.data, size);
	ret[size] = '\0';
}

enum operation_outcome
act_refuse(struct act_change *change, enum operation_outcome outcome, const char *format, ...)
{
	va_list arguments;

	if (change->problem_count == ACT_PROBLEM_MAX)
		return outcome;
	va_start(arguments, format);
	vsnprintf(change->problems[change->problem_count++], ACT_TEXT_SIZE, format, arguments);
	va_end(arguments);
	return outcome;
}

__attribute__((format(printf, 2, 3))) static void
say(struct act_change *change, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(change->effect, ACT_TEXT_SIZE, format, arguments);
	va_end(arguments);
}

static void
set_name(char ret_name[NAME_SIZE], struct bytes name)
{
	assert(name.size < NAME_SIZE); /* name_valid */
	memcpy(ret_name, name.data, name.size);
	ret_name[name.size] = '\0';
}

static struct bytes
field(const struct operation_request *request, enum operation_field which)
{
	return request->fields[which];
}

/* One more element, zeroed, at the end of an array; NULL: no memory. */
static void *
append(void **array, size_t *count, size_t size)
{
	uint8_t *larger = realloc(*array, (*count + 1) * size);

	if (!larger)
		return NULL;
	*array = larger;
	void *element = larger + *count * size;
	memset(element, 0, size);
	(*count)++;
	return element;
}

/* ---- operators ---- */

static enum operation_outcome
check_operator_add(const struct trust *trust, const struct operation_request *request,
		   struct act_change *change)
{
	struct bytes name = field(request, FIELD_NAME);

	if (trust_operator(trust, name))
		return act_refuse(
			change, OUTCOME_INVALID,
			"operator %.*s: there is or was one of that name: names are not used again",
			PRINT(name));
	if (trust->operator_count >= TRUST_OPERATORS_MAX)
		return act_refuse(change, OUTCOME_INVALID, "more than %d operators",
				  TRUST_OPERATORS_MAX);
	for (size_t i = 0; i < trust->operator_count; i++) {
		if (bytes_equal(BYTES_OF(trust->operators[i]->key),
				field(request, FIELD_OPERATOR_KEY)))
			return act_refuse(change, OUTCOME_INVALID,
					  "operator key: %s has or had the same",
					  trust->operators[i]->name);
	}
	say(change, "%.*s is an operator.", PRINT(name));
	return OUTCOME_OK;
}

static bool
apply_operator_add(struct trust *trust, const struct operation_request *request)
{
	struct operator_record *signer = calloc(1, sizeof(*signer));
	struct name_list roles;

	if (!signer || !name_list_read(field(request, FIELD_ROLES), &roles)) {
		free(signer);
		return false;
	}
	set_name(signer->name, field(request, FIELD_NAME));
	memcpy(signer->key, field(request, FIELD_OPERATOR_KEY).data, sizeof(signer->key));
	signer->roles.count = roles.count;
	for (size_t i = 0; i < roles.count; i++) {
		set_name(signer->role_names[i], roles.names[i]);
		signer->roles.names[i] = text_bytes(signer->role_names[i]);
	}
	struct operator_record **operators = realloc(
		trust->operators, (trust->operator_count + 1) * sizeof(struct operator_record *));
	if (!operators) {
		free(signer);
		return false;
	}
	trust->operators = operators;
	trust->operators[trust->operator_count++] = signer;
	return true;
}

/* ---- genesis ---- */

static enum operation_outcome
check_genesis(const struct trust *trust, const struct operation_request *request,
	      struct act_change *change)
{
	if (trust->revision != 0)
		return act_refuse(change, OUTCOME_INVALID, "genesis: the first act only");
	if (!bytes_equal(field(request, FIELD_NAME), request->operator_name))
		return act_refuse(change, OUTCOME_INVALID,
				  "genesis: signed by another than it introduces");
	enum operation_outcome outcome = check_operator_add(trust, request, change);
	return outcome == OUTCOME_OK ? act_policies_genesis(request, change) : outcome;
}

/* ---- baselines ---- */

static enum operation_outcome
check_baseline_add(const struct trust *trust, const struct operation_request *request,
		   struct act_change *change)
{
	struct bytes name = field(request, FIELD_NAME);
	uint64_t from = operation_number(request, FIELD_FROM, 0);
	uint64_t until = operation_number(request, FIELD_UNTIL, INT64_MAX);

	if (trust_baseline(trust, name))
		return act_refuse(
			change, OUTCOME_INVALID,
			"baseline %.*s: there is or was one of that name: names are not used again",
			PRINT(name));
	if (trust->baseline_count >= TRUST_BASELINES_MAX)
		return act_refuse(change, OUTCOME_INVALID, "more than %d baselines",
				  TRUST_BASELINES_MAX);
	if (until <= from)
		return act_refuse(change, OUTCOME_INVALID, "baseline: ends before it begins");
	say(change, "Baseline %.*s counts within its dates.", PRINT(name));
	return OUTCOME_OK;
}

static bool
apply_baseline_add(struct trust *trust, const struct operation_request *request)
{
	struct pcr_values pcrs;

	if (!pcr_values_read(field(request, FIELD_PCRS), &pcrs))
		return false;
	struct baseline *baseline =
		append((void **)&trust->baselines, &trust->baseline_count, sizeof(*baseline));
	if (!baseline)
		return false;
	set_name(baseline->name, field(request, FIELD_NAME));
	baseline->pcrs = pcrs;
	baseline->from = (int64_t)operation_number(request, FIELD_FROM, 0);
	baseline->until = (int64_t)operation_number(request, FIELD_UNTIL, INT64_MAX);
	return true;
}

static enum operation_outcome
check_baseline_end(const struct trust *trust, const struct operation_request *request,
		   struct act_change *change)
{
	struct bytes name = field(request, FIELD_NAME);
	const struct baseline *baseline = trust_baseline(trust, name);

	if (!baseline)
		return act_refuse(change, OUTCOME_MISSING, "baseline %.*s: there is none",
				  PRINT(name));
	if (baseline->revoked)
		return act_refuse(change, OUTCOME_INVALID, "baseline %.*s: revoked", PRINT(name));
	/* Who may let one end may not by that make it last: that widens what is released. */
	if (operation_number(request, FIELD_UNTIL, 0) > (uint64_t)baseline->until)
		return act_refuse(change, OUTCOME_INVALID,
				  "baseline %.*s: ends before that already: add another",
				  PRINT(name));
	say(change, "Baseline %.*s counts until the time given.", PRINT(name));
	return OUTCOME_OK;
}

static bool
apply_baseline_end(struct trust *trust, const struct operation_request *request)
{
	struct baseline *baseline = trust_baseline(trust, field(request, FIELD_NAME));

	if (!baseline)
		return false;
	baseline->until = (int64_t)operation_number(request, FIELD_UNTIL, 0);
	return true;
}

/* ---- anchors ---- */

static enum operation_outcome
check_anchor_add(const struct trust *trust, const struct operation_request *request,
		 struct act_change *change)
{
	struct bytes hex = field(request, FIELD_ID);
	uint8_t id[ATTEST_HASH_SIZE];

	if (trust->anchor_count >= ATTEST_ANCHORS_MAX)
		return act_refuse(change, OUTCOME_INVALID, "more than %d anchors",
				  ATTEST_ANCHORS_MAX);
	if (sodium_hex2bin(id, sizeof(id), (const char *)hex.data, hex.size, NULL, NULL, NULL) != 0)
		return act_refuse(change, OUTCOME_INVALID, "anchor: its id is not hexadecimal");
	if (trust_revoked(&trust->revoked_cas, BYTES_OF(id)))
		return act_refuse(change, OUTCOME_INVALID,
				  "anchor %.*s: is revoked, and stays revoked", PRINT(hex));
	if (trust_anchor(trust, hex))
		return act_refuse(change, OUTCOME_INVALID, "anchor %.*s: is there already",
				  PRINT(hex));
	say(change, "EKs, and clouds' keys, with certificates under %.*s are certified.",
	    PRINT(field(request, FIELD_SUBJECT)));
	return OUTCOME_OK;
}

static bool
apply_anchor_add(struct trust *trust, const struct operation_request *request)
{
	struct bytes certificate = field(request, FIELD_CERTIFICATE);
	struct bytes subject = field(request, FIELD_SUBJECT);
	uint8_t *copy = malloc(certificate.size);
	struct anchor *anchor =
		copy ? append((void **)&trust->anchors, &trust->anchor_count, sizeof(*anchor))
		     : NULL;

	if (!anchor) {
		free(copy);
		return false;
	}
	set_name(anchor->id, field(request, FIELD_ID));
	size_t size =
		subject.size < sizeof(anchor->subject) ? subject.size : sizeof(anchor->subject) - 1;
	if (size > 0)
		memcpy(anchor->subject, subject.data, size);
	memcpy(copy, certificate.data, certificate.size);
	anchor->certificate = copy;
	anchor->certificate_size = certificate.size;
	return true;
}

/* ---- policies ---- */

static enum operation_outcome
check_policy_apply(const struct trust *trust, const struct operation_request *request,
		   struct act_change *change)
{
	struct bytes name = field(request, FIELD_NAME);
	struct bytes text = field(request, FIELD_POLICY);

	say(change, "Policy %.*s is in force.", PRINT(name));
	return act_policies_with(trust, name, text, request->operator_name, trust->revision + 1,
				 change);
}

static enum operation_outcome
check_policy_delete(const struct trust *trust, const struct operation_request *request,
		    struct act_change *change)
{
	struct bytes name = field(request, FIELD_NAME);

	if (!trust_policy(trust, name))
		return act_refuse(change, OUTCOME_MISSING, "policy %.*s: there is none",
				  PRINT(name));
	say(change, "Policy %.*s is no longer in force.", PRINT(name));
	return act_policies_with(trust, name, (struct bytes){0}, request->operator_name,
				 trust->revision + 1, change);
}

/* ---- the root key ---- */

/* What it allows happens on the broker's own host: control_rekey.c. */
static enum operation_outcome
check_rekey(const struct trust *trust, const struct operation_request *request,
	    struct act_change *change)
{
	struct bytes shares = field(request, FIELD_SHARES);

	(void)trust;
	if (shares.data[0] > 0)
		say(change, "The root key may be made anew once, in %u shares, %u of which open it.",
		    shares.data[0], shares.data[1]);
	else
		say(change, "The root key may be made anew once, without shares.");
	return OUTCOME_OK;
}

static bool
apply_rekey(struct trust *trust, const struct operation_request *request)
{
	struct bytes shares = field(request, FIELD_SHARES);

	/* Acts apply to the revision before theirs. */
	trust->rekey = (struct trust_rekey){
		.revision = request->trust_revision + 1,
		.count = shares.data[0],
		.threshold = shares.data[1],
		.signer = trust_operator(trust, request->operator_name),
	};
	return true;
}

/* ---- the table ---- */

/* The step `install` moves prepared policies in; `apply` changes the rest of the state. */
static const struct act {
	enum operation operation;
	enum operation_outcome (*check)(const struct trust *trust,
					const struct operation_request *request,
					struct act_change *change);
	bool (*apply)(struct trust *trust, const struct operation_request *request);
	bool installs;
} acts[] = {
	{OPERATION_GENESIS, check_genesis, apply_operator_add, true},
	{OPERATION_OPERATOR_ADD, check_operator_add, apply_operator_add, false},
	{OPERATION_BASELINE_ADD, check_baseline_add, apply_baseline_add, false},
	{OPERATION_BASELINE_END, check_baseline_end, apply_baseline_end, false},
	{OPERATION_ANCHOR_ADD, check_anchor_add, apply_anchor_add, false},
	{OPERATION_POLICY_APPLY, check_policy_apply, NULL, true},
	{OPERATION_POLICY_DELETE, check_policy_delete, NULL, true},
	{OPERATION_MACHINE_REGISTER, act_check_register, act_apply_register, false},
	{OPERATION_MACHINE_ADMIT, act_check_admit, act_apply_admit, false},
	{OPERATION_MACHINE_SUSPEND, act_check_suspend, act_apply_suspend, false},
	{OPERATION_MACHINE_READMIT, act_check_readmit, act_apply_readmit, false},
	{OPERATION_MACHINE_GROUP, act_check_group, act_apply_group, false},
	{OPERATION_REVOKE, act_check_revoke, act_apply_revoke, false},
	{OPERATION_IMA_KEY_ADD, act_check_ima_key_add, act_apply_ima_key_add, false},
	{OPERATION_IMA_ALLOW_ADD, act_check_ima_allow_add, act_apply_ima_allow_add, false},
	{OPERATION_IMA_ALLOW_END, act_check_ima_allow_end, act_apply_ima_allow_end, false},
	{OPERATION_CRL_ADD, act_check_crl_add, act_apply_crl_add, false},
	{OPERATION_CRL_END, act_check_crl_end, act_apply_crl_end, false},
	{OPERATION_REKEY, check_rekey, apply_rekey, false},
};

static const struct act *
find(uint16_t operation)
{
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		if ((uint16_t)acts[i].operation == operation)
			return &acts[i];
	}
	return NULL;
}

enum operation_outcome
act_check(const struct trust *trust, const struct operation_request *request,
	  struct act_change *change)
{
	const struct act *act = find(request->operation);

	*change = (struct act_change){0};
	if (!act)
		return act_refuse(change, OUTCOME_INVALID, "not an act");
	if (request->operation != OPERATION_GENESIS && trust->revision == 0)
		return act_refuse(change, OUTCOME_INVALID, "the first act must be the genesis");
	return act->check(trust, request, change);
}

bool
act_apply(struct trust *trust, const struct operation_request *request, uint64_t revision,
	  struct act_change *change)
{
	const struct act *act = find(request->operation);

	if (!act || (act->apply && !act->apply(trust, request)))
		return false;
	if (act->installs)
		act_policies_install(trust, change);
	trust->revision = revision;
	return true;
}
