/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the seeds of the targets crl, instance, bundle and cloud into corpus/:
 * make_certificate_seeds CORPUS-FOLDER. New keys each time. */
#include "tests/unit/attest/software_cloud.h"
#include "tests/unit/attest/software_tpm.h"

#include <assert.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char *folder;

static void
save(const char *target, const char *name, struct bytes seed)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s", folder, target, name);
	FILE *file = fopen(path, "wb");
	assert(file != NULL && fwrite(seed.data, 1, seed.size, file) == seed.size);
	assert(fclose(file) == 0);
}

static void
save_crl(const struct software_tpm *tpm, struct bytes issuer, const char *name,
	 const struct software_crl *recipe)
{
	uint8_t memory[16384];
	uint8_t der[4096];
	struct writer w = writer_of(memory, sizeof(memory));
	struct bytes crl = {der, software_crl_make(recipe, der, sizeof(der))};

	write_bytes_be16(&w, (struct bytes){tpm->ek_certificate, tpm->ek_certificate_size});
	write_bytes_be16(&w, issuer);
	write_bytes(&w, crl);
	assert(!w.failed);
	save("crl", name, writer_bytes(&w));
	save("bundle", name, crl);
}

static void
save_crls(const struct software_tpm *tpm)
{
	static const struct software_revoked revoked[] = {
		{.serial = 7}, {.serial = 9, .reason = 6}, {.serial = 0}};
	static const struct software_revoked others[] = {{.serial = 99}, {.serial = 0}};
	const struct software_certificate issuer = {.subject = "Software TPM root",
						    .issuer = "Software TPM root",
						    .key = tpm->ca,
						    .signer = tpm->ca,
						    .constraints = "critical,CA:TRUE",
						    .usage = "critical,keyCertSign,cRLSign"};
	struct software_crl crl = {.issuer = issuer.subject, .signer = tpm->ca, .revoked = others};
	uint8_t der[4096];
	struct bytes ca = {der, software_certificate_make(&issuer, der, sizeof(der))};

	save_crl(tpm, ca, "good", &crl);
	crl.revoked = revoked;
	save_crl(tpm, ca, "revoked", &crl);
	crl.point = "critical,fullname:URI:http://crl/";
	crl.issuer_key_id = "aabbcc";
	save_crl(tpm, ca, "point", &crl);
	crl.delta = true;
	crl.until = "20260601000000Z";
	save_crl(tpm, ca, "delta", &crl);
}

static void
save_cloud(const struct software_tpm *tpm, enum software_type type, const char *name)
{
	static const uint8_t qualifying[ATTEST_HASH_SIZE] = {7};
	uint8_t memory[16384];
	struct writer w = writer_of(memory, sizeof(memory));
	struct software_certification statement;
	struct software_cloud cloud;

	software_cloud_open(&cloud, type);
	software_certify_fill(tpm, qualifying, &statement);
	software_certify_sign(&cloud, &statement);
	write_bytes_be16(&w, (struct bytes){tpm->ak_public, tpm->ak_public_size});
	write_bytes_be16(&w, (struct bytes){cloud.ak.public_area, cloud.ak.public_size});
	write_bytes_be16(&w, (struct bytes){statement.made.message, statement.made.message_size});
	write_bytes_be16(&w,
			 (struct bytes){statement.made.signature, statement.made.signature_size});
	write_bytes_be16(&w, cloud.certificates[2]);
	write_bytes_be16(&w, cloud.certificates[1]);
	assert(!w.failed);
	save("cloud", name, writer_bytes(&w));
	software_cloud_close(&cloud);
}

static void
save_bundles(const struct software_tpm *tpm)
{
	static const uint8_t header[] = {0x10, 0x01, 0x00, 0x05, 0x00, 0x10, 0x02};
	uint8_t memory[16384];
	struct writer w = writer_of(memory, sizeof(memory));
	struct bytes leaf = {tpm->ek_certificate, tpm->ek_certificate_size};
	char *text = NULL;
	BIO *bio = BIO_new(BIO_s_mem());

	write_bytes(&w, BYTES_OF(header));
	write_bytes(&w, leaf);
	write_bytes(&w, leaf);
	write_be32(&w, 0xffffffff);
	save("bundle", "nv", writer_bytes(&w));
	for (unsigned i = 0; i < 2; i++)
		assert(PEM_write_bio(bio, "CERTIFICATE", "", leaf.data, (long)leaf.size) > 0);
	long size = BIO_get_mem_data(bio, &text);
	save("bundle", "pem", (struct bytes){(const uint8_t *)text, (size_t)size});
	BIO_free(bio);
}

int
main(int argc, char **argv)
{
	static const uint8_t whole[] = {0x30, 0x16, 0x0c, 1, 'z', 0x02, 1,    5, 0x0c, 1, 'p', 0x02,
					1,    7,    0x0c, 2, 'v', 'm',	0xa0, 4, 0x30, 2, 5,   0};
	static const uint8_t large[] = {0x30, 0x1d, 0x0c, 3, 'z', '-',	'1', 0x02, 9,	 0,
					0xff, 1,    2,	  3, 4,	  5,	6,   7,	   0x0c, 1,
					'p',  0x02, 2,	  1, 44,  0x0c, 3,   'a',  'b',	 'c'};
	struct software_tpm tpm;

	assert(argc == 2);
	folder = argv[1];
	software_tpm_open(&tpm, SOFTWARE_EK_P256);
	save_crls(&tpm);
	save_bundles(&tpm);
	save_cloud(&tpm, SOFTWARE_ECC, "ecc");
	save_cloud(&tpm, SOFTWARE_RSA, "rsa");
	save("instance", "whole", BYTES_OF(whole));
	save("instance", "large", BYTES_OF(large));
	software_tpm_close(&tpm);
	return 0;
}
