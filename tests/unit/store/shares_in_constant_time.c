/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Run under valgrind's memcheck, which takes key, coefficients and shares for undefined memory:
 * each branch and each address that depends on one of their bits is then an error. With the
 * argument "leak" it makes one such branch itself, which must be seen.
 */
#include "store/shares.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

void __real_randombytes_buf(void *buffer, size_t size);
void __wrap_randombytes_buf(void *buffer, size_t size);

/* The coefficients. (The set's name as well: it is compared as public, and made so below.) */
void
__wrap_randombytes_buf(void *buffer, size_t size)
{
	__real_randombytes_buf(buffer, size);
	(void)VALGRIND_MAKE_MEM_UNDEFINED(buffer, size);
}

static void
check(bool holds, const char *what)
{
	if (!holds) {
		fprintf(stderr, "%s\n", what);
		exit(EXIT_FAILURE);
	}
}

int
main(int count, char **arguments)
{
	auto_secret *key = secret_new(STORE_ROOT_KEY_SIZE), *back = secret_new(STORE_ROOT_KEY_SIZE);
	struct share shares[5];
	struct share_set set;
	char text[SHARE_TEXT_SIZE];
	unsigned char bits[1] = {0};

	check(key && back, "no memory");
	check(RUNNING_ON_VALGRIND, "valgrind does not run this");
	randombytes_buf(key->bytes, key->size);
	(void)VALGRIND_MAKE_MEM_UNDEFINED(key->bytes, key->size);
	if (count > 1 && strcmp(arguments[1], "leak") == 0 && key->bytes[0] % 2 == 1)
		fputs("an odd key\n", stderr);
	check(shares_split(key, 3, 5, shares, &set), "split");
	(void)VALGRIND_MAKE_MEM_DEFINED(&set, sizeof set);
	for (int i = 0; i < 5; i++) {
		(void)VALGRIND_MAKE_MEM_DEFINED(shares[i].set, sizeof shares[i].set);
		share_write(&shares[i], text);
	}
	check(shares_combine(shares + 1, 3, back), "combine");
	check(VALGRIND_GET_VBITS(back->bytes, bits, 1) == 1 && bits[0] == 0xff,
	      "nothing was secret");
	(void)VALGRIND_MAKE_MEM_DEFINED(key->bytes, key->size);
	(void)VALGRIND_MAKE_MEM_DEFINED(back->bytes, back->size);
	check(secret_equals(key, back), "another key");
	return EXIT_SUCCESS;
}
