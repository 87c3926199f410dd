/* SPDX-License-Identifier: Apache-2.0 */
/* A socket at a path: what may be replaced and what not, who may connect, and who did. */
#include "wire/frame.h"
#include "wire/local.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64];
static char path[128];
static char problem[LOCAL_PROBLEM_SIZE];

static int
set_up(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/postern-local-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/control", folder);
	problem[0] = '\0';
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)chmod(folder, 0700);
	(void)unlink(path);
	return rmdir(folder);
}

static int
listening(void)
{
	int listener = local_listen(path, problem);
	if (listener < 0)
		fail_msg("%s", problem);
	return listener;
}

static void
expect_refusal(const char *where, const char *why)
{
	problem[0] = '\0';
	assert_int_equal(local_listen(where, problem), -1);
	if (strstr(problem, why) == NULL)
		fail_msg("said '%s', not '%s'", problem, why);
}

static void
test_connects(void **state)
{
	static const uint8_t body[] = "body";
	const struct frame sent = {FRAME_CONTROL_STATUS, 7, BYTES_OF(body), -1};
	struct frame_buffer buffer = {.locked = true};
	struct frame received;
	struct stat info;
	uid_t uid = 77;
	(void)state;
	mode_t mask = umask(0);
	int listener = listening();
	umask(mask);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode, S_IFSOCK | 0600);
	int near = local_connect(path);
	int far = local_accept(listener, &uid);
	assert_true(near >= 0 && far >= 0);
	assert_int_equal(uid, geteuid());
	uid = 77;
	assert_true(local_peer(near, &uid));
	assert_int_equal(uid, geteuid());
	assert_int_equal(fcntl(listener, F_GETFD) & fcntl(near, F_GETFD) & fcntl(far, F_GETFD),
			 FD_CLOEXEC);
	assert_int_equal(channel_send(near, &sent), CHANNEL_OK);
	assert_int_equal(channel_receive(far, &buffer, &received), CHANNEL_OK);
	assert_true(bytes_equal(received.body, BYTES_OF(body)));
	close(near);
	assert_int_equal(channel_receive(far, &buffer, &received), CHANNEL_CLOSED);
	frame_buffer_clear(&buffer);
	close(far);
	close(listener);
}

/* A broker that ended in whatever way leaves its socket: the next one takes its place, and a live
 * one keeps it. */
static void
test_replaces_the_dead_alone(void **state)
{
	(void)state;
	int first = listening();
	expect_refusal(path, "another process listens there");
	int connection = local_connect(path);
	assert_true(connection >= 0);
	close(connection);
	close(first);
	assert_int_equal(local_connect(path), -1);
	assert_int_equal(errno, ECONNREFUSED);
	int second = listening();
	connection = local_connect(path);
	assert_true(connection >= 0);
	close(connection);
	close(second);
}

/* Also when it is too busy to take a connection, or talks in another way. */
static void
test_leaves_the_living(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)state;
	memcpy(address.sun_path, path, strlen(path));
	int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(other, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(other, 1), 0);
	expect_refusal(path, "another process listens there");
	close(other);
	assert_int_equal(unlink(path), 0);
}

static void
test_leaves_other_things(void **state)
{
	static const char *const kinds[] = {"file", "folder", "link to nothing", "link"};
	struct stat info;
	(void)state;
	for (size_t i = 0; i < 4; i++) {
		if (i == 0)
			close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
		else if (i == 1)
			assert_int_equal(mkdir(path, 0700), 0);
		else
			assert_int_equal(symlink(i == 2 ? "/nowhere/at/all" : "/dev/null", path),
					 0);
		expect_refusal(path, "no socket");
		if (lstat(path, &info) != 0)
			fail_msg("%s is gone", kinds[i]);
		assert_int_equal(remove(path), 0);
	}
}

static void
test_paths(void **state)
{
	char longest[LOCAL_PATH_MAX + 2];
	char inside[128];
	(void)state;
	snprintf(inside, sizeof(inside), "%s/none/control", folder);
	expect_refusal("", "whole path");
	expect_refusal("control", "whole path");
	expect_refusal("./control", "whole path");
	expect_refusal("/", "whole path");
	expect_refusal("/tmp/", "whole path");
	expect_refusal(inside, "make it first");
	expect_refusal("/proc/version/control", "Not a directory");

	/* As long as may be, and one more: "/./" leads to the same place. */
	size_t used = (size_t)snprintf(longest, sizeof(longest), "%s", folder);
	while (used < LOCAL_PATH_MAX - 8)
		used += (size_t)snprintf(longest + used, sizeof(longest) - used, "/.");
	snprintf(longest + used, sizeof(longest) - used, "/%.*s", (int)(LOCAL_PATH_MAX - used - 1),
		 "0123456789");
	assert_int_equal(strlen(longest), LOCAL_PATH_MAX);
	int listener = local_listen(longest, problem);
	assert_true(listener >= 0);
	int connection = local_connect(longest);
	assert_true(connection >= 0);
	close(connection);
	close(listener);
	assert_int_equal(unlink(longest), 0);
	strcat(longest, "x");
	expect_refusal(longest, "longer than the 107 bytes");
	assert_int_equal(local_connect(longest), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(local_connect(""), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

/* Who can write to the folder can put a socket of theirs there, and be handed shares. */
static void
test_folders(void **state)
{
	static const mode_t open_modes[] = {0770, 0707, 0777, 01777, 0720};
	static const mode_t closed_modes[] = {0700, 0755, 0711};
	(void)state;
	for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
		assert_int_equal(chmod(folder, open_modes[i]), 0);
		expect_refusal(path, "others than its owner can write there");
		assert_false(local_check(path, problem));
		assert_int_equal(access(path, F_OK), -1);
	}
	for (size_t i = 0; i < sizeof(closed_modes) / sizeof(closed_modes[0]); i++) {
		assert_int_equal(chmod(folder, closed_modes[i]), 0);
		assert_true(local_check(path, problem));
		assert_int_equal(access(path, F_OK), -1);
	}
	if (geteuid() != 0) /* who is not root does not trust another user's folder */
		return;
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(chown(folder, 1234, 1234), 0);
	assert_true(local_check(path, problem));
	pid_t child = fork();
	if (child == 0) {
		if (setresuid(4321, 4321, 4321) != 0)
			_exit(2);
		_exit(local_check(path, problem) ||
		      strstr(problem, "belongs to another user") == NULL);
	}
	int status = 1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Others cannot connect, and the kernel says who did. */
static void
test_users(void **state)
{
	uid_t uid = 0;
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(folder, 0755), 0);
	int listener = listening();
	pid_t child = fork();
	if (child == 0) {
		if (setresuid(4321, 4321, 4321) != 0)
			_exit(2);
		_exit(local_connect(path) >= 0 || errno != EACCES);
	}
	int status = 1;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(chmod(path, 0666), 0);
	child = fork();
	if (child == 0) {
		if (setresuid(4321, 4321, 4321) != 0)
			_exit(2);
		int connection = local_connect(path);
		char answer;
		_exit(connection < 0 || recv(connection, &answer, 1, 0) != 0);
	}
	int connection = local_accept(listener, &uid);
	assert_true(connection >= 0);
	assert_int_equal(uid, 4321);
	close(connection);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(listener);
}

/* Of many that start at once, one listens. */
static void
test_one_of_many(void **state)
{
	enum { COUNT = 16 };
	int gate[2];
	int held[2];
	int winners = 0;
	(void)state;
	int first = listening();
	close(first); /* stale */
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	assert_int_equal(pipe2(held, O_CLOEXEC), 0);
	for (int i = 0; i < COUNT; i++) {
		if (fork() != 0)
			continue;
		char byte;
		close(gate[1]);
		close(held[1]);
		(void)!read(gate[0], &byte, 1);
		int listener = local_listen(path, problem);
		uint8_t won = listener >= 0;
		/* It listens until all have tried. */
		if (won)
			(void)!read(held[0], &byte, 1);
		_exit(won);
	}
	close(gate[1]);
	close(gate[0]);
	for (int i = 0; i < COUNT - 1; i++) {
		int status = 0;
		assert_true(wait(&status) > 0);
		winners += WEXITSTATUS(status);
	}
	assert_int_equal(winners, 0); /* the one that is left */
	close(held[1]);
	int status = 0;
	assert_true(wait(&status) > 0);
	assert_int_equal(WEXITSTATUS(status), 1);
	close(held[0]);
}

/* ---- buffers for frames with keys ---- */

static void
test_locked_buffers(void **state)
{
	static uint8_t large[FRAME_INLINE_MAX + 1];
	static const uint8_t key[64] = "a key that must not stay here";
	struct frame_buffer buffer = {.locked = true};
	struct frame received;
	int ends[2];
	(void)state;
	assert_int_equal(channel_pair(ends), CHANNEL_OK);
	struct frame frame = {FRAME_CONTROL_KEY, 1, BYTES_OF(key), -1};
	assert_int_equal(channel_send(ends[0], &frame), CHANNEL_OK);
	assert_int_equal(channel_receive(ends[1], &buffer, &received), CHANNEL_OK);
	assert_memory_equal(received.body.data, key, sizeof(key));
	const uint8_t *where = received.body.data;

	/* Wiped before the next frame, which is shorter. */
	frame.body.size = 1;
	assert_int_equal(channel_send(ends[0], &frame), CHANNEL_OK);
	assert_int_equal(channel_receive(ends[1], &buffer, &received), CHANNEL_OK);
	assert_ptr_equal(received.body.data, where);
	for (size_t i = 1; i < sizeof(key); i++)
		assert_int_equal(where[i], 0);

	frame.body = (struct bytes){large, FRAME_INLINE_MAX};
	assert_int_equal(channel_send(ends[0], &frame), CHANNEL_OK);
	assert_int_equal(channel_receive(ends[1], &buffer, &received), CHANNEL_OK);
	assert_int_equal(received.body.size, FRAME_INLINE_MAX);
	frame.body.size++;
	assert_int_equal(channel_send(ends[0], &frame), CHANNEL_OK);
	assert_int_equal(channel_receive(ends[1], &buffer, &received), CHANNEL_MALFORMED);
	frame_buffer_clear(&buffer);
	assert_true(buffer.locked);
	assert_null(buffer.memory);
	frame_buffer_clear(&buffer);
	close(ends[0]);
	close(ends[1]);
}

/* The kernel's own word: "VmFlags" has lo (locked) and dd (not dumped). */
static bool
memory_is_locked(const void *address)
{
	char line[512];
	bool inside = false;
	bool locked = false;
	FILE *file = fopen("/proc/self/smaps", "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		unsigned long from, to;
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (unsigned long)address >= from && (unsigned long)address < to;
		else if (inside && strncmp(line, "VmFlags:", 8) == 0)
			locked = strstr(line, " lo") != NULL && strstr(line, " dd") != NULL;
	}
	(void)fclose(file);
	return locked;
}

static void
test_locked_buffers_are_locked(void **state)
{
	struct frame_buffer buffers[2] = {{.locked = true}, {.locked = false}};
	struct frame received;
	int ends[2];
	(void)state;
#ifdef POSTERN_SANITIZED
	skip(); /* the sanitizers' mlock does nothing */
#endif
	assert_int_equal(channel_pair(ends), CHANNEL_OK);
	const struct frame frame = {FRAME_CONTROL_KEY, 1, {NULL, 0}, -1};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(channel_send(ends[0], &frame), CHANNEL_OK);
		assert_int_equal(channel_receive(ends[1], &buffers[i], &received), CHANNEL_OK);
		assert_int_equal(memory_is_locked(buffers[i].memory), buffers[i].locked);
		assert_int_equal(memory_is_locked(buffers[i].memory + FRAME_INLINE_MAX),
				 buffers[i].locked);
		frame_buffer_clear(&buffers[i]);
	}
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_connects, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_replaces_the_dead_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leaves_the_living, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_leaves_other_things, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_folders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_users, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_of_many, set_up, tear_down),
		cmocka_unit_test(test_locked_buffers),
		cmocka_unit_test(test_locked_buffers_are_locked),
	};
	return cmocka_run_group_tests_name("local sockets", tests, NULL, NULL);
}
