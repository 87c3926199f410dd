/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge.h"

#include "json_out.h"
#include "store/secret.h"
#include "used.h"
#include "wire/hpke.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHALLENGE_VERSION 1
#define FIELDS_SIZE	  (WIRE_CHALLENGE_SIZE - 32) /* what the MAC covers of the challenge itself */

/* A subkey for each use: PARAMETERS, "MACs and transcripts". */
enum { KEY_RELEASE, KEY_ENROLMENT, KEY_OPERATOR, KEY_ACTIVATION, KEY_COUNT };

struct challenges {
	struct secret *keys; /* KEY_COUNT of 32 bytes */
	uint64_t started;    /* CLOCK_MONOTONIC, milliseconds */
	uint64_t lifetime;   /* milliseconds */
	struct used_set *used;
};

static uint64_t
monotonic_milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool
draw_keys(struct challenges *challenges)
{
	static const char *const uses[KEY_COUNT] = {
		[KEY_RELEASE] = "postern/mac/challenge-release",
		[KEY_ENROLMENT] = "postern/mac/challenge-enrolment",
		[KEY_OPERATOR] = "postern/mac/challenge-operator",
		[KEY_ACTIVATION] = "postern/mac/activation",
	};
	auto_secret *root = secret_new(32);

	challenges->keys = secret_new((size_t)KEY_COUNT * 32);
	if (!root || !challenges->keys)
		return false;
	randombytes_buf(root->bytes, 32);
	for (size_t i = 0; i < KEY_COUNT; i++)
		hkdf_expand(root->bytes, text_bytes(uses[i]), challenges->keys->bytes + 32 * i, 32);
	return true;
}

struct challenges *
challenges_new(uint32_t lifetime_seconds)
{
	auto_challenges *challenges = calloc(1, sizeof(*challenges));

	if (!challenges)
		return NULL;
	challenges->started = monotonic_milliseconds();
	challenges->lifetime = (uint64_t)lifetime_seconds * 1000;
	/* Twice: a thread may stand still between challenge_consume's clock and its lock. */
	challenges->used = used_set_new(2 * challenges->lifetime, CHALLENGE_USED_MAX);
	if (!challenges->used || !draw_keys(challenges))
		return NULL;
	struct challenges *made = challenges;
	challenges = NULL;
	return made;
}

void
challenges_free(struct challenges *challenges)
{
	if (!challenges)
		return;
	secret_free(challenges->keys);
	used_set_free(challenges->used);
	free(challenges);
}

uint64_t
challenges_now(const struct challenges *challenges)
{
	return monotonic_milliseconds() - challenges->started + 1;
}

static void
mac_lp(crypto_auth_hmacsha256_state *state, struct bytes value)
{
	uint8_t size[4];
	struct writer w = writer_of(size, sizeof(size));

	write_be32(&w, (uint32_t)value.size);
	crypto_auth_hmacsha256_update(state, size, sizeof(size));
	if (value.size > 0)
		crypto_auth_hmacsha256_update(state, value.data, value.size);
}

/* MAC over lp(label) || the fields before || lp(name) || lp(second). */
static void
mac(const struct challenges *challenges, enum challenge_kind kind,
    const uint8_t fields[FIELDS_SIZE], struct bytes name, struct bytes second, uint8_t ret_mac[32])
{
	size_t key = kind == CHALLENGE_FOR_RELEASE     ? KEY_RELEASE
		     : kind == CHALLENGE_FOR_ENROLMENT ? KEY_ENROLMENT
						       : KEY_OPERATOR;
	const char *label = kind == CHALLENGE_FOR_OPERATOR ? "postern/operator-challenge/v1"
							   : "postern/challenge/v1";
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, challenges->keys->bytes + 32 * key, 32);
	mac_lp(&state, text_bytes(label));
	crypto_auth_hmacsha256_update(&state, fields, FIELDS_SIZE);
	mac_lp(&state, name);
	mac_lp(&state, second);
	crypto_auth_hmacsha256_final(&state, ret_mac);
	sodium_memzero(&state, sizeof(state));
}

void
challenge_make(const struct challenges *challenges, enum challenge_kind kind, struct bytes name,
	       struct bytes second, uint8_t ret_challenge[WIRE_CHALLENGE_SIZE])
{
	struct writer w = writer_of(ret_challenge, WIRE_CHALLENGE_SIZE);
	uint8_t random[16];

	randombytes_buf(random, sizeof(random));
	write_u8(&w, CHALLENGE_VERSION);
	write_u8(&w, (uint8_t)kind);
	write_be64(&w, challenges_now(challenges));
	write_bytes(&w, BYTES_OF(random));
	mac(challenges, kind, ret_challenge, name, second, ret_challenge + FIELDS_SIZE);
}

enum challenge_verdict
challenge_check(const struct challenges *challenges, enum challenge_kind kind, struct bytes name,
		struct bytes second, struct bytes challenge, uint64_t *ret_issued)
{
	uint8_t expected[32];
	struct reader r = reader_of(challenge);
	struct bytes fields = read_bytes(&r, FIELDS_SIZE);
	struct bytes seen = read_bytes(&r, sizeof(expected));

	if (!reader_finished(&r))
		return CHALLENGE_FORGED;
	mac(challenges, kind, fields.data, name, second, expected);
	if (sodium_memcmp(expected, seen.data, sizeof(expected)) != 0)
		return CHALLENGE_FORGED;
	struct reader inner = reader_of(fields);
	uint8_t version = read_u8(&inner);
	uint8_t seen_kind = read_u8(&inner);
	uint64_t issued = read_be64(&inner);
	if (version != CHALLENGE_VERSION || seen_kind != (uint8_t)kind)
		return CHALLENGE_FORGED;
	uint64_t now = challenges_now(challenges);
	if (issued > now || now - issued > challenges->lifetime)
		return CHALLENGE_EXPIRED;
	*ret_issued = issued;
	return CHALLENGE_GOOD;
}

enum challenge_verdict
challenge_consume(struct challenges *challenges, struct bytes challenge)
{
	struct reader r = reader_of(challenge);

	read_bytes(&r, 2);
	uint64_t issued = read_be64(&r);
	struct bytes random = read_bytes(&r, USED_KEY_SIZE);
	if (r.failed)
		return CHALLENGE_FORGED;
	/* Again, for a use may already be forgotten when the challenge has expired since. */
	uint64_t now = challenges_now(challenges);
	if (now - issued > challenges->lifetime)
		return CHALLENGE_EXPIRED;
	return used_set_add(challenges->used, random.data, now);
}

const char *
challenge_verdict_text(enum challenge_verdict verdict)
{
	switch (verdict) {
	case CHALLENGE_GOOD:
		return "good";
	case CHALLENGE_FORGED:
		return "not one that this broker gave to this caller since it started";
	case CHALLENGE_EXPIRED:
		return "older than challenge_lifetime";
	case CHALLENGE_USED:
		return "used before";
	case CHALLENGE_CROWDED:
		return "too many challenges in use";
	}
	return "?";
}

void
challenge_activation(const struct challenges *challenges, struct bytes challenge,
		     uint8_t ret_secret[CHALLENGE_ACTIVATION_SIZE])
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, challenges->keys->bytes + (size_t)32 * KEY_ACTIVATION,
				    32);
	mac_lp(&state, text_bytes("postern/activation/v1"));
	mac_lp(&state, challenge);
	crypto_auth_hmacsha256_final(&state, ret_secret);
	sodium_memzero(&state, sizeof(state));
}
