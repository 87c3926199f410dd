/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_BENCH_FLOOR_H
#define POSTERN_BENCH_FLOOR_H

/* Microseconds of this thread's CPU, each the faster of OpenSSL's and libsodium's: what no release
 * can do without. */
struct crypto_floor {
	double verify;	   /* one ECDSA P-256 verification with a decoded key */
	double key_pair;   /* one X25519 key pair */
	double agreements; /* two X25519 agreements */
	double seal;	   /* one ChaCha20-Poly1305 seal of 1 KiB */
	double total;
};

struct crypto_floor crypto_floor_measure(void);

#endif
