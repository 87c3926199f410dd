/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations of the attester and of the libraries under it fail, one in each run: an answer each
 * time, never a crash. There are some 200,000: the runs come closer together where the numbers are
 * low; POSTERN_EVERY_ALLOCATION=1 takes all.
 */
#include "attest/host.h"
#include "private_tpm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALLOCATIONS_MAX 1000000

/* glibc's own entry points, so that malloc and its kin can stand in this program for all its
 * libraries. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static long countdown; /* the allocation that brings it to 0 fails; below: none */

static bool
fails(void)
{
	return countdown > 0 && --countdown == 0;
}

void *
malloc(size_t size)
{
	return fails() ? NULL : __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *
realloc(void *memory, size_t size)
{
	return fails() ? NULL : __libc_realloc(memory, size);
}

static struct private_tpm tpm;

/* What the broker's host asks. */
static enum attester_status
use_host(struct attester *attester, struct attester_error *err)
{
	static const uint8_t key[HOST_KEY_SIZE] = {1, 2, 3};
	uint8_t file[HOST_SEALED_MAX], opened[HOST_KEY_SIZE];
	uint64_t value;
	size_t size = 0;

	enum attester_status status = host_seal(attester, key, 1U << 7, file, &size, err);
	if (status == ATTESTER_OK)
		status = host_unseal(attester, file, size, opened, err);
	if (status == ATTESTER_OK)
		status = host_counter_define(attester, HOST_COUNTER_MIN, &value, err);
	if (status == ATTESTER_OK)
		status = host_counter_increment(attester, HOST_COUNTER_MIN, &value, err);
	return status;
}

static enum attester_status
use(struct attester *attester, struct attester_error *err)
{
	static const uint8_t nonce[ATTEST_HASH_SIZE];
	static struct attester_ek ek;
	struct attester_ak ak;
	struct attester_quote quote;

	enum attester_status status = attester_ek(attester, ATTESTER_EK_P384, &ek, err);
	if (status == ATTESTER_OK)
		status = attester_ak(attester, &ak, err);
	if (status == ATTESTER_OK)
		status = attester_quote(attester, nonce, &quote, err);
	if (status == ATTESTER_OK)
		status = use_host(attester, err);
	return status;
}

/* True while the n-th allocation was reached, and so failed. */
static bool
run(long n)
{
	struct attester *attester = NULL;
	struct attester_error err = {0};

	countdown = n;
	enum attester_status status = attester_open(tpm.tcti, &attester, &err);
	if (status == ATTESTER_OK)
		status = use(attester, &err);
	const bool reached = countdown == 0;
	countdown = -1;
	attester_close(attester);
	if (!reached && status != ATTESTER_OK)
		fail_msg("nothing failed, and yet: %s", err.message);
	if (status != ATTESTER_OK && err.message[0] == '\0')
		fail_msg("allocation %ld: no word", n);
	/* A key whose record ESYS could not allocate stays in a TPM that has no resource manager.
	 */
	if (reached && status != ATTESTER_OK)
		assert_true(private_tpm_restart(&tpm));
	return reached;
}

static void
each_allocation_fails_once(void **state)
{
	const bool every = getenv("POSTERN_EVERY_ALLOCATION") != NULL;
	long n = 1;
	long runs = 0;
	(void)state;

	assert_true(private_tpm_start(&tpm, "sha256"));
	assert_false(run(ALLOCATIONS_MAX));
	for (; n < ALLOCATIONS_MAX && run(n); runs++)
		n += every ? 1 : 1 + n / 16;
	assert_in_range(n, 20, ALLOCATIONS_MAX - 1);
	print_message("%ld of about %ld allocations failed\n", runs, n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_fails_once)};

	if (!private_tpm_possible()) {
		fprintf(stderr, "skipped: swtpm is not installed\n");
		return PRIVATE_TPM_SKIPPED;
	}
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	private_tpm_stop(&tpm);
	return failed;
}
