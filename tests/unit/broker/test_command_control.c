/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command at the keeper's local socket: whatever listens there, it ends with an exit status;
 * shares on their way in and out; and a progress bar's line.
 */
#include "command/control.h"
#include "command/keyholder.h"
#include "command/progress.h"
#include "command/shares_out.h"
#include "wire/local.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/postern-control-XXXXXX";
static char socket_path[64];

/* ---- a listener that answers as a case says ---- */

#define LARGE (FRAME_INLINE_MAX + 1)

enum spoil {
	NOTHING,
	OTHER_ID,
	OTHER_TYPE,
	PROGRESS_FIRST,
	DATA_FIRST,
	DESCRIPTOR,
	SPILLED,
	CUT,	 /* to `size` bytes */
	LONGER,	 /* by one */
	FLIPPED, /* byte `size`, all bits */
	HANGS_UP,
};

struct listener {
	int listening;
	enum spoil spoil;
	uint8_t status;
	const char *text;
	size_t size;
};

static size_t
answer_make(const struct listener *listener, uint8_t memory[256])
{
	struct writer w = writer_of(memory, 256);
	const struct control_answer answer = {
		.status = listener->status,
		.text = {(const uint8_t *)listener->text, strlen(listener->text)},
		.payload = {(const uint8_t *)"payload", 7}};

	control_answer_write(&w, &answer);
	assert_false(w.failed);
	return w.size;
}

static void
spoil_send(const struct listener *listener, int channel, struct frame *frame, uint8_t *memory)
{
	static uint8_t large[LARGE];
	struct frame first = {FRAME_CONTROL_PROGRESS, frame->id, {memory, 16}, -1};

	switch (listener->spoil) {
	case OTHER_ID:
		frame->id++;
		break;
	case OTHER_TYPE:
		frame->type = FRAME_CONTROL_STATUS;
		break;
	case DATA_FIRST:
		first.type = FRAME_CONTROL_DATA;
		assert_int_equal(channel_send(channel, &first), CHANNEL_OK);
		break;
	case PROGRESS_FIRST:
		assert_int_equal(channel_send(channel, &first), CHANNEL_OK);
		break;
	case DESCRIPTOR:
		frame->descriptor = channel;
		break;
	case SPILLED:
		frame->body = BYTES_OF(large);
		break;
	case CUT:
		frame->body.size = listener->size;
		break;
	case LONGER:
		frame->body.size++;
		break;
	case FLIPPED:
		memory[listener->size] ^= 0xff;
		break;
	case NOTHING:
	case HANGS_UP:
		break;
	}
	/* the command may have left at the first */
	if (listener->spoil != HANGS_UP && channel_send(channel, frame) != CHANNEL_OK)
		assert_true(listener->spoil == PROGRESS_FIRST || listener->spoil == DATA_FIRST);
}

static void *
listen_once(void *argument)
{
	const struct listener *listener = argument;
	struct frame_buffer buffer = {.locked = true};
	struct frame request;
	uint8_t memory[256] = {0};
	uid_t uid = 0;
	int channel = local_accept(listener->listening, &uid);

	assert_true(channel >= 0);
	assert_int_equal(channel_receive(channel, &buffer, &request), CHANNEL_OK);
	struct frame answer = {
		FRAME_CONTROL_ANSWER, request.id, {memory, answer_make(listener, memory)}, -1};
	spoil_send(listener, channel, &answer, memory);
	frame_buffer_clear(&buffer);
	(void)close(channel);
	return NULL;
}

static int
piece_count(void *user, uint16_t type, struct bytes body)
{
	int *count = user;

	assert_true(type == FRAME_CONTROL_PROGRESS || type == FRAME_CONTROL_DATA);
	assert_int_equal(body.size, 16);
	(*count)++;
	return *count > 1 ? EX_IOERR : 0;
}

/* The exit status of one question to such a listener. */
static int
asked(struct listener *listener, control_piece *piece, struct control_reply *ret_reply)
{
	char problem[LOCAL_PROBLEM_SIZE];
	const struct control_place place = {.socket = socket_path};
	struct control *control = NULL;
	pthread_t thread;
	int pieces = 0;

	listener->listening = local_listen(socket_path, problem);
	assert_true(listener->listening >= 0);
	assert_int_equal(pthread_create(&thread, NULL, listen_once, listener), 0);
	assert_int_equal(control_open(&place, &control), 0);
	int status = control_ask(control, FRAME_CONTROL_STATUS, (struct bytes){NULL, 0}, piece,
				 &pieces, ret_reply);
	if (status == 0 && listener->spoil != FLIPPED)
		assert_memory_equal(ret_reply->payload.data, "payload", 7);
	control_close(control);
	assert_int_equal(pthread_join(thread, NULL), 0);
	(void)close(listener->listening);
	(void)unlink(socket_path);
	return status;
}

static void
test_whatever_listens(void **state)
{
	static const struct {
		enum spoil spoil;
		bool pieces;
		int want;
	} cases[] = {
		{NOTHING, false, 0},
		{OTHER_ID, false, EX_DATAERR},
		{OTHER_TYPE, false, EX_DATAERR},
		{PROGRESS_FIRST, false, EX_DATAERR}, /* nobody asked for any */
		{DATA_FIRST, false, EX_DATAERR},
		{PROGRESS_FIRST, true, 0},
		{DATA_FIRST, true, 0},
		{DESCRIPTOR, false, EX_DATAERR},
		{SPILLED, false, EX_DATAERR},
		{LONGER, false, EX_DATAERR},
		{HANGS_UP, false, EX_TEMPFAIL},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct listener listener = {.spoil = cases[i].spoil, .text = "text"};
		struct control_reply reply = {.status = 99};
		int status = asked(&listener, cases[i].pieces ? piece_count : NULL, &reply);
		if (status != cases[i].want)
			fail_msg("case %zu: %d", i, status);
		assert_int_equal(reply.status, status == 0 ? CONTROL_OK : 99);
	}
}

static void
test_answers_cut_and_altered(void **state)
{
	struct listener listener = {.text = "a text"};
	uint8_t memory[256];
	size_t whole = answer_make(&listener, memory);
	(void)state;

	for (listener.size = 0; listener.size < whole; listener.size++) {
		struct control_reply reply = {.status = 99};
		listener.spoil = CUT;
		assert_int_equal(asked(&listener, NULL, &reply), EX_DATAERR);
		listener.spoil = FLIPPED;
		int status = asked(&listener, NULL, &reply);
		/* any payload is one: who asked for it looks into it */
		assert_int_equal(status, listener.size >= whole - 7 ? 0 : EX_DATAERR);
	}
}

static void
test_what_answers_come_to(void **state)
{
	static const struct {
		enum control_status status;
		int want;
	} cases[] = {
		{CONTROL_OK, 0},
		{CONTROL_MORE, 0},
		{CONTROL_SEALED, EX_TEMPFAIL},
		{CONTROL_UNSEALED, 0},
		{CONTROL_WRONG, 1},
		{CONTROL_REFUSED, EX_NOPERM},
		{CONTROL_MALFORMED, EX_DATAERR},
		{CONTROL_FAILED, EX_IOERR},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct listener listener = {.text = "", .status = (uint8_t)cases[i].status};
		struct control_reply reply = {.status = 99};
		assert_int_equal(asked(&listener, NULL, &reply), 0);
		assert_int_equal(control_say(&reply), cases[i].want);
	}
	assert_int_equal(control_say(&(struct control_reply){.status = 8}), EX_DATAERR);
}

static void
test_nobody_listens(void **state)
{
	struct control_place place = {.socket = socket_path};
	struct control *control = NULL;
	char longer[256];
	(void)state;

	assert_int_equal(control_open(&place, &control), EX_UNAVAILABLE);
	assert_int_equal(control_open_quietly(&place, &control), EX_UNAVAILABLE);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	place.socket = longer;
	assert_int_equal(control_open(&place, &control), EX_CONFIG);
	place = (struct control_place){.config = "/none/posternd.conf"};
	assert_int_equal(control_open(&place, &control), EX_CONFIG);
	assert_null(control);
}

/* ---- posternd.conf ---- */

static char *
file_put(const char *name, const char *text, size_t size)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)unlink(path);
	int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(descriptor >= 0);
	assert_int_equal(write(descriptor, text, size), (ssize_t)size);
	(void)close(descriptor);
	return path;
}

static void
test_a_line_of_the_configuration(void **state)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{"control = /run/p.sock\n", "/run/p.sock"},
		{"listen = x\ncontrol=/run/p.sock", "/run/p.sock"},
		{" \tcontrol \t=\t /run/p.sock \t\r\nstore = y\n", "/run/p.sock"},
		{"control = file:/run/p.sock\n", "/run/p.sock"},
		{"control = /run/with space\n", "/run/with space"},
		{"newer_key = what\ncontrol = /first\ncontrol = /second\n", "/first"},
		{"# control = /run/p.sock\n", ""},
		{"controls = /run/p.sock\n", ""},
		{"a_control = /run/p.sock\n", ""},
		{"control /run/p.sock\n", ""},
		{"control\n", ""},
		{"control", ""},
		{"control =\n", ""},
		{"", ""},
	};
	char value[FILE_PATH_MAX];
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *path = file_put("conf", cases[i].text, strlen(cases[i].text));
		assert_int_equal(control_config_value(path, "control", value), 0);
		if (strcmp(value, cases[i].want) != 0)
			fail_msg("case %zu: '%s'", i, value);
	}
	char line[2 * FILE_PATH_MAX];
	memset(line, 'x', sizeof(line));
	memcpy(line, "control = ", 10);
	assert_int_equal(
		control_config_value(file_put("conf", line, sizeof(line)), "control", value), 0);
	assert_string_equal(value, "");
}

/* ---- shares in files ---- */

#define COUNT 3

static struct secret *
shares_make(uint8_t threshold)
{
	struct secret *shares = secret_new(SHARES_MAX * sizeof(struct share));
	struct secret *key = secret_new(STORE_ROOT_KEY_SIZE);
	struct share_set set;

	assert_true(shares != NULL && key != NULL);
	randombytes_buf(key->bytes, key->size);
	assert_true(
		shares_split(key, threshold, COUNT, (struct share *)(void *)shares->bytes, &set));
	secret_free(key);
	return shares;
}

static void
test_a_share_that_is_mistyped(void **state)
{
	struct secret *shares = shares_make(2), *read = NULL;
	char text[SHARE_TEXT_SIZE];
	(void)state;

	share_write(share_of(shares), text);
	size_t size = strlen(text);
	assert_int_equal(share_from_file(file_put("share", text, size), &read), 0);
	assert_memory_equal(share_of(read), share_of(shares), sizeof(struct share));
	secret_free(read);
	read = NULL;
	for (size_t i = 0; i < size; i++) {
		assert_int_equal(share_from_file(file_put("share", text, i), &read), EX_DATAERR);
		text[i] ^= 1;
		assert_int_equal(share_from_file(file_put("share", text, size), &read), EX_DATAERR);
		text[i] ^= 1;
	}
	text[size] = 'x';
	assert_int_equal(share_from_file(file_put("share", text, size + 1), &read), EX_DATAERR);
	assert_int_equal(share_from_file("/none", &read), EX_NOINPUT);
	assert_null(read);
	secret_free(shares);
}

static void
test_shares_are_written_all_or_none(void **state)
{
	struct secret *shares = shares_make(2);
	char path[FILE_PATH_MAX];
	struct stat information;
	(void)state;

	assert_int_equal(share_files_absent(folder, COUNT), 0);
	assert_int_equal(share_files_write(folder, share_of(shares), COUNT), 0);
	assert_int_equal(share_files_absent(folder, 1), EX_CANTCREAT);
	for (unsigned i = 1; i <= COUNT; i++) {
		struct secret *read = NULL;
		assert_int_equal(share_path(folder, i, path), 0);
		assert_int_equal(stat(path, &information), 0);
		assert_int_equal(information.st_mode, S_IFREG | 0600);
		assert_int_equal(share_from_file(path, &read), 0);
		assert_int_equal(share_of(read)->number, i);
		secret_free(read);
	}
	share_files_remove(folder, COUNT);
	(void)file_put("share-3.txt", "somebody's", 10);
	assert_int_equal(share_files_write(folder, share_of(shares), COUNT), EX_CANTCREAT);
	assert_int_equal(share_files_absent(folder, 2), 0);
	assert_int_equal(share_path(folder, 3, path), 0);
	assert_int_equal(stat(path, &information), 0);
	assert_int_equal(information.st_size, 10);
	(void)unlink(path);
	assert_int_equal(share_files_write("/none", share_of(shares), COUNT), EX_CANTCREAT);
	secret_free(shares);
}

static void
test_a_key_of_files(void **state)
{
	struct secret *one = shares_make(2), *other = shares_make(2), *key = NULL;
	static char paths[4][128];
	static const struct {
		size_t first;
		size_t second;
		int want;
	} cases[] = {{0, 1, 0}, {1, 0, 0}, {0, 0, 1}, {0, 2, 1}, {0, 3, EX_DATAERR}};
	char text[SHARE_TEXT_SIZE];
	(void)state;

	const struct share *list[] = {share_of(one), share_of(one) + 1, share_of(other) + 1};
	for (size_t i = 0; i < 3; i++) {
		char name[16];
		(void)snprintf(name, sizeof(name), "key-%zu", i);
		share_write(list[i], text);
		strcpy(paths[i], file_put(name, text, strlen(text)));
	}
	strcpy(paths[3], file_put("key-3", "no share", 8));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct keyholder holder = {
			.share_files = {2, {paths[cases[i].first], paths[cases[i].second]}}};
		assert_int_equal(keyholder_check(&holder), 0);
		if (keyholder_key(&holder, &key) != cases[i].want)
			fail_msg("case %zu", i);
		assert_int_equal(key != NULL, cases[i].want == 0);
		secret_free(key);
		key = NULL;
	}
	const struct keyholder whole = {.root_key = paths[0]}; /* of another size */
	assert_int_equal(keyholder_key(&whole, &key), EX_DATAERR);
	const struct keyholder twice = {.share_files = {2, {"-", "-"}}};
	assert_int_equal(keyholder_check(&twice), EX_USAGE);
	const struct keyholder both = {.root_key = "k", .share_files = {1, {"s"}}};
	assert_int_equal(keyholder_check(&both), EX_USAGE);
	secret_free(one);
	secret_free(other);
}

/* ---- progress ---- */

static void
test_lines_of_progress(void **state)
{
	static const struct {
		uint64_t bytes;
		uint64_t done;
		uint64_t total;
		int64_t elapsed;
		const char *want;
	} cases[] = {
		{0, 0, 100, 0, "work [------------------------]   0%  0/s  ? left"},
		{0, 25, 100, 10000, "work [######------------------]  25%  2/s  0:30 left"},
		{3145728, 50, 100, 2000,
		 "work [############------------]  50%  1.5 MiB/s  0:02 left"},
		{0, 100, 100, 61000, "work [########################] 100%  2/s  0:00 left"},
		{0, 200, 100, 1000, "work [########################] 100%  200/s  0:00 left"},
		{0, 1, 3601, 1000, "work [------------------------]   0%  1/s  1:00:00 left"},
		{0, 1, UINT64_MAX, 1000, "work [------------------------]   0%  1/s  ? left"},
		{0, 42, 0, 2000, "work  42  21/s"},
	};
	char line[PROGRESS_LINE_MAX], size[32];
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct progress progress = {.what = "work", .bytes = cases[i].bytes};
		progress_line(&progress, cases[i].done, cases[i].total, cases[i].elapsed, line);
		if (strcmp(line, cases[i].want) != 0)
			fail_msg("case %zu: '%s'", i, line);
	}
	progress_size_text(0, size);
	assert_string_equal(size, "0 B");
	progress_size_text(1536, size);
	assert_string_equal(size, "1.5 KiB");
	progress_size_text(UINT64_MAX, size);
	assert_string_equal(size, "16777216.0 TiB");
}

/* ---- */

static int
set_up(void **state)
{
	(void)state;
	assert_true(sodium_init() >= 0);
	assert_non_null(mkdtemp(folder));
	(void)snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"conf", "share", "key-0", "key-1", "key-2", "key-3"};
	char path[128];
	(void)state;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		(void)unlink(path);
	}
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whatever_listens),
		cmocka_unit_test(test_answers_cut_and_altered),
		cmocka_unit_test(test_what_answers_come_to),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_a_line_of_the_configuration),
		cmocka_unit_test(test_a_share_that_is_mistyped),
		cmocka_unit_test(test_shares_are_written_all_or_none),
		cmocka_unit_test(test_a_key_of_files),
		cmocka_unit_test(test_lines_of_progress),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
