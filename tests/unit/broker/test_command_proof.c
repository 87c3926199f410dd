/* SPDX-License-Identifier: Apache-2.0 */
/* What the command believes only when it is signed: answers, the log's chain, acts; and operators'
 * key files. */
#include "command/certificate.h"
#include "command/client.h"
#include "command/command.h"
#include "command/default_policies.h"
#include "command/encode.h"
#include "command/file.h"
#include "command/key.h"
#include "command/ledger.h"
#include "policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pair {
	uint8_t public_key[32];
	uint8_t private_key[64];
};

static struct pair
pair_of(uint8_t seed)
{
	uint8_t bytes[32];
	struct pair pair;

	memset(bytes, seed, sizeof(bytes));
	(void)crypto_sign_seed_keypair(pair.public_key, pair.private_key, bytes);
	return pair;
}

/* ---- answers ---- */

struct sample {
	uint8_t answer[256];
	size_t size;
	uint8_t signature[64];
};

static struct sample
answer_make(struct bytes request, const struct pair *broker)
{
	uint8_t hash[32];
	struct sample sample = {.size = 0};
	struct writer w = writer_of(sample.answer, sizeof(sample.answer));
	struct operation_answer answer = {
		.outcome = OUTCOME_OK, .trust_revision = 9, .json = text_bytes("{\"a\":1}")};

	(void)crypto_hash_sha256(hash, request.data, request.size);
	answer.request_hash = BYTES_OF(hash);
	operation_answer_write(&w, &answer);
	assert_false(w.failed);
	sample.size = w.size;
	(void)crypto_sign_detached(sample.signature, NULL, sample.answer, sample.size,
				   broker->private_key);
	return sample;
}

static bool
answer_opens(struct bytes request, const struct sample *sample, const uint8_t key[32],
	     const char **ret_problem)
{
	uint8_t *exact = malloc(sample->size);
	struct operation_answer answer;

	memcpy(exact, sample->answer, sample->size);
	bool good = client_answer_open(request, (struct bytes){exact, sample->size},
				       sample->signature, key, &answer, ret_problem);
	assert_true(!good || answer.trust_revision == 9);
	free(exact);
	return good;
}

static void
test_answer(void **state)
{
	struct pair broker = pair_of(1), other = pair_of(2);
	struct bytes request = text_bytes("request");
	struct sample good = answer_make(request, &broker);
	const char *problem = NULL;

	(void)state;
	assert_true(answer_opens(request, &good, broker.public_key, &problem));
	/* another broker's key; another request; another signer */
	assert_false(answer_opens(request, &good, other.public_key, &problem));
	assert_false(answer_opens(text_bytes("requesu"), &good, broker.public_key, &problem));
	assert_non_null(strstr(problem, "another request"));
	struct sample forged = answer_make(request, &other);
	assert_false(answer_opens(request, &forged, broker.public_key, &problem));
	/* signed by the broker, and still not an answer */
	struct sample odd = good;
	odd.answer[odd.size++] = 0;
	(void)crypto_sign_detached(odd.signature, NULL, odd.answer, odd.size, broker.private_key);
	assert_false(answer_opens(request, &odd, broker.public_key, &problem));
	assert_non_null(strstr(problem, "malformed"));
}

/* Every truncation, and every single bit of answer and signature. */
static void
test_answer_spoilt(void **state)
{
	struct pair broker = pair_of(1);
	struct bytes request = text_bytes("request");
	struct sample good = answer_make(request, &broker);
	const char *problem = NULL;

	(void)state;
	for (size_t size = 0; size < good.size; size++) {
		struct sample cut = good;
		cut.size = size;
		assert_false(answer_opens(request, &cut, broker.public_key, &problem));
		(void)crypto_sign_detached(cut.signature, NULL, cut.answer, size,
					   broker.private_key);
		assert_false(answer_opens(request, &cut, broker.public_key, &problem));
	}
	for (size_t bit = 0; bit < 8 * good.size; bit++) {
		struct sample flipped = good;
		flipped.answer[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(answer_opens(request, &flipped, broker.public_key, &problem));
	}
	for (size_t bit = 0; bit < 8 * sizeof(good.signature); bit++) {
		struct sample flipped = good;
		flipped.signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(answer_opens(request, &flipped, broker.public_key, &problem));
	}
}

/* ---- the log ---- */

static void
hash_next(const uint8_t before[32], const char *entry, uint8_t ret_hash[32])
{
	uint8_t message[512];
	struct writer w = writer_of(message, sizeof(message));

	write_bytes(&w, (struct bytes){(const uint8_t *)"postern/log/v1", 15});
	write_bytes(&w, (struct bytes){before, 32});
	write_bytes(&w, text_bytes(entry));
	(void)crypto_hash_sha256(ret_hash, message, w.size);
}

static void
test_ledger(void **state)
{
	static const char *const entries[] = {"{\"one\":1}", "{\"two\":2}", "{\"three\":3}"};
	uint8_t hashes[4][32] = {{0}};
	char problem[LEDGER_PROBLEM_SIZE];
	struct ledger ledger = {.number = 0}, before;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		hash_next(hashes[i], entries[i], hashes[i + 1]);
	assert_true(ledger_add(&ledger, 1, text_bytes(entries[0]), hashes[1], problem));
	before = ledger;
	/* left out; repeated; changed; renumbered; of another chain */
	assert_false(ledger_add(&ledger, 3, text_bytes(entries[2]), hashes[3], problem));
	assert_false(ledger_add(&ledger, 1, text_bytes(entries[0]), hashes[1], problem));
	assert_false(ledger_add(&ledger, 2, text_bytes("{\"two\":3}"), hashes[2], problem));
	assert_false(ledger_add(&ledger, 2, text_bytes(entries[2]), hashes[3], problem));
	assert_false(ledger_add(&ledger, 2, text_bytes(entries[1]), hashes[3], problem));
	assert_false(ledger_add(&ledger, 3, text_bytes(entries[1]), hashes[2], problem));
	assert_memory_equal(&ledger, &before, sizeof(ledger));
	assert_true(ledger_add(&ledger, 2, text_bytes(entries[1]), hashes[2], problem));
	assert_true(ledger_add(&ledger, 3, text_bytes(entries[2]), hashes[3], problem));
}

static void
test_checkpoint(void **state)
{
	struct pair broker = pair_of(1), other = pair_of(2);
	struct checkpoint checkpoint = {.number = 5, .time = 1000};
	uint8_t message[CHECKPOINT_MESSAGE_SIZE];

	(void)state;
	checkpoint_message(&checkpoint, message);
	(void)crypto_sign_detached(checkpoint.signature, NULL, message, sizeof(message),
				   broker.private_key);
	assert_true(checkpoint_signed(&checkpoint, broker.public_key));
	assert_false(checkpoint_signed(&checkpoint, other.public_key));
	checkpoint.number++;
	assert_false(checkpoint_signed(&checkpoint, broker.public_key));
	checkpoint.number--;
	checkpoint.hash[31] ^= 1;
	assert_false(checkpoint_signed(&checkpoint, broker.public_key));
}

/* ---- acts ---- */

struct act {
	uint8_t frame[2048];
	size_t size;
	uint8_t signature[64];
};

static const uint8_t broker_key[32] = {7};
static const uint8_t challenge[WIRE_CHALLENGE_SIZE];

static struct act
act_make(struct operation_request *request, const char *operator_name, uint64_t revision,
	 const struct pair *signer)
{
	struct act act;
	struct writer w = writer_of(act.frame, sizeof(act.frame));

	if (request->answer_key.data == NULL)
		request->answer_key = BYTES_OF(broker_key);
	request->operator_name = text_bytes(operator_name);
	if (request->operation != OPERATION_GENESIS)
		request->challenge = BYTES_OF(challenge);
	request->trust_revision = revision;
	operation_request_write(&w, request);
	assert_false(w.failed);
	act.size = w.size;
	(void)crypto_sign_detached(act.signature, NULL, act.frame, act.size, signer->private_key);
	return act;
}

/* "alice" is `signer`, or whoever genesis says. */
static struct act
genesis_make(const struct pair *named, const struct pair *signer)
{
	static const uint8_t roles[] = {0, 1, 0, 0, 0, 5, 'a', 'd', 'm', 'i', 'n'};
	static const uint8_t policies[] = {0, 0};
	struct operation_request request = {.operation = OPERATION_GENESIS};

	operation_set_text(&request, FIELD_NAME, "alice");
	operation_set(&request, FIELD_OPERATOR_KEY, BYTES_OF(named->public_key));
	operation_set(&request, FIELD_ROLES, BYTES_OF(roles));
	operation_set(&request, FIELD_POLICIES, BYTES_OF(policies));
	return act_make(&request, "alice", 0, signer);
}

static struct act
operator_make(const char *name, const struct pair *key, const char *by, uint64_t revision,
	      const struct pair *signer)
{
	static const uint8_t roles[] = {0, 1, 0, 0, 0, 5, 'a', 'd', 'm', 'i', 'n'};
	struct operation_request request = {.operation = OPERATION_OPERATOR_ADD};

	operation_set_text(&request, FIELD_NAME, name);
	operation_set(&request, FIELD_OPERATOR_KEY, BYTES_OF(key->public_key));
	operation_set(&request, FIELD_ROLES, BYTES_OF(roles));
	return act_make(&request, by, revision, signer);
}

static struct act
revoke_make(const char *kind, const char *id, const char *by, uint64_t revision,
	    const struct pair *signer)
{
	struct operation_request request = {.operation = OPERATION_REVOKE};

	operation_set_text(&request, FIELD_KIND, kind);
	operation_set_text(&request, FIELD_ID, id);
	operation_set_text(&request, FIELD_REASON, "reason");
	return act_make(&request, by, revision, signer);
}

static bool
fold_add(struct act_fold *fold, uint64_t revision, const struct act *act)
{
	char problem[LEDGER_PROBLEM_SIZE];
	uint8_t *exact = malloc(act->size);

	memcpy(exact, act->frame, act->size);
	bool good = act_fold_add(fold, revision, (struct bytes){exact, act->size}, act->signature,
				 problem);
	free(exact);
	return good;
}

static void
test_acts(void **state)
{
	struct pair alice = pair_of(1), bob = pair_of(2), eve = pair_of(3);
	struct act_fold *fold = act_fold_new(broker_key);
	struct act genesis = genesis_make(&alice, &alice), forged = genesis_make(&alice, &eve);
	struct act add_bob = operator_make("bob", &bob, "alice", 1, &alice);
	struct act by_eve = operator_make("bob", &bob, "alice", 1, &eve);
	struct act by_nobody = operator_make("bob", &bob, "eve", 1, &eve);
	struct act late = operator_make("bob", &bob, "alice", 2, &alice);

	(void)state;
	assert_false(fold_add(fold, 1, &forged));
	assert_false(fold_add(fold, 2, &genesis));
	assert_false(fold_add(fold, 1, &add_bob)); /* no genesis */
	assert_true(fold_add(fold, 1, &genesis));
	assert_false(fold_add(fold, 2, &genesis)); /* a second one */
	assert_false(fold_add(fold, 2, &by_eve));
	assert_false(fold_add(fold, 2, &by_nobody));
	assert_false(fold_add(fold, 2, &late)); /* made for another revision */
	assert_false(fold_add(fold, 3, &add_bob));
	assert_true(fold_add(fold, 2, &add_bob));
	/* bob ends alice; a baseline named as he is ends nobody */
	struct act same_name = revoke_make("baseline", "bob", "bob", 2, &bob);
	struct act end_alice = revoke_make("operator", "alice", "bob", 3, &bob);
	struct act after = operator_make("eve", &eve, "alice", 4, &alice);
	struct act still = operator_make("eve", &eve, "bob", 4, &bob);
	assert_true(fold_add(fold, 3, &same_name));
	assert_true(fold_add(fold, 4, &end_alice));
	assert_false(fold_add(fold, 5, &after));
	assert_true(fold_add(fold, 5, &still));
	assert_int_equal(act_fold_revision(fold), 5);
	act_fold_free(fold);
}

static void
test_acts_spoilt(void **state)
{
	struct pair alice = pair_of(1);
	struct act good = genesis_make(&alice, &alice);
	uint8_t other_broker[32] = {8};

	(void)state;
	struct act_fold *fold = act_fold_new(other_broker);
	assert_false(fold_add(fold, 1, &good));
	act_fold_free(fold);
	fold = act_fold_new(broker_key);
	for (size_t bit = 0; bit < 8 * good.size; bit++) {
		struct act flipped = good;
		flipped.frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(fold_add(fold, 1, &flipped));
	}
	for (size_t size = 0; size < good.size; size++) {
		struct act cut = good;
		cut.size = size;
		assert_false(fold_add(fold, 1, &cut));
	}
	assert_int_equal(act_fold_revision(fold), 0);
	act_fold_free(fold);
}

/* ---- key files ---- */

static char folder[] = "/tmp/postern-test-XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
file_put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	(void)fputs(text, file);
	(void)fchmod(fileno(file), 0600);
	(void)fclose(file);
}

static void
test_key_plain(void **state)
{
	auto_secret *seed = NULL, *again = NULL, *other = NULL, *none = NULL;
	uint8_t one[32], two[32];
	struct stat information;

	(void)state;
	assert_int_equal(key_generate(&seed), 0);
	assert_int_equal(key_generate(&other), 0);
	assert_int_equal(key_write(path_of("plain.key"), seed, NULL), 0);
	assert_int_equal(key_write(path_of("plain.key"), other, NULL), EX_CANTCREAT);
	assert_int_equal(stat(path_of("plain.key"), &information), 0);
	assert_int_equal(information.st_mode & 0777, 0600);
	assert_int_equal(key_read(path_of("plain.key"), NULL, &again), 0);
	assert_true(secret_equals(seed, again));
	assert_int_equal(chmod(path_of("plain.key"), 0640), 0);
	assert_int_equal(key_read(path_of("plain.key"), NULL, &none), EX_CONFIG);
	key_public(seed, one);
	key_public(other, two);
	assert_memory_not_equal(one, two, 32);
}

static void
test_key_sealed(void **state)
{
	auto_secret *seed = NULL, *again = NULL, *passphrase = NULL, *none = NULL;
	auto_file_text text = {.data = NULL};
	char name[300];

	(void)state;
	file_put("passphrase", "open sesame\nsecond line\n");
	file_put("wrong", "open sesam\n");
	file_put("empty", "\n");
	(void)snprintf(name, sizeof(name), "%s/passphrase", folder);
	assert_int_equal(key_passphrase_read(name, &passphrase), 0);
	assert_int_equal(passphrase->size, 11);
	assert_int_equal(key_passphrase_read(path_of("empty"), &none), EX_DATAERR);
	assert_int_equal(key_generate(&seed), 0);
	assert_int_equal(key_write(path_of("sealed.key"), seed, passphrase), 0);
	assert_int_equal(key_read(path_of("sealed.key"), name, &again), 0);
	assert_true(secret_equals(seed, again));
	(void)snprintf(name, sizeof(name), "%s/wrong", folder);
	assert_int_equal(key_read(path_of("sealed.key"), name, &none), EX_NOPERM);
	assert_int_equal(file_read(path_of("sealed.key"), 4096, &text), 0);
	assert_null(memmem(text.data, text.size, seed->bytes, seed->size));
}

static void
test_key_malformed(void **state)
{
#define SEED "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	static const struct {
		const char *name, *text;
		int want;
	} cases[] = {
		{"good", "postern operator key 1\n" SEED "\n", 0},
		{"empty", "", EX_DATAERR},
		{"header alone", "postern operator key 1\n", EX_DATAERR},
		{"another version", "postern operator key 2\n" SEED "\n", EX_DATAERR},
		{"no newline at the end", "postern operator key 1\n" SEED, EX_DATAERR},
		{"another byte at the end", "postern operator key 1\n" SEED "x", EX_DATAERR},
		{"a line too many", "postern operator key 1\n" SEED "\n\n", EX_DATAERR},
		{"short seed", "postern operator key 1\nAAEC\n", EX_DATAERR},
		{"no base64", "postern operator key 1\n!" SEED "\n", EX_DATAERR},
		{"spare bits",
		 "postern operator key 1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n",
		 EX_DATAERR},
		{"a seed under the sealed header", "postern operator key 1, sealed\n" SEED "\n",
		 EX_DATAERR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_secret *seed = NULL;
		print_message("%s\n", cases[i].name);
		file_put("case.key", cases[i].text);
		assert_int_equal(key_read(path_of("case.key"), NULL, &seed), cases[i].want);
	}
	auto_secret *seed = NULL;
	assert_int_equal(key_read(path_of("none.key"), NULL, &seed), EX_NOINPUT);
}

/* ---- what init relies on ---- */

static void
test_default_policies(void **state)
{
	(void)state;
	for (size_t i = 0; i < DEFAULT_POLICY_COUNT; i++) {
		struct policy_set *set = NULL;
		struct policy_error err;
		struct policy_text text = {default_policies[i].text,
					   strlen(default_policies[i].text)};
		assert_int_equal(policy_set_parse(text, &set, &err), POLICY_OK);
		policy_set_free(set);
	}
}

static void
test_server_names(void **state)
{
	static const struct {
		const char *name;
		bool want;
	} cases[] = {{"broker.example.net", true},
		     {"192.0.2.1", true},
		     {"2001:db8::1", true},
		     {"localhost", true},
		     {"", false},
		     {"a,DNS:b", false},
		     {"a b", false},
		     {"a\nb", false},
		     {"*.example.net", false},
		     {"-a", false},
		     {"a:b", false},
		     {"a/b", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(server_name_valid(cases[i].name), cases[i].want);
}

static void
test_files(void **state)
{
	auto_file_text text = {.data = NULL};
	auto_secret *secret = NULL;
	char beside[FILE_PATH_MAX], large[40001];

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	file_put("large", large);
	assert_int_equal(file_read(path_of("large"), 39999, &text), EX_DATAERR);
	assert_int_equal(file_read(path_of("large"), 40000, &text), 0);
	assert_int_equal(text.size, 40000);
	assert_int_equal(file_read_secret(path_of("large"), 39999, &secret), EX_DATAERR);
	assert_int_equal(file_read_secret(path_of("large"), 40000, &secret), 0);
	assert_int_equal(secret->size, 40000);
	assert_memory_equal(secret->bytes, large, 40000);
	assert_int_equal(file_write_new(path_of("large"), 0600, "x", 1), EX_CANTCREAT);
	assert_true(file_beside("/etc/postern/guest.conf", "ca.crt", beside));
	assert_string_equal(beside, "/etc/postern/ca.crt");
	assert_true(file_beside("guest.conf", "ca.crt", beside));
	assert_string_equal(beside, "ca.crt");
	assert_true(file_beside("/etc/postern/guest.conf", "/ca.crt", beside));
	assert_string_equal(beside, "/ca.crt");
}

static int
folder_begin(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL;
}

static int
folder_end(void **state)
{
	static const char *const names[] = {"plain.key", "sealed.key", "case.key", "passphrase",
					    "wrong",	 "empty",      "large"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		(void)unlink(path_of(names[i]));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),	      cmocka_unit_test(test_answer_spoilt),
		cmocka_unit_test(test_ledger),	      cmocka_unit_test(test_checkpoint),
		cmocka_unit_test(test_acts),	      cmocka_unit_test(test_acts_spoilt),
		cmocka_unit_test(test_key_plain),     cmocka_unit_test(test_key_sealed),
		cmocka_unit_test(test_key_malformed), cmocka_unit_test(test_default_policies),
		cmocka_unit_test(test_server_names),  cmocka_unit_test(test_files),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, folder_begin, folder_end);
}
