/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operator.h"
#include "wire/hpke.h"
#include "wire/settings.h"

static void
decode_key(const char *text, uint8_t ret_key[32], const char *what)
{
	size_t size = 0;

	if (text == NULL ||
	    sodium_base642bin(ret_key, 32, text, strlen(text), "\n", &size, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    size != 32)
		bench_die("%s is not a key", what);
}

static void
load_signing_key(struct bench_operator *operator, const char * path)
{
	char header[128];
	char line[128] = "";
	uint8_t seed[32];
	uint8_t public_key[32];
	FILE *file = fopen(path, "re");

	if (file == NULL || fgets(header, sizeof(header), file) == NULL ||
	    fgets(line, sizeof(line), file) == NULL)
		bench_die("%s cannot be read", path);
	fclose(file);
	decode_key(line, seed, path);
	crypto_sign_seed_keypair(public_key, operator->secret_key, seed);
}

void
bench_operator_load(struct bench_operator *operator, const char * folder)
{
	static const struct settings_key operator_keys[] = {
		{"broker", true, true},	     {"ca", false, true},
		{"answer_key", false, true}, {"intake_key", false, true},
		{"operator", false, true},   {"operator_key", false, true},
		{NULL, false, false},
	};
	static const struct settings_key guest_keys[] = {{"broker", true, true},
							 {"ca", false, true},
							 {"release_key", false, true},
							 {NULL, false, false}};
	char path[512];
	char problem[200];

	snprintf(path, sizeof(path), "%s/config/operator.conf", folder);
	struct settings *settings = settings_load(path, operator_keys, problem);
	if (settings == NULL)
		bench_die("%s", problem);
	decode_key(settings_get(settings, "answer_key", 0), operator->answer_key, "answer_key");
	decode_key(settings_get(settings, "intake_key", 0), operator->intake_key, "intake_key");
	const char *key = settings_get(settings, "operator_key", 0);
	snprintf(path, sizeof(path), "%s%s%s", key[0] == '/' ? "" : folder,
		 key[0] == '/' ? "" : "/config/", key);
	load_signing_key(operator, path);
	settings_free(settings);

	snprintf(path, sizeof(path), "%s/config/guest.conf", folder);
	settings = settings_load(path, guest_keys, problem);
	if (settings == NULL)
		bench_die("%s", problem);
	decode_key(settings_get(settings, "release_key", 0), operator->release_key, "release_key");
	settings_free(settings);
}

static void
check_outcome(const json_t *answer, int status)
{
	static uint8_t memory[OPERATION_ANSWER_MAX];
	struct operation_answer decoded;

	if (status != 200) {
		char *text = json_dumps(answer, 0);
		bench_die("an operator's request: %d %s", status, text);
	}
	size_t size = json_bytes(answer, "answer", memory, sizeof(memory));
	if (!operation_answer_read((struct bytes){memory, size}, &decoded) ||
	    decoded.outcome != OUTCOME_OK)
		bench_die("an operator's request: %.*s", (int)decoded.json.size,
			  (const char *)decoded.json.data);
}

void
bench_operator_do(const struct bench_operator *operator, struct client * client,
		  struct operation_request *request)
{
	uint8_t challenge[WIRE_CHALLENGE_SIZE];
	uint8_t signature[64];
	uint8_t *memory = malloc(OPERATION_REQUEST_MAX);
	struct writer w = writer_of(memory, OPERATION_REQUEST_MAX);
	int status;

	json_t *answer = client_post(client, "/v1/operator/challenge",
				     json_pack("{s:s}", "operator", "bench"), &status);
	if (status != 200)
		bench_die("no challenge for the operator: %d", status);
	request->challenge = (struct bytes){
		challenge, json_bytes(answer, "challenge", challenge, sizeof(challenge))};
	request->answer_key = BYTES_OF(operator->answer_key);
	request->operator_name = (struct bytes){(const uint8_t *)"bench", 5};
	if (operation_find(request->operation)->act)
		request->trust_revision =
			(uint64_t)json_integer_value(json_object_get(answer, "trust_revision"));
	json_decref(answer);
	operation_request_write(&w, request);
	if (w.failed)
		bench_die("an operator's request is too large");
	crypto_sign_detached(signature, NULL, w.start, w.size, operator->secret_key);
	answer = client_post(client, "/v1/operator/request",
			     json_pack("{s:o,s:o}", "request", json_of(writer_bytes(&w)),
				       "signature", json_of(BYTES_OF(signature))),
			     &status);
	check_outcome(answer, status);
	json_decref(answer);
	free(memory);
}

void
bench_register_machine(const struct bench_operator *operator, struct client * client,
		       const uint8_t ek_id[32], const char *name)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_REGISTER};
	struct name_list groups = {.count = 1, .names = {{(const uint8_t *)"bench", 5}}};
	uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));

	name_list_write(&w, &groups);
	operation_set(&request, FIELD_EK_ID, (struct bytes){ek_id, 32});
	operation_set_text(&request, FIELD_NAME, name);
	operation_set(&request, FIELD_GROUPS, writer_bytes(&w));
	bench_operator_do(operator, client, &request);
}

void
bench_add_baseline(const struct bench_operator *operator, struct client * client, const char *name,
		   struct bytes pcrs)
{
	struct operation_request request = {.operation = OPERATION_BASELINE_ADD};
	struct pcr_values values = {.mask = 0xffff};
	uint8_t memory[2 + WIRE_PCRS_SIZE];
	uint8_t from[8];
	struct writer w = writer_of(memory, sizeof(memory));

	memcpy(values.values, pcrs.data, WIRE_PCRS_SIZE);
	pcr_values_write(&w, &values);
	operation_set_text(&request, FIELD_NAME, name);
	operation_set(&request, FIELD_PCRS, writer_bytes(&w));
	operation_set_number(&request, FIELD_FROM, 0, from);
	bench_operator_do(operator, client, &request);
}

void
bench_apply_policy(const struct bench_operator *operator, struct client * client, const char *text)
{
	struct operation_request request = {.operation = OPERATION_POLICY_APPLY};

	operation_set_text(&request, FIELD_NAME, "bench");
	operation_set_text(&request, FIELD_POLICY, text);
	bench_operator_do(operator, client, &request);
}

void
bench_put_secret(const struct bench_operator *operator, struct client * client, const char *path,
		 struct bytes value)
{
	static const uint8_t label[] = "postern/intake/v1";
	struct operation_request request = {.operation = OPERATION_SECRET_PUT};
	struct bytes path_bytes = {(const uint8_t *)path, strlen(path)};
	uint8_t info_memory[64];
	uint8_t aad[INTAKE_AAD_MAX];
	uint8_t cas[8];
	uint8_t *sealed = malloc(value.size + HPKE_OVERHEAD);
	struct writer info = writer_of(info_memory, sizeof(info_memory));

	write_lp(&info, (struct bytes){label, sizeof(label) - 1});
	size_t aad_size = intake_aad(path_bytes, UINT64_MAX,
				     (struct bytes){(const uint8_t *)"bench", 5}, aad);
	if (!hpke_seal(operator->intake_key, NULL, NULL, writer_bytes(&info),
		       (struct bytes){aad, aad_size}, value, sealed))
		bench_die("the intake key is not a key");
	operation_set_text(&request, FIELD_PATH, path);
	operation_set_number(&request, FIELD_CAS, UINT64_MAX, cas);
	operation_set(&request, FIELD_SEALED, (struct bytes){sealed, value.size + HPKE_OVERHEAD});
	bench_operator_do(operator, client, &request);
	free(sealed);
}
