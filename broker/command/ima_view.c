/* SPDX-License-Identifier: Apache-2.0 */
#include "ima_view.h"

#include "command.h"
#include "encode.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *word;
	const char *meaning;
} PROBLEMS[IMA_PROBLEMS] = {
	[IMA_PROBLEM_DIGEST] = {"digest",
				"the template digest is not the hash of the entry's data"},
	[IMA_PROBLEM_FORM] = {"form", "the data are not what the template's name says"},
	[IMA_PROBLEM_SIGNATURE] = {"signature", "the signature is malformed, or does not verify"},
	[IMA_PROBLEM_VIOLATION] = {"violation", "a violation: which file it was is not known"},
	[IMA_PROBLEM_UNLISTED] = {"unlisted", "not on the allow-list by a SHA-256 digest"},
	[IMA_PROBLEM_UNSIGNED] = {"unsigned", "not signed by a given key"},
};

const char *
ima_problem_word(enum ima_problem problem)
{
	return PROBLEMS[problem].word;
}

const char *
ima_problem_meaning(enum ima_problem problem)
{
	return PROBLEMS[problem].meaning;
}

const char *
ima_status_word(const struct ima_view *view)
{
	if (!view->verified)
		return "not verified";
	return view->given.quoted ? "verified" : "consistent";
}

void
ima_view_clear(struct ima_view *view)
{
	attest_ima_judge_free(view->judge);
	view->judge = NULL;
}

static bool
is_other(const struct attest_ima_verdict *verdict)
{
	return verdict->kind == ATTEST_IMA_UNREADABLE ||
	       (verdict->kind == ATTEST_IMA_BUFFER && !verdict->sound);
}

uint32_t
ima_view_problems(const struct ima_view *view, const struct attest_ima_entry *entry,
		  const struct attest_ima_verdict *verdict)
{
	bool allow = view->given.allowed != NULL;
	bool keys = view->given.key_count > 0;
	bool file = verdict->kind == ATTEST_IMA_FILE;
	bool other = is_other(verdict);
	enum attest_ima_signature signature = verdict->signature;
	const bool is[IMA_PROBLEMS] = {
		[IMA_PROBLEM_DIGEST] = !verdict->digest_matches,
		[IMA_PROBLEM_FORM] = !verdict->name_fits,
		[IMA_PROBLEM_SIGNATURE] = signature == ATTEST_IMA_SIGNATURE_MALFORMED ||
					  signature == ATTEST_IMA_SIGNATURE_BAD,
		[IMA_PROBLEM_VIOLATION] = (allow || keys) && verdict->kind == ATTEST_IMA_VIOLATION,
		[IMA_PROBLEM_UNLISTED] = allow && (other || (file && !verdict->listed)),
		[IMA_PROBLEM_UNSIGNED] =
			keys && (other || (file && signature != ATTEST_IMA_SIGNATURE_GOOD)),
	};
	uint32_t problems = 0;

	/* Nothing that others wrote for another PCR counts, not even against them. */
	for (unsigned i = 0; i < IMA_PROBLEMS; i++)
		if (is[i] && (entry->pcr == ATTEST_IMA_PCR || i == IMA_PROBLEM_DIGEST))
			problems |= 1U << i;
	return problems;
}

bool
ima_view_each(const struct ima_view *view, ima_visit *visit, void *user)
{
	struct attest_ima_list list;
	struct attest_ima_entry entry;
	struct attest_ima_verdict verdict;
	struct attest_error err;
	bool end = false;

	if (attest_ima_open(view->list, &list, &err) != ATTEST_OK)
		return false;
	for (;;) {
		if (attest_ima_next(&list, &entry, &end, &err) != ATTEST_OK)
			return false;
		if (end)
			return true;
		if (attest_ima_judge_entry(view->judge, &entry, &verdict, &err) != ATTEST_OK ||
		    !visit(&entry, &verdict, user))
			return false;
	}
}

static void
tally_add(struct ima_tally *tally, struct bytes word)
{
	char text[IMA_WORD_SIZE];
	size_t i = 0;

	text_tame((const char *)word.data, word.size, text, sizeof(text));
	while (i < tally->count && strcmp(tally->words[i].text, text) != 0)
		i++;
	if (i == IMA_WORDS_MAX)
		i = IMA_WORDS_MAX - 1;
	if (i == tally->count) {
		tally->count++;
		memcpy(tally->words[i].text, i == IMA_WORDS_MAX - 1 ? "others" : text,
		       i == IMA_WORDS_MAX - 1 ? sizeof("others") : sizeof(text));
	}
	tally->words[i].times++;
}

/* "unknown": a word that names no hash function. Those of the kernel that cannot be computed here
 * are known nonetheless. */
static struct bytes
algorithm_word(const struct attest_ima_entry *entry)
{
	static const uint8_t unknown[] = "unknown";

	return entry->algorithm_known ? entry->algorithm
				      : (struct bytes){unknown, sizeof(unknown) - 1};
}

static bool
count_entry(const struct attest_ima_entry *entry, const struct attest_ima_verdict *verdict,
	    void *user)
{
	struct ima_view *view = user;
	uint32_t problems = ima_view_problems(view, entry, verdict);

	view->entries++;
	view->other_pcrs += entry->pcr != ATTEST_IMA_PCR;
	view->kinds[verdict->kind]++;
	view->listed += verdict->listed;
	if (verdict->kind == ATTEST_IMA_FILE)
		view->signatures[verdict->signature]++;
	view->aggregate = view->aggregate || verdict->kind == ATTEST_IMA_AGGREGATE;
	tally_add(&view->templates, entry->template_name);
	if (entry->readable && !entry->violation)
		tally_add(&view->algorithms, algorithm_word(entry));
	for (unsigned i = 0; i < IMA_PROBLEMS; i++)
		view->problems[i] += problems >> i & 1;
	return true;
}

/* The values of the bank that the first entry's digest is of: boot_aggregate is of that. */
static const struct attest_pcrs *
boot_values(const struct ima_view *view)
{
	struct attest_ima_list list;
	struct attest_ima_entry entry;
	struct attest_error err;
	bool end = false;

	if (view->given.boot == NULL || attest_ima_open(view->list, &list, &err) != ATTEST_OK ||
	    attest_ima_next(&list, &entry, &end, &err) != ATTEST_OK || end)
		return NULL;
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		if (bytes_equal(entry.algorithm,
				text_bytes(attest_bank_name((enum attest_bank)bank))))
			return &view->given.boot[bank];
	return NULL;
}

/* What leads to the given PCR 10, if anything does. */
static enum attest_status
compare(struct ima_view *view, struct attest_error *err)
{
	const struct attest_ima_input input = {
		.list = view->list,
		.bank = view->given.bank,
		.quoted = {view->given.pcr10, attest_bank_size(view->given.bank)},
		.allowed = view->given.allowed,
		.keys = view->given.keys,
		.key_count = view->given.key_count,
		.boot = boot_values(view),
	};
	struct reader r = reader_of(view->list);
	enum attest_status status = attest_ima_examine(&input, &view->report, err);

	view->wrong = *err;
	if (status == ATTEST_OK) {
		view->list = read_bytes(&r, (size_t)view->report.point.offset);
		view->led = true;
	}
	return status == ATTEST_REFUSED ? ATTEST_OK : status;
}

static bool
has_problems(const struct ima_view *view)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < IMA_PROBLEMS; i++)
		count += view->problems[i];
	return count > 0;
}

static enum attest_status
look(struct ima_view *view, struct attest_error *err)
{
	struct attest_ima_list list;
	const struct ima_given *given = &view->given;
	enum attest_status status = attest_ima_open(view->list, &list, err);

	if (status != ATTEST_OK)
		return status;
	view->ascii = list.ascii;
	view->digest_size = list.digest_size;
	status = attest_ima_judge_new(given->allowed, given->keys, given->key_count, &view->judge,
				      err);
	if (status == ATTEST_OK && given->quoted)
		status = compare(view, err);
	if (status == ATTEST_OK)
		status = attest_ima_replay(view->list, view->pcrs, err);
	return status;
}

int
ima_view_make(const char *path, struct bytes list, const struct ima_given *given,
	      struct ima_view *ret_view)
{
	auto_ima_view view = {.list = list, .given = *given};
	struct attest_error err = {.status = ATTEST_OK};

	if (list.size == 0)
		return complain(EX_DATAERR,
				"%s: empty: a kernel with IMA measures boot_aggregate "
				"at least",
				path);
	enum attest_status status = look(&view, &err);
	if (status == ATTEST_OK && !ima_view_each(&view, count_entry, &view))
		status = ATTEST_MEMORY;
	if (status == ATTEST_MEMORY)
		return complain(EX_SOFTWARE, "out of memory");
	if (status != ATTEST_OK)
		return complain(EX_DATAERR, "%s: %s", path, err.message);
	view.verified = !has_problems(&view) && (!given->quoted || view.led);
	*ret_view = view;
	view.judge = NULL;
	return 0;
}
