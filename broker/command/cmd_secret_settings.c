/* SPDX-License-Identifier: Apache-2.0 */
/* postern secret settings: how many versions are kept and for how long, and metadata of the
 * operators' own. */
#include "client.h"
#include "commands.h"
#include "encode.h"
#include "output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS_SIZE 32
#define CUSTOM_SIZE   (2 + CUSTOM_MAX * (4 + CUSTOM_NAME_MAX + 4 + CUSTOM_VALUE_MAX))

/* clang-format off: these lines are as wide as they will be read. */
const char help_secret_settings[] =
	"postern secret settings PATH [--max-versions N] [--cas-required yes|no]\n"
	"    [--delete-version-after TIME] [--custom NAME=VALUE ... | --custom-none]\n"
	"\n"
	"Settings and custom metadata of one secret, which may be made before its first version\n"
	"is put. What is not named stays as it is; `secret show` prints it.\n"
	"\n"
	"  --max-versions N              that many versions are kept, up to 100; 0: ten. With\n"
	"                                the next put, what is beyond it is erased for good\n"
	"  --cas-required yes|no         whether each put must say which version it replaces\n"
	"  --delete-version-after TIME   90s, 30m, 12h, 30d, or seconds: versions put from now\n"
	"                                on expire that long after; 0: they do not\n"
	"  --custom NAME=VALUE           custom metadata, in place of all that was there; it is\n"
	"                                no place for secrets\n"
	"  --custom-none                 none any more\n"
	"\n"
	"Example: postern secret settings db/prod --max-versions 3 --custom owner=team-a\n";
/* clang-format on */

static int
required_take(const char *text, bool *ret_required)
{
	if (strcmp(text, "yes") != 0 && strcmp(text, "no") != 0)
		return complain(EX_USAGE, "--cas-required wants yes or no, not '%s'", text);
	*ret_required = strcmp(text, "yes") == 0;
	return 0;
}

/* "12h" */
static int
duration_take(const char *text, uint64_t *ret_seconds)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
	size_t digits = strspn(text, "0123456789");
	uint64_t number = 0;

	/* More digits than a century of seconds has are too many anyhow. */
	for (size_t i = 0; i < digits && digits <= 10; i++)
		number = 10 * number + (uint64_t)(text[i] - '0');
	for (size_t i = 0; digits > 0 && digits <= 10 && i < sizeof(units) / sizeof(units[0]);
	     i++) {
		if (strcmp(text + digits, units[i].unit) != 0)
			continue;
		*ret_seconds = number * units[i].seconds;
		return 0;
	}
	return complain(EX_USAGE,
			"--delete-version-after wants a time like 30d, 12h, 90s or 0, not '%s'",
			text);
}

/* The settings that are named; none: the field stays empty. */
static int
settings_encode(const char *max, const char *required, const char *after, struct writer *w)
{
	struct secret_settings settings = {.mask = 0}, again;
	int status = 0;

	if (max != NULL) {
		char *end = NULL;
		unsigned long number = strtoul(max, &end, 10);
		if (max[0] < '0' || max[0] > '9' || *end != '\0' || number > OPERATION_VERSIONS_MAX)
			return complain(EX_USAGE, "--max-versions wants 0 to %d, not '%s'",
					OPERATION_VERSIONS_MAX, max);
		settings.mask |= SETTING_VERSIONS_MAX;
		settings.versions_max = (uint32_t)number;
	}
	if (required != NULL) {
		settings.mask |= SETTING_CAS_REQUIRED;
		status = required_take(required, &settings.cas_required);
	}
	if (status == 0 && after != NULL) {
		settings.mask |= SETTING_DELETE_VERSION_AFTER;
		status = duration_take(after, &settings.delete_version_after);
	}
	if (status != 0 || settings.mask == 0)
		return status;
	secret_settings_write(w, &settings);
	if (!secret_settings_read(writer_bytes(w), &again))
		return complain(EX_USAGE, "--delete-version-after: at most a hundred years");
	return 0;
}

static int
custom_encode(const struct text_list *pairs, struct writer *w)
{
	struct custom_metadata metadata = {.count = 0}, again;

	for (size_t i = 0; i < pairs->count; i++) {
		const char *pair = pairs->items[i];
		const char *equals = strchr(pair, '=');
		if (equals == NULL || equals == pair)
			return complain(EX_USAGE, "--custom wants NAME=VALUE, not '%s'", pair);
		metadata.names[metadata.count] =
			(struct bytes){(const uint8_t *)pair, (size_t)(equals - pair)};
		metadata.values[metadata.count++] = text_bytes(equals + 1);
	}
	custom_metadata_write(w, &metadata);
	if (w->failed || !custom_metadata_read(writer_bytes(w), &again))
		return complain(EX_USAGE,
				"--custom: distinct names of 1 to %d bytes, and printable texts of "
				"at most %d",
				CUSTOM_NAME_MAX, CUSTOM_VALUE_MAX);
	return 0;
}

int
cmd_secret_settings(int argc, char **argv)
{
	struct common common = {.json = false};
	struct text_list positional, pairs = {.count = 0};
	const char *max = NULL, *required = NULL, *after = NULL;
	bool none = false;
	const struct option_rule rules[] = {COMMON_RULES(common),
					    {"--max-versions", OPTION_TEXT, &max},
					    {"--cas-required", OPTION_TEXT, &required},
					    {"--delete-version-after", OPTION_TEXT, &after},
					    {"--custom", OPTION_LIST, &pairs},
					    {"--custom-none", OPTION_FLAG, &none}};
	struct operation_request request = {.operation = OPERATION_SECRET_SETTINGS};
	static uint8_t settings[SETTINGS_SIZE], custom[CUSTOM_SIZE];
	struct writer settings_w = writer_of(settings, sizeof(settings));
	struct writer custom_w = writer_of(custom, sizeof(custom));
	auto_answer answer = {.json = NULL};

	if (ARGUMENTS_PARSE(argc, argv, rules, &positional) != 0 ||
	    arguments_expect(&positional, 1, 1, "PATH") != 0 ||
	    settings_encode(max, required, after, &settings_w) != 0 ||
	    custom_encode(&pairs, &custom_w) != 0)
		return EX_USAGE;
	if (none && pairs.count > 0)
		return complain(EX_USAGE, "either --custom or --custom-none");
	if (settings_w.size == 0 && !none && pairs.count == 0)
		return complain(EX_USAGE, "nothing to set (--help lists what there is; `postern "
					  "secret show` prints it)");
	operation_set_text(&request, FIELD_PATH, positional.items[0]);
	if (settings_w.size > 0)
		operation_set(&request, FIELD_SETTINGS, writer_bytes(&settings_w));
	if (none || pairs.count > 0)
		operation_set(&request, FIELD_CUSTOM, writer_bytes(&custom_w));
	int status = client_once(common.config, &request, &answer);
	if (status != 0)
		return status;
	if (common.json)
		return output_json(answer.json);
	(void)printf("%s is set\n", positional.items[0]);
	if (json_integer_value(json_object_get(answer.json, "version")) == 0)
		remark("%s has no version yet: it waits for its first put", positional.items[0]);
	return 0;
}
