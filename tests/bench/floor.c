/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "floor.h"

#define FLOOR_ROUNDS 7
#define FLOOR_CALLS  400

struct floor_state {
	EVP_PKEY *signer;
	EVP_PKEY *x25519;
	EVP_PKEY *peer;
	uint8_t message[145]; /* as long as a quote of 16 PCRs */
	uint8_t signature[80];
	size_t signature_size;
	uint8_t private_key[32];
	uint8_t public_key[32];
};

static double
thread_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median of some rounds of many calls. */
static double
cost(void (*call)(struct floor_state *), struct floor_state *state)
{
	double rounds[FLOOR_ROUNDS];

	for (int round = 0; round < FLOOR_ROUNDS; round++) {
		double start = thread_us();
		for (int i = 0; i < FLOOR_CALLS; i++)
			call(state);
		rounds[round] = (thread_us() - start) / FLOOR_CALLS;
	}
	qsort(rounds, FLOOR_ROUNDS, sizeof(rounds[0]), compare);
	return rounds[FLOOR_ROUNDS / 2];
}

static void
verify(struct floor_state *state)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	assert(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, state->signer) == 1);
	assert(EVP_DigestVerify(context, state->signature, state->signature_size, state->message,
				sizeof(state->message)) == 1);
	EVP_MD_CTX_free(context);
}

static void
key_pair_openssl(struct floor_state *state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

	(void)state;
	assert(key != NULL);
	EVP_PKEY_free(key);
}

static void
key_pair_sodium(struct floor_state *state)
{
	uint8_t private_key[32];
	uint8_t public_key[32];

	(void)state;
	randombytes_buf(private_key, sizeof(private_key));
	assert(crypto_scalarmult_base(public_key, private_key) == 0);
}

static void
agree_openssl(struct floor_state *state)
{
	for (int i = 0; i < 2; i++) {
		uint8_t shared[32];
		size_t size = sizeof(shared);
		EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(state->x25519, NULL);
		assert(EVP_PKEY_derive_init(context) == 1 &&
		       EVP_PKEY_derive_set_peer(context, state->peer) == 1 &&
		       EVP_PKEY_derive(context, shared, &size) == 1);
		EVP_PKEY_CTX_free(context);
	}
}

static void
agree_sodium(struct floor_state *state)
{
	for (int i = 0; i < 2; i++) {
		uint8_t shared[32];
		assert(crypto_scalarmult(shared, state->private_key, state->public_key) == 0);
	}
}

static void
seal_sodium(struct floor_state *state)
{
	static const uint8_t plain[1024];
	uint8_t sealed[1024 + 16];
	uint8_t nonce[12] = {0};

	assert(crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, plain, sizeof(plain), NULL,
							 0, NULL, nonce, state->private_key) == 0);
}

static void
seal_openssl(struct floor_state *state)
{
	static const uint8_t plain[1024];
	uint8_t sealed[1024 + 16];
	uint8_t nonce[12] = {0};
	int size;
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	assert(EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), NULL, state->private_key,
				  nonce) == 1 &&
	       EVP_EncryptUpdate(context, sealed, &size, plain, sizeof(plain)) == 1 &&
	       EVP_EncryptFinal_ex(context, sealed + size, &size) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, sealed + 1024) == 1);
	EVP_CIPHER_CTX_free(context);
}

static void
prepare(struct floor_state *state)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	assert(sodium_init() >= 0);
	state->signer = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	state->x25519 = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	state->peer = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	state->signature_size = sizeof(state->signature);
	assert(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, state->signer) == 1);
	assert(EVP_DigestSign(context, state->signature, &state->signature_size, state->message,
			      sizeof(state->message)) == 1);
	EVP_MD_CTX_free(context);
	randombytes_buf(state->private_key, sizeof(state->private_key));
	assert(crypto_scalarmult_base(state->public_key, state->private_key) == 0);
}

static double
faster(double a, double b)
{
	return a < b ? a : b;
}

struct crypto_floor
crypto_floor_measure(void)
{
	struct floor_state state = {0};
	struct crypto_floor result;

	prepare(&state);
	result.verify = cost(verify, &state);
	result.key_pair = faster(cost(key_pair_openssl, &state), cost(key_pair_sodium, &state));
	result.agreements = faster(cost(agree_openssl, &state), cost(agree_sodium, &state));
	result.seal = faster(cost(seal_openssl, &state), cost(seal_sodium, &state));
	result.total = result.verify + result.key_pair + result.agreements + result.seal;
	EVP_PKEY_free(state.signer);
	EVP_PKEY_free(state.x25519);
	EVP_PKEY_free(state.peer);
	return result;
}
