/* SPDX-License-Identifier: Apache-2.0 */
#include "acts_machine.h"

#include "acts_ima.h"
#include "json_out.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINT(text) (int)(text).size, (const char *)(text).data

static struct bytes
field(const struct operation_request *request, enum operation_field which)
{
	return request->fields[which];
}

static enum operation_outcome
check_name(const struct trust *trust, const struct machine *machine, struct bytes name,
	   struct act_change *change)
{
	const struct machine *other = index_find(&trust->by_name, name);

	if (machine_id_valid(name))
		return act_refuse(change, OUTCOME_INVALID, "name %.*s: reads like a machine's id",
				  PRINT(name));
	if (other && other != machine)
		return act_refuse(change, OUTCOME_INVALID, "name %.*s: machine %s has it",
				  PRINT(name), other->id);
	if (machine && machine->name[0] && !bytes_equal(text_bytes(machine->name), name))
		return act_refuse(change, OUTCOME_INVALID, "name %.*s: the machine is called %s",
				  PRINT(name), machine->name);
	if (!machine && trust->machine_count >= TRUST_MACHINES_MAX)
		return act_refuse(change, OUTCOME_INVALID, "more than %d machines",
				  TRUST_MACHINES_MAX);
	return OUTCOME_OK;
}

/* For one that is to become admitted. */
static enum operation_outcome
check_new(const struct trust *trust, const struct machine *machine,
	  const struct operation_request *request, struct act_change *change)
{
	struct bytes ek_id = field(request, FIELD_EK_ID);

	if (machine && machine->standing == STANDING_REVOKED)
		return act_refuse(change, OUTCOME_INVALID, "machine %s: revoked, and stays it",
				  machine->id);
	if (machine && machine->standing != STANDING_NONE)
		return act_refuse(change, OUTCOME_INVALID,
				  "machine %s: was registered or admitted before", machine->id);
	if (machine && machine->enrolled && !bytes_equal(machine->record.fixed.ek_id, ek_id))
		return act_refuse(change, OUTCOME_INVALID, "machine %s: has another EK",
				  machine->id);
	if (trust_revoked(&trust->revoked_eks, ek_id))
		return act_refuse(change, OUTCOME_INVALID, "its EK is revoked, and stays it");
	return check_name(trust, machine, field(request, FIELD_NAME), change);
}

static bool
set_groups(struct machine *machine, struct bytes encoded)
{
	struct name_list list;

	if (!name_list_read(encoded, &list))
		return false;
	char(*groups)[NAME_SIZE] = calloc((size_t)list.count + 1, NAME_SIZE);
	if (!groups)
		return false;
	for (size_t i = 0; i < list.count; i++)
		memcpy(groups[i], list.names[i].data, list.names[i].size);
	free(machine->groups);
	machine->groups = groups;
	machine->group_count = list.count;
	return true;
}

static bool
apply_new(struct trust *trust, const struct operation_request *request, struct bytes ak_name)
{
	struct bytes ek_id = field(request, FIELD_EK_ID);
	char id[MACHINE_ID_SIZE];

	machine_id_of(ek_id.data, id);
	struct machine *machine = trust_machine(trust, text_bytes(id));
	if (!machine)
		machine = trust_machine_add(trust, id);
	if (!machine || !trust_machine_name(trust, machine, field(request, FIELD_NAME)) ||
	    !set_groups(machine, field(request, FIELD_GROUPS)))
		return false;
	memcpy(machine->ek_id, ek_id.data, ek_id.size);
	machine->ek_known = true;
	machine->ak_name.size = ak_name.size;
	if (ak_name.size > 0)
		memcpy(machine->ak_name.bytes, ak_name.data, ak_name.size);
	trust_machine_stand(trust, machine, STANDING_ADMITTED);
	return true;
}

enum operation_outcome
act_check_register(const struct trust *trust, const struct operation_request *request,
		   struct act_change *change)
{
	char id[MACHINE_ID_SIZE];

	machine_id_of(field(request, FIELD_EK_ID).data, id);
	const struct machine *machine = trust_machine(trust, text_bytes(id));
	snprintf(change->effect, ACT_TEXT_SIZE, "Machine %s is admitted %s.", id,
		 machine && machine->enrolled ? "now" : "once it enrols with that EK");
	return check_new(trust, machine, request, change);
}

bool
act_apply_register(struct trust *trust, const struct operation_request *request)
{
	return apply_new(trust, request, (struct bytes){0});
}

enum operation_outcome
act_check_admit(const struct trust *trust, const struct operation_request *request,
		struct act_change *change)
{
	char id[MACHINE_ID_SIZE];

	machine_id_of(field(request, FIELD_EK_ID).data, id);
	/* By its id alone: it has no name yet. And an act speaks of one machine only. */
	if (!bytes_equal(field(request, FIELD_MACHINE), text_bytes(id)))
		return act_refuse(change, OUTCOME_INVALID, "machine: its EK's id makes it %s", id);
	if (trust_revoked(&trust->revoked_aks, field(request, FIELD_AK_NAME)))
		return act_refuse(change, OUTCOME_INVALID, "its AK is revoked, and stays it");
	snprintf(change->effect, ACT_TEXT_SIZE, "Machine %s is admitted as %.*s.", id,
		 PRINT(field(request, FIELD_NAME)));
	return check_new(trust, trust_machine(trust, text_bytes(id)), request, change);
}

bool
act_apply_admit(struct trust *trust, const struct operation_request *request)
{
	return apply_new(trust, request, field(request, FIELD_AK_NAME));
}

/* The machine that an act is about, which must have been registered or admitted. */
static const struct machine *
admitted(const struct trust *trust, const struct operation_request *request,
	 struct act_change *change, enum operation_outcome *ret_outcome)
{
	struct bytes text = field(request, FIELD_MACHINE);
	const struct machine *machine = trust_machine_named(trust, text);

	*ret_outcome = OUTCOME_OK;
	if (!machine)
		*ret_outcome = act_refuse(change, OUTCOME_MISSING, "machine %.*s: there is none",
					  PRINT(text));
	else if (machine->standing == STANDING_NONE)
		*ret_outcome = act_refuse(change, OUTCOME_INVALID,
					  "machine %s: pending: admit it first", machine->id);
	else if (machine->standing == STANDING_REVOKED)
		*ret_outcome = act_refuse(change, OUTCOME_INVALID,
					  "machine %s: revoked, and stays it", machine->id);
	return *ret_outcome == OUTCOME_OK ? machine : NULL;
}

enum operation_outcome
act_check_suspend(const struct trust *trust, const struct operation_request *request,
		  struct act_change *change)
{
	enum operation_outcome outcome;
	const struct machine *machine = admitted(trust, request, change, &outcome);

	if (!machine)
		return outcome;
	if (machine->standing == STANDING_SUSPENDED)
		return act_refuse(change, OUTCOME_INVALID, "machine %s: suspended already",
				  machine->id);
	snprintf(change->effect, ACT_TEXT_SIZE, "Machine %s gets nothing until it is readmitted.",
		 machine->id);
	return OUTCOME_OK;
}

bool
act_apply_suspend(struct trust *trust, const struct operation_request *request)
{
	struct machine *machine = trust_machine_named(trust, field(request, FIELD_MACHINE));
	struct bytes reason = field(request, FIELD_REASON);

	if (!machine || reason.size >= sizeof(machine->reason))
		return false;
	memcpy(machine->reason, reason.data, reason.size);
	machine->reason[reason.size] = '\0';
	machine->standing = STANDING_SUSPENDED;
	return true;
}

/* Lifts the keeper's own suspension too, and that is not known when the acts are folded: so any
 * admitted machine will do. */
enum operation_outcome
act_check_readmit(const struct trust *trust, const struct operation_request *request,
		  struct act_change *change)
{
	enum operation_outcome outcome;
	const struct machine *machine = admitted(trust, request, change, &outcome);

	if (!machine)
		return outcome;
	snprintf(change->effect, ACT_TEXT_SIZE,
		 "Machine %s may ask again; its TPM's clock begins anew.", machine->id);
	return OUTCOME_OK;
}

bool
act_apply_readmit(struct trust *trust, const struct operation_request *request)
{
	struct machine *machine = trust_machine_named(trust, field(request, FIELD_MACHINE));

	if (!machine)
		return false;
	machine->reason[0] = '\0';
	machine->standing = STANDING_ADMITTED;
	return true;
}

enum operation_outcome
act_check_group(const struct trust *trust, const struct operation_request *request,
		struct act_change *change)
{
	enum operation_outcome outcome;
	const struct machine *machine = admitted(trust, request, change, &outcome);

	if (machine)
		snprintf(change->effect, ACT_TEXT_SIZE,
			 "Machine %s is in these groups and no others.", machine->id);
	return outcome;
}

bool
act_apply_group(struct trust *trust, const struct operation_request *request)
{
	struct machine *machine = trust_machine_named(trust, field(request, FIELD_MACHINE));

	return machine && set_groups(machine, field(request, FIELD_GROUPS));
}

/* ---- revocation ---- */

/* NULL: the kind is of things with names, not of ids. */
static const struct revoked *
revoked_of(const struct trust *trust, struct bytes kind)
{
	if (bytes_equal(kind, text_bytes("ek-ca")))
		return &trust->revoked_cas;
	if (bytes_equal(kind, text_bytes("ek")))
		return &trust->revoked_eks;
	if (bytes_equal(kind, text_bytes("ak")))
		return &trust->revoked_aks;
	return NULL;
}

static bool
id_of(struct bytes hex, uint8_t ret_id[AK_NAME_SIZE], size_t *ret_size)
{
	return sodium_hex2bin(ret_id, AK_NAME_SIZE, (const char *)hex.data, hex.size, NULL,
			      ret_size, NULL) == 0;
}

static enum operation_outcome
check_revoke_id(const struct revoked *revoked, struct bytes hex, struct act_change *change)
{
	uint8_t id[AK_NAME_SIZE];
	size_t size;

	if (!id_of(hex, id, &size))
		return act_refuse(change, OUTCOME_INVALID, "id: not hexadecimal");
	if (trust_revoked(revoked, (struct bytes){id, size}))
		return act_refuse(change, OUTCOME_INVALID, "%.*s: revoked already", PRINT(hex));
	if (revoked->index.count >= TRUST_REVOKED_MAX)
		return act_refuse(change, OUTCOME_INVALID, "more than %d revoked",
				  TRUST_REVOKED_MAX);
	return OUTCOME_OK;
}

/* Whether it is there, and whether it is revoked already. A machine that is only pending is not in
 * any act: its id is enough. */
static enum operation_outcome
check_revoke_named(const struct trust *trust, const struct operation_request *request,
		   struct act_change *change)
{
	struct bytes kind = field(request, FIELD_KIND);
	struct bytes name = field(request, FIELD_ID);
	const struct machine *machine = NULL;
	const struct baseline *baseline = NULL;
	const struct operator_record *signer = NULL;

	if (bytes_equal(kind, text_bytes("machine"))) {
		machine = trust_machine_named(trust, name);
		if (!machine && machine_id_valid(name))
			return OUTCOME_OK;
	} else if (bytes_equal(kind, text_bytes("baseline")))
		baseline = trust_baseline(trust, name);
	else if (bytes_equal(kind, text_bytes("operator")))
		signer = trust_operator(trust, name);
	if (!machine && !baseline && !signer)
		return act_refuse(change, OUTCOME_MISSING, "%.*s %.*s: there is none", PRINT(kind),
				  PRINT(name));
	if ((machine && machine->standing == STANDING_REVOKED) || (baseline && baseline->revoked) ||
	    (signer && signer->ended))
		return act_refuse(change, OUTCOME_INVALID, "%.*s %.*s: revoked already",
				  PRINT(kind), PRINT(name));
	if (signer && bytes_equal(request->operator_name, name))
		return act_refuse(change, OUTCOME_INVALID,
				  "nobody ends himself: another operator must do it");
	return OUTCOME_OK;
}

enum operation_outcome
act_check_revoke(const struct trust *trust, const struct operation_request *request,
		 struct act_change *change)
{
	struct bytes kind = field(request, FIELD_KIND);
	const struct revoked *revoked = revoked_of(trust, kind);

	if (bytes_equal(kind, text_bytes("ima-key")))
		return act_check_ima_key_revoke(trust, field(request, FIELD_ID), change);
	bool ends = bytes_equal(kind, text_bytes("operator"));
	snprintf(change->effect, ACT_TEXT_SIZE, "%.*s %.*s is revoked: %s any more.", PRINT(kind),
		 PRINT(field(request, FIELD_ID)),
		 ends ? "nothing that it signs is accepted" : "nothing is released under it");
	return revoked ? check_revoke_id(revoked, field(request, FIELD_ID), change)
		       : check_revoke_named(trust, request, change);
}

static bool
apply_revoke_machine(struct trust *trust, struct bytes name)
{
	struct machine *machine = trust_machine_named(trust, name);
	char id[MACHINE_ID_SIZE] = {0};

	if (!machine && machine_id_valid(name)) {
		memcpy(id, name.data, sizeof(id) - 1);
		machine = trust_machine_add(trust, id);
	}
	if (!machine)
		return false;
	trust_machine_stand(trust, machine, STANDING_REVOKED);
	return true;
}

static bool
apply_revoke_named(struct trust *trust, struct bytes kind, struct bytes name)
{
	struct baseline *baseline = NULL;
	struct operator_record *signer = NULL;

	if (bytes_equal(kind, text_bytes("machine")))
		return apply_revoke_machine(trust, name);
	if (bytes_equal(kind, text_bytes("baseline")) && (baseline = trust_baseline(trust, name))) {
		baseline->revoked = true;
	} else if (bytes_equal(kind, text_bytes("operator")) &&
		   (signer = trust_operator(trust, name))) {
		signer->ended = true;
	}
	return baseline || signer;
}

bool
act_apply_revoke(struct trust *trust, const struct operation_request *request)
{
	struct bytes kind = field(request, FIELD_KIND);
	uint8_t id[AK_NAME_SIZE];
	size_t size;
	struct revoked *revoked = bytes_equal(kind, text_bytes("ek-ca")) ? &trust->revoked_cas
				  : bytes_equal(kind, text_bytes("ek"))	 ? &trust->revoked_eks
				  : bytes_equal(kind, text_bytes("ak"))	 ? &trust->revoked_aks
									 : NULL;

	if (bytes_equal(kind, text_bytes("ima-key")))
		return act_apply_ima_key_revoke(trust, field(request, FIELD_ID));
	if (!revoked)
		return apply_revoke_named(trust, kind, field(request, FIELD_ID));
	return id_of(field(request, FIELD_ID), id, &size) &&
	       trust_revoke(revoked, (struct bytes){id, size});
}
