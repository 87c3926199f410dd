/* SPDX-License-Identifier: Apache-2.0 */
/* What a person types at the terminal and nobody may see. */
#ifndef POSTERN_COMMAND_PROMPT_H
#define POSTERN_COMMAND_PROMPT_H

#include "store/secret.h"

#define PROMPT_MAX 4096

/* One line without echo from the controlling terminal (not stdin, which may be a pipe). 0, EX_USAGE
 * where there is no terminal (`instead` says what to give), EX_IOERR or EX_SOFTWARE. */
int prompt_secret(const char *question, const char *instead, struct secret **ret_secret);
/* Is there a terminal to ask at? */
bool prompt_possible(void);
/* 0 if "yes" is typed, with echo, at the controlling terminal; EX_DATAERR: something else; EX_USAGE:
 * there is no terminal. */
int prompt_sure(const char *question, const char *instead);
/* The same asked twice, not empty. */
int prompt_secret_twice(const char *question, const char *instead, struct secret **ret_secret);

#endif
