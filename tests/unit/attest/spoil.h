/* SPDX-License-Identifier: Apache-2.0 */
/* The three spoils that every decoder faces, each on a heap block of the exact size. */
#ifndef POSTERN_TESTS_SPOIL_H
#define POSTERN_TESTS_SPOIL_H

#include "attest/attest.h"

typedef bool decoder_accepts(struct bytes input, void *user);

/* On an exact-size copy, so that a sanitizer sees every byte read too far. */
bool accepts_copy(struct bytes input, decoder_accepts *accepts, void *user);
/* Fails the test where a shorter input, or one with a byte more, is accepted. */
void refuses_other_sizes(struct bytes input, decoder_accepts *accepts, void *user);
/* Fails the test where a flipped bit of input[from...until) is accepted. */
void refuses_flips(struct bytes input, size_t from, size_t until, decoder_accepts *accepts,
		   void *user);

#endif
