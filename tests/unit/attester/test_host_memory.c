/* SPDX-License-Identifier: Apache-2.0 */
/* A key that went to the TPM or came from it: nothing of it stays in this process but what the
 * caller holds, although the TPM's stack has buffers of its own. */
#include "attest/host.h"
#include "fixture.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PCRS   (1U << 7)
#define NEEDLE 16 /* bytes of the key that are looked for */
#define CHUNK  65536

/* The key's complement: the key itself must not be found where this test keeps it. */
static uint8_t mask[HOST_KEY_SIZE];

static void
draw(uint8_t key[HOST_KEY_SIZE])
{
	assert_int_equal(RAND_bytes(key, HOST_KEY_SIZE), 1);
	for (size_t i = 0; i < HOST_KEY_SIZE; i++)
		mask[i] = key[i] ^ 0xff;
}

static bool
is_here(const uint8_t *at, const uint8_t *wanted)
{
	for (size_t i = 0; i < NEEDLE; i++)
		if (at[i] + wanted[i] != 0xff)
			return false;
	return true;
}

/* How often either half of the key is in memory that this process can write to. */
static unsigned
copies(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned found = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;
		char rights[5];

		if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) != 3 || rights[0] != 'r' ||
		    rights[1] != 'w' || strstr(line, "[vvar") != NULL)
			continue;
		for (const uint8_t *at = (const uint8_t *)from; at + NEEDLE <= (const uint8_t *)to;
		     at++)
			found += is_here(at, mask) || is_here(at, mask + NEEDLE);
	}
	fclose(maps);
	return found;
}

static void
the_scan_finds_what_is_there(void **state)
{
	uint8_t key[HOST_KEY_SIZE];
	(void)state;

	draw(key);
	assert_int_equal(copies(), 2); /* each half, once */
	OPENSSL_cleanse(key, sizeof(key));
	assert_int_equal(copies(), 0);
}

static void
nothing_of_a_sealed_or_opened_key_stays(void **state)
{
	struct attester *attester = open_tpm();
	struct attester_error err;
	uint8_t key[HOST_KEY_SIZE], file[HOST_SEALED_MAX];
	size_t size = 0;
	(void)state;

	draw(key);
	if (host_seal(attester, key, PCRS, file, &size, &err) != ATTESTER_OK)
		fail_msg("%s", err.message);
	OPENSSL_cleanse(key, sizeof(key));
	assert_int_equal(copies(), 0);
	assert_int_equal(host_unseal(attester, file, size, key, &err), ATTESTER_OK);
	assert_int_equal(copies(), 2);
	OPENSSL_cleanse(key, sizeof(key));
	assert_int_equal(copies(), 0);
	close_tpm(attester);
	assert_int_equal(copies(), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_scan_finds_what_is_there),
		cmocka_unit_test(nothing_of_a_sealed_or_opened_key_stays),
	};

	if (!private_tpm_possible()) {
		fprintf(stderr, "skipped: swtpm is not installed\n");
		return PRIVATE_TPM_SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, stop_tpm);
}
