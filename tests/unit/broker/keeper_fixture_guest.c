/* SPDX-License-Identifier: Apache-2.0 */
/* Guests of the keeper's tests: software TPMs that enrol and ask. */
#include "keeper_fixture.h"

#include "wire/hpke.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
guest_open(struct guest *guest)
{
	struct attest_ek *ek = NULL;
	struct attest_error err;

	*guest = (struct guest){0};
	software_tpm_open(&guest->tpm, SOFTWARE_EK_P256);
	guest->tpm.clock = (struct attest_clock){7, 3, 1000000};
	ak_name_of((struct bytes){guest->tpm.ak_public, guest->tpm.ak_public_size}, guest->ak_name);
	assert(attest_ek_decode((struct bytes){guest->tpm.ek_public, guest->tpm.ek_public_size},
				&ek, &err) == ATTEST_OK);
	attest_ek_id(ek, guest->ek_id);
	attest_ek_free(ek);
	machine_id_of(guest->ek_id, guest->id);
}

void
guest_close(struct guest *guest)
{
	software_tpm_close(&guest->tpm);
}

static bool
activate(const struct guest *guest, const struct wire_enroll_answer *answer, uint8_t ret_secret[64],
	 size_t *ret_size)
{
	struct attest_credential credential = {.blob_size = answer->blob.size,
					       .secret_size = answer->secret.size};
	struct attest_name name = {.size = AK_NAME_SIZE};

	memcpy(credential.blob, answer->blob.data, answer->blob.size);
	memcpy(credential.secret, answer->secret.data, answer->secret.size);
	memcpy(name.bytes, guest->ak_name, AK_NAME_SIZE);
	return software_tpm_activate(&guest->tpm, &name, &credential, ret_secret, ret_size);
}

enum wire_status
guest_enroll(struct house *house, struct guest *guest, bool *ret_admitted)
{
	static __thread uint8_t memory[64 * 1024];
	struct bytes ek = {guest->tpm.ek_public, guest->tpm.ek_public_size};
	struct bytes ak = {guest->tpm.ak_public, guest->tpm.ak_public_size};
	struct writer w = writer_of(memory, sizeof(memory));
	struct wire_enroll_request first = {ek, ak};
	struct wire_enroll_answer answer;
	struct wire_activate_answer said;
	struct software_quote quote;
	struct bytes payload;
	uint8_t secret[64], transcript[32], proof[32];
	size_t secret_size;

	wire_enroll_request_write(&w, &first);
	assert(house_call(house, FRAME_ENROLL, writer_bytes(&w), &payload) == WIRE_OK);
	assert(wire_enroll_answer_read(payload, &answer) &&
	       activate(guest, &answer, secret, &secret_size));
	transcript_enroll(answer.release_key, answer.challenge, ek, ak, transcript);
	activation_proof((struct bytes){secret, secret_size}, transcript, proof);
	if (guest->guesses)
		proof[0] ^= 1;
	software_quote_make(&guest->tpm, transcript, &quote);
	struct wire_activate_request second = {
		.challenge = answer.challenge,
		.proof = BYTES_OF(proof),
		.ek_public = ek,
		.ak_public = ak,
		.certificate_count = 1,
		.certificates = {{guest->tpm.ek_certificate, guest->tpm.ek_certificate_size}},
		.quote = {quote.message, quote.message_size},
		.signature = {quote.signature, quote.signature_size},
		.pcrs = software_tpm_pcrs(&guest->tpm),
		.peer = text_bytes("127.0.0.1 2"),
	};
	if (guest->enrols)
		guest->enrols(&second, transcript, guest->user);
	w = writer_of(memory, sizeof(memory));
	wire_activate_request_write(&w, &second);
	assert(!w.failed);
	struct bytes told;
	enum wire_status status = house_call(house, FRAME_ACTIVATE, writer_bytes(&w), &told);
	if (status == WIRE_OK) {
		assert(wire_activate_answer_read(told, &said) &&
		       bytes_equal(said.machine, text_bytes(guest->id)));
		if (ret_admitted)
			*ret_admitted = said.admitted;
	}
	free((void *)(uintptr_t)payload.data);
	free((void *)(uintptr_t)told.data);
	return status;
}

void
guest_admit(struct house *house, struct guest *guest, const char *name)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_ADMIT};
	uint8_t groups[64];
	bool admitted = true;

	assert(guest_enroll(house, guest, &admitted) == WIRE_OK && !admitted);
	operation_set_text(&request, FIELD_MACHINE, guest->id);
	operation_set(&request, FIELD_EK_ID, BYTES_OF(guest->ek_id));
	operation_set(&request, FIELD_AK_NAME, BYTES_OF(guest->ak_name));
	operation_set_text(&request, FIELD_NAME, name);
	operation_set(&request, FIELD_GROUPS, house_names(groups, sizeof(groups), "web"));
	house_must(house, &request);
}

void
guest_admit_booted(struct house *house, struct guest *guest, const char *name,
		   const struct software_log *log)
{
	guest_open(guest);
	memcpy(guest->tpm.pcrs, log->pcrs, sizeof(log->pcrs));
	guest_admit(house, guest, name);
}

void
guest_challenge(struct house *house, const struct guest *guest,
		uint8_t ret_challenge[WIRE_CHALLENGE_SIZE])
{
	uint8_t memory[2048];
	struct writer w = writer_of(memory, sizeof(memory));
	struct wire_challenge_request request = {WIRE_EVIDENCE_TPM2,
						 {guest->tpm.ak_public, guest->tpm.ak_public_size}};
	struct wire_challenge_answer answer;
	struct bytes payload;

	wire_challenge_request_write(&w, &request);
	assert(house_call(house, FRAME_CHALLENGE, writer_bytes(&w), &payload) == WIRE_OK);
	assert(wire_challenge_answer_read(payload, &answer));
	assert(bytes_equal(answer.release_key, BYTES_OF(house->release_key)));
	memcpy(ret_challenge, answer.challenge.data, WIRE_CHALLENGE_SIZE);
	free((void *)(uintptr_t)payload.data);
}

struct bytes
guest_request(struct house *house, struct guest *guest, const struct guest_release *how,
	      uint8_t ret_private[32])
{
	uint8_t challenge[WIRE_CHALLENGE_SIZE], recipient[32], transcript[32], list[512];
	size_t capacity = 16 * 1024 + how->event_log.size + how->ima_log.size;
	uint8_t *memory = malloc(capacity);
	struct writer w = writer_of(memory, capacity);
	struct writer list_w = writer_of(list, sizeof(list));
	struct wanted wanted = {
		.count = 1,
		.secrets = {{text_bytes(how->path ? how->path : "web/key"), how->version}}};
	struct software_quote quote;

	if (how->challenge.size > 0)
		memcpy(challenge, how->challenge.data, sizeof(challenge));
	else
		guest_challenge(house, how->challenge_of ? how->challenge_of : guest, challenge);
	randombytes_buf(ret_private, 32);
	crypto_scalarmult_base(recipient, ret_private);
	wanted_write(&list_w, &wanted);
	transcript_release(BYTES_OF(house->release_key), BYTES_OF(challenge), BYTES_OF(recipient),
			   writer_bytes(&list_w), transcript);
	software_quote_make(&guest->tpm, transcript, &quote);
	struct wire_release_request request = {
		.challenge = BYTES_OF(challenge),
		.ak_public = {guest->tpm.ak_public, guest->tpm.ak_public_size},
		.recipient_key = BYTES_OF(recipient),
		.wanted = writer_bytes(&list_w),
		.pcrs = software_tpm_pcrs(&guest->tpm),
		.event_log = how->event_log,
		.ima_log = how->ima_log,
		.ima_offset = how->ima_offset,
		.peer = text_bytes("127.0.0.1 3"),
	};
	if (how->spoil)
		how->spoil(&request, &quote, guest);
	request.quote = (struct bytes){quote.message, quote.message_size};
	request.signature = (struct bytes){quote.signature, quote.signature_size};
	wire_release_request_write(&w, &request);
	assert(!w.failed);
	return writer_bytes(&w);
}

void
guest_release_as(struct house *house, uint64_t id, struct guest *guest,
		 const struct guest_release *how)
{
	uint8_t private_key[32];
	struct bytes request = guest_request(house, guest, how, private_key);

	house_call_as(house, id, FRAME_RELEASE, request, NULL);
	free((void *)(uintptr_t)request.data);
}

enum wire_status
guest_release(struct house *house, struct guest *guest, const struct guest_release *how,
	      char **ret_value)
{
	uint8_t private_key[32];
	struct bytes request = guest_request(house, guest, how, private_key);
	struct bytes payload = {0};

	enum wire_status status = house_call(house, FRAME_RELEASE, request, &payload);
	if (status == WIRE_OK && ret_value) {
		struct wire_release_request sent;
		struct release_body body;
		uint8_t transcript[32], info[RELEASE_INFO_SIZE], public_key[32];
		struct wire_release_answer answer;
		assert(wire_release_answer_read(payload, &answer));
		struct bytes sealed = answer.sealed;
		uint8_t *plain = malloc(sealed.size);
		if (how->ret_ima_offset)
			*how->ret_ima_offset = answer.ima_offset;
		assert(wire_release_request_read(request, &sent));
		transcript_release(BYTES_OF(house->release_key), sent.challenge, sent.recipient_key,
				   sent.wanted, transcript);
		release_info(transcript, info);
		crypto_scalarmult_base(public_key, private_key);
		assert(hpke_open(private_key, public_key, house->release_key, BYTES_OF(info),
				 (struct bytes){0}, sealed, plain));
		assert(release_body_read((struct bytes){plain, sealed.size - HPKE_OVERHEAD},
					 &body));
		assert(body.count == 1 && body.lifetime == 3600);
		*ret_value = (char *)(uintptr_t)house_copy(body.secrets[0].value).data;
		free(plain);
	}
	free((void *)(uintptr_t)request.data);
	free((void *)(uintptr_t)payload.data);
	return status;
}
