/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates that somebody heaped up: each once, and in an order that is theirs, not the giver's.
 * Private to the verifier. */
#ifndef POSTERN_ATTEST_PILE_H
#define POSTERN_ATTEST_PILE_H

#include "certificate.h"

struct pile_item {
	uint8_t fingerprint[ATTEST_HASH_SIZE]; /* SHA-256 of the DER; the order */
	X509 *certificate;
};
struct pile {
	size_t count;
	struct pile_item *items;
};
void pile_clear(struct pile *pile);
#define auto_pile __attribute__((cleanup(pile_clear))) struct pile

/* `lenient`: what does not parse is left out. A guest sends what its NV holds, and a helper that is
 * not understood helps nobody; an anchor that is not is a defect of ours. */
__attribute__((warn_unused_result)) enum attest_status pile_load(const struct bytes *input,
								 size_t count, bool lenient,
								 struct pile *ret_pile,
								 struct attest_error *err);

#endif
