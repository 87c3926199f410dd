/* SPDX-License-Identifier: Apache-2.0 */
/* What happens before the first frame: the store's files while they have paths, and once the key is
 * there keys, the fold of the acts with every signature verified again, machines. */
#include "acts.h"
#include "audit.h"
#include "control.h"
#include "keeper.h"
#include "records.h"
#include "wire/schema.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_TAIL 1000 /* newest audit entries that are held against the trust revision */

struct opening {
	struct keeper *keeper;
	char *problem; /* KEEPER_PROBLEM_SIZE */
	struct trust_record trust;
	struct secret *value; /* what the store reads into */
	uint64_t acts;
	char last_act[RECORD_KEY_SIZE];
	bool failed;
};

__attribute__((format(printf, 2, 3))) static bool
fail(struct opening *opening, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(opening->problem, KEEPER_PROBLEM_SIZE, format, arguments);
	va_end(arguments);
	opening->failed = true;
	return false;
}

static struct bytes
value_bytes(const struct opening *opening)
{
	return (struct bytes){opening->value->bytes, opening->value->size};
}

/* Into opening->value, which grows once. */
static bool
get(struct opening *opening, const char *key, uint64_t *ret_revision)
{
	struct store_error err;

	opening->value->size = opening->value->capacity;
	enum store_status status =
		store_get_into(opening->keeper->store, key, opening->value, ret_revision, &err);
	if (status == STORE_LIMIT && worker_secret(&opening->value, STORE_VALUE_MAX))
		status = store_get_into(opening->keeper->store, key, opening->value, ret_revision,
					&err);
	if (status != STORE_OK)
		return fail(opening, "record %s: %s", key,
			    status == STORE_MISSING ? "missing" : err.message);
	return true;
}

/* ---- keys ---- */

static struct secret *
get_key(struct opening *opening, const char *key)
{
	struct secret *secret = NULL;
	struct store_error err;
	uint64_t revision;

	enum store_status status = store_get(opening->keeper->store, key, &secret, &revision, &err);
	if (status == STORE_OK && secret->size == 32)
		return secret;
	fail(opening, "record %s: %s", key,
	     status == STORE_OK	       ? "not a key of 32 bytes"
	     : status == STORE_MISSING ? "missing: was this store made by `postern init`?"
				       : err.message);
	if (status == STORE_OK)
		secret_free(secret);
	return NULL;
}

static bool
open_keys(struct opening *opening)
{
	struct keeper_keys *keys = &opening->keeper->keys;

	keys->release = get_key(opening, "key/release");
	keys->intake = keys->release ? get_key(opening, "key/intake") : NULL;
	auto_secret *seed = keys->intake ? get_key(opening, "key/answer") : NULL;
	keys->answer = seed ? secret_new(crypto_sign_SECRETKEYBYTES) : NULL;
	if (!keys->answer)
		return opening->failed ? false
				       : fail(opening, "no locked memory: raise RLIMIT_MEMLOCK");
	crypto_sign_seed_keypair(keys->answer_public, keys->answer->bytes, seed->bytes);
	crypto_scalarmult_base(keys->release_public, keys->release->bytes);
	crypto_scalarmult_base(keys->intake_public, keys->intake->bytes);
	return true;
}

/* ---- acts ---- */

/* The key that an act must be signed with: the genesis brings its own. */
static const uint8_t *
signer_key(const struct trust *trust, const struct operation_request *request)
{
	if (request->operation == OPERATION_GENESIS)
		return request->fields[FIELD_OPERATOR_KEY].data;
	const struct operator_record *signer = trust_operator(trust, request->operator_name);
	return signer && !signer->ended ? signer->key : NULL;
}

static const char *
check_act(const struct keeper *keeper, const struct act_record *record, uint64_t revision,
	  struct operation_request *ret_request)
{
	const char *problem = NULL;

	if (!operation_request_read(record->request, ret_request, &problem))
		return problem;
	if (!bytes_equal(ret_request->answer_key, BYTES_OF(keeper->keys.answer_public)))
		return "for another broker";
	if (ret_request->trust_revision != revision - 1)
		return "not made for this revision";
	if ((ret_request->operation == OPERATION_GENESIS) != (revision == 1))
		return "the genesis must be the first act, and only that";
	const uint8_t *key = signer_key(&keeper->trust, ret_request);
	if (!key)
		return "its operator is unknown or ended";
	if (crypto_sign_verify_detached(record->signature.data, record->request.data,
					record->request.size, key) != 0)
		return "its signature does not verify";
	return NULL;
}

static bool
fold_act(struct opening *opening, uint64_t revision)
{
	struct keeper *keeper = opening->keeper;
	struct act_record record;
	struct operation_request request;
	auto_change change = {0};
	uint64_t store_revision;
	char key[RECORD_KEY_SIZE];

	record_act_key(revision, key);
	if (!get(opening, key, &store_revision))
		return false;
	if (!act_record_read(value_bytes(opening), &record))
		return fail(opening, "record %s: does not parse", key);
	const char *problem = check_act(keeper, &record, revision, &request);
	if (problem)
		return fail(opening, "record %s: %s", key, problem);
	if (act_check(&keeper->trust, &request, &change) != OUTCOME_OK)
		return fail(opening, "record %s: %.200s", key,
			    change.problem_count ? change.problems[0] : "refused");
	if (!act_apply(&keeper->trust, &request, revision, &change))
		return fail(opening, "record %s: no memory", key);
	crypto_hash_sha256(keeper->trust.head, opening->value->bytes, opening->value->size);
	return true;
}

static bool
count_act(void *user, const char *key, uint64_t revision)
{
	struct opening *opening = user;

	(void)revision;
	opening->acts++;
	snprintf(opening->last_act, sizeof(opening->last_act), "%s", key);
	return true;
}

/* From 1 to the trust record's revision without a gap, nothing beyond, and its hash is the
 * newest's. */
static bool
fold_acts(struct opening *opening)
{
	struct trust *trust = &opening->keeper->trust;
	struct store_error err;

	if (!get(opening, RECORD_TRUST, &trust->store_revision))
		return false;
	if (!trust_record_read(value_bytes(opening), &opening->trust))
		return fail(opening, "record trust: does not parse");
	for (uint64_t i = 1; i <= opening->trust.revision; i++) {
		if (!fold_act(opening, i))
			return false;
	}
	if (sodium_memcmp(trust->head, opening->trust.head, sizeof(trust->head)) != 0)
		return fail(opening, "record trust: its hash is not that of the newest act");
	if (store_list(opening->keeper->store, "act/", NULL, count_act, opening, &err) != STORE_OK)
		return fail(opening, "acts: %s", err.message);
	if (opening->acts != opening->trust.revision)
		return fail(opening, "record %s: an act beyond the trust record",
			    opening->last_act);
	return true;
}

/* ---- acts against the audit log ---- */

/* An entry ends with the trust revision it was written under: audit_end. 0: this one does not. */
static uint64_t
entry_revision(const struct store_bytes *entry)
{
	static const char label[] = "\"trust_revision\":";
	const size_t label_size = sizeof(label) - 1;
	size_t start, end = entry->size;
	uint64_t revision = 0;

	if (end == 0 || entry->data[--end] != '}')
		return 0;
	start = end;
	while (start > 0 && entry->data[start - 1] >= '0' && entry->data[start - 1] <= '9')
		start--;
	if (start < label_size || memcmp(entry->data + start - label_size, label, label_size) != 0)
		return 0;
	for (size_t i = start; i < end; i++)
		revision = revision * 10 + (uint64_t)(entry->data[i] - '0');
	return revision;
}

static bool
newest_revision(void *user, const struct store_log_entry *entry)
{
	uint64_t *newest = user;
	uint64_t revision = entry_revision(&entry->entry);

	if (revision > *newest)
		*newest = revision;
	return true;
}

/* The store notices what is put back or taken away while it is closed. Of acts the log knows as
 * well, even where someone with the root key wrote the rest: what came after an act was written
 * under its revision. */
static bool
check_log(struct opening *opening)
{
	uint8_t hash[STORE_HASH_SIZE];
	struct store_error err;
	uint64_t head, newest = 0;

	store_log_head(opening->keeper->store, &head, hash);
	uint64_t from = head > LOG_TAIL ? head - LOG_TAIL : 1;
	if (head > 0 && store_log_read(opening->keeper->store, from, newest_revision, &newest,
				       &err) != STORE_OK)
		return fail(opening, "audit log: %s", err.message);
	if (newest > opening->trust.revision)
		return fail(opening,
			    "record trust: revision %llu, and the audit log has come to %llu: acts "
			    "were taken away",
			    (unsigned long long)opening->trust.revision,
			    (unsigned long long)newest);
	return true;
}

/* ---- machines ---- */

static bool
load_machine(void *user, const char *key, uint64_t revision)
{
	struct opening *opening = user;
	struct trust *trust = &opening->keeper->trust;
	struct machine_record record;
	char id[MACHINE_ID_SIZE];

	if (!get(opening, key, &revision))
		return false;
	if (!machine_record_read(value_bytes(opening), &record))
		return fail(opening, "record %s: does not parse, or is of another version", key);
	machine_id_of(record.fixed.ek_id.data, id);
	if (strcmp(id, key + strlen("machine/")) != 0)
		return fail(opening, "record %s: is of machine %s", key, id);
	struct machine *machine = trust_machine(trust, text_bytes(id));
	if (!machine)
		machine = trust_machine_add(trust, id);
	if (!machine)
		return fail(opening, "record %s: no memory, or too many machines", key);
	if (!trust_machine_enrol(trust, machine, &record))
		return fail(opening, "record %s: contradicts the act that admitted it", key);
	return true;
}

static bool
load_machines(struct opening *opening)
{
	struct store_error err;

	if (store_list(opening->keeper->store, "machine/", NULL, load_machine, opening, &err) !=
	    STORE_OK)
		return fail(opening, "machines: %s", err.message);
	return !opening->failed;
}

/* ---- all of it ---- */

static bool
start_lock(struct keeper *keeper)
{
	pthread_rwlockattr_t attributes;

	/* A revocation must not wait for as long as releases keep coming. */
	bool good = pthread_rwlockattr_init(&attributes) == 0 &&
		    pthread_rwlockattr_setkind_np(
			    &attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) == 0 &&
		    pthread_rwlock_init(&keeper->lock, &attributes) == 0;
	pthread_rwlockattr_destroy(&attributes);
	pthread_mutex_init(&keeper->strangers_mutex, NULL);
	pthread_mutex_init(&keeper->checkpoint_mutex, NULL);
	return good;
}

static bool
prepare(struct opening *opening)
{
	struct keeper *keeper = opening->keeper;
	struct policy_error schema_err = {0};

	keeper->challenges = challenges_new(keeper->options.challenge_lifetime);
	if (policy_schema_parse((struct policy_text){broker_schema, broker_schema_size},
				&keeper->schema, &schema_err) != POLICY_OK)
		return fail(opening, "the schema of policies: %u:%u: %s", schema_err.line,
			    schema_err.column, schema_err.message);
	keeper->actions = facts_actions_new(keeper->schema);
	opening->value = secret_new(64 * 1024);
	if (!keeper->challenges || !keeper->actions || !opening->value)
		return fail(opening, "no memory, or it cannot be locked: raise RLIMIT_MEMLOCK");
	return true;
}

/* The act that the newest new root key was made by is used up. */
static bool
load_rekeyed(struct opening *opening)
{
	struct keeper *keeper = opening->keeper;
	struct store_error err;
	uint64_t revision;

	opening->value->size = opening->value->capacity;
	enum store_status status =
		store_get_into(keeper->store, RECORD_REKEYED, opening->value, &revision, &err);
	if (status == STORE_MISSING)
		return true;
	if (status != STORE_OK)
		return fail(opening, "record " RECORD_REKEYED ": %s", err.message);
	struct reader r = reader_of(value_bytes(opening));
	keeper->rekeyed = read_be64(&r);
	if (!reader_finished(&r))
		return fail(opening, "record " RECORD_REKEYED ": does not parse");
	return true;
}

static bool
load(struct opening *opening)
{
	struct keeper *keeper = opening->keeper;

	if (!(open_keys(opening) && fold_acts(opening) && check_log(opening) &&
	      load_machines(opening) && load_rekeyed(opening)))
		return false;
	keeper->trust.schema = keeper->schema; /* from here on acts are new ones */
	return true;
}

static enum keeper_unsealing
refused(struct opening *opening, enum store_status status, const struct store_error *err)
{
	fail(opening, "store %.100s: %s", opening->keeper->options.store, err->message);
	return status == STORE_KEY ? KEEPER_KEY : KEEPER_STAYS;
}

static enum keeper_unsealing
unseal(struct opening *opening, const struct secret *root_key, const struct witness *witness)
{
	struct keeper *keeper = opening->keeper;
	struct store_error err;

	if (!prepare(opening))
		return KEEPER_STAYS;
	enum store_status status = store_unseal(keeper->store, root_key, &err);
	if (status != STORE_OK)
		return refused(opening, status, &err);
	return load(opening) && freeze_decide(keeper, witness, opening->problem) ? KEEPER_UNSEALED
										 : KEEPER_BROKEN;
}

/* What prepare made, so that another try begins anew. */
static void
unprepare(struct keeper *keeper)
{
	challenges_free(keeper->challenges);
	policy_facts_free(keeper->actions);
	policy_schema_free(keeper->schema);
	keeper->challenges = NULL;
	keeper->actions = NULL;
	keeper->schema = NULL;
}

enum keeper_unsealing
keeper_unseal(struct keeper *keeper, const struct secret *root_key, const struct witness *witness,
	      char ret_problem[KEEPER_PROBLEM_SIZE])
{
	struct opening opening = {.keeper = keeper, .problem = ret_problem};

	keeper->started = unix_now();
	enum keeper_unsealing outcome = unseal(&opening, root_key, witness);
	secret_free(opening.value);
	if (outcome == KEEPER_KEY || outcome == KEEPER_STAYS)
		unprepare(keeper);
	else if (outcome == KEEPER_UNSEALED)
		atomic_store(&keeper->open, true);
	return outcome;
}

bool
keeper_attach(struct keeper *ret_keeper, const struct keeper_options *options,
	      char ret_problem[KEEPER_PROBLEM_SIZE])
{
	struct opening opening = {.keeper = ret_keeper, .problem = ret_problem};
	struct store_error err;

	*ret_keeper = (struct keeper){.options = *options, .wake = {-1, -1}};
	trust_start(&ret_keeper->trust);
	appraiser_link_start(&ret_keeper->appraisers, options->appraiser, options->supervisor);
	bool good = start_lock(ret_keeper);
	if (good && store_attach(options->store, &ret_keeper->store, &err) != STORE_OK) {
		ret_keeper->store = NULL;
		good = fail(&opening, "store %.100s: %s", options->store, err.message);
	}
	if (good && (channel_pair(ret_keeper->wake) != CHANNEL_OK ||
		     !(ret_keeper->control = control_new(ret_keeper))))
		good = fail(&opening, "no memory, or no more descriptors");
	if (!good)
		keeper_close(ret_keeper);
	return good;
}

bool
keeper_open(struct keeper *ret_keeper, const struct keeper_options *options,
	    const struct secret *root_key, char ret_problem[KEEPER_PROBLEM_SIZE])
{
	const struct witness none = {0};

	if (!keeper_attach(ret_keeper, options, ret_problem))
		return false;
	if (keeper_unseal(ret_keeper, root_key, &none, ret_problem) == KEEPER_UNSEALED)
		return true;
	keeper_close(ret_keeper);
	return false;
}

void
keeper_close(struct keeper *keeper)
{
	control_free(keeper->control);
	if (keeper->store)
		store_close(keeper->store);
	secret_free(keeper->keys.release);
	secret_free(keeper->keys.intake);
	secret_free(keeper->keys.answer);
	unprepare(keeper);
	trust_clear(&keeper->trust);
	for (int i = 0; i < 2; i++) {
		if (keeper->wake[i] >= 0)
			close(keeper->wake[i]);
	}
	pthread_rwlock_destroy(&keeper->lock);
	pthread_mutex_destroy(&keeper->strangers_mutex);
	pthread_mutex_destroy(&keeper->checkpoint_mutex);
	*keeper = (struct keeper){.wake = {-1, -1}};
}
