/* SPDX-License-Identifier: Apache-2.0 */
#include "keyholder.h"

#include "file.h"
#include "prompt.h"

#include <stdio.h>
#include <string.h>

#define SHARE_FILE_MAX 4096
#define TYPING_TRIES   5
#define WRITER_ROOM    128 /* for the largest message with a key in it */

_Static_assert(sizeof(struct share) == CONTROL_SHARE_SIZE, "as it travels");
_Static_assert(sizeof(struct secret) % _Alignof(struct control_key) == 0, "aligned behind it");

int
keyholder_check(const struct keyholder *holder)
{
	size_t inputs = holder->root_key != NULL && strcmp(holder->root_key, "-") == 0 ? 1 : 0;

	if (holder->root_key != NULL && holder->share_files.count > 0)
		return complain(EX_USAGE, "either --root-key or --share-file");
	for (size_t i = 0; i < holder->share_files.count; i++)
		inputs += strcmp(holder->share_files.items[i], "-") == 0 ? 1 : 0;
	return inputs <= 1 ? 0 : complain(EX_USAGE, "standard input can be one share only");
}

/* ---- one share, or the key ---- */

const struct share *
share_of(const struct secret *secret)
{
	return (const struct share *)(const void *)secret->bytes;
}

/* False: no share, or mistyped. EX_SOFTWARE is in *ret_status where memory cannot be locked. */
static bool
share_parse(const struct secret *text, struct secret **ret_share, int *ret_status)
{
	auto_secret *share = secret_new(sizeof(struct share));

	if (share == NULL) {
		*ret_status = complain(EX_SOFTWARE, LOCKING_FAILED);
		return true;
	}
	if (!share_read((const char *)text->bytes, text->size,
			(struct share *)(void *)share->bytes))
		return false;
	*ret_share = share;
	share = NULL;
	return true;
}

int
share_from_file(const char *path, struct secret **ret_share)
{
	auto_secret *text = NULL;
	int status = file_read_secret(path, SHARE_FILE_MAX, &text);

	if (status == 0 && !share_parse(text, ret_share, &status))
		return complain(EX_DATAERR,
				"%s: no share, or mistyped: its checksum does not fit (nothing was "
				"sent)",
				path);
	return status;
}

int
share_from_terminal(const char *question, struct secret **ret_share)
{
	for (int tries = 0; tries < TYPING_TRIES; tries++) {
		auto_secret *text = NULL;
		int status = prompt_secret(question,
					   "give --share-file FILE (- for standard input) or "
					   "--root-key FILE",
					   &text);
		if (status == 0 && text->size == 0)
			return KEYHOLDER_NOTHING;
		if (status != 0 || share_parse(text, ret_share, &status))
			return status;
		remark("no share, or mistyped: its checksum does not fit. Nothing was sent; once "
		       "more");
	}
	return complain(EX_DATAERR, "mistyped %d times: nothing was sent", TYPING_TRIES);
}

int
root_key_read(const char *path, struct secret **ret_key)
{
	auto_secret *key = NULL;
	int status = file_read_secret(path, SHARE_FILE_MAX, &key);

	if (status == 0 && key->size != STORE_ROOT_KEY_SIZE)
		status = complain(EX_DATAERR, "%s: a root key has %d bytes, and this file %zu",
				  path, STORE_ROOT_KEY_SIZE, key->size);
	if (status != 0)
		return status;
	*ret_key = key;
	key = NULL;
	return 0;
}

/* ---- towards the broker ---- */

int
keyholder_give_share(struct control *control, enum control_purpose purpose,
		     const struct share *share, struct control_reply *ret_reply)
{
	auto_secret *memory = secret_new(WRITER_ROOM + sizeof(struct control_share));

	if (memory == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	struct control_share *message =
		(struct control_share *)(void *)(memory->bytes + WRITER_ROOM);
	struct writer w = writer_of(memory->bytes, WRITER_ROOM);
	message->purpose = (uint8_t)purpose;
	message->threshold = share->threshold;
	message->count = share->count;
	message->number = share->number;
	memcpy(message->set, share->set, sizeof(message->set));
	memcpy(message->bytes, share->bytes, sizeof(message->bytes));
	control_share_write(&w, message);
	return control_ask(control, FRAME_CONTROL_SHARE, writer_bytes(&w), NULL, NULL, ret_reply);
}

int
keyholder_give_key(struct control *control, enum control_purpose purpose, const struct secret *key,
		   uint64_t witness, struct control_reply *ret_reply)
{
	auto_secret *memory = secret_new(WRITER_ROOM),
		    *locked = secret_new(sizeof(struct control_key));

	if (memory == NULL || locked == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	/* a secret's bytes lie 16 into what is aligned for any type */
	struct control_key *message = (struct control_key *)(void *)locked->bytes;
	struct writer w = writer_of(memory->bytes, WRITER_ROOM);
	message->purpose = (uint8_t)purpose;
	message->witness = witness;
	memcpy(message->key, key->bytes, sizeof(message->key));
	control_key_write(&w, message);
	return control_ask(control, FRAME_CONTROL_KEY, writer_bytes(&w), NULL, NULL, ret_reply);
}

static int
give_key_file(const struct keyholder *holder, struct control *control, enum control_purpose purpose,
	      struct control_reply *ret_reply)
{
	auto_secret *key = NULL;
	int status = root_key_read(holder->root_key, &key);

	if (status == 0)
		status = keyholder_give_key(control, purpose, key, CONTROL_NO_WITNESS, ret_reply);
	return status != 0 ? status : control_say(ret_reply);
}

/* The next one: of a file, or typed. */
static int
next_share(const struct keyholder *holder, size_t index, const struct control_state *state,
	   struct secret **ret_share)
{
	char question[80];

	if (index < holder->share_files.count)
		return share_from_file(holder->share_files.items[index], ret_share);
	if (state->count == 0)
		return complain(EX_USAGE, "this broker's root key is not in shares: give "
					  "--root-key FILE");
	(void)snprintf(question, sizeof(question),
		       "A share of %u, %u of which are wanted: ", state->count, state->threshold);
	int status = share_from_terminal(question, ret_share);
	return status != KEYHOLDER_NOTHING ? status : complain(EX_USAGE, "no share was typed");
}

/* "share 4 taken: 2 of 3 shares": what was asked for, or a step on the way. */
static void
taken_say(const struct control_reply *reply, bool all)
{
	if (all)
		remark("%s shares", reply->text);
	else
		(void)printf("%s shares\n", reply->text);
}

/* One share on its way; what was typed wrongly may be typed again. */
static int
share_give(const struct keyholder *holder, size_t index, struct control *control,
	   enum control_purpose purpose, struct control_reply *ret_reply)
{
	struct control_state state;
	auto_secret *share = NULL;
	bool typed = index >= holder->share_files.count;
	int status = control_status(control, &state);

	if (status == 0)
		status = next_share(holder, index, &state, &share);
	if (status == 0)
		status = keyholder_give_share(control, purpose, share_of(share), ret_reply);
	if (status != 0)
		return status;
	if (ret_reply->status == CONTROL_WRONG && !typed)
		return complain(1, "%s: %s", holder->share_files.items[index], ret_reply->text);
	return control_say(ret_reply);
}

int
keyholder_give(const struct keyholder *holder, struct control *control,
	       enum control_purpose purpose, bool all, struct control_reply *ret_reply)
{
	size_t files = holder->share_files.count, wrong = 0;

	if (holder->root_key != NULL)
		return give_key_file(holder, control, purpose, ret_reply);
	for (size_t i = 0; i <= files + SHARES_MAX; i++) {
		if (i > 0 && i >= files && !all)
			return 0;
		int status = share_give(holder, i, control, purpose, ret_reply);
		bool again = status == 1 && all && i >= files && ++wrong < TYPING_TRIES;
		if (status != 0 && !again)
			return status;
		if (status == 0 && ret_reply->status != CONTROL_MORE)
			return 0;
		if (status == 0)
			taken_say(ret_reply, all || holder->quiet);
	}
	return complain(EX_DATAERR, "so many shares, and more are wanted");
}

/* ---- without a broker ---- */

static int
add_share(struct secret *shares, size_t *count, const struct share *share, const char *name)
{
	struct share *list = (struct share *)(void *)shares->bytes;

	for (size_t i = 0; i < *count; i++) {
		if (memcmp(list[i].set, share->set, sizeof(share->set)) != 0)
			return complain(1, "%s: of another set than those before it", name);
		if (list[i].number == share->number)
			return complain(1, "%s: share %u was given already", name, share->number);
	}
	list[(*count)++] = *share;
	return 0;
}

/* The next of the shares: of a file, or typed, and then again where it does not belong to them. */
static int
share_gather(const struct keyholder *holder, struct secret *shares, size_t *count, size_t *wanted)
{
	bool typed = *count >= holder->share_files.count;
	char question[80];

	if (*count == 0)
		(void)snprintf(question, sizeof(question), "A share of the root key: ");
	else
		(void)snprintf(question, sizeof(question),
			       "Share %zu of the %zu that are wanted: ", *count + 1, *wanted);
	for (int tries = 0;; tries++) {
		auto_secret *share = NULL;
		const char *name = typed ? "that share" : holder->share_files.items[*count];
		int status = typed ? share_from_terminal(question, &share)
				   : share_from_file(name, &share);
		if (status == KEYHOLDER_NOTHING)
			return complain(EX_USAGE, "%zu of %zu shares were given", *count, *wanted);
		if (status != 0)
			return status;
		status = add_share(shares, count, share_of(share), name);
		*wanted = share_of(shares)->threshold;
		if (status == 0 || !typed || tries + 1 == TYPING_TRIES)
			return status;
	}
}

int
keyholder_key(const struct keyholder *holder, struct secret **ret_key)
{
	auto_secret *shares = secret_new(SHARES_MAX * sizeof(struct share));
	auto_secret *key = secret_new(STORE_ROOT_KEY_SIZE);
	size_t count = 0, wanted = 1;

	if (shares == NULL || key == NULL)
		return complain(EX_SOFTWARE, LOCKING_FAILED);
	if (holder->root_key != NULL)
		return root_key_read(holder->root_key, ret_key);
	while (count < wanted) {
		int status = share_gather(holder, shares, &count, &wanted);
		if (status != 0)
			return status;
	}
	if (!shares_combine(share_of(shares), count, key))
		return complain(1, "these shares do not make a key together");
	*ret_key = key;
	key = NULL;
	return 0;
}
