/* SPDX-License-Identifier: Apache-2.0 */
/* Real quotes and real keys' names, where POSTERN_SHARED says that there are some. */
#include "attest/inspect.h"
#include "attest/publicarea.h"
#include "corpora.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define QUOTES "quotes/"
#define AZURE  QUOTES "azure-cvm-tooling/az-vtpm"
#define GCE    QUOTES "go-tpm-tools/gce-cos-85-no-nonce"
#define NONCE  QUOTES "go-tpm-tools/gce-cos-85-nonce9009"
#define GCPWIN QUOTES "go-attestation/windows_gcp_shielded_vm"
#define CHECK  QUOTES "keylime/checkquote"
#define EMU    QUOTES "keylime/emulator-files"

/* ---- values ---- */

static void
set_value(struct attest_pcrs *pcrs, unsigned long pcr, struct bytes value)
{
	assert_true(pcr < ATTEST_PCRS);
	assert_int_equal(value.size, attest_bank_size(pcrs->bank));
	memcpy(pcrs->values[pcr], value.data, value.size);
	pcrs->known |= 1U << pcr;
}

/* {"sha256": {"0": "..."}}, of one bank. */
static struct attest_pcrs
values_from_json(struct bytes text)
{
	json_t *root = json_loadb((const char *)text.data, text.size, 0, NULL);
	struct attest_pcrs pcrs = {.known = 0};

	assert_non_null(root);
	for (unsigned bank = 0; bank < ATTEST_BANKS; bank++) {
		const char *pcr;
		json_t *value;
		json_t *values = json_object_get(root, attest_bank_name((enum attest_bank)bank));
		if (values == NULL)
			continue;
		pcrs.bank = (enum attest_bank)bank;
		json_object_foreach(values, pcr, value)
		{
			long size = 0;
			unsigned char *bytes = OPENSSL_hexstr2buf(json_string_value(value), &size);
			set_value(&pcrs, strtoul(pcr, NULL, 10),
				  (struct bytes){bytes, (size_t)size});
			OPENSSL_free(bytes);
		}
	}
	json_decref(root);
	return pcrs;
}

/* As tpm2-tools write structures: a TPML_PCR_SELECTION in memory, and lists of up to eight digests.
 * One bank of SHA-256. */
static struct attest_pcrs
values_from_tools(struct bytes file)
{
	struct reader r = reader_of(file);
	struct attest_pcrs pcrs = {.bank = ATTEST_SHA256};
	uint32_t wanted = 0, taken = 0;

	assert_int_equal(read_le32(&r), 1);
	assert_int_equal(read_le16(&r), 0x000b);
	assert_int_equal(read_u8(&r), 3);
	for (unsigned octet = 0; octet < 3; octet++)
		wanted |= (uint32_t)read_u8(&r) << 8 * octet;
	read_bytes(&r, 2 + 15 * 8); /* padding, and the places of other banks */
	for (uint32_t lists = read_le32(&r); lists > 0; lists--) {
		uint32_t count = read_le32(&r);
		for (uint32_t i = 0; i < 8; i++) {
			uint16_t size = read_le16(&r);
			struct bytes value = read_bytes(&r, 64);
			unsigned pcr = 0;
			while (pcr < ATTEST_PCRS && (wanted >> pcr & 1) == 0)
				pcr++;
			if (i >= count)
				continue;
			set_value(&pcrs, pcr, (struct bytes){value.data, size});
			wanted &= ~(1U << pcr);
			taken++;
		}
	}
	assert_true(reader_finished(&r));
	assert_int_equal(wanted, 0);
	assert_true(taken > 0);
	return pcrs;
}

/* ---- files ---- */

struct evidence {
	struct bytes key;
	struct bytes message;
	struct bytes signature;
	struct bytes nonce;
	struct bytes values;
	struct attest_pcrs pcrs;
};

static struct bytes
load_of(const char *folder, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return corpora_load(path);
}

static struct evidence
load_evidence(const char *folder, const char *key)
{
	bool emulator = strcmp(folder, EMU) == 0;
	bool tools = emulator || strcmp(folder, CHECK) == 0;
	struct evidence evidence = {
		.key = load_of(folder, key),
		.message = load_of(folder, emulator ? "quote.out" : "quote.attest"),
		.signature = load_of(folder, emulator ? "quotesig.out" : "quote.sig"),
		.nonce = emulator ? (struct bytes){0} : load_of(folder, "nonce.bin"),
		.values = load_of(folder, emulator ? "quotepcr.out"
					  : tools  ? "pcrs.tpm2tools"
						   : "pcrs.json"),
	};

	evidence.pcrs =
		tools ? values_from_tools(evidence.values) : values_from_json(evidence.values);
	return evidence;
}

static void
unload_evidence(struct evidence *evidence)
{
	corpora_unload(evidence->key);
	corpora_unload(evidence->message);
	corpora_unload(evidence->signature);
	corpora_unload(evidence->nonce);
	corpora_unload(evidence->values);
}

static enum attest_status
inspect(const struct evidence *evidence, struct attest_inspection *ret_seen,
	struct attest_error *ret_err)
{
	struct attest_inspect_input input = {.key = evidence->key,
					     .message = evidence->message,
					     .signature = evidence->signature,
					     .qualifying = &evidence->nonce,
					     .pcrs = &evidence->pcrs,
					     .pcrs_count = 1};

	*ret_err = (struct attest_error){.status = ATTEST_OK};
	return attest_inspect_quote(&input, ret_seen, ret_err);
}

/* ---- tests ---- */

/* clang-format off: a table */
static const struct {
	const char *folder;
	const char *key;
	const char *check; /* "": verified */
	const char *bank;
	const char *hierarchy; /* NULL: a key below another, or a bare one */
} FILES[] = {
	{AZURE, "ak.pem", "", "sha256", NULL},
	{GCE "/sha256", "ak.tpmt_public", "", "sha256", "endorsement"},
	{GCE "/sha256", "ak.pem", "", "sha256", NULL},
	{GCE "/sha384", "ak.tpmt_public", "", "sha384", "endorsement"},
	{GCE "/sha384", "ak.pem", "", "sha384", NULL},
	{NONCE "/sha256", "ak.tpmt_public", "", "sha256", "endorsement"},
	{NONCE "/sha256", "ak.pem", "", "sha256", NULL},
	{NONCE "/sha384", "ak.tpmt_public", "", "sha384", "endorsement"},
	{NONCE "/sha384", "ak.pem", "", "sha384", NULL},
	/* Their sources verify these; here nothing rests on SHA-1. */
	{GCE "/sha1", "ak.tpmt_public", "quote.sha1", "sha1", "endorsement"},
	{GCE "/sha1", "ak.pem", "quote.sha1", "sha1", NULL},
	{NONCE "/sha1", "ak.tpmt_public", "quote.sha1", "sha1", "endorsement"},
	{NONCE "/sha1", "ak.pem", "quote.sha1", "sha1", NULL},
	{GCPWIN, "ak.tpmt_public", "ak.scheme", "sha1", NULL},
	{GCPWIN, "ak.pem", "quote.sha1", "sha1", NULL},
	{CHECK, "ak.pem", "", "sha256", NULL},
	{EMU, "akpub.pem", "", "sha256", NULL},
	{EMU, "ak.pub", "", "sha256", NULL},
};
/* clang-format on */
#define FILE_COUNT (sizeof(FILES) / sizeof(FILES[0]))

/* The emulator's nonce is in the manifest alone. */
static const uint8_t EMULATOR_NONCE[] = {0xdb, 0x1d, 0xb2, 0x98, 0xdb, 0x6d, 0x60,
					 0xe6, 0x38, 0x5b, 0x72, 0x31, 0x74, 0x3e,
					 0x9c, 0x30, 0x56, 0xa1, 0x80, 0x03};

static struct evidence
load_row(size_t row)
{
	struct evidence evidence = load_evidence(FILES[row].folder, FILES[row].key);

	if (evidence.nonce.data == NULL) {
		uint8_t *nonce = malloc(sizeof(EMULATOR_NONCE));
		assert_non_null(nonce);
		memcpy(nonce, EMULATOR_NONCE, sizeof(EMULATOR_NONCE));
		evidence.nonce = (struct bytes){nonce, sizeof(EMULATOR_NONCE)};
	}
	return evidence;
}

static void
real_quotes_are_judged(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < FILE_COUNT; i++) {
		struct evidence evidence = load_row(i);
		struct attest_inspection seen;
		struct attest_error err;

		enum attest_status status = inspect(&evidence, &seen, &err);
		if ((status == ATTEST_OK) != (FILES[i].check[0] == '\0') ||
		    strcmp(err.check, FILES[i].check) != 0)
			fail_msg("%s with %s: %d %s: %s", FILES[i].folder, FILES[i].key, status,
				 err.check, err.message);
		assert_int_equal(seen.selected_count, 1);
		assert_string_equal(attest_algorithm_name(seen.selected[0].algorithm),
				    FILES[i].bank);
		if (FILES[i].hierarchy == NULL)
			assert_null(seen.hierarchy);
		else
			assert_string_equal(seen.hierarchy, FILES[i].hierarchy);
		unload_evidence(&evidence);
	}
}

/* A bit of anything that was given. */
static void
real_quotes_with_a_flipped_bit_are_refused(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < FILE_COUNT; i++) {
		if (FILES[i].check[0] != '\0')
			continue;
		struct evidence evidence = load_row(i);
		struct bytes parts[] = {evidence.message, evidence.signature, evidence.nonce};
		for (size_t part = 0; part < 3; part++) {
			uint8_t *data = (uint8_t *)(uintptr_t)parts[part].data;
			for (size_t bit = 0; bit < 8 * parts[part].size; bit++) {
				struct attest_inspection seen;
				struct attest_error err;
				data[bit / 8] ^= (uint8_t)(1 << bit % 8);
				if (inspect(&evidence, &seen, &err) == ATTEST_OK)
					fail_msg("%s: part %zu, bit %zu", FILES[i].folder, part,
						 bit);
				data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
		}
		unload_evidence(&evidence);
	}
}

/* One bit of each value that was quoted; those that were not are not looked at. */
static void
real_quotes_with_another_value_are_refused(void **state)
{
	(void)state;
	corpora_need();
	for (size_t i = 0; i < FILE_COUNT; i++) {
		if (FILES[i].check[0] != '\0')
			continue;
		struct evidence evidence = load_row(i);
		struct attest_inspection first;
		struct attest_error err;
		assert_int_equal(inspect(&evidence, &first, &err), ATTEST_OK);
		for (unsigned pcr = 0; pcr < ATTEST_PCRS; pcr++) {
			bool quoted = (first.selected[0].pcrs >> pcr & 1) != 0;
			struct attest_inspection seen;
			evidence.pcrs.values[pcr][7] ^= 0x10;
			assert_int_equal(inspect(&evidence, &seen, &err),
					 quoted ? ATTEST_REFUSED : ATTEST_OK);
			if (quoted)
				assert_string_equal(err.check, "quote.pcrs");
			evidence.pcrs.values[pcr][7] ^= 0x10;
		}
		unload_evidence(&evidence);
	}
}

/* The mutations that the sources of these files state. */

static void
azure_is_refused_as_stated(void **state)
{
	struct attest_inspection seen;
	struct attest_error err;

	(void)state;
	corpora_need();
	struct evidence evidence = load_row(0);
	uint8_t *signature = (uint8_t *)(uintptr_t)evidence.signature.data;
	for (size_t i = 0; i < 128; i++) {
		uint8_t other = signature[6 + i];
		signature[6 + i] = signature[6 + 255 - i];
		signature[6 + 255 - i] = other;
	}
	assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_SIGNATURE);
	assert_string_equal(err.check, "quote.signature");
	unload_evidence(&evidence);

	static const uint8_t other[] = {1, 2, 3, 4};
	evidence = load_row(0);
	struct bytes nonce = evidence.nonce;
	evidence.nonce = BYTES_OF(other);
	assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "quote.qualifying");
	evidence.nonce = nonce;
	unload_evidence(&evidence);

	/* The bare signature says no scheme. */
	evidence = load_row(0);
	corpora_unload(evidence.signature);
	evidence.signature = corpora_load(AZURE "/quote.rawsig");
	assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_MALFORMED);
	assert_string_equal(err.check, "quote.signature.parse");
	unload_evidence(&evidence);
}

static size_t
row_of(const char *folder)
{
	size_t row = 0;

	while (row < FILE_COUNT && strcmp(FILES[row].folder, folder) != 0)
		row++;
	assert_true(row < FILE_COUNT);
	return row;
}

static void
keylime_is_refused_as_stated(void **state)
{
	struct attest_inspection seen;
	struct attest_error err;

	(void)state;
	corpora_need();
	struct evidence evidence = load_row(row_of(CHECK));
	uint8_t *message = (uint8_t *)(uintptr_t)evidence.message.data;
	uint8_t *nonce = (uint8_t *)(uintptr_t)evidence.nonce.data;
	uint8_t *signature = (uint8_t *)(uintptr_t)evidence.signature.data;
	/* "invalid signature" there, where nothing is read before it is verified. */
	message[5] ^= 1;
	assert_int_not_equal(inspect(&evidence, &seen, &err), ATTEST_OK);
	message[5] ^= 1;
	nonce[0] = 'a';
	assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "quote.qualifying");
	nonce[0] = 'A';
	/* Bit 0 of byte 5 of the blob makes SHA-256 (000b, little-endian) another bank. */
	evidence.pcrs.bank = ATTEST_SHA1;
	assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "quote.pcrs.bank");
	evidence.pcrs.bank = ATTEST_SHA256;
	signature[3] = 0x04;
	assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_REFUSED);
	assert_string_equal(err.check, "quote.scheme");
	signature[3] = 0x0b;
	assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_OK);
	unload_evidence(&evidence);
}

/* "wrong/absent nonce must fail": either machine's nonce with the other's quote. */
static void
google_is_refused_with_another_nonce(void **state)
{
	static const char *const banks[] = {"/sha256", "/sha384"};
	char folder[128];

	(void)state;
	corpora_need();
	for (unsigned i = 0; i < 2; i++) {
		struct attest_inspection seen;
		struct attest_error err;
		snprintf(folder, sizeof(folder), GCE "%s", banks[i]);
		struct evidence without = load_row(row_of(folder));
		snprintf(folder, sizeof(folder), NONCE "%s", banks[i]);
		struct evidence with = load_row(row_of(folder));
		struct bytes kept = with.nonce;
		assert_int_equal(without.nonce.size, 0);
		with.nonce = without.nonce;
		assert_int_equal(inspect(&with, &seen, &err), ATTEST_REFUSED);
		assert_string_equal(err.check, "quote.qualifying");
		without.nonce = kept;
		assert_int_equal(inspect(&without, &seen, &err), ATTEST_REFUSED);
		assert_string_equal(err.check, "quote.qualifying");
		without.nonce = with.nonce;
		with.nonce = kept;
		unload_evidence(&with);
		unload_evidence(&without);
	}
}

/* PCR 15, 16 and 22 of an emulator: what software may reset is named. */
static void
resettable_pcrs_are_named(void **state)
{
	struct attest_inspection seen;
	struct attest_error err;

	(void)state;
	corpora_need();
	struct evidence evidence = load_row(row_of(EMU));
	assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_OK);
	assert_int_equal(seen.selected[0].pcrs, 1 << 15 | 1 << 16 | 1 << 22);
	assert_int_equal(seen.resettable, 1 << 16);
	unload_evidence(&evidence);
}

static void
names_are_as_their_tpms_print_them(void **state)
{
	static const struct {
		const char *folder;
		bool equal;
	} cases[] = {
		{EMU, true},
		/* Their source never compares the two: the name is another key's. */
		{QUOTES "HIRS/tpm2", false},
	};

	(void)state;
	corpora_need();
	for (unsigned i = 0; i < 2; i++) {
		struct bytes file = load_of(cases[i].folder, "ak.pub");
		struct bytes want = load_of(cases[i].folder, "ak.name");
		struct reader r = reader_of(file);
		struct bytes inner = read_bytes_be16(&r);
		struct public_area area;
		struct attest_name name;
		struct attest_error err;

		assert_true(public_area_decode(reader_finished(&r) ? inner : file, &area));
		assert_int_equal(public_area_name(&area, &name, &err), ATTEST_OK);
		assert_int_equal(bytes_equal((struct bytes){name.bytes, name.size}, want),
				 cases[i].equal);
		assert_int_equal(public_area_check_attributes(&area, &err), ATTEST_OK);
		corpora_unload(file);
		corpora_unload(want);
	}
}

/* EKs decrypt: none of them is taken for a key that signs. */
static void
eks_do_not_quote(void **state)
{
	static const char *const folders[] = {EMU, QUOTES "HIRS/tpm2"};

	(void)state;
	corpora_need();
	for (unsigned i = 0; i < 2; i++) {
		struct attest_inspection seen;
		struct attest_error err;
		struct evidence evidence = load_row(row_of(EMU));
		corpora_unload(evidence.key);
		evidence.key = load_of(folders[i], "ek.pub");
		assert_int_equal(inspect(&evidence, &seen, &err), ATTEST_REFUSED);
		assert_string_equal(err.check, "ak.sign");
		unload_evidence(&evidence);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_quotes_are_judged),
		cmocka_unit_test(real_quotes_with_a_flipped_bit_are_refused),
		cmocka_unit_test(real_quotes_with_another_value_are_refused),
		cmocka_unit_test(azure_is_refused_as_stated),
		cmocka_unit_test(keylime_is_refused_as_stated),
		cmocka_unit_test(google_is_refused_with_another_nonce),
		cmocka_unit_test(resettable_pcrs_are_named),
		cmocka_unit_test(names_are_as_their_tpms_print_them),
		cmocka_unit_test(eks_do_not_quote),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
