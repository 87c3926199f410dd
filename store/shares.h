/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A root key in `count` shares, any `threshold` of which make it again and fewer of which say
 * nothing about it: Shamir's scheme over GF(2^8) with the field of AES (x^8 + x^4 + x^3 + x + 1),
 * byte by byte, in constant time in the bytes. FORMAT.md, "Shares". A header of its own because a
 * command that handles shares needs no store.
 */
#ifndef POSTERN_STORE_SHARES_H
#define POSTERN_STORE_SHARES_H

#include "secret.h"
#include "store.h"

#define SHARES_MAX	 32
#define SHARE_SET_SIZE	 8
#define SHARE_HASH_SIZE	 32
#define SHARE_TEXT_SIZE	 160 /* of a share as text, its NUL included */
#define SHARES_NOTE_SIZE (2 + SHARE_SET_SIZE + SHARES_MAX * SHARE_HASH_SIZE)

/* Secret: lives in a struct secret's bytes. */
struct share {
	uint8_t set[SHARE_SET_SIZE]; /* random: shares of two sets do not mix */
	uint8_t threshold;
	uint8_t count;
	uint8_t number; /* 1..count */
	uint8_t bytes[STORE_ROOT_KEY_SIZE];
};

/* What is known of a set without any share: stands in the clear, and tells a wrong share by name. A
 * share has 256 random bits, so that its hash tells nothing else. */
struct share_set {
	uint8_t set[SHARE_SET_SIZE];
	uint8_t threshold;
	uint8_t count; /* 0: there is no set, the key lies elsewhere */
	uint8_t hashes[SHARES_MAX][SHARE_HASH_SIZE];
};

/* `ret_shares`: count of them, in locked memory. False: not 1 <= threshold <= count <= SHARES_MAX,
 * or a threshold of 1 with several shares, each of which would be the key. */
__attribute__((warn_unused_result)) bool shares_split(const struct secret *root_key,
						      uint8_t threshold, uint8_t count,
						      struct share *ret_shares,
						      struct share_set *ret_set);
/* `ret_root_key` has room for STORE_ROOT_KEY_SIZE bytes. False: not exactly one set's threshold of
 * distinct shares. That the key is the right one, only the store can tell. */
__attribute__((warn_unused_result)) bool shares_combine(const struct share *shares, size_t count,
							struct secret *ret_root_key);

enum share_verdict {
	SHARE_GOOD = 0,
	SHARE_OTHER_SET, /* of an older or another store's set */
	SHARE_WRONG,	 /* of this set by its name, and not what was handed out */
};
enum share_verdict share_check(const struct share_set *set, const struct share *share);

/* One line of lower-case text with a checksum; reading forgives upper case, spaces and line ends.
 */
void share_write(const struct share *share, char ret_text[SHARE_TEXT_SIZE]);
__attribute__((warn_unused_result)) bool share_read(const char *text, size_t size,
						    struct share *ret_share);

/* The set as a store's note. */
size_t share_set_write(const struct share_set *set, uint8_t ret_note[SHARES_NOTE_SIZE]);
__attribute__((warn_unused_result)) bool share_set_read(struct store_bytes note,
							struct share_set *ret_set);

#endif
