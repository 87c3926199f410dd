/* SPDX-License-Identifier: Apache-2.0 */
#include "fetch_ima.h"

#include "command.h"
#include "encode.h"
#include "file.h"
#include "json.h"
#include "wire/message.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOOT_ID	  "/proc/sys/kernel/random/boot_id"
#define STATE_MAX 128
/* Of a whole list, of which only a rest of WIRE_IMA_LOG_MAX need be sent. */
#define LIST_MAX (256 * 1024 * 1024)

static int
boot_read(char ret_boot[BOOT_ID_SIZE])
{
	auto_file_text text = {.data = NULL};
	int status = file_read(BOOT_ID, BOOT_ID_SIZE, &text);

	if (status != 0)
		return status;
	size_t size = strspn(text.data, "0123456789abcdef-");
	if (size == 0 || size >= BOOT_ID_SIZE)
		return complain(EX_OSFILE, "%s: not what a kernel writes", BOOT_ID);
	memcpy(ret_boot, text.data, size);
	ret_boot[size] = '\0';
	return 0;
}

int
fetch_ima_begin(struct fetch_ima *ima)
{
	auto_file_text text = {.data = NULL};

	if (ima->state == NULL)
		return 0;
	if (ima->log == NULL)
		return complain(EX_USAGE, "--ima-state is for --ima-log FILE");
	int status = boot_read(ima->boot);
	if (status != 0 || (access(ima->state, F_OK) != 0 && errno == ENOENT))
		return status;
	status = file_read(ima->state, STATE_MAX, &text);
	if (status != 0)
		return status;
	size_t size = strlen(ima->boot);
	char *end = NULL;
	if (strncmp(text.data, ima->boot, size) != 0 || text.data[size] != ' ')
		return 0;
	unsigned long long offset = strtoull(text.data + size + 1, &end, 10);
	if (strcmp(end, "\n") == 0)
		ima->offset = offset;
	return 0;
}

bool
fetch_ima_add(struct fetch_ima *ima, json_t *body, struct broker_problem *problem)
{
	auto_file_text list = {.data = NULL};

	if (ima->log == NULL)
		return true;
	int status = file_read(ima->log, LIST_MAX, &list);
	if (status != 0)
		return broker_fail(problem, status, "the IMA list cannot be read");
	if (ima->offset > list.size)
		ima->offset = 0;
	struct bytes rest = {(const uint8_t *)list.data + ima->offset, list.size - ima->offset};
	if (rest.size > WIRE_IMA_LOG_MAX)
		return broker_fail(problem, EX_DATAERR,
				   "%s: %zu bytes would have to be sent, of at most %d: the broker "
				   "does not know the beginning",
				   ima->log, rest.size, WIRE_IMA_LOG_MAX);
	if (json_object_set_new(body, "ima_log", json_base64(rest)) != 0 ||
	    json_object_set_new(body, "ima_offset", json_integer((json_int_t)ima->offset)) != 0)
		return broker_fail(problem, EX_SOFTWARE, "out of memory");
	return true;
}

int
fetch_ima_keep(const struct fetch_ima *ima, uint64_t next)
{
	char text[STATE_MAX];

	if (ima->state == NULL || next == ima->offset)
		return 0;
	(void)snprintf(text, sizeof(text), "%s %" PRIu64 "\n", ima->boot, next);
	return file_replace(ima->state, 0644, text, strlen(text));
}
