/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may come to the local socket, and what may be asked there: the one place to read it in. The
 * peer is root, or the keeper's own user, which the kernel says; the column says what it must prove
 * beside that.
 */
#include "control.h"

#include "audit.h"
#include "supervisor/role.h"
#include "wire/local.h"

#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS 1000

/* When a request is answered at all. */
enum { SEALED = 1, FROZEN = 2, SERVING = 4, OPEN = FROZEN | SERVING, ANY = SEALED | OPEN };

static const struct request {
	enum frame_type type;
	control_handler *handle;
	unsigned when;
	const char *proves;
} requests[] = {
	{FRAME_CONTROL_STATUS, control_handle_status, ANY, "nothing"},
	{FRAME_CONTROL_SHARE, control_handle_share, ANY,
	 "to unseal and to rekey: by as many shares as the set wants, that it has the present key; "
	 "to verify: nothing"},
	{FRAME_CONTROL_KEY, control_handle_key, ANY, "that it has the present key"},
	{FRAME_CONTROL_RESET, control_handle_reset, ANY,
	 "nothing: what is given again is the same"},
	{FRAME_CONTROL_SEAL, control_handle_seal, OPEN, "nothing: less is answered than before"},
	{FRAME_CONTROL_REKEY, control_handle_rekey, SERVING,
	 "nothing: an operator's act must have asked for it, and nothing comes of it without the "
	 "present key"},
	{FRAME_CONTROL_REKEY_COMMIT, control_handle_rekey_commit, SERVING,
	 "on this connection, the present key, and that the new one arrived"},
	{FRAME_CONTROL_ROTATE, control_handle_rotate, SERVING, "nothing"},
	{FRAME_CONTROL_BACKUP, control_handle_backup, OPEN, "nothing: what it gets is sealed"},
	{FRAME_CONTROL_CHECK, control_handle_check, OPEN, "nothing"},
	{FRAME_CONTROL_WITNESS, control_handle_witness, OPEN,
	 "nothing: a counter that is not the store's freezes the keeper"},
	{FRAME_CONTROL_WATCH, control_handle_watch, OPEN, "nothing: tells the trust revision"},
	{FRAME_CONTROL_THAW, control_handle_thaw, FROZEN, "that it has looked: the trust revision"},
};

static const struct request *
find(uint16_t type)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if ((uint16_t)requests[i].type == type)
			return &requests[i];
	}
	return NULL;
}

int64_t
control_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- answers ---- */

static void
send_answer(struct connection *connection, enum control_status status, struct bytes payload,
	    char text[CONTROL_TEXT_MAX + 1])
{
	struct control_scratch *scratch = connection->scratch;
	struct writer w = writer_of(scratch->answer, sizeof(scratch->answer));

	/* A path in a problem may be in any encoding. */
	for (char *at = text; *at; at++) {
		if (*at < 0x20 || *at == 0x7f)
			*at = '?';
	}
	struct control_answer answer = {(uint8_t)status, text_bytes(text), payload};
	control_answer_write(&w, &answer);
	const struct frame frame = {FRAME_CONTROL_ANSWER, connection->id, writer_bytes(&w), -1};
	/* A client that has gone is seen by the next receive. */
	if (!w.failed && channel_send(connection->channel, &frame) != CHANNEL_OK)
		(void)shutdown(connection->channel, SHUT_RDWR);
}

void
control_reply(struct connection *connection, enum control_status status, struct bytes payload,
	      const char *format, ...)
{
	char text[CONTROL_TEXT_MAX + 1];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	send_answer(connection, status, payload, text);
}

void
control_say(struct connection *connection, enum control_status status, const char *format, ...)
{
	char text[CONTROL_TEXT_MAX + 1];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	send_answer(connection, status, (struct bytes){0}, text);
}

bool
control_send(struct connection *connection, enum frame_type type, struct bytes body)
{
	const struct frame frame = {(uint16_t)type, connection->id, body, -1};

	return !atomic_load(&connection->keeper->sealing) &&
	       channel_send(connection->channel, &frame) == CHANNEL_OK;
}

bool
control_waits(const struct connection *connection, int milliseconds)
{
	struct pollfd watched = {connection->channel, POLLIN, 0};

	/* One request at a time: whatever comes while one is in hand is the client's end. */
	return !atomic_load(&connection->keeper->sealing) &&
	       !atomic_load(&connection->keeper->control->ending) &&
	       poll(&watched, 1, milliseconds) == 0;
}

/* ---- the audit log ---- */

struct json *
control_audit(struct connection *connection, const char *kind)
{
	struct json *json = audit_begin(&connection->worker, kind, unix_now());

	out_number(json, "uid", connection->uid);
	return json;
}

bool
control_audit_end(struct connection *connection, struct store_batch *batch)
{
	struct worker *worker = &connection->worker;
	struct store_error err;

	audit_end(worker, false, worker->keeper->trust.revision);
	return audit_append(worker, batch, NULL) && worker_commit(worker, batch, &err) == STORE_OK;
}

/* ---- one connection ---- */

static bool
may_now(struct connection *connection, const struct request *request)
{
	struct keeper *keeper = connection->keeper;

	if (atomic_load(&keeper->sealing)) {
		control_say(connection, CONTROL_SEALED, "it is being sealed");
		return false;
	}
	if (!atomic_load(&keeper->open)) {
		if (request->when & SEALED)
			return true;
		control_say(connection, CONTROL_SEALED, "it is sealed: `postern unseal` first");
		return false;
	}
	bool frozen = atomic_load(&keeper->freeze.frozen);
	if (request->when & (frozen ? FROZEN : SERVING))
		return true;
	if (frozen)
		control_say(connection, CONTROL_REFUSED,
			    "it is frozen: `postern status` says why, `postern thaw` goes on");
	else
		control_say(connection, CONTROL_REFUSED, "it is not frozen");
	return false;
}

static void
serve(struct connection *connection, const struct frame *frame)
{
	const struct request *request = find(frame->type);

	connection->id = frame->id;
	if (!request || frame->body.size > CONTROL_BODY_MAX || frame->descriptor >= 0)
		control_say(connection, CONTROL_MALFORMED, "no such request");
	else if (may_now(connection, request))
		request->handle(connection, frame->body);
	if (frame->descriptor >= 0)
		close(frame->descriptor);
	sodium_memzero(connection->memory->bytes, connection->memory->size);
	store_batch_clear(connection->worker.batch);
}

static void *
run_connection(void *argument)
{
	struct connection *connection = argument;
	struct keeper *keeper = connection->keeper;
	struct frame frame;
	bool locked = keeper_lock_stack();

	while (locked && !atomic_load(&keeper->sealing) && !atomic_load(&keeper->control->ending) &&
	       channel_receive(connection->channel, &connection->buffer, &frame) == CHANNEL_OK) {
		serve(connection, &frame);
		sodium_stackzero(KEEPER_STACK);
	}
	pthread_mutex_lock(&keeper->control->mutex);
	if (keeper->control->rekeying.owner == connection)
		rekeying_clear(keeper->control);
	pthread_mutex_unlock(&keeper->control->mutex);
	frame_buffer_clear(&connection->buffer);
	secret_free(connection->memory);
	worker_clear(&connection->worker);
	(void)shutdown(connection->channel, SHUT_RDWR);
	atomic_store(&connection->ended, true);
	return NULL;
}

/* ---- letting in ---- */

static bool
set_limits(int channel)
{
	const struct timeval idle = {.tv_sec = CONTROL_IDLE_SECONDS};
	const struct timeval sending = {.tv_sec = CONTROL_SENDING_SECONDS};

	return setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof(idle)) == 0 &&
	       setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &sending, sizeof(sending)) == 0;
}

static bool
start_connection(struct control *control, struct connection *connection, int channel, unsigned uid)
{
	*connection = (struct connection){
		.keeper = control->keeper,
		.channel = channel,
		.uid = uid,
		.buffer = {.locked = true},
		.memory = secret_new(sizeof(struct control_scratch)),
		.worker = {.keeper = control->keeper, .batch = store_batch_new()},
	};
	if (connection->memory && connection->worker.batch && set_limits(channel)) {
		/* Guarded memory ends at a page's end, so that it begins where its size allows. */
		connection->scratch = (struct control_scratch *)(void *)connection->memory->bytes;
		if (pthread_create(&connection->thread, NULL, run_connection, connection) == 0)
			return true;
	}
	secret_free(connection->memory);
	worker_clear(&connection->worker);
	connection->channel = -1;
	return false;
}

/* Those whose client has gone. */
static void
reap(struct control *control)
{
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *connection = &control->connections[i];
		if (connection->channel < 0 || !atomic_load(&connection->ended))
			continue;
		pthread_join(connection->thread, NULL);
		pthread_mutex_lock(&control->mutex);
		close(connection->channel);
		connection->channel = -1;
		pthread_mutex_unlock(&control->mutex);
	}
}

static void
let_in(struct control *control)
{
	uid_t uid;
	int channel = local_accept(control->keeper->options.control, &uid);
	size_t i = 0;

	if (channel < 0)
		return;
	reap(control);
	while (i < CONTROL_CONNECTIONS_MAX && control->connections[i].channel >= 0)
		i++;
	bool allowed = uid == 0 || uid == control->own;
	if (!allowed)
		role_complain("user %u came to the local socket, which is for root", (unsigned)uid);
	pthread_mutex_lock(&control->mutex);
	bool in = allowed && i < CONTROL_CONNECTIONS_MAX && !atomic_load(&control->ending) &&
		  start_connection(control, &control->connections[i], channel, uid);
	bool lacks =
		allowed && i < CONTROL_CONNECTIONS_MAX && !in && !atomic_load(&control->ending);
	pthread_mutex_unlock(&control->mutex);
	if (lacks)
		role_complain("the local socket: no memory, or it cannot be locked: raise "
			      "RLIMIT_MEMLOCK");
	if (!in)
		close(channel);
}

static void *
run_control(void *argument)
{
	struct control *control = argument;
	struct pollfd watched = {control->keeper->options.control, POLLIN, 0};

	while (!atomic_load(&control->ending)) {
		bool came = poll(&watched, 1, TICK_MS) > 0;
		if (atomic_load(&control->ending))
			break;
		if (came)
			let_in(control);
		reap(control);
		pthread_mutex_lock(&control->mutex);
		control_expire(control, control_clock());
		pthread_mutex_unlock(&control->mutex);
	}
	return NULL;
}

/* ---- all of it ---- */

static bool
read_set(struct keeper *keeper, struct share_set *ret_set)
{
	uint8_t note[STORE_NOTE_MAX];
	struct store_error err;
	size_t size = 0;

	return store_note(keeper->store, note, &size, &err) == STORE_OK &&
	       share_set_read((struct store_bytes){note, size}, ret_set);
}

struct control *
control_new(struct keeper *keeper)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control || !read_set(keeper, &control->set)) {
		free(control);
		return NULL;
	}
	control->keeper = keeper;
	control->own = geteuid();
	control->patience = (int64_t)CONTROL_PATIENCE_SECONDS * 1000;
	pthread_mutex_init(&control->mutex, NULL);
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++)
		control->connections[i].channel = -1;
	return control;
}

void
control_free(struct control *control)
{
	if (!control)
		return;
	gathering_clear(&control->to_unseal);
	gathering_clear(&control->to_rekey);
	rekeying_clear(control);
	pthread_mutex_destroy(&control->mutex);
	free(control);
}

bool
control_start(struct control *control)
{
	if (control->keeper->options.control <= 0)
		return true;
	control->started = pthread_create(&control->thread, NULL, run_control, control) == 0;
	return control->started;
}

void
control_stop(struct control *control)
{
	atomic_store(&control->ending, true);
	if (!control->started)
		return;
	/* Wakes who waits on it. */
	(void)shutdown(control->keeper->options.control, SHUT_RDWR);
	pthread_mutex_lock(&control->mutex);
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		if (control->connections[i].channel >= 0)
			(void)shutdown(control->connections[i].channel, SHUT_RDWR);
	}
	pthread_mutex_unlock(&control->mutex);
}

static bool
join(pthread_t thread, const struct timespec *deadline)
{
	return deadline ? pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, deadline) == 0
			: pthread_join(thread, NULL) == 0;
}

bool
control_join(struct control *control, const struct timespec *deadline)
{
	if (control->started && !join(control->thread, deadline))
		return false;
	control->started = false;
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		struct connection *connection = &control->connections[i];
		if (connection->channel < 0)
			continue;
		if (!join(connection->thread, deadline))
			return false;
		close(connection->channel);
		connection->channel = -1;
	}
	return true;
}

void
control_shares(struct control *control, struct wire_health *health)
{
	pthread_mutex_lock(&control->mutex);
	health->threshold = control->set.threshold;
	health->count = control->set.count;
	health->given = atomic_load(&control->keeper->open) ? 0 : control->to_unseal.count;
	pthread_mutex_unlock(&control->mutex);
}
