/* SPDX-License-Identifier: Apache-2.0 */
/* posternd.conf: read and checked once, by the supervisor; each role gets its own part as text. */
#ifndef POSTERN_SUPERVISOR_CONFIG_H
#define POSTERN_SUPERVISOR_CONFIG_H

#include "role.h"

#define CONFIG_PROBLEM_SIZE 512
#define CONFIG_SETUP_SIZE   (32 * 1024)

struct config {
	struct {
		size_t size;
		char text[CONFIG_SETUP_SIZE];
	} setup[ROLE_COUNT];
};

/* NULL: `problem` says where and what to do. */
struct config *config_load(const char *file, char problem[CONFIG_PROBLEM_SIZE]);
void config_free(struct config *config);

#endif
