/* SPDX-License-Identifier: Apache-2.0 */
/* Arguments of sub-commands: one table of options for each, long names only. */
#include "command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
list_add(struct text_list *list, const char *item)
{
	if (list->count == COMMAND_LIST_MAX)
		return complain(EX_USAGE, "more than %d arguments of one kind", COMMAND_LIST_MAX);
	list->items[list->count++] = item;
	return 0;
}

static int
number_take(const char *name, const char *text, uint64_t *ret_number)
{
	char *end = NULL;

	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0)
		return complain(EX_USAGE, "%s wants a number, not '%s'", name, text);
	*ret_number = number;
	return 0;
}

static int
value_take(const struct option_rule *rule, const char *value)
{
	switch (rule->kind) {
	case OPTION_TEXT:
		*(const char **)rule->target = value;
		return 0;
	case OPTION_LIST:
		return list_add(rule->target, value);
	case OPTION_NUMBER:
		return number_take(rule->name, value, rule->target);
	case OPTION_FLAG:
	case OPTION_REST:
		break;
	}
	return complain(EX_USAGE, "%s takes no value", rule->name);
}

/* "--name" or "--name=value"; the rule, and where its value stands (NULL: in the next argument). */
static const struct option_rule *
rule_find(const char *argument, const struct option_rule *rules, size_t count,
	  const char **ret_value)
{
	const char *equals = strchr(argument, '=');
	size_t size = equals != NULL ? (size_t)(equals - argument) : strlen(argument);

	for (size_t i = 0; i < count; i++) {
		if (strlen(rules[i].name) != size || memcmp(rules[i].name, argument, size) != 0)
			continue;
		*ret_value = equals != NULL ? equals + 1 : NULL;
		return &rules[i];
	}
	return NULL;
}

int
arguments_parse(int argc, char **argv, const struct option_rule *rules, size_t rule_count,
		struct text_list *ret_positional)
{
	bool options = true;

	*ret_positional = (struct text_list){.count = 0};
	for (int i = 0; i < argc; i++) {
		const char *value = NULL;
		if (options && strcmp(argv[i], "--") == 0) {
			options = false;
			continue;
		}
		if (!options || argv[i][0] != '-' || strcmp(argv[i], "-") == 0) {
			if (list_add(ret_positional, argv[i]) != 0)
				return EX_USAGE;
			continue;
		}
		const struct option_rule *rule = rule_find(argv[i], rules, rule_count, &value);
		if (rule == NULL)
			return complain(EX_USAGE, "no such option here: %.*s (--help lists them)",
					(int)strcspn(argv[i], "="), argv[i]);
		if (rule->kind == OPTION_REST && value == NULL) {
			*(char ***)rule->target = &argv[i + 1]; /* argv ends with NULL */
			return 0;
		}
		if (rule->kind == OPTION_FLAG && value == NULL) {
			*(bool *)rule->target = true;
			continue;
		}
		bool separate = value == NULL && rule->kind != OPTION_FLAG;
		if (separate && i + 1 == argc)
			return complain(EX_USAGE, "%s wants a value", rule->name);
		int status = value_take(rule, separate ? argv[++i] : value);
		if (status != 0)
			return status;
	}
	return 0;
}

int
arguments_expect(const struct text_list *positional, size_t min, size_t max, const char *what)
{
	if (positional->count < min)
		return complain(EX_USAGE, "wanted: %s (--help explains)", what);
	/* Not what it is: where none is wanted it may be a share, or a passphrase. */
	if (positional->count > max && max == 0)
		return complain(EX_USAGE, "wanted: options alone (--help lists them)");
	if (positional->count > max)
		return complain(EX_USAGE, "'%s' is one too many; wanted: %s",
				positional->items[max], what);
	return 0;
}
