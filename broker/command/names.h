/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of names, as requests carry them, from repeated options. */
#ifndef POSTERN_COMMAND_NAMES_H
#define POSTERN_COMMAND_NAMES_H

#include "command.h"
#include "wire/operation.h"

#define NAMES_SIZE (2 + OPERATION_LIST_MAX * (4 + 64))

/* Writes the list into `storage`, which must outlive the request, and sets the field. 0, or
 * EX_USAGE and said. */
int names_set(struct operation_request *request, enum operation_field field,
	      const struct text_list *names, const char *option, uint8_t storage[NAMES_SIZE]);

#endif
