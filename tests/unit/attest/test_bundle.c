/* SPDX-License-Identifier: Apache-2.0 */
/* Files of certificates, as people and TPMs have them. */
#include "attest/endorsement.h"
#include "chain_world.h"
#include "spoil.h"

#include <openssl/pem.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FILE_MAX 32768

static uint8_t der[2][WORLD_DER];
static struct bytes made[2];

static int
set_up(void **state)
{
	int status = world_set_up(state);
	const struct world world = good_world(1);

	for (unsigned i = 0; i < 2; i++)
		made[i] = (struct bytes){
			der[i], software_certificate_make(&world.recipes[i == 0 ? LEAF : LOWER],
							  der[i], WORLD_DER)};
	return status;
}

static size_t
add_pem(char *file, size_t used, const char *label, struct bytes item)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;

	assert_true(PEM_write_bio(bio, label, "", item.data, (long)item.size) > 0);
	long size = BIO_get_mem_data(bio, &text);
	assert_true(used + (size_t)size < FILE_MAX);
	memcpy(file + used, text, (size_t)size);
	BIO_free(bio);
	return used + (size_t)size;
}

static size_t
add_text(char *file, size_t used, const char *text)
{
	memcpy(file + used, text, strlen(text));
	return used + strlen(text);
}

static size_t
count_of(struct bytes file, enum attest_item kind)
{
	struct attest_bundle bundle;
	struct attest_error err;

	if (attest_bundle_read(file, kind, &bundle, &err) != ATTEST_OK)
		return 0;
	size_t count = bundle.count;
	attest_bundle_clear(&bundle);
	return count;
}

static void
pem_may_hold_several_things(void **state)
{
	static char file[FILE_MAX];
	struct attest_bundle bundle;
	struct attest_error err;
	size_t size = 0;

	(void)state;
	size = add_text(file, size, "subject=/CN=x\r\n");
	size = add_pem(file, size, "CERTIFICATE", made[0]);
	size = add_text(file, size, "\n# and its issuer\n");
	size = add_pem(file, size, "PUBLIC KEY", made[0]);
	size = add_pem(file, size, "X509 CRL", made[0]);
	size = add_pem(file, size, "X509 CERTIFICATE", made[1]);
	size = add_text(file, size, "the end");
	struct bytes text = {(const uint8_t *)file, size};
	assert_int_equal(attest_bundle_read(text, ATTEST_CERTIFICATE, &bundle, &err), ATTEST_OK);
	assert_int_equal(bundle.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(bytes_equal(bundle.items[i], made[i]));
	attest_bundle_clear(&bundle);
	assert_int_equal(count_of(text, ATTEST_CRL), 1);
}

static bool
reads(struct bytes file, void *user)
{
	struct attest_bundle bundle;
	struct attest_error err;

	(void)user;
	if (attest_bundle_read(file, ATTEST_CERTIFICATE, &bundle, &err) != ATTEST_OK)
		return false;
	attest_bundle_clear(&bundle);
	return true;
}

/* A second one that is cut off is not passed over in silence. */
static void
pem_that_is_cut_off_is_refused(void **state)
{
	static char file[FILE_MAX];
	size_t first = add_pem(file, 0, "CERTIFICATE", made[0]);
	size_t size = add_pem(file, first, "CERTIFICATE", made[1]);

	(void)state;
	for (size_t cut = first + 64; cut < size - 30; cut += 7)
		assert_false(accepts_copy((struct bytes){(const uint8_t *)file, cut}, reads, NULL));
	file[first + 100] = '!';
	assert_false(accepts_copy((struct bytes){(const uint8_t *)file, size}, reads, NULL));
}

static void
der_may_stand_in_a_row_and_in_nv(void **state)
{
	static const uint8_t header[] = {0x10, 0x01, 0x00, 0x05, 0x00, 0x10, 0x02};
	static uint8_t file[FILE_MAX];
	struct writer w = writer_of(file, sizeof(file));

	(void)state;
	write_bytes(&w, BYTES_OF(header));
	write_bytes(&w, made[0]);
	assert_int_equal(count_of(writer_bytes(&w), ATTEST_CERTIFICATE), 1);
	write_bytes(&w, made[1]);
	assert_int_equal(count_of(writer_bytes(&w), ATTEST_CERTIFICATE), 2);
	for (unsigned i = 0; i < 50; i++)
		write_u8(&w, 0xff);
	assert_int_equal(count_of(writer_bytes(&w), ATTEST_CERTIFICATE), 2);
	write_u8(&w, 0x00);
	assert_int_equal(count_of(writer_bytes(&w), ATTEST_CERTIFICATE), 0);
	for (size_t size = 0; size < made[0].size; size++)
		assert_false(accepts_copy((struct bytes){made[0].data, size}, reads, NULL));
}

static void
what_is_neither_is_refused(void **state)
{
	static const struct {
		const char *text;
		size_t size;
	} cases[] = {
		{"", 0},
		{"hello", 5},
		{"\x30", 1},
		{"\x30\x80\x00\x00", 4},
		{"\x30\x85\x00\x00\x00\x00\x01\x00", 8},
		{"\x30\x84\xff\xff\xff\xff", 6},
		{"\x30\x00\x31", 3},
		{"-----BEGIN CERTIFICATE-----\n", 28},
		{"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 57},
	};
	static uint8_t large[ATTEST_BUNDLE_MAX + 1];
	struct attest_bundle bundle;
	struct attest_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (accepts_copy((struct bytes){(const uint8_t *)cases[i].text, cases[i].size},
				 reads, NULL))
			fail_msg("case %zu", i);
	assert_int_equal(attest_bundle_read(BYTES_OF(large), ATTEST_CERTIFICATE, &bundle, &err),
			 ATTEST_LIMIT);
}

/* Elements of two bytes: the smallest there are. */
static void
items_are_counted(void **state)
{
	static uint8_t file[2 * ATTEST_PILE_MAX + 2];
	struct attest_bundle bundle;
	struct attest_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(file); i += 2)
		file[i] = 0x30;
	assert_int_equal(count_of((struct bytes){file, sizeof(file) - 2}, ATTEST_CERTIFICATE),
			 ATTEST_PILE_MAX);
	assert_int_equal(attest_bundle_read(BYTES_OF(file), ATTEST_CERTIFICATE, &bundle, &err),
			 ATTEST_LIMIT);
	assert_string_equal(err.check, "bundle.count");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pem_may_hold_several_things),
		cmocka_unit_test(pem_that_is_cut_off_is_refused),
		cmocka_unit_test(der_may_stand_in_a_row_and_in_nv),
		cmocka_unit_test(what_is_neither_is_refused),
		cmocka_unit_test(items_are_counted),
	};
	return cmocka_run_group_tests(tests, set_up, world_tear_down);
}
