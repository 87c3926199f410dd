/* SPDX-License-Identifier: Apache-2.0 */
#include "guest.h"

#include "command.h"
#include "encode.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONFIG	  "/etc/postern/guest.conf"
#define DEFAULT_EVENT_LOG "/sys/kernel/security/tpm0/binary_bios_measurements"

static const struct settings_key keys[] = {
	{.key = "broker", .repeatable = true, .required = true},
	{.key = "ca", .required = true},
	{.key = "release_key", .required = true},
	{.key = "tcti"},
	{.key = "event_log"},
	{.key = NULL},
};

int
attester_exit(enum attester_status status)
{
	switch (status) {
	case ATTESTER_OK:
		return 0;
	case ATTESTER_UNAVAILABLE:
		return EX_UNAVAILABLE;
	case ATTESTER_UNSUPPORTED:
		return EX_CONFIG;
	case ATTESTER_REFUSED:
		return EX_NOPERM;
	case ATTESTER_MOVED:
		return EX_TEMPFAIL;
	case ATTESTER_MEMORY:
		break;
	}
	return EX_SOFTWARE;
}

static int
event_log_read(struct guest *guest, const struct guest_options *options, const char *config)
{
	const char *named = settings_get(guest->settings, "event_log", 0);
	char path[FILE_PATH_MAX];

	if (options->event_log != NULL)
		return strcmp(options->event_log, "none") == 0
			       ? 0
			       : file_read(options->event_log, ATTEST_EVENTLOG_MAX,
					   &guest->event_log);
	if (named == NULL)
		return file_read_optional(DEFAULT_EVENT_LOG, ATTEST_EVENTLOG_MAX,
					  &guest->event_log);
	if (strcmp(named, "none") == 0)
		return 0;
	if (!file_beside(config, named, path))
		return complain(EX_CONFIG, "%s: event_log is too long", config);
	return file_read(path, ATTEST_EVENTLOG_MAX, &guest->event_log);
}

static int
attester_start(struct guest *guest, const char *tcti)
{
	struct attester_error err = {.status = ATTESTER_OK};
	const char *named = tcti != NULL ? tcti : settings_get(guest->settings, "tcti", 0);
	enum attester_status status = attester_open(named, &guest->attester, &err);

	if (status == ATTESTER_OK)
		status = attester_ak(guest->attester, &guest->ak, &err);
	if (status != ATTESTER_OK)
		return complain(attester_exit(status), "%s", err.message);
	return 0;
}

int
guest_open(struct guest *guest, const struct guest_options *options)
{
	const char *config = options->config != NULL ? options->config : DEFAULT_CONFIG;
	char problem[200];
	int status = process_lock();

	*guest = (struct guest){.settings = NULL};
	if (status != 0)
		return status;
	guest->settings = settings_load(config, keys, problem);
	if (guest->settings == NULL)
		return complain(EX_CONFIG, "%s", problem);
	if (!base64_decode_key(settings_get(guest->settings, "release_key", 0), guest->release_key))
		return complain(EX_CONFIG, "%s: release_key is 32 bytes in base64", config);
	status = broker_open(guest->settings, config, &guest->broker);
	if (status == 0)
		status = event_log_read(guest, options, config);
	return status != 0 ? status : attester_start(guest, options->tcti);
}

void
guest_close(struct guest *guest)
{
	attester_close(guest->attester);
	broker_close(&guest->broker);
	settings_free(guest->settings);
	file_text_clear(&guest->event_log);
	guest->attester = NULL;
	guest->settings = NULL;
}

bool
guest_release_key(const struct guest *guest, const json_t *answer,
		  struct broker_problem *ret_problem)
{
	uint8_t key[32];

	if (!json_bytes_exact(answer, "release_key", key, sizeof(key)))
		return broker_fail(ret_problem, EX_DATAERR, "the broker's answer is malformed");
	if (memcmp(key, guest->release_key, sizeof(key)) != 0)
		return broker_fail(ret_problem, EX_CONFIG,
				   "the broker's release key is not the one pinned here");
	return true;
}

bool
guest_quote(struct guest *guest, const uint8_t transcript[ATTEST_HASH_SIZE],
	    struct attester_quote *ret_quote, struct broker_problem *ret_problem)
{
	struct attester_error err = {.status = ATTESTER_OK};
	enum attester_status status = attester_quote(guest->attester, transcript, ret_quote, &err);

	if (status != ATTESTER_OK)
		return broker_fail(ret_problem, attester_exit(status), "%s", err.message);
	return true;
}

bool
guest_evidence(const struct guest *guest, const struct attester_quote *quote, json_t *body)
{
	struct bytes log = {(const uint8_t *)guest->event_log.data, guest->event_log.size};
	struct bytes pcrs = {quote->pcrs[0], sizeof(quote->pcrs)};

	if (log.size > 0 && json_object_set_new(body, "event_log", json_base64(log)) != 0)
		return false;
	return json_object_set_new(
		       body, "quote",
		       json_base64((struct bytes){quote->message, quote->message_size})) == 0 &&
	       json_object_set_new(
		       body, "signature",
		       json_base64((struct bytes){quote->signature, quote->signature_size})) == 0 &&
	       json_object_set_new(body, "pcrs", json_base64(pcrs)) == 0;
}
