/* SPDX-License-Identifier: Apache-2.0 */
/* What CAs have revoked: found at every level, and no CRL that bears a CA's name is passed over
 * because it cannot be used. */
#include "attest/endorsement.h"
#include "chain_world.h"
#include "spoil.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
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
static const struct software_revoked ODD_ENTRY[] = {{.serial = 99, .unknown = "1.2.3.4"},
						    {.serial = 0}};
static const struct software_revoked INDIRECT[] = {{.serial = 99, .unknown = "2.5.29.29"},
						   {.serial = 0}};

static const struct software_certificate *
recipe_of(const struct world *world, unsigned issuer)
{
	return &world->recipes[issuer];
}

static struct software_crl *
add_crl(struct world *world, unsigned issuer, const struct software_revoked *revoked)
{
	struct software_crl *crl = &world->crls[world->crl_count++];

	*crl = (struct software_crl){.issuer = recipe_of(world, issuer)->subject,
				     .signer = recipe_of(world, issuer)->key,
				     .revoked = revoked};
	return crl;
}

static struct world
world_with_crls(void)
{
	struct world world = good_world(0);

	for (unsigned i = 0; i < COUNT; i++) {
		world.recipes[i].serial = 10 + i;
		if (i != LEAF)
			world.recipes[i].usage = "critical,keyCertSign,cRLSign";
	}
	return world;
}

/* ---- one change each ---- */

#define CHANGE(name, code)                                                                         \
	static void name(struct world *world)                                                      \
	{                                                                                          \
		code;                                                                              \
	}
#define EXPIRED "20260601000000Z"
#define FUTURE	"20270601000000Z"
CHANGE(none, (void)world)
CHANGE(others, add_crl(world, LOWER, OTHERS))
CHANGE(empty, add_crl(world, LOWER, NULL))
CHANGE(all_levels, add_crl(world, LOWER, OTHERS); add_crl(world, UPPER, OTHERS);
       add_crl(world, ROOT, OTHERS))
CHANGE(leaf, add_crl(world, LOWER, OF_LEAF))
CHANGE(lower, add_crl(world, UPPER, OF_LOWER))
CHANGE(upper, add_crl(world, ROOT, OF_UPPER))
CHANGE(pinned_upper, world->upper_is_anchor = true; add_crl(world, ROOT, OF_UPPER))
CHANGE(root_by_itself, add_crl(world, ROOT, OF_ROOT))
CHANGE(leaf_by_upper, add_crl(world, UPPER, OF_LEAF)) /* another's serial of that number */
CHANGE(held, add_crl(world, LOWER, HELD))
CHANGE(taken_back, add_crl(world, LOWER, TAKEN_BACK))
CHANGE(of_a_stranger, add_crl(world, LOWER, OF_LEAF)->issuer = "stranger")
CHANGE(by_a_stranger, add_crl(world, LOWER, OTHERS)->signer = ca_keys[ROOT])
CHANGE(sha1, add_crl(world, LOWER, OTHERS)->hash = "SHA1")
CHANGE(expired, add_crl(world, LOWER, OTHERS)->until = EXPIRED)
CHANGE(expired_upper, add_crl(world, UPPER, OTHERS)->until = EXPIRED)
CHANGE(expired_root, add_crl(world, ROOT, OTHERS)->until = EXPIRED)
CHANGE(expired_allowed, expired(world); world->stale_crls = true)
CHANGE(expired_revoked, add_crl(world, LOWER, OF_LEAF)->until = EXPIRED; world->stale_crls = true)
CHANGE(expired_and_fresh, expired(world); others(world))
CHANGE(superseded, add_crl(world, LOWER, HELD)->until = EXPIRED; others(world))
CHANGE(superseded_allowed, superseded(world); world->stale_crls = true)
CHANGE(two_fresh, others(world); leaf(world))
CHANGE(two_fresh_turned, leaf(world); others(world))
CHANGE(future, add_crl(world, LOWER, OTHERS)->from = FUTURE)
CHANGE(future_allowed, future(world); world->stale_crls = true)
CHANGE(future_and_fresh, future(world); others(world))
CHANGE(future_revoked, add_crl(world, LOWER, OF_LEAF)->from = FUTURE; others(world))
CHANGE(no_end, add_crl(world, LOWER, OTHERS)->until = "")
CHANGE(delta, add_crl(world, LOWER, OTHERS)->delta = true)
CHANGE(unknown, add_crl(world, LOWER, OTHERS)->unknown = "1.2.3.4")
CHANGE(indirect, add_crl(world, LOWER, OTHERS)->point = "critical,indirectCRL:TRUE")
CHANGE(users_only, add_crl(world, LOWER, OTHERS)->point = "critical,onlyuser:TRUE")
CHANGE(point, add_crl(world, LOWER, OTHERS)->point = "critical,fullname:URI:http://crl/")
CHANGE(point_revoked, add_crl(world, LOWER, OF_LEAF)->point = "critical,fullname:URI:http://crl/")
/* Of the leaf's place, or of another; one that is of another says nothing good of the leaf. */
#define HERE  "URI:http://here/"
#define OTHER "critical,fullname:URI:http://other/"
CHANGE(its_place, world->recipes[LEAF].point = HERE;
       add_crl(world, LOWER, OTHERS)->point = "critical,fullname:" HERE)
CHANGE(one_of_its_places, its_place(world);
       world->recipes[LEAF].point = "URI:http://elsewhere/," HERE)
CHANGE(other_place, world->recipes[LEAF].point = HERE; add_crl(world, LOWER, OTHERS)->point = OTHER)
CHANGE(other_place_revoked, other_place(world); world->crls[0].revoked = OF_LEAF)
CHANGE(other_place_expired, other_place_revoked(world); world->crls[0].until = EXPIRED)
CHANGE(both_places, other_place(world); its_place(world))
CHANGE(whole_and_other, other_place(world); others(world))
CHANGE(expired_and_other_place, other_place(world); leaf(world); world->crls[1].until = EXPIRED)
CHANGE(odd_entry, add_crl(world, LOWER, ODD_ENTRY))
CHANGE(indirect_entry, add_crl(world, LOWER, INDIRECT))
CHANGE(no_crl_sign, others(world); world->recipes[LOWER].usage = "critical,keyCertSign")
/* A namesake's: by its key identifier. The first is another CA's, the second says to be ours. */
CHANGE(namesakes, by_a_stranger(world); world->recipes[LOWER].key_id = "aa";
       world->crls[0].issuer_key_id = "bb")
CHANGE(not_namesakes, namesakes(world); world->crls[0].issuer_key_id = "aa")
/* Ours, whatever identifier it bears. */
CHANGE(misnamed, leaf(world); world->recipes[LOWER].key_id = "aa";
       world->crls[0].issuer_key_id = "bb")

static const struct {
	const char *name;
	void (*change)(struct world *world);
	const char *check; /* NULL: accepted */
} CASES[] = {
	{"none", none, NULL},
	{"others", others, NULL},
	{"empty", empty, NULL},
	{"all levels", all_levels, NULL},
	{"leaf", leaf, "ek.chain.revoked"},
	{"lower", lower, "ek.chain.revoked"},
	{"upper", upper, "ek.chain.revoked"},
	{"an anchor by one above it", pinned_upper, "ek.chain.revoked"},
	{"the root by itself", root_by_itself, "ek.chain.revoked"},
	{"that serial of another CA", leaf_by_upper, NULL},
	{"on hold", held, "ek.chain.revoked"},
	{"taken back", taken_back, NULL},
	{"a stranger's", of_a_stranger, NULL},
	{"signed by a stranger", by_a_stranger, "ek.chain.crl.signature"},
	{"SHA-1", sha1, "ek.chain.crl.algorithm"},
	{"expired", expired, "ek.chain.crl.expired"},
	{"expired above", expired_upper, "ek.chain.crl.expired"},
	{"expired at the top", expired_root, "ek.chain.crl.expired"},
	{"expired, allowed", expired_allowed, NULL},
	{"expired, allowed, revoked", expired_revoked, "ek.chain.revoked"},
	{"expired and fresh", expired_and_fresh, NULL},
	{"superseded", superseded, NULL},
	{"superseded, allowed", superseded_allowed, NULL},
	{"two fresh", two_fresh, "ek.chain.revoked"},
	{"two fresh, turned", two_fresh_turned, "ek.chain.revoked"},
	{"of the future", future, "ek.chain.crl.early"},
	{"of the future, stale allowed", future_allowed, "ek.chain.crl.early"},
	{"of the future and fresh", future_and_fresh, NULL},
	{"revoked in the future", future_revoked, "ek.chain.revoked"},
	{"without nextUpdate", no_end, "ek.chain.crl.form"},
	{"delta", delta, "ek.chain.crl.form"},
	{"unknown extension", unknown, "ek.chain.crl.form"},
	{"indirect", indirect, "ek.chain.crl.form"},
	{"of users only", users_only, "ek.chain.crl.form"},
	{"with its place", point, NULL},
	{"with its place, revoked", point_revoked, "ek.chain.revoked"},
	{"of its place", its_place, NULL},
	{"of one of its places", one_of_its_places, NULL},
	{"of another place", other_place, "ek.chain.crl.scope"},
	{"of another place, revoked", other_place_revoked, "ek.chain.revoked"},
	{"of another place, expired, revoked", other_place_expired, "ek.chain.revoked"},
	{"of both places", both_places, NULL},
	{"of all places and of another", whole_and_other, NULL},
	{"revoked, which another place's does not take back", expired_and_other_place,
	 "ek.chain.revoked"},
	{"unknown extension of an entry", odd_entry, "ek.chain.crl.form"},
	{"an entry of another issuer", indirect_entry, "ek.chain.crl.form"},
	{"by a CA without cRLSign", no_crl_sign, "ek.chain.crl.usage"},
	{"a namesake's", namesakes, NULL},
	{"no namesake's", not_namesakes, "ek.chain.crl.signature"},
	{"misnamed", misnamed, "ek.chain.revoked"},
};

static void
each_crl_is_judged_by_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
		struct world world = world_with_crls();
		struct attest_chain chain;
		struct attest_error err = {0};

		CASES[i].change(&world);
		enum attest_status status = verify(&world, &chain, &err);
		if ((status == ATTEST_OK) != (CASES[i].check == NULL) ||
		    (CASES[i].check != NULL && strcmp(err.check, CASES[i].check) != 0))
			fail_msg("%s: %d %s: %s", CASES[i].name, status, err.check, err.message);
	}
}

/* Which CAs were asked is told, for "not revoked" and "nobody knows" are two things. */
static void
who_was_asked_is_told(void **state)
{
	struct world world = world_with_crls();
	struct attest_chain chain;
	struct attest_error err;

	(void)state;
	add_crl(&world, UPPER, OTHERS);
	assert_int_equal(verify(&world, &chain, &err), ATTEST_OK);
	assert_int_equal(chain.ca_count, 3);
	assert_int_equal(chain.path_count, 3);
	assert_false(chain.ca_asked[0]);
	assert_true(chain.ca_asked[1]);
	assert_false(chain.ca_asked[2]);
	assert_false(chain.ca_pinned[1]);
	assert_true(chain.ca_pinned[2]);
	assert_string_equal(chain.ca_subjects[1], "CN=upper");
}

/* ---- bytes ---- */

struct spoiled {
	uint8_t der[3][WORLD_DER];
	struct bytes items[3]; /* the leaf, the lower CA as the anchor, and one CRL */
};

static void
make_spoiled(struct spoiled *spoiled, const struct software_revoked *revoked)
{
	struct world world = world_with_crls();

	add_crl(&world, LOWER, revoked);
	spoiled->items[0] = dress_leaf(&world, spoiled->der[0], WORLD_DER);
	spoiled->items[1] = (struct bytes){
		spoiled->der[1],
		software_certificate_make(&world.recipes[LOWER], spoiled->der[1], WORLD_DER)};
	spoiled->items[2] = (struct bytes){
		spoiled->der[2], software_crl_make(&world.crls[0], spoiled->der[2], WORLD_DER)};
}

static enum attest_status
judge(const struct spoiled *spoiled, struct bytes crl, struct attest_error *err)
{
	struct attest_chain chain;

	return attest_chain_verify(eks[0], &spoiled->items[0], 1,
				   &(const struct attest_trust){.anchors = &spoiled->items[1],
								.anchor_count = 1,
								.crls = &crl,
								.crl_count = 1,
								.now = NOW},
				   &chain, err);
}

static bool
crl_accepted(struct bytes crl, void *user)
{
	struct attest_error err;

	return judge(user, crl, &err) == ATTEST_OK;
}

/* The issuer's name: a CRL that bears another is not this CA's. */
static size_t
find_name(const struct spoiled *spoiled)
{
	static const char name[] = "lower";
	struct bytes crl = spoiled->items[2];

	for (size_t i = 0; i + 5 <= crl.size; i++)
		if (memcmp(crl.data + i, name, 5) == 0)
			return i;
	fail();
	return 0;
}

static void
no_spoiled_crl_passes(void **state)
{
	struct spoiled good;
	struct spoiled bad;

	(void)state;
	make_spoiled(&good, OTHERS);
	make_spoiled(&bad, OF_LEAF);
	assert_true(crl_accepted(good.items[2], &good));
	assert_false(crl_accepted(bad.items[2], &bad));
	refuses_other_sizes(good.items[2], crl_accepted, &good);
	refuses_other_sizes(bad.items[2], crl_accepted, &bad);
	/* 13 bytes frame the name: they too make it another's. */
	refuses_flips(good.items[2], 0, find_name(&good) - 13, crl_accepted, &good);
	refuses_flips(good.items[2], find_name(&good) + 5, good.items[2].size, crl_accepted, &good);
	refuses_flips(bad.items[2], find_name(&bad) + 5, bad.items[2].size, crl_accepted, &bad);
}

/* Junk in the place of a CRL is no CRL of somebody else. */
static void
junk_is_no_strangers_crl(void **state)
{
	static const uint8_t junk[][4] = {{0x30, 0x02, 0x05, 0x00}, {0x30, 0x82, 0xff, 0xff}, {0}};
	struct spoiled good;
	struct attest_error err;

	(void)state;
	make_spoiled(&good, OTHERS);
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		assert_int_equal(judge(&good, BYTES_OF(junk[i]), &err), ATTEST_MALFORMED);
		assert_string_equal(err.check, "ek.chain.crl.parse");
	}
	assert_int_equal(judge(&good, (struct bytes){0}, &err), ATTEST_MALFORMED);
	assert_int_equal(judge(&good, good.items[1], &err), ATTEST_MALFORMED);
}

static void
crls_are_bounded(void **state)
{
	struct spoiled good;
	struct attest_chain chain;
	struct attest_error err;
	static uint8_t large[ATTEST_CRL_MAX + 1] = {0x30};
	static struct bytes many[ATTEST_CRLS_MAX + 1];

	(void)state;
	make_spoiled(&good, OTHERS);
	assert_int_equal(judge(&good, BYTES_OF(large), &err), ATTEST_LIMIT);
	assert_string_equal(err.check, "ek.chain.crl.size");
	for (size_t i = 0; i <= ATTEST_CRLS_MAX; i++)
		many[i] = good.items[2];
	for (size_t count = ATTEST_CRLS_MAX; count <= ATTEST_CRLS_MAX + 1; count++)
		assert_int_equal(
			attest_chain_verify(eks[0], &good.items[0], 1,
					    &(const struct attest_trust){.anchors = &good.items[1],
									 .anchor_count = 1,
									 .crls = many,
									 .crl_count = count,
									 .now = NOW},
					    &chain, &err),
			count <= ATTEST_CRLS_MAX ? ATTEST_OK : ATTEST_LIMIT);
}

/* About as long as one may be: found at its end, and within a moment. */
static void
a_long_crl_is_searched(void **state)
{
	enum { ENTRIES = 24000 };
	struct software_revoked *revoked = calloc(ENTRIES + 1, sizeof(*revoked));
	uint8_t *der = malloc(ATTEST_CRL_MAX);
	struct world world = world_with_crls();
	struct spoiled good;
	struct attest_error err;

	(void)state;
	for (unsigned i = 0; i < ENTRIES; i++)
		revoked[i].serial = i == ENTRIES - 1 ? 13 : 1000000 + i;
	make_spoiled(&good, OTHERS);
	add_crl(&world, LOWER, revoked);
	struct bytes crl = {der, software_crl_make(&world.crls[0], der, ATTEST_CRL_MAX)};
	assert_true(crl.size > ATTEST_CRL_MAX / 2);
	assert_int_equal(judge(&good, crl, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "ek.chain.revoked");
	free(der);
	free(revoked);
}

/* ---- before one is kept ---- */

static void
crls_are_described_or_refused(void **state)
{
	struct world world = world_with_crls();
	struct spoiled good;
	struct attest_crl crl;
	struct attest_error err;
	uint8_t id[ATTEST_HASH_SIZE];

	(void)state;
	make_spoiled(&good, OTHERS);
	public_key_id(ca_keys[LOWER], id);
	assert_int_equal(attest_crl_describe(good.items[2], &good.items[1], 1, &crl, &err),
			 ATTEST_OK);
	assert_memory_equal(crl.issuer_id, id, sizeof(id));
	assert_string_equal(crl.issuer, "CN=lower");
	assert_int_equal(crl.issued, 1767225600);
	assert_int_equal(crl.expires, 1830297600);
	assert_int_equal(crl.revoked, 2);
	assert_int_equal(attest_crl_describe(good.items[2], &good.items[1], 0, &crl, &err),
			 ATTEST_REFUSED);
	assert_string_equal(err.check, "crl.issuer");
	add_crl(&world, LOWER, OTHERS)->signer = ca_keys[ROOT];
	add_crl(&world, LOWER, OTHERS)->until = "";
	add_crl(&world, LOWER, OTHERS)->hash = "SHA1";
	static const char *const checks[] = {"crl.signature", "crl.form", "crl.algorithm"};
	for (size_t i = 0; i < 3; i++) {
		uint8_t der[WORLD_DER];
		struct bytes one = {der, software_crl_make(&world.crls[i], der, sizeof(der))};

		assert_int_not_equal(attest_crl_describe(one, &good.items[1], 1, &crl, &err),
				     ATTEST_OK);
		assert_string_equal(err.check, checks[i]);
	}
	for (size_t size = 0; size < good.items[2].size; size++)
		assert_int_equal(attest_crl_describe((struct bytes){good.items[2].data, size},
						     &good.items[1], 1, &crl, &err),
				 ATTEST_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_crl_is_judged_by_its_name),
		cmocka_unit_test(who_was_asked_is_told),
		cmocka_unit_test(no_spoiled_crl_passes),
		cmocka_unit_test(junk_is_no_strangers_crl),
		cmocka_unit_test(crls_are_bounded),
		cmocka_unit_test(a_long_crl_is_searched),
		cmocka_unit_test(crls_are_described_or_refused),
	};
	return cmocka_run_group_tests(tests, world_set_up, world_tear_down);
}
