/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper_fixture.h"

#include "wire/hpke.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BODY_MAX (FRAME_BODY_MAX - 64)

__thread bool house_own_thread;

struct house_waiter {
	struct house_waiter *next;
	uint64_t id;
	bool arrived;
	enum wire_status status;
	struct bytes payload; /* malloced */
};

/* ---- the other processes ---- */

static struct bytes
copy_bytes(struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.size + 1);

	assert(copy);
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	copy[bytes.size] = '\0';
	return (struct bytes){copy, bytes.size};
}

static void
send_appraisal(int channel, uint64_t id, const struct wire_appraisal *appraisal)
{
	uint8_t memory[4096];
	struct writer w = writer_of(memory, sizeof(memory));

	wire_appraisal_write(&w, appraisal);
	assert(!w.failed);
	struct frame frame = {FRAME_APPRAISED, id, writer_bytes(&w), -1};
	assert(channel_send(channel, &frame) == CHANNEL_OK);
}

static void
examine_log(struct bytes log, struct bytes pcrs, struct wire_appraisal *appraisal)
{
	uint8_t values[ATTEST_PCR_COUNT][ATTEST_HASH_SIZE];
	struct attest_error err;

	if (log.size == 0)
		return;
	memcpy(values, pcrs.data, sizeof(values));
	bool good = attest_eventlog_examine(log, (const uint8_t(*)[ATTEST_HASH_SIZE])values,
					    &appraisal->report, &err) == ATTEST_OK;
	appraisal->log = good ? WIRE_VERIFIED : WIRE_REFUSED;
}

static void *
run_appraiser(void *argument)
{
	struct house *house = argument;
	struct frame_buffer buffer = {0};
	struct frame frame;

	house_own_thread = true;
	while (channel_receive(house->appraiser, &buffer, &frame) == CHANNEL_OK) {
		struct wire_examine_log request;
		struct wire_appraisal appraisal = {0};
		assert(frame.type == FRAME_EXAMINE_LOG &&
		       wire_examine_log_read(frame.body, &request));
		examine_log(request.event_log, request.pcrs, &appraisal);
		send_appraisal(house->appraiser, frame.id, &appraisal);
	}
	frame_buffer_clear(&buffer);
	return NULL;
}

static void
examine_enrolment(int channel)
{
	struct frame_buffer buffer = {0};
	struct frame frame;
	struct wire_examine_enrolment request;
	struct wire_appraisal appraisal = {0};
	struct attest_ek *ek = NULL;
	struct attest_error err = {0};

	assert(channel_receive(channel, &buffer, &frame) == CHANNEL_OK);
	assert(wire_examine_enrolment_read(frame.body, &request));
	assert(attest_ek_decode(request.ek_public, &ek, &err) == ATTEST_OK);
	if (request.certificate_count > 0) {
		bool good = attest_chain_verify(ek, request.certificates, request.certificate_count,
						request.anchors, request.anchor_count, request.now,
						&appraisal.ek_chain, &err) == ATTEST_OK;
		appraisal.chain = good ? WIRE_VERIFIED : WIRE_REFUSED;
		snprintf(appraisal.chain_error, sizeof(appraisal.chain_error), "%s",
			 good ? "" : err.check);
	}
	examine_log(request.event_log, request.pcrs, &appraisal);
	send_appraisal(channel, frame.id, &appraisal);
	attest_ek_free(ek);
	frame_buffer_clear(&buffer);
}

static void *
run_supervisor(void *argument)
{
	struct house *house = argument;
	struct frame_buffer buffer = {0};
	struct frame frame;

	house_own_thread = true;
	while (channel_receive(house->supervisor, &buffer, &frame) == CHANNEL_OK) {
		int ends[2];
		assert(frame.type == FRAME_NEED_APPRAISER);
		assert(channel_pair(ends) == CHANNEL_OK);
		struct frame answer = {FRAME_APPRAISER, frame.id, {0}, ends[0]};
		assert(channel_send(house->supervisor, &answer) == CHANNEL_OK);
		close(ends[0]);
		examine_enrolment(ends[1]);
		close(ends[1]);
	}
	frame_buffer_clear(&buffer);
	return NULL;
}

static void *
run_keeper(void *argument)
{
	struct house *house = argument;

	assert(keeper_serve(&house->keeper));
	return NULL;
}

static void
deliver(struct house *house, uint64_t id, const struct wire_answer *answer)
{
	pthread_mutex_lock(&house->mutex);
	for (struct house_waiter *waiter = house->waiters; waiter; waiter = waiter->next) {
		if (waiter->id == id && !waiter->arrived) {
			waiter->arrived = true;
			waiter->status = answer->status;
			waiter->payload = copy_bytes(answer->payload);
		}
	}
	pthread_cond_broadcast(&house->arrived);
	pthread_mutex_unlock(&house->mutex);
}

static void *
run_reader(void *argument)
{
	struct house *house = argument;
	struct frame_buffer buffer = {0};
	struct frame frame;
	struct wire_answer answer;

	house_own_thread = true;
	while (channel_receive(house->gateway, &buffer, &frame) == CHANNEL_OK) {
		assert(frame.type == FRAME_ANSWER && frame.descriptor == -1);
		assert(wire_answer_read(frame.body, &answer));
		if (house->watch)
			house->watch(house->watch_user, frame.id, answer.status, answer.payload);
		deliver(house, frame.id, &answer);
	}
	frame_buffer_clear(&buffer);
	return NULL;
}

uint64_t
house_id(struct house *house)
{
	return __atomic_add_fetch(&house->next_id, 1, __ATOMIC_RELAXED);
}

enum wire_status
house_call_as(struct house *house, uint64_t id, enum frame_type type, struct bytes body,
	      struct bytes *ret_payload)
{
	struct house_waiter waiter = {.id = id};
	struct frame frame = {(uint16_t)type, id, body, -1};

	pthread_mutex_lock(&house->mutex);
	waiter.next = house->waiters;
	house->waiters = &waiter;
	pthread_mutex_unlock(&house->mutex);
	if (house->before)
		house->before(type);
	assert(channel_send(house->gateway, &frame) == CHANNEL_OK);
	pthread_mutex_lock(&house->mutex);
	while (!waiter.arrived)
		pthread_cond_wait(&house->arrived, &house->mutex);
	struct house_waiter **place = &house->waiters;
	while (*place != &waiter)
		place = &(*place)->next;
	*place = waiter.next;
	pthread_mutex_unlock(&house->mutex);
	if (ret_payload)
		*ret_payload = waiter.payload;
	else
		free((void *)(uintptr_t)waiter.payload.data);
	return waiter.status;
}

enum wire_status
house_call(struct house *house, enum frame_type type, struct bytes body, struct bytes *ret_payload)
{
	return house_call_as(house, house_id(house), type, body, ret_payload);
}

/* ---- founding, starting, ending ---- */

static void
put_key(struct store_batch *batch, const char *key, const uint8_t bytes[32])
{
	store_batch_put(batch, key, (struct store_bytes){bytes, 32});
}

static void
put_genesis(struct house *house, struct store_batch *batch, const char *policies)
{
	static uint8_t texts[64 * 1024], frame[80 * 1024], record[90 * 1024];
	uint8_t roles[64], signature[64], trust[RECORD_TRUST_SIZE];
	const char *admin = "permit (principal in Role::\"admin\", action in [Action::\"read\", "
			    "Action::\"write\", Action::\"trust\"], resource);";
	struct name_list list = {.count = 4,
				 .names = {text_bytes("operators"), text_bytes(admin),
					   text_bytes("rules"), text_bytes(policies)}};
	struct operation_request request = {
		.answer_key = BYTES_OF(house->answer_key),
		.operator_name = text_bytes(house->alice.name),
		.operation = OPERATION_GENESIS,
	};
	struct writer texts_w = writer_of(texts, sizeof(texts));
	struct writer w = writer_of(frame, sizeof(frame));
	struct writer record_w = writer_of(record, sizeof(record));
	struct writer trust_w = writer_of(trust, sizeof(trust));
	struct trust_record head = {.revision = 1};

	name_list_write(&texts_w, &list);
	operation_set_text(&request, FIELD_NAME, house->alice.name);
	operation_set(&request, FIELD_OPERATOR_KEY, BYTES_OF(house->alice.public_key));
	operation_set(&request, FIELD_ROLES, house_names(roles, sizeof(roles), "admin"));
	operation_set(&request, FIELD_POLICIES, writer_bytes(&texts_w));
	operation_request_write(&w, &request);
	crypto_sign_detached(signature, NULL, frame, w.size, house->alice.secret_key);
	struct act_record act = {writer_bytes(&w), BYTES_OF(signature)};
	act_record_write(&record_w, &act);
	crypto_hash_sha256(head.head, record, record_w.size);
	trust_record_write(&trust_w, &head);
	assert(!w.failed && !texts_w.failed && !record_w.failed && !trust_w.failed);
	store_batch_put(batch, "act/0000000000000001", store_bytes_of(writer_bytes(&record_w)));
	store_batch_put(batch, "trust", store_bytes_of(writer_bytes(&trust_w)));
}

static void
found(struct house *house, const char *policies)
{
	uint8_t release[32], intake[32], seed[32], pair[64];
	struct store *store = NULL;
	struct store_error err;
	struct store_batch *batch = store_batch_new();

	randombytes_buf(release, 32);
	randombytes_buf(intake, 32);
	randombytes_buf(seed, 32);
	crypto_scalarmult_base(house->release_key, release);
	crypto_scalarmult_base(house->intake_key, intake);
	crypto_sign_seed_keypair(house->answer_key, pair, seed);
	snprintf(house->alice.name, sizeof(house->alice.name), "alice");
	crypto_sign_keypair(house->alice.public_key, house->alice.secret_key);
	assert(store_create(house->options.store, house->root_key, &err) == STORE_OK);
	assert(store_open(house->options.store, house->root_key, &store, &err) == STORE_OK);
	put_key(batch, "key/release", release);
	put_key(batch, "key/intake", intake);
	put_key(batch, "key/answer", seed);
	put_genesis(house, batch, policies);
	assert(store_commit(store, batch, &err) == STORE_OK);
	store_batch_free(batch);
	store_close(store);
}

void
house_open(struct house *house, const char *policies)
{
	char problem[KEEPER_PROBLEM_SIZE] = "";

	assert(sodium_init() >= 0);
	*house = (struct house){0};
	pthread_mutex_init(&house->mutex, NULL);
	pthread_cond_init(&house->arrived, NULL);
	snprintf(house->folder, sizeof(house->folder), "/tmp/postern-keeper-XXXXXX");
	assert(mkdtemp(house->folder));
	static char path[128];
	snprintf(path, sizeof(path), "%s/store", house->folder);
	house->options = (struct keeper_options){.store = path,
						 .workers = 4,
						 .pending_max = 64,
						 .challenge_lifetime = 60,
						 .lease_lifetime = 3600};
	house->root_key = secret_new(STORE_ROOT_KEY_SIZE);
	randombytes_buf(house->root_key->bytes, STORE_ROOT_KEY_SIZE);
	found(house, policies);
	if (!house_start(house, problem)) {
		fprintf(stderr, "%s\n", problem);
		abort();
	}
}

bool
house_start(struct house *house, char problem[KEEPER_PROBLEM_SIZE])
{
	int gateway[2], supervisor[2], appraiser[2];

	assert(channel_pair(gateway) == CHANNEL_OK && channel_pair(supervisor) == CHANNEL_OK &&
	       channel_pair(appraiser) == CHANNEL_OK);
	house->gateway = gateway[0];
	house->supervisor = supervisor[0];
	house->appraiser = appraiser[0];
	house->options.gateway = gateway[1];
	house->options.supervisor = supervisor[1];
	house->options.appraiser = appraiser[1];
	house->serving = keeper_open(&house->keeper, &house->options, house->root_key, problem);
	if (!house->serving) {
		for (int i = 0; i < 2; i++) {
			close(gateway[i]);
			close(supervisor[i]);
			close(appraiser[i]);
		}
		return false;
	}
	pthread_create(&house->keeper_thread, NULL, run_keeper, house);
	pthread_create(&house->reader_thread, NULL, run_reader, house);
	pthread_create(&house->supervisor_thread, NULL, run_supervisor, house);
	pthread_create(&house->appraiser_thread, NULL, run_appraiser, house);
	return true;
}

static void
end_thread(int test_end, int keeper_end, pthread_t thread)
{
	close(keeper_end);
	pthread_join(thread, NULL);
	close(test_end);
}

void
house_stop(struct house *house)
{
	if (!house->serving)
		return;
	/* The reader blocks in the gateway's end: shut it, and both sides see the end. */
	shutdown(house->gateway, SHUT_RDWR);
	pthread_join(house->keeper_thread, NULL);
	end_thread(house->gateway, house->options.gateway, house->reader_thread);
	end_thread(house->supervisor, house->options.supervisor, house->supervisor_thread);
	end_thread(house->appraiser, house->options.appraiser, house->appraiser_thread);
	keeper_close(&house->keeper);
	house->serving = false;
}

void
house_close(struct house *house)
{
	char command[128];

	house_stop(house);
	secret_free(house->root_key);
	pthread_mutex_destroy(&house->mutex);
	pthread_cond_destroy(&house->arrived);
	snprintf(command, sizeof(command), "rm -r '%s'", house->folder);
	assert(system(command) == 0);
}

/* ---- operators ---- */

struct bytes
house_names(uint8_t *memory, size_t size, const char *names)
{
	struct writer w = writer_of(memory, size);
	struct name_list list = {0};

	for (const char *at = names; *at;) {
		size_t length = strcspn(at, " ");
		list.names[list.count++] = (struct bytes){(const uint8_t *)at, length};
		at += length + (at[length] == ' ');
	}
	name_list_write(&w, &list);
	assert(!w.failed);
	return writer_bytes(&w);
}

static uint64_t
operator_challenge(struct house *house, const char *name,
		   uint8_t ret_challenge[WIRE_CHALLENGE_SIZE])
{
	uint8_t memory[128];
	struct writer w = writer_of(memory, sizeof(memory));
	struct wire_operator_challenge_request request = {text_bytes(name)};
	struct wire_operator_challenge_answer answer;
	struct bytes payload;

	wire_operator_challenge_request_write(&w, &request);
	assert(house_call(house, FRAME_OPERATOR_CHALLENGE, writer_bytes(&w), &payload) == WIRE_OK);
	assert(wire_operator_challenge_answer_read(payload, &answer));
	memcpy(ret_challenge, answer.challenge.data, WIRE_CHALLENGE_SIZE);
	free((void *)(uintptr_t)payload.data);
	return answer.trust_revision;
}

static void
read_operator_answer(const struct house *house, struct bytes request, struct bytes payload,
		     struct house_answer *answer)
{
	struct wire_operator_answer wire;
	struct operation_answer inner;
	uint8_t hash[32];

	assert(wire_operator_answer_read(payload, &wire));
	assert(crypto_sign_verify_detached(wire.signature.data, wire.answer.data, wire.answer.size,
					   house->answer_key) == 0);
	assert(operation_answer_read(wire.answer, &inner));
	crypto_hash_sha256(hash, request.data, request.size);
	assert(bytes_equal(inner.request_hash, BYTES_OF(hash)));
	answer->outcome = (enum operation_outcome)inner.outcome;
	answer->trust_revision = inner.trust_revision;
	answer->json = (char *)(uintptr_t)copy_bytes(inner.json).data;
}

struct house_answer
house_operate_as(struct house *house, uint64_t id, const struct house_operator *signer,
		 struct operation_request *request, void (*spoil)(uint8_t *frame, size_t size))
{
	uint8_t challenge[WIRE_CHALLENGE_SIZE], signature[64];
	uint8_t *frame = malloc(OPERATION_REQUEST_MAX), *body = malloc(OPERATION_REQUEST_MAX + 256);
	struct writer w = writer_of(frame, OPERATION_REQUEST_MAX);
	struct writer body_w = writer_of(body, OPERATION_REQUEST_MAX + 256);
	struct house_answer answer = {0};
	struct bytes payload = {0};

	uint64_t revision = operator_challenge(house, signer->name, challenge);
	const struct operation_info *info = operation_find(request->operation);
	request->answer_key = BYTES_OF(house->answer_key);
	request->operator_name = text_bytes(signer->name);
	request->challenge = BYTES_OF(challenge);
	if (info && info->act && request->trust_revision == 0)
		request->trust_revision = revision;
	operation_request_write(&w, request);
	assert(!w.failed);
	crypto_sign_detached(signature, NULL, frame, w.size, signer->secret_key);
	if (spoil)
		spoil(frame, w.size);
	struct wire_operator_request wire = {writer_bytes(&w), BYTES_OF(signature),
					     text_bytes("127.0.0.1 1")};
	wire_operator_request_write(&body_w, &wire);
	answer.status =
		house_call_as(house, id, FRAME_OPERATOR_REQUEST, writer_bytes(&body_w), &payload);
	if (answer.status == WIRE_OK)
		read_operator_answer(house, writer_bytes(&w), payload, &answer);
	request->trust_revision = 0;
	free((void *)(uintptr_t)payload.data);
	free(frame);
	free(body);
	return answer;
}

struct house_answer
house_operate(struct house *house, const struct house_operator *signer,
	      struct operation_request *request)
{
	return house_operate_as(house, house_id(house), signer, request, NULL);
}

void
house_must(struct house *house, struct operation_request *request)
{
	struct house_answer answer = house_operate(house, &house->alice, request);

	if (answer.status != WIRE_OK || answer.outcome != OUTCOME_OK) {
		fprintf(stderr, "operation %u: status %d, outcome %d: %s\n", request->operation,
			answer.status, answer.outcome, answer.json ? answer.json : "");
		abort();
	}
	free(answer.json);
}

void
house_put(struct house *house, const char *path, struct bytes value)
{
	struct operation_request request = {.operation = OPERATION_SECRET_PUT};
	uint8_t aad[INTAKE_AAD_MAX], info[64], cas[8];
	uint8_t *sealed = malloc(value.size + HPKE_OVERHEAD);
	struct writer w = writer_of(info, sizeof(info));

	size_t size = intake_aad(text_bytes(path), UINT64_MAX, text_bytes(house->alice.name), aad);
	write_lp_text(&w, "postern/intake/v1");
	assert(hpke_seal(house->intake_key, NULL, NULL, writer_bytes(&w), (struct bytes){aad, size},
			 value, sealed));
	operation_set_text(&request, FIELD_PATH, path);
	operation_set_number(&request, FIELD_CAS, UINT64_MAX, cas);
	operation_set(&request, FIELD_SEALED, (struct bytes){sealed, value.size + HPKE_OVERHEAD});
	house_must(house, &request);
	free(sealed);
}

char *
house_audit(struct house *house)
{
	struct operation_request request = {.operation = OPERATION_AUDIT_READ};
	uint8_t from[8], count[8];

	operation_set_number(&request, FIELD_FROM, 1, from);
	operation_set_number(&request, FIELD_COUNT, 1000, count);
	struct house_answer answer = house_operate(house, &house->alice, &request);
	assert(answer.status == WIRE_OK && answer.outcome == OUTCOME_OK);
	return answer.json;
}

/* ---- guests ---- */

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

enum wire_status
guest_release(struct house *house, struct guest *guest, const struct guest_release *how,
	      char **ret_value)
{
	uint8_t private_key[32];
	struct bytes request = guest_request(house, guest, how, private_key);
	struct bytes sealed = {0};

	enum wire_status status = house_call(house, FRAME_RELEASE, request, &sealed);
	if (status == WIRE_OK && ret_value) {
		struct wire_release_request sent;
		struct release_body body;
		uint8_t transcript[32], info[RELEASE_INFO_SIZE], public_key[32];
		uint8_t *plain = malloc(sealed.size);
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
		*ret_value = (char *)(uintptr_t)copy_bytes(body.secrets[0].value).data;
		free(plain);
	}
	free((void *)(uintptr_t)request.data);
	free((void *)(uintptr_t)sealed.data);
	return status;
}
