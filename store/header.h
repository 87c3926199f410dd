/* SPDX-License-Identifier: Apache-2.0 */
/* The record that a store is opened by: readable without a key, proven with one. */
#ifndef POSTERN_STORE_HEADER_H
#define POSTERN_STORE_HEADER_H

#include "backend.h"

#define HEADER_KEY	  "m/header"
#define STORE_ID_SIZE	  16
#define KEY_SIZE	  32 /* of each key there is */
#define HEADER_CHECK_SIZE 32

#define HEADER_FIXED_SIZE (4 + STORE_ID_SIZE + 4 + 4 + 8 + HEADER_CHECK_SIZE + 2)
#define HEADER_SIZE_MAX	  (HEADER_FIXED_SIZE + STORE_NOTE_MAX + HEADER_CHECK_SIZE)

struct header {
	uint64_t revision; /* its record's own, and that of all wrapped keys */
	uint8_t id[STORE_ID_SIZE];
	uint32_t current; /* the generation that is sealed under now */
	uint32_t oldest;  /* all from here to `current` are there */
	uint64_t slot;	  /* whose bytes the keys are wrapped under */
	uint8_t key_check[HEADER_CHECK_SIZE];
	uint8_t note[STORE_NOTE_MAX];
	size_t note_size;
	uint8_t mac[HEADER_CHECK_SIZE];
};

/* STORE_MISSING where there is none. What it says is not proven. */
__attribute__((warn_unused_result)) enum store_status
store_header_read(const struct view *view, struct header *ret_header, struct store_error *err);
/* The record's body, with the mac over it. */
void store_header_write(const struct header *header, const uint8_t header_key[KEY_SIZE],
			uint8_t ret_body[HEADER_SIZE_MAX], size_t *ret_size);
/* STORE_KEY: another root key. STORE_TAMPERED: the header was changed. */
__attribute__((warn_unused_result)) enum store_status
store_header_prove(const struct header *header, const uint8_t key_check[HEADER_CHECK_SIZE],
		   const uint8_t header_key[KEY_SIZE], struct store_error *err);

#endif
