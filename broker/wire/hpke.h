/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HPKE, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; single-shot, base
 * and auth modes. Here because neither OpenSSL 3.0 nor libsodium has it. All keys are raw 32-byte
 * X25519 keys.
 */
#ifndef POSTERN_WIRE_HPKE_H
#define POSTERN_WIRE_HPKE_H

#include "attest/bytes.h"

#define HPKE_KEY_SIZE 32
#define HPKE_OVERHEAD (HPKE_KEY_SIZE + 16) /* enc and tag */

/* Output: enc:32 || ciphertext || tag:16, plain.size + HPKE_OVERHEAD bytes. `sender_private`
 * NULL: base mode, else auth mode (with sender_public beside it, to spare its computation).
 * False: the recipient's key is a low-order point. */
__attribute__((warn_unused_result)) bool hpke_seal(const uint8_t recipient_public[HPKE_KEY_SIZE],
						   const uint8_t *sender_private,
						   const uint8_t *sender_public, struct bytes info,
						   struct bytes aad, struct bytes plain,
						   uint8_t *ret_sealed);
/* Opens what hpke_seal made into sealed.size - HPKE_OVERHEAD bytes. `sender_public` NULL: base
 * mode. False: it does not open, and ret_plain is zeroed. */
__attribute__((warn_unused_result)) bool hpke_open(const uint8_t recipient_private[HPKE_KEY_SIZE],
						   const uint8_t recipient_public[HPKE_KEY_SIZE],
						   const uint8_t *sender_public, struct bytes info,
						   struct bytes aad, struct bytes sealed,
						   uint8_t *ret_plain);

/* HKDF-Expand with SHA-256 (RFC 5869, 2.3), which libsodium 1.0.18 lacks; also for the keeper's MAC
 * subkeys. */
void hkdf_expand(const uint8_t key[32], struct bytes info, uint8_t *ret_output,
		 size_t size); /* size <= 255*32 */

#endif
