/* SPDX-License-Identifier: Apache-2.0 */
#include "claims_out.h"
#include "command.h"
#include "encode.h"
#include "event_words.h"
#include "eventlog_view.h"
#include "json.h"

#include <stdio.h>

static json_t *
hex_json(const uint8_t *bytes, size_t size)
{
	char hex[2 * ATTEST_DIGEST_MAX + 1];

	hex_encode(bytes, size, hex);
	return json_string(hex);
}

static json_t *
words_json(const struct words *words)
{
	return json_stringn(words->text, words->size);
}

/* Of any banks: a member per PCR that is known. */
static json_t *
bank_json(const struct attest_pcrs *pcrs)
{
	auto_json *object = json_object();

	for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++) {
		char name[8];
		if ((pcrs->known >> pcr & 1) == 0)
			continue;
		(void)snprintf(name, sizeof(name), "%u", pcr);
		if (json_object_set_new(
			    object, name,
			    hex_json(pcrs->values[pcr], attest_bank_size(pcrs->bank))) != 0)
			return NULL;
	}
	return json_incref(object);
}

static json_t *
pcrs_json(const struct eventlog_view *view)
{
	auto_json *object = json_object();

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		if ((view->banks >> bank & 1) != 0 &&
		    json_object_set_new(object, attest_bank_name((enum attest_bank)bank),
					bank_json(&view->replay[bank])) != 0)
			return NULL;
	return json_incref(object);
}

static json_t *
digests_json(const struct attest_event *event)
{
	auto_json *object = json_object();

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		if (event->digests[bank].size > 0 &&
		    json_object_set_new(
			    object, attest_bank_name((enum attest_bank)bank),
			    hex_json(event->digests[bank].data, event->digests[bank].size)) != 0)
			return NULL;
	return json_incref(object);
}

/* What is proved, where it is text, or would be by a quote; else what the log says of the event. */
static int
event_words_set(json_t *object, const struct attest_event *event, enum attest_proof proof,
		struct bytes proved)
{
	struct words type = {.size = 0}, text = {.size = 0}, summary = {.size = 0};

	words_add_event_type(&type, event->type);
	words_add_event(&summary, event);
	bool is_text = words_add_if_text(&text, proved);
	if (is_text && json_object_set_new(object, "proved", words_json(&text)) != 0)
		return -1;
	if (json_object_set_new(object, "type", words_json(&type)) != 0 ||
	    json_object_set_new(object, "proof", json_string(proof_word(proof))) != 0 ||
	    json_object_set_new(object, "what", words_json(is_text ? &text : &summary)) != 0)
		return -1;
	return json_object_set_new(object, "summary", words_json(&summary));
}

/* Is it of an authenticated event? Only asked where values were given. */
static bool
authenticated(const struct eventlog_view *view, const struct attest_event *event,
	      enum attest_proof proof)
{
	return proof != ATTEST_PROOF_NOTHING && proof != ATTEST_PROOF_MISMATCH &&
	       eventlog_view_unproved(view, event->pcr) == NULL;
}

static json_t *
event_json(const struct eventlog_view *view, const struct attest_event *event)
{
	struct attest_error err = {.status = ATTEST_OK};
	enum attest_proof proof = ATTEST_PROOF_NOTHING;
	struct bytes proved = {.size = 0};
	auto_json *object = json_object();

	if (eventlog_view_proof(view, event, &proof, &proved, &err) != ATTEST_OK)
		return NULL;
	if (eventlog_view_unproved(view, event->pcr) != NULL)
		proved = (struct bytes){.size = 0};
	if (json_object_set_new(object, "number", json_integer(event->number)) != 0 ||
	    json_object_set_new(object, "pcr", json_integer(event->pcr)) != 0 ||
	    json_object_set_new(object, "digests", digests_json(event)) != 0 ||
	    json_object_set_new(object, "size", json_integer((json_int_t)event->data.size)) != 0 ||
	    event_words_set(object, event, proof, proved) != 0)
		return NULL;
	if (view->compared &&
	    json_object_set_new(object, "authenticated",
				json_boolean(authenticated(view, event, proof))) != 0)
		return NULL;
	return json_incref(object);
}

static json_t *
events_json(const struct eventlog_view *view)
{
	struct attest_eventlog log = view->form;
	struct attest_error err = {.status = ATTEST_OK};
	auto_json *list = json_array();
	struct attest_event event;
	bool end = false;

	for (;;) {
		if (attest_eventlog_next(&log, &event, &end, &err) != ATTEST_OK)
			return NULL;
		if (end)
			return json_incref(list);
		if (json_array_append_new(list, event_json(view, &event)) != 0)
			return NULL;
	}
}

/* ["sha256"] */
static json_t *
banks_json(uint32_t banks)
{
	auto_json *list = json_array();

	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
		if ((banks >> bank & 1) != 0 &&
		    json_array_append_new(
			    list, json_string(attest_bank_name((enum attest_bank)bank))) != 0)
			return NULL;
	return json_incref(list);
}

static json_t *
verdicts_json(const struct eventlog_view *view)
{
	auto_json *object = json_object();

	for (uint32_t pcr = 0; pcr < ATTEST_PCR_COUNT; pcr++) {
		enum attest_pcr_verdict verdict;
		char name[8];
		if (!eventlog_view_verdict(view, pcr, &verdict))
			continue;
		(void)snprintf(name, sizeof(name), "%u", pcr);
		if (json_object_set_new(object, name,
					json_string(eventlog_verdict_word(verdict))) != 0)
			return NULL;
	}
	return json_incref(object);
}

static int
judgement_set(json_t *object, const struct eventlog_view *view)
{
	if (view->refused != NULL &&
	    json_object_set_new(object, "refused", json_string(view->refused)) != 0)
		return -1;
	if (json_object_set_new(object, "judged", banks_json(view->judged)) != 0 ||
	    json_object_set_new(object, "verified", json_boolean(view->verified)) != 0)
		return -1;
	if (!view->compared)
		return json_object_set_new(object, "claims_if_quoted", json_true());
	return json_object_set_new(object, "verdicts", verdicts_json(view));
}

json_t *
eventlog_json(const struct eventlog_view *view)
{
	auto_json *object = json_object();

	if (json_object_set_new(object, "format",
				json_string(view->form.legacy ? "sha1" : "crypto-agile")) != 0 ||
	    json_object_set_new(object, "pcrs", pcrs_json(view)) != 0 ||
	    json_object_set_new(object, "claims", claims_json(&view->claims)) != 0 ||
	    judgement_set(object, view) != 0 ||
	    json_object_set_new(object, "events", events_json(view)) != 0)
		return NULL;
	return json_incref(object);
}
