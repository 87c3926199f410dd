/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shamir's secret sharing over GF(2^8), and shares as people hold them. FORMAT.md, "Shares".
 *
 * No branch and no address depends on a byte of key or share: products are shifts and masks, not
 * tables of logarithms. Numbers, threshold and count are no secrets.
 */
#include "shares.h"
#include "bytes.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define POLYNOMIAL    0x11b /* x^8 + x^4 + x^3 + x + 1 */
#define CHECKSUM_SIZE 4
#define GROUP_SIZE    4 /* bytes between two dashes of the text */

/* Each use of the hash has a label of its own; its NUL is part of it. */
#define HASH_LABEL     "postern/share/hash/v1"
#define CHECKSUM_LABEL "postern/share/text/v1"

#define TEXT_BEGINNING "postern-share-v1-"

_Static_assert(crypto_generichash_BYTES == SHARE_HASH_SIZE, "BLAKE2b-256");
_Static_assert(STORE_ROOT_KEY_SIZE % GROUP_SIZE == 0, "whole groups");

static void
wipe_share(struct share *share)
{
	sodium_memzero(share, sizeof *share);
}
#define auto_share __attribute__((cleanup(wipe_share))) struct share

/* ---- the field ---- */

/* All ones if the lowest bit is set, else zero. Compilers may not see through it and make a branch.
 */
static unsigned
mask_of(unsigned bit)
{
	unsigned mask = 0U - (bit & 1);

	__asm__("" : "+r"(mask));
	return mask;
}

static uint8_t
multiply(uint8_t a, uint8_t b)
{
	unsigned product = 0, factor = a;

	for (unsigned i = 0; i < 8; i++) {
		product ^= factor & mask_of((unsigned)b >> i);
		factor = factor << 1 ^ (POLYNOMIAL & mask_of(factor >> 7));
	}
	return (uint8_t)product;
}

/* a^254, as a^255 is 1; of 0 it is 0. */
static uint8_t
invert(uint8_t a)
{
	uint8_t power = a, product = 1;

	for (int i = 1; i < 8; i++) { /* 254 = 2 + 4 + ... + 128 */
		power = multiply(power, power);
		product = multiply(product, power);
	}
	return product;
}

/* ---- splitting and combining ---- */

static bool
sound_numbers(uint8_t threshold, uint8_t count)
{
	return threshold >= 1 && threshold <= count && count <= SHARES_MAX &&
	       (threshold > 1 || count == 1);
}

/* BLAKE2b over label || set || threshold || count || number || bytes. */
static void
hash_share(const struct share *share, const char *label, uint8_t *ret_hash, size_t size)
{
	const uint8_t numbers[] = {share->threshold, share->count, share->number};
	uint8_t hash[SHARE_HASH_SIZE];
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, sizeof hash);
	crypto_generichash_update(&state, (const uint8_t *)label, strlen(label) + 1);
	crypto_generichash_update(&state, share->set, sizeof share->set);
	crypto_generichash_update(&state, numbers, sizeof numbers);
	crypto_generichash_update(&state, share->bytes, sizeof share->bytes);
	crypto_generichash_final(&state, hash, sizeof hash);
	memcpy(ret_hash, hash, size);
	sodium_memzero(&state, sizeof state);
}

/*
 * Each byte of the key is the value at 0 of a polynomial of its own, of degree threshold - 1, whose
 * other coefficients are random, 0 not excepted: only then does every value of the byte remain as
 * likely as before to those who hold fewer shares.
 */
static void
evaluate(const struct secret *root_key, const struct secret *coefficients, uint8_t at,
	 uint8_t ret_bytes[STORE_ROOT_KEY_SIZE])
{
	memset(ret_bytes, 0, STORE_ROOT_KEY_SIZE);
	for (size_t from = coefficients->size; from > 0; from -= STORE_ROOT_KEY_SIZE) {
		const uint8_t *degree = coefficients->bytes + from - STORE_ROOT_KEY_SIZE;
		for (size_t i = 0; i < STORE_ROOT_KEY_SIZE; i++)
			ret_bytes[i] = multiply(ret_bytes[i] ^ degree[i], at);
	}
	for (size_t i = 0; i < STORE_ROOT_KEY_SIZE; i++)
		ret_bytes[i] ^= root_key->bytes[i];
}

bool
shares_split(const struct secret *root_key, uint8_t threshold, uint8_t count,
	     struct share *ret_shares, struct share_set *ret_set)
{
	struct share_set set = {.threshold = threshold, .count = count};

	if (!sound_numbers(threshold, count) || root_key->size != STORE_ROOT_KEY_SIZE)
		return false;
	/* It starts libsodium as well, before the first random byte. */
	auto_secret *coefficients = secret_new((threshold - 1U) * (size_t)STORE_ROOT_KEY_SIZE);
	if (!coefficients)
		return false;
	randombytes_buf(coefficients->bytes, coefficients->size);
	randombytes_buf(set.set, sizeof set.set);
	for (uint8_t i = 0; i < count; i++) {
		struct share *share = &ret_shares[i];
		memcpy(share->set, set.set, sizeof share->set);
		share->threshold = threshold;
		share->count = count;
		share->number = (uint8_t)(i + 1);
		evaluate(root_key, coefficients, share->number, share->bytes);
		hash_share(share, HASH_LABEL, set.hashes[i], SHARE_HASH_SIZE);
	}
	*ret_set = set;
	return true;
}

/* Exactly one set's threshold of distinct shares? */
static bool
belong_together(const struct share *shares, size_t count)
{
	uint64_t seen = 0;

	if (count == 0 || !sound_numbers(shares[0].threshold, shares[0].count) ||
	    count != shares[0].threshold)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct share *share = &shares[i];
		if (memcmp(share->set, shares[0].set, sizeof share->set) != 0 ||
		    share->threshold != shares[0].threshold || share->count != shares[0].count)
			return false;
		if (share->number == 0 || share->number > share->count)
			return false;
		if ((seen >> share->number & 1) != 0)
			return false;
		seen |= UINT64_C(1) << share->number;
	}
	return true;
}

/* What share `own` contributes to the value at 0: the product of x / (x - own's x) over the others'
 * numbers x (in this field a difference is a sum, and both are XOR). */
static uint8_t
weight_of(const struct share *shares, size_t count, size_t own)
{
	uint8_t above = 1, below = 1;

	for (size_t i = 0; i < count; i++) {
		if (i == own)
			continue;
		above = multiply(above, shares[i].number);
		below = multiply(below, shares[i].number ^ shares[own].number);
	}
	return multiply(above, invert(below));
}

bool
shares_combine(const struct share *shares, size_t count, struct secret *ret_root_key)
{
	if (!belong_together(shares, count) || ret_root_key->capacity < STORE_ROOT_KEY_SIZE)
		return false;
	memset(ret_root_key->bytes, 0, STORE_ROOT_KEY_SIZE);
	for (size_t own = 0; own < count; own++) {
		uint8_t weight = weight_of(shares, count, own);
		for (size_t i = 0; i < STORE_ROOT_KEY_SIZE; i++)
			ret_root_key->bytes[i] ^= multiply(shares[own].bytes[i], weight);
	}
	ret_root_key->size = STORE_ROOT_KEY_SIZE;
	return true;
}

enum share_verdict
share_check(const struct share_set *set, const struct share *share)
{
	uint8_t hash[SHARE_HASH_SIZE];

	if (set->count == 0 || memcmp(set->set, share->set, sizeof set->set) != 0)
		return SHARE_OTHER_SET;
	if (share->threshold != set->threshold || share->count != set->count ||
	    share->number == 0 || share->number > set->count || set->count > SHARES_MAX)
		return SHARE_WRONG;
	hash_share(share, HASH_LABEL, hash, sizeof hash);
	if (sodium_memcmp(hash, set->hashes[share->number - 1], sizeof hash) != 0)
		return SHARE_WRONG;
	return SHARE_GOOD;
}

/* ---- as text ---- */

/* Digit by arithmetic: '0' + n, and from 10 on another 'a' - '0' - 10. */
static void
write_hex(char **at, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < 2 * size; i++) {
		unsigned nibble = (unsigned)bytes[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15;
		unsigned letter = (9 - nibble) >> 8; /* ones from 10 on */
		*(*at)++ = (char)('0' + nibble + (letter & ('a' - '0' - 10)));
	}
}

void
share_write(const struct share *share, char ret_text[SHARE_TEXT_SIZE])
{
	uint8_t checksum[CHECKSUM_SIZE];
	int size = snprintf(ret_text, SHARE_TEXT_SIZE, TEXT_BEGINNING "%uof%u-%u-",
			    share->threshold, share->count, share->number);
	char *at = ret_text + size;

	hash_share(share, CHECKSUM_LABEL, checksum, sizeof checksum);
	write_hex(&at, share->set, sizeof share->set);
	for (size_t i = 0; i < sizeof share->bytes; i += GROUP_SIZE) {
		*at++ = '-';
		write_hex(&at, share->bytes + i, GROUP_SIZE);
	}
	*at++ = '-';
	write_hex(&at, checksum, sizeof checksum);
	*at = 0;
}

/* Walks over text as people give it back: white space is not there, capitals are small letters.
 * Once something is wrong, all that follows is. */
struct line {
	const char *at;
	const char *end;
	bool failed;
};

#define END (-1)

static int
next_character(struct line *line)
{
	while (line->at < line->end) {
		int character = (unsigned char)*line->at++;
		if (character == ' ' || character == '\t' || character == '\r' || character == '\n')
			continue;
		if (character >= 'A' && character <= 'Z')
			return character - 'A' + 'a';
		return character;
	}
	return END;
}

static void
read_word(struct line *line, const char *word)
{
	for (; *word && !line->failed; word++)
		line->failed = next_character(line) != (unsigned char)*word;
}

/* A number as it is printed, and what stands behind it. */
static uint8_t
read_number(struct line *line, char behind)
{
	unsigned number = 0;
	int character = next_character(line);

	if (character < '1' || character > '9')
		line->failed = true;
	for (; character >= '0' && character <= '9' && number <= SHARES_MAX;
	     character = next_character(line))
		number = number * 10 + (unsigned)(character - '0');
	if (character != behind || number > SHARES_MAX)
		line->failed = true;
	return line->failed ? 0 : (uint8_t)number;
}

/* All ones if low <= value <= high. */
static unsigned
mask_within(unsigned value, unsigned low, unsigned high)
{
	return ~mask_of((value - low) >> 31 | (high - value) >> 31);
}

static unsigned
read_nibble(struct line *line)
{
	unsigned character = (unsigned)next_character(line);
	unsigned digit = mask_within(character, '0', '9');
	unsigned letter = mask_within(character, 'a', 'f');

	line->failed |= (digit | letter) == 0;
	return (digit & (character - '0')) | (letter & (character - 'a' + 10));
}

static void
read_hex(struct line *line, uint8_t *ret_bytes, size_t size)
{
	for (size_t i = 0; i < size && !line->failed; i++) {
		unsigned high = read_nibble(line);
		ret_bytes[i] = (uint8_t)(high << 4 | read_nibble(line));
	}
}

bool
share_read(const char *text, size_t size, struct share *ret_share)
{
	struct line line = {.at = text, .end = text + size};
	auto_share share = {0};
	uint8_t written[CHECKSUM_SIZE] = {0}, checksum[CHECKSUM_SIZE];

	read_word(&line, TEXT_BEGINNING);
	share.threshold = read_number(&line, 'o');
	read_word(&line, "f");
	share.count = read_number(&line, '-');
	share.number = read_number(&line, '-');
	read_hex(&line, share.set, sizeof share.set);
	for (size_t i = 0; i < sizeof share.bytes; i += GROUP_SIZE) {
		read_word(&line, "-");
		read_hex(&line, share.bytes + i, GROUP_SIZE);
	}
	read_word(&line, "-");
	read_hex(&line, written, sizeof written);
	if (line.failed || next_character(&line) != END)
		return false;
	hash_share(&share, CHECKSUM_LABEL, checksum, sizeof checksum);
	if (sodium_memcmp(checksum, written, sizeof checksum) != 0 ||
	    !sound_numbers(share.threshold, share.count) || share.number > share.count)
		return false;
	*ret_share = share;
	return true;
}

/* ---- the set as a note ---- */

/* set || threshold:u8 || count:u8 || count hashes; nothing at all where there is no set. */
size_t
share_set_write(const struct share_set *set, uint8_t ret_note[SHARES_NOTE_SIZE])
{
	uint8_t *at = ret_note;

	if (set->count == 0 || set->count > SHARES_MAX)
		return 0;
	memcpy(at, set->set, SHARE_SET_SIZE);
	at += SHARE_SET_SIZE;
	*at++ = set->threshold;
	*at++ = set->count;
	memcpy(at, set->hashes, set->count * (size_t)SHARE_HASH_SIZE);
	return (size_t)(at - ret_note) + set->count * (size_t)SHARE_HASH_SIZE;
}

bool
share_set_read(struct store_bytes note, struct share_set *ret_set)
{
	struct reader r = {.rest = note};
	struct share_set set = {0};

	if (note.size > 0) {
		read_into(&r, set.set, sizeof set.set);
		set.threshold = (uint8_t)read_be(&r, 1);
		set.count = (uint8_t)read_be(&r, 1);
		if (!sound_numbers(set.threshold, set.count))
			return false;
		read_into(&r, &set.hashes[0][0], set.count * (size_t)SHARE_HASH_SIZE);
	}
	if (!reader_finished(&r))
		return false;
	*ret_set = set;
	return true;
}
