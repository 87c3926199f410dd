/* SPDX-License-Identifier: Apache-2.0 */
#include "founding.h"

#include "command.h"
#include "default_policies.h"
#include "encode.h"
#include "store/store.h"
#include "wire/operation.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define GENESIS_MAX (64 * 1024)
#define LIST_MAX    (32 * 1024)

static int
store_fail(enum store_status status, const struct store_error *err)
{
	return complain(status == STORE_MEMORY ? EX_SOFTWARE : EX_CANTCREAT, "store: %s",
			err->message);
}

/* A new private key under `name`, and its public half. */
static bool
key_put(struct store_batch *batch, const char *name, bool signs, struct secret *private_key,
	uint8_t ret_public[32])
{
	uint8_t pair[crypto_sign_SECRETKEYBYTES];

	randombytes_buf(private_key->bytes, private_key->size);
	if (!signs && crypto_scalarmult_base(ret_public, private_key->bytes) != 0)
		return false;
	if (signs) {
		(void)crypto_sign_seed_keypair(ret_public, pair, private_key->bytes);
		sodium_memzero(pair, sizeof(pair));
	}
	store_batch_put(batch, name, (struct store_bytes){private_key->bytes, private_key->size});
	return true;
}

static bool
keys_put(struct store_batch *batch, struct founding *founding)
{
	auto_secret *private_key = secret_new(32);

	return private_key != NULL &&
	       key_put(batch, "key/release", false, private_key, founding->release_key) &&
	       key_put(batch, "key/intake", false, private_key, founding->intake_key) &&
	       key_put(batch, "key/answer", true, private_key, founding->answer_key);
}

static struct bytes
policies_write(uint8_t *memory, size_t size)
{
	struct writer w = writer_of(memory, size);
	struct name_list list = {.count = 2 * DEFAULT_POLICY_COUNT};

	for (size_t i = 0; i < DEFAULT_POLICY_COUNT; i++) {
		list.names[2 * i] = text_bytes(default_policies[i].name);
		list.names[2 * i + 1] = text_bytes(default_policies[i].text);
	}
	name_list_write(&w, &list);
	return w.failed ? (struct bytes){NULL, 0} : writer_bytes(&w);
}

/* PROTOCOL.md, "Operators' requests": an act is lp(request) || signature:64. */
static bool
genesis_write(const char *operator_name, const struct secret *seed, const struct founding *founding,
	      struct writer *act)
{
	uint8_t roles[32], policies[LIST_MAX], public_key[32], frame[GENESIS_MAX];
	uint8_t signature[64], pair[crypto_sign_SECRETKEYBYTES];
	struct writer roles_writer = writer_of(roles, sizeof(roles));
	struct writer w = writer_of(frame, sizeof(frame));
	struct name_list list = {.count = 1, .names = {text_bytes("admin")}};
	struct operation_request request =
					 {
						 .answer_key = {founding->answer_key, 32},
						 .operator_name = text_bytes(operator_name),
						 .operation = OPERATION_GENESIS,
					 },
				 check;
	const char *problem = NULL;

	(void)crypto_sign_seed_keypair(public_key, pair, seed->bytes);
	name_list_write(&roles_writer, &list);
	operation_set_text(&request, FIELD_NAME, operator_name);
	operation_set(&request, FIELD_OPERATOR_KEY, BYTES_OF(public_key));
	operation_set(&request, FIELD_ROLES, writer_bytes(&roles_writer));
	operation_set(&request, FIELD_POLICIES, policies_write(policies, sizeof(policies)));
	operation_request_write(&w, &request);
	(void)crypto_sign_detached(signature, NULL, w.start, w.size, pair);
	sodium_memzero(pair, sizeof(pair));
	write_lp(act, writer_bytes(&w));
	write_bytes(act, BYTES_OF(signature));
	return !w.failed && !act->failed &&
	       operation_request_read(writer_bytes(&w), &check, &problem);
}

static bool
trust_put(struct store_batch *batch, const char *operator_name, const struct secret *seed,
	  const struct founding *founding)
{
	uint8_t memory[GENESIS_MAX + 128], hash[crypto_hash_sha256_BYTES], trust[40];
	struct writer act = writer_of(memory, sizeof(memory));
	struct writer w = writer_of(trust, sizeof(trust));

	if (!genesis_write(operator_name, seed, founding, &act))
		return false;
	(void)crypto_hash_sha256(hash, act.start, act.size);
	write_be64(&w, 1);
	write_bytes(&w, BYTES_OF(hash));
	store_batch_put(batch, "act/0000000000000001", (struct store_bytes){act.start, act.size});
	store_batch_put(batch, "trust", (struct store_bytes){trust, sizeof(trust)});
	return !w.failed;
}

static int
founding_fill(struct store *store, const char *operator_name, const struct secret *seed,
	      struct founding *ret_founding)
{
	struct store_batch *batch = store_batch_new();
	struct store_error err = {.status = STORE_OK};
	int status = 0;

	if (batch == NULL || !keys_put(batch, ret_founding) ||
	    !trust_put(batch, operator_name, seed, ret_founding)) {
		store_batch_free(batch);
		return complain(EX_SOFTWARE, "the first act cannot be made: out of memory");
	}
	store_batch_expect(batch, "trust", 0);
	enum store_status stored = store_commit(store, batch, &err);
	if (stored != STORE_OK)
		status = store_fail(stored, &err);
	store_batch_free(batch);
	return status;
}

int
founding_make(const char *path, const struct secret *root_key, struct store_bytes note,
	      const char *operator_name, const struct secret *seed, struct founding *ret_founding)
{
	struct store_error err = {.status = STORE_OK};
	struct store *store = NULL;
	enum store_status stored = store_create(path, root_key, note, &err);

	if (stored == STORE_OK)
		stored = store_open(path, root_key, &store, &err);
	if (stored != STORE_OK)
		return store_fail(stored, &err);
	int status = founding_fill(store, operator_name, seed, ret_founding);
	store_close(store);
	return status;
}
