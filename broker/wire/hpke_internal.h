/* SPDX-License-Identifier: Apache-2.0 */
/* hpke_seal with the ephemeral key given, for RFC 9180's test vectors alone: a key used twice
 * gives the plain text away. */
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
__attribute__((warn_unused_result)) bool
hpke_seal_with(const struct hpke_seal_input *input, const uint8_t ephemeral_private[HPKE_KEY_SIZE],
	       uint8_t *ret_sealed);

#endif
