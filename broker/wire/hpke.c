/* SPDX-License-Identifier: Apache-2.0 */
/* Names and clauses are RFC 9180's. */
#include "hpke_internal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define HASH_SIZE  32
#define NONCE_SIZE 12

enum mode { MODE_BASE = 0x00, MODE_AUTH = 0x02 };

static const uint8_t kem_suite[] = {'K', 'E', 'M', 0x00, 0x20};
static const uint8_t hpke_suite[] = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x03};

/* ---- HKDF, RFC 5869 ---- */

static void
hmac_begin(crypto_auth_hmacsha256_state *state, struct bytes key)
{
	/* libsodium declares the key never to be NULL; an empty salt is allowed (2.2). */
	static const uint8_t empty[1];
	crypto_auth_hmacsha256_init(state, key.size > 0 ? key.data : empty, key.size);
}

static void
hmac_update(crypto_auth_hmacsha256_state *state, struct bytes input)
{
	crypto_auth_hmacsha256_update(state, input.data, input.size);
}

/* RFC 5869, 2.2 and 2.3, with input and info in pieces so that a label needs no copy. */
static void
extract_pieces(struct bytes salt, const struct bytes *input, size_t count, uint8_t ret[HASH_SIZE])
{
	crypto_auth_hmacsha256_state state;
	hmac_begin(&state, salt);
	for (size_t i = 0; i < count; i++)
		hmac_update(&state, input[i]);
	crypto_auth_hmacsha256_final(&state, ret);
	sodium_memzero(&state, sizeof(state));
}

void
hkdf_extract(struct bytes salt, struct bytes input, uint8_t ret_key[32])
{
	extract_pieces(salt, &input, 1, ret_key);
}

static void
expand_pieces(const uint8_t key[HASH_SIZE], const struct bytes *info, size_t count, uint8_t *ret,
	      size_t size)
{
	assert(size <= 255 * HASH_SIZE);
	crypto_auth_hmacsha256_state state;
	uint8_t block[HASH_SIZE];
	uint8_t number = 1;
	for (size_t done = 0; done < size; done += HASH_SIZE, number++) {
		crypto_auth_hmacsha256_init(&state, key, HASH_SIZE);
		if (number > 1)
			hmac_update(&state, BYTES_OF(block));
		for (size_t i = 0; i < count; i++)
			hmac_update(&state, info[i]);
		hmac_update(&state, (struct bytes){&number, 1});
		crypto_auth_hmacsha256_final(&state, block);
		memcpy(ret + done, block, size - done < HASH_SIZE ? size - done : HASH_SIZE);
	}
	sodium_memzero(block, sizeof(block));
	sodium_memzero(&state, sizeof(state));
}

void
hkdf_expand(const uint8_t key[32], struct bytes info, uint8_t *ret_output, size_t size)
{
	expand_pieces(key, &info, 1, ret_output, size);
}

static struct bytes
label_of(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* LabeledExtract, 4. */
static void
labeled_extract(struct bytes suite, struct bytes salt, const char *label, struct bytes input,
		uint8_t ret[HASH_SIZE])
{
	const struct bytes pieces[] = {label_of("HPKE-v1"), suite, label_of(label), input};
	extract_pieces(salt, pieces, sizeof(pieces) / sizeof(pieces[0]), ret);
}

/* LabeledExpand, 4. */
static void
labeled_expand(struct bytes suite, const uint8_t key[HASH_SIZE], const char *label,
	       struct bytes info, uint8_t *ret, size_t size)
{
	const uint8_t length[2] = {(uint8_t)(size >> 8), (uint8_t)size};
	const struct bytes pieces[] = {BYTES_OF(length), label_of("HPKE-v1"), suite,
				       label_of(label), info};
	expand_pieces(key, pieces, sizeof(pieces) / sizeof(pieces[0]), ret, size);
}

/* ---- DHKEM(X25519, HKDF-SHA256), 4.1 ---- */

/* Diffie-Hellman results: one in base mode, two in auth mode. */
struct agreed {
	enum mode mode;
	uint8_t secrets[2][HPKE_KEY_SIZE];
};

static void
agreed_wipe(struct agreed *agreed)
{
	sodium_memzero(agreed, sizeof(*agreed));
}
#define auto_agreed __attribute__((cleanup(agreed_wipe))) struct agreed

/* ExtractAndExpand. kem_context = enc || pkRm, and || pkSm in auth mode. */
static void
extract_and_expand(const struct agreed *agreed, const uint8_t *enc, const uint8_t *recipient,
		   const uint8_t *sender, uint8_t ret_shared[HASH_SIZE])
{
	bool auth = agreed->mode == MODE_AUTH;
	uint8_t context[3 * HPKE_KEY_SIZE];
	struct writer w = writer_of(context, sizeof(context));
	write_bytes(&w, (struct bytes){enc, HPKE_KEY_SIZE});
	write_bytes(&w, (struct bytes){recipient, HPKE_KEY_SIZE});
	if (auth)
		write_bytes(&w, (struct bytes){sender, HPKE_KEY_SIZE});

	struct bytes secrets = {agreed->secrets[0], auth ? 2 * HPKE_KEY_SIZE : HPKE_KEY_SIZE};
	uint8_t extracted[HASH_SIZE];
	labeled_extract(BYTES_OF(kem_suite), (struct bytes){0}, "eae_prk", secrets, extracted);
	labeled_expand(BYTES_OF(kem_suite), extracted, "shared_secret", writer_bytes(&w),
		       ret_shared, HASH_SIZE);
	sodium_memzero(extracted, sizeof(extracted));
}

/* ---- KeySchedule, 5.1, without a PSK ---- */

struct schedule {
	uint8_t shared[HASH_SIZE];
	uint8_t key[crypto_aead_chacha20poly1305_IETF_KEYBYTES];
	uint8_t nonce[NONCE_SIZE]; /* of the first and only message: base_nonce itself */
};

static void
schedule_wipe(struct schedule *schedule)
{
	sodium_memzero(schedule, sizeof(*schedule));
}
#define auto_schedule __attribute__((cleanup(schedule_wipe))) struct schedule

/* From schedule->shared. */
static void
schedule_keys(struct schedule *schedule, enum mode mode, struct bytes info)
{
	const struct bytes suite = BYTES_OF(hpke_suite);
	uint8_t context[1 + 2 * HASH_SIZE];
	context[0] = (uint8_t)mode;
	labeled_extract(suite, (struct bytes){0}, "psk_id_hash", (struct bytes){0}, context + 1);
	labeled_extract(suite, (struct bytes){0}, "info_hash", info, context + 1 + HASH_SIZE);

	uint8_t secret[HASH_SIZE];
	labeled_extract(suite, BYTES_OF(schedule->shared), "secret", (struct bytes){0}, secret);
	labeled_expand(suite, secret, "key", BYTES_OF(context), schedule->key,
		       sizeof(schedule->key));
	labeled_expand(suite, secret, "base_nonce", BYTES_OF(context), schedule->nonce,
		       sizeof(schedule->nonce));
	sodium_memzero(secret, sizeof(secret));
}

/* ---- single-shot, 6.1 ---- */

bool
hpke_seal_with(const struct hpke_seal_input *input, const uint8_t ephemeral_private[HPKE_KEY_SIZE],
	       uint8_t *ret_sealed)
{
	auto_agreed agreed = {.mode = input->sender_private != NULL ? MODE_AUTH : MODE_BASE};
	auto_schedule schedule = {0};
	uint8_t enc[HPKE_KEY_SIZE];
	/* libsodium answers -1 for the all-zero result, which 7.1.4 has us refuse. */
	if (crypto_scalarmult_base(enc, ephemeral_private) != 0 ||
	    crypto_scalarmult(agreed.secrets[0], ephemeral_private, input->recipient_public) != 0)
		return false;
	if (agreed.mode == MODE_AUTH && crypto_scalarmult(agreed.secrets[1], input->sender_private,
							  input->recipient_public) != 0)
		return false;
	extract_and_expand(&agreed, enc, input->recipient_public, input->sender_public,
			   schedule.shared);
	schedule_keys(&schedule, agreed.mode, input->info);
	memcpy(ret_sealed, enc, sizeof(enc));
	crypto_aead_chacha20poly1305_ietf_encrypt(
		ret_sealed + HPKE_KEY_SIZE, NULL, input->plain.data, input->plain.size,
		input->aad.data, input->aad.size, NULL, schedule.nonce, schedule.key);
	return true;
}

bool
hpke_seal(const uint8_t recipient_public[HPKE_KEY_SIZE], const uint8_t *sender_private,
	  const uint8_t *sender_public, struct bytes info, struct bytes aad, struct bytes plain,
	  uint8_t *ret_sealed)
{
	const struct hpke_seal_input input = {
		recipient_public, sender_private, sender_public, info, aad, plain};
	uint8_t ephemeral[HPKE_KEY_SIZE];
	randombytes_buf(ephemeral, sizeof(ephemeral));
	bool sealed = hpke_seal_with(&input, ephemeral, ret_sealed);
	sodium_memzero(ephemeral, sizeof(ephemeral));
	return sealed;
}

static bool
open_checked(const uint8_t *recipient_private, const uint8_t *recipient_public,
	     const uint8_t *sender_public, struct bytes info, struct bytes aad, struct bytes sealed,
	     uint8_t *ret_plain)
{
	auto_agreed agreed = {.mode = sender_public != NULL ? MODE_AUTH : MODE_BASE};
	auto_schedule schedule = {0};
	const uint8_t *enc = sealed.data;
	if (crypto_scalarmult(agreed.secrets[0], recipient_private, enc) != 0)
		return false;
	if (sender_public != NULL &&
	    crypto_scalarmult(agreed.secrets[1], recipient_private, sender_public) != 0)
		return false;
	extract_and_expand(&agreed, enc, recipient_public, sender_public, schedule.shared);
	schedule_keys(&schedule, agreed.mode, info);
	return crypto_aead_chacha20poly1305_ietf_decrypt(
		       ret_plain, NULL, NULL, sealed.data + HPKE_KEY_SIZE,
		       sealed.size - HPKE_KEY_SIZE, aad.data, aad.size, schedule.nonce,
		       schedule.key) == 0;
}

bool
hpke_open(const uint8_t recipient_private[HPKE_KEY_SIZE],
	  const uint8_t recipient_public[HPKE_KEY_SIZE], const uint8_t *sender_public,
	  struct bytes info, struct bytes aad, struct bytes sealed, uint8_t *ret_plain)
{
	if (sealed.size < HPKE_OVERHEAD)
		return false;
	if (open_checked(recipient_private, recipient_public, sender_public, info, aad, sealed,
			 ret_plain))
		return true;
	if (sealed.size > HPKE_OVERHEAD)
		memset(ret_plain, 0, sealed.size - HPKE_OVERHEAD);
	return false;
}
