/* SPDX-License-Identifier: Apache-2.0 */
/* The file of a sealed key, without a TPM: cut, altered, lengthened, and wrong in each field. */
#include "attest/attester/host_internal.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint8_t name[34] = {0, 11, 1, 2, 3};
static uint8_t public_area[78] = {4, 5, 6};
static uint8_t private_area[160] = {7, 8, 9};

static struct host_sealed
some_sealed(uint32_t mask)
{
	struct host_sealed sealed = {
		.pcrs.mask = mask,
		.primary = BYTES_OF(name),
		.public_area = BYTES_OF(public_area),
		.private_area = BYTES_OF(private_area),
	};

	for (unsigned pcr = 0; pcr < HOST_PCR_COUNT; pcr++)
		if (mask & 1U << pcr)
			memset(sealed.pcrs.values[pcr], (int)pcr + 1, ATTEST_HASH_SIZE);
	return sealed;
}

/* A heap block of just its size: one byte too far is seen by ASan. */
static bool
reads(const uint8_t *file, size_t size)
{
	struct host_sealed sealed;
	uint8_t *copy = malloc(size > 0 ? size : 1);

	assert_non_null(copy);
	if (size > 0)
		memcpy(copy, file, size);
	bool read = host_sealed_read((struct bytes){copy, size}, &sealed);
	free(copy);
	return read;
}

static void
what_is_written_reads_back(void **state)
{
	static const uint32_t masks[] = {1, 1U << 23, 1U << 7 | 1U << 11, HOST_PCRS_ALL};
	(void)state;

	for (size_t i = 0; i < COUNT(masks); i++) {
		const struct host_sealed sealed = some_sealed(masks[i]);
		struct host_sealed read;
		uint8_t file[HOST_SEALED_MAX];
		size_t size = 0;
		uint32_t pcrs = 0;

		assert_true(host_sealed_write(&sealed, file, &size));
		assert_true(host_sealed_read((struct bytes){file, size}, &read));
		assert_memory_equal(&read.pcrs, &sealed.pcrs, sizeof(read.pcrs));
		assert_true(bytes_equal(read.primary, sealed.primary));
		assert_true(bytes_equal(read.public_area, sealed.public_area));
		assert_true(bytes_equal(read.private_area, sealed.private_area));
		assert_true(host_sealed_pcrs(file, size, &pcrs));
		assert_int_equal(pcrs, masks[i]);
	}
}

static void
cut_altered_and_lengthened_files_are_refused(void **state)
{
	const struct host_sealed sealed = some_sealed(1U << 7 | 1U << 11);
	uint8_t file[HOST_SEALED_MAX + 1] = {0};
	size_t size = 0;
	uint32_t pcrs = 4711;
	(void)state;

	assert_true(host_sealed_write(&sealed, file, &size));
	for (size_t cut = 0; cut < size; cut++)
		if (reads(file, cut))
			fail_msg("%zu bytes of %zu read", cut, size);
	for (size_t bit = 0; bit < 8 * size; bit++) {
		file[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (reads(file, size))
			fail_msg("bit %zu flipped, and it reads", bit);
		file[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_false(reads(file, size + 1));
	assert_true(reads(file, size));
	assert_false(host_sealed_pcrs(file, size - 1, &pcrs));
	assert_int_equal(pcrs, 4711);
}

/* Wrong in a field, and whole by its hash. */
static void
each_field_has_its_own_bounds(void **state)
{
	static const struct {
		const char *name;
		size_t offset;
		uint8_t value;
	} rows[] = {
		{"another magic", 0, 0x71},
		{"another version", 5, 2},
		{"no PCR", 8, 0},
		{"PCR 24", 6, 1},
		{"one PCR more than there are values", 9, 1},
		{"an empty name", 10 + 32 + 1, 0},
		{"a name of 546 bytes", 10 + 32, 2},
	};
	const struct host_sealed sealed = some_sealed(1U << 11);
	uint8_t file[HOST_SEALED_MAX];
	size_t size = 0;
	(void)state;

	assert_true(host_sealed_write(&sealed, file, &size));
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t spoiled[HOST_SEALED_MAX];

		memcpy(spoiled, file, size);
		assert_int_not_equal(spoiled[rows[i].offset], rows[i].value);
		spoiled[rows[i].offset] = rows[i].value;
		assert_int_equal(EVP_Digest(spoiled, size - ATTEST_HASH_SIZE,
					    spoiled + size - ATTEST_HASH_SIZE, NULL, EVP_sha256(),
					    NULL),
				 1);
		if (reads(spoiled, size))
			fail_msg("%s: it reads", rows[i].name);
	}
}

static void
what_does_not_fit_is_not_written(void **state)
{
	static uint8_t large[HOST_SEALED_MAX];
	struct host_sealed sealed = some_sealed(1U << 11);
	uint8_t file[HOST_SEALED_MAX] = {0x55};
	size_t size = 4711;
	(void)state;

	/* Too large by anything, or by nothing but the hash. */
	for (size_t i = 0; i <= ATTEST_HASH_SIZE; i += ATTEST_HASH_SIZE) {
		size_t others = 4 + 2 + 4 + 32 + 2 + sizeof(name) + 2 + sizeof(public_area) + 2;
		sealed.private_area = (struct bytes){large, sizeof(large) - others + 1 - i};
		assert_false(host_sealed_write(&sealed, file, &size));
		assert_int_equal(size, 4711);
		assert_int_equal(file[0], 0x55);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(cut_altered_and_lengthened_files_are_refused),
		cmocka_unit_test(each_field_has_its_own_bounds),
		cmocka_unit_test(what_does_not_fit_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
