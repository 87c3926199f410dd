/* SPDX-License-Identifier: Apache-2.0 */
#include "host_tpm.h"

#include "encode.h"
#include "guest.h"
#include "keyholder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM_WANTED ((size_t)64 << 20) /* more than the TPM's stack will ever ask for */

/*
 * The TPM's stack holds keys in ordinary memory for a moment. Who may not lock so much must do with
 * what is wiped; where it would be just enough for now, what comes later is not locked, or it could
 * not be had.
 */
static void
memory_lock(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
		return;
	void *room =
		mmap(NULL, ROOM_WANTED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		(void)mlockall(MCL_CURRENT);
	else
		(void)munmap(room, ROOM_WANTED);
}

int
host_tpm_open(const char *tcti, struct attester **ret_attester)
{
	struct attester_error err = {.status = ATTESTER_OK};

	memory_lock();
	enum attester_status status = attester_open(tcti, ret_attester, &err);
	return status == ATTESTER_OK ? 0 : complain(attester_exit(status), "%s", err.message);
}

int
host_tpm_pcrs(const char *text, uint32_t *ret_pcrs)
{
	uint16_t mask = 0;

	if (!pcr_mask_parse(text, &mask) || mask == 0)
		return complain(EX_USAGE, "--pcrs: '%s' is no list of PCRs from 0 to 15 (7,11)",
				text);
	*ret_pcrs = mask;
	return 0;
}

int
host_tpm_pcrs_for(const char *given, const char *path, uint32_t *ret_pcrs)
{
	auto_file_text file = {.data = NULL};

	if (given != NULL)
		return host_tpm_pcrs(given, ret_pcrs);
	int status = file_read_optional(path, HOST_SEALED_MAX, &file);
	if (status != 0)
		return status;
	if (file.size > 0 && host_sealed_pcrs((const uint8_t *)file.data, file.size, ret_pcrs))
		return 0;
	return host_tpm_pcrs(HOST_TPM_PCRS, ret_pcrs);
}

int
host_tpm_index(const char *text, uint32_t *ret_index)
{
	char *end = NULL;

	errno = 0;
	unsigned long index = strncmp(text, "0x", 2) == 0 ? strtoul(text, &end, 16) : 0;
	if (end == NULL || end == text + 2 || *end != '\0' || errno != 0 ||
	    index < HOST_COUNTER_MIN || index > HOST_COUNTER_MAX)
		return complain(EX_USAGE, "'%s' is no NV index of a TPM's owner: 0x%08x to 0x%08x",
				text, HOST_COUNTER_MIN, HOST_COUNTER_MAX);
	*ret_index = (uint32_t)index;
	return 0;
}

int
host_tpm_path(const struct control_place *place, const char *given, char ret_path[FILE_PATH_MAX])
{
	const char *config = place->config != NULL ? place->config : CONTROL_CONFIG;
	char store[FILE_PATH_MAX];

	if (given != NULL) {
		int size = snprintf(ret_path, FILE_PATH_MAX, "%s", given);
		return size < FILE_PATH_MAX ? 0 : complain(EX_USAGE, "--sealed: too long a path");
	}
	int status = control_config_value(config, "store", store);
	if (status != 0)
		return status;
	if (store[0] == '\0' || !file_beside(store, HOST_TPM_FILE, ret_path))
		return complain(EX_CONFIG, "%s: no store is named there: give --sealed FILE",
				config);
	return 0;
}

int
host_tpm_seal(struct attester *attester, const struct secret *key, uint32_t pcrs, const char *path)
{
	struct attester_error err = {.status = ATTESTER_OK};
	uint8_t sealed[HOST_SEALED_MAX];
	size_t size = 0;

	if (key->size != HOST_KEY_SIZE)
		return complain(EX_SOFTWARE, "a root key of %zu bytes", key->size);
	enum attester_status status = host_seal(attester, key->bytes, pcrs, sealed, &size, &err);
	if (status != ATTESTER_OK)
		return complain(attester_exit(status), "%s", err.message);
	return file_replace(path, 0600, sealed, size);
}

int
host_tpm_unseal(struct attester *attester, const char *path, struct secret **ret_key)
{
	struct attester_error err = {.status = ATTESTER_OK};
	auto_file_text file = {.data = NULL};
	auto_secret *key = secret_new(HOST_KEY_SIZE);

	if (key == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	int status = file_read(path, HOST_SEALED_MAX, &file);
	if (status != 0)
		return status;
	enum attester_status opened =
		host_unseal(attester, (const uint8_t *)file.data, file.size, key->bytes, &err);
	if (opened == ATTESTER_REFUSED) {
		(void)complain(EX_NOPERM, "%s: %s", path, err.message);
		remark("the recovery shares open the store all the same: `postern unseal`. If the "
		       "host is now as it should be, seal the key to that: `postern tpm seal`");
		return EX_NOPERM;
	}
	if (opened != ATTESTER_OK)
		return complain(attester_exit(opened), "%s", err.message);
	*ret_key = key;
	key = NULL;
	return 0;
}

void
host_tpm_warn_counted(struct attester *attester)
{
	struct attester_error err;
	bool there = false;

	if (host_counter_defined(attester, HOST_TPM_INDEX, &there, &err) == ATTESTER_OK && there)
		remark("this TPM has a counter at 0x%08x already. Of an earlier broker: this one "
		       "starts frozen, and `postern thaw` makes the counter its own. Of another "
		       "broker on this host: `postern unseal --tpm --witness` with another index, "
		       "or none",
		       HOST_TPM_INDEX);
}

/* ---- postern unseal --tpm ---- */

/* The TPM itself says whether there is a witness: what was put back on the disk cannot. */
static int
counter_read(struct attester *attester, const char *index_text, uint64_t *ret_value)
{
	struct attester_error err = {.status = ATTESTER_OK};
	enum attester_status status = ATTESTER_OK;
	uint32_t index = HOST_TPM_INDEX;
	uint64_t value = CONTROL_NO_WITNESS;
	bool there = true;

	if (index_text != NULL && strcmp(index_text, "none") == 0) {
		*ret_value = CONTROL_NO_WITNESS;
		return 0;
	}
	if (index_text != NULL && host_tpm_index(index_text, &index) != 0)
		return EX_USAGE;
	if (index_text == NULL)
		status = host_counter_defined(attester, index, &there, &err);
	if (status == ATTESTER_OK && there)
		status = host_counter_read(attester, index, &value, &err);
	if (status != ATTESTER_OK)
		return complain(attester_exit(status), "%s", err.message);
	*ret_value = value;
	return 0;
}

static int
reply_say(const struct control_reply *reply, const char *path)
{
	int status = control_say(reply);

	if (reply->status == CONTROL_WRONG)
		remark("%s holds another root key: was the store rekeyed, or is it another one? "
		       "Unseal with shares, then seal the key anew: `postern tpm seal`. (After a "
		       "rekey that was interrupted: --sealed %s" HOST_TPM_NEW ")",
		       path, path);
	return status;
}

int
host_tpm_give(const struct host_tpm_options *options, const struct control_place *place,
	      struct control *control, enum control_purpose purpose)
{
	struct control_reply reply = {.status = CONTROL_OK};
	auto_host_tpm *attester = NULL;
	auto_secret *key = NULL;
	char path[FILE_PATH_MAX];
	uint64_t witness = CONTROL_NO_WITNESS;

	int status = host_tpm_path(place, options->sealed, path);
	if (status == 0)
		status = host_tpm_open(options->tcti, &attester);
	if (status == 0)
		status = host_tpm_unseal(attester, path, &key);
	/* After the key: from then on the counter is that TPM's which opened it. */
	if (status == 0)
		status = counter_read(attester, options->witness, &witness);
	if (status == 0)
		status = keyholder_give_key(control, purpose, key, witness, &reply);
	return status != 0 ? status : reply_say(&reply, path);
}
