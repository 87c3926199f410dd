/* SPDX-License-Identifier: Apache-2.0 */
/* What CAs have revoked, in the keeper: at enrolment, for machines that are there, and from one
 * start to the next. */
#include "keeper_fixture_scene.h"

#include "../attest/software_ca.h"
#include "attest/endorsement.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int
set_up(void **state)
{
	house_put(house_set_up(state, SCENE_RULES), "web/key", text_bytes("value"));
	return 0;
}

static struct bytes
ca_of(const struct guest *guest)
{
	return (struct bytes){guest->tpm.ca_certificate, guest->tpm.ca_certificate_size};
}

static void
ca_id_of(const struct guest *guest, char ret_hex[65], char ret_subject[ATTEST_SUBJECT_SIZE])
{
	struct attest_error err;
	uint8_t id[32];

	assert_int_equal(attest_anchor_describe(ca_of(guest), id, ret_subject, &err), ATTEST_OK);
	sodium_bin2hex(ret_hex, 65, id, sizeof(id));
}

static void
trust_ca(struct house *house, const struct guest *guest)
{
	struct operation_request request = {.operation = OPERATION_ANCHOR_ADD};
	char hex[65], subject[ATTEST_SUBJECT_SIZE];

	ca_id_of(guest, hex, subject);
	operation_set(&request, FIELD_CERTIFICATE, ca_of(guest));
	operation_set_text(&request, FIELD_ID, hex);
	operation_set_text(&request, FIELD_SUBJECT, subject);
	house_must(house, &request);
}

/* One that the guest's CA issued, as the command would send it. */
struct issued {
	uint8_t der[2048];
	struct bytes bytes;
	uint8_t links[8][ATTEST_HASH_SIZE];
	size_t link_count;
	char id[65];
	char subject[ATTEST_SUBJECT_SIZE];
	uint8_t from[8], until[8];
	struct operation_request request;
};

/* Dates NULL: from 2026 to 2028. */
static void
issue(struct issued *issued, const struct guest *guest, const struct software_revoked *revoked,
      const char *from, const char *until)
{
	const struct software_crl recipe = {.issuer = "Software TPM root",
					    .signer = guest->tpm.ca,
					    .from = from,
					    .until = until,
					    .revoked = revoked};
	struct bytes issuer = ca_of(guest);
	struct attest_crl crl;
	struct attest_error err = {.message = ""};

	*issued = (struct issued){.request = {.operation = OPERATION_CRL_ADD}};
	issued->bytes = (struct bytes){
		issued->der, software_crl_make(&recipe, issued->der, sizeof(issued->der))};
	if (attest_crl_describe(issued->bytes, &issuer, 1, &crl, &err) != ATTEST_OK)
		fail_msg("%s", err.message);
	assert_int_equal(attest_crl_revoked(issued->bytes, crl.issuer_id, 8, issued->links,
					    &issued->link_count, &err),
			 ATTEST_OK);
	ca_id_of(guest, issued->id, issued->subject);
	operation_set(&issued->request, FIELD_CRL, issued->bytes);
	operation_set_text(&issued->request, FIELD_ID, issued->id);
	operation_set_text(&issued->request, FIELD_SUBJECT, issued->subject);
	operation_set_number(&issued->request, FIELD_FROM, (uint64_t)crl.issued, issued->from);
	operation_set_number(&issued->request, FIELD_UNTIL, (uint64_t)crl.expires, issued->until);
	if (issued->link_count > 0)
		operation_set(
			&issued->request, FIELD_DIGESTS,
			(struct bytes){issued->links[0], issued->link_count * ATTEST_HASH_SIZE});
}

static void
assert_shown(struct house *house, const struct guest *guest, const char *says)
{
	struct operation_request request = {.operation = OPERATION_MACHINE_SHOW};

	operation_set_text(&request, FIELD_MACHINE, guest->id);
	assert_operation(house, &house->alice, &request, OUTCOME_OK, says);
}

/* A software TPM's EK certificate has serial 7. */
static const struct software_revoked OF_EK[] = {{.serial = 7}, {.serial = 0}};
static const struct software_revoked OTHERS[] = {{.serial = 8}, {.serial = 9}, {.serial = 0}};

#define VERIFIED "\"endorsement\":{\"verdict\":\"verified\""
#define REFUSED	 "\"endorsement\":{\"verdict\":\"refused\",\"anchor\":null,\"problem\":\""

/* ---- at enrolment ---- */

static void
test_enrolments_ask_crls(void **state)
{
	static const struct {
		const char *name;
		const struct software_revoked *revoked;
		const char *until;
		bool stale;
		const char *says;
	} cases[] = {
		{"others are revoked", OTHERS, NULL, false, VERIFIED},
		{"nobody is", NULL, NULL, false, VERIFIED},
		{"the EK's certificate is", OF_EK, NULL, false, REFUSED "ek.chain.revoked"},
		{"is, and may be stale", OF_EK, NULL, true, REFUSED "ek.chain.revoked"},
		{"past its time", OTHERS, "20260601000000Z", false, REFUSED "ek.chain.crl.expired"},
		{"past its time, accepted", OTHERS, "20260601000000Z", true, VERIFIED},
		{"accepted, and revoked", OF_EK, "20260601000000Z", true,
		 REFUSED "ek.chain.revoked"},
	};
	struct house *house = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest guest;
		struct issued issued;
		bool admitted = true;
		print_message("%s\n", cases[i].name);
		guest_open(&guest);
		trust_ca(house, &guest);
		house->keeper.options.stale_crls = cases[i].stale;
		issue(&issued, &guest, cases[i].revoked, NULL, cases[i].until);
		assert_operation(house, &house->alice, &issued.request, OUTCOME_OK,
				 "\"machines\":[]");
		assert_int_equal(guest_enroll(house, &guest, &admitted), WIRE_OK);
		assert_false(admitted);
		assert_shown(house, &guest, cases[i].says);
		guest_close(&guest);
	}
}

/* ---- machines that are there ---- */

static void
assert_revoked(struct house *house, struct guest *guest)
{
	assert_int_equal(guest_release(house, guest, &(struct guest_release){0}, NULL),
			 WIRE_IDENTITY);
	assert_shown(house, guest, "\"reason\":\"a CRL revokes its certificate, or one above it\"");
	assert_int_equal(guest_enroll(house, guest, NULL), WIRE_IDENTITY);
}

static void
test_what_a_crl_revokes_stays_revoked(void **state)
{
	struct house *house = *state;
	struct guest guest, other;
	struct issued issued;
	char affected[64], problem[KEEPER_PROBLEM_SIZE];

	guest_open(&guest);
	guest_open(&other); /* of another CA, and its certificate has the same serial number */
	trust_ca(house, &guest);
	trust_ca(house, &other);
	guest_admit(house, &guest, "first");
	guest_admit(house, &other, "second");
	issue(&issued, &guest, OTHERS, "20260101000000Z", NULL);
	assert_operation(house, &house->alice, &issued.request, OUTCOME_OK, "\"machines\":[]");
	assert_int_equal(guest_release(house, &guest, &(struct guest_release){0}, NULL), WIRE_OK);
	issue(&issued, &guest, OF_EK, "20260201000000Z", NULL);
	snprintf(affected, sizeof(affected), "\"machines\":[\"%s\"]", guest.id);
	assert_operation(house, &house->alice, &issued.request, OUTCOME_OK, affected);
	assert_revoked(house, &guest);
	assert_int_equal(guest_release(house, &other, &(struct guest_release){0}, NULL), WIRE_OK);
	/* A newer one that does not list it, none at all, and another start. */
	issue(&issued, &guest, OTHERS, "20260301000000Z", NULL);
	assert_operation(house, &house->alice, &issued.request, OUTCOME_OK, "\"machines\":[]");
	assert_revoked(house, &guest);
	struct operation_request end = {.operation = OPERATION_CRL_END};
	operation_set_text(&end, FIELD_ID, issued.id);
	assert_operation(house, &house->alice, &end, OUTCOME_OK, "stays revoked");
	assert_revoked(house, &guest);
	house_stop(house);
	assert_true(house_start(house, problem));
	assert_revoked(house, &guest);
	assert_int_equal(guest_release(house, &other, &(struct guest_release){0}, NULL), WIRE_OK);
	guest_close(&guest);
	guest_close(&other);
}

static struct issued late;

static void
add_late(struct house *house)
{
	assert_operation(house, &house->alice, &late.request, OUTCOME_OK, "\"machines\":[]");
}

/* Also for one whose examination began before the CRL was there, and after it went. */
static void
test_no_crl_comes_too_late_for_an_enrolment(void **state)
{
	struct house *house = *state;
	struct operation_request end = {.operation = OPERATION_CRL_END};
	struct guest guest;

	guest_open(&guest);
	trust_ca(house, &guest);
	issue(&late, &guest, OF_EK, NULL, NULL);
	house->examining = add_late;
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_OK);
	house->examining = NULL;
	assert_shown(house, &guest, REFUSED "its issuer has revoked");
	guest_close(&guest);
	/* Another TPM whose certificate the same CA gave the same number. */
	struct guest again;
	guest_open(&again);
	trust_ca(house, &again);
	issue(&late, &again, OF_EK, NULL, NULL);
	assert_operation(house, &house->alice, &late.request, OUTCOME_OK, "");
	operation_set_text(&end, FIELD_ID, late.id);
	assert_operation(house, &house->alice, &end, OUTCOME_OK, "");
	assert_int_equal(guest_enroll(house, &again, NULL), WIRE_OK);
	assert_shown(house, &again, REFUSED "its issuer has revoked");
	guest_close(&again);
}

/* A CRL that is replaced while an appraiser has it. */
static void
test_a_crl_is_replaced_while_it_is_examined(void **state)
{
	struct house *house = *state;
	struct guest guest;
	struct issued first;

	guest_open(&guest);
	trust_ca(house, &guest);
	issue(&first, &guest, OTHERS, "20260101000000Z", NULL);
	assert_operation(house, &house->alice, &first.request, OUTCOME_OK, "");
	issue(&late, &guest, NULL, "20260201000000Z", NULL);
	house->examining = add_late;
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_OK);
	house->examining = NULL;
	assert_shown(house, &guest, VERIFIED);
	guest_close(&guest);
}

/* ---- the acts ---- */

static void
test_older_crls_are_refused(void **state)
{
	struct house *house = *state;
	struct operation_request list = {.operation = OPERATION_CRL_LIST};
	struct operation_request end = {.operation = OPERATION_CRL_END};
	struct guest guest;
	struct issued issued;

	guest_open(&guest);
	issue(&issued, &guest, OTHERS, "20260201000000Z", NULL);
	assert_operation(house, &house->alice, &list, OUTCOME_OK,
			 "{\"crls\":[],\"stale_crls\":\"refuse\"}");
	operation_set_text(&end, FIELD_ID, issued.id);
	assert_operation(house, &house->alice, &end, OUTCOME_MISSING, "there is none");
	assert_operation(house, &house->alice, &issued.request, OUTCOME_OK, "2 certificates");
	assert_operation(house, &house->alice, &issued.request, OUTCOME_INVALID,
			 "as new, or newer");
	issue(&issued, &guest, NULL, "20260101000000Z", NULL);
	assert_operation(house, &house->alice, &issued.request, OUTCOME_INVALID,
			 "as new, or newer");
	assert_operation(house, &house->alice, &list, OUTCOME_OK,
			 "\"state\":\"active\",\"revoked\":2,");
	issue(&issued, &guest, NULL, "20260301000000Z", "20260601000000Z");
	assert_operation(house, &house->alice, &issued.request, OUTCOME_OK, "0 certificates");
	assert_operation(house, &house->alice, &list, OUTCOME_OK,
			 "\"state\":\"expired\",\"revoked\":0,");
	operation_set_number(&issued.request, FIELD_FROM, 5, issued.from);
	operation_set_number(&issued.request, FIELD_UNTIL, 4, issued.until);
	assert_operation(house, &house->alice, &issued.request, OUTCOME_INVALID, "ends before");
	guest_close(&guest);
}

/* Of other CAs each, by the keeper's lights: it does not read them. */
static void
test_crls_are_bounded(void **state)
{
	static uint8_t large[WIRE_CRL_MAX];
	struct house *house = *state;
	struct operation_request request = {.operation = OPERATION_CRL_ADD};
	uint8_t from[8], until[8];
	char id[65];

	operation_set_text(&request, FIELD_SUBJECT, "CN=some CA");
	operation_set_number(&request, FIELD_FROM, 1000, from);
	operation_set_number(&request, FIELD_UNTIL, 2000, until);
	for (unsigned i = 0; i <= WIRE_CRLS_SIZE_MAX / WIRE_CRL_MAX; i++) {
		bool fits = i < WIRE_CRLS_SIZE_MAX / WIRE_CRL_MAX;
		snprintf(id, sizeof(id), "%064x", i);
		operation_set_text(&request, FIELD_ID, id);
		operation_set(&request, FIELD_CRL, BYTES_OF(large));
		assert_operation(house, &house->alice, &request,
				 fits ? OUTCOME_OK : OUTCOME_INVALID, fits ? "" : "bytes of CRLs");
	}
	/* One that takes its own place fits, and leaves room. */
	operation_set_text(&request, FIELD_ID,
			   "0000000000000000"
			   "0000000000000000"
			   "0000000000000000"
			   "0000000000000000");
	operation_set_number(&request, FIELD_FROM, 1001, from);
	operation_set(&request, FIELD_CRL, (struct bytes){large, 1000});
	assert_operation(house, &house->alice, &request, OUTCOME_OK, "");
	for (unsigned i = 8; i <= ATTEST_CRLS_MAX; i++) {
		snprintf(id, sizeof(id), "%064x", i);
		operation_set_text(&request, FIELD_ID, id);
		assert_operation(house, &house->alice, &request,
				 i < ATTEST_CRLS_MAX ? OUTCOME_OK : OUTCOME_INVALID,
				 i < ATTEST_CRLS_MAX ? "" : "more than 64 CRLs");
	}
	/* The question of an enrolment holds them all. */
	struct guest guest;
	guest_open(&guest);
	trust_ca(house, &guest);
	assert_int_equal(guest_enroll(house, &guest, NULL), WIRE_OK);
	assert_shown(house, &guest, REFUSED "ek.chain.crl.parse");
	guest_close(&guest);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH_HOUSE(name) cmocka_unit_test_setup_teardown(name, set_up, house_tear_down)
		WITH_HOUSE(test_enrolments_ask_crls),
		WITH_HOUSE(test_what_a_crl_revokes_stays_revoked),
		WITH_HOUSE(test_no_crl_comes_too_late_for_an_enrolment),
		WITH_HOUSE(test_a_crl_is_replaced_while_it_is_examined),
		WITH_HOUSE(test_older_crls_are_refused),
		WITH_HOUSE(test_crls_are_bounded),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
