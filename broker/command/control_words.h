/* SPDX-License-Identifier: Apache-2.0 */
/* A broker's state, as its local socket tells it: for people, and as JSON. */
#ifndef POSTERN_COMMAND_CONTROL_WORDS_H
#define POSTERN_COMMAND_CONTROL_WORDS_H

#include "json.h"
#include "wire/control.h"

/* New; NULL without memory. */
json_t *control_state_json(const struct control_state *state);
/* The same to standard output. 0 or EX_SOFTWARE. */
int control_state_out(const struct control_state *state);
void control_state_print(const struct control_state *state);
/* Why it is frozen, and the way out; nothing where it is not. On stderr. */
void control_frozen_say(const struct control_state *state);

#endif
