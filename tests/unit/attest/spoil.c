/* SPDX-License-Identifier: Apache-2.0 */
#include "spoil.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

bool
accepts_copy(struct bytes input, decoder_accepts *accepts, void *user)
{
	/* malloc(0) may be NULL; one byte that is not counted keeps it an address. */
	uint8_t *copy = malloc(input.size == 0 ? 1 : input.size);

	assert_non_null(copy);
	if (input.size > 0)
		memcpy(copy, input.data, input.size);
	bool accepted = accepts((struct bytes){copy, input.size}, user);
	free(copy);
	return accepted;
}

void
refuses_other_sizes(struct bytes input, decoder_accepts *accepts, void *user)
{
	for (size_t size = 0; size < input.size; size++)
		if (accepts_copy((struct bytes){input.data, size}, accepts, user))
			fail_msg("accepts the first %zu of %zu bytes", size, input.size);
	for (unsigned value = 0; value < 256; value += 255) {
		uint8_t *longer = malloc(input.size + 1);

		assert_non_null(longer);
		memcpy(longer, input.data, input.size);
		longer[input.size] = (uint8_t)value;
		if (accepts_copy((struct bytes){longer, input.size + 1}, accepts, user))
			fail_msg("accepts a trailing byte %02x", value);
		free(longer);
	}
}

void
refuses_flips(struct bytes input, size_t from, size_t until, decoder_accepts *accepts, void *user)
{
	uint8_t *flipped = malloc(input.size);

	assert_non_null(flipped);
	memcpy(flipped, input.data, input.size);
	for (size_t bit = 8 * from; bit < 8 * until; bit++) {
		flipped[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (accepts_copy((struct bytes){flipped, input.size}, accepts, user))
			fail_msg("accepts with bit %zu of byte %zu flipped", bit % 8, bit / 8);
		flipped[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	free(flipped);
}
