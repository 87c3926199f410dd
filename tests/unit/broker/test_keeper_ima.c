/* SPDX-License-Identifier: Apache-2.0 */
/* IMA lists against a keeper: what policy sees, where the next one may begin, what operators' acts
 * make of it, and what an appraiser cannot say. */
#include "../attest/software_ima.h"
#include "keeper/release.h"
#include "keeper_fixture.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define VALUE "the value, and nobody else's"
#define GROUP "permit (principal in MachineGroup::\"web\", action == Action::\"release\", resource "
static const char rules[] =
	GROUP "== Secret::\"any\");\n" GROUP
	      "== Secret::\"clean\") when { context.claims.ima == \"verified\" && "
	      "context.claims has imaViolations && context.claims.imaViolations == 0 };\n" GROUP
	      "== Secret::\"listed\") when { context.claims has imaAllListed && "
	      "context.claims.imaAllListed };\n" GROUP
	      "== Secret::\"signed\") when { context.claims has imaAllSigned && "
	      "context.claims.imaAllSigned };\n" GROUP
	      "== Secret::\"refused\") when { context.claims.ima == \"refused\" && "
	      "!(context.claims has imaEntries) };\n" GROUP
	      "== Secret::\"secureboot\") when { context.claims has secureBoot };";

struct world {
	struct house house;
	struct guest guest;
	struct software_ima list;
};

/* The guest's TPM as the list has left it. */
static void
measure(struct world *world)
{
	memcpy(world->guest.tpm.pcrs[ATTEST_IMA_PCR], world->list.pcr10[ATTEST_SHA256],
	       ATTEST_HASH_SIZE);
}

static int
set_up(void **state)
{
	static const char *const paths[] = {"any",    "clean",	 "listed",
					    "signed", "refused", "secureboot"};
	struct world *world = calloc(1, sizeof(*world));

	house_open(&world->house, rules);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		house_put(&world->house, paths[i], text_bytes(VALUE));
	guest_open(&world->guest);
	guest_admit(&world->house, &world->guest, "first");
	software_ima_boot(&world->list);
	software_ima_file(&world->list, "/usr/bin/one", "one", NULL);
	software_ima_file(&world->list, "/usr/bin/two", "two", NULL);
	measure(world);
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *world = *state;

	house_close(&world->house);
	guest_close(&world->guest);
	free(world);
	return 0;
}

static enum wire_status
ask(struct world *world, const char *path, size_t from, uint64_t *ret_offset)
{
	struct bytes whole = software_ima_bytes(&world->list);
	uint64_t offset = 0;
	char *value = NULL;
	struct guest_release how = {
		.path = path,
		.ima_log = {whole.data + from, whole.size - from},
		.ima_offset = from,
		.ret_ima_offset = &offset,
	};

	enum wire_status status = guest_release(&world->house, &world->guest, &how, &value);
	if (status == WIRE_OK)
		assert_string_equal(value, VALUE);
	free(value);
	if (ret_offset)
		*ret_offset = offset;
	return status;
}

static void
assert_newest(struct world *world, const char *what)
{
	struct operation_request request = {.operation = OPERATION_EXPLAIN};
	uint8_t count[8];

	operation_set_text(&request, FIELD_MACHINE, world->guest.id);
	operation_set_number(&request, FIELD_COUNT, 1, count);
	struct house_answer answer = house_operate(&world->house, &world->house.alice, &request);
	if (!strstr(answer.json, what))
		fail_msg("no %s in %s", what, answer.json);
	free(answer.json);
}

static void
assert_shown(struct world *world, enum operation operation, const char *what)
{
	struct operation_request request = {.operation = (uint16_t)operation};

	if (operation == OPERATION_MACHINE_SHOW)
		operation_set_text(&request, FIELD_MACHINE, world->guest.id);
	struct house_answer answer = house_operate(&world->house, &world->house.alice, &request);
	assert_int_equal(answer.outcome, OUTCOME_OK);
	if (!strstr(answer.json, what))
		fail_msg("no %s in %s", what, answer.json);
	free(answer.json);
}

/* ---- what policy sees ---- */

static void
test_a_list_that_leads_to_pcr_10(void **state)
{
	struct world *world = *state;

	assert_int_equal(ask(world, "clean", 0, NULL), WIRE_OK);
	assert_newest(world, "\"imaEntries\":3,\"imaViolations\":0");
	assert_newest(world, "{\"check\":\"ima\",\"ok\":true");
	assert_shown(world, OPERATION_MACHINE_SHOW, "\"ima\":\"verified\"");
	assert_shown(world, OPERATION_MACHINE_SHOW, "\"claims\":{\"imaEntries\":3");
	/* None is sent, and it is wanted. */
	struct guest_release without = {.path = "clean"};
	assert_int_equal(guest_release(&world->house, &world->guest, &without, NULL), WIRE_POLICY);
	software_ima_violation(&world->list, "/var/log/x");
	measure(world);
	assert_int_equal(ask(world, "clean", 0, NULL), WIRE_POLICY);
	assert_newest(world, "\"imaViolations\":1");
	assert_int_equal(ask(world, "any", 0, NULL), WIRE_OK);
}

static void
test_what_was_added_after_the_quote_is_dropped(void **state)
{
	struct world *world = *state;
	size_t size = world->list.size;
	uint64_t offset;

	software_ima_violation(&world->list, "/var/log/x"); /* and PCR 10 is as it was */
	assert_int_equal(ask(world, "clean", 0, &offset), WIRE_OK);
	assert_int_equal(offset, size);
}

static void
test_a_forged_list_proves_nothing(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < world->list.size; i += 7) {
		world->list.data[i] ^= 1;
		enum wire_status status = ask(world, "clean", 0, NULL);
		world->list.data[i] ^= 1;
		/* Names of templates and template digests are not hashed: those bytes alone may. */
		if (status != WIRE_OK)
			assert_int_equal(status, WIRE_POLICY);
	}
	world->guest.tpm.pcrs[ATTEST_IMA_PCR][0] ^= 1;
	uint64_t offset;
	assert_int_equal(ask(world, "clean", 0, NULL), WIRE_POLICY);
	assert_newest(
		world,
		"{\"check\":\"ima\",\"ok\":false,\"expected\":\"a list that leads to PCR 10\"");
	assert_int_equal(ask(world, "refused", 0, &offset), WIRE_OK);
	assert_int_equal(offset, 0);
	assert_shown(world, OPERATION_MACHINE_SHOW, "\"ima\":\"refused\"");
	assert_shown(world, OPERATION_MACHINE_SHOW, "\"claims\":null");
}

/* ---- where the next one begins ---- */

static void
test_the_next_list_goes_on_where_the_last_one_ended(void **state)
{
	struct world *world = *state;
	uint64_t offset, next;

	assert_int_equal(ask(world, "clean", 0, &offset), WIRE_OK);
	assert_int_equal(offset, world->list.size);
	/* Nothing came since. */
	assert_int_equal(ask(world, "clean", (size_t)offset, &next), WIRE_OK);
	assert_int_equal(next, offset);
	software_ima_file(&world->list, "/usr/bin/three", "three", NULL);
	measure(world);
	/* What does not lead on, as of a list in its other form, may be made good by all of it. */
	world->list.data[world->list.size - 2] ^= 1;
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_IMA);
	assert_newest(world, "a list that leads to PCR 10");
	world->list.data[world->list.size - 2] ^= 1;
	assert_int_equal(ask(world, "clean", (size_t)offset, &next), WIRE_OK);
	assert_newest(world, "\"imaEntries\":4");
	assert_int_equal(next, world->list.size);
	/* An older point is no longer known, and the guest is told to begin anew. */
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_IMA);
	assert_newest(world, "up to which nothing is known");
	assert_int_equal(ask(world, "clean", 0, &offset), WIRE_OK);
	/* Whoever is denied is told of no other beginning: the old one goes on being known. A
	 * violation is not forgotten by what follows it. */
	software_ima_violation(&world->list, "/var/log/x");
	measure(world);
	assert_int_equal(ask(world, "clean", (size_t)offset, NULL), WIRE_POLICY);
	assert_int_equal(ask(world, "any", (size_t)offset, &offset), WIRE_OK);
	software_ima_file(&world->list, "/usr/bin/four", "four", NULL);
	measure(world);
	assert_int_equal(ask(world, "clean", (size_t)offset, NULL), WIRE_POLICY);
	assert_newest(world, "\"imaViolations\":1");
}

static void
test_another_boot_begins_anew(void **state)
{
	struct world *world = *state;
	uint64_t offset;

	assert_int_equal(ask(world, "clean", 0, &offset), WIRE_OK);
	world->guest.tpm.clock.restart_count++;
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_IMA);
	assert_int_equal(ask(world, "clean", 0, &offset), WIRE_OK);
	world->guest.tpm.clock.reset_count++;
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_IMA);
}

static void
test_nothing_is_known_after_a_start(void **state)
{
	struct world *world = *state;
	char problem[KEEPER_PROBLEM_SIZE];
	uint64_t offset;

	assert_int_equal(ask(world, "clean", 0, &offset), WIRE_OK);
	house_stop(&world->house);
	assert_true(house_start(&world->house, problem));
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_IMA);
	assert_int_equal(ask(world, "clean", 0, NULL), WIRE_OK);
}

/* ---- acts ---- */

static struct house_answer
allow_add(struct world *world, const char *name, const char *const *contents, size_t count)
{
	static uint8_t digests[8][32];
	struct operation_request request = {.operation = OPERATION_IMA_ALLOW_ADD};

	for (size_t i = 0; i < count; i++)
		crypto_hash_sha256(digests[i], (const uint8_t *)contents[i], strlen(contents[i]));
	for (size_t i = 1; i < count; i++) {
		for (size_t k = i; k > 0 && memcmp(digests[k - 1], digests[k], 32) > 0; k--) {
			uint8_t swap[32];
			memcpy(swap, digests[k], 32);
			memcpy(digests[k], digests[k - 1], 32);
			memcpy(digests[k - 1], swap, 32);
		}
	}
	operation_set_text(&request, FIELD_NAME, name);
	operation_set(&request, FIELD_DIGESTS, (struct bytes){digests[0], 32 * count});
	return house_operate(&world->house, &world->house.alice, &request);
}

static enum operation_outcome
outcome_of(struct house_answer answer)
{
	enum operation_outcome outcome = answer.outcome;

	free(answer.json);
	return outcome;
}

static enum operation_outcome
operate(struct world *world, struct operation_request *request)
{
	return outcome_of(house_operate(&world->house, &world->house.alice, request));
}

static void
test_allow_lists(void **state)
{
	static const char *const first[] = {"one"}, *const second[] = {"two", "one"};
	struct world *world = *state;
	uint64_t offset;

	assert_int_equal(ask(world, "listed", 0, NULL), WIRE_POLICY);
	assert_int_equal(ask(world, "any", 0, &offset), WIRE_OK);
	assert_int_equal(outcome_of(allow_add(world, "base", first, 1)), OUTCOME_OK);
	/* What was examined without it says nothing of it. */
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_IMA);
	assert_int_equal(ask(world, "listed", 0, NULL), WIRE_POLICY);
	assert_newest(world, "\"imaAllListed\":false");
	assert_int_equal(outcome_of(allow_add(world, "base", second, 2)), OUTCOME_INVALID);
	assert_int_equal(outcome_of(allow_add(world, "more", second, 2)), OUTCOME_OK);
	assert_int_equal(ask(world, "listed", 0, &offset), WIRE_OK);
	assert_shown(world, OPERATION_IMA_ALLOW_LIST, "{\"name\":\"more\",\"digests\":2,");
	software_ima_file(&world->list, "/usr/bin/three", "three", NULL);
	measure(world);
	assert_int_equal(ask(world, "listed", (size_t)offset, NULL), WIRE_POLICY);
	world->list.size = (size_t)offset;
	struct operation_request end = {.operation = OPERATION_IMA_ALLOW_END};
	operation_set_text(&end, FIELD_NAME, "base");
	house_must(&world->house, &end);
	assert_int_equal(operate(world, &end), OUTCOME_MISSING);
	/* After a start the fold has come to the same. */
	char problem[KEEPER_PROBLEM_SIZE];
	house_stop(&world->house);
	assert_true(house_start(&world->house, problem));
	assert_shown(world, OPERATION_IMA_ALLOW_LIST, "\"lists\":[{\"name\":\"more\",");
}

static struct operation_request
key_request(struct bytes der, char hex[65])
{
	struct operation_request request = {.operation = OPERATION_IMA_KEY_ADD};
	uint8_t hash[32];

	crypto_hash_sha256(hash, der.data, der.size);
	sodium_bin2hex(hex, 65, hash, sizeof(hash));
	operation_set(&request, FIELD_PUBLIC_KEY, der);
	operation_set_text(&request, FIELD_ID, hex);
	operation_set_text(&request, FIELD_SUBJECT, "key 01020304");
	return request;
}

static void
test_keys(void **state)
{
	struct world *world = *state;
	struct bytes der = {world->guest.tpm.ca_certificate, world->guest.tpm.ca_certificate_size};
	char hex[65];
	struct operation_request request = key_request(der, hex);
	uint64_t offset;

	assert_int_equal(ask(world, "any", 0, &offset), WIRE_OK);
	house_must(&world->house, &request);
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_IMA);
	assert_int_equal(ask(world, "signed", 0, NULL), WIRE_POLICY);
	assert_newest(world, "\"imaAllSigned\":false");
	assert_shown(world, OPERATION_IMA_KEY_LIST,
		     "\"subject\":\"key 01020304\",\"state\":\"active\"");
	request = key_request(der, hex);
	assert_int_equal(operate(world, &request), OUTCOME_INVALID); /* there already */
	assert_int_equal(ask(world, "any", 0, &offset), WIRE_OK);
	struct operation_request revocation = {.operation = OPERATION_REVOKE};
	operation_set_text(&revocation, FIELD_KIND, "ima-key");
	operation_set_text(&revocation, FIELD_ID, hex);
	operation_set_text(&revocation, FIELD_REASON, "leaked");
	house_must(&world->house, &revocation);
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_IMA);
	assert_int_equal(ask(world, "any", 0, NULL), WIRE_OK);
	assert_newest(world, "\"imaViolations\":0}"); /* nothing of signatures */
	assert_shown(world, OPERATION_IMA_KEY_LIST, "\"state\":\"revoked\"");
	request = key_request(der, hex);
	assert_int_equal(operate(world, &request), OUTCOME_INVALID); /* revoked, and stays it */
	assert_int_equal(operate(world, &revocation), OUTCOME_INVALID);
}

static void
test_keys_are_counted_and_named_by_what_they_are(void **state)
{
	struct world *world = *state;
	uint8_t der[2] = {0};
	char hex[65];

	struct operation_request misnamed = key_request(BYTES_OF(der), hex);
	hex[0] = hex[0] == '0' ? '1' : '0';
	assert_int_equal(operate(world, &misnamed), OUTCOME_INVALID);
	for (unsigned i = 0; i <= ATTEST_IMA_KEYS_MAX; i++) {
		der[0] = (uint8_t)i;
		struct operation_request request = key_request(BYTES_OF(der), hex);
		assert_int_equal(operate(world, &request),
				 i < ATTEST_IMA_KEYS_MAX ? OUTCOME_OK : OUTCOME_INVALID);
	}
	/* Keys that are no keys make no list verified, and the keeper stands. */
	assert_int_equal(ask(world, "signed", 0, NULL), WIRE_POLICY);
}

/* ---- what an appraiser cannot say ---- */

static void
lie_verified(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	(void)request;
	appraisal->ima = WIRE_VERIFIED;
}

static void
lie_log(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	(void)request;
	appraisal->log = WIRE_VERIFIED;
	attest_claim_boolean(&appraisal->report.claims, CLAIM_SECURE_BOOT, true);
}

static void
lie_chain(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	(void)request;
	appraisal->chain = WIRE_VERIFIED;
}

static void
lie_offset(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	appraisal->ima_report.point.offset = request->from.offset + request->ima_log.size + 1;
}

static void
lie_listed(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	appraisal->ima_report.listed_known = request->allowed.size == 0;
}

static void
lie_signed(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	appraisal->ima_report.signed_known = request->key_count == 0;
}

static void
lie_back(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	appraisal->ima_report.point.entries = request->from.entries - 1;
}

static void
test_an_appraiser_answers_what_was_asked(void **state)
{
	static const struct {
		const char *name;
		bool ima, rest;
		void (*lie)(const struct wire_examine_log *request,
			    struct wire_appraisal *appraisal);
	} lies[] = {
		{"a list where none was sent", false, false, lie_verified},
		{"an event log where none was sent", true, false, lie_log},
		{"a chain", true, false, lie_chain},
		{"more than was sent", true, false, lie_offset},
		{"an allow-list", true, false, lie_listed},
		{"keys", true, false, lie_signed},
		{"fewer entries than before", true, true, lie_back},
	};
	struct world *world = *state;
	struct software_log log;
	uint64_t offset;

	software_log_boot(&log, 20, true);
	assert_int_equal(ask(world, "any", 0, &offset), WIRE_OK);
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		enum wire_status status;
		world->house.lie = lies[i].lie;
		if (lies[i].ima) {
			status = ask(world, "any", lies[i].rest ? (size_t)offset : 0, NULL);
		} else {
			struct guest_release how = {.path = "any",
						    .event_log = {log.data, log.size}};
			status = guest_release(&world->house, &world->guest, &how, NULL);
		}
		if (status != WIRE_BUSY)
			fail_msg("%s: status %d", lies[i].name, status);
		assert_newest(world, "one that cannot be");
	}
	world->house.lie = NULL;
	assert_int_equal(ask(world, "any", (size_t)offset, NULL), WIRE_OK);
	software_log_free(&log);
}

/* ---- an act, and a list that is large ---- */

static struct world *acting;

static void
act_meanwhile(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	static const char *const contents[] = {"one", "two"};
	struct world *world = acting;

	(void)request;
	(void)appraisal;
	world->house.lie = NULL;
	assert_int_equal(outcome_of(allow_add(world, "late", contents, 2)), OUTCOME_OK);
}

/* While the appraiser looks, what it compares with changes: it looks again. */
static void
test_an_act_in_between(void **state)
{
	struct world *world = *state;

	acting = world;
	world->house.lie = act_meanwhile;
	assert_int_equal(ask(world, "listed", 0, NULL), WIRE_OK);
	assert_newest(world, "\"imaAllListed\":true");
}

static void
act_elsewhere(const struct wire_examine_log *request, struct wire_appraisal *appraisal)
{
	struct operation_request other = {.operation = OPERATION_MACHINE_REGISTER};
	struct world *world = acting;
	uint8_t ek_id[32] = {1}, groups[64];

	(void)request;
	(void)appraisal;
	world->house.lie = NULL;
	operation_set(&other, FIELD_EK_ID, BYTES_OF(ek_id));
	operation_set_text(&other, FIELD_NAME, "second");
	operation_set(&other, FIELD_GROUPS, house_names(groups, sizeof(groups), "web"));
	house_must(&world->house, &other);
}

static void
test_an_act_that_is_none_of_its_business(void **state)
{
	struct world *world = *state;
	uint64_t offset, next;

	assert_int_equal(ask(world, "clean", 0, &offset), WIRE_OK);
	software_ima_file(&world->list, "/usr/bin/three", "three", NULL);
	measure(world);
	acting = world;
	world->house.lie = act_elsewhere;
	assert_int_equal(ask(world, "clean", (size_t)offset, &next), WIRE_OK);
	assert_int_equal(next, world->list.size);
	assert_newest(world, "\"imaEntries\":4");
}

static void
test_a_large_list_holds_up_nobody(void **state)
{
	struct world *world = *state;
	struct bytes list = software_ima_bytes(&world->list);
	uint8_t *large = calloc(1, APPRAISE_SHARED_IMA_MAX + 1);
	char *value = NULL;

	memcpy(large, list.data, list.size);
	struct guest_release how = {.path = "clean", .ima_log = {large, APPRAISE_SHARED_IMA_MAX}};
	assert_int_equal(guest_release(&world->house, &world->guest, &how, NULL), WIRE_OK);
	assert_int_equal(world->house.apart, 0);
	how.ima_log.size++;
	assert_int_equal(guest_release(&world->house, &world->guest, &how, &value), WIRE_OK);
	assert_int_equal(world->house.apart, 1);
	struct bytes der = {world->guest.tpm.ca_certificate, world->guest.tpm.ca_certificate_size};
	char hex[65];
	struct operation_request request = key_request(der, hex);
	house_must(&world->house, &request); /* then there is more to do */
	how.ima_log.size = APPRAISE_SHARED_SIGNED_MAX;
	assert_int_equal(guest_release(&world->house, &world->guest, &how, NULL), WIRE_OK);
	assert_int_equal(world->house.apart, 1);
	how.ima_log.size++;
	assert_int_equal(guest_release(&world->house, &world->guest, &how, NULL), WIRE_OK);
	assert_int_equal(world->house.apart, 2);
	/* Nor do more of one machine, each of which would hold a worker. */
	struct machine *machine = world->house.keeper.trust.machines[0];
	assert_int_equal(machine->large_lists, 0);
	machine->large_lists = RELEASE_LARGE_LISTS_MAX;
	assert_int_equal(guest_release(&world->house, &world->guest, &how, NULL), WIRE_BUSY);
	assert_newest(world, "few large lists of one machine at once");
	assert_int_equal(ask(world, "clean", 0, NULL), WIRE_OK);
	machine->large_lists--;
	assert_int_equal(guest_release(&world->house, &world->guest, &how, NULL), WIRE_OK);
	free(value);
	free(large);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_list_that_leads_to_pcr_10),
		TEST(test_what_was_added_after_the_quote_is_dropped),
		TEST(test_a_forged_list_proves_nothing),
		TEST(test_the_next_list_goes_on_where_the_last_one_ended),
		TEST(test_another_boot_begins_anew),
		TEST(test_nothing_is_known_after_a_start),
		TEST(test_allow_lists),
		TEST(test_keys),
		TEST(test_keys_are_counted_and_named_by_what_they_are),
		TEST(test_an_appraiser_answers_what_was_asked),
		TEST(test_an_act_in_between),
		TEST(test_an_act_that_is_none_of_its_business),
		TEST(test_a_large_list_holds_up_nobody),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
