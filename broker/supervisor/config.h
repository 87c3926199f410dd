/* SPDX-License-Identifier: Apache-2.0 */
/* posternd.conf: read and checked once, by the supervisor; each role gets its own part as text. */
#ifndef POSTERN_SUPERVISOR_CONFIG_H
#define POSTERN_SUPERVISOR_CONFIG_H

#include "role.h"
#include "wire/local.h"

#define CONFIG_PROBLEM_SIZE 512
#define CONFIG_SETUP_SIZE   (32 * 1024)

struct config {
	bool sealed;			  /* the keeper starts without its key */
	char control[LOCAL_PATH_MAX + 1]; /* "": there is none */
	struct {
		size_t size;
		char text[CONFIG_SETUP_SIZE];
	} setup[ROLE_COUNT];
};

/* The higher of `min_revision` and the file's counts. NULL: `problem` says where and what to do. */
struct config *config_load(const char *file, long min_revision, char problem[CONFIG_PROBLEM_SIZE]);
void config_free(struct config *config);
/* From now on the keeper does not read root_key. */
void config_seal(struct config *config);

#endif
