/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operators' key files: an Ed25519 seed, in the clear or under a passphrase.
 *
 *   file    = header line, base64 line
 *   plain   = "postern operator key 1"                    seed:32
 *   sealed  = "postern operator key 1, sealed"   passes:u32 || kibibytes:u32 || salt:16 || nonce:24
 * || box:48
 *
 * box is crypto_secretbox of the seed under crypto_pwhash (argon2id) of the passphrase.
 */
#ifndef POSTERN_COMMAND_KEY_H
#define POSTERN_COMMAND_KEY_H

#include "store/secret.h"

#define KEY_SEED_SIZE	32
#define KEY_PUBLIC_SIZE 32

/* A new seed. 0 or EX_SOFTWARE. */
int key_generate(struct secret **ret_seed);
void key_public(const struct secret *seed, uint8_t ret_public[KEY_PUBLIC_SIZE]);

/* `passphrase` NULL: in the clear. The file must not exist. 0, EX_CANTCREAT or EX_SOFTWARE. */
int key_write(const char *path, const struct secret *seed, const struct secret *passphrase);
/* A sealed key asks at the terminal, or takes the first line of `passphrase_file` (NULL: ask). One
 * in the clear that others can read is refused. */
int key_read(const char *path, const char *passphrase_file, struct secret **ret_seed);
/* The first line of a file. */
int key_passphrase_read(const char *path, struct secret **ret_passphrase);

#endif
