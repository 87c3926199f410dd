/* SPDX-License-Identifier: Apache-2.0 */
/* Readings of baselines, policies, operators, anchors, CRLs, of the audit log and of the acts. */
#include "operations.h"

#include <sodium.h>
#include <string.h>

enum operation_outcome
operation_baseline_list(struct worker *worker, struct operation_call *call)
{
	static const char *const states[] = {"active", "future", "ended", "revoked"};
	const struct trust *trust = &worker->keeper->trust;
	struct json *json = operation_text(worker);

	out_array(json, "baselines");
	for (size_t i = 0; i < trust->baseline_count; i++) {
		const struct baseline *baseline = &trust->baselines[i];
		out_object(json, NULL);
		out_text(json, "name", baseline->name);
		out_object(json, "pcrs");
		for (unsigned pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++) {
			if (baseline->pcrs.mask & (1u << pcr))
				out_hex_numbered(json, pcr, BYTES_OF(baseline->pcrs.values[pcr]));
		}
		out_object_end(json);
		out_number(json, "from", (uint64_t)baseline->from);
		if (baseline->until == INT64_MAX)
			out_null(json, "until");
		else
			out_number(json, "until", (uint64_t)baseline->until);
		out_text(json, "state", states[baseline_state(baseline, call->now)]);
		out_object_end(json);
	}
	out_array_end(json);
	out_object_end(json);
	return OUTCOME_OK;
}

enum operation_outcome
operation_policy_show(struct worker *worker, struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;
	struct bytes name = call->request.fields[FIELD_NAME];
	bool one = operation_has(&call->request, FIELD_NAME);
	struct json *json = operation_text(worker);

	if (one && !trust_policy(trust, name))
		return operation_error(worker, OUTCOME_MISSING, "policy %.*s: there is none",
				       (int)name.size, (const char *)name.data);
	out_array(json, "policies");
	for (size_t i = 0; i < trust->policy_count; i++) {
		const struct policy_source *source = &trust->policies[i];
		if (one && !bytes_equal(name, text_bytes(source->name)))
			continue;
		out_object(json, NULL);
		out_text(json, "name", source->name);
		out_string(json, "text",
			   (struct bytes){(const uint8_t *)source->text, source->size});
		out_text(json, "operator", source->operator_name);
		out_number(json, "revision", source->revision);
		out_object_end(json);
	}
	out_array_end(json);
	out_object_end(json);
	return OUTCOME_OK;
}

enum operation_outcome
operation_operator_list(struct worker *worker, struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;
	struct json *json = operation_text(worker);

	(void)call;
	out_array(json, "operators");
	for (size_t i = 0; i < trust->operator_count; i++) {
		const struct operator_record *signer = trust->operators[i];
		out_object(json, NULL);
		out_text(json, "name", signer->name);
		out_base64(json, "key", BYTES_OF(signer->key));
		out_array(json, "roles");
		for (size_t role = 0; role < signer->roles.count; role++)
			out_string(json, NULL, signer->roles.names[role]);
		out_array_end(json);
		out_text(json, "state", signer->ended ? "ended" : "active");
		out_object_end(json);
	}
	out_array_end(json);
	out_object_end(json);
	return OUTCOME_OK;
}

enum operation_outcome
operation_anchor_list(struct worker *worker, struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;
	struct json *json = operation_text(worker);

	(void)call;
	out_array(json, "anchors");
	for (size_t i = 0; i < trust->anchor_count; i++) {
		const struct anchor *anchor = &trust->anchors[i];
		uint8_t id[ATTEST_HASH_SIZE] = {0};
		if (sodium_hex2bin(id, sizeof(id), anchor->id, strlen(anchor->id), NULL, NULL,
				   NULL) != 0)
			continue;
		out_object(json, NULL);
		out_text(json, "id", anchor->id);
		out_text(json, "subject", anchor->subject);
		out_text(json, "state",
			 trust_revoked(&trust->revoked_cas, BYTES_OF(id)) ? "revoked" : "active");
		out_object_end(json);
	}
	out_array_end(json);
	out_object_end(json);
	return OUTCOME_OK;
}

enum operation_outcome
operation_crl_list(struct worker *worker, struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;
	struct json *json = operation_text(worker);

	out_array(json, "crls");
	for (size_t i = 0; i < trust->crls.count; i++) {
		const struct crl *crl = &trust->crls.items[i];
		out_object(json, NULL);
		out_text(json, "id", crl->id);
		out_text(json, "issuer", crl->issuer);
		out_number(json, "issued", (uint64_t)crl->issued);
		out_number(json, "expires", (uint64_t)crl->expires);
		out_text(json, "state", call->now > crl->expires ? "expired" : "active");
		out_number(json, "revoked", crl->revoked);
		out_number(json, "size", crl->bytes->size);
		out_text(json, "operator", crl->operator_name);
		out_number(json, "revision", crl->revision);
		out_object_end(json);
	}
	out_array_end(json);
	out_text(json, "stale_crls", worker->keeper->options.stale_crls ? "accept" : "refuse");
	out_object_end(json);
	return OUTCOME_OK;
}

/* ---- the log ---- */

struct decisions {
	struct json *json;
	bool truncated;
};

static bool
embed_entry(void *user, const struct store_log_entry *entry)
{
	struct decisions *decisions = user;
	struct json *json = decisions->json;

	if (json->size + entry->entry.size > OPERATION_TEXT_MAX - 4096) {
		decisions->truncated = true;
		return false;
	}
	out_embed(json, NULL, (struct bytes){entry->entry.data, entry->entry.size});
	return true;
}

enum operation_outcome
operation_explain(struct worker *worker, struct operation_call *call)
{
	struct store_error err;

	if (!call->machine)
		return operation_error(worker, OUTCOME_MISSING, "%s: there is none", call->subject);
	struct json *json = operation_text(worker);
	struct decisions decisions = {.json = json};
	out_text(json, "machine", call->machine->id);
	out_text(json, "name", call->machine->name[0] ? call->machine->name : NULL);
	out_array(json, "decisions");
	enum store_status status =
		store_log_tagged(worker->keeper->store, call->machine->id,
				 operation_count(call, 20), embed_entry, &decisions, &err);
	out_array_end(json);
	if (decisions.truncated)
		out_boolean(json, "truncated", true);
	out_object_end(json);
	return status == STORE_OK
		       ? OUTCOME_OK
		       : operation_error(worker, OUTCOME_FAILED, "the log cannot be read");
}

struct audit_page {
	struct json *json;
	size_t left;
};

static bool
list_entry(void *user, const struct store_log_entry *entry)
{
	struct audit_page *page = user;
	struct json *json = page->json;

	/* Escapes may double an entry, and more: a control character takes six bytes, but entries
	 * have none. */
	if (page->left == 0 || json->size + 2 * entry->entry.size > OPERATION_TEXT_MAX - 4096)
		return false;
	page->left--;
	out_object(json, NULL);
	out_number(json, "number", entry->number);
	out_hex(json, "hash", BYTES_OF(entry->hash));
	out_string(json, "entry", (struct bytes){entry->entry.data, entry->entry.size});
	out_object_end(json);
	return true;
}

enum operation_outcome
operation_audit_read(struct worker *worker, struct operation_call *call)
{
	struct json *json = operation_text(worker);
	struct audit_page page = {json, operation_count(call, 100)};
	struct checkpoint head;
	struct store_error err;

	out_array(json, "entries");
	enum store_status status = store_log_read(worker->keeper->store,
						  operation_number(&call->request, FIELD_FROM, 1),
						  list_entry, &page, &err);
	out_array_end(json);
	checkpoint_newest(worker->keeper, true, &head);
	out_object(json, "head");
	out_number(json, "number", head.number);
	out_hex(json, "hash", BYTES_OF(head.hash));
	out_number(json, "time", (uint64_t)head.time);
	out_base64(json, "signature", BYTES_OF(head.signature));
	out_object_end(json);
	out_object_end(json);
	return status == STORE_OK ? OUTCOME_OK
				  : operation_error(worker, OUTCOME_FAILED,
						    "the log cannot be read: %s", err.message);
}

/* ---- acts ---- */

static bool
list_act(struct worker *worker, uint64_t revision)
{
	struct json *json = &worker->text;
	struct act_record record;
	struct store_error err;
	struct secret *value = NULL;
	uint64_t store_revision;
	char key[RECORD_KEY_SIZE];

	record_act_key(revision, key);
	if (store_get(worker->keeper->store, key, &value, &store_revision, &err) != STORE_OK)
		return false;
	bool good = act_record_read((struct bytes){value->bytes, value->size}, &record);
	if (good) {
		out_object(json, NULL);
		out_number(json, "revision", revision);
		out_base64(json, "request", record.request);
		out_base64(json, "signature", record.signature);
		out_object_end(json);
	}
	secret_free(value);
	return good;
}

enum operation_outcome
operation_act_read(struct worker *worker, struct operation_call *call)
{
	const struct trust *trust = &worker->keeper->trust;
	struct json *json = operation_text(worker);
	uint64_t from = operation_number(&call->request, FIELD_FROM, 1);
	size_t left = operation_count(call, 100);
	bool good = true;

	out_array(json, "acts");
	/* One act is at most some 1.5 MB in base64: the page ends before the answer is full. */
	for (uint64_t i = from == 0 ? 1 : from; good && i <= trust->revision && left > 0;
	     i++, left--) {
		if (json->size > OPERATION_TEXT_MAX / 4)
			break;
		good = list_act(worker, i);
	}
	out_array_end(json);
	out_number(json, "trust_revision", trust->revision);
	out_object_end(json);
	return good ? OUTCOME_OK : operation_error(worker, OUTCOME_FAILED, "an act cannot be read");
}
