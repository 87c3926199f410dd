/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation is about, and whether policy lets its operator do it. */
#include "secrets.h"

#include <stdio.h>

static void
set_resource(struct operation_call *call, const char *type, struct bytes id)
{
	call->view.resource_type = type;
	call->view.resource_id = id;
	snprintf(call->subject, sizeof(call->subject), "%s::%.*s", type, (int)id.size,
		 (const char *)id.data);
}

static void
set_machine(const struct trust *trust, struct operation_call *call, struct bytes text)
{
	call->machine = trust_machine_named(trust, text);
	call->view.machine = call->machine;
	set_resource(call, "Machine", call->machine ? text_bytes(call->machine->id) : text);
}

static void
set_new_machine(const struct trust *trust, struct operation_call *call)
{
	machine_id_of(call->request.fields[FIELD_EK_ID].data, call->resource_id);
	set_machine(trust, call, text_bytes(call->resource_id));
}

static void
set_revoked(const struct trust *trust, struct operation_call *call)
{
	struct bytes kind = call->request.fields[FIELD_KIND];
	struct bytes id = call->request.fields[FIELD_ID];

	if (bytes_equal(kind, text_bytes("machine")))
		set_machine(trust, call, id);
	else if (bytes_equal(kind, text_bytes("baseline")))
		set_resource(call, "Baseline", id);
	else if (bytes_equal(kind, text_bytes("operator")))
		set_resource(call, "Operator", id);
	else if (bytes_equal(kind, text_bytes("ima-key")))
		set_resource(call, "ImaKey", id);
	else
		set_resource(call, "Anchor", id);
}

void
operation_resolve(const struct trust *trust, enum resource resource, struct operation_call *call)
{
	const struct bytes *fields = call->request.fields;
	struct version_list versions;

	switch (resource) {
	case RESOURCE_BROKER:
		set_resource(call, "Broker", text_bytes("postern"));
		break;
	case RESOURCE_FOLDER:
		if (fields[FIELD_PATH].size > 0)
			set_resource(call, "Folder", fields[FIELD_PATH]);
		else
			set_resource(call, "Broker", text_bytes("postern"));
		break;
	case RESOURCE_SECRET:
		set_resource(call, "Secret", fields[FIELD_PATH]);
		if (operation_has(&call->request, FIELD_VERSIONS) &&
		    version_list_read(fields[FIELD_VERSIONS], &versions))
			secret_name_versions(call, &versions);
		break;
	case RESOURCE_MACHINE:
	case RESOURCE_GROUPS:
		set_machine(trust, call, fields[FIELD_MACHINE]);
		break;
	case RESOURCE_NEW_MACHINE:
		set_new_machine(trust, call);
		break;
	case RESOURCE_BASELINE:
		set_resource(call, "Baseline", fields[FIELD_NAME]);
		break;
	case RESOURCE_POLICY:
		set_resource(call, "Policy", fields[FIELD_NAME]);
		break;
	case RESOURCE_OPERATOR:
		set_resource(call, "Operator", fields[FIELD_NAME]);
		break;
	case RESOURCE_ANCHOR:
		set_resource(call, "Anchor", fields[FIELD_ID]);
		break;
	case RESOURCE_CRL:
		set_resource(call, "Crl", fields[FIELD_ID]);
		break;
	case RESOURCE_IMA_KEY:
		set_resource(call, "ImaKey", fields[FIELD_ID]);
		break;
	case RESOURCE_IMA_ALLOW:
		set_resource(call, "ImaAllow", fields[FIELD_NAME]);
		break;
	case RESOURCE_REVOKED:
		set_revoked(trust, call);
		break;
	}
}

static bool
decide(struct worker *worker, const struct operator_view *view, char why[FACTS_WHY_SIZE])
{
	const struct trust *trust = &worker->keeper->trust;

	return facts_operator_allowed(trust->set, trust, worker->facts, view, why);
}

static bool
in_list(const struct name_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (bytes_equal(list->names[i], text_bytes(name)))
			return true;
	}
	return false;
}

static bool
in_machine(const struct machine *machine, struct bytes name)
{
	for (size_t i = 0; machine && i < machine->group_count; i++) {
		if (bytes_equal(name, text_bytes(machine->groups[i])))
			return true;
	}
	return false;
}

/* On one that is joined or left, or a role that is given: the same action decides. */
static bool
decide_member(struct worker *worker, const struct operation_call *call, const char *type,
	      struct bytes name, char why[FACTS_WHY_SIZE])
{
	struct operator_view view = call->view;
	char reason[FACTS_WHY_SIZE];

	view.machine = NULL;
	view.resource_type = type;
	view.resource_id = name;
	if (decide(worker, &view, reason))
		return true;
	snprintf(why, FACTS_WHY_SIZE, "%s::%.*s: %.200s", type, (int)name.size,
		 (const char *)name.data, reason);
	return false;
}

/* The thing itself, and each that it is put into: else whoever may register a machine or add an
 * operator could give it any group, or any role. */
static bool
decide_with_members(struct worker *worker, const struct operation_call *call, const char *type,
		    struct bytes encoded, char why[FACTS_WHY_SIZE])
{
	struct name_list names;

	if (!decide(worker, &call->view, why) || !name_list_read(encoded, &names))
		return false;
	for (size_t i = 0; i < names.count; i++) {
		if (!decide_member(worker, call, type, names.names[i], why))
			return false;
	}
	return true;
}

/* Whoever moves a machine must be allowed to for each group that it joins or leaves; if there is
 * none, for the machine. */
static bool
decide_groups(struct worker *worker, const struct operation_call *call, char why[FACTS_WHY_SIZE])
{
	const struct machine *machine = call->machine;
	struct name_list groups;
	bool moved = false;

	if (!name_list_read(call->request.fields[FIELD_GROUPS], &groups))
		return false;
	for (size_t i = 0; i < groups.count; i++) {
		if (in_machine(machine, groups.names[i]))
			continue;
		moved = true;
		if (!decide_member(worker, call, "MachineGroup", groups.names[i], why))
			return false;
	}
	for (size_t i = 0; machine && i < machine->group_count; i++) {
		struct bytes group = text_bytes(machine->groups[i]);
		if (in_list(&groups, machine->groups[i]))
			continue;
		moved = true;
		if (!decide_member(worker, call, "MachineGroup", group, why))
			return false;
	}
	return moved || decide(worker, &call->view, why);
}

bool
operation_allowed(struct worker *worker, const struct operation_call *call, enum resource resource,
		  char ret_why[FACTS_WHY_SIZE])
{
	const struct bytes *fields = call->request.fields;

	if (resource == RESOURCE_GROUPS)
		return decide_groups(worker, call, ret_why);
	if (resource == RESOURCE_NEW_MACHINE)
		return decide_with_members(worker, call, "MachineGroup", fields[FIELD_GROUPS],
					   ret_why);
	if (resource == RESOURCE_OPERATOR)
		return decide_with_members(worker, call, "Role", fields[FIELD_ROLES], ret_why);
	return decide(worker, &call->view, ret_why);
}
