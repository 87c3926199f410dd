/* SPDX-License-Identifier: Apache-2.0 */
#include "chain_world.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct software_tpm tpms[3];
struct attest_ek *eks[3];
EVP_PKEY *ca_keys[3];
EVP_PKEY *weak_rsa;
EVP_PKEY *weak_ec;

int
world_set_up(void **state)
{
	struct attest_error err;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		software_tpm_open(&tpms[i], (enum software_ek)i);
		if (attest_ek_decode((struct bytes){tpms[i].ek_public, tpms[i].ek_public_size},
				     &eks[i], &err) != ATTEST_OK)
			return 1;
	}
	ca_keys[ROOT] = EVP_EC_gen("P-384");
	ca_keys[UPPER] = EVP_RSA_gen(2048);
	ca_keys[LOWER] = EVP_EC_gen("P-256");
	weak_rsa = EVP_RSA_gen(1024);
	weak_ec = EVP_EC_gen("P-224");
	return 0;
}

int
world_tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		attest_ek_free(eks[i]);
		software_tpm_close(&tpms[i]);
		EVP_PKEY_free(ca_keys[i]);
	}
	EVP_PKEY_free(weak_rsa);
	EVP_PKEY_free(weak_ec);
	return 0;
}

struct world
good_world(unsigned kind)
{
	struct world world = {.ek = eks[kind], .now = NOW};

	world.recipes[ROOT] = (struct software_certificate){.subject = "root",
							    .issuer = "root",
							    .key = ca_keys[ROOT],
							    .signer = ca_keys[ROOT],
							    .hash = "SHA1",
							    .constraints = "critical,CA:TRUE",
							    .usage = "critical,keyCertSign"};
	world.recipes[UPPER] =
		(struct software_certificate){.subject = "upper",
					      .issuer = "root",
					      .key = ca_keys[UPPER],
					      .signer = ca_keys[ROOT],
					      .hash = "SHA384",
					      .constraints = "critical,CA:TRUE,pathlen:1",
					      .usage = "critical,keyCertSign,cRLSign",
					      .purpose = "2.23.133.8.1"};
	world.recipes[LOWER] =
		(struct software_certificate){.subject = "lower",
					      .issuer = "upper",
					      .key = ca_keys[LOWER],
					      .signer = ca_keys[UPPER],
					      .constraints = "critical,CA:TRUE,pathlen:0",
					      .usage = "critical,keyCertSign"};
	world.recipes[LEAF] = (struct software_certificate){
		.issuer = "lower",
		.key = tpms[kind].ek,
		.signer = ca_keys[LOWER],
		.constraints = "critical,CA:FALSE",
		.usage = kind == SOFTWARE_EK_RSA ? "critical,keyEncipherment"
						 : "critical,keyAgreement",
		.purpose = "2.23.133.8.1",
		.names = true};
	return world;
}

struct bytes
dress_leaf(const struct world *world, uint8_t *memory, size_t capacity)
{
	static const uint8_t header[] = {0x10, 0x01, 0x00, 0x05, 0x00, 0x10, 0x02};
	struct writer w = writer_of(memory, capacity);
	uint8_t der[4096];
	size_t size = software_certificate_make(&world->recipes[LEAF], der, sizeof(der));

	if (world->header)
		write_bytes(&w, BYTES_OF(header));
	write_bytes(&w, (struct bytes){der, size});
	for (unsigned i = 0; world->padding != 0 && i < 100; i++)
		write_u8(&w, (uint8_t)(world->padding - 1));
	assert_false(w.failed);
	return writer_bytes(&w);
}

enum attest_status
verify(const struct world *world, struct attest_chain *ret_chain, struct attest_error *err)
{
	uint8_t der[COUNT][4096];
	struct bytes made[COUNT];
	struct bytes sent[3];
	size_t sent_count = 0;
	uint8_t crl_der[WORLD_CRLS][WORLD_DER];
	struct bytes crls[WORLD_CRLS];

	for (unsigned i = ROOT; i < LEAF; i++)
		made[i] = (struct bytes){der[i], software_certificate_make(&world->recipes[i],
									   der[i], sizeof(der[i]))};
	made[LEAF] = dress_leaf(world, der[LEAF], sizeof(der[LEAF]));
	sent[sent_count++] = made[LEAF];
	if (!world->upper_is_anchor)
		sent[sent_count++] = made[UPPER];
	if (!world->without_lower)
		sent[sent_count++] = made[LOWER];
	for (size_t i = 0; i < world->crl_count; i++)
		crls[i] = (struct bytes){crl_der[i],
					 software_crl_make(&world->crls[i], crl_der[i], WORLD_DER)};
	size_t anchor_count = world->no_anchor ? 0 : world->upper_is_anchor ? 2 : 1;
	return attest_chain_verify(world->ek, sent, sent_count,
				   &(const struct attest_trust){.anchors = made,
								.anchor_count = anchor_count,
								.crls = crls,
								.crl_count = world->crl_count,
								.stale_crls = world->stale_crls,
								.now = world->now},
				   ret_chain, err);
}

void
public_key_id(EVP_PKEY *key, uint8_t ret[ATTEST_HASH_SIZE])
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key, &der);

	assert_true(size > 0);
	EVP_Digest(der, (size_t)size, ret, NULL, EVP_sha256(), NULL);
	OPENSSL_free(der);
}
