/* SPDX-License-Identifier: Apache-2.0 */
/* Acts that change policy: all applied texts are parsed as one set, so that a release is one
 * decision. */
#include "acts.h"

#include "acts_policy.h"
#include "facts.h"
#include "json_out.h"

#include <stdlib.h>
#include <string.h>

static void
sources_free(struct policy_source *sources, size_t count)
{
	for (size_t i = 0; sources && i < count; i++)
		free(sources[i].text);
	free(sources);
}

void
act_change_clear(struct act_change *change)
{
	policy_set_free(change->set);
	sources_free(change->sources, change->source_count);
	change->set = NULL;
	change->sources = NULL;
	change->source_count = 0;
	change->problem_count = 0;
}

static bool
copy_text(struct policy_source *source, struct bytes text)
{
	source->text = malloc(text.size + 1);
	source->size = text.size;
	if (!source->text)
		return false;
	if (text.size > 0)
		memcpy(source->text, text.data, text.size);
	source->text[text.size] = '\0';
	return true;
}

static void
copy_name(char ret_name[NAME_SIZE], struct bytes name)
{
	size_t size = name.size < NAME_SIZE ? name.size : NAME_SIZE - 1;

	memcpy(ret_name, name.data, size);
	ret_name[size] = '\0';
}

/* `permit` of a release for whoever asks is a slip that nothing else would catch: DESIGN 7. */
static bool
permits_everyone(const struct policy_set *set, size_t index)
{
	static const struct policy_text action = {"Action", 6};
	static const struct policy_text release = {"release", 7};
	struct policy_summary summary;

	policy_set_summary(set, index, &summary);
	return summary.effect == POLICY_PERMIT &&
	       (summary.principal == POLICY_ANY || summary.principal == POLICY_IS) &&
	       policy_set_may_cover(set, index, action, release);
}

static enum operation_outcome
refuse_error(struct act_change *change, const char *name, const struct policy_error *err)
{
	if (err->line == 0)
		return act_refuse(change, OUTCOME_INVALID, "%s: %s", name, err->message);
	return act_refuse(change, OUTCOME_INVALID, "%s:%u:%u: %s", name, err->line, err->column,
			  err->message);
}

struct findings {
	struct act_change *change;
	const char *name; /* of the text */
	bool errors;
};

static void
tell_finding(void *user, const struct policy_finding *finding)
{
	struct findings *findings = user;

	if (finding->warning)
		return;
	findings->errors = true;
	(void)act_refuse(findings->change, OUTCOME_INVALID, "%s:%u:%u: %s", findings->name,
			 finding->line, finding->column, finding->message);
}

/* Names and types, by the schema: a misspelt action or claim would match nothing, silently. */
static enum operation_outcome
validate(const struct policy_schema *schema, const struct policy_set *set, const char *name,
	 struct act_change *change)
{
	struct findings findings = {.change = change, .name = name};
	struct policy_error err = {0};

	if (!schema || policy_validate(schema, set, tell_finding, &findings, &err) == POLICY_OK)
		return OUTCOME_OK;
	return findings.errors ? OUTCOME_INVALID : refuse_error(change, name, &err);
}

/* Each text for itself first: lines and columns are those of the file that the operator has before
 * him. */
static enum operation_outcome
check_source(const struct policy_schema *schema, struct policy_source *source,
	     struct act_change *change)
{
	struct policy_set *set = NULL;
	struct policy_error err = {0};
	enum operation_outcome outcome = OUTCOME_OK;

	if (policy_set_parse((struct policy_text){source->text, source->size}, &set, &err) !=
	    POLICY_OK)
		return refuse_error(change, source->name, &err);
	source->policy_count = policy_set_count(set);
	for (size_t i = 0; i < source->policy_count; i++) {
		struct policy_summary summary;
		policy_set_summary(set, i, &summary);
		if (summary.kind == POLICY_TEMPLATE)
			outcome = act_refuse(change, OUTCOME_INVALID,
					     "%s:%u:%u: a template says nothing, and nobody links "
					     "it here",
					     source->name, summary.line, summary.column);
		if (!permits_everyone(set, i))
			continue;
		outcome = act_refuse(change, OUTCOME_INVALID,
				     "%s:%u:%u: this permit covers the release of secrets to every "
				     "machine: constrain its "
				     "principal to a machine or a group",
				     source->name, summary.line, summary.column);
	}
	if (outcome == OUTCOME_OK)
		outcome = validate(schema, set, source->name, change);
	policy_set_free(set);
	return outcome;
}

static enum operation_outcome
parse_all(struct act_change *change)
{
	struct policy_error err = {0};
	size_t size = 0;

	for (size_t i = 0; i < change->source_count; i++)
		size += change->sources[i].size + 1;
	if (size > POLICY_SOURCE_MAX)
		return act_refuse(change, OUTCOME_INVALID, "all policies together: over %d bytes",
				  POLICY_SOURCE_MAX);
	char *text = malloc(size + 1);
	if (!text)
		return act_refuse(change, OUTCOME_FAILED, "no memory");
	size_t used = 0;
	for (size_t i = 0; i < change->source_count; i++) {
		memcpy(text + used, change->sources[i].text, change->sources[i].size);
		used += change->sources[i].size;
		text[used++] = '\n'; /* ends a comment at the end of a text */
	}
	enum policy_status status =
		policy_set_parse((struct policy_text){text, used}, &change->set, &err);
	free(text);
	return status == POLICY_OK ? OUTCOME_OK
				   : refuse_error(change, "all policies together", &err);
}

static bool
copy_source(struct policy_source *into, const struct policy_source *source)
{
	*into = *source;
	return copy_text(into, (struct bytes){(const uint8_t *)source->text, source->size});
}

enum operation_outcome
act_policies_with(const struct trust *trust, struct bytes name, struct bytes text,
		  struct bytes operator_name, uint64_t revision, struct act_change *change)
{
	struct policy_source *own = NULL;

	change->sources = calloc(trust->policy_count + 1, sizeof(*change->sources));
	if (!change->sources)
		return act_refuse(change, OUTCOME_FAILED, "no memory");
	for (size_t i = 0; i < trust->policy_count; i++) {
		const struct policy_source *source = &trust->policies[i];
		struct policy_source *into = &change->sources[change->source_count];
		if (bytes_equal(text_bytes(source->name), name)) {
			if (!text.data)
				continue;
			own = into;
			change->source_count++;
		} else {
			change->source_count++;
			if (!copy_source(into, source))
				return act_refuse(change, OUTCOME_FAILED, "no memory");
		}
	}
	if (text.data && !own)
		own = &change->sources[change->source_count++];
	if (change->source_count > TRUST_POLICIES_MAX)
		return act_refuse(change, OUTCOME_INVALID, "more than %d policies",
				  TRUST_POLICIES_MAX);
	if (own) {
		copy_name(own->name, name);
		copy_name(own->operator_name, operator_name);
		own->revision = revision;
		if (!copy_text(own, text))
			return act_refuse(change, OUTCOME_FAILED, "no memory");
		enum operation_outcome outcome = check_source(trust->schema, own, change);
		if (outcome != OUTCOME_OK)
			return outcome;
	}
	return parse_all(change);
}

enum operation_outcome
act_policies_genesis(const struct operation_request *request, struct act_change *change)
{
	struct name_list list;

	if (!name_list_read(request->fields[FIELD_POLICIES], &list) || list.count % 2 != 0)
		return act_refuse(change, OUTCOME_INVALID,
				  "policies: not a list of names and texts");
	change->sources = calloc((size_t)list.count / 2 + 1, sizeof(*change->sources));
	if (!change->sources)
		return act_refuse(change, OUTCOME_FAILED, "no memory");
	for (size_t i = 0; i < list.count; i += 2) {
		struct policy_source *source = &change->sources[change->source_count++];
		copy_name(source->name, list.names[i]);
		copy_name(source->operator_name, request->operator_name);
		source->revision = 1;
		if (!copy_text(source, list.names[i + 1]))
			return act_refuse(change, OUTCOME_FAILED, "no memory");
		enum operation_outcome outcome = check_source(NULL, source, change);
		if (outcome != OUTCOME_OK)
			return outcome;
	}
	return parse_all(change);
}

void
act_policies_install(struct trust *trust, struct act_change *change)
{
	policy_set_free(trust->set);
	sources_free(trust->policies, trust->policy_count);
	trust->set = change->set;
	trust->named_claims = facts_claims_named(trust->set);
	trust->policies = change->sources;
	trust->policy_count = change->source_count;
	change->set = NULL;
	change->sources = NULL;
	change->source_count = 0;
}
