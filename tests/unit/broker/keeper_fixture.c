/* SPDX-License-Identifier: Apache-2.0 */
#include "keeper_fixture.h"

#include "wire/hpke.h"
#include "wire/local.h"

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

struct bytes
house_copy(struct bytes bytes)
{
	uint8_t *copy = malloc(bytes.size + 1);

	assert(copy);
	if (bytes.size > 0)
		memcpy(copy, bytes.data, bytes.size);
	copy[bytes.size] = '\0';
	return (struct bytes){copy, bytes.size};
}

static bool
send_appraisal(int channel, uint64_t id, const struct wire_appraisal *appraisal)
{
	uint8_t memory[4096 + ATTEST_CLAIMS_MAX];
	struct writer w = writer_of(memory, sizeof(memory));

	wire_appraisal_write(&w, appraisal);
	assert(!w.failed);
	struct frame frame = {FRAME_APPRAISED, id, writer_bytes(&w), -1};
	return channel_send(channel, &frame) == CHANNEL_OK;
}

static void
examine_log(struct bytes log, struct bytes pcrs, struct wire_appraisal *appraisal)
{
	struct attest_pcrs quoted;
	struct attest_error err;

	if (log.size == 0)
		return;
	attest_pcrs_of_quote(pcrs, &quoted);
	bool good = attest_eventlog_examine(log, &quoted, &appraisal->report, &err) == ATTEST_OK;
	appraisal->log = good ? WIRE_VERIFIED : WIRE_REFUSED;
}

static void
examine_ima(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	struct attest_pcrs quoted;
	struct attest_error err = {0};
	struct attest_ima_allowed allowed = {request->allowed};

	if (request->ima == WIRE_IMA_NONE)
		return;
	attest_pcrs_of_quote(request->pcrs, &quoted);
	struct attest_ima_input input = {
		.list = request->ima_log,
		.bank = ATTEST_SHA256,
		.quoted = {quoted.values[ATTEST_IMA_PCR], ATTEST_HASH_SIZE},
		.from = request->ima == WIRE_IMA_REST ? &request->from : NULL,
		.allowed = request->allowed.size > 0 ? &allowed : NULL,
		.keys = request->keys,
		.key_count = request->key_count,
	};
	bool good = attest_ima_examine(&input, &appraisal->ima_report, &err) == ATTEST_OK;
	appraisal->ima = good ? WIRE_VERIFIED : WIRE_REFUSED;
	snprintf(appraisal->ima_error, sizeof(appraisal->ima_error), "%s", err.message);
}

static void
answer_log(struct house *house, const struct frame *frame, struct wire_appraisal *appraisal)
{
	struct wire_examine_log request;

	*appraisal = (struct wire_appraisal){0};
	assert(frame->type == FRAME_EXAMINE_LOG && wire_examine_log_read(frame->body, &request));
	examine_log(request.event_log, request.pcrs, appraisal);
	examine_ima(&request, appraisal);
	if (house->lie)
		house->lie(&request, appraisal);
}

static void *
run_appraiser(void *argument)
{
	struct house *house = argument;
	struct frame_buffer buffer = {0};
	struct frame frame;

	house_own_thread = true;
	while (channel_receive(house->appraiser, &buffer, &frame) == CHANNEL_OK) {
		struct wire_appraisal appraisal;
		answer_log(house, &frame, &appraisal);
		bool hung = false;
		for (; atomic_load(&house->hangs); hung = true)
			usleep(1000);
		bool sent = send_appraisal(house->appraiser, frame.id, &appraisal);
		/* The keeper may have ended meanwhile, or be about to. */
		assert(sent || hung || atomic_load(&house->keeper.sealing));
	}
	frame_buffer_clear(&buffer);
	return NULL;
}

static void
examine_cloud(const struct wire_examine_enrolment *request, const struct attest_trust *trust,
	      struct wire_appraisal *appraisal)
{
	struct attest_cloud_input input = {.cloud_public = request->cloud.public_area,
					   .certificates = request->cloud.certificates,
					   .certificate_count = request->cloud.certificate_count,
					   .message = request->cloud.message,
					   .signature = request->cloud.signature};
	struct attest_ak *ak = NULL;
	struct attest_error err = {0};

	if (!request->cloud.sent)
		return;
	assert(attest_ak_decode(request->ak_public, &ak, &err) == ATTEST_OK);
	input.ak = ak;
	memcpy(input.qualifying, request->transcript.data, sizeof(input.qualifying));
	bool good = attest_cloud_verify(&input, trust, &appraisal->cloud_chain, &err) == ATTEST_OK;
	appraisal->cloud = good ? WIRE_VERIFIED : WIRE_REFUSED;
	snprintf(appraisal->cloud_error, sizeof(appraisal->cloud_error), "%s",
		 good ? "" : err.check);
	attest_ak_free(ak);
}

static void
examine_enrolment(struct house *house, int channel, const struct frame *asked)
{
	struct frame frame = *asked;
	struct wire_examine_enrolment request;
	struct wire_appraisal appraisal = {0};
	struct attest_ek *ek = NULL;
	struct attest_error err = {0};

	assert(wire_examine_enrolment_read(frame.body, &request));
	assert(attest_ek_decode(request.ek_public, &ek, &err) == ATTEST_OK);
	const struct attest_trust trust = {.anchors = request.anchors,
					   .anchor_count = request.anchor_count,
					   .crls = request.crls,
					   .crl_count = request.crl_count,
					   .stale_crls = request.stale_crls,
					   .now = request.now};
	examine_cloud(&request, &trust, &appraisal);
	if (house->examining)
		house->examining(house);
	if (request.certificate_count > 0) {
		bool good = attest_chain_verify(ek, request.certificates, request.certificate_count,
						&trust, &appraisal.ek_chain, &err) == ATTEST_OK;
		appraisal.chain = good ? WIRE_VERIFIED : WIRE_REFUSED;
		snprintf(appraisal.chain_error, sizeof(appraisal.chain_error), "%s",
			 good ? "" : err.check);
	}
	examine_log(request.event_log, request.pcrs, &appraisal);
	assert(send_appraisal(channel, frame.id, &appraisal));
	attest_ek_free(ek);
}

/* One question to an appraiser of its own. */
static void
examine_apart(struct house *house, int channel)
{
	struct frame_buffer buffer = {0};
	struct frame frame;
	struct wire_appraisal appraisal;

	assert(channel_receive(channel, &buffer, &frame) == CHANNEL_OK);
	if (frame.type == FRAME_EXAMINE_LOG) {
		house->apart++;
		answer_log(house, &frame, &appraisal);
		assert(send_appraisal(channel, frame.id, &appraisal));
	} else {
		examine_enrolment(house, channel, &frame);
	}
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
		if (frame.type == FRAME_UNSEALED)
			continue;
		assert(frame.type == FRAME_NEED_APPRAISER);
		assert(channel_pair(ends) == CHANNEL_OK);
		struct frame answer = {FRAME_APPRAISER, frame.id, {0}, ends[0]};
		assert(channel_send(house->supervisor, &answer) == CHANNEL_OK ||
		       atomic_load(&house->keeper.sealing));
		close(ends[0]);
		examine_apart(house, ends[1]);
		close(ends[1]);
	}
	frame_buffer_clear(&buffer);
	return NULL;
}

static void *
run_keeper(void *argument)
{
	struct house *house = argument;

	house->served = keeper_serve(&house->keeper);
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
			waiter->payload = house_copy(answer->payload);
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
	uint8_t note[SHARES_NOTE_SIZE];
	size_t size = share_set_write(&house->set, note);
	assert(store_create(house->options.store, house->root_key,
			    (struct store_bytes){note, size}, &err) == STORE_OK);
	assert(store_open(house->options.store, house->root_key, &store, &err) == STORE_OK);
	put_key(batch, "key/release", release);
	put_key(batch, "key/intake", intake);
	put_key(batch, "key/answer", seed);
	put_genesis(house, batch, policies);
	assert(store_commit(store, batch, &err) == STORE_OK);
	store_batch_free(batch);
	store_close(store);
}

static void
begin(struct house *house)
{
	assert(sodium_init() >= 0);
	*house = (struct house){0};
	pthread_mutex_init(&house->mutex, NULL);
	pthread_cond_init(&house->arrived, NULL);
	snprintf(house->folder, sizeof(house->folder), "/tmp/postern-keeper-XXXXXX");
	assert(mkdtemp(house->folder));
	snprintf(house->control, sizeof(house->control), "%s/control", house->folder);
	static char path[128];
	snprintf(path, sizeof(path), "%s/store", house->folder);
	house->options = (struct keeper_options){.store = path,
						 .workers = 4,
						 .pending_max = 64,
						 .challenge_lifetime = 60,
						 .lease_lifetime = 3600};
	house->root_key = secret_new(STORE_ROOT_KEY_SIZE);
	randombytes_buf(house->root_key->bytes, STORE_ROOT_KEY_SIZE);
}

void
house_found(struct house *house, const char *policies, uint8_t threshold, uint8_t count)
{
	begin(house);
	assert(shares_split(house->root_key, threshold, count, house->shares, &house->set));
	found(house, policies);
}

void
house_open(struct house *house, const char *policies)
{
	char problem[KEEPER_PROBLEM_SIZE] = "";

	begin(house);
	found(house, policies);
	if (!house_start(house, problem)) {
		fprintf(stderr, "%s\n", problem);
		abort();
	}
}

struct ends {
	int gateway[2], supervisor[2], appraiser[2];
};

static void
make_ends(struct house *house, struct ends *ends)
{
	char problem[LOCAL_PROBLEM_SIZE];

	assert(channel_pair(ends->gateway) == CHANNEL_OK &&
	       channel_pair(ends->supervisor) == CHANNEL_OK &&
	       channel_pair(ends->appraiser) == CHANNEL_OK);
	house->gateway = ends->gateway[0];
	house->supervisor = ends->supervisor[0];
	house->appraiser = ends->appraiser[0];
	house->options.gateway = ends->gateway[1];
	house->options.supervisor = ends->supervisor[1];
	house->options.appraiser = ends->appraiser[1];
	house->options.control = local_listen(house->control, problem);
	assert(house->options.control >= 0);
}

static void
start_threads(struct house *house)
{
	house->serving = true;
	pthread_create(&house->keeper_thread, NULL, run_keeper, house);
	pthread_create(&house->reader_thread, NULL, run_reader, house);
	pthread_create(&house->supervisor_thread, NULL, run_supervisor, house);
	pthread_create(&house->appraiser_thread, NULL, run_appraiser, house);
}

bool
house_start(struct house *house, char problem[KEEPER_PROBLEM_SIZE])
{
	struct ends ends;

	make_ends(house, &ends);
	if (!keeper_open(&house->keeper, &house->options, house->root_key, problem)) {
		for (int i = 0; i < 2; i++) {
			close(ends.gateway[i]);
			close(ends.supervisor[i]);
			close(ends.appraiser[i]);
		}
		close(house->options.control);
		return false;
	}
	start_threads(house);
	return true;
}

void
house_start_sealed(struct house *house)
{
	char problem[KEEPER_PROBLEM_SIZE] = "";
	struct ends ends;

	make_ends(house, &ends);
	if (!keeper_attach(&house->keeper, &house->options, problem)) {
		fprintf(stderr, "%s\n", problem);
		abort();
	}
	start_threads(house);
}

static void
end_thread(int test_end, int keeper_end, pthread_t thread)
{
	close(keeper_end);
	pthread_join(thread, NULL);
	close(test_end);
}

void
house_await_end(struct house *house)
{
	pthread_join(house->keeper_thread, NULL);
	assert(!house->served);
	house->ended = true;
}

void
house_await_seal(struct house *house)
{
	pthread_join(house->keeper_thread, NULL);
	assert(house->served && atomic_load(&house->keeper.sealing));
	house->ended = true;
}

void
house_stop(struct house *house)
{
	if (!house->serving)
		return;
	/* The reader blocks in the gateway's end: shut it, and both sides see the end. */
	shutdown(house->gateway, SHUT_RDWR);
	if (!house->ended) {
		pthread_join(house->keeper_thread, NULL);
		assert(house->served);
	}
	house->ended = false;
	end_thread(house->gateway, house->options.gateway, house->reader_thread);
	end_thread(house->supervisor, house->options.supervisor, house->supervisor_thread);
	end_thread(house->appraiser, house->options.appraiser, house->appraiser_thread);
	close(house->options.control);
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
