/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include "encode.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char log_label[] = "postern/log/v1"; /* hashed with its NUL */

struct folded_operator {
	char name[65];
	uint8_t key[32];
	bool ended;
};

struct act_fold {
	uint8_t answer_key[32];
	uint64_t revision;
	size_t count;
	struct folded_operator *operators;
};

static bool fail(char *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool
fail(char *problem, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	(void)vsnprintf(problem, LEDGER_PROBLEM_SIZE, format, list);
	va_end(list);
	return false;
}

bool
ledger_add(struct ledger *ledger, uint64_t number, struct bytes entry, const uint8_t hash[32],
	   char ret_problem[LEDGER_PROBLEM_SIZE])
{
	crypto_hash_sha256_state state;
	uint8_t own[32];

	if (number != ledger->number + 1)
		return fail(ret_problem, "entry %llu is missing: %llu comes after %llu",
			    (unsigned long long)ledger->number + 1, (unsigned long long)number,
			    (unsigned long long)ledger->number);
	(void)crypto_hash_sha256_init(&state);
	(void)crypto_hash_sha256_update(&state, (const uint8_t *)log_label, sizeof(log_label));
	(void)crypto_hash_sha256_update(&state, ledger->hash, sizeof(ledger->hash));
	(void)crypto_hash_sha256_update(&state, entry.data, entry.size);
	(void)crypto_hash_sha256_final(&state, own);
	if (memcmp(own, hash, sizeof(own)) != 0)
		return fail(ret_problem, "entry %llu does not hash to what the broker says of it",
			    (unsigned long long)number);
	ledger->number = number;
	memcpy(ledger->hash, own, sizeof(own));
	return true;
}

bool
checkpoint_signed(const struct checkpoint *checkpoint, const uint8_t answer_key[32])
{
	uint8_t message[CHECKPOINT_MESSAGE_SIZE];

	checkpoint_message(checkpoint, message);
	return crypto_sign_verify_detached(checkpoint->signature, message, sizeof(message),
					   answer_key) == 0;
}

struct act_fold *
act_fold_new(const uint8_t answer_key[32])
{
	struct act_fold *fold = calloc(1, sizeof(*fold));

	if (fold != NULL)
		memcpy(fold->answer_key, answer_key, sizeof(fold->answer_key));
	return fold;
}

void
act_fold_free(struct act_fold *fold)
{
	if (fold == NULL)
		return;
	free(fold->operators);
	free(fold);
}

uint64_t
act_fold_revision(const struct act_fold *fold)
{
	return fold->revision;
}

static struct folded_operator *
operator_find(const struct act_fold *fold, struct bytes name)
{
	for (size_t i = 0; i < fold->count; i++)
		if (bytes_equal(text_bytes(fold->operators[i].name), name))
			return &fold->operators[i];
	return NULL;
}

static bool
operator_put(struct act_fold *fold, struct bytes name, struct bytes key, char *problem)
{
	struct folded_operator *operator= operator_find(fold, name);

	if (operator== NULL) {
		struct folded_operator *grown =
			realloc(fold->operators, (fold->count + 1) * sizeof(*grown));
		if (grown == NULL)
			return fail(problem, "out of memory");
		fold->operators = grown;
		operator= & grown[fold->count++];
		*operator=(struct folded_operator){.ended = false};
		memcpy(operator->name, name.data, name.size);
	}
	memcpy(operator->key, key.data, sizeof(operator->key));
	return true;
}

/* What the act says of operators; the rest of the trust state is the broker's to fold. */
static bool
operators_apply(struct act_fold *fold, const struct operation_request *request, char *problem)
{
	struct bytes id = request->fields[FIELD_ID];

	if (request->operation == OPERATION_GENESIS || request->operation == OPERATION_OPERATOR_ADD)
		return operator_put(fold, request->fields[FIELD_NAME],
				    request->fields[FIELD_OPERATOR_KEY], problem);
	if (request->operation == OPERATION_REVOKE &&
	    bytes_equal(request->fields[FIELD_KIND], text_bytes("operator"))) {
		struct folded_operator *ended = operator_find(fold, id);
		if (ended != NULL)
			ended->ended = true;
	}
	return true;
}

/* The key that must have signed: genesis is signed by the operator it makes. */
static bool
signer_find(const struct act_fold *fold, const struct operation_request *request,
	    unsigned long long revision, const uint8_t **ret_key, char *problem)
{
	if (request->operation == OPERATION_GENESIS) {
		if (revision != 1 ||
		    !bytes_equal(request->operator_name, request->fields[FIELD_NAME]))
			return fail(problem, "act %llu: a genesis that is none", revision);
		*ret_key = request->fields[FIELD_OPERATOR_KEY].data;
		return true;
	}
	const struct folded_operator *operator= operator_find(fold, request->operator_name);
	if (revision == 1 || operator== NULL || operator->ended)
		return fail(problem, "act %llu is signed by '%.*s', who was no operator then",
			    revision, (int)request->operator_name.size,
			    (const char *)request->operator_name.data);
	*ret_key = operator->key;
	return true;
}

bool
act_fold_add(struct act_fold *fold, uint64_t revision, struct bytes frame,
	     const uint8_t signature[64], char ret_problem[LEDGER_PROBLEM_SIZE])
{
	struct operation_request request;
	unsigned long long number = revision;
	const uint8_t *key = NULL;
	const char *why = "";

	if (revision != fold->revision + 1)
		return fail(ret_problem, "act %llu is missing",
			    (unsigned long long)fold->revision + 1);
	if (!operation_request_read(frame, &request, &why))
		return fail(ret_problem, "act %llu: %s", number, why);
	const struct operation_info *info = operation_find(request.operation);
	if (info == NULL || !info->act || request.trust_revision != revision - 1)
		return fail(ret_problem, "act %llu is none, or was made for revision %llu", number,
			    (unsigned long long)request.trust_revision);
	if (memcmp(request.answer_key.data, fold->answer_key, sizeof(fold->answer_key)) != 0)
		return fail(ret_problem, "act %llu was made for another broker", number);
	if (!signer_find(fold, &request, number, &key, ret_problem))
		return false;
	if (crypto_sign_verify_detached(signature, frame.data, frame.size, key) != 0)
		return fail(ret_problem, "act %llu: the signature of '%.*s' does not verify",
			    number, (int)request.operator_name.size,
			    (const char *)request.operator_name.data);
	if (!operators_apply(fold, &request, ret_problem))
		return false;
	fold->revision = revision;
	return true;
}
