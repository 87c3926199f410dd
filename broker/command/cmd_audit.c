/* SPDX-License-Identifier: Apache-2.0 */
/* postern audit ...: the log, and whether it is whole. */
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "file.h"
#include "ledger.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_DEFAULT	20
#define TAIL_MAX	1000
#define PAGE		200
#define CHECKPOINT_FILE 4096

/* clang-format off: these lines are as wide as they will be read. */
const char help_audit_tail[] = "postern audit tail [--count N]\n"
			       "\n"
			       "The newest audit entries, oldest of them first.\n"
			       "\n"
			       "  --count N   how many, 1 to 1000 (default 20)\n"
			       "\n"
			       "Example: postern audit tail --count 100\n";

const char help_audit_verify[] =
	"postern audit verify [--checkpoint FILE]\n"
	"\n"
	"Reads the whole audit log and every act, and checks them here: each entry's hash, the "
	"chain\n"
	"they form, the broker's signature over its head, and that each act was signed by "
	"somebody\n"
	"who was an operator then.\n"
	"\n"
	"  --checkpoint FILE   also that the log goes on from the head that a guest once kept "
	"with\n"
	"                      `postern fetch --checkpoint FILE`: nothing before it was rewritten\n"
	"\n"
	"Exit status 65 if anything does not hold.\n"
	"\n"
	"Example: postern audit verify --checkpoint head.json\n";
/* clang-format on */

/* ---- reading pages ---- */

static int
page_read(struct client *client, enum operation operation, uint64_t from, uint64_t count,
	  struct client_answer *ret_answer)
{
	struct operation_request request = {.operation = (uint16_t)operation};
	uint8_t from_bytes[8], count_bytes[8];

	operation_set_number(&request, FIELD_FROM, from, from_bytes);
	operation_set_number(&request, FIELD_COUNT, count, count_bytes);
	return client_ask(client, &request, ret_answer);
}

static bool
checkpoint_take(const json_t *json, struct checkpoint *ret_checkpoint)
{
	struct checkpoint checkpoint = {.number = json_number(json, "number"),
					.time = (int64_t)json_number(json, "time")};
	const char *signature = json_text(json, "signature");

	if (!hex_decode(json_text(json, "hash"), checkpoint.hash, sizeof(checkpoint.hash)))
		return false;
	if (!hex_decode(signature, checkpoint.signature, sizeof(checkpoint.signature)) &&
	    !json_bytes_exact(json, "signature", checkpoint.signature,
			      sizeof(checkpoint.signature)))
		return false;
	*ret_checkpoint = checkpoint;
	return true;
}

static int
head_read(struct client *client, struct checkpoint *ret_head)
{
	auto_answer answer = {.json = NULL};
	int status = page_read(client, OPERATION_AUDIT_READ, 1, 1, &answer);

	if (status != 0)
		return status;
	if (!checkpoint_take(json_object_get(answer.json, "head"), ret_head))
		return complain(EX_DATAERR, "the broker's checkpoint is malformed");
	if (ret_head->number > 0 && !checkpoint_signed(ret_head, client_answer_key(client)))
		return complain(EX_DATAERR, "the checkpoint of the log's head is not signed by the "
					    "broker");
	return 0;
}

/* ---- tail ---- */

/* What an entry is about, whichever kind it is. */
static void
entry_print(const json_t *item)
{
	static const struct column columns[] = {
		{"", "time", COLUMN_TIME}, {"", "kind", COLUMN_TEXT}, {"", "outcome", COLUMN_TEXT}};
	static const char *const about[] = {"operator", "operation", "subject", "machine",
					    "name",	"secrets",   "reason",	"count"};
	const json_t *embedded = json_object_get(item, "entry");
	const char *text = json_string_value(embedded);
	auto_json *parsed = text != NULL ? json_parse(text, strlen(text)) : NULL;
	const json_t *entry = parsed != NULL ? parsed : embedded;
	char cell[512];

	(void)printf("%6llu", (unsigned long long)json_number(item, "number"));
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		output_cell(entry, &columns[i], cell, sizeof(cell));
		(void)printf("  %s", cell);
	}
	for (size_t i = 0; i < sizeof(about) / sizeof(*about); i++) {
		const struct column column = {"", about[i], COLUMN_TEXT};
		output_cell(entry, &column, cell, sizeof(cell));
		if (strcmp(cell, "-") != 0)
			(void)printf("  %s=%s", about[i], cell);
	}
	(void)putchar('\n');
}

int
cmd_audit_tail(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	uint64_t count = TAIL_DEFAULT;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--count", OPTION_NUMBER, &count}};
	struct checkpoint head;
	auto_client *client = NULL;
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	if (count == 0 || count > TAIL_MAX)
		return complain(EX_USAGE, "--count: 1 to %d", TAIL_MAX);
	int status = client_open(common.config, &client);
	if (status == 0)
		status = head_read(client, &head);
	if (status == 0)
		status = page_read(client, OPERATION_AUDIT_READ,
				   head.number > count ? head.number - count + 1 : 1, count,
				   &answer);
	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	const json_t *entries = json_object_get(answer.json, "entries");
	for (size_t i = 0; i < json_array_size(entries); i++)
		entry_print(json_array_get(entries, i));
	return 0;
}

/* ---- verify ---- */

struct verification {
	struct client *client;
	struct ledger ledger;
	struct checkpoint head;
	struct checkpoint kept; /* number 0: none given */
	uint64_t acts;
};

static void
progress(const char *what, uint64_t done, uint64_t of)
{
	if (isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r%s %llu of %llu", what, (unsigned long long)done,
			      (unsigned long long)of);
	if (isatty(STDERR_FILENO) && done == of)
		(void)fprintf(stderr, "\n");
}

static int
checkpoint_meets(const struct verification *verification, const struct checkpoint *checkpoint,
		 const char *which)
{
	if (verification->ledger.number == checkpoint->number &&
	    memcmp(verification->ledger.hash, checkpoint->hash, sizeof(checkpoint->hash)) != 0)
		return complain(EX_DATAERR,
				"entry %llu is not what %s says: the log has been rewritten",
				(unsigned long long)checkpoint->number, which);
	return 0;
}

static int
entry_verify(struct verification *verification, const json_t *item)
{
	const json_t *text = json_object_get(item, "entry");
	char problem[LEDGER_PROBLEM_SIZE];
	uint8_t hash[32];

	if (!json_is_string(text) || !hex_decode(json_text(item, "hash"), hash, sizeof(hash)))
		return complain(EX_DATAERR, "the broker's entry is malformed");
	struct bytes entry = {(const uint8_t *)json_string_value(text), json_string_length(text)};
	if (!ledger_add(&verification->ledger, json_number(item, "number"), entry, hash, problem))
		return complain(EX_DATAERR, "%s", problem);
	int status = checkpoint_meets(verification, &verification->head, "the signed head");
	return status != 0 ? status
			   : checkpoint_meets(verification, &verification->kept, "the checkpoint");
}

static int
log_verify(struct verification *verification)
{
	uint64_t last = verification->head.number;

	while (verification->ledger.number < last) {
		auto_answer answer = {.json = NULL};
		uint64_t before = verification->ledger.number;
		int status = page_read(verification->client, OPERATION_AUDIT_READ, before + 1, PAGE,
				       &answer);
		if (status != 0)
			return status;
		const json_t *entries = json_object_get(answer.json, "entries");
		/* what was written since the head was signed is left out */
		for (size_t i = 0;
		     i < json_array_size(entries) && verification->ledger.number < last; i++) {
			status = entry_verify(verification, json_array_get(entries, i));
			if (status != 0)
				return status;
		}
		if (verification->ledger.number == before)
			return complain(EX_DATAERR,
					"the log ends at entry %llu, before its signed "
					"head, %llu",
					(unsigned long long)before, (unsigned long long)last);
		progress("audit entries", verification->ledger.number, last);
	}
	return 0;
}

static int
act_verify(struct act_fold *fold, const json_t *item, uint8_t *memory)
{
	char problem[LEDGER_PROBLEM_SIZE];
	uint8_t signature[64];
	size_t size = 0;

	if (!json_bytes(item, "request", memory, OPERATION_REQUEST_MAX, &size) ||
	    !json_bytes_exact(item, "signature", signature, sizeof(signature)))
		return complain(EX_DATAERR, "the broker's act is malformed");
	if (!act_fold_add(fold, json_number(item, "revision"), (struct bytes){memory, size},
			  signature, problem))
		return complain(EX_DATAERR, "%s", problem);
	return 0;
}

static int
acts_fold(struct verification *verification, struct act_fold *fold, uint8_t *memory)
{
	uint64_t last = UINT64_MAX;

	while (act_fold_revision(fold) < last) {
		auto_answer answer = {.json = NULL};
		uint64_t before = act_fold_revision(fold);
		int status = page_read(verification->client, OPERATION_ACT_READ, before + 1, PAGE,
				       &answer);
		if (status != 0)
			return status;
		if (last == UINT64_MAX)
			last = answer.trust_revision; /* acts of others may follow */
		const json_t *acts = json_object_get(answer.json, "acts");
		for (size_t i = 0; i < json_array_size(acts); i++) {
			status = act_verify(fold, json_array_get(acts, i), memory);
			if (status != 0)
				return status;
		}
		if (act_fold_revision(fold) == before)
			return complain(EX_DATAERR,
					"acts end at revision %llu, but trust is at %llu",
					(unsigned long long)before, (unsigned long long)last);
		progress("acts", act_fold_revision(fold), last);
	}
	return 0;
}

static int
acts_verify(struct verification *verification)
{
	struct act_fold *fold = act_fold_new(client_answer_key(verification->client));
	uint8_t *memory = malloc(OPERATION_REQUEST_MAX);
	int status = fold != NULL && memory != NULL ? acts_fold(verification, fold, memory)
						    : complain(EX_SOFTWARE, "out of memory");

	if (status == 0)
		verification->acts = act_fold_revision(fold);
	act_fold_free(fold);
	free(memory);
	return status;
}

static int
kept_read(struct verification *verification, const char *path)
{
	auto_file_text file = {.data = NULL};
	int status = file_read(path, CHECKPOINT_FILE, &file);

	if (status != 0)
		return status;
	auto_json *json = json_parse(file.data, file.size);
	if (!checkpoint_take(json, &verification->kept))
		return complain(EX_DATAERR, "%s: not a checkpoint", path);
	if (!checkpoint_signed(&verification->kept, client_answer_key(verification->client)))
		return complain(EX_DATAERR, "%s: not signed by this broker", path);
	if (verification->kept.number > verification->head.number)
		return complain(EX_DATAERR,
				"%s is of entry %llu, but the log ends at %llu: it has been cut",
				path, (unsigned long long)verification->kept.number,
				(unsigned long long)verification->head.number);
	return 0;
}

int
cmd_audit_verify(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	const char *checkpoint = NULL;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--checkpoint", OPTION_TEXT, &checkpoint}};
	auto_client *client = NULL;
	struct verification verification = {.acts = 0};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 0, "") != 0)
		return EX_USAGE;
	int status = client_open(common.config, &client);
	verification.client = client;
	if (status == 0)
		status = head_read(client, &verification.head);
	if (status == 0 && checkpoint != NULL)
		status = kept_read(&verification, checkpoint);
	if (status == 0)
		status = log_verify(&verification);
	if (status == 0)
		status = acts_verify(&verification);
	if (status != 0)
		return status;
	auto_json *json =
		json_pack("{s:I,s:I,s:b}", "entries", (json_int_t)verification.ledger.number,
			  "acts", (json_int_t)verification.acts, "verified", 1);
	if (common.json)
		return output_json(json);
	(void)printf("%llu audit entries and %llu acts hold\n",
		     (unsigned long long)verification.ledger.number,
		     (unsigned long long)verification.acts);
	return 0;
}
