/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
#include "unit/attest/software_ca.h"
#include "wire/hpke.h"

#define FLEET_EVENTS 100

/* Each machine comes with a CA of its own: the first one's signs for all. */
static void
certify(struct software_tpm *machine, EVP_PKEY *ca)
{
	machine->ek_certificate_size = software_certificate_make(
		&(struct software_certificate){.issuer = "Software TPM root",
					       .key = machine->ek,
					       .signer = ca,
					       .constraints = "critical,CA:FALSE",
					       .usage = "critical,keyAgreement",
					       .purpose = "2.23.133.8.1",
					       .names = true},
		machine->ek_certificate, sizeof(machine->ek_certificate));
}

static void
add_anchor(const struct bench_operator *operator, struct client * client,
	   const struct software_tpm *first)
{
	struct operation_request request = {.operation = OPERATION_ANCHOR_ADD};
	struct bytes der = {first->ca_certificate, first->ca_certificate_size};
	struct attest_error err;
	uint8_t id[ATTEST_HASH_SIZE];
	char hex[65];
	char subject[160];

	if (attest_anchor_describe(der, id, subject, &err) != ATTEST_OK)
		bench_die("the test CA: %s", err.message);
	sodium_bin2hex(hex, sizeof(hex), id, sizeof(id));
	operation_set(&request, FIELD_CERTIFICATE, der);
	operation_set_text(&request, FIELD_ID, hex);
	operation_set_text(&request, FIELD_SUBJECT, subject);
	bench_operator_do(operator, client, &request);
}

static json_t *
enroll_begin(const struct software_tpm *machine, struct client *client)
{
	int status;
	json_t *answer = client_post(
		client, "/v1/attest/enroll",
		json_pack("{s:o,s:o}", "ek_public",
			  json_of((struct bytes){machine->ek_public, machine->ek_public_size}),
			  "ak_public",
			  json_of((struct bytes){machine->ak_public, machine->ak_public_size})),
		&status);

	if (status != 200)
		bench_die("enrolment: %d", status);
	return answer;
}

static void
activate(const struct software_tpm *machine, const json_t *answer, uint8_t ret_secret[64],
	 size_t *ret_size)
{
	struct attest_credential credential;
	struct attest_error err;
	struct attest_ak *ak;
	struct bytes ak_public = {machine->ak_public, machine->ak_public_size};

	credential.blob_size =
		json_bytes(answer, "credential_blob", credential.blob, sizeof(credential.blob));
	credential.secret_size =
		json_bytes(answer, "secret", credential.secret, sizeof(credential.secret));
	if (attest_ak_decode(ak_public, &ak, &err) != ATTEST_OK ||
	    !software_tpm_activate(machine, attest_ak_name(ak), &credential, ret_secret, ret_size))
		bench_die("the credential cannot be activated");
	attest_ak_free(ak);
}

static void
enroll(struct software_tpm *machine, const struct bench_operator *operator, struct client * client)
{
	uint8_t challenge[WIRE_CHALLENGE_SIZE];
	uint8_t secret[64];
	uint8_t transcript[TRANSCRIPT_SIZE];
	uint8_t proof[TRANSCRIPT_SIZE];
	size_t secret_size;
	struct software_quote quote;
	struct bytes ek = {machine->ek_public, machine->ek_public_size};
	struct bytes ak = {machine->ak_public, machine->ak_public_size};
	int status;

	json_t *answer = enroll_begin(machine, client);
	json_bytes(answer, "challenge", challenge, sizeof(challenge));
	activate(machine, answer, secret, &secret_size);
	json_decref(answer);
	transcript_enroll(BYTES_OF(operator->release_key), BYTES_OF(challenge), ek, ak, transcript);
	activation_proof((struct bytes){secret, secret_size}, transcript, proof);
	software_quote_make(machine, transcript, &quote);
	json_t *request = json_pack(
		"{s:o,s:o,s:o,s:o,s:[o],s:o,s:o,s:o}", "challenge", json_of(BYTES_OF(challenge)),
		"proof", json_of(BYTES_OF(proof)), "ek_public", json_of(ek), "ak_public",
		json_of(ak), "ek_certificates",
		json_of((struct bytes){machine->ek_certificate, machine->ek_certificate_size}),
		"quote", json_of((struct bytes){quote.message, quote.message_size}), "signature",
		json_of((struct bytes){quote.signature, quote.signature_size}), "pcrs",
		json_of(software_tpm_pcrs(machine)));
	answer = client_post(client, "/v1/attest/enroll", request, &status);
	const char *state = json_string_value(json_object_get(answer, "state"));
	if (status != 200 || state == NULL || strcmp(state, "admitted") != 0)
		bench_die("enrolment's second step: %d", status);
	json_decref(answer);
	machine->clock.clock++;
}

void
fleet_admit(struct fleet *fleet, size_t count, const struct bench_operator *operator,
	    struct client * client)
{
	struct attest_error err;

	fleet->count = count;
	fleet->machines = calloc(count, sizeof(fleet->machines[0]));
	software_log_boot(&fleet->log, FLEET_EVENTS, true);
	for (size_t i = 0; i < count; i++) {
		struct software_tpm *machine = &fleet->machines[i];
		struct attest_ek *ek;
		uint8_t id[ATTEST_HASH_SIZE];
		char name[32];
		software_tpm_open(machine, SOFTWARE_EK_P256);
		memcpy(machine->pcrs, fleet->log.pcrs, sizeof(machine->pcrs));
		certify(machine, fleet->machines[0].ca);
		if (i == 0)
			add_anchor(operator, client, machine);
		if (attest_ek_decode((struct bytes){machine->ek_public, machine->ek_public_size},
				     &ek, &err) != ATTEST_OK)
			bench_die("an EK: %s", err.message);
		attest_ek_id(ek, id);
		attest_ek_free(ek);
		snprintf(name, sizeof(name), "guest%zu", i);
		bench_register_machine(operator, client, id, name);
		enroll(machine, operator, client);
		if ((i + 1) % 100 == 0)
			fprintf(stderr, "bench: %zu of %zu machines admitted\n", i + 1, count);
	}
}

void
fleet_free(struct fleet *fleet)
{
	for (size_t i = 0; i < fleet->count; i++)
		software_tpm_close(&fleet->machines[i]);
	free(fleet->machines);
	software_log_free(&fleet->log);
}

/* The answer opened with the recipient's key, and its one value compared. */
static void
check_body(const json_t *answer, const uint8_t recipient[32], const uint8_t recipient_public[32],
	   const uint8_t transcript[TRANSCRIPT_SIZE], const struct bench_operator *operator,
	   const char * path, struct bytes value)
{
	uint8_t sealed[8192];
	uint8_t plain[8192];
	uint8_t info[RELEASE_INFO_SIZE];
	struct release_body body;
	size_t size = json_bytes(answer, "sealed", sealed, sizeof(sealed));

	release_info(transcript, info);
	if (size < HPKE_OVERHEAD ||
	    !hpke_open(recipient, recipient_public, operator->release_key, BYTES_OF(info),
		       (struct bytes){0}, (struct bytes){sealed, size}, plain))
		bench_die("a release does not open");
	if (!release_body_read((struct bytes){plain, size - HPKE_OVERHEAD}, &body) ||
	    body.count != 1 ||
	    !bytes_equal(body.secrets[0].path,
			 (struct bytes){(const uint8_t *)path, strlen(path)}) ||
	    !bytes_equal(body.secrets[0].value, value))
		bench_die("a release does not hold the secret");
}

void
fleet_release(struct fleet *fleet, size_t index, bool with_log,
	      const struct bench_operator *operator, struct client * client, const char *path,
	      struct bytes value)
{
	struct software_tpm *machine = &fleet->machines[index];
	struct bytes ak = {machine->ak_public, machine->ak_public_size};
	struct wanted wanted = {.count = 1,
				.secrets = {{.path = {(const uint8_t *)path, strlen(path)}}}};
	uint8_t wanted_memory[300];
	uint8_t challenge[WIRE_CHALLENGE_SIZE];
	uint8_t recipient[32];
	uint8_t recipient_public[32];
	uint8_t transcript[TRANSCRIPT_SIZE];
	struct software_quote quote;
	int status;

	json_t *answer = client_post(
		client, "/v1/attest/challenge",
		json_pack("{s:s,s:o}", "evidence", "tpm2", "ak_public", json_of(ak)), &status);
	if (status != 200)
		bench_die("no challenge: %d", status);
	json_bytes(answer, "challenge", challenge, sizeof(challenge));
	json_decref(answer);
	crypto_box_keypair(recipient_public, recipient);
	struct writer w = writer_of(wanted_memory, sizeof(wanted_memory));
	wanted_write(&w, &wanted);
	transcript_release(BYTES_OF(operator->release_key), BYTES_OF(challenge),
			   BYTES_OF(recipient_public), writer_bytes(&w), transcript);
	machine->clock.clock++;
	software_quote_make(machine, transcript, &quote);
	json_t *request =
		json_pack("{s:o,s:o,s:o,s:[{s:s}],s:o,s:o,s:o}", "challenge",
			  json_of(BYTES_OF(challenge)), "ak_public", json_of(ak), "recipient_key",
			  json_of(BYTES_OF(recipient_public)), "secrets", "path", path, "quote",
			  json_of((struct bytes){quote.message, quote.message_size}), "signature",
			  json_of((struct bytes){quote.signature, quote.signature_size}), "pcrs",
			  json_of(software_tpm_pcrs(machine)));
	if (with_log)
		json_object_set_new(request, "event_log",
				    json_of((struct bytes){fleet->log.data, fleet->log.size}));
	answer = client_post(client, "/v1/attest/release", request, &status);
	if (status != 200) {
		char *text = json_dumps(answer, 0);
		bench_die("machine %zu is denied: %d %s", index, status, text);
	}
	check_body(answer, recipient, recipient_public, transcript, operator, path, value);
	json_decref(answer);
}
