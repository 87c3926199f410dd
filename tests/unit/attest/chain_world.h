/* SPDX-License-Identifier: Apache-2.0 */
/* A root, two intermediates, an EK, and what they revoked: each case changes a line of one. */
#ifndef POSTERN_TESTS_CHAIN_WORLD_H
#define POSTERN_TESTS_CHAIN_WORLD_H

#include "attest/endorsement.h"
#include "software_ca.h"
#include "software_tpm.h"

#define NOW	   1800000000 /* 2027 */
#define WORLD_CRLS 4
#define WORLD_DER  4096

enum { ROOT, UPPER, LOWER, LEAF, COUNT };
struct world {
	struct software_certificate recipes[COUNT];
	const struct attest_ek *ek;
	int64_t now;
	bool upper_is_anchor; /* and then the root is one too */
	bool no_anchor;
	bool without_lower; /* the guest does not send it */
	unsigned padding;   /* 1 + the byte that follows the leaf */
	bool header;	    /* that of TCG_PCCLIENT_STORED_CERT before the leaf */
	size_t crl_count;
	struct software_crl crls[WORLD_CRLS];
	bool stale_crls;
};

extern struct software_tpm tpms[3];
extern struct attest_ek *eks[3];
extern EVP_PKEY *ca_keys[3];
extern EVP_PKEY *weak_rsa;
extern EVP_PKEY *weak_ec;

int world_set_up(void **state);
int world_tear_down(void **state);
struct world good_world(unsigned kind);
struct bytes dress_leaf(const struct world *world, uint8_t *memory, size_t capacity);
enum attest_status verify(const struct world *world, struct attest_chain *ret_chain,
			  struct attest_error *err);
void public_key_id(EVP_PKEY *key, uint8_t ret[ATTEST_HASH_SIZE]);

#endif
