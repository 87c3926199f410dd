/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every sub-command of `postern` shares: the table's shape, arguments, and how it ends. A
 * sub-command answers with its exit status, which is one of <sysexits.h>:
 *
 *   1 what was to be verified is not
 *   64 usage   65 malformed or refused data   66 no input file   69 not there   70 internal
 *   73 cannot create   74 input or output   75 try again   77 denied   78 misconfigured
 */
#ifndef POSTERN_COMMAND_H
#define POSTERN_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sysexits.h>

#define COMMAND_LIST_MAX 64 /* positional arguments, and values of one repeated option */

#define LOCKING_FAILED "memory cannot be locked: raise ulimit -l" /* secret_new's NULL */

struct command {
	const char *words;		   /* "secret put" */
	int (*run)(int argc, char **argv); /* what follows the words */
	const char *summary;
	const char *help;
};

/* Prints "postern: ..." to stderr, control characters replaced, and returns `status`. */
int complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same without a status: advice and progress. */
void remark(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Copies `text` with what a terminal could act upon replaced by '?'. */
void text_tame(const char *text, size_t size, char *ret_tame, size_t capacity);

/* No core dump and no debugger from here on, and all the locked memory there may be: for commands
 * that hold secrets. Soft limits alone are moved, so that process_unlock can give a started program
 * its own back. */
int process_lock(void);
void process_unlock(void);

/* ---- arguments.c ---- */

struct text_list {
	size_t count;
	const char *items[COMMAND_LIST_MAX];
};

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char * */
	OPTION_LIST,   /* struct text_list */
	OPTION_NUMBER, /* uint64_t; a decimal number */
	OPTION_REST,   /* char **: this option ends the others, and takes all that follow */
};

struct option_rule {
	const char *name; /* "--cas" */
	enum option_kind kind;
	void *target; /* of the kind's type; unchanged where the option is absent */
};

/* Options may stand before, between and behind the others; "--" ends them. 0 or EX_USAGE, and then
 * it has said why. */
int arguments_parse(int argc, char **argv, const struct option_rule *rules, size_t rule_count,
		    struct text_list *ret_positional);
#define ARGUMENTS_PARSE(argc, argv, rules, positional)                                             \
	arguments_parse(argc, argv, rules, sizeof(rules) / sizeof(*(rules)), positional)
/* What (nearly) every sub-command takes. */
struct common {
	bool json;
	const char *config;
};
#define COMMON_RULES(common)                                                                       \
	{"--json", OPTION_FLAG, &(common).json},                                                   \
	{                                                                                          \
		"--config", OPTION_TEXT, &(common).config                                          \
	}

/* 0 or EX_USAGE when there are not min..max of them; `what` names them. */
int arguments_expect(const struct text_list *positional, size_t min, size_t max, const char *what);

#endif
