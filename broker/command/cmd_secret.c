/* SPDX-License-Identifier: Apache-2.0 */
/* postern secret ...: values go in, sealed here to the keeper's intake key; they do not come back.
 */
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "file.h"
#include "output.h"
#include "prompt.h"
#include "value.h"
#include "wire/hpke.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX    COMMAND_LIST_MAX
#define INTAKE_LABEL "postern/intake/v1"

/* clang-format off: these lines are as wide as they will be read. */
const char help_secret_put[] =
	"postern secret put PATH KEY=@FILE | KEY=@- | KEY | --public KEY=VALUE ...  [--cas N]\n"
	"postern secret put PATH @FILE | -  [--cas N]\n"
	"\n"
	"Seals a secret on this machine to the broker's intake key and sends it in. With keys, "
	"the\n"
	"secret is a JSON object of texts; with @FILE or - (stdin) it is those bytes, whatever "
	"they\n"
	"are. Each put makes a new version; the ten newest are kept, or as many as\n"
	"`secret settings` says.\n"
	"\n"
	"  KEY            asks for the value at the terminal, without echo\n"
	"  KEY=@FILE      takes it from a file, exactly as it is; KEY=@- from stdin\n"
	"  --public K=V   a value that is no secret (a user name, a host), from the command line\n"
	"  --cas N        only if the newest version is N; 0: only if none was ever put\n"
	"\n"
	"KEY=VALUE is refused: what stands on a command line stands in the shell's history and in\n"
	"the list of processes.\n"
	"\n"
	"Examples:\n"
	"  postern secret put db/prod --public username=app password\n"
	"  openssl rand -base64 24 | tr -d '\\n' | postern secret put db/prod password=@-\n"
	"  postern secret put tls/web @server.key\n"
	"\n"
	"Next: a policy must permit machines to have it: `postern help policy apply`.\n";

const char help_secret_list[] =
	"postern secret list [PREFIX]\n"
	"\n"
	"Names of secrets, one a line; of those below PREFIX (whole components: `db`, `db/eu`).\n"
	"Values are never shown: no operator can read one back.\n"
	"\n"
	"Example: postern secret list db\n";

/* clang-format on */

/* What `put` was given, read into locked memory. */
struct put {
	bool input_taken;
	size_t count;
	char names[PAIRS_MAX][128];
	struct secret *values[PAIRS_MAX];
};

static void
put_clear(struct put *put)
{
	for (size_t i = 0; i < put->count; i++)
		secret_free(put->values[i]);
	free(put);
}
static void
put_free_at(struct put **put)
{
	if (*put != NULL)
		put_clear(*put);
}
#define auto_put __attribute__((cleanup(put_free_at))) struct put

static int
name_take(struct put *put, const char *text, size_t size)
{
	if (put->count == PAIRS_MAX)
		return complain(EX_USAGE, "more than %d keys", PAIRS_MAX);
	if (size == 0 || size >= sizeof(put->names[0]))
		return complain(EX_USAGE, "a key has 1 to %zu bytes", sizeof(put->names[0]) - 1);
	memcpy(put->names[put->count], text, size);
	put->names[put->count][size] = '\0';
	return 0;
}

static int
value_ask(const char *name, struct secret **ret_value)
{
	char question[160];

	(void)snprintf(question, sizeof(question), "%s: ", name);
	return prompt_secret(question, "give KEY=@FILE or KEY=@-", ret_value);
}

static int
pair_take(struct put *put, const char *argument)
{
	const char *equals = strchr(argument, '=');
	size_t size = equals != NULL ? (size_t)(equals - argument) : strlen(argument);
	struct secret **value = &put->values[put->count];
	int status = name_take(put, argument, size);

	if (status != 0)
		return status;
	const char *name = put->names[put->count];
	if (argument[0] == '@' || strcmp(argument, "-") == 0)
		return complain(EX_USAGE,
				"%s is a whole secret, and stands alone: KEY=%s makes it a member",
				argument, argument[0] == '@' ? argument : "@-");
	if (equals != NULL && equals[1] != '@')
		return complain(
			EX_USAGE,
			"%s=...: a secret on the command line would stand in the shell's "
			"history and the list of processes. Give %s=@FILE, %s=@- or just %s "
			"(asks); --public %s=... if it is no secret",
			name, name, name, name, name);
	bool standard_input = equals != NULL && strcmp(equals, "=@-") == 0;
	if (standard_input && put->input_taken)
		return complain(EX_USAGE, "standard input can be one value only");
	put->input_taken = put->input_taken || standard_input;
	status = equals == NULL ? value_ask(name, value)
				: file_read_secret(equals + 2, WIRE_SECRET_MAX, value);
	if (status != 0)
		return status;
	if ((*value)->size == 0)
		remark("the value of %s is empty", name);
	if ((*value)->size > 0 && (*value)->bytes[(*value)->size - 1] == '\n')
		remark("the value of %s ends with a newline, which is kept", name);
	put->count++;
	return 0;
}

static int
public_take(struct put *put, const char *argument)
{
	const char *equals = strchr(argument, '=');

	if (equals == NULL)
		return complain(EX_USAGE, "--public wants KEY=VALUE, not '%s'", argument);
	int status = name_take(put, argument, (size_t)(equals - argument));
	if (status != 0)
		return status;
	size_t size = strlen(equals + 1);
	struct secret *value = secret_new(size > 0 ? size : 1);
	if (value == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	memcpy(value->bytes, equals + 1, size);
	value->size = size;
	put->values[put->count++] = value;
	return 0;
}

static int
object_make(const struct put *put, struct secret **ret_value)
{
	struct value_pair pairs[PAIRS_MAX];

	for (size_t i = 0; i < put->count; i++)
		pairs[i] = (struct value_pair){put->names[i],
					       {put->values[i]->bytes, put->values[i]->size}};
	switch (value_object(pairs, put->count, WIRE_SECRET_MAX, ret_value)) {
	case VALUE_OK:
		return 0;
	case VALUE_REPEATED:
		return complain(EX_USAGE, "a key is there twice");
	case VALUE_ENCODING:
		return complain(EX_DATAERR, "a value is not UTF-8: put it in alone, as PATH @FILE");
	case VALUE_LIMIT:
		return complain(EX_DATAERR, "larger than %d bytes together", WIRE_SECRET_MAX);
	case VALUE_MALFORMED:
	case VALUE_MISSING:
	case VALUE_MEMORY:
		break;
	}
	return complain(EX_SOFTWARE, LOCKING_FAILED);
}

/* The value to seal: one whole file, or an object of pairs. */
static int
value_gather(struct put *put, const struct text_list *positional, const struct text_list *public,
	     struct secret **ret_value)
{
	const char *only = positional->count == 2 ? positional->items[1] : "";
	int status = 0;

	if (public->count == 0 && (only[0] == '@' || strcmp(only, "-") == 0)) {
		const char *file = only[0] == '@' ? only + 1 : only;
		status = file_read_secret(file, WIRE_SECRET_MAX, ret_value);
		if (status == 0 && (*ret_value)->size == 0)
			remark("%s is empty; an empty value is put in", file);
		return status;
	}
	for (size_t i = 0; i < public->count && status == 0; i++)
		status = public_take(put, public->items[i]);
	for (size_t i = 1; i < positional->count && status == 0; i++)
		status = pair_take(put, positional->items[i]);
	if (status == 0 && put->count == 0)
		status = complain(EX_USAGE, "wanted: PATH and what to put there (--help explains)");
	return status != 0 ? status : object_make(put, ret_value);
}

/* PROTOCOL.md; transcript.h, intake_aad: bound to path, check-and-set and operator. */
static int
value_seal(const struct client *client, const char *path, uint64_t cas, const struct secret *value,
	   uint8_t **ret_sealed)
{
	uint8_t label[4 + sizeof(INTAKE_LABEL)], aad[INTAKE_AAD_MAX];
	struct writer info = writer_of(label, sizeof(label));
	size_t size = intake_aad(text_bytes(path), cas, text_bytes(client_operator(client)), aad);
	uint8_t *sealed = malloc(value->size + HPKE_OVERHEAD);

	if (sealed == NULL)
		return complain(EX_SOFTWARE, "out of memory");
	write_lp_text(&info, INTAKE_LABEL);
	if (!hpke_seal(client_intake_key(client), NULL, NULL, writer_bytes(&info),
		       (struct bytes){aad, size}, (struct bytes){value->bytes, value->size},
		       sealed)) {
		free(sealed);
		return complain(EX_CONFIG, "intake_key is no X25519 key");
	}
	*ret_sealed = sealed;
	return 0;
}

static int
value_send(struct client *client, const char *path, uint64_t cas, const struct secret *value,
	   bool json)
{
	static const struct column columns[] = {{"path", "path", COLUMN_TEXT},
						{"version", "version", COLUMN_TEXT},
						{"expires", "deletion", COLUMN_TIME}};
	struct operation_request request = {.operation = OPERATION_SECRET_PUT};
	auto_answer answer = {.json = NULL};
	uint8_t number[8], *sealed = NULL;
	int status = value_seal(client, path, cas, value, &sealed);

	if (status != 0)
		return status;
	operation_set_text(&request, FIELD_PATH, path);
	operation_set_number(&request, FIELD_CAS, cas, number);
	operation_set(&request, FIELD_SEALED, (struct bytes){sealed, value->size + HPKE_OVERHEAD});
	status = client_ask(client, &request, &answer);
	free(sealed);
	if (status != 0)
		return status;
	if (json)
		return output_json(answer.json);
	OUTPUT_FIELDS(answer.json, columns);
	return 0;
}

int
cmd_secret_put(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional, public = {.count = 0};
	uint64_t cas = UINT64_MAX;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--public", OPTION_LIST, &public},
					    {"--cas", OPTION_NUMBER, &cas}};
	auto_client *client = NULL;
	auto_secret *value = NULL;
	auto_put *put = calloc(1, sizeof(*put));
	int status = put != NULL ? process_lock() : complain(EX_SOFTWARE, "out of memory");

	if (status == 0)
		status = ARGUMENTS_PARSE(argc, argv, rules, &positional);
	if (status == 0)
		status = arguments_expect(&positional, 1, COMMAND_LIST_MAX, "PATH");
	if (status == 0 && !path_valid(text_bytes(positional.items[0])))
		status = complain(EX_USAGE,
				  "'%s' is no path: components of A-Z a-z 0-9 _ . - "
				  "joined by /",
				  positional.items[0]);
	if (status == 0)
		status = client_open(common.config, &client);
	if (status == 0)
		status = value_gather(put, &positional, &public, &value);
	if (status == 0)
		status = value_send(client, positional.items[0], cas, value, common.json);
	return status;
}

/* ---- what is known about secrets ---- */

int
cmd_secret_list(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional;
	const struct option_rule rules[] = {COMMON_RULES(common)};
	struct operation_request request = {.operation = OPERATION_SECRET_LIST};
	auto_client *client = NULL;
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 0, 1, "[PREFIX]") != 0)
		return EX_USAGE;
	int status = client_open(common.config, &client);
	if (positional.count == 1)
		operation_set_text(&request, FIELD_PATH, positional.items[0]);
	if (status == 0)
		status = client_ask_all(client, &request, "secrets", &answer);
	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	output_lines(json_object_get(answer.json, "secrets"));
	if (json_array_size(json_object_get(answer.json, "secrets")) == 0)
		remark("no secrets here");
	return 0;
}
