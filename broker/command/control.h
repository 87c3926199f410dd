/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's local socket, from the command's side: what must not cross the network (shares, root
 * keys), and what works on the whole store. One request at a time; what comes back may hold keys
 * and is received into locked memory. wire/control.h has the messages.
 */
#ifndef POSTERN_COMMAND_CONTROL_H
#define POSTERN_COMMAND_CONTROL_H

#include "command.h"
#include "file.h"
#include "wire/control.h"

#define CONTROL_CONFIG "/etc/postern/posternd.conf"

/* Where the socket is: as given, or as `control` of posternd's configuration says. */
struct control_place {
	const char *socket; /* NULL: look in `config` */
	const char *config; /* NULL: CONTROL_CONFIG */
};
#define CONTROL_RULES(place)                                                                       \
	{"--control", OPTION_TEXT, &(place).socket},                                               \
	{                                                                                          \
		"--config", OPTION_TEXT, &(place).config                                           \
	}

/* One value of posternd.conf, whatever else is in it, without the "file:" of a path. 0, or
 * EX_CONFIG that was said; *ret_value is empty where the key is not there. */
int control_config_value(const char *config, const char *key, char ret_value[FILE_PATH_MAX]);

struct control;

/* Locks the process first. What listens there must be root, or whom else one may give a share to. 0
 * or an exit status that was said: EX_NOPERM, EX_UNAVAILABLE (no broker there), EX_CONFIG. */
int control_open(const struct control_place *place, struct control **ret_control);
/* The same without complaint about a broker that is not there: EX_UNAVAILABLE alone. */
int control_open_quietly(const struct control_place *place, struct control **ret_control);
void control_close(struct control *control);
static inline void
control_close_at(struct control **control)
{
	control_close(*control);
}
#define auto_control __attribute__((cleanup(control_close_at))) struct control

struct control_reply {
	uint8_t status;			 /* enum control_status */
	char text[CONTROL_TEXT_MAX + 1]; /* tamed */
	struct bytes payload; /* in the control's locked memory, until it is asked again */
};

/* Frames before the answer: CONTROL_PROGRESS, CONTROL_DATA, CONTROL_DEFECT. 0, or the exit status
 * to end with (said): the connection is then of no more use. */
typedef int control_piece(void *user, uint16_t type, struct bytes body);

/* 0 whatever the broker answers; else an exit status that was said: the broker is gone, or answers
 * what is no answer. `piece` NULL: none are expected. */
int control_ask(struct control *control, uint16_t type, struct bytes body, control_piece *piece,
		void *user, struct control_reply *ret_reply);
/* Says why the broker refuses; 0 for what it does: CONTROL_OK, MORE and UNSEALED. */
int control_say(const struct control_reply *reply);
/* An answer that was CONTROL_OK may still have a warning: the audit log could not be told. */
void control_warn(const struct control_reply *reply);
/* control_ask, control_say and control_warn. */
int control_demand(struct control *control, uint16_t type, struct bytes body,
		   struct control_reply *ret_reply);
/* `why` points into the control's memory, until it is asked again. */
int control_status(struct control *control, struct control_state *ret_state);

#endif
