/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User N is in two teams of twenty, a team in one of four organisations, and these in Org::"all".
 * Doc N is in one of fifty folders, and a folder in one of five departments. The actions read and
 * list are in view; write, delete and share in edit.
 */
#include "policy_world.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define USERS	     200U
#define TEAMS	     20U
#define ORGS	     4U
#define DOCUMENTS    500U
#define FOLDERS	     50U
#define DEPARTMENTS  5U
#define POLICY_KINDS 10U
#define GENERAL	     50U /* every so many policies one names neither people nor documents */

static const char *const actions[] = {"read", "list", "write", "delete", "share"};
static const char *const labels[3][2] = {
	{"public", "draft"}, {"team", "draft"}, {"secret", "legal"}};

static const char *
action_group(unsigned int action)
{
	return action < 2 ? "view" : "edit";
}

/* The second of a user's teams; the first is the rest by TEAMS. */
static unsigned int
second_team(unsigned int user)
{
	return (user * 7 + 3) % TEAMS;
}

static unsigned int
owner_of(unsigned int document)
{
	return document * 13 % USERS;
}

/* Scatters numbers, the same each time. */
static unsigned int
scatter(unsigned int number, unsigned int salt)
{
	unsigned int mixed = (number + 1) * 2654435761U + salt * 40503U;

	mixed ^= mixed >> 15;
	mixed *= 2246822519U;
	return mixed ^ mixed >> 13;
}

struct world_request
world_request(unsigned int number)
{
	return (struct world_request){
		.user = scatter(number, 1) % USERS,
		.action = scatter(number, 2) % (unsigned int)COUNT(actions),
		.document = scatter(number, 3) % DOCUMENTS,
		.hour = scatter(number, 4) % 24,
		.mfa = scatter(number, 5) % 4 != 0,
		.tagged = scatter(number, 6) % 2 == 0,
	};
}

/* ---- texts ---- */

void
world_write_schema(FILE *out)
{
	fputs("entity Org in [Org];\n"
	      "entity Team in [Org];\n"
	      "entity User in [Team] { level: Long, dept: String, suspended: Bool };\n"
	      "entity Department;\n"
	      "entity Folder in [Department];\n"
	      "entity Doc in [Folder] { owner: User, labels: Set<String>, size: Long };\n"
	      "action view, edit;\n"
	      "action read, list in [view] appliesTo { principal: User, resource: Doc, context: {\n"
	      "  mfa: Bool, hour: Long, ip: ipaddr, tag?: String } };\n"
	      "action write, delete, share in [edit] appliesTo { principal: User, resource: Doc,\n"
	      "  context: { mfa: Bool, hour: Long, ip: ipaddr, tag?: String } };\n",
	      out);
}

static void
write_general(FILE *out, unsigned int number)
{
	if (number / GENERAL % 2 == 0)
		fputs("permit(principal, action in Action::\"view\", resource)\n"
		      "when { resource.owner == principal && context.mfa };\n",
		      out);
	else
		fputs("forbid(principal, action, resource)\n"
		      "when { principal.suspended || context.hour < 0 };\n",
		      out);
}

static void
write_policy(FILE *out, unsigned int number)
{
	unsigned int user = scatter(number, 11) % USERS;
	unsigned int team = scatter(number, 12) % TEAMS;
	unsigned int document = scatter(number, 13) % DOCUMENTS;
	unsigned int folder = scatter(number, 14) % FOLDERS;

	if (number % GENERAL == GENERAL - 1) {
		write_general(out, number);
		return;
	}
	switch (number % POLICY_KINDS) {
	case 0:
		fprintf(out,
			"permit(principal in Team::\"%u\",\n"
			"  action in [Action::\"read\", Action::\"list\"], resource in "
			"Folder::\"%u\")\nwhen { context.mfa };\n",
			team, folder);
		return;
	case 1:
		fprintf(out,
			"permit(principal == User::\"%u\", action, resource == Doc::\"%u\");\n",
			user, document);
		return;
	case 2:
		fprintf(out,
			"permit(principal is User in Team::\"%u\", action == Action::\"write\",\n"
			"  resource in Folder::\"%u\")\n"
			"when { resource.labels.contains(\"team\") && principal.level > 3 };\n",
			team, folder);
		return;
	case 3:
		fprintf(out,
			"permit(principal, action == Action::\"read\", resource in "
			"Folder::\"%u\")\nwhen { resource.owner == principal };\n",
			folder);
		return;
	case 4:
		fprintf(out,
			"permit(principal in Team::\"%u\", action in Action::\"view\", resource is "
			"Doc)\nwhen { context.hour >= 8 && context.hour < 18 && principal.dept == "
			"\"d%u\" };\n",
			team, number % DEPARTMENTS);
		return;
	case 5:
		fprintf(out,
			"forbid(principal in Team::\"%u\",\n"
			"  action in [Action::\"delete\", Action::\"share\"], resource in "
			"Folder::\"%u\")\nunless { context.mfa && principal.level >= 5 };\n",
			team, folder);
		return;
	case 6:
		fprintf(out,
			"permit(principal == User::\"%u\", action in Action::\"edit\",\n"
			"  resource in Folder::\"%u\")\n"
			"when { !resource.labels.containsAny([\"secret\", \"legal\"]) };\n",
			user, folder);
		return;
	case 7:
		fprintf(out,
			"permit(principal, action, resource == Doc::\"%u\")\n"
			"when { principal in [Team::\"%u\", Team::\"%u\"] &&\n"
			"  context has tag && context.tag like \"project-*\" };\n",
			document, team, (team + 5) % TEAMS);
		return;
	case 8:
		fprintf(out,
			"forbid(principal == User::\"%u\", action, resource in Folder::\"%u\")\n"
			"when { context.ip.isInRange(ip(\"10.9.0.0/16\")) };\n",
			user, folder);
		return;
	default:
		fprintf(out,
			"@id(\"share-%u\")\n"
			"permit(principal in Team::\"%u\", action == Action::\"share\", resource "
			"== Doc::\"%u\")\nwhen { resource.size < 1000 * 250 && "
			"principal.level * 2 > 4 };\n",
			number, team, document);
	}
}

void
world_write_policies(FILE *out, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		write_policy(out, i);
}

/* ---- JSON ---- */

static void
write_quoted(FILE *out, const char *text, size_t size)
{
	fputc('"', out);
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '\n')
			fputs("\\n", out);
		else if (text[i] == '"' || text[i] == '\\')
			fprintf(out, "\\%c", text[i]);
		else
			fputc(text[i], out);
	}
	fputc('"', out);
}

static void
write_plain(FILE *out, const char *type, unsigned int id, const char *parent, unsigned int above)
{
	fprintf(out, "{\"uid\":{\"type\":\"%s\",\"id\":\"%u\"},\"attrs\":{},\"parents\":[", type,
		id);
	if (parent != NULL)
		fprintf(out, "{\"type\":\"%s\",\"id\":\"%u\"}", parent, above);
	fputs("]},", out);
}

static void
write_people(FILE *out, unsigned int user)
{
	unsigned int teams[] = {user % TEAMS, second_team(user)};

	fprintf(out,
		"{\"uid\":{\"type\":\"User\",\"id\":\"%u\"},\"attrs\":{\"level\":%u,\"dept\":"
		"\"d%u\",\"suspended\":%s},\"parents\":[{\"type\":\"Team\",\"id\":\"%u\"}",
		user, user % 10, user % DEPARTMENTS, user % 37 == 0 ? "true" : "false", teams[0]);
	if (teams[1] != teams[0])
		fprintf(out, ",{\"type\":\"Team\",\"id\":\"%u\"}", teams[1]);
	fputs("]},", out);
	for (size_t i = 0; i < (teams[1] != teams[0] ? 2U : 1U); i++)
		write_plain(out, "Team", teams[i], "Org", teams[i] % ORGS);
	for (size_t i = 0; i < (teams[1] % ORGS != teams[0] % ORGS ? 2U : 1U); i++)
		fprintf(out,
			"{\"uid\":{\"type\":\"Org\",\"id\":\"%u\"},\"attrs\":{},\"parents\":[{"
			"\"type\":\"Org\",\"id\":\"all\"}]},",
			teams[i] % ORGS);
}

static void
write_documents(FILE *out, unsigned int document)
{
	unsigned int folder = document % FOLDERS;

	fprintf(out,
		"{\"uid\":{\"type\":\"Doc\",\"id\":\"%u\"},\"attrs\":{\"owner\":{\"__entity\":{"
		"\"type\":\"User\",\"id\":\"%u\"}},\"labels\":[\"%s\",\"%s\"],\"size\":%u},"
		"\"parents\":[{\"type\":\"Folder\",\"id\":\"%u\"}]},",
		document, owner_of(document), labels[document % 3][0], labels[document % 3][1],
		document * 1000, folder);
	write_plain(out, "Folder", folder, "Department", folder % DEPARTMENTS);
	write_plain(out, "Department", folder % DEPARTMENTS, NULL, 0);
}

static void
write_request(FILE *out, struct world_request request)
{
	const char *action = actions[request.action];
	const char *group = action_group(request.action);

	fprintf(out,
		"{\"principal\":{\"type\":\"User\",\"id\":\"%u\"},\"action\":{\"type\":\"Action\","
		"\"id\":\"%s\"},\"resource\":{\"type\":\"Doc\",\"id\":\"%u\"},\"context\":{"
		"\"mfa\":%s,\"hour\":%u,\"ip\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"10.%u.0.7\"}}",
		request.user, action, request.document, request.mfa ? "true" : "false",
		request.hour, request.hour);
	if (request.tagged)
		fputs(",\"tag\":\"project-x\"", out);
	fputs("},\"entities\":[", out);
	write_people(out, request.user);
	write_documents(out, request.document);
	fprintf(out,
		"{\"uid\":{\"type\":\"Action\",\"id\":\"%s\"},\"attrs\":{},\"parents\":[{\"type\":"
		"\"Action\",\"id\":\"%s\"}]}]}",
		action, group);
}

void
world_write_json(FILE *out, unsigned int count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);

	if (memory == NULL)
		return;
	world_write_policies(memory, count);
	fclose(memory);
	fputs("{\"policies\":", out);
	write_quoted(out, text, size);
	free(text);
	text = NULL;
	memory = open_memstream(&text, &size);
	if (memory == NULL)
		return;
	world_write_schema(memory);
	fclose(memory);
	fputs(",\"schema\":", out);
	write_quoted(out, text, size);
	free(text);
	fputs(",\"requests\":[", out);
	for (unsigned int i = 0; i < WORLD_REQUESTS; i++) {
		if (i > 0)
			fputc(',', out);
		write_request(out, world_request(i));
	}
	fputs("]}\n", out);
}

/* ---- facts ---- */

static struct policy_text
text(const char *string)
{
	return (struct policy_text){.data = string, .size = strlen(string)};
}

static const struct policy_value *
entity(struct policy_facts *facts, const char *type, unsigned int number)
{
	char id[16];

	snprintf(id, sizeof(id), "%u", number);
	return policy_value_entity(facts, text(type), text(id));
}

static const struct policy_value *
action_named(struct policy_facts *facts, const char *id)
{
	return policy_value_entity(facts, text("Action"), text(id));
}

static bool
add(struct policy_facts *facts, const struct policy_value *name,
    const struct policy_value *attributes, const struct policy_value *first,
    const struct policy_value *second)
{
	const struct policy_value *parents[] = {first, second};
	size_t count = (first != NULL ? 1U : 0U) + (second != NULL ? 1U : 0U);

	return policy_facts_entity(facts, name, attributes, parents, count, NULL) == POLICY_OK;
}

static bool
add_user(struct policy_facts *facts, unsigned int user)
{
	char department[16];
	unsigned int second = second_team(user);

	snprintf(department, sizeof(department), "d%u", user % DEPARTMENTS);
	const struct policy_field fields[] = {
		{text("level"), policy_value_long(facts, user % 10)},
		{text("dept"), policy_value_string(facts, text(department))},
		{text("suspended"), policy_value_boolean(facts, user % 37 == 0)},
	};
	return add(facts, entity(facts, "User", user),
		   policy_value_record(facts, fields, COUNT(fields)),
		   entity(facts, "Team", user % TEAMS),
		   second != user % TEAMS ? entity(facts, "Team", second) : NULL);
}

static bool
add_document(struct policy_facts *facts, unsigned int document)
{
	const struct policy_value *set[] = {
		policy_value_string(facts, text(labels[document % 3][0])),
		policy_value_string(facts, text(labels[document % 3][1])),
	};
	const struct policy_field fields[] = {
		{text("owner"), entity(facts, "User", owner_of(document))},
		{text("labels"), policy_value_set(facts, set, COUNT(set))},
		{text("size"), policy_value_long(facts, document * 1000)},
	};

	return add(facts, entity(facts, "Doc", document),
		   policy_value_record(facts, fields, COUNT(fields)),
		   entity(facts, "Folder", document % FOLDERS), NULL);
}

bool
world_add_entities(struct policy_facts *facts)
{
	const struct policy_value *all = policy_value_entity(facts, text("Org"), text("all"));
	bool added = add(facts, all, NULL, NULL, NULL);

	added = added && add(facts, action_named(facts, "view"), NULL, NULL, NULL) &&
		add(facts, action_named(facts, "edit"), NULL, NULL, NULL);
	for (unsigned int i = 0; added && i < COUNT(actions); i++)
		added = add(facts, action_named(facts, actions[i]), NULL,
			    action_named(facts, action_group(i)), NULL);
	for (unsigned int i = 0; added && i < ORGS; i++)
		added = add(facts, entity(facts, "Org", i), NULL, all, NULL);
	for (unsigned int i = 0; added && i < TEAMS; i++)
		added = add(facts, entity(facts, "Team", i), NULL, entity(facts, "Org", i % ORGS),
			    NULL);
	for (unsigned int i = 0; added && i < DEPARTMENTS; i++)
		added = add(facts, entity(facts, "Department", i), NULL, NULL, NULL);
	for (unsigned int i = 0; added && i < FOLDERS; i++)
		added = add(facts, entity(facts, "Folder", i), NULL,
			    entity(facts, "Department", i % DEPARTMENTS), NULL);
	for (unsigned int i = 0; added && i < USERS; i++)
		added = add_user(facts, i);
	for (unsigned int i = 0; added && i < DOCUMENTS; i++)
		added = add_document(facts, i);
	return added;
}

struct policy_request
world_build(struct policy_facts *facts, struct world_request request)
{
	char address[16];
	snprintf(address, sizeof(address), "10.%u.0.7", request.hour);
	const struct policy_field fields[] = {
		{text("mfa"), policy_value_boolean(facts, request.mfa)},
		{text("hour"), policy_value_long(facts, request.hour)},
		{text("ip"), policy_value_extension(facts, "ip", text(address))},
		{text("tag"), policy_value_string(facts, text("project-x"))},
	};

	return (struct policy_request){
		.principal = entity(facts, "User", request.user),
		.action = action_named(facts, actions[request.action]),
		.resource = entity(facts, "Doc", request.document),
		.context = policy_value_record(facts, fields,
					       request.tagged ? COUNT(fields) : COUNT(fields) - 1),
	};
}
