/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include "wire/local.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX (64 * 1024)

struct control {
	int channel;
	uint64_t id;
	struct frame_buffer buffer; /* locked */
};

/* ---- where it is ---- */

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* "key = value" in [line, end): the value, without blanks around it. */
static bool
line_take(const char *line, const char *end, const char *key, char ret_value[FILE_PATH_MAX])
{
	size_t size = strlen(key);

	while (line < end && blank(*line))
		line++;
	if ((size_t)(end - line) < size || memcmp(line, key, size) != 0)
		return false;
	line += size;
	while (line < end && blank(*line))
		line++;
	if (line == end || *line++ != '=')
		return false;
	while (line < end && blank(*line))
		line++;
	while (end > line && blank(end[-1]))
		end--;
	if ((size_t)(end - line) > 5 && memcmp(line, "file:", 5) == 0)
		line += 5;
	if ((size_t)(end - line) >= FILE_PATH_MAX)
		return false;
	memcpy(ret_value, line, (size_t)(end - line));
	ret_value[end - line] = '\0';
	return true;
}

/* posternd checks its whole file; here one line of it matters, whatever newer keys stand beside. */
int
control_config_value(const char *config, const char *key, char ret_value[FILE_PATH_MAX])
{
	auto_file_text text = {.data = NULL};

	if (file_read(config, CONFIG_MAX, &text) != 0)
		return complain(EX_CONFIG, "--config is posternd's configuration here (default %s)",
				CONTROL_CONFIG);
	ret_value[0] = '\0';
	for (const char *line = text.data; line < text.data + text.size;) {
		const char *end = memchr(line, '\n', (size_t)(text.data + text.size - line));
		if (end == NULL)
			end = text.data + text.size;
		if (line_take(line, end, key, ret_value))
			return 0;
		line = end + 1;
	}
	return 0;
}

static int
place_find(const struct control_place *place, char ret_path[FILE_PATH_MAX])
{
	const char *config = place->config != NULL ? place->config : CONTROL_CONFIG;

	if (place->socket != NULL) {
		int size = snprintf(ret_path, FILE_PATH_MAX, "%s", place->socket);
		return size < FILE_PATH_MAX ? 0 : complain(EX_USAGE, "--control: too long a path");
	}
	int status = control_config_value(config, "control", ret_path);
	if (status == 0 && ret_path[0] == '\0')
		return complain(EX_CONFIG,
				"%s has no line 'control = PATH', so that its broker has no local "
				"socket: add one and restart it, or give --control PATH",
				config);
	return status;
}

/* ---- connecting ---- */

/* Shares go to root, to this user, or to the one whose folder the socket is in and who alone may
 * write there: whoever else listens has put himself in the broker's place. */
static bool
listener_trusted(int channel, const char *path)
{
	char folder[FILE_PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct stat information;
	uid_t peer = 0;

	if (!local_peer(channel, &peer))
		return false;
	if (peer == 0 || peer == geteuid())
		return true;
	int size = slash != NULL ? (int)(slash - path) : 0;
	(void)snprintf(folder, sizeof(folder), "%.*s", size > 0 ? size : 1, size > 0 ? path : ".");
	return stat(folder, &information) == 0 && information.st_uid == peer &&
	       (information.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int
unreachable(const char *path, int problem)
{
	if (problem == EACCES || problem == EPERM)
		return complain(EX_NOPERM,
				"%s: the local socket is for root and the broker's own user alone: "
				"run this as one of them",
				path);
	if (problem == ENAMETOOLONG)
		return complain(EX_CONFIG, "%s: a socket's path has at most %d bytes", path,
				LOCAL_PATH_MAX);
	if (problem == ENOENT || problem == ECONNREFUSED)
		return complain(EX_UNAVAILABLE,
				"no broker listens at %s: start posternd, or give --control PATH",
				path);
	return complain(EX_UNAVAILABLE, "%s: %s", path, strerror(problem));
}

static int
open_at(const struct control_place *place, bool quiet, struct control **ret_control)
{
	char path[FILE_PATH_MAX];
	auto_control *control = NULL;
	int status = process_lock();

	if (status == 0)
		status = place_find(place, path);
	if (status != 0)
		return status;
	control = calloc(1, sizeof(*control));
	if (control == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	control->buffer.locked = true;
	control->channel = local_connect(path);
	if (control->channel < 0)
		return quiet ? EX_UNAVAILABLE : unreachable(path, errno);
	if (!listener_trusted(control->channel, path))
		return complain(EX_CONFIG,
				"%s: who listens there is neither root, nor you, nor the owner of "
				"its folder: no share is given to it",
				path);
	*ret_control = control;
	control = NULL;
	return 0;
}

int
control_open(const struct control_place *place, struct control **ret_control)
{
	return open_at(place, false, ret_control);
}

int
control_open_quietly(const struct control_place *place, struct control **ret_control)
{
	return open_at(place, true, ret_control);
}

void
control_close(struct control *control)
{
	if (control == NULL)
		return;
	if (control->channel >= 0)
		(void)close(control->channel);
	frame_buffer_clear(&control->buffer);
	free(control);
}

/* ---- asking ---- */

static int
channel_say(enum channel_status status)
{
	switch (status) {
	case CHANNEL_CLOSED:
		return complain(EX_TEMPFAIL,
				"the broker ended the connection: it was stopped or "
				"sealed, or serves others at present; its log says why");
	case CHANNEL_MALFORMED:
		return complain(EX_DATAERR, "what listens there does not speak as a broker does");
	case CHANNEL_OK:
	case CHANNEL_IO:
		break;
	}
	return complain(EX_IOERR, "the local socket: %s", strerror(errno));
}

static int
reply_take(struct bytes body, struct control_reply *ret_reply)
{
	struct control_answer answer;

	if (!control_answer_read(body, &answer))
		return channel_say(CHANNEL_MALFORMED);
	ret_reply->status = answer.status;
	text_tame((const char *)answer.text.data, answer.text.size, ret_reply->text,
		  sizeof(ret_reply->text));
	ret_reply->payload = answer.payload;
	return 0;
}

/* -1: one piece; another follows. */
static int
frame_take(struct control *control, const struct frame *frame, control_piece *piece, void *user,
	   struct control_reply *ret_reply)
{
	if (frame->descriptor >= 0)
		(void)close(frame->descriptor);
	if (frame->id != control->id || frame->descriptor >= 0)
		return channel_say(CHANNEL_MALFORMED);
	switch (frame->type) {
	case FRAME_CONTROL_ANSWER:
		return reply_take(frame->body, ret_reply);
	case FRAME_CONTROL_PROGRESS:
	case FRAME_CONTROL_DATA:
	case FRAME_CONTROL_DEFECT:
		break;
	default:
		return channel_say(CHANNEL_MALFORMED);
	}
	if (piece == NULL)
		return channel_say(CHANNEL_MALFORMED);
	int status = piece(user, frame->type, frame->body);
	return status != 0 ? status : -1;
}

int
control_ask(struct control *control, uint16_t type, struct bytes body, control_piece *piece,
	    void *user, struct control_reply *ret_reply)
{
	const struct frame request = {
		.type = type, .id = ++control->id, .body = body, .descriptor = -1};
	enum channel_status channel = channel_send(control->channel, &request);
	int status = -1;

	while (channel == CHANNEL_OK && status < 0) {
		struct frame frame = {.descriptor = -1};
		channel = channel_receive(control->channel, &control->buffer, &frame);
		if (channel == CHANNEL_OK)
			status = frame_take(control, &frame, piece, user, ret_reply);
	}
	return channel == CHANNEL_OK ? status : channel_say(channel);
}

int
control_say(const struct control_reply *reply)
{
	static const int statuses[] = {
		[CONTROL_OK] = 0,
		[CONTROL_MORE] = 0,
		[CONTROL_SEALED] = EX_TEMPFAIL,
		[CONTROL_UNSEALED] = 0, /* somebody was quicker */
		[CONTROL_WRONG] = 1,
		[CONTROL_REFUSED] = EX_NOPERM,
		[CONTROL_MALFORMED] = EX_DATAERR,
		[CONTROL_FAILED] = EX_IOERR,
	};

	if (reply->status >= sizeof(statuses) / sizeof(*statuses))
		return channel_say(CHANNEL_MALFORMED);
	if (statuses[reply->status] == 0)
		return 0;
	if (reply->status == CONTROL_SEALED)
		return complain(EX_TEMPFAIL, "the broker is sealed: `postern unseal` first");
	return complain(statuses[reply->status], "%s",
			reply->text[0] != '\0' ? reply->text : "the broker refuses");
}

void
control_warn(const struct control_reply *reply)
{
	const char *behind = strchr(reply->text, ';');

	if (reply->status == CONTROL_OK && behind != NULL)
		remark("%s", behind + strspn(behind, "; "));
}

int
control_demand(struct control *control, uint16_t type, struct bytes body,
	       struct control_reply *ret_reply)
{
	int status = control_ask(control, type, body, NULL, NULL, ret_reply);

	if (status == 0)
		control_warn(ret_reply);
	return status != 0 ? status : control_say(ret_reply);
}

int
control_status(struct control *control, struct control_state *ret_state)
{
	struct control_reply reply = {.status = 0};
	int status = control_demand(control, FRAME_CONTROL_STATUS, (struct bytes){NULL, 0}, &reply);

	if (status == 0 && !control_state_read(reply.payload, ret_state))
		status = channel_say(CHANNEL_MALFORMED);
	return status;
}
