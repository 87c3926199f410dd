/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4648, 4: padded, no white space, no spare bits. libsodium's takes bytes above 127 for
 * characters, and seven times as long, for it is constant-time: what passes here is public or
 * sealed. */
#ifndef POSTERN_GATEWAY_BASE64_H
#define POSTERN_GATEWAY_BASE64_H

#include "attest/bytes.h"

#define BASE64_ENCODED_SIZE(size) (((size) + 2) / 3 * 4)

/* `ret_bytes` has room for size / 4 * 3, and may be written to on failure. */
__attribute__((warn_unused_result)) bool base64_decode(const char *text, size_t size,
						       uint8_t *ret_bytes, size_t *ret_size);
/* Exactly BASE64_ENCODED_SIZE characters, no NUL. */
void base64_encode(struct bytes bytes, char *ret_text);

#endif
