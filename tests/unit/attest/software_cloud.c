/* SPDX-License-Identifier: Apache-2.0 */
#include "software_cloud.h"

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <string.h>

void
software_cloud_certify(struct software_cloud *cloud)
{
	for (unsigned i = 0; i < 3; i++)
		cloud->certificates[i] = (struct bytes){
			cloud->der[i], software_certificate_make(&cloud->recipes[i], cloud->der[i],
								 sizeof(cloud->der[i]))};
}

void
software_cloud_open(struct software_cloud *cloud, enum software_type type)
{
	*cloud = (struct software_cloud){
		.ak = {.type = type,
		       .bits = type == SOFTWARE_RSA ? 2048 : 256,
		       .scheme = type == SOFTWARE_RSA ? 0x0014 : 0x0018,
		       .hash = 0x000b},
	};
	software_signer_open(&cloud->ak);
	cloud->keys[0] = EVP_RSA_gen(2048);
	cloud->keys[1] = EVP_EC_gen("P-256");
	assert(cloud->keys[0] != NULL && cloud->keys[1] != NULL);
	for (unsigned i = 0; i < 2; i++)
		cloud->recipes[i] = (struct software_certificate){
			.subject = i == 0 ? "Cloud root" : "Cloud intermediate",
			.issuer = "Cloud root",
			.key = cloud->keys[i],
			.signer = cloud->keys[0],
			.constraints = "critical,CA:TRUE",
			.usage = "critical,keyCertSign,cRLSign",
			.purpose = i == 0 ? NULL : "2.23.133.8.3"};
	cloud->recipes[2] = (struct software_certificate){.subject = "a machine",
							  .issuer = "Cloud intermediate",
							  .key = cloud->ak.key,
							  .signer = cloud->keys[1],
							  .constraints = "critical,CA:FALSE",
							  .usage = "critical,digitalSignature",
							  .purpose = "2.23.133.8.3"};
	software_cloud_certify(cloud);
}

void
software_cloud_close(struct software_cloud *cloud)
{
	software_signer_close(&cloud->ak);
	EVP_PKEY_free(cloud->keys[0]);
	EVP_PKEY_free(cloud->keys[1]);
	*cloud = (struct software_cloud){.recipes = {{0}}};
}

void
software_certify_fill(const struct software_tpm *tpm, const uint8_t qualifying[ATTEST_HASH_SIZE],
		      struct software_certification *ret_statement)
{
	struct software_certification statement = {.magic = 0xff544347,
						   .type = 0x8017,
						   .extra_size = ATTEST_HASH_SIZE,
						   .name_size = 34,
						   .name = {0x00, 0x0b},
						   .qualified_size = 34,
						   .qualified = {0x00, 0x0b}};
	uint8_t child[4 + 34] = {0x40, 0, 0, 0x0b};

	memcpy(statement.extra, qualifying, ATTEST_HASH_SIZE);
	assert(EVP_Digest(tpm->ak_public, tpm->ak_public_size, statement.name + 2, NULL,
			  EVP_sha256(), NULL) == 1);
	memcpy(child + 4, statement.name, 34);
	assert(EVP_Digest(child, sizeof(child), statement.qualified + 2, NULL, EVP_sha256(),
			  NULL) == 1);
	*ret_statement = statement;
}

void
software_certify_sign(const struct software_cloud *cloud, struct software_certification *statement)
{
	static const uint8_t signer[34] = {0x00, 0x0b, 1, 2, 3};
	struct software_quote *made = &statement->made;
	struct writer w = writer_of(made->message, sizeof(made->message));

	write_be32(&w, statement->magic);
	write_be16(&w, statement->type);
	write_bytes_be16(&w, BYTES_OF(signer));
	write_bytes_be16(&w, (struct bytes){statement->extra, statement->extra_size});
	write_be64(&w, 1000); /* clock, resetCount, restartCount, safe, firmwareVersion */
	write_be32(&w, 3);
	write_be32(&w, 1);
	write_u8(&w, 1);
	write_be64(&w, 0x20191023);
	write_bytes_be16(&w, (struct bytes){statement->name, statement->name_size});
	write_bytes_be16(&w, (struct bytes){statement->qualified, statement->qualified_size});
	assert(!w.failed);
	made->message_size = w.size;
	software_signer_sign_message(&cloud->ak, made);
}
