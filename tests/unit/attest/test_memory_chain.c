/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, CRLs and a cloud's word, with every allocation failing in turn: what could not be
 * looked at may be what was revoked. */
#include "attest/endorsement.h"
#include "chain_world.h"
#include "failing.h"
#include "software_cloud.h"

#include <openssl/ec.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct software_revoked OTHERS[] = {{.serial = 99}, {.serial = 0}};
static const struct software_revoked OF_LEAF[] = {{.serial = 13}, {.serial = 0}};
static const struct software_revoked HELD[] = {{.serial = 13, .reason = 6}, {.serial = 0}};
static const struct software_revoked OF_LOWER[] = {{.serial = 12}, {.serial = 0}};
static const struct software_revoked OF_UPPER[] = {{.serial = 11}, {.serial = 0}};
static const uint8_t INSTANCE[] = {0x30, 15,  0x0c, 1, 'z', 2,	  1, 5,	 0x0c,
				   1,	 'p', 2,    1, 7,   0x0c, 1, 'n'};

/* What is judged, made beforehand: making it allocates too. */
struct evidence {
	uint8_t der[COUNT + 2][WORLD_DER];
	struct bytes sent[3]; /* the leaf, and maybe lower and upper */
	size_t sent_count;
	struct bytes anchors[3];
	size_t anchor_count;
	struct bytes crls[2];
	size_t crl_count;
	struct attest_chain chain; /* the answer, where it is a good one */
};

enum {
	GOOD,
	LEAF_REVOKED,
	LEAF_HELD,
	LOWER_REVOKED,
	PINNED_REVOKED,
	TWIN_REVOKED,
	EXPIRED,
	UNSIGNED,
	DELTA,
	NAMESAKE,
	SHA1_MASK,
	SIGNS,
	ELSEWHERE,
	EVIDENCES
};
static struct evidence evidences[EVIDENCES];
static struct software_tpm machine;
static struct attest_ak *ak;
static struct software_cloud cloud;
static struct software_certification statement;
static const uint8_t QUALIFYING[ATTEST_HASH_SIZE] = {7};
static uint8_t cloud_crl_der[2048];
static struct bytes cloud_crl;

static struct bytes
crl_of(const struct world *world, unsigned issuer, const struct software_revoked *revoked,
       unsigned kind, uint8_t *memory)
{
	struct software_crl crl = {.issuer = world->recipes[issuer].subject,
				   .signer = world->recipes[issuer].key,
				   .revoked = revoked,
				   .until = kind == EXPIRED ? "20260601000000Z" : NULL,
				   .delta = kind == DELTA,
				   .point = kind == ELSEWHERE ? "critical,fullname:URI:http://b/"
							      : NULL,
				   .issuer_key_id = kind == NAMESAKE ? "bb" : NULL};

	if (kind == UNSIGNED || kind == NAMESAKE)
		crl.signer = weak_ec;
	return (struct bytes){memory, software_crl_make(&crl, memory, WORLD_DER)};
}

static const struct {
	unsigned issuer;
	const struct software_revoked *revoked;
} CRLS[EVIDENCES] = {
	[GOOD] = {LOWER, OTHERS},
	[LEAF_REVOKED] = {LOWER, OF_LEAF},
	[LEAF_HELD] = {LOWER, HELD},
	[LOWER_REVOKED] = {UPPER, OF_LOWER},
	[PINNED_REVOKED] = {ROOT, OF_UPPER},
	[TWIN_REVOKED] = {ROOT, OF_UPPER},
	[EXPIRED] = {LOWER, OTHERS},
	[UNSIGNED] = {LOWER, OTHERS},
	[DELTA] = {LOWER, OTHERS},
	[NAMESAKE] = {LOWER, OTHERS},
	[SHA1_MASK] = {LOWER, OTHERS},
	[SIGNS] = {LOWER, OTHERS},
	[ELSEWHERE] = {LOWER, OTHERS},
};

static void
prepare(struct evidence *evidence, unsigned kind)
{
	struct world world = good_world(1);
	struct bytes made[COUNT + 1];

	for (unsigned i = 0; i < COUNT; i++) {
		world.recipes[i].serial = 10 + i;
		if (i != LEAF)
			world.recipes[i].usage = "critical,keyCertSign,cRLSign";
	}
	world.recipes[LOWER].key_id = kind == NAMESAKE ? "aa" : NULL;
	world.recipes[LEAF].instance = BYTES_OF(INSTANCE);
	if (kind == ELSEWHERE)
		world.recipes[LEAF].point = "URI:http://a/";
	if (kind == SHA1_MASK)
		world.recipes[LOWER].mask = "SHA1";
	if (kind == SIGNS)
		world.recipes[LEAF].usage = "critical,digitalSignature";
	for (unsigned i = 0; i < COUNT; i++)
		made[i] = (struct bytes){
			evidence->der[i],
			software_certificate_make(&world.recipes[i], evidence->der[i], WORLD_DER)};
	/* The same CA, signed by itself. */
	world.recipes[UPPER].issuer = "upper";
	world.recipes[UPPER].signer = ca_keys[UPPER];
	world.recipes[UPPER].hash = "SHA256";
	world.recipes[UPPER].serial = 50;
	made[COUNT] = (struct bytes){
		evidence->der[COUNT],
		software_certificate_make(&world.recipes[UPPER], evidence->der[COUNT], WORLD_DER)};
	evidence->sent[evidence->sent_count++] = made[LEAF];
	/* The lower CA alone where it is enough: this is run thousands of times. */
	if (CRLS[kind].issuer == LOWER && kind != GOOD && kind != SHA1_MASK) {
		evidence->anchors[evidence->anchor_count++] = made[LOWER];
		evidence->crls[evidence->crl_count++] =
			crl_of(&world, LOWER, CRLS[kind].revoked, kind, evidence->der[COUNT + 1]);
		return;
	}
	evidence->sent[evidence->sent_count++] = made[LOWER];
	evidence->anchors[evidence->anchor_count++] = made[ROOT];
	if (kind == PINNED_REVOKED || kind == TWIN_REVOKED)
		evidence->anchors[evidence->anchor_count++] = made[UPPER];
	else
		evidence->sent[evidence->sent_count++] = made[UPPER];
	if (kind == TWIN_REVOKED)
		evidence->anchors[evidence->anchor_count++] = made[COUNT];
	evidence->crls[evidence->crl_count++] = crl_of(
		&world, CRLS[kind].issuer, CRLS[kind].revoked, kind, evidence->der[COUNT + 1]);
}

static enum attest_status
judge(struct evidence *evidence)
{
	struct attest_chain chain;
	struct attest_error err;
	const struct attest_trust trust = {.anchors = evidence->anchors,
					   .anchor_count = evidence->anchor_count,
					   .crls = evidence->crls,
					   .crl_count = evidence->crl_count,
					   .now = NOW};

	enum attest_status status = attest_chain_verify(eks[1], evidence->sent,
							evidence->sent_count, &trust, &chain, &err);
	if (status != ATTEST_OK)
		return status;
	/* The whole answer or none: a name that is lost would be an absent one to a policy. */
	if (evidence->chain.ca_count == 0)
		evidence->chain = chain;
	assert_memory_equal(&chain, &evidence->chain, sizeof(chain));
	return status;
}

/* All refusals alike: which it is may change with what could not be had. */
static enum attest_status
judge_bad(unsigned kind)
{
	return judge(&evidences[kind]) == ATTEST_OK ? ATTEST_OK : ATTEST_REFUSED;
}

#define CASE(name, kind)                                                                           \
	static enum attest_status name(void)                                                       \
	{                                                                                          \
		return judge_bad(kind);                                                            \
	}
CASE(leaf_revoked, LEAF_REVOKED)
CASE(lower_revoked, LOWER_REVOKED)
CASE(pinned_revoked, PINNED_REVOKED)
CASE(twin_revoked, TWIN_REVOKED)
CASE(expired, EXPIRED)
CASE(not_signed, UNSIGNED)
CASE(delta, DELTA)
CASE(sha1_mask, SHA1_MASK)
CASE(signs, SIGNS)
CASE(elsewhere, ELSEWHERE)

static enum attest_status
good(void)
{
	return judge(&evidences[GOOD]);
}

static enum attest_status
namesake(void)
{
	return judge(&evidences[NAMESAKE]);
}

/* ---- a cloud's ---- */

static enum attest_status
ask_cloud(bool revoked, bool honest)
{
	struct bytes sent[2] = {cloud.certificates[2], cloud.certificates[1]};
	struct attest_cloud_input input = {
		.ak = ak,
		.cloud_public = {cloud.ak.public_area, cloud.ak.public_size},
		.certificates = sent,
		.certificate_count = 2,
		.message = {statement.made.message, statement.made.message_size},
		.signature = {statement.made.signature, statement.made.signature_size}};
	struct attest_chain chain;
	struct attest_error err;

	memcpy(input.qualifying, QUALIFYING, sizeof(QUALIFYING));
	input.signature.size -= honest ? 0 : 1;
	enum attest_status status =
		attest_cloud_verify(&input,
				    &(const struct attest_trust){.anchors = &cloud.certificates[0],
								 .anchor_count = 1,
								 .crls = &cloud_crl,
								 .crl_count = revoked ? 1 : 0,
								 .now = NOW},
				    &chain, &err);
	return status == ATTEST_OK || (honest && !revoked) ? status : ATTEST_REFUSED;
}

static enum attest_status
cloud_good(void)
{
	return ask_cloud(false, true);
}

static enum attest_status
cloud_revoked(void)
{
	return ask_cloud(true, true);
}

static enum attest_status
cloud_forged(void)
{
	return ask_cloud(false, false);
}

/* ---- what operators bring ---- */

static enum attest_status
describe(void)
{
	struct attest_crl crl;
	struct attest_error err;

	enum attest_status status = attest_crl_describe(
		evidences[GOOD].crls[0], &evidences[LEAF_HELD].anchors[0], 1, &crl, &err);
	if (status == ATTEST_OK) {
		assert_int_equal(crl.revoked, 1);
		assert_string_equal(crl.issuer, "CN=lower");
	}
	return status;
}

static enum attest_status
whom_it_revokes(void)
{
	static const uint8_t issuer[ATTEST_HASH_SIZE] = {1};
	uint8_t links[4][ATTEST_HASH_SIZE];
	struct attest_error err;
	size_t count;

	enum attest_status status =
		attest_crl_revoked(evidences[GOOD].crls[0], issuer, 4, links, &count, &err);
	if (status == ATTEST_OK)
		assert_int_equal(count, 1);
	return status;
}

static enum attest_status
describe_unsigned(void)
{
	struct attest_crl crl;
	struct attest_error err;

	return attest_crl_describe(evidences[UNSIGNED].crls[0], &evidences[UNSIGNED].anchors[0], 1,
				   &crl, &err) == ATTEST_OK
		       ? ATTEST_OK
		       : ATTEST_REFUSED;
}

static enum attest_status
bundle(void)
{
	struct attest_bundle bundle;
	struct attest_error err;

	enum attest_status status =
		attest_bundle_read(evidences[GOOD].sent[0], ATTEST_CERTIFICATE, &bundle, &err);
	if (status != ATTEST_OK)
		return status;
	assert_int_equal(bundle.count, 1);
	attest_bundle_clear(&bundle);
	return ATTEST_OK;
}

static int
set_up(void **state)
{
	struct software_crl crl = {
		.issuer = "Cloud intermediate",
		.revoked = (const struct software_revoked[]){{.serial = 7}, {.serial = 0}}};
	struct attest_error err;

	if (world_set_up(state) != 0)
		return 1;
	/* OpenSSL is ten times as quick with this curve, and allocates alike. */
	EVP_PKEY_free(ca_keys[ROOT]);
	ca_keys[ROOT] = EVP_EC_gen("P-256");
	for (unsigned i = 0; i < EVIDENCES; i++)
		prepare(&evidences[i], i);
	software_tpm_open(&machine, SOFTWARE_EK_NONE);
	software_cloud_open(&cloud, SOFTWARE_ECC);
	software_certify_fill(&machine, QUALIFYING, &statement);
	software_certify_sign(&cloud, &statement);
	crl.signer = cloud.keys[1];
	cloud_crl = (struct bytes){cloud_crl_der,
				   software_crl_make(&crl, cloud_crl_der, sizeof(cloud_crl_der))};
	return attest_ak_decode((struct bytes){machine.ak_public, machine.ak_public_size}, &ak,
				&err) != ATTEST_OK;
}

static int
tear_down(void **state)
{
	attest_ak_free(ak);
	software_tpm_close(&machine);
	software_cloud_close(&cloud);
	return world_tear_down(state);
}

static void
each_allocation_may_fail(void **state)
{
	static const struct failing_case cases[] = {
		{"a good path", good, ATTEST_OK},
		{"a leaf that is revoked", leaf_revoked, ATTEST_REFUSED},
		{"an intermediate that is revoked", lower_revoked, ATTEST_REFUSED},
		{"an anchor that is revoked", pinned_revoked, ATTEST_REFUSED},
		{"an anchor's other certificate", twin_revoked, ATTEST_REFUSED},
		{"a CRL past its time", expired, ATTEST_REFUSED},
		{"a CRL that is not signed", not_signed, ATTEST_REFUSED},
		{"a delta", delta, ATTEST_REFUSED},
		{"a namesake's CRL", namesake, ATTEST_OK},
		{"a mask of SHA-1", sha1_mask, ATTEST_REFUSED},
		{"a key that signs", signs, ATTEST_REFUSED},
		{"a CRL of another place", elsewhere, ATTEST_REFUSED},
		{"a cloud's AK", cloud_good, ATTEST_OK},
		{"a cloud's AK that is revoked", cloud_revoked, ATTEST_REFUSED},
		{"a cloud's AK and no signature", cloud_forged, ATTEST_REFUSED},
		{"a CRL to keep", describe, ATTEST_OK},
		{"whom a CRL revokes", whom_it_revokes, ATTEST_OK},
		{"a CRL that nobody signed", describe_unsigned, ATTEST_REFUSED},
		{"a bundle", bundle, ATTEST_OK},
	};

	(void)state;
	failing_run(cases, sizeof(cases) / sizeof(cases[0]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};

	if (!failing_install())
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
