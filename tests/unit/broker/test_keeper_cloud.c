/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud's key that vouches for a machine's, in the keeper: what is kept and shown of it, what
 * policy is told, and that no other machine's counts. */
#include "keeper_fixture_scene.h"

#include "../attest/software_cloud.h"
#include "attest/endorsement.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Two secrets: one for any machine of the cloud, one for those of a project. */
#define RULES                                                                                      \
	"permit (principal in MachineGroup::\"web\", action == Action::\"release\", "              \
	"resource == Secret::\"any/key\") when { context.cloud.certified };"                       \
	"permit (principal in MachineGroup::\"web\", action == Action::\"release\", "              \
	"resource == Secret::\"ours/key\") when { context.cloud.certified && "                     \
	"context.cloud has project && context.cloud.project == \"our-project\" && "                \
	"context.cloud has zone && context.cloud.zone == \"zone-1\" && "                           \
	"context.cloud has projectNumber && context.cloud.projectNumber == \"7\" && "              \
	"context.cloud has instanceId && "                                                         \
	"context.cloud.instanceId == \"18446744073709551615\" && "                                 \
	"context.cloud has instanceName && context.cloud.instanceName == \"web-1\" && "            \
	"context.cloud has cas && !context.cloud.cas.contains(\"\") };"                            \
	"permit (principal in MachineGroup::\"web\", action == Action::\"release\", "              \
	"resource == Secret::\"none/key\") when { !context.cloud.certified && "                    \
	"!(context.cloud has project) && !(context.cloud has cas) };"

/* SEQUENCE { zone, project number, project, instance number, name, [0] (not looked at) } */
static const uint8_t INSTANCE[] = "\x30\x2a"
				  "\x0c\x06zone-1"
				  "\x02\x01\x07"
				  "\x0c\x0bour-project"
				  "\x02\x09\x00\xff\xff\xff\xff\xff\xff\xff\xff"
				  "\x0c\x05web-1";

static int
set_up(void **state)
{
	struct house *house = house_set_up(state, RULES);

	house_put(house, "any/key", text_bytes("value"));
	house_put(house, "ours/key", text_bytes("value"));
	house_put(house, "none/key", text_bytes("value"));
	return 0;
}

static void
assert_shown(struct house *house, const struct guest *guest, const char *says)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_SHOW};

	operation_set_text(&request, FIELD_MACHINE, guest->id);
	assert_operation(house, &house->alice, &request, OUTCOME_OK, says);
}

/* The cloud's root as an anchor. */
static void
trust_cloud(struct house *house, const struct software_cloud *cloud, char ret_hex[65])
{
	struct operation_request request = {.operation = OPERATION_ANCHOR_ADD};
	char subject[ATTEST_SUBJECT_SIZE];
	struct attest_error err;
	uint8_t id[32];

	assert_int_equal(attest_anchor_describe(cloud->certificates[0], id, subject, &err),
			 ATTEST_OK);
	sodium_bin2hex(ret_hex, 65, id, sizeof(id));
	operation_set(&request, FIELD_CERTIFICATE, cloud->certificates[0]);
	operation_set_text(&request, FIELD_ID, ret_hex);
	operation_set_text(&request, FIELD_SUBJECT, subject);
	house_must(house, &request);
}

/* What a guest sends of its cloud, and what is wrong with it. */
struct sends {
	struct software_cloud *cloud;
	const struct software_tpm *of; /* whose AK was certified */
	const uint8_t *transcript;     /* NULL: this enrolment's */
	bool not_primary;
	bool other_key; /* than the certificate's */
	struct software_certification statement;
	struct software_signer stranger;
	uint8_t seen[32];
	struct wire_cloud sent;
};

static void
send_cloud(struct wire_activate_request *request, const uint8_t transcript[32], void *user)
{
	struct sends *sends = user;
	struct software_certification *statement = &sends->statement;
	struct software_cloud *cloud = sends->cloud;

	memcpy(sends->seen, transcript, sizeof(sends->seen));
	software_certify_fill(sends->of, sends->transcript ? sends->transcript : transcript,
			      statement);
	if (sends->not_primary)
		statement->qualified[5] ^= 1;
	software_certify_sign(cloud, statement);
	struct bytes public_area = {cloud->ak.public_area, cloud->ak.public_size};
	if (sends->other_key)
		public_area =
			(struct bytes){sends->stranger.public_area, sends->stranger.public_size};
	sends->sent = (struct wire_cloud){
		.sent = true,
		.public_area = public_area,
		.certificate_count = 2,
		.certificates = {cloud->certificates[2], cloud->certificates[1]},
		.message = {statement->made.message, statement->made.message_size},
		.signature = {statement->made.signature, statement->made.signature_size},
	};
	request->cloud = sends->sent;
}

/* Evidence of an earlier enrolment, as it was. */
static void
send_again(struct wire_activate_request *request, const uint8_t transcript[32], void *user)
{
	const struct sends *sends = user;

	(void)transcript;
	request->cloud = sends->sent;
}

static void
cloud_open(struct software_cloud *cloud)
{
	software_cloud_open(cloud, SOFTWARE_RSA);
	cloud->recipes[2].instance = (struct bytes){INSTANCE, sizeof(INSTANCE) - 1};
	software_cloud_certify(cloud);
}

static enum wire_status
ask(struct house *house, struct guest *guest, const char *path)
{
	return guest_release(house, guest, &(struct guest_release){.path = path}, NULL);
}

#define CERTIFIED "\"cloud\":{\"verdict\":\"verified\",\"anchor\":\""
#define ABSENT                                                                                     \
	"\"cloud\":{\"verdict\":\"absent\",\"anchor\":null,\"problem\":\"\",\"instance\":null}"
#define NAMED                                                                                      \
	"\"instance\":{\"zone\":\"zone-1\",\"project\":\"our-project\",\"project_number\":\"7\","  \
	"\"instance_id\":\"18446744073709551615\",\"instance_name\":\"web-1\"}"

static void
test_a_cloud_vouches_for_a_machine(void **state)
{
	struct house *house = *state;
	struct software_cloud cloud;
	struct sends sends = {.cloud = &cloud};
	char anchor[65], want[256], problem[KEEPER_PROBLEM_SIZE];
	struct guest guest, plain;

	cloud_open(&cloud);
	trust_cloud(house, &cloud, anchor);
	guest_open(&guest);
	sends.of = &guest.tpm;
	guest.enrols = send_cloud;
	guest.user = &sends;
	guest_admit(house, &guest, "first");
	snprintf(want, sizeof(want), CERTIFIED "%s\",\"problem\":\"\"," NAMED "}", anchor);
	assert_shown(house, &guest, want);
	char *audit = house_audit(house);
	if (!strstr(audit, "endorsement\\\":\\\"refused\\\",\\\"cloud\\\":\\\"verified\\\","
			   "\\\"instance\\\":{\\\"zone\\\":\\\"zone-1\\\""))
		fail_msg("%s", audit);
	free(audit);
	assert_int_equal(ask(house, &guest, "any/key"), WIRE_OK);
	assert_int_equal(ask(house, &guest, "ours/key"), WIRE_OK);
	assert_int_equal(ask(house, &guest, "none/key"), WIRE_POLICY);
	guest_open(&plain);
	guest_admit(house, &plain, "plain");
	assert_shown(house, &plain, ABSENT);
	assert_int_equal(ask(house, &plain, "any/key"), WIRE_POLICY);
	assert_int_equal(ask(house, &plain, "ours/key"), WIRE_POLICY);
	assert_int_equal(ask(house, &plain, "none/key"), WIRE_OK);
	/* It is on the disk. */
	house_stop(house);
	assert_true(house_start(house, problem));
	assert_shown(house, &guest, want);
	assert_int_equal(ask(house, &guest, "ours/key"), WIRE_OK);
	guest_close(&guest);
	guest_close(&plain);
	software_cloud_close(&cloud);
}

static void
test_without_an_instance(void **state)
{
	struct house *house = *state;
	struct software_cloud cloud;
	struct sends sends = {.cloud = &cloud};
	char anchor[65];
	struct guest guest;

	software_cloud_open(&cloud, SOFTWARE_ECC);
	trust_cloud(house, &cloud, anchor);
	guest_open(&guest);
	sends.of = &guest.tpm;
	guest.enrols = send_cloud;
	guest.user = &sends;
	guest_admit(house, &guest, "first");
	assert_shown(house, &guest, "\"problem\":\"\",\"instance\":null}");
	assert_int_equal(ask(house, &guest, "any/key"), WIRE_OK);
	assert_int_equal(ask(house, &guest, "ours/key"), WIRE_POLICY);
	guest_close(&guest);
	software_cloud_close(&cloud);
}

/* What does not hold is shown, bars nobody from enrolling, and is worth nothing. */
static void
test_nobody_elses_evidence_counts(void **state)
{
	struct house *house = *state;
	struct software_cloud cloud, unknown;
	struct sends honest = {.cloud = &cloud};
	char anchor[65];
	struct guest victim;

	cloud_open(&cloud);
	cloud_open(&unknown);
	trust_cloud(house, &cloud, anchor);
	guest_open(&victim);
	honest.of = &victim.tpm;
	victim.enrols = send_cloud;
	victim.user = &honest;
	guest_admit(house, &victim, "victim");
	const struct {
		const char *name;
		struct sends sends; /* `of` NULL: the guest's own */
		bool replayed;
		const char *says;
	} cases[] = {
		{"certified another's AK, for this enrolment",
		 {.cloud = &cloud, .of = &victim.tpm},
		 false,
		 "certify.name"},
		{"another's evidence, as it was sent", honest, true, "certify.qualifying"},
		{"for another enrolment",
		 {.cloud = &cloud, .transcript = honest.seen},
		 false,
		 "certify.qualifying"},
		{"in another hierarchy",
		 {.cloud = &cloud, .not_primary = true},
		 false,
		 "certify.hierarchy"},
		{"a cloud of the same name that nobody trusts",
		 {.cloud = &unknown},
		 false,
		 "cloud.chain.signature"},
		{"another key than the certified",
		 {.cloud = &cloud, .other_key = true},
		 false,
		 "cloud.key"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest guest;
		struct sends sends = cases[i].sends;
		char name[16], want[200];
		print_message("%s\n", cases[i].name);
		guest_open(&guest);
		sends.stranger = unknown.ak;
		if (!sends.of)
			sends.of = &guest.tpm;
		guest.enrols = cases[i].replayed ? send_again : send_cloud;
		guest.user = &sends;
		snprintf(name, sizeof(name), "guest-%zu", i);
		guest_admit(house, &guest, name);
		snprintf(want, sizeof(want),
			 "\"cloud\":{\"verdict\":\"refused\",\"anchor\":null,\"problem\":\"%s\","
			 "\"instance\":null}",
			 cases[i].says);
		assert_shown(house, &guest, want);
		assert_int_equal(ask(house, &guest, "any/key"), WIRE_POLICY);
		assert_int_equal(ask(house, &guest, "none/key"), WIRE_OK);
		guest_close(&guest);
	}
	assert_int_equal(ask(house, &victim, "any/key"), WIRE_OK);
	guest_close(&victim);
	software_cloud_close(&cloud);
	software_cloud_close(&unknown);
}

/* A cloud's CA is revoked as any, and what its CRL lists too. */
static void
test_what_is_above_a_clouds_key_is_revoked(void **state)
{
	static const char *const names[] = {"Cloud intermediate", "Other intermediate"};
	static const struct software_revoked of_key[] = {{.serial = 7}, {.serial = 0}};
	struct house *house = *state;
	struct operation_request add = {.operation = OPERATION_CRL_ADD};
	struct operation_request revoke = {.operation = OPERATION_REVOKE};
	struct software_cloud clouds[2];
	struct sends sends[2];
	struct guest guests[2];
	struct attest_crl described;
	struct attest_error err;
	uint8_t der[2048], links[4][ATTEST_HASH_SIZE], from[8], until[8];
	char anchors[2][65], id[65], want[64];
	size_t count;

	for (size_t i = 0; i < 2; i++) {
		cloud_open(&clouds[i]);
		clouds[i].recipes[1].subject = names[i];
		clouds[i].recipes[2].issuer = names[i];
		software_cloud_certify(&clouds[i]);
		trust_cloud(house, &clouds[i], anchors[i]);
		guest_open(&guests[i]);
		sends[i] = (struct sends){.cloud = &clouds[i], .of = &guests[i].tpm};
		guests[i].enrols = send_cloud;
		guests[i].user = &sends[i];
		guest_admit(house, &guests[i], i == 0 ? "first" : "second");
	}
	const struct software_crl recipe = {
		.issuer = names[0], .signer = clouds[0].keys[1], .revoked = of_key};
	struct bytes crl = {der, software_crl_make(&recipe, der, sizeof(der))};
	assert_int_equal(attest_crl_describe(crl, &clouds[0].certificates[1], 1, &described, &err),
			 ATTEST_OK);
	assert_int_equal(attest_crl_revoked(crl, described.issuer_id, 4, links, &count, &err),
			 ATTEST_OK);
	sodium_bin2hex(id, sizeof(id), described.issuer_id, 32);
	operation_set(&add, FIELD_CRL, crl);
	operation_set_text(&add, FIELD_ID, id);
	operation_set_text(&add, FIELD_SUBJECT, described.issuer);
	operation_set_number(&add, FIELD_FROM, (uint64_t)described.issued, from);
	operation_set_number(&add, FIELD_UNTIL, (uint64_t)described.expires, until);
	operation_set(&add, FIELD_DIGESTS, (struct bytes){links[0], count * ATTEST_HASH_SIZE});
	snprintf(want, sizeof(want), "\"machines\":[\"%s\"]", guests[0].id);
	assert_operation(house, &house->alice, &add, OUTCOME_OK, want);
	assert_int_equal(ask(house, &guests[0], "any/key"), WIRE_IDENTITY);
	assert_int_equal(ask(house, &guests[1], "any/key"), WIRE_OK);
	operation_set_text(&revoke, FIELD_KIND, "ek-ca");
	operation_set_text(&revoke, FIELD_ID, anchors[1]);
	operation_set_text(&revoke, FIELD_REASON, "its key leaked");
	snprintf(want, sizeof(want), "\"machines\":[\"%s\"]", guests[1].id);
	assert_operation(house, &house->alice, &revoke, OUTCOME_OK, want);
	assert_int_equal(ask(house, &guests[1], "any/key"), WIRE_IDENTITY);
	guest_close(&guests[0]);
	guest_close(&guests[1]);
	/* A new machine under a revoked CA is refused outright, as under one of EKs. */
	guest_open(&guests[1]);
	sends[1] = (struct sends){.cloud = &clouds[1], .of = &guests[1].tpm};
	guests[1].enrols = send_cloud;
	guests[1].user = &sends[1];
	assert_int_equal(guest_enroll(house, &guests[1], NULL), WIRE_IDENTITY);
	guest_close(&guests[1]);
	software_cloud_close(&clouds[0]);
	software_cloud_close(&clouds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_HOUSE(name) cmocka_unit_test_setup_teardown(name, set_up, house_tear_down)
		WITH_HOUSE(test_a_cloud_vouches_for_a_machine),
		WITH_HOUSE(test_without_an_instance),
		WITH_HOUSE(test_nobody_elses_evidence_counts),
		WITH_HOUSE(test_what_is_above_a_clouds_key_is_revoked),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
