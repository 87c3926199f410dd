/* SPDX-License-Identifier: Apache-2.0 */
/* What the command tells people of evidence: files of PCR values, events in words, device paths,
 * certificates' names, whole logs as JSON. The first byte selects. Whatever goes in, what comes out
 * is UTF-8 that a terminal does not act upon. */
#include "command/device_path.h"
#include "command/encode.h"
#include "command/event_describe.h"
#include "command/eventlog_view.h"
#include "command/json.h"
#include "command/pcr_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
want(bool held)
{
	if (!held)
		abort();
}

static void
want_tame(const struct words *words)
{
	const uint8_t *text = (const uint8_t *)words->text;

	want(words->size < sizeof(words->text) && words->text[words->size] == '\0');
	want(strlen(words->text) == words->size && utf8_wellformed(text, words->size));
	for (size_t i = 0; i < words->size; i++)
		want(text[i] >= 0x20 && text[i] != 0x7f &&
		     !(text[i] == 0xc2 && text[i + 1] < 0xa0) &&
		     !(text[i] == 0xe2 && text[i + 1] == 0x80 && text[i + 2] >= 0xa8 &&
		       text[i + 2] <= 0xae));
}

/* Accepted: something is known, of PCRs that there are; refused: it says why. */
static void
pcr_values(struct bytes input)
{
	struct pcr_file file;
	char why[PCR_FILE_WHY];

	if (!pcr_file_parse(input, &file, why)) {
		want(memchr(why, '\0', sizeof(why)) != NULL && why[0] != '\0');
		return;
	}
	want(file.banks != 0);
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		want(file.pcrs[bank].bank == (enum attest_bank)bank);
		want(file.pcrs[bank].known >> ATTEST_PCRS == 0);
		want((file.pcrs[bank].known != 0) == ((file.banks >> bank & 1) != 0));
	}
}

static void
event(struct bytes input)
{
	struct reader r = reader_of(input);
	struct words words = {.size = 0};
	struct attest_event one = {.pcr = read_u8(&r) % (ATTEST_PCRS + 1)};

	one.type = read_le32(&r);
	one.data = read_bytes(&r, r.left);
	if (r.failed)
		return;
	words_add_event_type(&words, one.type);
	words_add(&words, " ");
	words_add_event(&words, &one);
	want_tame(&words);
}

static void
device_path(struct bytes input)
{
	struct words words = {.size = 0};

	words_add_device_path(&words, input);
	want_tame(&words);
}

static void
certificate(struct bytes input)
{
	struct words words = {.size = 0};

	want(words_add_certificate(&words, input) == (words.size > 0));
	want_tame(&words);
}

static void
text(struct bytes input)
{
	struct words words = {.size = 0};

	words_add_text(&words, input);
	words_add_utf16(&words, input);
	want((words.size > 0) == (input.size > 0));
	words_add_if_text(&words, input);
	want_tame(&words);
}

static void
whole(struct bytes input)
{
	struct attest_error err = {.status = ATTEST_OK};
	struct eventlog_view view;

	if (eventlog_view_make(input, NULL, &view, &err) != ATTEST_OK)
		return;
	auto_json *json = eventlog_json(&view);
	want(json != NULL);
	want(json_array_size(json_object_get(json, "events")) == view.event_count);
	if (view.refused != NULL)
		want(json_object_size(json_object_get(json, "claims")) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(struct bytes) = {pcr_values,  event, device_path,
							certificate, text,  whole};

	if (size > 0 && data[0] < sizeof(targets) / sizeof(*targets))
		targets[data[0]]((struct bytes){data + 1, size - 1});
	return 0;
}
