/* SPDX-License-Identifier: Apache-2.0 */
/* What the RFCs' test vectors need and nobody else. */
#ifndef POSTERN_WIRE_HPKE_INTERNAL_H
#define POSTERN_WIRE_HPKE_INTERNAL_H

#include "hpke.h"

struct hpke_seal_input {
	const uint8_t *recipient_public;
	const uint8_t *sender_private; /* NULL: base mode */
	const uint8_t *sender_public;
	struct bytes info;
	struct bytes aad;
	struct bytes plain;
};
/* hpke_seal with the ephemeral key given: a key used twice gives the plain text away. */
__attribute__((warn_unused_result)) bool
hpke_seal_with(const struct hpke_seal_input *input, const uint8_t ephemeral_private[HPKE_KEY_SIZE],
	       uint8_t *ret_sealed);

/* HKDF-Extract with SHA-256 (RFC 5869, 2.2), all input in one piece. */
void hkdf_extract(struct bytes salt, struct bytes input, uint8_t ret_key[32]);

#endif
