/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of operations, and the request's and the answer's frames. The forms of fields:
 * field.c. */
#include "operation.h"

#include "field.h"

#include <string.h>

#define REQUEST_LABEL "postern/operator/v1"
#define ANSWER_LABEL  "postern/answer/v1"
#define HASH_SIZE     32

#define F(field) (1u << FIELD_##field)

static const struct operation_info operations[] = {
	{OPERATION_STATUS, "status", "read", false, 0, 0},
	{OPERATION_SECRET_LIST, "secret-list", "read", false, 0, F(PATH) | F(AFTER) | F(COUNT)},
	{OPERATION_SECRET_SHOW, "secret-show", "read", false, F(PATH), 0},
	{OPERATION_MACHINE_LIST, "machine-list", "read", false, 0, F(STATE) | F(AFTER) | F(COUNT)},
	{OPERATION_MACHINE_SHOW, "machine-show", "read", false, F(MACHINE), 0},
	{OPERATION_BASELINE_LIST, "baseline-list", "read", false, 0, 0},
	{OPERATION_POLICY_SHOW, "policy-show", "read", false, 0, F(NAME)},
	{OPERATION_POLICY_CHECK, "policy-check", "read", false, F(NAME) | F(POLICY), 0},
	{OPERATION_OPERATOR_LIST, "operator-list", "read", false, 0, 0},
	{OPERATION_ANCHOR_LIST, "anchor-list", "read", false, 0, 0},
	{OPERATION_EXPLAIN, "explain", "read", false, F(MACHINE), F(COUNT)},
	{OPERATION_AUDIT_READ, "audit-read", "read", false, F(FROM), F(COUNT)},
	{OPERATION_ACT_READ, "act-read", "read", false, F(FROM), F(COUNT)},
	{OPERATION_IMA_KEY_LIST, "ima-key-list", "read", false, 0, 0},
	{OPERATION_IMA_ALLOW_LIST, "ima-allow-list", "read", false, 0, 0},
	{OPERATION_CRL_LIST, "crl-list", "read", false, 0, 0},

	{OPERATION_SECRET_PUT, "secret-put", "write", false, F(PATH) | F(CAS) | F(SEALED), 0},
	{OPERATION_SECRET_DELETE, "secret-delete", "write", false, F(PATH), F(CAS) | F(VERSIONS)},
	{OPERATION_SECRET_UNDELETE, "secret-undelete", "write", false, F(PATH) | F(VERSIONS), 0},
	{OPERATION_SECRET_DESTROY, "secret-destroy", "write", false, F(PATH) | F(VERSIONS), 0},
	{OPERATION_SECRET_SETTINGS, "secret-settings", "write", false, F(PATH),
	 F(SETTINGS) | F(CUSTOM)},
	{OPERATION_SECRET_REMOVE, "secret-remove", "write", false, F(PATH), F(CAS)},
	{OPERATION_SEAL, "seal", "write", false, 0, F(REASON)},
	{OPERATION_ROTATE, "rotate", "write", false, 0, 0},

	{OPERATION_GENESIS, "genesis", "trust", true,
	 F(NAME) | F(OPERATOR_KEY) | F(ROLES) | F(POLICIES), 0},
	{OPERATION_MACHINE_REGISTER, "machine-register", "trust", true,
	 F(EK_ID) | F(NAME) | F(GROUPS), 0},
	{OPERATION_MACHINE_ADMIT, "machine-admit", "trust", true,
	 F(MACHINE) | F(EK_ID) | F(AK_NAME) | F(NAME) | F(GROUPS), 0},
	{OPERATION_MACHINE_SUSPEND, "machine-suspend", "trust", true, F(MACHINE) | F(REASON), 0},
	{OPERATION_MACHINE_READMIT, "machine-readmit", "trust", true, F(MACHINE) | F(REASON), 0},
	{OPERATION_MACHINE_GROUP, "machine-group", "trust", true, F(MACHINE) | F(GROUPS), 0},
	{OPERATION_BASELINE_ADD, "baseline-add", "trust", true, F(NAME) | F(PCRS) | F(FROM),
	 F(UNTIL)},
	{OPERATION_BASELINE_END, "baseline-end", "trust", true, F(NAME) | F(UNTIL), 0},
	{OPERATION_POLICY_APPLY, "policy-apply", "trust", true, F(NAME) | F(POLICY), 0},
	{OPERATION_POLICY_DELETE, "policy-delete", "trust", true, F(NAME), 0},
	{OPERATION_ANCHOR_ADD, "anchor-add", "trust", true, F(CERTIFICATE) | F(ID) | F(SUBJECT), 0},
	{OPERATION_REVOKE, "revoke", "trust", true, F(KIND) | F(ID) | F(REASON), 0},
	{OPERATION_OPERATOR_ADD, "operator-add", "trust", true,
	 F(NAME) | F(OPERATOR_KEY) | F(ROLES), 0},
	{OPERATION_IMA_KEY_ADD, "ima-key-add", "trust", true, F(PUBLIC_KEY) | F(ID) | F(SUBJECT),
	 0},
	{OPERATION_IMA_ALLOW_ADD, "ima-allow-add", "trust", true, F(NAME) | F(DIGESTS), 0},
	{OPERATION_IMA_ALLOW_END, "ima-allow-end", "trust", true, F(NAME), 0},
	{OPERATION_CRL_ADD, "crl-add", "trust", true,
	 F(CRL) | F(ID) | F(SUBJECT) | F(FROM) | F(UNTIL), F(DIGESTS)},
	{OPERATION_CRL_END, "crl-end", "trust", true, F(ID), 0},
	{OPERATION_REKEY, "rekey", "trust", true, F(SHARES), F(REASON)},
};
#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

const struct operation_info *
operation_find(uint16_t operation)
{
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		if ((uint16_t)operations[i].operation == operation)
			return &operations[i];
	}
	return NULL;
}

const struct operation_info *
operation_at(size_t index)
{
	return index < OPERATION_COUNT ? &operations[index] : NULL;
}

/* ---- fields by number ---- */

void
operation_set(struct operation_request *request, enum operation_field field, struct bytes value)
{
	request->present |= 1u << field;
	request->fields[field] = value;
}

void
operation_set_text(struct operation_request *request, enum operation_field field, const char *text)
{
	operation_set(request, field, (struct bytes){(const uint8_t *)text, strlen(text)});
}

bool
operation_has(const struct operation_request *request, enum operation_field field)
{
	return (request->present & 1u << field) != 0;
}

void
operation_set_number(struct operation_request *request, enum operation_field field, uint64_t value,
		     uint8_t storage[8])
{
	struct writer w = writer_of(storage, 8);
	write_be64(&w, value);
	operation_set(request, field, writer_bytes(&w));
}

uint64_t
operation_number(const struct operation_request *request, enum operation_field field,
		 uint64_t absent)
{
	if (!operation_has(request, field))
		return absent;
	struct reader r = reader_of(request->fields[field]);
	return read_be64(&r);
}

/* ---- the request ---- */

static bool
label_is(struct bytes label, const char *text)
{
	return bytes_equal(label, (struct bytes){(const uint8_t *)text, strlen(text)});
}

void
operation_request_write(struct writer *w, const struct operation_request *request)
{
	write_lp_text(w, REQUEST_LABEL);
	if (request->answer_key.size != WIRE_KEY_SIZE)
		w->failed = true;
	write_bytes(w, request->answer_key);
	write_lp(w, request->operator_name);
	write_lp(w, request->challenge);
	write_be64(w, request->trust_revision);
	write_be16(w, request->operation);
	write_u8(w, (uint8_t)__builtin_popcount(request->present));
	for (uint8_t field = 1; field < FIELD_LIMIT; field++) {
		if (!operation_has(request, (enum operation_field)field))
			continue;
		write_u8(w, field);
		write_lp(w, request->fields[field]);
	}
}

/* Strictly ascending, so that one set of fields has one encoding. */
static void
read_fields(struct reader *r, struct operation_request *request)
{
	uint32_t count = read_count(r, read_u8(r), FIELD_LIMIT - 1);
	uint8_t last = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint8_t field = read_u8(r);
		if (field <= last || field >= FIELD_LIMIT) {
			reader_fail(r);
			return;
		}
		operation_set(request, (enum operation_field)field,
			      read_lp(r, OPERATION_REQUEST_MAX));
		last = field;
	}
}

/* NULL: as the table says. */
static const char *
check_fields(const struct operation_request *request, const struct operation_info *info)
{
	for (unsigned i = 1; i < FIELD_LIMIT; i++) {
		enum operation_field field = (enum operation_field)i;
		uint32_t bit = 1u << i;
		bool there = (request->present & bit) != 0;
		if (!there && (info->required & bit) != 0)
			return field_problem(field, FIELD_IS_MISSING);
		if (there && ((info->required | info->optional) & bit) == 0)
			return field_problem(field, FIELD_IS_EXTRA);
		if (there && !field_valid(request, field))
			return field_problem(field, FIELD_IS_MALFORMED);
	}
	return NULL;
}

static const char *
check_request(const struct operation_request *request)
{
	const struct operation_info *info = operation_find(request->operation);
	if (info == NULL)
		return "operation: not one that is known";
	if (!name_valid(request->operator_name))
		return "operator: not a name";
	size_t challenge = request->operation == OPERATION_GENESIS ? 0 : WIRE_CHALLENGE_SIZE;
	if (request->challenge.size != challenge)
		return "challenge: not of its size";
	if (!info->act && request->trust_revision != 0)
		return "trust revision: must be 0 in what is not an act";
	return check_fields(request, info);
}

bool
operation_request_read(struct bytes encoded, struct operation_request *ret_request,
		       const char **ret_problem)
{
	struct reader r = reader_of(encoded);
	struct operation_request request = {0};
	struct bytes label = read_lp(&r, sizeof(REQUEST_LABEL));
	request.answer_key = read_bytes(&r, WIRE_KEY_SIZE);
	request.operator_name = read_lp(&r, WIRE_PATH_MAX);
	request.challenge = read_lp(&r, WIRE_CHALLENGE_SIZE);
	request.trust_revision = read_be64(&r);
	request.operation = read_be16(&r);
	read_fields(&r, &request);
	const char *problem = NULL;
	if (encoded.size > OPERATION_REQUEST_MAX)
		problem = "request: too large";
	else if (!reader_finished(&r) || !label_is(label, REQUEST_LABEL))
		problem = "request: does not parse";
	else
		problem = check_request(&request);
	if (problem != NULL) {
		*ret_problem = problem;
		return false;
	}
	*ret_request = request;
	return true;
}

/* ---- the answer ---- */

void
operation_answer_write(struct writer *w, const struct operation_answer *answer)
{
	write_lp_text(w, ANSWER_LABEL);
	if (answer->request_hash.size != HASH_SIZE)
		w->failed = true;
	write_bytes(w, answer->request_hash);
	write_u8(w, answer->outcome);
	write_be64(w, answer->trust_revision);
	write_lp(w, answer->json);
}

bool
operation_answer_read(struct bytes encoded, struct operation_answer *ret_answer)
{
	struct reader r = reader_of(encoded);
	struct operation_answer answer = {0};
	struct bytes label = read_lp(&r, sizeof(ANSWER_LABEL));
	answer.request_hash = read_bytes(&r, HASH_SIZE);
	answer.outcome = (uint8_t)read_count(&r, read_u8(&r), OUTCOME_FROZEN);
	answer.trust_revision = read_be64(&r);
	answer.json = read_lp(&r, OPERATION_ANSWER_MAX);
	if (!reader_finished(&r) || !label_is(label, ANSWER_LABEL))
		return false;
	*ret_answer = answer;
	return true;
}
