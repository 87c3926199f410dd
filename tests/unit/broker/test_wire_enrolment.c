/* SPDX-License-Identifier: Apache-2.0 */
/* What keeper and appraiser say of an enrolment: spoils that a bit flip of the samples does not
 * reach. */
#include "wire/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct bytes
word(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static bool
appraisal_accepted(const struct wire_appraisal *message)
{
	static uint8_t memory[40 * 1024];
	static struct wire_appraisal decoded;
	struct writer w = writer_of(memory, sizeof(memory));
	wire_appraisal_write(&w, message);
	return !w.failed && wire_appraisal_read(writer_bytes(&w), &decoded);
}

static bool
enrolment_accepted(const struct wire_examine_enrolment *message)
{
	static uint8_t memory[3 * 1024 * 1024];
	static struct wire_examine_enrolment decoded;
	struct writer w = writer_of(memory, sizeof(memory));
	wire_examine_enrolment_write(&w, message);
	return !w.failed && wire_examine_enrolment_read(writer_bytes(&w), &decoded);
}

static void
test_questions_about_enrolments(void **state)
{
	static const uint8_t zeros[WIRE_CRL_MAX + 1];
	static struct wire_examine_enrolment good, bad;
	(void)state;
	good = (struct wire_examine_enrolment){.ek_public = word("ek"),
					       .ak_public = word("ak"),
					       .transcript = {zeros, ATTEST_HASH_SIZE},
					       .crl_count = ATTEST_CRLS_MAX,
					       .pcrs = {zeros, WIRE_PCRS_SIZE}};
	for (size_t i = 0; i < ATTEST_CRLS_MAX; i++)
		good.crls[i] = (struct bytes){zeros, WIRE_CRLS_SIZE_MAX / ATTEST_CRLS_MAX};
	assert_true(enrolment_accepted(&good));
	bad = good;
	bad.crls[0].size++;
	assert_false(enrolment_accepted(&bad)); /* more than all may be */
	bad.crls[1].size--;
	assert_true(enrolment_accepted(&bad));
	bad.crls[1].size = 0;
	assert_false(enrolment_accepted(&bad));
	bad = good;
	bad.crl_count = 1;
	bad.crls[0] = (struct bytes){zeros, WIRE_CRL_MAX};
	assert_true(enrolment_accepted(&bad));
	bad.crls[0].size++;
	assert_false(enrolment_accepted(&bad)); /* more than one may be */
	bad = good;
	bad.transcript.size--;
	assert_false(enrolment_accepted(&bad));
	bad = good;
	bad.ak_public.size = 0;
	assert_false(enrolment_accepted(&bad));
}

/* All of it, or none of it. */
static void
test_half_a_clouds_evidence(void **state)
{
	static const uint8_t zeros[ATTEST_QUOTE_SIZE_MAX + 1], pcrs[WIRE_PCRS_SIZE];
	static struct wire_examine_enrolment good, bad;
	(void)state;
	good = (struct wire_examine_enrolment){.ek_public = word("ek"),
					       .ak_public = word("ak"),
					       .transcript = {zeros, ATTEST_HASH_SIZE},
					       .pcrs = BYTES_OF(pcrs),
					       .cloud = {.sent = true,
							 .public_area = word("cloud"),
							 .certificate_count = 1,
							 .certificates = {word("certificate")},
							 .message = word("message"),
							 .signature = word("signature")}};
	assert_true(enrolment_accepted(&good));
	struct bytes *const parts[] = {&bad.cloud.public_area, &bad.cloud.certificates[0],
				       &bad.cloud.message, &bad.cloud.signature};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		bad = good;
		parts[i]->size = 0;
		assert_false(enrolment_accepted(&bad));
	}
	bad = good;
	bad.cloud.certificate_count = 0;
	assert_false(enrolment_accepted(&bad));
	bad.cloud.certificate_count = ATTEST_CERTIFICATES_MAX + 1;
	assert_false(enrolment_accepted(&bad));
	bad = good;
	bad.cloud.message = BYTES_OF(zeros);
	assert_false(enrolment_accepted(&bad));
	bad = good;
	bad.cloud.sent = false; /* and then nothing of it is written */
	assert_true(enrolment_accepted(&bad));
}

static void
test_hostile_chains(void **state)
{
	static struct wire_appraisal bad,
		verified = {.chain = WIRE_VERIFIED, .cloud = WIRE_VERIFIED};
	(void)state;
	assert_true(appraisal_accepted(&verified));
	bad = verified;
	bad.cloud_chain.link_count = ATTEST_LINKS_MAX;
	bad.cloud_chain.ca_count = ATTEST_CHAIN_MAX;
	assert_true(appraisal_accepted(&bad));
	bad.cloud_chain.link_count++;
	assert_false(appraisal_accepted(&bad));
	bad = verified;
	bad.cloud_chain.ca_count = ATTEST_CHAIN_MAX + 1;
	assert_false(appraisal_accepted(&bad));
	bad = verified;
	bad.cloud = (enum wire_verdict)(WIRE_VERIFIED + 1);
	assert_false(appraisal_accepted(&bad));
	/* A count that an encoder of ours does not write: links of the EK's chain, and its CAs. */
	static uint8_t memory[4096];
	static struct wire_appraisal decoded;
	for (size_t at = 4; at < 6; at++) {
		struct writer w = writer_of(memory, sizeof(memory));
		wire_appraisal_write(&w, &verified);
		assert_false(w.failed);
		memory[at] = ATTEST_LINKS_MAX + 1;
		assert_false(wire_appraisal_read(writer_bytes(&w), &decoded));
	}
	/* What an instance is called is shown to people. */
	bad = verified;
	bad.cloud_chain.instance = (struct attest_instance){.known = true, .zone = "a\x1b[2J"};
	struct writer w = writer_of(memory, sizeof(memory));
	wire_appraisal_write(&w, &bad);
	assert_true(wire_appraisal_read(writer_bytes(&w), &decoded));
	assert_string_equal(decoded.cloud_chain.instance.zone, "a?[2J");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions_about_enrolments),
		cmocka_unit_test(test_half_a_clouds_evidence),
		cmocka_unit_test(test_hostile_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
