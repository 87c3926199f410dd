/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of released values: stdout, files in memory, or a program that is started with them.
 */
#ifndef POSTERN_COMMAND_DELIVER_H
#define POSTERN_COMMAND_DELIVER_H

#include "store/secret.h"
#include "wire/transcript.h"

struct delivered {
	char path[WIRE_PATH_MAX + 1];
	uint32_t version;
	struct bytes value; /* in the body's secret, or in `field` */
	struct secret *field;
};

struct delivery {
	uint8_t lease_id[LEASE_ID_SIZE];
	uint32_t lifetime;
	uint64_t trust_revision;
	struct checkpoint checkpoint;
	size_t count;
	struct delivered secrets[WIRE_WANTED_MAX]; /* in the order asked for */
};

/* Each answers 0 or an exit status that was said. */

/* Each value becomes its member `field`. */
int deliver_select(struct delivery *delivery, const char *field);
/* One value as it is; `json` or several: an object. */
int deliver_print(const struct delivery *delivery, bool json);
/* DIR/<path>, 0600, all or none; unless `disk`, DIR must lie in a file system in memory. */
int deliver_files(const struct delivery *delivery, const char *folder, bool disk);
/* Does not return where it succeeds: argv[0] has, for each value, a sealed memfd whose path stands
 * in the environment as POSTERN_SECRET_<PATH>. */
int deliver_exec(const struct delivery *delivery, char **argv);
/* The release's checkpoint, for `audit verify --checkpoint`. */
int deliver_checkpoint(const struct delivery *delivery, const char *path);

/* POSTERN_SECRET_DB_PROD of "db/prod". */
#define DELIVER_VARIABLE_SIZE (15 + WIRE_PATH_MAX + 1)
void deliver_variable(const char *path, char ret_name[DELIVER_VARIABLE_SIZE]);
/* The object that `json` prints, in a new secret. False: no locked memory. */
bool deliver_json(const struct delivery *delivery, struct secret **ret_text);

#endif
