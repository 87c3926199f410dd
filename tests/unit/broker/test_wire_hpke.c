/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 9180's vectors for our suite (A.2.1 and A.2.3, the first message of each), and what must
 * not open. */
#include "wire/hpke_internal.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES_MAX 128

static const struct vector {
	const char *mode;
	const char *recipient_private;
	const char *recipient_public;
	const char *ephemeral_private;
	const char *enc;
	const char *sender_private; /* NULL: base mode */
	const char *sender_public;
	const char *info;
	const char *aad;
	const char *plain;
	const char *cipher;
} vectors[] = {
	{
		.mode = "base",
		.recipient_private =
			"8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb",
		.recipient_public =
			"4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a",
		.ephemeral_private =
			"f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600",
		.enc = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a",
		.info = "4f6465206f6e2061204772656369616e2055726e",
		.aad = "436f756e742d30",
		.plain = "4265617574792069732074727574682c20747275746820626561757479",
		.cipher = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db"
			  "21993c62ce81883d2dd1b51a28",
	},
	{
		.mode = "auth",
		.recipient_private =
			"3ca22a6d1cda1bb9480949ec5329d3bf0b080ca4c45879c95eddb55c70b80b82",
		.recipient_public =
			"1a478716d63cb2e16786ee93004486dc151e988b34b475043d3e0175bdb01c44",
		.ephemeral_private =
			"c94619e1af28971c8fa7957192b7e62a71ca2dcdde0a7cc4a8a9e741d600ab13",
		.enc = "f7674cc8cd7baa5872d1f33dbaffe3314239f6197ddf5ded1746760bfc847e0e",
		.sender_private =
			"2def0cb58ffcf83d1062dd085c8aceca7f4c0c3fd05912d847b61f3e54121f05",
		.sender_public = "f0f4f9e96c54aeed3f323de8534fffd7e0577e4ce269896716bcb95643c8712b",
		.info = "4f6465206f6e2061204772656369616e2055726e",
		.aad = "436f756e742d30",
		.plain = "4265617574792069732074727574682c20747275746820626561757479",
		.cipher = "ab1a13c9d4f01a87ec3440dbd756e2677bd2ecf9df0ce7ed73869b98e00c09be"
			  "111cb9fdf077347aeb88e61bdf",
	},
};
#define VECTOR_COUNT (sizeof(vectors) / sizeof(vectors[0]))

struct field {
	size_t size;
	uint8_t bytes[BYTES_MAX];
};

static struct field
from_hex(const char *hex)
{
	struct field field = {0};
	if (hex != NULL)
		assert_int_equal(sodium_hex2bin(field.bytes, sizeof(field.bytes), hex, strlen(hex),
						NULL, &field.size, NULL),
				 0);
	return field;
}

static struct bytes
view(const struct field *field)
{
	return (struct bytes){field->bytes, field->size};
}

struct case_bytes {
	struct field recipient_private, recipient_public, ephemeral, sender_private, sender_public;
	struct field info, aad, plain;
	struct field sealed; /* enc and cipher */
	bool auth;
};

static struct case_bytes
decode(const struct vector *vector)
{
	struct case_bytes c = {
		.recipient_private = from_hex(vector->recipient_private),
		.recipient_public = from_hex(vector->recipient_public),
		.ephemeral = from_hex(vector->ephemeral_private),
		.sender_private = from_hex(vector->sender_private),
		.sender_public = from_hex(vector->sender_public),
		.info = from_hex(vector->info),
		.aad = from_hex(vector->aad),
		.plain = from_hex(vector->plain),
		.sealed = from_hex(vector->enc),
		.auth = vector->sender_private != NULL,
	};
	struct field cipher = from_hex(vector->cipher);
	memcpy(c.sealed.bytes + c.sealed.size, cipher.bytes, cipher.size);
	c.sealed.size += cipher.size;
	return c;
}

/* On an exact copy; a refusal must leave zeros where the plain text would have been. */
static bool
opens(const struct case_bytes *c, struct bytes info, struct bytes aad, struct bytes sealed,
      struct field *ret_plain)
{
	uint8_t *copy = malloc(sealed.size > 0 ? sealed.size : 1);
	memcpy(copy, sealed.data, sealed.size);
	memset(ret_plain->bytes, 0xee, sizeof(ret_plain->bytes));
	bool opened = hpke_open(c->recipient_private.bytes, c->recipient_public.bytes,
				c->auth ? c->sender_public.bytes : NULL, info, aad,
				(struct bytes){copy, sealed.size}, ret_plain->bytes);
	free(copy);
	ret_plain->size = sealed.size < HPKE_OVERHEAD ? 0 : sealed.size - HPKE_OVERHEAD;
	for (size_t i = 0; !opened && i < ret_plain->size; i++)
		assert_int_equal(ret_plain->bytes[i], 0);
	return opened;
}

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTOR_COUNT; i++) {
		struct case_bytes c = decode(&vectors[i]);
		const struct hpke_seal_input input = {
			.recipient_public = c.recipient_public.bytes,
			.sender_private = c.auth ? c.sender_private.bytes : NULL,
			.sender_public = c.auth ? c.sender_public.bytes : NULL,
			.info = view(&c.info),
			.aad = view(&c.aad),
			.plain = view(&c.plain),
		};
		uint8_t sealed[BYTES_MAX];
		assert_true(hpke_seal_with(&input, c.ephemeral.bytes, sealed));
		if (memcmp(sealed, c.sealed.bytes, c.sealed.size) != 0)
			fail_msg("%s: sealed to something else", vectors[i].mode);
		struct field plain;
		if (!opens(&c, view(&c.info), view(&c.aad), view(&c.sealed), &plain))
			fail_msg("%s: does not open", vectors[i].mode);
		assert_memory_equal(plain.bytes, c.plain.bytes, c.plain.size);
	}
}

static void
test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTOR_COUNT; i++) {
		struct case_bytes c = decode(&vectors[i]);
		struct field plain;
		for (size_t size = 0; size < c.sealed.size; size++)
			assert_false(opens(&c, view(&c.info), view(&c.aad),
					   (struct bytes){c.sealed.bytes, size}, &plain));
		c.sealed.bytes[c.sealed.size++] = 0;
		assert_false(opens(&c, view(&c.info), view(&c.aad), view(&c.sealed), &plain));
	}
}

/* Every bit of the sealed bytes, of info and of aad counts: X25519 masks the top bit of enc (RFC
 * 7748, 5), but the KEM hashes enc as it came. */
static void
test_flipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTOR_COUNT; i++) {
		struct case_bytes c = decode(&vectors[i]);
		struct field *parts[] = {&c.sealed, &c.info, &c.aad};
		struct field plain;
		for (size_t part = 0; part < 3; part++) {
			for (size_t bit = 0; bit < parts[part]->size * 8; bit++) {
				parts[part]->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
				if (opens(&c, view(&c.info), view(&c.aad), view(&c.sealed), &plain))
					fail_msg("%s: part %zu, bit %zu", vectors[i].mode, part,
						 bit);
				parts[part]->bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
			}
		}
	}
}

static void
test_other_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTOR_COUNT; i++) {
		struct case_bytes c = decode(&vectors[i]);
		struct case_bytes other = c;
		struct field plain;
		randombytes_buf(other.recipient_private.bytes, HPKE_KEY_SIZE);
		assert_false(opens(&other, view(&c.info), view(&c.aad), view(&c.sealed), &plain));
		other = c;
		other.recipient_public.bytes[3] ^= 1;
		assert_false(opens(&other, view(&c.info), view(&c.aad), view(&c.sealed), &plain));
		other = c;
		other.auth = !c.auth; /* base for auth, and a sender nobody claimed */
		other.sender_public = other.recipient_public;
		assert_false(opens(&other, view(&c.info), view(&c.aad), view(&c.sealed), &plain));
		if (!c.auth)
			continue;
		other = c;
		crypto_scalarmult_base(other.sender_public.bytes, c.ephemeral.bytes);
		assert_false(opens(&other, view(&c.info), view(&c.aad), view(&c.sealed), &plain));
	}
}

static void
test_low_order_points(void **state)
{
	/* Two of the small subgroup's points: 0 and 1. */
	static const uint8_t points[2][HPKE_KEY_SIZE] = {{0}, {1}};
	uint8_t sealed[HPKE_OVERHEAD + 1];
	uint8_t plain[1] = {5};
	uint8_t private[HPKE_KEY_SIZE] = {7};
	uint8_t public[HPKE_KEY_SIZE];
	const struct bytes none = {NULL, 0};
	(void)state;
	assert_int_equal(crypto_scalarmult_base(public, private), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_false(hpke_seal(points[i], NULL, NULL, none, none, BYTES_OF(plain), sealed));
		assert_false(
			hpke_seal(points[i], private, public, none, none, BYTES_OF(plain), sealed));
		memset(sealed, 0, sizeof(sealed));
		memcpy(sealed, points[i], HPKE_KEY_SIZE);
		plain[0] = 0xee;
		assert_false(hpke_open(private, public, NULL, none, none, BYTES_OF(sealed), plain));
		assert_int_equal(plain[0], 0);
		/* And a sender's key of low order would agree with everybody. */
		assert_true(hpke_seal(public, NULL, NULL, none, none, BYTES_OF(plain), sealed));
		assert_false(
			hpke_open(private, public, points[i], none, none, BYTES_OF(sealed), plain));
	}
}

static void
test_fresh_every_time(void **state)
{
	static const uint8_t text[] = "text";
	uint8_t private[HPKE_KEY_SIZE] = {9};
	uint8_t public[HPKE_KEY_SIZE];
	uint8_t first[sizeof(text) + HPKE_OVERHEAD];
	uint8_t second[sizeof(text) + HPKE_OVERHEAD];
	uint8_t plain[sizeof(text)];
	const struct bytes none = {NULL, 0};
	(void)state;
	assert_int_equal(crypto_scalarmult_base(public, private), 0);
	assert_true(hpke_seal(public, private, public, none, none, BYTES_OF(text), first));
	assert_true(hpke_seal(public, private, public, none, none, BYTES_OF(text), second));
	assert_memory_not_equal(first, second, HPKE_KEY_SIZE);
	assert_true(hpke_open(private, public, public, none, none, BYTES_OF(first), plain));
	assert_memory_equal(plain, text, sizeof(text));
	/* Nothing sealed is a message too. */
	uint8_t empty[HPKE_OVERHEAD];
	assert_true(hpke_seal(public, NULL, NULL, none, none, none, empty));
	assert_true(hpke_open(private, public, NULL, none, none, BYTES_OF(empty), plain));
}

/* RFC 5869, A.1 and A.3. */
static void
test_hkdf(void **state)
{
	static const struct {
		const char *input, *salt, *info, *key, *output;
	} table[] = {
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
		 "f0f1f2f3f4f5f6f7f8f9",
		 "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
		 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185"
		 "865"},
		{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
		 "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
		 "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a9"
		 "6c8"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct field input = from_hex(table[i].input), salt = from_hex(table[i].salt);
		struct field info = from_hex(table[i].info), key = from_hex(table[i].key);
		struct field output = from_hex(table[i].output);
		uint8_t made_key[32];
		uint8_t made[BYTES_MAX] = {0};
		hkdf_extract(view(&salt), view(&input), made_key);
		assert_memory_equal(made_key, key.bytes, sizeof(made_key));
		hkdf_expand(made_key, view(&info), made, output.size);
		assert_memory_equal(made, output.bytes, output.size);
		assert_int_equal(made[output.size], 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_flipped),
		cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_low_order_points),
		cmocka_unit_test(test_fresh_every_time),
		cmocka_unit_test(test_hkdf),
	};
	if (sodium_init() < 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests_name("hpke", tests, NULL, NULL);
}
