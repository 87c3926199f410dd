/* SPDX-License-Identifier: Apache-2.0 */
/* An IMA list as JSON. */
#include "claims_out.h"
#include "encode.h"
#include "ima_view.h"
#include "json.h"
#include "words.h"

#include <stdlib.h>

#define NAME_MAX_SHOWN 4096
#define PROBLEMS_MAX   10000 /* entries named per problem; the counts are of all */
#define ENTRIES_MAX    65536 /* entries shown */

static const char *const KINDS[] = {
	[ATTEST_IMA_UNREADABLE] = "unreadable", [ATTEST_IMA_VIOLATION] = "violations",
	[ATTEST_IMA_AGGREGATE] = "aggregates",	[ATTEST_IMA_FILE] = "files",
	[ATTEST_IMA_BUFFER] = "buffers",
};
static const char *const KIND[] = {
	[ATTEST_IMA_UNREADABLE] = "unreadable", [ATTEST_IMA_VIOLATION] = "violation",
	[ATTEST_IMA_AGGREGATE] = "boot",	[ATTEST_IMA_FILE] = "file",
	[ATTEST_IMA_BUFFER] = "buffer",
};
static const char *const SIGNATURES[] = {
	[ATTEST_IMA_UNSIGNED] = "none",
	[ATTEST_IMA_SIGNATURE_OTHER] = "other_form",
	[ATTEST_IMA_SIGNATURE_MALFORMED] = "malformed",
	[ATTEST_IMA_SIGNATURE_NO_KEY] = "unknown_key",
	[ATTEST_IMA_SIGNATURE_BAD] = "bad",
	[ATTEST_IMA_SIGNATURE_GOOD] = "good",
};

static bool
set(json_t *object, const char *member, json_t *value)
{
	return json_object_set_new(object, member, value) == 0;
}

static bool
set_number(json_t *object, const char *member, uint64_t value)
{
	return set(object, member, json_integer((json_int_t)value));
}

static json_t *
hex_json(const uint8_t *bytes, size_t size)
{
	char text[2 * ATTEST_DIGEST_MAX + 1];

	hex_encode(bytes, size < ATTEST_DIGEST_MAX ? size : ATTEST_DIGEST_MAX, text);
	return json_string(text);
}

/* As it is, where that is UTF-8; else with '?' for what is not ASCII. */
static json_t *
name_json(struct bytes name)
{
	char text[NAME_MAX_SHOWN];
	size_t size = name.size < sizeof(text) ? name.size : sizeof(text);

	if (name.size <= sizeof(text) && utf8_wellformed(name.data, name.size))
		return json_stringn((const char *)name.data, name.size);
	for (size_t i = 0; i < size; i++)
		text[i] = name.data[i] < 0x80 ? (char)name.data[i] : '?';
	return json_stringn(text, size);
}

static json_t *
pcrs_json(const struct ima_view *view)
{
	auto_json *banks = json_object();

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		const struct attest_pcrs *pcrs = &view->pcrs[bank];
		json_t *values = json_object();
		if (!set(banks, attest_bank_name(pcrs->bank), values))
			return NULL;
		for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++) {
			char number[12];
			(void)snprintf(number, sizeof(number), "%u", pcr);
			if ((pcrs->known >> pcr & 1) != 0 &&
			    !set(values, number,
				 hex_json(pcrs->values[pcr], attest_bank_size(pcrs->bank))))
				return NULL;
		}
	}
	return json_incref(banks);
}

static json_t *
tally_json(const struct ima_tally *tally)
{
	auto_json *object = json_object();

	for (size_t i = 0; i < tally->count; i++)
		if (!set_number(object, tally->words[i].text, tally->words[i].times))
			return NULL;
	return json_incref(object);
}

/* What every entry has; the rest of a violation's nobody vouches for. */
static bool
entry_words_set(json_t *object, const struct attest_ima_entry *entry,
		const struct attest_ima_verdict *verdict)
{
	if (!set_number(object, "entry", entry->number) || !set_number(object, "pcr", entry->pcr) ||
	    !set(object, "template", name_json(entry->template_name)) ||
	    !set(object, "kind", json_string(KIND[verdict->kind])) ||
	    !set(object, "template_digest", hex_json(entry->digest, entry->digest_size)) ||
	    !set(object, "template_digest_matches", json_boolean(verdict->digest_matches)))
		return false;
	if (!entry->readable || entry->violation)
		return true;
	return set(object, "name", name_json(entry->name)) &&
	       set(object, "algorithm", name_json(entry->algorithm)) &&
	       set(object, "digest", hex_json(entry->file_digest.data, entry->file_digest.size));
}

/* Buffers that are texts, such as a kernel's command line, are shown. */
static bool
entry_add(const struct attest_ima_entry *entry, const struct attest_ima_verdict *verdict,
	  void *user)
{
	struct words words = {.size = 0};

	if (json_array_size(user) == ENTRIES_MAX)
		return false;
	json_t *object = json_object();
	if (json_array_append_new(user, object) != 0 || !entry_words_set(object, entry, verdict))
		return false;
	if (verdict->kind == ATTEST_IMA_BUFFER && words_add_if_text(&words, entry->third))
		return set(object, "text", json_string(words.text));
	return verdict->kind != ATTEST_IMA_FILE || entry->third.size == 0 ||
	       set(object, "signature", json_string(SIGNATURES[verdict->signature]));
}

static json_t *
entries_json(const struct ima_view *view)
{
	auto_json *list = json_array();

	bool all = view->list.size == 0 || ima_view_each(view, entry_add, list);
	return all || json_array_size(list) == ENTRIES_MAX ? json_incref(list) : NULL;
}

struct problem_lists {
	const struct ima_view *view;
	json_t *lists[IMA_PROBLEMS];
};

static bool
problem_add(const struct attest_ima_entry *entry, const struct attest_ima_verdict *verdict,
	    void *user)
{
	struct problem_lists *problems = user;
	uint32_t bits = ima_view_problems(problems->view, entry, verdict);

	for (unsigned i = 0; i < IMA_PROBLEMS; i++) {
		if ((bits >> i & 1) == 0 || json_array_size(problems->lists[i]) == PROBLEMS_MAX)
			continue;
		json_t *found = json_object();
		if (json_array_append_new(problems->lists[i], found) != 0 ||
		    !set_number(found, "entry", entry->number))
			return false;
		if (entry->readable && !entry->violation &&
		    !set(found, "name", name_json(entry->name)))
			return false;
	}
	return true;
}

static json_t *
problems_json(const struct ima_view *view)
{
	auto_json *object = json_object();
	struct problem_lists problems = {.view = view};

	for (unsigned i = 0; i < IMA_PROBLEMS; i++) {
		problems.lists[i] = json_array(); /* the object's from here on */
		if (!set(object, ima_problem_word((enum ima_problem)i), problems.lists[i]))
			return NULL;
	}
	return view->list.size == 0 || ima_view_each(view, problem_add, &problems)
		       ? json_incref(object)
		       : NULL;
}

/* null: not asked for. */
static json_t *
answer_json(bool known, bool all)
{
	return known ? json_boolean(all) : json_null();
}

static json_t *
pcr10_json(const struct ima_view *view)
{
	auto_json *object = json_object();
	auto_json *claims = NULL;
	struct attest_claims made = {.size = 0};
	const struct attest_ima_report *report = &view->report;

	if (!view->given.quoted)
		return json_null();
	if (!set(object, "bank", json_string(attest_bank_name(view->given.bank))) ||
	    !set(object, "value",
		 hex_json(view->given.pcr10, attest_bank_size(view->given.bank))) ||
	    !set(object, "matches", json_boolean(view->led)))
		return NULL;
	if (!view->led)
		return set(object, "check", json_string(view->wrong.check)) &&
				       set(object, "message", json_string(view->wrong.message))
			       ? json_incref(object)
			       : NULL;
	attest_ima_claims(report, &made);
	claims = claims_json(&made);
	return set_number(object, "dropped_bytes", report->dropped) &&
			       set(object, "boot_aggregate",
				   answer_json(report->boot_aggregate != ATTEST_UNKNOWN,
					       report->boot_aggregate == ATTEST_YES)) &&
			       json_object_set(object, "claims", claims) == 0
		       ? json_incref(object)
		       : NULL;
}

static bool
counts_set(json_t *object, const struct ima_view *view)
{
	bool good = set_number(object, "entries", view->entries) &&
		    set_number(object, "other_pcrs", view->other_pcrs);

	for (unsigned i = 0; i < sizeof(KINDS) / sizeof(*KINDS); i++)
		good = good && set_number(object, KINDS[i], view->kinds[i]);
	return good;
}

static json_t *
signatures_json(const struct ima_view *view)
{
	auto_json *object = json_object();

	for (unsigned i = 0; i < sizeof(SIGNATURES) / sizeof(*SIGNATURES); i++)
		if (!set_number(object, SIGNATURES[i], view->signatures[i]))
			return NULL;
	return json_incref(object);
}

json_t *
ima_json(const struct ima_view *view)
{
	auto_json *object = json_object();
	bool allow = view->given.allowed != NULL;
	bool keys = view->given.key_count > 0;
	bool known = view->kinds[ATTEST_IMA_VIOLATION] == 0;

	bool good = set(object, "status", json_string(ima_status_word(view))) &&
		    set(object, "format", json_string(view->ascii ? "ascii" : "binary")) &&
		    counts_set(object, view) &&
		    set(object, "templates", tally_json(&view->templates)) &&
		    set(object, "algorithms", tally_json(&view->algorithms)) &&
		    set(object, "pcrs", pcrs_json(view)) &&
		    set(object, "pcr10", pcr10_json(view)) &&
		    set_number(object, "listed", view->listed) &&
		    set(object, "all_listed",
			answer_json(allow, known && view->problems[IMA_PROBLEM_UNLISTED] == 0)) &&
		    set(object, "signatures", signatures_json(view)) &&
		    set(object, "all_signed",
			answer_json(keys, known && view->problems[IMA_PROBLEM_UNSIGNED] == 0)) &&
		    set_number(object, "mismatches", view->problems[IMA_PROBLEM_DIGEST]) &&
		    set(object, "problems", problems_json(view)) &&
		    set(object, "measurements", entries_json(view));
	return good ? json_incref(object) : NULL;
}
