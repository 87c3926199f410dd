/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include "json_out.h"

#include <stdlib.h>
#include <string.h>

void
trust_start(struct trust *trust)
{
	*trust = (struct trust){0};
	index_start(&trust->by_id);
	index_start(&trust->by_name);
	index_start(&trust->by_ak);
	index_start(&trust->revoked_cas.index);
	index_start(&trust->revoked_eks.index);
	index_start(&trust->revoked_aks.index);
	index_start(&trust->revoked_links.index);
}

static void
revoked_clear(struct revoked *revoked)
{
	for (size_t i = 0; i < revoked->index.capacity; i++)
		free(revoked->index.entries[i].thing); /* the key's own copy */
	index_clear(&revoked->index);
}

void
trust_clear(struct trust *trust)
{
	for (size_t i = 0; i < trust->machine_count; i++)
		machine_free(trust->machines[i]);
	free(trust->machines);
	index_clear(&trust->by_id);
	index_clear(&trust->by_name);
	index_clear(&trust->by_ak);
	free(trust->baselines);
	for (size_t i = 0; i < trust->operator_count; i++)
		free(trust->operators[i]);
	free(trust->operators);
	for (size_t i = 0; i < trust->anchor_count; i++)
		free(trust->anchors[i].certificate);
	free(trust->anchors);
	for (size_t i = 0; i < trust->policy_count; i++)
		free(trust->policies[i].text);
	free(trust->policies);
	policy_set_free(trust->set);
	trust_ima_clear(&trust->ima);
	trust_crls_clear(&trust->crls);
	revoked_clear(&trust->revoked_cas);
	revoked_clear(&trust->revoked_eks);
	revoked_clear(&trust->revoked_aks);
	revoked_clear(&trust->revoked_links);
	*trust = (struct trust){0};
}

struct machine *
trust_machine(const struct trust *trust, struct bytes id)
{
	return index_find(&trust->by_id, id);
}

struct machine *
trust_machine_named(const struct trust *trust, struct bytes text)
{
	struct machine *machine = trust_machine(trust, text);

	return machine ? machine : index_find(&trust->by_name, text);
}

struct machine *
trust_machine_by_ak(const struct trust *trust, struct bytes ak_name)
{
	return index_find(&trust->by_ak, ak_name);
}

static bool
reserve_machine(struct trust *trust)
{
	if (trust->machine_count < trust->machine_capacity)
		return true;
	if (trust->machine_count >= TRUST_MACHINES_MAX)
		return false;
	size_t capacity = trust->machine_capacity == 0 ? 64 : trust->machine_capacity * 2;
	struct machine **machines = realloc(trust->machines, capacity * sizeof(*machines));
	if (!machines)
		return false;
	trust->machines = machines;
	trust->machine_capacity = capacity;
	return true;
}

struct machine *
trust_machine_add(struct trust *trust, const char *id)
{
	if (!reserve_machine(trust))
		return NULL;
	struct machine *machine = machine_new(id);
	if (!machine)
		return NULL;
	if (!index_add(&trust->by_id, text_bytes(machine->id), machine)) {
		machine_free(machine);
		return NULL;
	}
	trust->machines[trust->machine_count++] = machine;
	return machine;
}

bool
trust_machine_name(struct trust *trust, struct machine *machine, struct bytes name)
{
	if (machine->name[0] != '\0') /* a name once given stays: the audit log speaks of it */
		return true;
	memcpy(machine->name, name.data, name.size);
	machine->name[name.size] = '\0';
	return index_add(&trust->by_name, text_bytes(machine->name), machine);
}

bool
trust_machine_enrol(struct trust *trust, struct machine *machine,
		    const struct machine_record *record)
{
	const struct machine_fixed *fixed = &record->fixed;
	struct bytes act_ak = {machine->ak_name.bytes, machine->ak_name.size};

	if (machine->enrolled || index_find(&trust->by_ak, fixed->ak_name))
		return false;
	if (machine->ek_known && !bytes_equal(BYTES_OF(machine->ek_id), fixed->ek_id))
		return false;
	if (act_ak.size > 0 && !bytes_equal(act_ak, fixed->ak_name))
		return false;
	if (!machine_enrol(machine, record))
		return false;
	if (!index_add(&trust->by_ak, machine->record.fixed.ak_name, machine))
		return false;
	if (machine->standing == STANDING_NONE)
		trust->pending++;
	return true;
}

void
trust_machine_stand(struct trust *trust, struct machine *machine, enum standing standing)
{
	if (machine->enrolled && machine->standing == STANDING_NONE && standing != STANDING_NONE)
		trust->pending--;
	machine->standing = standing;
}

bool
trust_revoked(const struct revoked *revoked, struct bytes id)
{
	return index_find(&revoked->index, id) != NULL;
}

bool
trust_revoke(struct revoked *revoked, struct bytes id)
{
	if (trust_revoked(revoked, id))
		return true;
	uint8_t *copy = malloc(id.size);
	if (!copy)
		return false;
	memcpy(copy, id.data, id.size);
	if (index_add(&revoked->index, (struct bytes){copy, id.size}, copy))
		return true;
	free(copy);
	return false;
}

const char *
machine_state_text(enum machine_state state)
{
	switch (state) {
	case MACHINE_REGISTERED:
		return "registered";
	case MACHINE_PENDING:
		return "pending";
	case MACHINE_ADMITTED:
		return "admitted";
	case MACHINE_SUSPENDED:
		return "suspended";
	case MACHINE_REVOKED:
		return "revoked";
	}
	return "revoked";
}

/* NULL: nothing of the machine is revoked. */
static const char *
revocation_of(const struct trust *trust, const struct machine *machine,
	      const struct machine_record *record)
{
	if (machine->standing == STANDING_REVOKED)
		return "the machine is revoked";
	if (machine->ek_known && trust_revoked(&trust->revoked_eks, BYTES_OF(machine->ek_id)))
		return "its EK is revoked";
	if (!record)
		return NULL;
	if (trust_revoked(&trust->revoked_eks, record->fixed.ek_id))
		return "its EK is revoked";
	if (trust_revoked(&trust->revoked_aks, record->fixed.ak_name))
		return "its AK is revoked";
	struct bytes id;
	for (size_t i = 0; machine_ca(&record->fixed, i, &id); i++) {
		if (trust_revoked(&trust->revoked_cas, id))
			return "a CA above its EK, or its cloud's key, is revoked";
	}
	for (size_t i = 0; machine_link(&record->fixed, i, &id); i++) {
		if (trust_revoked(&trust->revoked_links, id))
			return "a CRL revokes its certificate, or one above it";
	}
	return NULL;
}

enum machine_state
trust_machine_state(const struct trust *trust, const struct machine *machine,
		    const struct machine_record *record, const char **ret_why)
{
	const char *why = revocation_of(trust, machine, record);
	enum machine_state state = MACHINE_REVOKED;

	if (!why && machine->standing == STANDING_SUSPENDED) {
		state = MACHINE_SUSPENDED;
		why = machine->reason;
	} else if (!why && record && record->suspended) {
		state = MACHINE_SUSPENDED;
		why = record->reason;
	} else if (!why) {
		why = "";
		state = !record				     ? MACHINE_REGISTERED
			: machine->standing == STANDING_NONE ? MACHINE_PENDING
							     : MACHINE_ADMITTED;
	}
	if (ret_why)
		*ret_why = why;
	return state;
}

enum baseline_state
baseline_state(const struct baseline *baseline, int64_t now)
{
	if (baseline->revoked)
		return BASELINE_REVOKED;
	if (now < baseline->from)
		return BASELINE_FUTURE;
	return now < baseline->until ? BASELINE_ACTIVE : BASELINE_ENDED;
}

unsigned
baseline_distance(const struct baseline *baseline, const uint8_t *pcrs)
{
	unsigned distance = 0;

	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++) {
		if (baseline->pcrs.mask & (1u << i))
			distance +=
				memcmp(baseline->pcrs.values[i],
				       pcrs + (size_t)i * ATTEST_HASH_SIZE, ATTEST_HASH_SIZE) != 0;
	}
	return distance;
}

bool
baseline_matches(const struct baseline *baseline, const uint8_t *pcrs)
{
	return baseline->pcrs.mask != 0 && baseline_distance(baseline, pcrs) == 0;
}

struct baseline *
trust_baseline(const struct trust *trust, struct bytes name)
{
	for (size_t i = 0; i < trust->baseline_count; i++) {
		if (bytes_equal(text_bytes(trust->baselines[i].name), name))
			return &trust->baselines[i];
	}
	return NULL;
}

struct operator_record *
trust_operator(const struct trust *trust, struct bytes name)
{
	for (size_t i = 0; i < trust->operator_count; i++) {
		if (bytes_equal(text_bytes(trust->operators[i]->name), name))
			return trust->operators[i];
	}
	return NULL;
}

struct anchor *
trust_anchor(const struct trust *trust, struct bytes hex_id)
{
	for (size_t i = 0; i < trust->anchor_count; i++) {
		if (bytes_equal(text_bytes(trust->anchors[i].id), hex_id))
			return &trust->anchors[i];
	}
	return NULL;
}

struct policy_source *
trust_policy(const struct trust *trust, struct bytes name)
{
	for (size_t i = 0; i < trust->policy_count; i++) {
		if (bytes_equal(text_bytes(trust->policies[i].name), name))
			return &trust->policies[i];
	}
	return NULL;
}
