/* SPDX-License-Identifier: Apache-2.0 */
/* postern fetch: two round trips, one quote, one sealed body. PROTOCOL.md, "Release". */
#include "commands.h"
#include "deliver.h"
#include "ek.h"
#include "encode.h"
#include "fetch_ima.h"
#include "file.h"
#include "guest.h"
#include "wire/hpke.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Label, numbers, checkpoint, and each secret's path and sizes: transcript.h, struct release_body.
 */
#define BODY_MAX   (WIRE_SECRET_MAX + 512 + WIRE_WANTED_MAX * (4 + WIRE_PATH_MAX + 4 + 4))
#define SEALED_MAX (BODY_MAX + HPKE_OVERHEAD)
#define SEEN_MAX   32

/* clang-format off: these lines are as wide as they will be read. */
const char help_fetch[] =
	"postern fetch PATH[@VERSION]... [--field KEY] [--json | --output DIR | --exec CMD "
	"ARG...]\n"
	"              [--min-revision N] [--seen FILE] [--config FILE] [--tcti TCTI] [--event-log "
	"FILE|none]\n"
	"              [--ima-log FILE [--ima-state FILE]]\n"
	"\n"
	"Run on a guest: quotes what this machine booted, and gets the secrets wrapped to a key "
	"made\n"
	"for this one request. All of them, or none.\n"
	"\n"
	"  (nothing)         one secret to stdout as it is; several as --json\n"
	"  --json            {\"secrets\": {PATH: {\"version\", \"encoding\", \"value\"}}, "
	"\"lease\", ...}\n"
	"  --field KEY       one member of each secret, which must be a JSON object\n"
	"  --output DIR      to DIR/PATH, mode 0600, each put in place whole. DIR must be in "
	"memory\n"
	"                    (tmpfs); --allow-disk if a disk is meant\n"
	"  --exec CMD ARG... starts CMD in place of this process. Each secret is a sealed file in\n"
	"                    memory; its path, not its value, stands in the environment: db/prod "
	"in\n"
	"                    POSTERN_SECRET_DB_PROD. Last option: all that follows is CMD's\n"
	"  --min-revision N  refuse an answer of an older trust revision (a rolled-back broker)\n"
	"  --seen FILE       the same, with the highest revision seen so far, which FILE keeps\n"
	"  --checkpoint FILE keep the broker's signed statement of its audit log's head, for\n"
	"                    `postern audit verify --checkpoint FILE`\n"
	"  --event-log FILE  default the kernel's, where it may be read; none: do not send one\n"
	"  --ima-log FILE    send the kernel's IMA list, too, for policies that ask what ran:\n"
	"                    /sys/kernel/security/ima/binary_runtime_measurements\n"
	"  --ima-state FILE  keep in FILE how far the broker knows that list, and send the rest "
	"alone\n"
	"\n"
	"Examples:\n"
	"  postern fetch db/prod --field password\n"
	"  postern fetch tls/web db/prod --output /run/secrets\n"
	"  postern fetch db/prod --field password --exec sh -c 'app --password-file \\\n"
	"          \"$POSTERN_SECRET_DB_PROD\"'\n"
	"\n"
	"Exit status: 75 no broker is reachable, try again; 77 denied: an operator finds out why "
	"with\n"
	"`postern explain MACHINE`; 78 the broker is not the pinned one, or guest.conf is wrong.\n";
/* clang-format on */

struct fetch {
	struct guest *guest;
	struct fetch_ima ima;
	uint64_t ima_next; /* of the answer */
	uint64_t min_revision;
	struct wanted wanted; /* ascending */
	uint8_t encoded[WIRE_WANTED_SIZE_MAX];
	size_t encoded_size;
	struct secret *recipient; /* X25519, for one exchange */
	uint8_t recipient_public[32];
	struct secret *plain;	  /* the opened body */
	struct release_body body; /* points into it */
	struct delivery delivery;
};

static void
fetch_free_at(struct fetch **fetch)
{
	if (*fetch == NULL)
		return;
	for (size_t i = 0; i < (*fetch)->delivery.count; i++)
		secret_free((*fetch)->delivery.secrets[i].field);
	secret_free((*fetch)->recipient);
	secret_free((*fetch)->plain);
	free(*fetch);
}
#define auto_fetch __attribute__((cleanup(fetch_free_at))) struct fetch

/* ---- what is wanted ---- */

static int
path_compare(const void *a, const void *b)
{
	const struct wanted_secret *one = a, *other = b;
	size_t size = one->path.size < other->path.size ? one->path.size : other->path.size;
	int order = memcmp(one->path.data, other->path.data, size);

	return order != 0
		       ? order
		       : (one->path.size > other->path.size) - (one->path.size < other->path.size);
}

static int
wanted_settle(struct fetch *fetch, const struct text_list *paths)
{
	struct writer w = writer_of(fetch->encoded, sizeof(fetch->encoded));
	struct wanted *wanted = &fetch->wanted;

	if (paths->count > WIRE_WANTED_MAX)
		return complain(EX_USAGE, "at most %d secrets at once", WIRE_WANTED_MAX);
	for (size_t i = 0; i < paths->count; i++) {
		struct delivered *secret = &fetch->delivery.secrets[i];
		if (!wanted_parse(paths->items[i], &wanted->secrets[i]))
			return complain(EX_USAGE, "'%s' is neither PATH nor PATH@VERSION",
					paths->items[i]);
		memcpy(secret->path, wanted->secrets[i].path.data, wanted->secrets[i].path.size);
	}
	wanted->count = (uint16_t)paths->count;
	fetch->delivery.count = paths->count;
	qsort(wanted->secrets, wanted->count, sizeof(*wanted->secrets), path_compare);
	for (size_t i = 1; i < wanted->count; i++)
		if (path_compare(&wanted->secrets[i - 1], &wanted->secrets[i]) == 0)
			return complain(EX_USAGE, "%.*s is there twice",
					(int)wanted->secrets[i].path.size,
					(const char *)wanted->secrets[i].path.data);
	wanted_write(&w, wanted);
	fetch->encoded_size = w.size;
	return w.failed ? complain(EX_SOFTWARE, "the request does not encode") : 0;
}

/* ---- the exchange ---- */

static struct bytes
ak_public(const struct fetch *fetch)
{
	return (struct bytes){fetch->guest->ak.public_area, fetch->guest->ak.public_size};
}

static bool
challenge_get(struct fetch *fetch, size_t index, uint8_t ret_challenge[WIRE_CHALLENGE_SIZE],
	      struct broker_problem *problem)
{
	auto_json *answer = NULL;
	json_t *body = json_pack("{s:s,s:o}", "evidence", "tpm2", "ak_public",
				 json_base64(ak_public(fetch)));

	if (!broker_post(&fetch->guest->broker, index, "/v1/attest/challenge", body, &answer,
			 problem) ||
	    !guest_release_key(fetch->guest, answer, problem))
		return false;
	if (!json_bytes_exact(answer, "challenge", ret_challenge, WIRE_CHALLENGE_SIZE))
		return broker_fail(problem, EX_DATAERR, "the broker's challenge is malformed");
	if (strcmp(json_text(answer, "pcrs"), "sha256:0-15") != 0)
		return broker_fail(problem, EX_CONFIG,
				   "the broker wants other PCRs than sha256:0-15");
	return true;
}

static bool
recipient_draw(struct fetch *fetch, struct broker_problem *problem)
{
	secret_free(fetch->recipient);
	fetch->recipient = secret_new(32);
	if (fetch->recipient == NULL)
		return broker_fail(problem, EX_SOFTWARE, LOCKING_FAILED);
	randombytes_buf(fetch->recipient->bytes, 32);
	if (crypto_scalarmult_base(fetch->recipient_public, fetch->recipient->bytes) != 0)
		return broker_fail(problem, EX_SOFTWARE, "X25519 fails");
	return true;
}

static json_t *
secrets_json(const struct wanted *wanted)
{
	json_t *list = json_array();

	for (size_t i = 0; i < wanted->count; i++) {
		const struct wanted_secret *secret = &wanted->secrets[i];
		json_t *item = json_object();
		int failed = json_object_set_new(
			item, "path",
			json_stringn((const char *)secret->path.data, secret->path.size));
		failed |= json_object_set_new(item, "version", json_integer(secret->version));
		failed |= json_array_append_new(list, item);
		if (failed != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *
release_body_json(struct fetch *fetch, const uint8_t *challenge, const struct attester_quote *quote,
		  struct broker_problem *problem)
{
	auto_json *body = json_pack("{s:o,s:o,s:o,s:o}", "challenge",
				    json_base64((struct bytes){challenge, WIRE_CHALLENGE_SIZE}),
				    "ak_public", json_base64(ak_public(fetch)), "recipient_key",
				    json_base64(BYTES_OF(fetch->recipient_public)), "secrets",
				    secrets_json(&fetch->wanted));

	if (body == NULL || !guest_evidence(fetch->guest, quote, body)) {
		(void)broker_fail(problem, EX_SOFTWARE, "out of memory");
		return NULL;
	}
	return fetch_ima_add(&fetch->ima, body, problem) ? json_incref(body) : NULL;
}

static bool
path_same(const struct release_secret *got, const struct wanted_secret *wanted)
{
	return bytes_equal(got->path, wanted->path) && got->version != 0 &&
	       (wanted->version == 0 || wanted->version == got->version);
}

/* What it says must be what was asked for. */
static bool
body_check(const struct fetch *fetch, struct broker_problem *problem)
{
	bool same = fetch->body.count == fetch->wanted.count;

	for (size_t i = 0; same && i < fetch->wanted.count; i++)
		same = path_same(&fetch->body.secrets[i], &fetch->wanted.secrets[i]);
	if (!same)
		return broker_fail(problem, EX_DATAERR,
				   "the broker sent other secrets than wanted");
	if (fetch->body.trust_revision < fetch->min_revision)
		return broker_fail(
			problem, EX_CONFIG,
			"the broker is at trust revision %llu, below %llu: has its store "
			"been rolled back?",
			(unsigned long long)fetch->body.trust_revision,
			(unsigned long long)fetch->min_revision);
	return true;
}

static bool
body_open(struct fetch *fetch, const json_t *answer, const uint8_t transcript[TRANSCRIPT_SIZE],
	  struct broker_problem *problem)
{
	uint8_t info[RELEASE_INFO_SIZE], *sealed = malloc(SEALED_MAX);
	size_t size = 0;
	bool good = sealed != NULL && json_bytes(answer, "sealed", sealed, SEALED_MAX, &size) &&
		    size > HPKE_OVERHEAD;

	secret_free(fetch->plain);
	fetch->plain = good ? secret_new(size - HPKE_OVERHEAD) : NULL;
	if (fetch->plain == NULL) {
		free(sealed);
		return broker_fail(problem, good ? EX_SOFTWARE : EX_DATAERR, "%s",
				   good ? LOCKING_FAILED : "the broker's answer is malformed");
	}
	release_info(transcript, info);
	good = hpke_open(fetch->recipient->bytes, fetch->recipient_public,
			 fetch->guest->release_key, BYTES_OF(info), (struct bytes){NULL, 0},
			 (struct bytes){sealed, size}, fetch->plain->bytes);
	free(sealed);
	if (!good)
		return broker_fail(problem, EX_CONFIG,
				   "the answer is not sealed to this request by "
				   "the broker pinned here");
	if (!release_body_read((struct bytes){fetch->plain->bytes, fetch->plain->size},
			       &fetch->body))
		return broker_fail(problem, EX_DATAERR, "what the broker sealed is malformed");
	return body_check(fetch, problem);
}

static bool
exchange_once(struct fetch *fetch, size_t index, struct broker_problem *problem)
{
	uint8_t challenge[WIRE_CHALLENGE_SIZE], transcript[TRANSCRIPT_SIZE];
	struct attester_quote quote;
	auto_json *answer = NULL;

	if (!challenge_get(fetch, index, challenge, problem) || !recipient_draw(fetch, problem))
		return false;
	transcript_release(BYTES_OF(fetch->guest->release_key), BYTES_OF(challenge),
			   BYTES_OF(fetch->recipient_public),
			   (struct bytes){fetch->encoded, fetch->encoded_size}, transcript);
	if (!guest_quote(fetch->guest, transcript, &quote, problem))
		return false;
	json_t *body = release_body_json(fetch, challenge, &quote, problem);
	if (body == NULL || !broker_post(&fetch->guest->broker, index, "/v1/attest/release", body,
					 &answer, problem))
		return false;
	fetch->ima_next = json_number(answer, "ima_offset");
	return body_open(fetch, answer, transcript, problem);
}

/* A broker that was started again, or another of them, does not know the list's beginning. */
static bool
fetch_at(void *user, size_t index, struct broker_problem *problem)
{
	struct fetch *fetch = user;

	if (exchange_once(fetch, index, problem))
		return true;
	if (strcmp(problem->word, "ima") != 0 || fetch->ima.offset == 0)
		return false;
	*problem = (struct broker_problem){.status = 0};
	fetch->ima.offset = 0;
	return exchange_once(fetch, index, problem);
}

/* ---- afterwards ---- */

/* Which machine an operator should ask about; nothing, where the TPM does not tell. */
static void
denied_advise(struct guest *guest)
{
	struct attester_ek *ek = calloc(1, sizeof(*ek));
	struct attester_error err;
	uint8_t id[ATTEST_HASH_SIZE];
	char machine[MACHINE_ID_SIZE];

	if (ek != NULL && attester_ek(guest->attester, ATTESTER_EK_ANY, ek, &err) == ATTESTER_OK &&
	    ek_id_from_area((struct bytes){ek->public_area, ek->public_size}, id)) {
		machine_id_text(id, machine);
		remark("ask an operator: postern explain %s", machine);
	}
	free(ek);
}

/* From the body's ascending order into the order asked for. */
static void
delivery_fill(struct fetch *fetch)
{
	struct delivery *delivery = &fetch->delivery;

	memcpy(delivery->lease_id, fetch->body.lease_id, LEASE_ID_SIZE);
	delivery->lifetime = fetch->body.lifetime;
	delivery->trust_revision = fetch->body.trust_revision;
	delivery->checkpoint = fetch->body.checkpoint;
	for (size_t i = 0; i < delivery->count; i++) {
		for (size_t k = 0; k < fetch->body.count; k++) {
			const struct release_secret *got = &fetch->body.secrets[k];
			if (!bytes_equal(got->path, text_bytes(delivery->secrets[i].path)))
				continue;
			delivery->secrets[i].version = got->version;
			delivery->secrets[i].value = got->value;
		}
	}
}

/* ---- the highest trust revision seen ---- */

/* A number in a file, which the guest keeps where it likes; none is there yet: 0. */
static int
seen_read(const char *path, uint64_t *min_revision)
{
	auto_file_text text = {.data = NULL};
	char *end = NULL;

	if (access(path, F_OK) != 0 && errno == ENOENT)
		return 0;
	int status = file_read(path, SEEN_MAX, &text);
	if (status != 0)
		return status;
	unsigned long long seen = strtoull(text.data, &end, 10);
	if (end == text.data || strcmp(end, "\n") != 0)
		return complain(EX_DATAERR, "%s: not a trust revision: delete it if it is lost",
				path);
	*min_revision = seen > *min_revision ? seen : *min_revision;
	return 0;
}

/* Looks again, because several may fetch at once: the highest stays, save for the moment between.
 */
static int
seen_write(const char *path, uint64_t revision)
{
	char text[SEEN_MAX];
	uint64_t seen = 0;
	int status = seen_read(path, &seen);

	if (status != 0 || seen >= revision)
		return status;
	(void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)revision);
	return file_replace(path, 0644, text, strlen(text));
}

/* ---- all of it ---- */

struct destination {
	const char *seen;
	const char *field;
	const char *folder;
	const char *checkpoint;
	char **program; /* NULL: none */
	bool allow_disk;
	bool json;
};

static int
fetch_run(struct fetch *fetch, const struct destination *destination)
{
	struct broker_problem problem;
	struct delivery *delivery = &fetch->delivery;
	int status = 0;

	if (!broker_try(&fetch->guest->broker, fetch_at, fetch, &problem)) {
		if (problem.status != EX_NOPERM)
			return complain(problem.status, "%s", problem.message);
		(void)complain(EX_NOPERM, "denied: %s", problem.message);
		if (strcmp(problem.word, "identity") == 0)
			remark("if it has not enrolled yet: postern enroll");
		denied_advise(fetch->guest);
		return EX_NOPERM;
	}
	guest_close(fetch->guest); /* a started program has no use for our connections */
	delivery_fill(fetch);
	if (destination->field != NULL)
		status = deliver_select(delivery, destination->field);
	if (status == 0 && destination->seen != NULL)
		status = seen_write(destination->seen, delivery->trust_revision);
	if (status == 0)
		status = fetch_ima_keep(&fetch->ima, fetch->ima_next);
	if (status == 0 && destination->checkpoint != NULL)
		status = deliver_checkpoint(delivery, destination->checkpoint);
	if (status != 0)
		return status;
	if (destination->folder != NULL)
		return deliver_files(delivery, destination->folder, destination->allow_disk);
	if (destination->program != NULL) {
		(void)signal(SIGPIPE, SIG_DFL);
		return deliver_exec(delivery, destination->program);
	}
	return deliver_print(delivery, destination->json);
}

static int
destination_check(const struct destination *destination)
{
	int ways =
		destination->json + (destination->folder != NULL) + (destination->program != NULL);

	if (ways > 1)
		return complain(EX_USAGE, "one of --json, --output DIR, --exec CMD");
	if (destination->program != NULL && destination->program[0] == NULL)
		return complain(EX_USAGE, "--exec wants a command");
	if (destination->allow_disk && destination->folder == NULL)
		return complain(EX_USAGE, "--allow-disk is for --output DIR");
	return 0;
}

int
cmd_fetch(int argc, char **argv)
{
	struct guest_options options = {.config = NULL};
	struct destination destination = {.field = NULL};
	struct text_list positional;
	uint64_t min_revision = 0;
	auto_guest guest = {.settings = NULL};
	auto_fetch *fetch = calloc(1, sizeof(*fetch));

	if (fetch == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	const struct option_rule rules[] = {
		GUEST_RULES(options),
		{"--json", OPTION_FLAG, &destination.json},
		{"--field", OPTION_TEXT, &destination.field},
		{"--output", OPTION_TEXT, &destination.folder},
		{"--allow-disk", OPTION_FLAG, &destination.allow_disk},
		{"--checkpoint", OPTION_TEXT, &destination.checkpoint},
		{"--min-revision", OPTION_NUMBER, &min_revision},
		{"--seen", OPTION_TEXT, &destination.seen},
		{"--ima-log", OPTION_TEXT, &fetch->ima.log},
		{"--ima-state", OPTION_TEXT, &fetch->ima.state},
		{"--exec", OPTION_REST, &destination.program},
	};
	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, COMMAND_LIST_MAX, "PATH[@VERSION]...") != 0 ||
	    destination_check(&destination) != 0)
		return EX_USAGE;
	int status = wanted_settle(fetch, &positional);
	if (status == 0 && destination.seen != NULL)
		status = seen_read(destination.seen, &min_revision);
	if (status == 0)
		status = fetch_ima_begin(&fetch->ima);
	if (status == 0)
		status = guest_open(&guest, &options);
	fetch->guest = &guest;
	fetch->min_revision = min_revision;
	return status != 0 ? status : fetch_run(fetch, &destination);
}
