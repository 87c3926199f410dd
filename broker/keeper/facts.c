/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include "json_out.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FOLDERS_MAX ((WIRE_PATH_MAX + 1) / 2)

static struct policy_text
text_of(const char *text)
{
	return (struct policy_text){text, strlen(text)};
}

static struct policy_text
text_of_bytes(struct bytes text)
{
	return (struct policy_text){(const char *)text.data, text.size};
}

static const struct policy_value *
entity(struct policy_facts *facts, const char *type, struct bytes id)
{
	return policy_value_entity(facts, text_of(type), text_of_bytes(id));
}

static const struct policy_value *
string(struct policy_facts *facts, struct bytes text)
{
	return policy_value_string(facts, text_of_bytes(text));
}

static bool
define(struct policy_facts *facts, const struct policy_value *thing,
       const struct policy_value *attributes, const struct policy_value *const *parents,
       size_t parent_count)
{
	struct policy_error err;

	return policy_facts_entity(facts, thing, attributes, parents, parent_count, &err) ==
	       POLICY_OK;
}

struct policy_facts *
facts_actions_new(const struct policy_schema *schema)
{
	struct policy_facts *facts = policy_facts_new(NULL);
	struct policy_error err;

	if (facts && policy_schema_add_actions(schema, facts, &err) == POLICY_OK)
		return facts;
	policy_facts_free(facts);
	return NULL;
}

bool
facts_match_baselines(const struct trust *trust, const uint8_t *pcrs, struct release_view *view)
{
	view->baseline_count = 0;
	for (size_t i = 0; i < trust->baseline_count; i++) {
		const struct baseline *baseline = &trust->baselines[i];
		if (baseline_state(baseline, view->now) != BASELINE_ACTIVE ||
		    !baseline_matches(baseline, pcrs))
			continue;
		if (view->baseline_count == FACTS_BASELINES_MAX)
			return false;
		view->baselines[view->baseline_count++] = baseline;
	}
	return true;
}

/* Machine::"m-..." with its name and its groups. */
static const struct policy_value *
define_machine(struct policy_facts *facts, const struct machine *machine)
{
	const struct policy_value *groups[OPERATION_LIST_MAX];
	const struct policy_value *self = entity(facts, "Machine", text_bytes(machine->id));
	struct policy_field name = {text_of("name"), string(facts, text_bytes(machine->name))};

	for (size_t i = 0; i < machine->group_count; i++)
		groups[i] = entity(facts, "MachineGroup", text_bytes(machine->groups[i]));
	bool good = define(facts, self, policy_value_record(facts, &name, 1), groups,
			   machine->group_count);
	return good ? self : NULL;
}

/* Where the last component of a path begins; 0 for the only one. */
static size_t
parent_size(struct bytes path)
{
	size_t i = path.size;

	while (i > 0 && path.data[i - 1] != '/')
		i--;
	return i > 0 ? i - 1 : 0;
}

/* `path` itself and every folder above it. */
static const struct policy_value *
define_path(struct policy_facts *facts, const char *type, struct bytes path)
{
	const struct policy_value *self = entity(facts, type, path);
	const struct policy_value *child = self;

	for (size_t depth = 0; depth < FOLDERS_MAX; depth++) {
		path.size = parent_size(path);
		const struct policy_value *parent =
			path.size > 0 ? entity(facts, "Folder", path) : NULL;
		if (!define(facts, child, NULL, &parent, parent ? 1 : 0))
			return NULL;
		if (!parent)
			return self;
		child = parent;
	}
	return NULL;
}

static struct policy_field
text_member(struct policy_facts *facts, const char *name, struct bytes text)
{
	return (struct policy_field){text_of(name), string(facts, text)};
}

static const struct policy_value *
ca_set(struct policy_facts *facts, const struct machine_endorsement *endorsement)
{
	const struct policy_value *cas[ATTEST_CHAIN_MAX];
	char hex[2 * ATTEST_HASH_SIZE + 1];

	for (size_t i = 0; i < endorsement->ca_count; i++) {
		sodium_bin2hex(hex, sizeof(hex), endorsement->ca_ids.data + i * ATTEST_HASH_SIZE,
			       ATTEST_HASH_SIZE);
		cas[i] = string(facts, text_bytes(hex));
	}
	return policy_value_set(facts, cas, endorsement->ca_count);
}

/* Numbers of 64 bits do not fit a Long: they are texts. */
static const struct policy_value *
cloud_context(struct policy_facts *facts, const struct machine_fixed *fixed)
{
	const struct machine_instance *instance = &fixed->instance;
	bool certified = fixed->cloud.verdict == WIRE_VERIFIED;
	char project_number[24];
	char instance_id[24];

	struct policy_field fields[7] = {
		{text_of("certified"), policy_value_boolean(facts, certified)},
	};
	if (!certified)
		return policy_value_record(facts, fields, 1);
	fields[1] = (struct policy_field){text_of("cas"), ca_set(facts, &fixed->cloud)};
	if (!instance->known)
		return policy_value_record(facts, fields, 2);
	snprintf(project_number, sizeof(project_number), "%" PRIu64, instance->project_number);
	snprintf(instance_id, sizeof(instance_id), "%" PRIu64, instance->number);
	fields[2] = text_member(facts, "zone", instance->zone);
	fields[3] = text_member(facts, "project", instance->project);
	fields[4] = text_member(facts, "projectNumber", text_bytes(project_number));
	fields[5] = text_member(facts, "instanceId", text_bytes(instance_id));
	fields[6] = text_member(facts, "instanceName", instance->name);
	return policy_value_record(facts, fields, 7);
}

static const struct policy_value *
release_context(struct policy_facts *facts, const struct release_view *view)
{
	const struct machine_fixed *fixed = &view->record->fixed;
	const struct policy_value *baselines[FACTS_BASELINES_MAX];
	struct bytes none = {(const uint8_t *)"", 0};
	bool certified = fixed->endorsement.verdict == WIRE_VERIFIED;

	for (size_t i = 0; i < view->baseline_count; i++)
		baselines[i] = entity(facts, "Baseline", text_bytes(view->baselines[i]->name));
	struct policy_field ek[2] = {
		{text_of("certified"), policy_value_boolean(facts, certified)},
		{text_of("manufacturer"), string(facts, certified ? fixed->manufacturer : none)},
	};
	struct policy_field fields[5] = {
		{text_of("now"), policy_value_long(facts, view->now)},
		{text_of("baselines"), policy_value_set(facts, baselines, view->baseline_count)},
		{text_of("claims"), facts_claims(facts, view)},
		{text_of("ek"), policy_value_record(facts, ek, 2)},
		{text_of("cloud"), cloud_context(facts, fixed)},
	};
	return policy_value_record(facts, fields, 5);
}

/* "web/policy0": the applied text's name, and the policy's own @id or number within all. */
static void
name_policy(const struct policy_set *set, const struct trust *trust, size_t index, char *ret,
	    size_t size)
{
	struct policy_summary summary;
	const char *source = "";

	policy_set_summary(set, index, &summary);
	struct policy_text id = summary.name.size > 0 ? summary.name : summary.id;
	for (size_t i = 0, left = index; trust && set == trust->set && i < trust->policy_count;
	     i++) {
		if (left < trust->policies[i].policy_count) {
			source = trust->policies[i].name;
			break;
		}
		left -= trust->policies[i].policy_count;
	}
	snprintf(ret, size, "%s%s%.*s", source, source[0] ? "/" : "",
		 (int)(id.size < 64 ? id.size : 64), id.data);
}

static bool
explain(const struct policy_set *set, const struct trust *trust,
	const struct policy_decision *decision, char *ret_why)
{
	char name[140];

	if (decision->failure_count > 0) {
		name_policy(set, trust, decision->failures[0].policy, name, sizeof(name));
		snprintf(ret_why, FACTS_WHY_SIZE, "%s could not be evaluated: %s", name,
			 decision->failures[0].message);
		return false;
	}
	if (decision->reason_count == 0) {
		snprintf(ret_why, FACTS_WHY_SIZE, "no policy permits it");
		return false;
	}
	name_policy(set, trust, decision->reasons[0], name, sizeof(name));
	snprintf(ret_why, FACTS_WHY_SIZE, "%s by %s", decision->allowed ? "permitted" : "forbidden",
		 name);
	return decision->allowed;
}

static bool
decide(const struct policy_set *set, const struct trust *trust, struct policy_facts *facts,
       const struct policy_request *request, char *ret_why)
{
	struct policy_decision decision;
	struct policy_error err = {0};

	if (set && request->principal && request->resource &&
	    policy_decide(set, facts, request, &decision, &err) == POLICY_OK)
		return explain(set, trust, &decision, ret_why);
	snprintf(ret_why, FACTS_WHY_SIZE, "the decision failed: %s", err.message);
	return false;
}

void
facts_release_start(struct policy_facts *common, const struct release_view *view,
		    struct release_facts *ret_facts)
{
	policy_facts_clear(common);
	*ret_facts = (struct release_facts){
		.machine = define_machine(common, view->machine),
		.context = release_context(common, view),
	};
}

bool
facts_release_allowed(const struct policy_set *set, const struct trust *trust,
		      struct policy_facts *facts, const struct release_facts *common,
		      struct bytes path, char ret_why[FACTS_WHY_SIZE])
{
	policy_facts_clear(facts);
	struct policy_request request = {
		.principal = common->machine,
		.action = entity(facts, "Action", text_bytes("release")),
		.resource = define_path(facts, "Secret", path),
		.context = common->context,
	};
	return decide(set, trust, facts, &request, ret_why);
}

static const struct policy_value *
define_operator(struct policy_facts *facts, const struct operator_record *signer)
{
	const struct policy_value *roles[OPERATION_LIST_MAX];
	const struct policy_value *self = entity(facts, "Operator", text_bytes(signer->name));

	for (size_t i = 0; i < signer->roles.count; i++)
		roles[i] = entity(facts, "Role", signer->roles.names[i]);
	return define(facts, self, NULL, roles, signer->roles.count) ? self : NULL;
}

static const struct policy_value *
define_resource(struct policy_facts *facts, const struct operator_view *view)
{
	if (view->machine)
		return define_machine(facts, view->machine);
	if (strcmp(view->resource_type, "Secret") == 0 ||
	    strcmp(view->resource_type, "Folder") == 0)
		return define_path(facts, view->resource_type, view->resource_id);
	/* Operator::"alice" may be both the principal and the resource: it is defined as the
	 * former. */
	if (strcmp(view->resource_type, "Operator") == 0 &&
	    bytes_equal(view->resource_id, text_bytes(view->signer->name)))
		return entity(facts, "Operator", view->resource_id);
	const struct policy_value *self = entity(facts, view->resource_type, view->resource_id);
	return define(facts, self, NULL, NULL, 0) ? self : NULL;
}

bool
facts_operator_allowed(const struct policy_set *set, const struct trust *trust,
		       struct policy_facts *facts, const struct operator_view *view,
		       char ret_why[FACTS_WHY_SIZE])
{
	policy_facts_clear(facts);
	struct policy_field now = {text_of("now"), policy_value_long(facts, view->now)};
	struct policy_request request = {
		.principal = define_operator(facts, view->signer),
		.action = entity(facts, "Action", text_bytes(view->action)),
		.resource = define_resource(facts, view),
		.context = policy_value_record(facts, &now, 1),
	};
	return decide(set, trust, facts, &request, ret_why);
}
