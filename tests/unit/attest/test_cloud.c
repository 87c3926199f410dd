/* SPDX-License-Identifier: Apache-2.0 */
/* A cloud's AK vouches for Postern's: each link of that may be cut. */
#include "attest/endorsement.h"
#include "software_cloud.h"
#include "spoil.h"

#include <openssl/ec.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1800000000 /* 2027 */

static struct software_tpm tpm;
static struct attest_ak *ak;
static struct software_cloud clouds[2];
static EVP_PKEY *other_key;
static const uint8_t QUALIFYING[ATTEST_HASH_SIZE] = {7};
static const struct software_revoked OF_LEAF[] = {{.serial = 7}, {.serial = 0}};

static int
set_up(void **state)
{
	struct attest_error err;

	(void)state;
	software_tpm_open(&tpm, SOFTWARE_EK_NONE);
	software_cloud_open(&clouds[0], SOFTWARE_ECC);
	software_cloud_open(&clouds[1], SOFTWARE_RSA);
	other_key = EVP_EC_gen("P-256");
	return attest_ak_decode((struct bytes){tpm.ak_public, tpm.ak_public_size}, &ak, &err) !=
	       ATTEST_OK;
}

static int
tear_down(void **state)
{
	(void)state;
	attest_ak_free(ak);
	software_tpm_close(&tpm);
	software_cloud_close(&clouds[0]);
	software_cloud_close(&clouds[1]);
	EVP_PKEY_free(other_key);
	return 0;
}

/* A copy of a cloud to spoil; it shares the keys. */
struct scene {
	struct software_cloud cloud;
	struct software_certification statement;
	struct bytes message, signature, public;
	struct bytes crl;
	uint8_t crl_der[2048];
	bool no_anchor;
};

static void
scene_open(struct scene *scene, unsigned which)
{
	*scene = (struct scene){.cloud = clouds[which]};
	software_certify_fill(&tpm, QUALIFYING, &scene->statement);
}

/* Everything anew after a change. */
static void
scene_make(struct scene *scene)
{
	software_cloud_certify(&scene->cloud);
	software_certify_sign(&scene->cloud, &scene->statement);
	software_signer_describe(&scene->cloud.ak);
	scene->message =
		(struct bytes){scene->statement.made.message, scene->statement.made.message_size};
	scene->signature = (struct bytes){scene->statement.made.signature,
					  scene->statement.made.signature_size};
	scene->public = (struct bytes){scene->cloud.ak.public_area, scene->cloud.ak.public_size};
}

static enum attest_status
verify(const struct scene *scene, struct attest_chain *ret_chain, struct attest_error *err)
{
	struct bytes sent[2] = {scene->cloud.certificates[2], scene->cloud.certificates[1]};
	struct attest_cloud_input input = {.ak = ak,
					   .cloud_public = scene->public,
					   .certificates = sent,
					   .certificate_count = 2,
					   .message = scene->message,
					   .signature = scene->signature};

	memcpy(input.qualifying, QUALIFYING, sizeof(QUALIFYING));
	return attest_cloud_verify(
		&input,
		&(const struct attest_trust){.anchors = &scene->cloud.certificates[0],
					     .anchor_count = scene->no_anchor ? 0 : 1,
					     .crls = &scene->crl,
					     .crl_count = scene->crl.size > 0 ? 1 : 0,
					     .now = NOW},
		ret_chain, err);
}

/* ---- one change each ---- */

#define LEAF (s->cloud.recipes[2])
#define CHANGE(name, code)                                                                         \
	static void name(struct scene *s)                                                          \
	{                                                                                          \
		code;                                                                              \
	}
#define RESTRICTED_SIGN 0x00050072U
CHANGE(nothing, (void)s)
CHANGE(as_google_names_it, LEAF.purpose = "2.23.133.8.1";
       s->cloud.recipes[1].purpose = LEAF.purpose)
CHANGE(without_purpose, LEAF.purpose = NULL)
CHANGE(repudiation_too, LEAF.usage = "critical,digitalSignature,nonRepudiation")
CHANGE(an_eks, LEAF.usage = "critical,keyAgreement"; LEAF.purpose = "2.23.133.8.1")
CHANGE(any_use, LEAF.usage = NULL)
CHANGE(a_ca, LEAF.constraints = "critical,CA:TRUE")
CHANGE(certifies, LEAF.usage = "critical,digitalSignature,keyCertSign")
CHANGE(platform, LEAF.purpose = "2.23.133.8.3,2.23.133.8.2")
CHANGE(server, LEAF.purpose = "serverAuth")
CHANGE(critical, LEAF.unknown = "1.2.3.4")
CHANGE(expired, LEAF.until = "20250101000000Z")
CHANGE(sha1, LEAF.hash = "SHA1")
CHANGE(other_certified, LEAF.key = other_key)
CHANGE(other_signed, LEAF.signer = other_key)
CHANGE(issuer_for_servers, s->cloud.recipes[1].purpose = "serverAuth")
CHANGE(no_anchor, s->no_anchor = true)
CHANGE(unrestricted, s->cloud.ak.attributes = RESTRICTED_SIGN & ~0x10000U)
CHANGE(not_fixed_tpm, s->cloud.ak.attributes = RESTRICTED_SIGN & ~2U)
CHANGE(not_fixed_parent, s->cloud.ak.attributes = RESTRICTED_SIGN & ~0x10U)
CHANGE(imported, s->cloud.ak.attributes = RESTRICTED_SIGN & ~0x20U)
CHANGE(signs_not, s->cloud.ak.attributes = RESTRICTED_SIGN & ~0x40000U)
CHANGE(decrypts, s->cloud.ak.attributes = RESTRICTED_SIGN | 0x20000U)
CHANGE(magic, s->statement.magic = 0xff544348)
CHANGE(a_quote, s->statement.type = 0x8018)
CHANGE(a_creation, s->statement.type = 0x801a)
CHANGE(other_exchange, s->statement.extra[0] ^= 1)
CHANGE(no_exchange, s->statement.extra_size = 0)
CHANGE(other_name, s->statement.name[33] ^= 1)
CHANGE(owners, s->statement.qualified[33] ^= 1)
CHANGE(no_qualified, s->statement.qualified_size = 0)

static const struct {
	const char *name;
	void (*change)(struct scene *scene);
	const char *check; /* NULL: accepted */
} CASES[] = {
	{"nothing", nothing, NULL},
	{"Google's purpose", as_google_names_it, NULL},
	{"no purpose", without_purpose, NULL},
	{"nonRepudiation too", repudiation_too, NULL},
	{"an EK's certificate", an_eks, "cloud.certificate.usage"},
	{"any use", any_use, "cloud.certificate.usage"},
	{"a CA", a_ca, "cloud.certificate.ca"},
	{"keyCertSign", certifies, "cloud.certificate.ca"},
	{"a platform's", platform, "cloud.certificate.platform"},
	{"a server's", server, "cloud.certificate.purpose"},
	{"critical", critical, "certificate.critical"},
	{"expired", expired, "certificate.expired"},
	{"SHA-1", sha1, "certificate.algorithm"},
	{"another key certified", other_certified, "cloud.key"},
	{"another issuer", other_signed, "cloud.chain.signature"},
	{"an issuer for servers", issuer_for_servers, "ca.purpose"},
	{"no anchor", no_anchor, "cloud.chain.anchor"},
	{"unrestricted", unrestricted, "cloud.ak.restricted"},
	{"not fixedTPM", not_fixed_tpm, "cloud.ak.fixedTPM"},
	{"not fixedParent", not_fixed_parent, "cloud.ak.fixedParent"},
	{"imported", imported, "cloud.ak.sensitiveDataOrigin"},
	{"signs not", signs_not, "cloud.ak.sign"},
	{"decrypts", decrypts, "cloud.ak.decrypt"},
	{"magic", magic, "certify.magic"},
	{"a quote", a_quote, "certify.parse"},
	{"a creation", a_creation, "certify.type"},
	{"another exchange", other_exchange, "certify.qualifying"},
	{"no exchange", no_exchange, "certify.qualifying"},
	{"another name", other_name, "certify.name"},
	{"another hierarchy", owners, "certify.hierarchy"},
	{"no qualified name", no_qualified, "certify.hierarchy"},
};

static void
each_change_is_judged_by_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(CASES) / sizeof(CASES[0]); i++) {
		static struct scene scene;
		struct attest_chain chain;
		struct attest_error err = {0};
		const char *check = CASES[i / 2].check;

		scene_open(&scene, i % 2);
		CASES[i / 2].change(&scene);
		scene_make(&scene);
		enum attest_status status = verify(&scene, &chain, &err);
		if ((status == ATTEST_OK) != (check == NULL) ||
		    (check != NULL && strcmp(err.check, check) != 0))
			fail_msg("%s: %d %s: %s", CASES[i / 2].name, status, err.check,
				 err.message);
		if (status == ATTEST_OK)
			assert_int_equal(chain.ca_count, 2);
	}
}

/* The other cloud's AK, its certificate, and the statement of the one. */
static void
parts_of_two_machines_do_not_join(void **state)
{
	static struct scene one;
	static struct scene two;
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	scene_open(&one, 0);
	scene_open(&two, 0);
	software_signer_open(&two.cloud.ak);
	two.cloud.recipes[2].key = two.cloud.ak.key;
	scene_make(&one);
	scene_make(&two);
	assert_int_equal(verify(&two, &chain, &err), ATTEST_OK);
	struct bytes signature = two.signature;
	two.signature = one.signature;
	assert_int_equal(verify(&two, &chain, &err), ATTEST_SIGNATURE);
	assert_string_equal(err.check, "certify.signature");
	two.signature = signature;
	two.public = one.public;
	assert_int_equal(verify(&two, &chain, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "cloud.key");
	software_signer_close(&two.cloud.ak);
}

static void
a_revoked_one_is_refused(void **state)
{
	static struct scene scene;
	struct software_crl crl = {.issuer = "Cloud intermediate", .revoked = OF_LEAF};
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	scene_open(&scene, 0);
	scene_make(&scene);
	crl.signer = scene.cloud.keys[1];
	scene.crl = (struct bytes){scene.crl_der,
				   software_crl_make(&crl, scene.crl_der, sizeof(scene.crl_der))};
	assert_int_equal(verify(&scene, &chain, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "cloud.chain.revoked");
	crl.signer = scene.cloud.keys[0];
	scene.crl.size = software_crl_make(&crl, scene.crl_der, sizeof(scene.crl_der));
	assert_int_not_equal(verify(&scene, &chain, &err), ATTEST_OK);
	assert_string_equal(err.check, "cloud.chain.crl.signature");
}

/* ---- bytes ---- */

static struct scene spoiled;
static struct bytes *spoiled_part;

static bool
accepted(struct bytes part, void *user)
{
	struct bytes kept = *spoiled_part;
	struct attest_chain chain;
	struct attest_error err;

	(void)user;
	*spoiled_part = part;
	enum attest_status status = verify(&spoiled, &chain, &err);
	*spoiled_part = kept;
	return status == ATTEST_OK;
}

static void
no_spoiled_byte_passes(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 2; which++) {
		struct bytes *const parts[] = {&spoiled.message, &spoiled.signature,
					       &spoiled.public};

		scene_open(&spoiled, which);
		scene_make(&spoiled);
		for (size_t i = 0; i < 3; i++) {
			spoiled_part = parts[i];
			assert_true(accepts_copy(*parts[i], accepted, NULL));
			refuses_other_sizes(*parts[i], accepted, NULL);
			/* Of the public area, nameAlg, userWithAuth and noDA are not looked at. */
			if (i < 2)
				refuses_flips(*parts[i], 0, parts[i]->size, accepted, NULL);
			else
				refuses_flips(*parts[i], 10, parts[i]->size, accepted, NULL);
		}
		spoiled_part = &spoiled.cloud.certificates[2];
		for (size_t size = 0; size < spoiled_part->size; size++)
			assert_false(accepts_copy((struct bytes){spoiled_part->data, size},
						  accepted, NULL));
		refuses_flips(*spoiled_part, 0, spoiled_part->size, accepted, NULL);
	}
}

static void
too_much_is_a_limit(void **state)
{
	static uint8_t large[ATTEST_QUOTE_SIZE_MAX + ATTEST_PUBLIC_SIZE_MAX];
	static struct scene scene;
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	scene_open(&scene, 0);
	scene_make(&scene);
	scene.message = (struct bytes){large, ATTEST_QUOTE_SIZE_MAX + 1};
	assert_int_equal(verify(&scene, &chain, &err), ATTEST_LIMIT);
	assert_string_equal(err.check, "certify.size");
	scene.public = (struct bytes){large, ATTEST_PUBLIC_SIZE_MAX + 1};
	assert_int_equal(verify(&scene, &chain, &err), ATTEST_LIMIT);
	assert_string_equal(err.check, "cloud.ak.size");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_change_is_judged_by_its_name),
		cmocka_unit_test(parts_of_two_machines_do_not_join),
		cmocka_unit_test(a_revoked_one_is_refused),
		cmocka_unit_test(no_spoiled_byte_passes),
		cmocka_unit_test(too_much_is_a_limit),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
