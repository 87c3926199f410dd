/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root of a real machine edits its log, and cannot edit its PCRs. Whatever it does: what is claimed
 * of PCR 7 is what the honest log says, or nothing.
 */
#include "corpora.h"
#include "oracles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EV_NO_ACTION  0x00000003U
#define EV_SEPARATOR  0x00000004U
#define EV_ACTION     0x00000005U
#define EV_IPL	      0x0000000dU
#define EV_VARIABLE   0x80000001U
#define EV_EFI_ACTION 0x80000007U
#define EV_AUTHORITY  0x800000e0U

static const uint32_t TYPES[] = {EV_NO_ACTION, EV_SEPARATOR,  EV_ACTION,    EV_IPL,
				 EV_VARIABLE,  EV_EFI_ACTION, EV_AUTHORITY, 0x80000002U};
#define TYPE_COUNT (sizeof(TYPES) / sizeof(TYPES[0]))

/* Secure Boot off, with SbatLevel; on, with authorities
 * logged with a byte too many; on, with SbatLevel and a long dbx. */
#define OFF   "eventlogs/go-tpm-tools/ubuntu-2104-no-secure-boot.bin"
#define ON    "eventlogs/go-tpm-tools/cos-93-amd-sev.bin"
#define LISTS "eventlogs/keylime/binary_bios_measurements-secureboot.bin"

#define EVENTS_MAX 512
#define PCR7_MAX   32

/* A log as a list of events; their bytes are those of the files. */
struct forgery {
	struct bytes header;
	size_t count;
	struct attest_event events[EVENTS_MAX];
	size_t pcr7[PCR7_MAX]; /* indices of the events that extend PCR 7 */
	size_t pcr7_count;
};

static void
read_events(struct bytes input, struct forgery *forgery)
{
	struct attest_eventlog log;
	struct attest_event event;
	struct attest_error err;
	bool end = false;

	*forgery = (struct forgery){0};
	assert_int_equal(attest_eventlog_open(input, &log, &err), ATTEST_OK);
	while (attest_eventlog_next(&log, &event, &end, &err) == ATTEST_OK && !end) {
		if (event.number == 0)
			continue;
		if (event.number == 1)
			forgery->header = (struct bytes){input.data, event.offset};
		if (event.extends && event.pcr == 7)
			forgery->pcr7[forgery->pcr7_count++] = forgery->count;
		assert_true(forgery->count < EVENTS_MAX && forgery->pcr7_count < PCR7_MAX);
		forgery->events[forgery->count++] = event;
	}
	assert_true(end);
}

static void
write_le(struct writer *w, uint32_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		write_u8(w, (uint8_t)(value >> 8 * i));
}

static void
write_log(const struct forgery *forgery, struct writer *w)
{
	static const uint16_t algorithms[ATTEST_BANKS] = {4, 0xb, 0xc, 0xd};

	write_bytes(w, forgery->header);
	for (size_t i = 0; i < forgery->count; i++) {
		const struct attest_event *event = &forgery->events[i];
		uint32_t digests = 0;

		write_le(w, event->pcr, 4);
		write_le(w, event->type, 4);
		for (unsigned bank = 0; bank < ATTEST_BANKS; bank++)
			digests += event->digests[bank].size != 0;
		write_le(w, digests, 4);
		for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
			if (event->digests[bank].size == 0)
				continue;
			write_le(w, algorithms[bank], 2);
			write_bytes(w, event->digests[bank]);
		}
		write_le(w, (uint32_t)event->data.size, 4);
		write_bytes(w, event->data);
	}
	assert_false(w->failed);
}

/* The claims of PCR 7, as a report encodes them. */
static struct bytes
claims_of_pcr7(const struct attest_report *report)
{
	struct reader r = reader_of((struct bytes){report->claims.encoded, report->claims.size});
	struct attest_claim claim;
	size_t size = 0;

	while (attest_claim_next(&r, &claim) && claim.rule->id <= CLAIM_UEFI_DEBUG_MODE)
		size = report->claims.size - r.left;
	return (struct bytes){report->claims.encoded, size};
}

static bool
examine(const struct forgery *forgery, const struct attest_pcrs *quoted,
	struct attest_report *ret_report)
{
	static uint8_t memory[ATTEST_EVENTLOG_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	struct attest_error err;

	write_log(forgery, &w);
	return attest_eventlog_examine(writer_bytes(&w), quoted, ret_report, &err) == ATTEST_OK;
}

/* A machine: its log, its values, and what its honest log claims. */
struct machine {
	struct bytes log;
	struct oracle values;
	struct attest_report honest;
	struct forgery events;
};

static void
open_machine(const char *name, struct machine *machine)
{
	machine->log = corpora_load(name);
	oracle_of_log(machine->log, &machine->values);
	read_events(machine->log, &machine->events);
	assert_true(
		examine(&machine->events, &machine->values.banks[ATTEST_SHA256], &machine->honest));
	assert_true(claims_of_pcr7(&machine->honest).size > 0);
}

/* How many claims of PCR 7 there are; each is the honest one. */
static size_t
honest_or_nothing(const struct machine *machine, const struct forgery *forgery, const char *name,
		  size_t a, size_t b)
{
	struct attest_report report;

	if (!examine(forgery, &machine->values.banks[ATTEST_SHA256], &report))
		return 0;
	struct bytes claims = claims_of_pcr7(&report);
	if (claims.size != 0 && !bytes_equal(claims, claims_of_pcr7(&machine->honest)))
		fail_msg("%s (%zu, %zu): a claim that the honest log does not make", name, a, b);
	return claims.size;
}

static void
insert(struct forgery *forgery, size_t at, const struct attest_event *event)
{
	assert_true(forgery->count < EVENTS_MAX);
	memmove(&forgery->events[at + 1], &forgery->events[at],
		(forgery->count - at) * sizeof(forgery->events[0]));
	forgery->events[at] = *event;
	forgery->count++;
}

static void
remove_event(struct forgery *forgery, size_t at)
{
	forgery->count--;
	memmove(&forgery->events[at], &forgery->events[at + 1],
		(forgery->count - at) * sizeof(forgery->events[0]));
}

/* ---- edits of two events of PCR 7, `a` of this machine and `b` of this or the donor's ---- */

typedef void edit(struct forgery *forgery, size_t a, const struct attest_event *b);

static void
take_data(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	forgery->events[a].data = b->data;
}

static void
take_data_and_digests(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	forgery->events[a] = *b;
}

static void
take_type(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	forgery->events[a].type = b->type;
}

static void
insert_whole(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	insert(forgery, a, b);
}

/* Extends SHA-1 and SHA-384, so the quoted bank does not notice. */
static void
insert_without_the_quoted_bank(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	struct attest_event event = *b;

	event.digests[ATTEST_SHA256] = (struct bytes){0};
	insert(forgery, a, &event);
}

static void
insert_without_digests(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	struct attest_event event = *b;

	memset(event.digests, 0, sizeof(event.digests));
	insert(forgery, a, &event);
}

static void
insert_as_a_note(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	struct attest_event event = *b;

	event.type = EV_NO_ACTION;
	insert(forgery, a, &event);
}

static void
insert_in_another_pcr(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	struct attest_event event = *b;

	event.pcr = 6;
	insert(forgery, a, &event);
}

/* The digest of `a` with the data of `b`, and the other way around behind it. */
static void
show_other_first(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	struct attest_event event = *b;

	memcpy(event.digests, forgery->events[a].digests, sizeof(event.digests));
	memset(forgery->events[a].digests, 0, sizeof(event.digests));
	insert(forgery, a, &event);
}

static void
hide_and_show(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	forgery->events[a].type = EV_NO_ACTION;
	insert_without_the_quoted_bank(forgery, a, b);
}

static void
drop_for(struct forgery *forgery, size_t a, const struct attest_event *b)
{
	remove_event(forgery, a);
	insert_without_the_quoted_bank(forgery, a, b);
}

static const struct {
	const char *name;
	edit *edit;
	bool may_claim; /* where the edit changes nothing that counts */
} EDITS[] = {
	{"another's data", take_data, true},
	{"another event", take_data_and_digests, true},
	{"another's type", take_type, true},
	{"an event more", insert_whole, false},
	{"an event without the quoted bank", insert_without_the_quoted_bank, false},
	{"an event without digests", insert_without_digests, false},
	{"an event that extends nothing", insert_as_a_note, true},
	{"an event of another PCR", insert_in_another_pcr, true},
	{"another's data under this digest", show_other_first, false},
	{"hidden behind another", hide_and_show, false},
	{"dropped for another", drop_for, false},
};

static void
no_edit_of_two_events_makes_a_claim(void **state)
{
	static const char *const names[] = {OFF, ON, LISTS};
	static struct machine machines[3];
	static struct forgery forgery;

	(void)state;
	corpora_need();
	for (size_t i = 0; i < 3; i++)
		open_machine(names[i], &machines[i]);
	for (size_t i = 0; i < 9; i++) {
		const struct machine *machine = &machines[i / 3];
		const struct forgery *donor = &machines[i % 3].events;

		for (size_t k = 0; k < sizeof(EDITS) / sizeof(EDITS[0]); k++)
			for (size_t a = 0; a < machine->events.pcr7_count; a++)
				for (size_t b = 0; b < donor->pcr7_count; b++) {
					forgery = machine->events;
					EDITS[k].edit(&forgery, forgery.pcr7[a],
						      &donor->events[donor->pcr7[b]]);
					if (honest_or_nothing(machine, &forgery, EDITS[k].name, a,
							      b) != 0 &&
					    !EDITS[k].may_claim)
						fail_msg("%s (%zu, %zu): a claim", EDITS[k].name, a,
							 b);
				}
	}
	for (size_t i = 0; i < 3; i++)
		corpora_unload(machines[i].log);
}

/* ---- edits of one event ---- */

static void
type_and_pcr_of_one(const struct machine *machine, size_t a)
{
	static struct forgery forgery;
	size_t at = machine->events.pcr7[a];

	for (size_t type = 0; type < TYPE_COUNT; type++) {
		forgery = machine->events;
		forgery.events[at].type = TYPES[type];
		if (TYPES[type] != machine->events.events[at].type)
			assert_int_equal(
				honest_or_nothing(machine, &forgery, "type", a, TYPES[type]), 0);
	}
	for (uint32_t pcr = 0; pcr < ATTEST_PCRS; pcr++) {
		forgery = machine->events;
		forgery.events[at].pcr = pcr;
		if (pcr != 7)
			assert_int_equal(honest_or_nothing(machine, &forgery, "PCR", a, pcr), 0);
	}
	forgery = machine->events;
	remove_event(&forgery, at);
	assert_int_equal(honest_or_nothing(machine, &forgery, "deleted", a, 0), 0);
}

/* Cut, as a dbx might be; or with what follows it in the file. Of an authority a byte more may be
 * logged than was measured, and nothing is read of it. */
static void
sizes_of_one(const struct machine *machine, size_t a)
{
	static struct forgery forgery;
	size_t at = machine->events.pcr7[a];
	size_t honest = machine->events.events[at].data.size;
	bool authority = machine->events.events[at].type == EV_AUTHORITY;

	for (size_t size = 0; size <= honest + 2;
	     size += size > 100 && size + 137 < honest ? 37 : 1) {
		size_t difference = size > honest ? size - honest : honest - size;

		forgery = machine->events;
		forgery.events[at].data.size = size;
		size_t claims = honest_or_nothing(machine, &forgery, "size", a, size);
		if (claims != 0 && difference > (authority ? 1 : 0))
			fail_msg("event %zu of %zu bytes instead of %zu: a claim", a, size, honest);
	}
}

static void
no_edit_of_one_event_makes_a_claim(void **state)
{
	static const char *const names[] = {OFF, ON, LISTS};
	static struct machine machine;

	(void)state;
	corpora_need();
	for (size_t i = 0; i < 3; i++) {
		open_machine(names[i], &machine);
		for (size_t a = 0; a < machine.events.pcr7_count; a++) {
			type_and_pcr_of_one(&machine, a);
			sizes_of_one(&machine, a);
		}
		corpora_unload(machine.log);
	}
}

/* ---- edits of all ---- */

/* Secure Boot was off. Its own events of PCR 7 become something else, and those of a machine with
 * Secure Boot on are appended: before or after, as they are or as what extends nothing. */
static void
relabelled_and_appended_logs_claim_nothing(void **state)
{
	static const char *const places[] = {"after", "before"};
	static struct machine off;
	static struct machine on;
	static struct forgery forgery;

	(void)state;
	corpora_need();
	open_machine(OFF, &off);
	open_machine(ON, &on);
	for (size_t i = 0; i < TYPE_COUNT * 2 * (sizeof(EDITS) / sizeof(EDITS[0])); i++) {
		size_t type = i % TYPE_COUNT;
		size_t before = i / TYPE_COUNT % 2;
		size_t kind = i / TYPE_COUNT / 2;

		forgery = off.events;
		for (size_t a = 0; a < forgery.pcr7_count; a++)
			forgery.events[forgery.pcr7[a]].type = TYPES[type];
		for (size_t b = 0; b < on.events.pcr7_count; b++) {
			size_t at = before == 1 ? b : forgery.count;

			if (kind >= 3 && kind <= 7)
				EDITS[kind].edit(&forgery, at,
						 &on.events.events[on.events.pcr7[b]]);
		}
		assert_int_equal(honest_or_nothing(&off, &forgery, places[before], type, kind), 0);
	}
	corpora_unload(off.log);
	corpora_unload(on.log);
}

/* As above, and root extends all of the other machine's events into its own PCR 7. */
static void
extending_another_boot_turns_nothing_on(void **state)
{
	static struct machine off;
	static struct machine on;
	static struct forgery forgery;
	static uint8_t memory[ATTEST_EVENTLOG_MAX];
	struct oracle extended;

	(void)state;
	corpora_need();
	open_machine(OFF, &off);
	open_machine(ON, &on);
	forgery = off.events;
	for (size_t b = 0; b < on.events.pcr7_count; b++)
		insert(&forgery, forgery.count, &on.events.events[on.events.pcr7[b]]);
	struct writer w = writer_of(memory, sizeof(memory));
	write_log(&forgery, &w);
	oracle_of_log(writer_bytes(&w), &extended);
	/* Every choice of types for this machine's own events. */
	for (size_t i = 0; i < TYPE_COUNT * TYPE_COUNT; i++) {
		struct attest_report report;

		for (size_t a = 0; a < off.events.pcr7_count; a++)
			forgery.events[forgery.pcr7[a]].type =
				TYPES[a == 0 ? i % TYPE_COUNT : i / TYPE_COUNT];
		assert_true(examine(&forgery, &extended.banks[ATTEST_SHA256], &report));
		assert_int_equal(attest_claims_answer(&report.claims, CLAIM_SECURE_BOOT),
				 ATTEST_UNKNOWN);
	}
	corpora_unload(off.log);
	corpora_unload(on.log);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_edit_of_two_events_makes_a_claim),
		cmocka_unit_test(no_edit_of_one_event_makes_a_claim),
		cmocka_unit_test(relabelled_and_appended_logs_claim_nothing),
		cmocka_unit_test(extending_another_boot_turns_nothing_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
