/* SPDX-License-Identifier: Apache-2.0 */
/* Machines against a keeper: enrolment, the checks of a release one by one, clocks, and what is
 * found at a start. */
#include "keeper_fixture_web.h"

#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- a release ---- */

static void
test_an_admitted_machine_gets_its_value(void **state)
{
	struct guest guest;
	char *value = NULL;

	guest_open(&guest);
	guest_admit(*state, &guest, "first");
	assert_int_equal(guest_release(*state, &guest, &(struct guest_release){0}, &value),
			 WIRE_OK);
	assert_string_equal(value, VALUE);
	free(value);
	assert_explained(*state, &guest,
			 "\"outcome\":\"released\",\"secrets\":[\"web/key@1\"],\"lease\":");
	guest_close(&guest);
}

static void
swap_recipient(struct wire_release_request *request, struct software_quote *quote,
	       const struct guest *guest)
{
	static uint8_t other[32] = {9};

	(void)quote;
	(void)guest;
	request->recipient_key = BYTES_OF(other);
}

static void
swap_wanted(struct wire_release_request *request, struct software_quote *quote,
	    const struct guest *guest)
{
	static uint8_t memory[64];
	struct writer w = writer_of(memory, sizeof(memory));
	struct wanted wanted = {.count = 1, .secrets = {{text_bytes("web/other"), 0}}};

	(void)quote;
	(void)guest;
	wanted_write(&w, &wanted);
	request->wanted = writer_bytes(&w);
}

static void
spoil_signature(struct wire_release_request *request, struct software_quote *quote,
		const struct guest *guest)
{
	(void)request;
	(void)guest;
	quote->signature[quote->signature_size - 1] ^= 1;
}

static void
spoil_pcrs(struct wire_release_request *request, struct software_quote *quote,
	   const struct guest *guest)
{
	static uint8_t pcrs[WIRE_PCRS_SIZE];

	(void)quote;
	(void)guest;
	memcpy(pcrs, request->pcrs.data, sizeof(pcrs));
	pcrs[4 * 32] ^= 1;
	request->pcrs = BYTES_OF(pcrs);
}

static void
spoil_challenge(struct wire_release_request *request, struct software_quote *quote,
		const struct guest *guest)
{
	static uint8_t challenge[WIRE_CHALLENGE_SIZE];

	(void)quote;
	(void)guest;
	memcpy(challenge, request->challenge.data, sizeof(challenge));
	challenge[9] ^= 1; /* its age */
	request->challenge = BYTES_OF(challenge);
}

static void
forge_clock(struct wire_release_request *request, struct software_quote *quote,
	    const struct guest *guest)
{
	quote->clock.reset_count = 0;
	software_quote_sign(&guest->tpm, quote);
	spoil_signature(request, quote, guest);
}

static void
test_each_check_denies(void **state)
{
	static const struct {
		const char *name;
		struct guest_release how;
		enum wire_status want;
		const char *check; /* as explain shows it */
	} cases[] = {
		{"a challenge that was changed",
		 {.spoil = spoil_challenge},
		 WIRE_CHALLENGE,
		 "\"challenge\",\"ok\":false"},
		{"another recipient",
		 {.spoil = swap_recipient},
		 WIRE_QUOTE,
		 "\"quote.qualifying\",\"ok\":false"},
		{"other secrets",
		 {.spoil = swap_wanted},
		 WIRE_QUOTE,
		 "\"quote.qualifying\",\"ok\":false"},
		{"a signature with one bit changed",
		 {.spoil = spoil_signature},
		 WIRE_QUOTE,
		 "\"quote.signature"},
		{"a clock that nobody signed",
		 {.spoil = forge_clock},
		 WIRE_QUOTE,
		 "\"quote.signature"},
		{"other PCR values", {.spoil = spoil_pcrs}, WIRE_QUOTE, "\"pcrs\",\"ok\":false"},
		{"a secret of others", {.path = "other/key"}, WIRE_POLICY, "no policy permits it"},
		{"a policy that fails",
		 {.path = "web/broken"},
		 WIRE_POLICY,
		 "could not be evaluated"},
		{"a secret that is not there",
		 {.path = "web/none"},
		 WIRE_POLICY,
		 "\"secret\",\"ok\":false"},
		{"a version that is not there", {.version = 2}, WIRE_POLICY, "not in that version"},
		{"a boot that is no baseline",
		 {.path = "booted/key"},
		 WIRE_POLICY,
		 "\"policy\",\"ok\":false"},
	};
	struct house *house = *state;
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum wire_status status = guest_release(house, &guest, &cases[i].how, NULL);
		if (status != cases[i].want)
			fail_msg("%s: status %d", cases[i].name, status);
		assert_explained(house, &guest, cases[i].check);
		assert_explained(house, &guest, "\"outcome\":\"denied\"");
	}
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	guest_close(&guest);
}

static void
test_a_baseline_and_what_a_log_claims(void **state)
{
	struct house *house = *state;
	struct operation_request anchor = {.operation = OPERATION_ANCHOR_ADD};
	struct operation_request baseline = {.operation = OPERATION_BASELINE_ADD};
	struct guest_release how = {.path = "booted/key"};
	struct software_log log;
	struct attest_error err;
	struct guest guest;
	struct pcr_values pcrs = {.mask = 1u << 4 | 1u << 7};
	uint8_t id[32], encoded[600], from[8];
	char hex[65], subject[160], *value = NULL;

	guest_open(&guest);
	software_log_boot(&log, 100, true);
	memcpy(guest.tpm.pcrs, log.pcrs, sizeof(log.pcrs));
	memcpy(pcrs.values[4], log.pcrs[4], 32);
	memcpy(pcrs.values[7], log.pcrs[7], 32);
	struct bytes ca = {guest.tpm.ca_certificate, guest.tpm.ca_certificate_size};
	assert_int_equal(attest_anchor_describe(ca, id, subject, &err), ATTEST_OK);
	sodium_bin2hex(hex, sizeof(hex), id, sizeof(id));
	operation_set(&anchor, FIELD_CERTIFICATE, ca);
	operation_set_text(&anchor, FIELD_ID, hex);
	operation_set_text(&anchor, FIELD_SUBJECT, subject);
	house_must(house, &anchor);
	guest_admit(house, &guest, "first");
	struct writer w = writer_of(encoded, sizeof(encoded));
	pcr_values_write(&w, &pcrs);
	operation_set_text(&baseline, FIELD_NAME, "image");
	operation_set(&baseline, FIELD_PCRS, writer_bytes(&w));
	operation_set_number(&baseline, FIELD_FROM, 0, from);
	house_must(house, &baseline);
	assert_int_equal(guest_release(house, &guest, &how, NULL),
			 WIRE_POLICY); /* the log is wanted too */
	how.event_log = (struct bytes){log.data, log.size};
	assert_int_equal(guest_release(house, &guest, &how, &value), WIRE_OK);
	assert_string_equal(value, VALUE);
	free(value);
	guest.tpm.pcrs[4][0] ^= 1;
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_POLICY);
	assert_explained(house, &guest, "\"expected\":\"image: pcr 4: ");
	guest.tpm.pcrs[4][0] ^= 1;
	/* Its CA revoked: the machine gets nothing, and enrols no more. */
	struct operation_request revocation = {.operation = OPERATION_REVOKE};
	operation_set_text(&revocation, FIELD_KIND, "ek-ca");
	operation_set_text(&revocation, FIELD_ID, hex);
	operation_set_text(&revocation, FIELD_REASON, "its key leaked");
	house_must(house, &revocation);
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_IDENTITY);
	assert_state(house, &guest, "revoked");
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_IDENTITY);
	software_log_free(&log);
	guest_close(&guest);
}

static void
test_a_request_works_once_and_a_denied_one_too(void **state)
{
	struct house *house = *state;
	struct guest guest;
	uint8_t private_key[32];

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	struct bytes request =
		guest_request(house, &guest, &(struct guest_release){0}, private_key);
	assert_int_equal(house_call(house, FRAME_RELEASE, request, NULL), WIRE_OK);
	assert_int_equal(house_call(house, FRAME_RELEASE, request, NULL), WIRE_CHALLENGE);
	assert_explained(house, &guest, "used before");
	free((void *)(uintptr_t)request.data);
	request = guest_request(house, &guest, &(struct guest_release){.path = "other/key"},
				private_key);
	assert_int_equal(house_call(house, FRAME_RELEASE, request, NULL), WIRE_POLICY);
	assert_int_equal(house_call(house, FRAME_RELEASE, request, NULL), WIRE_CHALLENGE);
	free((void *)(uintptr_t)request.data);
	guest_close(&guest);
}

/* A gateway that sends what is no frame is broken or hostile: the keeper ends, and with it the
 * daemon. */
static void
test_a_broken_gateway_ends_the_keeper(void **state)
{
	struct house *house = *state;
	char problem[KEEPER_PROBLEM_SIZE];
	ssize_t sent = 1;

	assert_int_equal(send(house->gateway, "x", 1, MSG_NOSIGNAL), 1);
	for (size_t i = 0; i < 2000 && sent >= 0; i++) {
		usleep(1000);
		sent = send(house->gateway, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno == EAGAIN)
			sent = 0;
	}
	assert_int_equal(sent, -1);
	house_stop(house);
	assert_true(house_start(house, problem));
}

static void
test_frames_cut_short_or_longer_are_malformed(void **state)
{
	struct house *house = *state;
	struct guest guest;
	uint8_t private_key[32];

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	struct bytes request =
		guest_request(house, &guest, &(struct guest_release){0}, private_key);
	for (size_t size = 0; size < request.size; size++)
		assert_int_equal(
			house_call(house, FRAME_RELEASE, (struct bytes){request.data, size}, NULL),
			WIRE_MALFORMED);
	assert_int_equal(house_call(house, FRAME_EXAMINE_LOG, request, NULL), WIRE_MALFORMED);
	assert_int_equal(house_call(house, FRAME_RELEASE, request, NULL), WIRE_OK);
	free((void *)(uintptr_t)request.data);
	guest_close(&guest);
}

/* ---- who is not admitted ---- */

static void
test_unknown_and_pending_machines_get_nothing(void **state)
{
	struct house *house = *state;
	struct guest guest, other;
	struct guest_release how = {0};
	bool admitted = true;

	guest_open(&guest);
	guest_open(&other);
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_IDENTITY);
	assert_int_equal(atomic_load(&house->keeper.counters.unknown), 1);
	assert_int_equal(guest_enroll(house, &guest, &admitted), WIRE_OK);
	assert_false(admitted);
	assert_state(house, &guest, "pending");
	assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_IDENTITY);
	guest_admit(house, &other, "second");
	how.challenge_of = &guest;
	assert_int_equal(guest_release(house, &other, &how, NULL), WIRE_CHALLENGE);
	guest_close(&guest);
	guest_close(&other);
}

static void
test_an_activation_proof_cannot_be_guessed(void **state)
{
	struct house *house = *state;
	struct guest guest;

	guest_open(&guest);
	guest.guesses = true;
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_QUOTE);
	assert_int_equal(house->keeper.trust.machine_count, 0);
	guest.guesses = false;
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_OK);
	guest_close(&guest);
}

static void
test_a_registered_machine_is_admitted_as_it_enrols(void **state)
{
	struct house *house = *state;
	struct operation_request request = {.operation = OPERATION_MACHINE_REGISTER};
	struct guest guest;
	uint8_t groups[64];
	bool admitted = false;

	guest_open(&guest);
	operation_set(&request, FIELD_EK_ID, BYTES_OF(guest.ek_id));
	operation_set_text(&request, FIELD_NAME, "first");
	operation_set(&request, FIELD_GROUPS, house_names(groups, sizeof(groups), "web"));
	house_must(house, &request);
	assert_state(house, &guest, "registered");
	assert_int_equal(guest_enroll(house, &guest, &admitted), WIRE_OK);
	assert_true(admitted);
	assert_int_equal(guest_enroll(house, &guest, &admitted),
			 WIRE_OK); /* again, without change */
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	guest_close(&guest);
}

static void
test_pending_machines_are_capped(void **state)
{
	struct house *house = *state;
	char problem[KEEPER_PROBLEM_SIZE];
	struct guest guests[3];

	house_stop(house);
	house->options.pending_max = 2;
	assert_true(house_start(house, problem));
	for (size_t i = 0; i < 3; i++) {
		guest_open(&guests[i]);
		assert_int_equal(guest_enroll(house, &guests[i], NULL),
				 i < 2 ? WIRE_OK : WIRE_LIMIT);
	}
	assert_int_equal(guest_enroll(house, &guests[0], NULL), WIRE_OK);
	struct operation_request request = {.operation = OPERATION_REVOKE};
	operation_set_text(&request, FIELD_KIND, "machine");
	operation_set_text(&request, FIELD_ID, guests[0].id);
	operation_set_text(&request, FIELD_REASON, "nobody knows it");
	house_must(house, &request);
	assert_int_equal(guest_enroll(house, &guests[2], NULL), WIRE_OK);
	/* A machine that is in no act but its revocation: the fold has to find it without its
	 * record. */
	house_stop(house);
	assert_true(house_start(house, problem));
	assert_state(house, &guests[0], "revoked");
	for (size_t i = 0; i < 3; i++)
		guest_close(&guests[i]);
}

static void
test_an_ek_with_another_ak_and_an_ak_with_another_ek(void **state)
{
	struct house *house = *state;
	struct guest guest, thief;

	guest_open(&guest);
	guest_open(&thief);
	guest_admit(house, &guest, "first");
	/* The same EK, another AK. */
	EVP_PKEY *ek = thief.tpm.ek;
	struct software_tpm kept = thief.tpm;
	thief.tpm.ek = guest.tpm.ek;
	thief.tpm.ek_public_size = guest.tpm.ek_public_size;
	memcpy(thief.tpm.ek_public, guest.tpm.ek_public, sizeof(guest.tpm.ek_public));
	assert_int_equal(guest_enroll(house, &thief, NULL), WIRE_IDENTITY);
	assert_explained(house, &guest, "enrolled with another AK");
	thief.tpm = kept;
	thief.tpm.ek = ek;
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	guest_close(&thief);
	guest_close(&guest);
}

/* ---- the audit log ---- */

static size_t
count_of(struct house *house, const char *what)
{
	char *audit = house_audit(house);
	size_t count = 0;

	for (const char *at = audit; (at = strstr(at, what)) != NULL; at++)
		count++;
	free(audit);
	return count;
}

/* Whoever knows a machine's AK but has it not may neither fill the log nor keep the disk busy. */
static void
test_callers_that_prove_nothing_are_counted(void **state)
{
	struct house *house = *state;
	struct guest_release how = {.spoil = spoil_signature};
	char problem[KEEPER_PROBLEM_SIZE];
	struct guest guest;

	guest_open(&guest);
	guest_admit(house, &guest, "first");
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_QUOTE);
	assert_int_equal(count_of(house, "quote.signature"), 60);
	assert_int_equal(atomic_load(&house->keeper.counters.unknown), 40);
	/* Whoever proves itself is written down each time. */
	how = (struct guest_release){.path = "other/key"};
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_POLICY);
	assert_int_equal(count_of(house, "no policy permits it"), 20);
	house_stop(house);
	assert_true(house_start(house, problem));
	assert_int_equal(count_of(house, "\\\"kind\\\":\\\"unknown\\\",\\\"count\\\":40"), 1);
	guest_close(&guest);
}

/* Anyone can make a TPM: those that are in no act fill neither log nor disk by proving themselves
 * again and again, and hold up nobody who is. */
static void
test_strangers_are_written_down_so_often_and_no_more(void **state)
{
	struct house *house = *state;
	char problem[KEEPER_PROBLEM_SIZE];
	struct guest guest, stranger, crowd;

	house_stop(house);
	house->options.pending_max = 1;
	assert_true(house_start(house, problem));
	guest_open(&guest);
	guest_open(&stranger);
	guest_open(&crowd);
	guest_admit(house, &guest, "first");
	for (size_t i = 0; i < 61; i++) {
		assert_int_equal(guest_enroll(house, &stranger, NULL), WIRE_OK);
		assert_int_equal(guest_enroll(house, &crowd, NULL), WIRE_LIMIT);
	}
	size_t written = count_of(house, "\\\"kind\\\":\\\"enroll\\\"");
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(guest_enroll(house, &stranger, NULL), WIRE_BUSY);
		assert_int_equal(guest_enroll(house, &crowd, NULL), WIRE_LIMIT);
	}
	assert_int_equal(written, 1 + 1 + 120); /* the two that were recorded, and those after */
	assert_int_equal(count_of(house, "\\\"kind\\\":\\\"enroll\\\""), written);
	assert_int_equal(atomic_load(&house->keeper.counters.unknown), 1 + 40);
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_OK);
	assert_int_equal(count_of(house, "\\\"kind\\\":\\\"enroll\\\""), written + 1);
	guest_close(&guest);
	guest_close(&stranger);
	guest_close(&crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, web_set_up, web_tear_down)
		TEST(test_an_admitted_machine_gets_its_value),
		TEST(test_each_check_denies),
		TEST(test_a_baseline_and_what_a_log_claims),
		TEST(test_a_request_works_once_and_a_denied_one_too),
		TEST(test_a_broken_gateway_ends_the_keeper),
		TEST(test_frames_cut_short_or_longer_are_malformed),
		TEST(test_unknown_and_pending_machines_get_nothing),
		TEST(test_an_activation_proof_cannot_be_guessed),
		TEST(test_a_registered_machine_is_admitted_as_it_enrols),
		TEST(test_pending_machines_are_capped),
		TEST(test_an_ek_with_another_ak_and_an_ak_with_another_ek),
		TEST(test_callers_that_prove_nothing_are_counted),
		TEST(test_strangers_are_written_down_so_often_and_no_more),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
