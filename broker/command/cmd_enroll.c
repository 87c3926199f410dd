/* SPDX-License-Identifier: Apache-2.0 */
/* postern enroll: EK and AK of this machine's TPM to the broker, proved to be in one TPM.
 * PROTOCOL.md, "Enrolment". */
#include "commands.h"
#include "ek.h"
#include "encode.h"
#include "enroll_cloud.h"
#include "guest.h"
#include "output.h"
#include "wire/transcript.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off: these lines are as wide as they will be read. */
const char help_enroll[] =
	"postern enroll [--config FILE] [--tcti TCTI] [--event-log FILE|none]\n"
	"               [--ek rsa-2048|p256|p384] [--certificate FILE]...\n"
	"\n"
	"Run on a guest: makes its TPM known to the broker that guest.conf pins. The broker learns "
	"the\n"
	"endorsement key, its certificate where the TPM has one, Postern's attestation key, and "
	"what\n"
	"was booted. Where a cloud has put a key of its own into the TPM, with its certificate, "
	"as\n"
	"Google and Azure do, that key certifies Postern's: the broker then knows which machine "
	"of\n"
	"the cloud this is. Nothing is kept on the guest, and enrolling again changes nothing.\n"
	"\n"
	"  --config FILE     default /etc/postern/guest.conf\n"
	"  --tcti TCTI       as tpm2-tools write it; default device:/dev/tpmrm0\n"
	"  --event-log FILE  default the kernel's, where it may be read; none: do not send one\n"
	"  --ek KIND         which endorsement key; default the one with a certificate. A machine\n"
	"                    keeps the one that it first enrolled with\n"
	"  --certificate FILE  CAs' certificates to send along, where the TPM has none between "
	"its\n"
	"                    own and what the broker trusts (an intermediate CA of a cloud)\n"
	"  --json            {\"machine\": ID, \"state\": \"pending\" or \"admitted\"}\n"
	"\n"
	"Prints the machine's id, and on stderr whether it is admitted.\n"
	"Next, if it is pending: an operator runs `postern machine admit ID --name NAME`.\n"
	"\n"
	"Example: postern enroll --ek p256\n";
/* clang-format on */

struct enrolment {
	struct guest *guest;
	struct certificate_files helpers;
	struct attester_ek ek;
	json_t *answer;
};

static struct bytes
ek_public(const struct enrolment *enrolment)
{
	return (struct bytes){enrolment->ek.public_area, enrolment->ek.public_size};
}

static struct bytes
ak_public(const struct enrolment *enrolment)
{
	return (struct bytes){enrolment->guest->ak.public_area, enrolment->guest->ak.public_size};
}

static json_t *
keys_body(const struct enrolment *enrolment)
{
	return json_pack("{s:o,s:o}", "ek_public", json_base64(ek_public(enrolment)), "ak_public",
			 json_base64(ak_public(enrolment)));
}

/* The EK's must be the first: without it, what could help does not. */
static json_t *
certificates_json(const struct enrolment *enrolment)
{
	static const struct certificate_files none;
	const struct attester_ek *ek = &enrolment->ek;
	struct bytes own[1 + ATTEST_CHAIN_MAX];

	for (uint32_t i = 0; i < ek->certificate_count; i++)
		own[i] = (struct bytes){ek->certificates[i].der, ek->certificates[i].size};
	return enroll_certificates(own, ek->certificate_count,
				   ek->certificate_count > 0 ? &enrolment->helpers : &none);
}

/* What only the TPM that holds both keys can answer. */
static bool
proof_make(struct enrolment *enrolment, const json_t *answer, const uint8_t transcript[32],
	   uint8_t ret_proof[32], struct broker_problem *problem)
{
	struct attest_credential credential;
	struct attester_error err = {.status = ATTESTER_OK};
	size_t size = 0;

	if (!json_bytes(answer, "credential_blob", credential.blob, sizeof(credential.blob),
			&credential.blob_size) ||
	    !json_bytes(answer, "secret", credential.secret, sizeof(credential.secret),
			&credential.secret_size))
		return broker_fail(problem, EX_DATAERR, "the broker's credential is malformed");
	auto_secret *secret = secret_new(64);
	if (secret == NULL)
		return broker_fail(problem, EX_SOFTWARE, LOCKING_FAILED);
	enum attester_status status = attester_activate(enrolment->guest->attester, &credential,
							secret->bytes, &size, &err);
	if (status != ATTESTER_OK)
		return broker_fail(problem, attester_exit(status), "%s", err.message);
	activation_proof((struct bytes){secret->bytes, size}, transcript, ret_proof);
	return true;
}

static json_t *
second_body(const struct enrolment *enrolment, const uint8_t *challenge,
	    const uint8_t transcript[TRANSCRIPT_SIZE], const uint8_t proof[32],
	    const struct attester_quote *quote)
{
	auto_json *body = keys_body(enrolment);

	if (body == NULL ||
	    json_object_set_new(body, "challenge",
				json_base64((struct bytes){challenge, WIRE_CHALLENGE_SIZE})) != 0 ||
	    json_object_set_new(body, "proof", json_base64((struct bytes){proof, 32})) != 0 ||
	    json_object_set_new(body, "ek_certificates", certificates_json(enrolment)) != 0 ||
	    !enroll_cloud(enrolment->guest->attester, transcript, &enrolment->helpers, body) ||
	    !guest_evidence(enrolment->guest, quote, body))
		return NULL;
	return json_incref(body);
}

static bool
enrol_at(void *user, size_t index, struct broker_problem *problem)
{
	struct enrolment *enrolment = user;
	struct guest *guest = enrolment->guest;
	uint8_t challenge[WIRE_CHALLENGE_SIZE], transcript[TRANSCRIPT_SIZE], proof[32];
	struct attester_quote quote;
	auto_json *first = NULL;

	if (!broker_post(&guest->broker, index, "/v1/attest/enroll", keys_body(enrolment), &first,
			 problem) ||
	    !guest_release_key(guest, first, problem))
		return false;
	if (!json_bytes_exact(first, "challenge", challenge, sizeof(challenge)))
		return broker_fail(problem, EX_DATAERR, "the broker's challenge is malformed");
	transcript_enroll(BYTES_OF(guest->release_key), BYTES_OF(challenge), ek_public(enrolment),
			  ak_public(enrolment), transcript);
	if (!proof_make(enrolment, first, transcript, proof, problem) ||
	    !guest_quote(guest, transcript, &quote, problem))
		return false;
	return broker_post(&guest->broker, index, "/v1/attest/enroll",
			   second_body(enrolment, challenge, transcript, proof, &quote),
			   &enrolment->answer, problem);
}

static int
kind_parse(const char *text, enum attester_ek_kind *ret_kind)
{
	static const struct {
		const char *name;
		enum attester_ek_kind kind;
	} kinds[] = {{"rsa-2048", ATTESTER_EK_RSA_2048},
		     {"p256", ATTESTER_EK_P256},
		     {"p384", ATTESTER_EK_P384}};

	*ret_kind = ATTESTER_EK_ANY;
	if (text == NULL)
		return 0;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		if (strcmp(kinds[i].name, text) != 0)
			continue;
		*ret_kind = kinds[i].kind;
		return 0;
	}
	return complain(EX_USAGE, "--ek: rsa-2048, p256 or p384, not '%s'", text);
}

/* The id follows from the EK, so an answer about another machine shows. */
static bool
answer_ours(const struct enrolment *enrolment)
{
	uint8_t id[ATTEST_HASH_SIZE];
	char machine[MACHINE_ID_SIZE];

	if (!ek_id_from_area(ek_public(enrolment), id))
		return false;
	machine_id_text(id, machine);
	return strcmp(json_text(enrolment->answer, "machine"), machine) == 0;
}

static int
enrol_report(const struct enrolment *enrolment, bool json)
{
	const json_t *answer = enrolment->answer;
	const char *machine = json_text(answer, "machine"), *state = json_text(answer, "state");

	if (!answer_ours(enrolment))
		return complain(EX_DATAERR, "the broker answers about another machine than this");
	if (json)
		return output_json(answer);
	output_line(machine);
	if (strcmp(state, "pending") == 0)
		remark("pending: an operator admits it with `postern machine admit %s --name NAME`",
		       machine);
	else
		remark("%s", state);
	return 0;
}

static int
helpers_read(struct enrolment *enrolment, const struct text_list *paths)
{
	int status = 0;

	for (size_t i = 0; i < paths->count && status == 0; i++)
		status = certificate_files_read(&enrolment->helpers, paths->items[i],
						ATTEST_CERTIFICATE);
	return status;
}

static int
enrol_ask(struct enrolment *enrolment, enum attester_ek_kind kind, bool json)
{
	struct guest *guest = enrolment->guest;
	struct attester_error err = {.status = ATTESTER_OK};
	struct broker_problem problem;

	enum attester_status read = attester_ek(guest->attester, kind, &enrolment->ek, &err);
	if (read != ATTESTER_OK)
		return complain(attester_exit(read), "%s", err.message);
	if (broker_try(&guest->broker, enrol_at, enrolment, &problem))
		return enrol_report(enrolment, json);
	complain(problem.status, "%s%s", problem.status == EX_NOPERM ? "denied: " : "",
		 problem.message);
	if (problem.status == EX_NOPERM && strcmp(problem.word, "identity") == 0)
		remark("a machine keeps the EK that it first enrolled with (--ek); an operator "
		       "sees what is suspended or revoked with `postern machine list`");
	return problem.status;
}

static int
enrol_run(struct guest *guest, enum attester_ek_kind kind, const struct text_list *paths, bool json)
{
	struct enrolment *enrolment = calloc(1, sizeof(*enrolment));

	if (enrolment == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	enrolment->guest = guest;
	int status = helpers_read(enrolment, paths);
	if (status == 0)
		status = enrol_ask(enrolment, kind, json);
	json_decref(enrolment->answer);
	certificate_files_clear(&enrolment->helpers);
	free(enrolment);
	return status;
}

int
cmd_enroll(int argc, char **argv)
{
	struct guest_options options = {.config = NULL};
	struct text_list positional, certificates = {.count = 0};
	const char *ek = NULL;
	bool json = false;
	const struct option_rule rules[] = {GUEST_RULES(options),
					    {"--json", OPTION_FLAG, &json},
					    {"--ek", OPTION_TEXT, &ek},
					    {"--certificate", OPTION_LIST, &certificates}};
	enum attester_ek_kind kind = ATTESTER_EK_ANY;
	auto_guest guest = {.settings = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0 || kind_parse(ek, &kind) != 0)
		return EX_USAGE;
	int status = guest_open(&guest, &options);
	return status != 0 ? status : enrol_run(&guest, kind, &certificates, json);
}
