/* SPDX-License-Identifier: Apache-2.0 */
/* Operators against a keeper: who is heard at all, what policy denies, the acts' own rules,
 * secrets, and what is shown. */
#include "keeper_fixture_scene.h"

#include "wire/hpke.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define RULES                                                                                      \
	"permit (principal in Role::\"clerk\", action == Action::\"secret-show\", "                \
	"resource in Folder::\"web\");\n"                                                          \
	"permit (principal in Role::\"pipeline\", action == Action::\"machine-register\", "        \
	"resource is Machine);\n"                                                                  \
	"permit (principal in Role::\"pipeline\", action == Action::\"machine-register\", "        \
	"resource == MachineGroup::\"web\");\n"                                                    \
	"permit (principal in Role::\"clerk\", action == Action::\"operator-add\", "               \
	"resource is Operator);\n"                                                                 \
	"permit (principal in Role::\"clerk\", action == Action::\"operator-add\", "               \
	"resource == Role::\"clerk\");\n" SCENE_RULES

static int
set_up(void **state)
{
	house_set_up(state, RULES);
	return 0;
}

static void
add_operator(struct house *house, struct house_operator *signer, const char *name,
	     const char *roles)
{
	struct operation_request request = {.operation = OPERATION_OPERATOR_ADD};
	uint8_t list[64];

	snprintf(signer->name, sizeof(signer->name), "%s", name);
	crypto_sign_keypair(signer->public_key, signer->secret_key);
	operation_set_text(&request, FIELD_NAME, name);
	operation_set(&request, FIELD_OPERATOR_KEY, BYTES_OF(signer->public_key));
	operation_set(&request, FIELD_ROLES, house_names(list, sizeof(list), roles));
	house_must(house, &request);
}

/* ---- who is heard ---- */

static void
other_broker(uint8_t *frame, size_t size)
{
	(void)size;
	frame[4 + strlen("postern/operator/v1")] ^= 1;
}

static void
last_byte(uint8_t *frame, size_t size)
{
	frame[size - 1] ^= 1;
}

static void
test_requests_that_prove_nothing(void **state)
{
	struct house *house = *state;
	struct operation_request request = {.operation = OPERATION_SECRET_SHOW};
	struct house_operator stranger = {.name = "mallory"};
	struct house_operator thief = house->alice;

	operation_set_text(&request, FIELD_PATH, "web/key");
	crypto_sign_keypair(stranger.public_key, stranger.secret_key);
	crypto_sign_keypair(thief.public_key, thief.secret_key);
	assert_int_equal(house_operate(house, &stranger, &request).status, WIRE_OPERATOR);
	assert_int_equal(house_operate(house, &thief, &request).status, WIRE_OPERATOR);
	assert_int_equal(
		house_operate_as(house, house_id(house), &house->alice, &request, other_broker)
			.status,
		WIRE_OPERATOR);
	assert_int_equal(
		house_operate_as(house, house_id(house), &house->alice, &request, last_byte).status,
		WIRE_OPERATOR);
	assert_int_equal(atomic_load(&house->keeper.counters.unknown), 4);
	request.operation = OPERATION_GENESIS;
	assert_int_equal(house_operate(house, &house->alice, &request).status, WIRE_MALFORMED);
}

static void
test_a_request_works_once(void **state)
{
	struct house *house = *state;
	struct operation_request request = {.operation = OPERATION_STATUS};
	uint8_t challenge[WIRE_CHALLENGE_SIZE], signature[64], frame[512], body[1024];

	/* By hand, for the fixture asks for a new challenge each time. */
	challenge_make(house->keeper.challenges, CHALLENGE_FOR_OPERATOR, text_bytes("alice"),
		       (struct bytes){0}, challenge);
	request.answer_key = BYTES_OF(house->answer_key);
	request.operator_name = text_bytes("alice");
	request.challenge = BYTES_OF(challenge);
	struct writer w = writer_of(frame, sizeof(frame));
	operation_request_write(&w, &request);
	crypto_sign_detached(signature, NULL, frame, w.size, house->alice.secret_key);
	struct wire_operator_request wire = {writer_bytes(&w), BYTES_OF(signature),
					     text_bytes("here")};
	struct writer body_w = writer_of(body, sizeof(body));
	wire_operator_request_write(&body_w, &wire);
	assert_int_equal(house_call(house, FRAME_OPERATOR_REQUEST, writer_bytes(&body_w), NULL),
			 WIRE_OK);
	assert_int_equal(house_call(house, FRAME_OPERATOR_REQUEST, writer_bytes(&body_w), NULL),
			 WIRE_OPERATOR);
}

static void
test_policy_decides_and_an_ended_operator_is_not_heard(void **state)
{
	struct house *house = *state;
	struct operation_request show = {.operation = OPERATION_SECRET_SHOW};
	struct operation_request list = {.operation = OPERATION_MACHINE_LIST};
	struct operation_request revocation = {.operation = OPERATION_REVOKE};
	struct house_operator bob;

	add_operator(house, &bob, "bob", "clerk");
	house_put(house, "web/key", text_bytes("v"));
	operation_set_text(&show, FIELD_PATH, "web/key");
	assert_operation(house, &bob, &show, OUTCOME_OK, "\"version\":1");
	operation_set_text(&show, FIELD_PATH, "webs/key");
	assert_operation(house, &bob, &show, OUTCOME_DENIED, "no policy permits it");
	assert_operation(house, &bob, &list, OUTCOME_DENIED, "machine-list on Broker::postern");
	operation_set_text(&revocation, FIELD_KIND, "operator");
	operation_set_text(&revocation, FIELD_ID, "bob");
	operation_set_text(&revocation, FIELD_REASON, "left");
	assert_operation(house, &bob, &revocation, OUTCOME_DENIED, "");
	house_must(house, &revocation);
	assert_int_equal(house_operate(house, &bob, &show).status, WIRE_OPERATOR);
	operation_set_text(&revocation, FIELD_ID, "alice");
	assert_operation(house, &house->alice, &revocation, OUTCOME_INVALID, "nobody ends himself");
}

/* Whoever may add a machine or an operator may not therefore give it any group or role. */
static void
test_what_is_added_is_put_only_where_policy_lets_it(void **state)
{
	struct house *house = *state;
	struct operation_request registration = {.operation = OPERATION_MACHINE_REGISTER};
	struct operation_request addition = {.operation = OPERATION_OPERATOR_ADD};
	struct house_operator pipeline, clerk;
	uint8_t ek_id[32] = {1}, key[32] = {2}, list[64];

	add_operator(house, &pipeline, "robot", "pipeline");
	add_operator(house, &clerk, "carol", "clerk");
	operation_set(&registration, FIELD_EK_ID, BYTES_OF(ek_id));
	operation_set_text(&registration, FIELD_NAME, "first");
	operation_set(&registration, FIELD_GROUPS, house_names(list, sizeof(list), "web db"));
	assert_operation(house, &pipeline, &registration, OUTCOME_DENIED, "MachineGroup::db");
	operation_set(&registration, FIELD_GROUPS, house_names(list, sizeof(list), "web"));
	assert_operation(house, &clerk, &registration, OUTCOME_DENIED, "on Machine::m-");
	assert_operation(house, &pipeline, &registration, OUTCOME_OK, "");

	operation_set_text(&addition, FIELD_NAME, "dave");
	operation_set(&addition, FIELD_OPERATOR_KEY, BYTES_OF(key));
	operation_set(&addition, FIELD_ROLES, house_names(list, sizeof(list), "admin clerk"));
	assert_operation(house, &clerk, &addition, OUTCOME_DENIED, "Role::admin");
	operation_set(&addition, FIELD_ROLES, house_names(list, sizeof(list), "clerk"));
	assert_operation(house, &clerk, &addition, OUTCOME_OK, "");
}

/* ---- acts ---- */

static void
test_an_act_is_for_one_revision(void **state)
{
	struct house *house = *state;
	struct operation_request request = {.operation = OPERATION_POLICY_DELETE};
	char problem[KEEPER_PROBLEM_SIZE];

	operation_set_text(&request, FIELD_NAME, "rules");
	request.trust_revision = 9;
	assert_operation(house, &house->alice, &request, OUTCOME_STALE, "the trust revision is 1");
	assert_operation(house, &house->alice, &request, OUTCOME_OK, "\"trust_revision\":2");
	assert_operation(house, &house->alice, &request, OUTCOME_MISSING, "there is none");
	house_stop(house);
	assert_true(house_start(house, problem));
	assert_int_equal(house->keeper.trust.revision, 2);
	assert_int_equal(house->keeper.trust.policy_count, 1);
}

static void
test_policies_that_are_refused(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *says;
	} cases[] = {
		{"new", "permit (principal, action, resource", "new:1:"},
		{"new", "\n  permit (principal, action == Action::\"release\", resource);",
		 "new:2:3: this permit covers"},
		{"new", "permit (principal, action, resource);", "covers the release"},
		{"new", "permit (principal is Machine, action, resource in Folder::\"a\");",
		 "covers the release"},
		{"new", "\nforbid (principal, action == Action::\"relase\", resource);", "new:2:"},
		{"new", "forbid (principal is Machin, action, resource);", "Machin"},
		{"new", "forbid (principal, action, resource) when { context.clams.ima == \"\" };",
		 "clams"},
		{"operators", "", "could no longer apply policy"},
		{"new", "forbid (principal == Operator::\"alice\", action, resource);",
		 "could no longer apply policy"},
		{"new",
		 "forbid (principal, action, resource) when { context.now + 9223372036854775807 > "
		 "0 };",
		 "could no longer apply policy"},
	};
	struct house *house = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct operation_request request = {.operation = OPERATION_POLICY_APPLY};
		operation_set_text(&request, FIELD_NAME, cases[i].name);
		operation_set_text(&request, FIELD_POLICY, cases[i].text);
		assert_operation(house, &house->alice, &request, OUTCOME_INVALID, cases[i].says);
	}
	struct operation_request deletion = {.operation = OPERATION_POLICY_DELETE};
	operation_set_text(&deletion, FIELD_NAME, "operators");
	assert_operation(house, &house->alice, &deletion, OUTCOME_INVALID,
			 "could no longer apply policy");
	assert_int_equal(house->keeper.trust.revision, 1);
}

static void
test_acts_that_make_no_sense(void **state)
{
	struct house *house = *state;
	struct operation_request baseline = {.operation = OPERATION_BASELINE_ADD};
	struct operation_request ending = {.operation = OPERATION_BASELINE_END};
	struct operation_request admission = {.operation = OPERATION_MACHINE_ADMIT};
	struct operation_request readmission = {.operation = OPERATION_MACHINE_READMIT};
	struct operation_request revocation = {.operation = OPERATION_REVOKE};
	uint8_t pcrs[34] = {0, 1}, from[8], until[8], groups[16], ak[AK_NAME_SIZE] = {0, 0xb};
	struct guest guest;

	operation_set_text(&baseline, FIELD_NAME, "image");
	operation_set(&baseline, FIELD_PCRS, BYTES_OF(pcrs));
	operation_set_number(&baseline, FIELD_FROM, 10, from);
	operation_set_number(&baseline, FIELD_UNTIL, 10, until);
	assert_operation(house, &house->alice, &baseline, OUTCOME_INVALID, "ends before it begins");
	operation_set_number(&baseline, FIELD_UNTIL, 11, until);
	house_must(house, &baseline);
	assert_operation(house, &house->alice, &baseline, OUTCOME_INVALID,
			 "names are not used again");
	operation_set_text(&ending, FIELD_NAME, "image");
	operation_set_number(&ending, FIELD_UNTIL, 12, until);
	assert_operation(house, &house->alice, &ending, OUTCOME_INVALID, "ends before that");
	operation_set_number(&ending, FIELD_UNTIL, 10, until);
	house_must(house, &ending);

	guest_open(&guest);
	operation_set_text(&admission, FIELD_MACHINE, guest.id);
	operation_set(&admission, FIELD_EK_ID, BYTES_OF(guest.ek_id));
	operation_set(&admission, FIELD_AK_NAME, BYTES_OF(guest.ak_name));
	operation_set_text(&admission, FIELD_NAME, "first");
	operation_set(&admission, FIELD_GROUPS, house_names(groups, sizeof(groups), "web"));
	assert_operation(house, &house->alice, &admission, OUTCOME_MISSING, "has not enrolled");
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_OK);
	operation_set(&admission, FIELD_AK_NAME, BYTES_OF(ak));
	assert_operation(house, &house->alice, &admission, OUTCOME_INVALID,
			 "enrolled with another AK");
	operation_set(&admission, FIELD_AK_NAME, BYTES_OF(guest.ak_name));
	operation_set_text(&admission, FIELD_MACHINE, "m-0000000000000000");
	assert_operation(house, &house->alice, &admission, OUTCOME_INVALID, "its EK's id makes it");
	operation_set_text(&admission, FIELD_MACHINE, guest.id);
	operation_set_text(&admission, FIELD_NAME, "m-0000000000000000");
	assert_operation(house, &house->alice, &admission, OUTCOME_INVALID,
			 "reads like a machine's id");
	operation_set_text(&admission, FIELD_NAME, "first");
	house_must(house, &admission);
	assert_operation(house, &house->alice, &admission, OUTCOME_INVALID, "admitted before");

	operation_set_text(&readmission, FIELD_MACHINE, "first");
	operation_set_text(&readmission, FIELD_REASON, "a test");
	assert_operation(house, &house->alice, &readmission, OUTCOME_INVALID, "not suspended");
	operation_set_text(&revocation, FIELD_KIND, "machine");
	operation_set_text(&revocation, FIELD_ID, "m-0000000000000000");
	operation_set_text(&revocation, FIELD_REASON, "a test");
	assert_operation(house, &house->alice, &revocation, OUTCOME_MISSING, "there is none");
	operation_set_text(&revocation, FIELD_ID, "first");
	assert_operation(house, &house->alice, &revocation, OUTCOME_OK, guest.id);
	assert_operation(house, &house->alice, &revocation, OUTCOME_INVALID, "revoked already");
	assert_operation(house, &house->alice, &readmission, OUTCOME_INVALID, "revoked");
	guest_close(&guest);
}

/* ---- secrets ---- */

static void
test_versions_and_check_and_set(void **state)
{
	struct house *house = *state;
	struct operation_request put = {.operation = OPERATION_SECRET_PUT};
	struct operation_request show = {.operation = OPERATION_SECRET_SHOW};
	struct operation_request removal = {.operation = OPERATION_SECRET_REMOVE};
	uint8_t sealed[HPKE_OVERHEAD + 4] = {0}, cas[8];
	struct store_error err;
	struct secret *value = NULL;
	uint64_t revision;

	for (size_t i = 0; i < 12; i++)
		house_put(house, "web/key", text_bytes("v"));
	operation_set_text(&show, FIELD_PATH, "web/key");
	assert_operation(house, &house->alice, &show, OUTCOME_OK, "\"version\":12");
	assert_int_equal(
		store_get(house->keeper.store, "value/web/key@00000002", &value, &revision, &err),
		STORE_MISSING);
	assert_int_equal(
		store_get(house->keeper.store, "value/web/key@00000003", &value, &revision, &err),
		STORE_OK);
	secret_free(value);
	operation_set_text(&put, FIELD_PATH, "web/key");
	operation_set(&put, FIELD_SEALED, BYTES_OF(sealed));
	operation_set_number(&put, FIELD_CAS, 11, cas);
	assert_operation(house, &house->alice, &put, OUTCOME_CONFLICT, "the newest version is 12");
	operation_set_number(&put, FIELD_CAS, 12, cas);
	assert_operation(house, &house->alice, &put, OUTCOME_INVALID, "does not open");
	operation_set_text(&removal, FIELD_PATH, "web/key");
	assert_operation(house, &house->alice, &removal, OUTCOME_OK, "\"versions\":10");
	assert_operation(house, &house->alice, &removal, OUTCOME_MISSING, "there is none");
	assert_operation(house, &house->alice, &show, OUTCOME_MISSING, "there is none");
	assert_int_equal(
		store_get(house->keeper.store, "value/web/key@0000000c", &value, &revision, &err),
		STORE_MISSING);
}

static void
test_a_value_is_for_one_path(void **state)
{
	struct house *house = *state;
	struct operation_request put = {.operation = OPERATION_SECRET_PUT};
	uint8_t sealed[HPKE_OVERHEAD + 1], aad[INTAKE_AAD_MAX], info[64], cas[8];
	struct writer w = writer_of(info, sizeof(info));

	size_t size = intake_aad(text_bytes("web/a"), 0, text_bytes("alice"), aad);
	write_lp_text(&w, "postern/intake/v1");
	assert_true(hpke_seal(house->intake_key, NULL, NULL, writer_bytes(&w),
			      (struct bytes){aad, size}, text_bytes("v"), sealed));
	operation_set(&put, FIELD_SEALED, BYTES_OF(sealed));
	operation_set_number(&put, FIELD_CAS, 0, cas);
	operation_set_text(&put, FIELD_PATH, "web/b");
	assert_operation(house, &house->alice, &put, OUTCOME_INVALID, "does not open");
	operation_set_text(&put, FIELD_PATH, "web/a");
	assert_operation(house, &house->alice, &put, OUTCOME_OK, "\"version\":1");
	assert_operation(house, &house->alice, &put, OUTCOME_CONFLICT, "");
}

static void
test_large_values_come_out_whole(void **state)
{
	struct house *house = *state;
	struct guest guest;
	size_t size = WIRE_SECRET_MAX;
	uint8_t *large = malloc(size);
	char *value = NULL;

	memset(large, 'x', size);
	large[size - 1] = 'y';
	house_put(house, "web/key", (struct bytes){large, size});
	guest_open(&guest);
	guest_admit(house, &guest, "first");
	for (size_t i = 0; i < 3; i++) { /* grown, given back, and grown again */
		assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, &value),
				 WIRE_OK);
		assert_memory_equal(value, large, size);
		free(value);
	}
	free(large);
	guest_close(&guest);
}

static void
test_lists_are_by_whole_components_and_pages(void **state)
{
	struct house *house = *state;
	struct operation_request list = {.operation = OPERATION_SECRET_LIST};
	uint8_t count[8];

	house_put(house, "db", text_bytes("v"));
	house_put(house, "db/a", text_bytes("v"));
	house_put(house, "db/b", text_bytes("v"));
	house_put(house, "dbx", text_bytes("v"));
	operation_set_text(&list, FIELD_PATH, "db");
	assert_operation(house, &house->alice, &list, OUTCOME_OK,
			 "{\"secrets\":[\"db\",\"db/a\",\"db/b\"],\"next\":null}");
	operation_set_number(&list, FIELD_COUNT, 2, count);
	assert_operation(house, &house->alice, &list, OUTCOME_OK,
			 "{\"secrets\":[\"db\",\"db/a\"],\"next\":\"db/a\"}");
	operation_set_text(&list, FIELD_AFTER, "db/a");
	assert_operation(house, &house->alice, &list, OUTCOME_OK,
			 "{\"secrets\":[\"db/b\"],\"next\":null}");
}

/* ---- readings ---- */

static void
test_policy_check_tells_what_would_change(void **state)
{
	struct house *house = *state;
	struct operation_request check = {.operation = OPERATION_POLICY_CHECK};
	struct guest guest;

	house_put(house, "web/key", text_bytes("v"));
	house_put(house, "db/key", text_bytes("v"));
	guest_open(&guest);
	guest_admit(house, &guest, "first");
	operation_set_text(&check, FIELD_NAME, "rules");
	operation_set_text(
		&check, FIELD_POLICY,
		"permit (principal in MachineGroup::\"web\", action == Action::\"release\", "
		"resource in Folder::\"db\");");
	assert_operation(house, &house->alice, &check, OUTCOME_OK,
			 "\"path\":\"db/key\",\"before\":\"deny\",\"after\":\"permit\"");
	assert_operation(house, &house->alice, &check, OUTCOME_OK,
			 "\"path\":\"web/key\",\"before\":\"permit\",\"after\":\"deny\"");
	assert_operation(house, &house->alice, &check, OUTCOME_OK,
			 "\"machines\":1,\"unsure\":0,\"truncated\":false");
	operation_set_text(&check, FIELD_POLICY, "permit (");
	assert_operation(house, &house->alice, &check, OUTCOME_INVALID, "rules:1:");
	guest_close(&guest);
}

struct slow_check {
	struct house *house;
	char *text;
	struct house_answer answer;
};

static void *
check_slowly(void *argument)
{
	struct slow_check *slow = argument;
	struct operation_request check = {.operation = OPERATION_POLICY_CHECK};

	operation_set_text(&check, FIELD_NAME, "slow");
	operation_set_text(&check, FIELD_POLICY, slow->text);
	slow->answer = house_operate(slow->house, &slow->house->alice, &check);
	return NULL;
}

/* Whoever may only read must not hold up those who revoke. */
static void
test_a_slow_policy_check_lets_an_act_in(void **state)
{
	struct house *house = *state;
	struct slow_check slow = {.house = house, .text = malloc(OPERATION_POLICY_MAX)};
	struct operation_request suspension = {.operation = OPERATION_MACHINE_SUSPEND};
	struct guest guest;
	pthread_t thread;
	char path[32];

	for (size_t i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "web/%zu", i);
		house_put(house, path, text_bytes("v"));
	}
	guest_open(&guest);
	guest_admit(house, &guest, "first");
	int size = sprintf(slow.text, "forbid (principal, action, resource) when { [");
	for (int i = 0; size < OPERATION_POLICY_MAX - 64; i++)
		size += sprintf(slow.text + size, "[%d,context.now],", i);
	sprintf(slow.text + size, "[1]].contains([2]) };");
	assert_int_equal(pthread_create(&thread, NULL, check_slowly, &slow), 0);
	usleep(200 * 1000); /* of some seconds that it takes */
	operation_set_text(&suspension, FIELD_MACHINE, guest.id);
	operation_set_text(&suspension, FIELD_REASON, "a test");
	house_must(house, &suspension);
	pthread_join(thread, NULL);
	assert_int_equal(slow.answer.status, WIRE_OK);
	assert_int_equal(slow.answer.outcome, OUTCOME_STALE);
	free(slow.answer.json);
	free(slow.text);
	guest_close(&guest);
}

/* What does not fit is left out, and the answer says so. */
static void
test_an_explanation_that_is_too_long_says_so(void **state)
{
	struct house *house = *state;
	struct operation_request baseline = {.operation = OPERATION_BASELINE_ADD};
	struct operation_request request = {.operation = OPERATION_EXPLAIN};
	struct guest_release how = {.path = "web/none"};
	struct pcr_values pcrs = {.mask = 0xffff};
	uint8_t encoded[600], from[8], count[8];
	struct writer w = writer_of(encoded, sizeof(encoded));
	struct guest guest;

	memset(pcrs.values, 0x11, sizeof(pcrs.values)); /* each differs: long entries */
	pcr_values_write(&w, &pcrs);
	operation_set_text(&baseline, FIELD_NAME, "image");
	operation_set(&baseline, FIELD_PCRS, writer_bytes(&w));
	operation_set_number(&baseline, FIELD_FROM, 0, from);
	house_must(house, &baseline);
	guest_open(&guest);
	guest_admit(house, &guest, "first");
	for (size_t i = 0; i < 900; i++)
		assert_int_equal(guest_release(house, &guest, &how, NULL), WIRE_POLICY);
	operation_set_text(&request, FIELD_MACHINE, guest.id);
	operation_set_number(&request, FIELD_COUNT, 10, count);
	assert_operation(house, &house->alice, &request, OUTCOME_OK, "\"trust_revision\":3}]}");
	operation_set_number(&request, FIELD_COUNT, 900, count);
	assert_operation(house, &house->alice, &request, OUTCOME_OK, "}],\"truncated\":true}");
	guest_close(&guest);
}

static void
test_every_reading_answers(void **state)
{
	static const struct {
		enum operation operation;
		const char *says;
	} cases[] = {
		{OPERATION_STATUS, "\"trust_revision\":1,\"uptime\":"},
		{OPERATION_MACHINE_LIST, "{\"machines\":[],\"next\":null}"},
		{OPERATION_BASELINE_LIST, "{\"baselines\":[]}"},
		{OPERATION_POLICY_SHOW,
		 "{\"policies\":[{\"name\":\"operators\",\"text\":\"permit (principal in Role::"},
		{OPERATION_OPERATOR_LIST, "\"roles\":[\"admin\"],\"state\":\"active\"}]}"},
		{OPERATION_ANCHOR_LIST, "{\"anchors\":[]}"},
		{OPERATION_AUDIT_READ, "{\"entries\":[{\"number\":1,\"hash\":\""},
		{OPERATION_ACT_READ, "{\"acts\":[{\"revision\":1,\"request\":\""},
	};
	struct house *house = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct operation_request request = {.operation = (uint16_t)cases[i].operation};
		uint8_t from[8];
		if (cases[i].operation == OPERATION_AUDIT_READ ||
		    cases[i].operation == OPERATION_ACT_READ)
			operation_set_number(&request, FIELD_FROM, 1, from);
		assert_operation(house, &house->alice, &request, OUTCOME_OK, cases[i].says);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, house_tear_down)
		TEST(test_requests_that_prove_nothing),
		TEST(test_a_request_works_once),
		TEST(test_policy_decides_and_an_ended_operator_is_not_heard),
		TEST(test_what_is_added_is_put_only_where_policy_lets_it),
		TEST(test_an_act_is_for_one_revision),
		TEST(test_policies_that_are_refused),
		TEST(test_acts_that_make_no_sense),
		TEST(test_versions_and_check_and_set),
		TEST(test_a_value_is_for_one_path),
		TEST(test_large_values_come_out_whole),
		TEST(test_lists_are_by_whole_components_and_pages),
		TEST(test_policy_check_tells_what_would_change),
		TEST(test_a_slow_policy_check_lets_an_act_in),
		TEST(test_an_explanation_that_is_too_long_says_so),
		TEST(test_every_reading_answers),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
