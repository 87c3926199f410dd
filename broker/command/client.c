/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include "broker.h"
#include "command.h"
#include "encode.h"
#include "file.h"
#include "key.h"
#include "output.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STALE_TRIES	50
#define STALE_PAUSE_MAX 100 /* milliseconds */
#define PAGES_MAX	10000
#define AFTER_SIZE	321 /* FIELD_AFTER, with NUL */

static const struct settings_key keys[] = {
	{.key = "broker", .repeatable = true, .required = true},
	{.key = "ca", .required = true},
	{.key = "answer_key", .required = true},
	{.key = "intake_key", .required = true},
	{.key = "operator", .required = true},
	{.key = "operator_key", .required = true},
	{.key = "passphrase_file"},
	{.key = NULL},
};

struct client {
	struct settings *settings;
	struct broker broker;
	struct secret *private_key; /* libsodium's 64 bytes: seed and public key */
	uint8_t answer_key[32];
	uint8_t intake_key[32];
	const char *operator_name; /* the settings' */
	uint8_t *frame;		   /* OPERATION_REQUEST_MAX */
};

static bool
default_config(char ret_path[FILE_PATH_MAX])
{
	const char *home = getenv("HOME");

	if (home != NULL) {
		int size =
			snprintf(ret_path, FILE_PATH_MAX, "%s/.config/postern/operator.conf", home);
		if (size > 0 && size < FILE_PATH_MAX && access(ret_path, R_OK) == 0)
			return true;
	}
	(void)snprintf(ret_path, FILE_PATH_MAX, "/etc/postern/operator.conf");
	return access(ret_path, R_OK) == 0;
}

static int
private_key_load(struct client *client, const char *config)
{
	const char *named = settings_get(client->settings, "operator_key", 0);
	const char *passphrase = settings_get(client->settings, "passphrase_file", 0);
	char path[FILE_PATH_MAX], passphrase_path[FILE_PATH_MAX];
	uint8_t public_key[32];
	auto_secret *seed = NULL;

	if (!file_beside(config, named, path) ||
	    (passphrase != NULL && !file_beside(config, passphrase, passphrase_path)))
		return complain(EX_CONFIG, "%s: a path is too long", config);
	int status = key_read(path, passphrase != NULL ? passphrase_path : NULL, &seed);
	if (status != 0)
		return status == EX_NOINPUT ? EX_CONFIG : status;
	client->private_key = secret_new(crypto_sign_SECRETKEYBYTES);
	if (client->private_key == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	(void)crypto_sign_seed_keypair(public_key, client->private_key->bytes, seed->bytes);
	return 0;
}

static int
client_load(struct client *client, const char *config)
{
	char problem[200];

	client->settings = settings_load(config, keys, problem);
	if (client->settings == NULL)
		return complain(EX_CONFIG, "%s", problem);
	if (!base64_decode_key(settings_get(client->settings, "answer_key", 0),
			       client->answer_key) ||
	    !base64_decode_key(settings_get(client->settings, "intake_key", 0), client->intake_key))
		return complain(EX_CONFIG, "%s: answer_key and intake_key are 32 bytes in base64",
				config);
	client->operator_name = settings_get(client->settings, "operator", 0);
	if (!name_valid(text_bytes(client->operator_name)))
		return complain(EX_CONFIG, "%s: operator = %s is no name", config,
				client->operator_name);
	int status = broker_open(client->settings, config, &client->broker);
	return status != 0 ? status : private_key_load(client, config);
}

int
client_open(const char *config, struct client **ret_client)
{
	char path[FILE_PATH_MAX];
	auto_client *client = calloc(1, sizeof(*client));
	int status = process_lock();

	if (status != 0)
		return status;
	if (client == NULL || (client->frame = malloc(OPERATION_REQUEST_MAX)) == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	if (config == NULL && !default_config(path))
		return complain(EX_CONFIG,
				"no configuration at ~/.config/postern/operator.conf or %s: give "
				"--config FILE (`postern init` makes one)",
				path);
	status = client_load(client, config != NULL ? config : path);
	if (status != 0)
		return status;
	*ret_client = client;
	client = NULL;
	return 0;
}

void
client_close(struct client *client)
{
	if (client == NULL)
		return;
	broker_close(&client->broker);
	secret_free(client->private_key);
	settings_free(client->settings);
	free(client->frame);
	free(client);
}

const uint8_t *
client_answer_key(const struct client *client)
{
	return client->answer_key;
}

const uint8_t *
client_intake_key(const struct client *client)
{
	return client->intake_key;
}

const char *
client_operator(const struct client *client)
{
	return client->operator_name;
}

bool
client_answer_open(struct bytes request, struct bytes answer, const uint8_t signature[64],
		   const uint8_t answer_key[32], struct operation_answer *ret_answer,
		   const char **ret_problem)
{
	struct operation_answer decoded;
	uint8_t hash[crypto_hash_sha256_BYTES];

	*ret_problem = "the answer is not signed by the broker whose answer_key is pinned here";
	if (crypto_sign_verify_detached(signature, answer.data, answer.size, answer_key) != 0)
		return false;
	*ret_problem = "the answer is signed, but malformed";
	if (!operation_answer_read(answer, &decoded))
		return false;
	(void)crypto_hash_sha256(hash, request.data, request.size);
	*ret_problem = "the answer is signed, but to another request";
	if (!bytes_equal(decoded.request_hash, BYTES_OF(hash)))
		return false;
	*ret_answer = decoded;
	return true;
}

/* One request under way; broker_try calls ask_one with it. */
struct asking {
	struct client *client;
	struct operation_request request;
	uint8_t *memory; /* of the answer, OPERATION_ANSWER_MAX */
	struct operation_answer answer;
};

static bool
challenge_get(struct asking *asking, size_t index, uint8_t ret_challenge[WIRE_CHALLENGE_SIZE],
	      uint64_t *ret_revision, struct broker_problem *problem)
{
	auto_json *json = NULL;
	json_t *body = json_pack("{s:s}", "operator", asking->client->operator_name);

	if (!broker_post(&asking->client->broker, index, "/v1/operator/challenge", body, &json,
			 problem)) {
		problem->uncertain = false; /* a challenge changes nothing */
		return false;
	}
	if (!json_bytes_exact(json, "challenge", ret_challenge, WIRE_CHALLENGE_SIZE))
		return broker_fail(problem, EX_DATAERR, "the broker's challenge is malformed");
	*ret_revision = json_number(json, "trust_revision");
	return true;
}

static bool
request_frame(struct asking *asking, struct writer *w, uint8_t ret_signature[64],
	      struct broker_problem *problem)
{
	struct operation_request check;
	const char *why = "it is too large";

	operation_request_write(w, &asking->request);
	/* read back, so that the keeper is never sent what it must refuse */
	if (w->failed || !operation_request_read(writer_bytes(w), &check, &why))
		return broker_fail(problem, EX_DATAERR, "this cannot be asked: %s", why);
	(void)crypto_sign_detached(ret_signature, NULL, w->start, w->size,
				   asking->client->private_key->bytes);
	return true;
}

static bool
ask_one(void *user, size_t index, struct broker_problem *problem)
{
	struct asking *asking = user;
	struct client *client = asking->client;
	const struct operation_info *info = operation_find(asking->request.operation);
	struct writer w = writer_of(client->frame, OPERATION_REQUEST_MAX);
	uint8_t challenge[WIRE_CHALLENGE_SIZE], signature[64];
	const char *why = "";
	uint64_t current = 0;
	size_t size = 0;
	auto_json *json = NULL;

	if (info == NULL)
		return broker_fail(problem, EX_SOFTWARE, "unknown operation");
	if (!challenge_get(asking, index, challenge, &current, problem))
		return false;
	asking->request.answer_key = (struct bytes){client->answer_key, 32};
	asking->request.operator_name = text_bytes(client->operator_name);
	asking->request.challenge = BYTES_OF(challenge);
	asking->request.trust_revision = info->act ? current : 0;
	if (!request_frame(asking, &w, signature, problem))
		return false;
	json_t *body = json_pack("{s:o,s:o}", "request", json_base64(writer_bytes(&w)), "signature",
				 json_base64(BYTES_OF(signature)));
	if (!broker_post(&client->broker, index, "/v1/operator/request", body, &json, problem))
		return false;
	if (!json_bytes(json, "answer", asking->memory, OPERATION_ANSWER_MAX, &size) ||
	    !json_bytes_exact(json, "signature", signature, sizeof(signature)))
		return broker_fail(problem, EX_DATAERR, "the broker's answer is malformed");
	if (!client_answer_open(writer_bytes(&w), (struct bytes){asking->memory, size}, signature,
				client->answer_key, &asking->answer, &why))
		return broker_fail(problem, EX_CONFIG, "%s", why);
	return true;
}

static int
problem_say(const struct broker_problem *problem, bool changes)
{
	if (problem->status == EX_NOPERM) {
		(void)complain(EX_NOPERM, "denied: %s", problem->message);
		if (strcmp(problem->word, "operator") == 0)
			remark("look at operator, operator_key and answer_key in operator.conf");
		return EX_NOPERM;
	}
	(void)complain(problem->status, "%s", problem->message);
	if (problem->uncertain && changes)
		remark("it is not known whether the request was carried out: look before trying "
		       "again");
	return problem->status;
}

static int
outcome_say(const struct operation_answer *answer, const json_t *json)
{
	static const struct {
		int status;
		const char *text;
	} outcomes[] = {
		[OUTCOME_OK] = {0, ""},
		[OUTCOME_DENIED] = {EX_NOPERM, "denied by policy"},
		[OUTCOME_STALE] = {EX_TEMPFAIL,
				   "other acts came in between, again and again: try later"},
		[OUTCOME_INVALID] = {EX_DATAERR, "refused"},
		[OUTCOME_MISSING] = {EX_UNAVAILABLE, "not found"},
		[OUTCOME_CONFLICT] = {EX_DATAERR, "refused: check-and-set"},
		[OUTCOME_FAILED] = {EX_IOERR, "the broker's store failed; its log says why"},
		[OUTCOME_FROZEN] = {EX_TEMPFAIL,
				    "the broker is frozen, for its store may be an older one: "
				    "readings alone, until `postern thaw` on its host"},
	};
	const json_t *errors = json_object_get(json, "errors");

	if (answer->outcome >= sizeof(outcomes) / sizeof(*outcomes))
		return complain(EX_DATAERR, "the broker answers with outcome %u", answer->outcome);
	if (answer->outcome == OUTCOME_OK)
		return 0;
	(void)complain(EX_DATAERR, "%s", outcomes[answer->outcome].text);
	for (size_t i = 0; i < json_array_size(errors); i++)
		if (json_is_string(json_array_get(errors, i)))
			remark("  %s", json_string_value(json_array_get(errors, i)));
	return outcomes[answer->outcome].status;
}

int
client_ask(struct client *client, struct operation_request *request,
	   struct client_answer *ret_answer)
{
	struct asking asking = {
		.client = client, .request = *request, .memory = malloc(OPERATION_ANSWER_MAX)};
	struct broker_problem problem;
	int status = 0;

	if (asking.memory == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	client->broker.cautious = request->operation >= OPERATION_SECRET_PUT;
	for (int tries = 1;; tries++) {
		if (!broker_try(&client->broker, ask_one, &asking, &problem)) {
			free(asking.memory);
			return problem_say(&problem, client->broker.cautious);
		}
		if (asking.answer.outcome != OUTCOME_STALE || tries == STALE_TRIES)
			break;
		(void)usleep(1000 * randombytes_uniform(STALE_PAUSE_MAX));
	}
	json_t *json = json_parse((const char *)asking.answer.json.data, asking.answer.json.size);
	if (json == NULL && asking.answer.json.size > 0)
		status = complain(EX_DATAERR, "the broker's answer is signed, but not JSON");
	if (status == 0)
		status = outcome_say(&asking.answer, json);
	free(asking.memory);
	if (status != 0) {
		json_decref(json);
		return status;
	}
	ret_answer->json = json != NULL ? json : json_object();
	ret_answer->trust_revision = asking.answer.trust_revision;
	return ret_answer->json != NULL ? 0 : complain(EX_SOFTWARE, "out of memory");
}

int
client_ask_all(struct client *client, struct operation_request *request, const char *member,
	       struct client_answer *ret_answer)
{
	auto_answer all = {.json = NULL};
	char after[AFTER_SIZE];
	bool more = true;

	for (size_t page = 0; more && page < PAGES_MAX; page++) {
		auto_answer answer = {.json = NULL};
		int status = client_ask(client, request, &answer);
		if (status != 0)
			return status;
		const char *next = json_text(answer.json, "next");
		more = next[0] != '\0';
		if (strlen(next) >= sizeof(after))
			return complain(EX_DATAERR, "the broker's answer has a malformed 'next'");
		if (more) {
			memcpy(after, next, strlen(next) + 1);
			operation_set_text(request, FIELD_AFTER, after);
		}
		if (all.json == NULL) {
			all = answer;
			answer.json = NULL;
		} else if (json_array_extend(json_object_get(all.json, member),
					     json_object_get(answer.json, member)) != 0) {
			return complain(EX_DATAERR, "the broker's answer lacks '%s'", member);
		}
	}
	if (more)
		return complain(EX_DATAERR, "more than %d pages of '%s'", PAGES_MAX, member);
	(void)json_object_del(all.json, "next");
	*ret_answer = all;
	all.json = NULL;
	return 0;
}

int
client_once(const char *config, struct operation_request *request, struct client_answer *ret_answer)
{
	auto_client *client = NULL;
	int status = client_open(config, &client);

	return status != 0 ? status : client_ask(client, request, ret_answer);
}

int
client_trust(const struct common *common, struct operation_request *request, const char *id,
	     const char *subject)
{
	auto_answer answer = {.json = NULL};

	operation_set_text(request, FIELD_ID, id);
	operation_set_text(request, FIELD_SUBJECT, subject);
	int status = client_once(common->config, request, &answer);
	if (status != 0)
		return status;
	if (!common->json) {
		(void)printf("%s\n", id);
		output_line(subject);
	}
	return output_act(common->json, answer.json, answer.trust_revision);
}

int
client_command(int argc, char **argv, enum operation operation, enum operation_field field,
	       const char *argument, bool *ret_json, struct client_answer *ret_answer)
{
	struct common common = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {COMMON_RULES(common)};
	struct operation_request request = {.operation = (uint16_t)operation};
	size_t count = argument != NULL;

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, count, count, argument) != 0)
		return EX_USAGE;
	if (argument != NULL)
		operation_set_text(&request, field, positional.items[0]);
	*ret_json = common.json;
	return client_once(common.config, &request, ret_answer);
}
