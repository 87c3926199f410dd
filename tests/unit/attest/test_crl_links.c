/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a CRL revokes, by hash: what a broker compares with the paths that it verified before. */
#include "attest/endorsement.h"
#include "chain_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Serials are 10, 11, 12, 13 from the root to the leaf. */
static const struct software_revoked OTHERS[] = {{.serial = 99}, {.serial = 100}, {.serial = 0}};
static const struct software_revoked OF_LEAF[] = {{.serial = 99}, {.serial = 13}, {.serial = 0}};
static const struct software_revoked OF_LOWER[] = {{.serial = 12}, {.serial = 0}};
static const struct software_revoked OF_UPPER[] = {{.serial = 11}, {.serial = 0}};
static const struct software_revoked OF_ROOT[] = {{.serial = 10}, {.serial = 0}};
static const struct software_revoked HELD[] = {{.serial = 13, .reason = 6}, {.serial = 0}};
static const struct software_revoked TAKEN_BACK[] = {{.serial = 13, .reason = 8}, {.serial = 0}};

static struct world
world_with_serials(void)
{
	struct world world = good_world(0);

	for (unsigned i = 0; i < COUNT; i++) {
		world.recipes[i].serial = 10 + i;
		if (i != LEAF)
			world.recipes[i].usage = "critical,keyCertSign,cRLSign";
	}
	return world;
}

/* What a CRL of that CA revokes. */
static size_t
revoked_by(const struct world *world, unsigned issuer, const struct software_revoked *revoked,
	   uint8_t (*ret_links)[ATTEST_HASH_SIZE], size_t capacity)
{
	uint8_t ca_der[WORLD_DER];
	uint8_t der[WORLD_DER];
	const struct software_crl recipe = {.issuer = world->recipes[issuer].subject,
					    .signer = world->recipes[issuer].key,
					    .revoked = revoked};
	struct bytes ca = {ca_der,
			   software_certificate_make(&world->recipes[issuer], ca_der, WORLD_DER)};
	struct bytes crl = {der, software_crl_make(&recipe, der, sizeof(der))};
	struct attest_crl described;
	struct attest_error err;
	size_t count = SIZE_MAX;

	assert_int_equal(attest_crl_describe(crl, &ca, 1, &described, &err), ATTEST_OK);
	enum attest_status status =
		attest_crl_revoked(crl, described.issuer_id, capacity, ret_links, &count, &err);
	assert_int_equal(status, count == SIZE_MAX ? ATTEST_LIMIT : ATTEST_OK);
	return count;
}

static bool
is_in(uint8_t (*links)[ATTEST_HASH_SIZE], size_t count, const uint8_t *link)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp(links[i], link, ATTEST_HASH_SIZE) == 0)
			return true;
	return false;
}

/* What a verification keeps is what a later CRL of the same CA names, and no other's. */
static void
every_link_of_a_path_can_be_cut_later(void **state)
{
	static const struct {
		const char *name;
		unsigned issuer;
		const struct software_revoked *revoked;
		int link; /* of the chain; -1: none */
	} cases[] = {
		{"the leaf", LOWER, OF_LEAF, 0},       {"lower", UPPER, OF_LOWER, 1},
		{"upper", ROOT, OF_UPPER, 2},	       {"the root", ROOT, OF_ROOT, 3},
		{"on hold", LOWER, HELD, 0},	       {"taken back", LOWER, TAKEN_BACK, -1},
		{"others", LOWER, OTHERS, -1},	       {"nobody", LOWER, NULL, -1},
		{"of another CA", UPPER, OF_LEAF, -1},
	};
	struct world world = world_with_serials();
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	assert_int_equal(verify(&world, &chain, &err), ATTEST_OK);
	assert_int_equal(chain.link_count, 4);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t links[4][ATTEST_HASH_SIZE];
		size_t count = revoked_by(&world, cases[i].issuer, cases[i].revoked, links, 4);
		for (int link = 0; link < 4; link++)
			if (is_in(links, count, chain.links[link]) != (link == cases[i].link))
				fail_msg("%s: link %d", cases[i].name, link);
	}
}

/* A newer CRL of one distribution point does not replace that of another. */
static void
each_distribution_point_has_an_id(void **state)
{
	static const char *const points[] = {NULL, "critical,fullname:URI:http://a/",
					     "critical,fullname:URI:http://b/"};
	struct world world = world_with_serials();
	uint8_t ca_der[WORLD_DER];
	struct bytes ca = {ca_der,
			   software_certificate_make(&world.recipes[LOWER], ca_der, WORLD_DER)};
	struct attest_crl crls[2][3];
	struct attest_error err;

	(void)state;
	for (size_t newer = 0; newer < 2; newer++)
		for (size_t i = 0; i < 3; i++) {
			uint8_t der[WORLD_DER];
			const struct software_crl recipe = {.issuer = world.recipes[LOWER].subject,
							    .signer = world.recipes[LOWER].key,
							    .from = newer == 0 ? "20260101000000Z"
									       : "20260201000000Z",
							    .point = points[i],
							    .revoked = newer == 0 ? OTHERS : NULL};
			struct bytes crl = {der, software_crl_make(&recipe, der, sizeof(der))};
			assert_int_equal(attest_crl_describe(crl, &ca, 1, &crls[newer][i], &err),
					 ATTEST_OK);
		}
	assert_memory_equal(crls[0][0].id, crls[0][0].issuer_id, ATTEST_HASH_SIZE);
	for (size_t i = 0; i < 3; i++) {
		assert_memory_equal(crls[0][i].issuer_id, crls[0][0].issuer_id, ATTEST_HASH_SIZE);
		assert_memory_equal(crls[0][i].id, crls[1][i].id, ATTEST_HASH_SIZE);
		assert_memory_not_equal(crls[0][i].id, crls[0][(i + 1) % 3].id, ATTEST_HASH_SIZE);
	}
}

static void
revoked_ones_are_in_order_and_each_once(void **state)
{
	static const struct software_revoked many[] = {{.serial = 300}, {.serial = 2},
						       {.serial = 300}, {.serial = 128},
						       {.serial = 1},	{.serial = 0}};
	struct world world = world_with_serials();
	uint8_t links[8][ATTEST_HASH_SIZE];
	struct attest_error err;
	size_t count = 7;

	(void)state;
	assert_int_equal(revoked_by(&world, LOWER, many, links, 8), 4);
	for (size_t i = 1; i < 4; i++)
		assert_true(memcmp(links[i - 1], links[i], ATTEST_HASH_SIZE) < 0);
	assert_int_equal(revoked_by(&world, LOWER, many, links, 5), 4);
	assert_int_equal(revoked_by(&world, LOWER, many, links, 4), SIZE_MAX);
	assert_int_equal(
		attest_crl_revoked((struct bytes){links[0], 32}, links[1], 8, links, &count, &err),
		ATTEST_MALFORMED);
	assert_int_equal(count, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_link_of_a_path_can_be_cut_later),
		cmocka_unit_test(each_distribution_point_has_an_id),
		cmocka_unit_test(revoked_ones_are_in_order_and_each_once),
	};

	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
