/* SPDX-License-Identifier: Apache-2.0 */
/* Each decoder against every truncation, every flipped bit and trailing bytes, on heap blocks of
 * exact size. */
#include "wire_codecs.h"

#include "wire/operation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENCODED_MAX 8192

static uint8_t sample_memory[ENCODED_MAX];

static struct bytes
sample_of(const struct wire_codec *codec)
{
	struct writer w = writer_of(sample_memory, sizeof(sample_memory));
	codec->sample(&w);
	assert_false(w.failed);
	return writer_bytes(&w);
}

/* The copy is freed here, so what is decoded must be encoded again before. */
static bool
recode_copy(const struct wire_codec *codec, struct bytes input, struct writer *w)
{
	uint8_t *copy = malloc(input.size > 0 ? input.size : 1);
	assert_non_null(copy);
	if (input.size > 0)
		memcpy(copy, input.data, input.size);
	bool accepted = codec->recode((struct bytes){copy, input.size}, w);
	free(copy);
	return accepted;
}

/* Refused, or it means exactly what it says. */
static bool
accepted_faithfully(const struct wire_codec *codec, struct bytes input)
{
	static uint8_t memory[ENCODED_MAX];
	struct writer w = writer_of(memory, sizeof(memory));
	if (!recode_copy(codec, input, &w))
		return false;
	if (w.failed || !bytes_equal(writer_bytes(&w), input))
		fail_msg("%s: decoded %zu bytes into something else", codec->name, input.size);
	return true;
}

static void
test_round_trip(void **state)
{
	(void)state;
	for (unsigned i = 0; i < wire_codec_count; i++) {
		if (!accepted_faithfully(&wire_codecs[i], sample_of(&wire_codecs[i])))
			fail_msg("%s: its own sample is refused", wire_codecs[i].name);
	}
}

static void
test_truncations(void **state)
{
	(void)state;
	for (unsigned i = 0; i < wire_codec_count; i++) {
		struct bytes sample = sample_of(&wire_codecs[i]);
		for (size_t size = 0; size < sample.size; size++) {
			if (accepted_faithfully(&wire_codecs[i], (struct bytes){sample.data, size}))
				fail_msg("%s: accepted %zu of %zu bytes", wire_codecs[i].name, size,
					 sample.size);
		}
	}
}

static void
test_trailing_bytes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < wire_codec_count; i++) {
		struct bytes sample = sample_of(&wire_codecs[i]);
		for (unsigned byte = 0; byte < 256; byte++) {
			sample_memory[sample.size] = (uint8_t)byte;
			struct bytes longer = {sample.data, sample.size + 1};
			if (accepted_faithfully(&wire_codecs[i], longer))
				fail_msg("%s: accepted a trailing byte", wire_codecs[i].name);
		}
	}
}

static void
test_bit_flips(void **state)
{
	(void)state;
	for (unsigned i = 0; i < wire_codec_count; i++) {
		struct bytes sample = sample_of(&wire_codecs[i]);
		for (size_t bit = 0; bit < sample.size * 8; bit++) {
			sample_memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
			accepted_faithfully(&wire_codecs[i], sample);
			sample_memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
	}
}

/* ---- spoils that a bit flip does not reach ---- */

static struct bytes
word(const char *text)
{
	return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void
test_paths(void **state)
{
	static const struct {
		const char *text;
		bool path;
		bool name;
	} table[] = {
		{"a", true, true},	 {"db/prod", true, false},   {"A-Z_0.9/x", true, false},
		{"...", true, true},	 {"..a", true, true},	     {"", false, false},
		{".", false, false},	 {"..", false, false},	     {"a/..", false, false},
		{"a/./b", false, false}, {"/a", false, false},	     {"a/", false, false},
		{"a//b", false, false},	 {"a b", false, false},	     {"a\\b", false, false},
		{"a\n", false, false},	 {"\xc3\xa4", false, false}, {"a:b", false, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (path_valid(word(table[i].text)) != table[i].path ||
		    name_valid(word(table[i].text)) != table[i].name)
			fail_msg("'%s'", table[i].text);
	}
	static uint8_t letters[WIRE_PATH_MAX + 1];
	memset(letters, 'a', sizeof(letters));
	assert_true(path_valid((struct bytes){letters, WIRE_PATH_MAX}));
	assert_false(path_valid((struct bytes){letters, WIRE_PATH_MAX + 1}));
	assert_true(name_valid((struct bytes){letters, 64}));
	assert_false(name_valid((struct bytes){letters, 65}));
	assert_false(path_valid((struct bytes){(const uint8_t *)"a\0b", 3}));
}

static bool
wanted_accepted(const struct wanted *wanted)
{
	static uint8_t memory[WIRE_WANTED_SIZE_MAX + 600];
	static struct wanted decoded;
	struct writer w = writer_of(memory, sizeof(memory));
	wanted_write(&w, wanted);
	assert_false(w.failed);
	return wanted_read(writer_bytes(&w), &decoded);
}

static void
test_wanted_order(void **state)
{
	const struct wanted none = {0};
	const struct wanted twice = {2, {{word("a"), 1}, {word("a"), 2}}};
	const struct wanted falling = {2, {{word("b"), 0}, {word("a"), 0}}};
	const struct wanted prefix_last = {2, {{word("a/b"), 0}, {word("a"), 0}}};
	const struct wanted bad_path = {1, {{word("../a"), 0}}};
	const struct wanted rising = {2, {{word("a"), 0}, {word("a/b"), 0}}};
	(void)state;
	assert_false(wanted_accepted(&none));
	assert_false(wanted_accepted(&twice));
	assert_false(wanted_accepted(&falling));
	assert_false(wanted_accepted(&prefix_last));
	assert_false(wanted_accepted(&bad_path));
	assert_true(wanted_accepted(&rising));
}

static void
test_wanted_limits(void **state)
{
	static uint8_t memory[4 * WIRE_WANTED_SIZE_MAX];
	static struct wanted decoded;
	(void)state;
	/* The largest there is fits its limit to the byte; one more secret is refused. */
	for (uint16_t count = WIRE_WANTED_MAX; count <= WIRE_WANTED_MAX + 1; count++) {
		uint8_t path[WIRE_PATH_MAX];
		memset(path, 'a', sizeof(path));
		struct writer w = writer_of(memory, sizeof(memory));
		write_be16(&w, count);
		for (unsigned i = 0; i < count; i++) {
			path[0] = (uint8_t)('0' + i / 10);
			path[1] = (uint8_t)('0' + i % 10);
			write_lp(&w, BYTES_OF(path));
			write_be32(&w, 0);
		}
		assert_false(w.failed);
		bool accepted = wanted_read(writer_bytes(&w), &decoded);
		assert_int_equal(accepted, count == WIRE_WANTED_MAX);
		assert_int_equal(w.size <= WIRE_WANTED_SIZE_MAX, accepted);
	}
}

static void
test_wrong_sizes_are_not_written(void **state)
{
	uint8_t memory[1024];
	uint8_t bytes[WIRE_PCRS_SIZE] = {0};
	(void)state;
	struct wire_examine_log log = {.pcrs = {bytes, WIRE_PCRS_SIZE - 1}};
	struct writer w = writer_of(memory, sizeof(memory));
	wire_examine_log_write(&w, &log);
	assert_true(w.failed);

	struct wire_challenge_answer answer = {{bytes, WIRE_CHALLENGE_SIZE + 1}, 60, {bytes, 32}};
	w = writer_of(memory, sizeof(memory));
	wire_challenge_answer_write(&w, &answer);
	assert_true(w.failed);

	struct wire_release_request request = {.challenge = {bytes, 57}};
	w = writer_of(memory, sizeof(memory));
	wire_release_request_write(&w, &request);
	assert_true(w.failed);
}

/* A release request with parts of these sizes. */
static bool
release_accepted(size_t challenge, size_t ak, size_t wanted, size_t quote)
{
	static uint8_t memory[64 * 1024];
	static const uint8_t zeros[32 * 1024];
	struct wire_release_request decoded;
	struct writer w = writer_of(memory, sizeof(memory));
	write_lp(&w, (struct bytes){zeros, challenge});
	write_bytes_be16(&w, (struct bytes){zeros, ak});
	write_bytes(&w, (struct bytes){zeros, WIRE_KEY_SIZE});
	write_lp(&w, (struct bytes){zeros, wanted});
	write_bytes_be16(&w, (struct bytes){zeros, quote});
	write_bytes_be16(&w, (struct bytes){zeros, 1});
	write_bytes(&w, (struct bytes){zeros, WIRE_PCRS_SIZE});
	write_lp(&w, (struct bytes){NULL, 0});
	write_lp(&w, (struct bytes){NULL, 0});
	write_be64(&w, 0);
	write_lp(&w, (struct bytes){NULL, 0});
	assert_false(w.failed);
	return wire_release_request_read(writer_bytes(&w), &decoded);
}

static void
test_wrong_sizes_are_not_read(void **state)
{
	const size_t exact = WIRE_CHALLENGE_SIZE, public = ATTEST_PUBLIC_SIZE_MAX;
	const size_t wanted = WIRE_WANTED_SIZE_MAX, quote = ATTEST_QUOTE_SIZE_MAX;
	(void)state;
	assert_true(release_accepted(exact, 1, 0, 1));
	assert_true(release_accepted(exact, public, wanted, quote));
	assert_false(release_accepted(exact - 1, public, wanted, quote));
	assert_false(release_accepted(exact + 1, public, wanted, quote));
	assert_false(release_accepted(0, public, wanted, quote));
	assert_false(release_accepted(exact, public + 1, wanted, quote));
	assert_false(release_accepted(exact, 0, wanted, quote));
	assert_false(release_accepted(exact, public, wanted + 1, quote));
	assert_false(release_accepted(exact, public, wanted, quote + 1));
	assert_false(release_accepted(exact, public, wanted, 0));
}

static void
test_refused_answer_has_no_payload(void **state)
{
	static const uint8_t refused[] = {WIRE_POLICY, 0, 0, 0, 1, 'x'};
	static const uint8_t unknown[] = {WIRE_STORE + 1, 0, 0, 0, 0};
	static const uint8_t bare[] = {WIRE_POLICY, 0, 0, 0, 0};
	struct wire_answer answer;
	(void)state;
	assert_false(wire_answer_read(BYTES_OF(refused), &answer));
	assert_false(wire_answer_read(BYTES_OF(unknown), &answer));
	assert_true(wire_answer_read(BYTES_OF(bare), &answer));
	assert_int_equal(answer.status, WIRE_POLICY);
}

/* ---- what keeper and appraiser say of IMA lists ---- */

static bool
question_accepted(const struct wire_examine_log *message)
{
	static uint8_t memory[700 * 1024];
	static struct wire_examine_log decoded;
	struct writer w = writer_of(memory, sizeof(memory));
	wire_examine_log_write(&w, message);
	return !w.failed && wire_examine_log_read(writer_bytes(&w), &decoded);
}

static void
test_questions_about_ima(void **state)
{
	static uint8_t digests[WIRE_IMA_ALLOWED_MAX + 1][ATTEST_HASH_SIZE];
	static const uint8_t pcrs[WIRE_PCRS_SIZE], key[ATTEST_CERTIFICATE_MAX + 1];
	struct wire_examine_log good = {.pcrs = BYTES_OF(pcrs), .ima = WIRE_IMA_WHOLE};
	(void)state;
	for (size_t i = 0; i <= WIRE_IMA_ALLOWED_MAX; i++) {
		struct writer w = writer_of(digests[i], ATTEST_HASH_SIZE);
		write_be32(&w, (uint32_t)i);
	}
	good.allowed = (struct bytes){digests[0], WIRE_IMA_ALLOWED_MAX * ATTEST_HASH_SIZE};
	good.key_count = ATTEST_IMA_KEYS_MAX;
	for (size_t i = 0; i < ATTEST_IMA_KEYS_MAX; i++)
		good.keys[i] = (struct bytes){key, i + 1};
	assert_true(question_accepted(&good));
	struct wire_examine_log bad = good;
	bad.allowed.size += ATTEST_HASH_SIZE;
	assert_false(question_accepted(&bad)); /* one too many */
	bad.allowed.size = ATTEST_HASH_SIZE + 1;
	assert_false(question_accepted(&bad)); /* half of one */
	bad = good;
	memcpy(digests[1], digests[0], ATTEST_HASH_SIZE);
	assert_false(question_accepted(&bad)); /* twice */
	digests[0][31] = 1;
	assert_false(question_accepted(&bad)); /* not in order */
	bad.allowed.size = 0;
	assert_true(question_accepted(&bad));
	bad.key_count++;
	assert_false(question_accepted(&bad));
	bad.key_count = 1;
	bad.keys[0] = (struct bytes){0};
	assert_false(question_accepted(&bad));
	bad.keys[0] = BYTES_OF(key);
	assert_false(question_accepted(&bad)); /* larger than a key */
	bad.key_count = 0;
	bad.ima = WIRE_IMA_REST;
	assert_false(question_accepted(&bad)); /* of the beginning */
	bad.from.offset = 1;
	assert_true(question_accepted(&bad));
	bad.from.violations = 1;
	assert_false(question_accepted(&bad)); /* more than entries */
	bad.from.entries = (uint64_t)INT64_MAX + 1;
	assert_false(question_accepted(&bad));
}

static bool
appraisal_accepted(const struct wire_appraisal *message)
{
	static uint8_t memory[40 * 1024];
	static struct wire_appraisal decoded;
	struct writer w = writer_of(memory, sizeof(memory));
	wire_appraisal_write(&w, message);
	return !w.failed && wire_appraisal_read(writer_bytes(&w), &decoded);
}

static void
test_hostile_appraisals(void **state)
{
	static struct wire_appraisal bad, verified = {.log = WIRE_VERIFIED, .ima = WIRE_VERIFIED};
	(void)state;
	assert_true(appraisal_accepted(&verified));
	bad = verified;
	bad.ima_report.point.violations = 1;
	assert_false(appraisal_accepted(&bad));
	bad.ima_report.point.entries = (uint64_t)INT64_MAX + 1;
	assert_false(appraisal_accepted(&bad));
	bad = verified;
	bad.ima_report.dropped = UINT64_MAX;
	assert_false(appraisal_accepted(&bad));
	bad = verified;
	bad.ima_report.boot_aggregate = (enum attest_answer)(ATTEST_YES + 1);
	assert_false(appraisal_accepted(&bad));
	bad = verified;
	bad.ima = (enum wire_verdict)(WIRE_VERIFIED + 1);
	assert_false(appraisal_accepted(&bad));
	/* An event log proves nothing of files. */
	bad = verified;
	assert_true(attest_claim_boolean(&bad.report.claims, CLAIM_IMA_ALL_SIGNED, true));
	assert_false(appraisal_accepted(&bad));
	/* Claims out of order, or not claims. */
	bad = verified;
	bad.report.claims.encoded[0] = 255;
	bad.report.claims.size = 1;
	assert_false(appraisal_accepted(&bad));
}

static void
test_status_words(void **state)
{
	static const struct {
		enum wire_status status;
		const char *word;
		unsigned http;
	} table[] = {
		{WIRE_OK, "ok", 200},
		{WIRE_MALFORMED, "malformed", 400},
		{WIRE_CHALLENGE, "challenge", 403},
		{WIRE_IDENTITY, "identity", 403},
		{WIRE_QUOTE, "quote", 403},
		{WIRE_POLICY, "policy", 403},
		{WIRE_OPERATOR, "operator", 403},
		{WIRE_IMA, "ima", 409},
		{WIRE_LIMIT, "limit", 413},
		{WIRE_BUSY, "busy", 503},
		{WIRE_FAILED, "failed", 500},
		{WIRE_SEALED, "sealed", 503},
		{WIRE_FROZEN, "frozen", 503},
		{WIRE_STORE, "store", 507},
		{(enum wire_status)(WIRE_STORE + 1), "failed", 500},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_string_equal(wire_status_word(table[i].status), table[i].word);
		assert_int_equal(wire_status_http(table[i].status), table[i].http);
	}
}

/* One meaning, one form: a keeper that serves has no shares, a sealed one no revision. */
static void
test_health(void **state)
{
	static const struct {
		const char *what;
		struct wire_health health;
		bool good;
	} table[] = {
		{"serving", {WIRE_SERVING, 7, 3, 5, 0}, true},
		{"serving, with a key in a file", {WIRE_SERVING, 7, 0, 0, 0}, true},
		{"frozen", {WIRE_IS_FROZEN, 7, 3, 5, 0}, true},
		{"sealed", {WIRE_IS_SEALED, 0, 3, 5, 2}, true},
		{"one share that is the key", {WIRE_IS_SEALED, 0, 1, 1, 1}, true},
		{"another state", {WIRE_IS_FROZEN + 1, 7, 3, 5, 0}, false},
		{"sealed, with a revision", {WIRE_IS_SEALED, 7, 3, 5, 2}, false},
		{"serving, with shares given", {WIRE_SERVING, 7, 3, 5, 1}, false},
		{"more than needed", {WIRE_IS_SEALED, 0, 3, 5, 4}, false},
		{"more needed than there are", {WIRE_IS_SEALED, 0, 6, 5, 0}, false},
		{"one of several", {WIRE_IS_SEALED, 0, 1, 5, 0}, false},
		{"none of several", {WIRE_IS_SEALED, 0, 0, 5, 0}, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint8_t memory[32];
		struct wire_health decoded;
		struct writer w = writer_of(memory, sizeof(memory));
		wire_health_write(&w, &table[i].health);
		if (wire_health_read(writer_bytes(&w), &decoded) != table[i].good)
			fail_msg("%s", table[i].what);
	}
}

/* An appraiser that has become somebody else's cannot make the keeper read past a text or show
 * control characters. */
static void
test_appraisal_text(void **state)
{
	uint8_t memory[1024];
	struct wire_appraisal appraisal = {.log = WIRE_REFUSED, .log_error = "a\x1b[2J\"b"};
	struct wire_appraisal decoded;
	(void)state;
	struct writer w = writer_of(memory, sizeof(memory));
	wire_appraisal_write(&w, &appraisal);
	assert_true(wire_appraisal_read(writer_bytes(&w), &decoded));
	assert_string_equal(decoded.log_error, "a?[2J?b");

	static const uint8_t control[] = {0, 0, 0, 0, 0, 1, 0x1b, 0, 0, 0, 0};
	assert_false(wire_appraisal_read(BYTES_OF(control), &decoded));
	w = writer_of(memory, sizeof(memory));
	write_be16(&w, 0);
	write_be32(&w, 200); /* no room for the end */
	for (unsigned i = 0; i < 200; i++)
		write_u8(&w, 'a');
	write_be32(&w, 0);
	assert_false(wire_appraisal_read(writer_bytes(&w), &decoded));
}

static void
test_peer_is_plain(void **state)
{
	static const char *const bad[] = {"a\"b", "a\\b", "a\nb", "\xc3\xa4", "\x7f"};
	uint8_t memory[512];
	uint8_t signature[WIRE_SIGNATURE_SIZE] = {0};
	struct wire_operator_request decoded;
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct wire_operator_request request = {word("x"), BYTES_OF(signature),
							      word(bad[i])};
		struct writer w = writer_of(memory, sizeof(memory));
		wire_operator_request_write(&w, &request);
		assert_false(wire_operator_request_read(writer_bytes(&w), &decoded));
	}
}

/* Known answers, made with another implementation (Python's hashlib and hmac). */
static void
test_transcripts(void **state)
{
	static const uint8_t release[] = {
		0x87, 0xa5, 0x24, 0x1f, 0x53, 0xee, 0x7b, 0x05, 0x8b, 0x8b, 0x29,
		0x66, 0xcb, 0x3d, 0x49, 0x72, 0xc0, 0xee, 0xc3, 0x1a, 0x1a, 0x37,
		0x70, 0xae, 0x76, 0x13, 0xd9, 0x25, 0xac, 0x00, 0xb5, 0x06,
	};
	static const uint8_t enroll[] = {
		0x4c, 0x4a, 0xdd, 0x76, 0x79, 0xf8, 0x45, 0x71, 0x3b, 0xfa, 0x52,
		0x2a, 0x59, 0x1b, 0xe4, 0xda, 0x24, 0x2c, 0x05, 0x3d, 0xd6, 0xa6,
		0x70, 0x4a, 0xd1, 0x4b, 0x71, 0x5f, 0x40, 0xdb, 0x04, 0x05,
	};
	static const uint8_t proof[] = {
		0xd8, 0xe5, 0xfb, 0xf8, 0xbc, 0xfb, 0x94, 0xf7, 0xdb, 0xb6, 0xa2,
		0x9d, 0x5c, 0xb4, 0xee, 0x41, 0x1d, 0x09, 0x00, 0x96, 0xdc, 0x42,
		0x8d, 0x17, 0x76, 0x44, 0xfb, 0xbf, 0x9f, 0x82, 0x6e, 0xfd,
	};
	uint8_t hash[TRANSCRIPT_SIZE];
	(void)state;
	transcript_release(word("key"), word("challenge"), word("recipient"), word("wanted"), hash);
	assert_memory_equal(hash, release, sizeof(hash));
	transcript_enroll(word("key"), word("challenge"), word("ek"), word("ak"), hash);
	assert_memory_equal(hash, enroll, sizeof(hash));
	uint8_t made[TRANSCRIPT_SIZE];
	activation_proof(word("secret"), enroll, made);
	assert_memory_equal(made, proof, sizeof(made));
}

static void
test_fixed_messages(void **state)
{
	static const char info[] = "\0\0\0\x12postern/release/v1";
	static const char aad[] = "\0\0\0\x11postern/intake/v1\0\0\0\x01"
				  "a\0\0\0\0\0\0\0\x05\0\0\0\x03"
				  "bob";
	static const char message[] = "\0\0\0\x15postern/checkpoint/v1\0\0\0\0\0\0\0\x07";
	uint8_t transcript[TRANSCRIPT_SIZE] = {1};
	uint8_t made_info[RELEASE_INFO_SIZE];
	uint8_t made_aad[INTAKE_AAD_MAX];
	uint8_t made_message[CHECKPOINT_MESSAGE_SIZE];
	(void)state;
	release_info(transcript, made_info);
	assert_memory_equal(made_info, info, sizeof(info) - 1);
	assert_memory_equal(made_info + sizeof(info) - 1, transcript, sizeof(transcript));
	assert_int_equal(intake_aad(word("a"), 5, word("bob"), made_aad), sizeof(aad) - 1);
	assert_memory_equal(made_aad, aad, sizeof(aad) - 1);
	const struct checkpoint checkpoint = {.number = 7, .hash = {9}, .time = 0x0102};
	checkpoint_message(&checkpoint, made_message);
	assert_memory_equal(made_message, message, sizeof(message) - 1);
	assert_memory_equal(made_message + sizeof(message) - 1, checkpoint.hash, 32);
	assert_memory_equal(made_message + CHECKPOINT_MESSAGE_SIZE - 2, "\x01\x02", 2);
}

/* Values together may not exceed one release's limit, even where each is allowed. */
static void
test_release_body_total(void **state)
{
	static uint8_t memory[2 * WIRE_SECRET_MAX + 4096];
	static uint8_t value[WIRE_SECRET_MAX];
	static struct release_body body;
	static struct release_body decoded;
	(void)state;
	body.count = 2;
	for (size_t excess = 0; excess < 2; excess++) {
		body.secrets[0] = (struct release_secret){word("a"), 1, {value, 1024 + excess}};
		body.secrets[1] =
			(struct release_secret){word("b"), 1, {value, WIRE_SECRET_MAX - 1024}};
		struct writer w = writer_of(memory, sizeof(memory));
		release_body_write(&w, &body);
		assert_false(w.failed);
		assert_int_equal(release_body_read(writer_bytes(&w), &decoded), excess == 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_trailing_bytes),
		cmocka_unit_test(test_bit_flips),
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_wanted_order),
		cmocka_unit_test(test_wanted_limits),
		cmocka_unit_test(test_wrong_sizes_are_not_written),
		cmocka_unit_test(test_wrong_sizes_are_not_read),
		cmocka_unit_test(test_refused_answer_has_no_payload),
		cmocka_unit_test(test_questions_about_ima),
		cmocka_unit_test(test_hostile_appraisals),
		cmocka_unit_test(test_status_words),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_appraisal_text),
		cmocka_unit_test(test_peer_is_plain),
		cmocka_unit_test(test_transcripts),
		cmocka_unit_test(test_fixed_messages),
		cmocka_unit_test(test_release_body_total),
	};
	return cmocka_run_group_tests_name("wire codecs", tests, NULL, NULL);
}
