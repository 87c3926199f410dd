/* SPDX-License-Identifier: Apache-2.0 */
/* What `postern ima` found of a list, and how it is shown. */
#ifndef POSTERN_COMMAND_IMA_VIEW_H
#define POSTERN_COMMAND_IMA_VIEW_H

#include "attest/ima.h"

#include <jansson.h>

#define IMA_WORDS_MAX 16 /* templates, or algorithms, that are told apart */
#define IMA_WORD_SIZE 48

/* How often each of some words stood in the list. */
struct ima_tally {
	size_t count;
	struct {
		char text[IMA_WORD_SIZE];
		uint64_t times;
	} words[IMA_WORDS_MAX]; /* the last one stands for all that had no room */
};

/* What can be wrong with an entry; each counts only where it was asked for. */
enum ima_problem {
	IMA_PROBLEM_DIGEST = 0, /* the template digest is not of the data */
	IMA_PROBLEM_FORM,	/* the data are not what the template's name says */
	IMA_PROBLEM_SIGNATURE,	/* malformed, or by a given key and wrong */
	IMA_PROBLEM_VIOLATION,	/* with --allow or --key: not all files are known */
	IMA_PROBLEM_UNLISTED,
	IMA_PROBLEM_UNSIGNED,
};
#define IMA_PROBLEMS 6
/* "unlisted", for JSON, and a line for people. */
const char *ima_problem_word(enum ima_problem problem);
const char *ima_problem_meaning(enum ima_problem problem);

struct ima_given {
	const struct attest_ima_allowed *allowed; /* NULL: none */
	const struct bytes *keys;
	size_t key_count;
	bool quoted; /* a PCR 10 was given */
	enum attest_bank bank;
	uint8_t pcr10[ATTEST_DIGEST_MAX];
	const struct attest_pcrs *boot; /* a value per bank, ATTEST_BANKS; NULL: not given */
};

struct ima_view {
	struct bytes list; /* what counts: all, or what leads to the given PCR 10 */
	struct ima_given given;
	struct attest_ima_judge *judge;
	bool ascii;
	size_t digest_size;
	uint64_t entries;
	uint64_t kinds[ATTEST_IMA_BUFFER + 1];
	uint64_t other_pcrs; /* of `entries`, those not in PCR 10 */
	uint64_t listed;     /* files */
	uint64_t signatures[ATTEST_IMA_SIGNATURE_GOOD + 1];
	struct ima_tally templates;
	struct ima_tally algorithms; /* of digests of files and buffers */
	uint64_t problems[IMA_PROBLEMS];
	struct attest_pcrs pcrs[ATTEST_BANKS];
	bool aggregate;		   /* the first entry is boot_aggregate */
	bool led;		   /* to the given PCR 10 */
	struct attest_error wrong; /* why not */
	struct attest_ima_report report;
	bool verified; /* all that was asked for holds */
};

/* 0, EX_DATAERR or EX_SOFTWARE, and then it has said why. The list must outlive the view. */
int ima_view_make(const char *path, struct bytes list, const struct ima_given *given,
		  struct ima_view *ret_view);
void ima_view_clear(struct ima_view *view);
#define auto_ima_view __attribute__((cleanup(ima_view_clear))) struct ima_view

/* "verified" against a PCR 10, "consistent" with itself where none was given, or "not verified". */
const char *ima_status_word(const struct ima_view *view);
/* A bit per enum ima_problem. */
uint32_t ima_view_problems(const struct ima_view *view, const struct attest_ima_entry *entry,
			   const struct attest_ima_verdict *verdict);
/* Each entry in turn; false ends it. */
typedef bool ima_visit(const struct attest_ima_entry *entry,
		       const struct attest_ima_verdict *verdict, void *user);
/* False: `visit` ended it, or memory did. */
bool ima_view_each(const struct ima_view *view, ima_visit *visit, void *user);

/* New; NULL without memory. */
json_t *ima_json(const struct ima_view *view);
/* To stdout. */
void ima_print(const struct ima_view *view);

#endif
