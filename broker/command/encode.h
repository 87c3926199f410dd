/* SPDX-License-Identifier: Apache-2.0 */
/* Small texts <-> values: hex, base64, times, PCRs, wanted secrets. All strict: false for anything
 * else. */
#ifndef POSTERN_COMMAND_ENCODE_H
#define POSTERN_COMMAND_ENCODE_H

#include "wire/operation.h"

#define KEY_BASE64_SIZE 45 /* 32 bytes in base64, with NUL */
#define TIME_TEXT_SIZE	32

/* Exactly `size` bytes of hex, either case. */
bool hex_decode(const char *text, uint8_t *ret_bytes, size_t size);
void hex_encode(const uint8_t *bytes, size_t size, char *ret_text); /* 2 * size + 1 characters */

/* RFC 4648, padded, no white space, no spare bits. *ret_size <= capacity. */
bool base64_decode(const char *text, size_t text_size, uint8_t *ret_bytes, size_t capacity,
		   size_t *ret_size);
/* Exactly 32 bytes. */
bool base64_decode_key(const char *text, uint8_t ret_key[32]);
/* New text, freed by the caller; NULL without memory. */
char *base64_encode(struct bytes bytes);
void base64_encode_key(const uint8_t key[32], char ret_text[KEY_BASE64_SIZE]);

/* "now", Unix seconds, "2026-01-31", "2026-01-31T12:00:00Z", or "+30d" ("h", "m") from `now`. */
bool time_parse(const char *text, int64_t now, uint64_t *ret_time);
/* "2026-01-31T12:00:00Z". */
void time_format(int64_t time, char ret_text[TIME_TEXT_SIZE]);

/* "4,7,11-14" -> bits. */
bool pcr_mask_parse(const char *text, uint16_t *ret_mask);
/* "7=<64 hex digits>"; false also if that PCR is in `values` already. */
bool pcr_value_parse(const char *text, struct pcr_values *values);
/* "db/prod" or "db/prod@3"; the path points into `text`. */
bool wanted_parse(const char *text, struct wanted_secret *ret_wanted);

bool utf8_wellformed(const uint8_t *bytes, size_t size);
struct bytes text_bytes(const char *text);

#endif
