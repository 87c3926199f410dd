/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, with a hostile sender at the other end: raw datagrams and memfds of every wrong kind. */
#include "wire/frame.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SPILLED	  0x01
#define CARRIES	  0x02

struct ends {
	int channel[2];
	struct frame_buffer buffer;
	size_t open_before;
};

static size_t
open_descriptors(void)
{
	size_t count = 0;
	DIR *folder = opendir("/proc/self/fd");
	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

static int
set_up(void **state)
{
	static struct ends ends;
	ends = (struct ends){.open_before = open_descriptors()};
	assert_int_equal(channel_pair(ends.channel), CHANNEL_OK);
	*state = &ends;
	return 0;
}

/* Whatever came and was refused, nothing is left open. */
static int
tear_down(void **state)
{
	struct ends *ends = *state;
	close(ends->channel[0]);
	close(ends->channel[1]);
	frame_buffer_clear(&ends->buffer);
	assert_null(ends->buffer.memory);
	assert_int_equal(open_descriptors(), ends->open_before);
	return 0;
}

static uint8_t *
pattern(size_t size)
{
	uint8_t *memory = malloc(size > 0 ? size : 1);
	assert_non_null(memory);
	for (size_t i = 0; i < size; i++)
		memory[i] = (uint8_t)(i * 131 + i / 251);
	return memory;
}

static void
test_sizes(void **state)
{
	static const size_t sizes[] = {
		0, 1, FRAME_INLINE_MAX - 1, FRAME_INLINE_MAX, FRAME_INLINE_MAX + 1, FRAME_BODY_MAX,
		5};
	struct ends *ends = *state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint8_t *body = pattern(sizes[i]);
		const struct frame sent = {FRAME_RELEASE, UINT64_MAX - i, {body, sizes[i]}, -1};
		struct frame got;
		assert_int_equal(channel_send(ends->channel[0], &sent), CHANNEL_OK);
		assert_int_equal(channel_receive(ends->channel[1], &ends->buffer, &got),
				 CHANNEL_OK);
		assert_int_equal(got.type, FRAME_RELEASE);
		assert_true(got.id == UINT64_MAX - i);
		assert_int_equal(got.descriptor, -1);
		assert_int_equal(got.body.size, sizes[i]);
		assert_true(bytes_equal(got.body, sent.body));
		free(body);
	}
	/* What the largest took is given back. */
	assert_int_equal(ends->buffer.capacity, FRAME_HEADER_SIZE + FRAME_INLINE_MAX);
}

static void
test_too_large_is_not_sent(void **state)
{
	struct ends *ends = *state;
	uint8_t *body = pattern(FRAME_BODY_MAX + 1);
	const struct frame sent = {FRAME_RELEASE, 1, {body, FRAME_BODY_MAX + 1}, -1};
	assert_int_equal(channel_send(ends->channel[0], &sent), CHANNEL_MALFORMED);
	free(body);
}

/* Beside a body that fits and one that does not, the descriptor is the one that was sent, and
 * closed on exec. */
static void
test_descriptor_travels(void **state)
{
	struct ends *ends = *state;
	for (size_t size = 0; size <= FRAME_INLINE_MAX + 1; size += FRAME_INLINE_MAX + 1) {
		int pipe_ends[2];
		assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
		uint8_t *body = pattern(size);
		const struct frame sent = {FRAME_CONNECTION, 1, {body, size}, pipe_ends[1]};
		struct frame got;
		assert_int_equal(channel_send(ends->channel[0], &sent), CHANNEL_OK);
		assert_int_equal(channel_receive(ends->channel[1], &ends->buffer, &got),
				 CHANNEL_OK);
		assert_true(got.descriptor >= 0);
		assert_int_equal(fcntl(got.descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		assert_true(bytes_equal(got.body, sent.body));
		assert_int_equal(write(got.descriptor, "x", 1), 1);
		char byte = 0;
		assert_int_equal(read(pipe_ends[0], &byte, 1), 1);
		assert_int_equal(byte, 'x');
		close(got.descriptor);
		close(pipe_ends[0]);
		close(pipe_ends[1]);
		free(body);
	}
}

static void
test_closed(void **state)
{
	struct ends *ends = *state;
	struct frame got;
	const struct frame sent = {FRAME_READY, 1, {NULL, 0}, -1};
	shutdown(ends->channel[0], SHUT_RDWR);
	assert_int_equal(channel_receive(ends->channel[1], &ends->buffer, &got), CHANNEL_CLOSED);
	assert_int_equal(channel_send(ends->channel[1], &sent), CHANNEL_CLOSED);
}

/* ---- a hostile sender ---- */

static void
send_raw(int channel, const uint8_t *datagram, size_t size, const int *descriptors, size_t count)
{
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(sizeof(int) * 16)];
	} control = {.bytes = {0}};
	uint8_t *copy = malloc(size > 0 ? size : 1);
	memcpy(copy, datagram, size);
	struct iovec piece = {copy, size};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
	if (count > 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(rights), descriptors, sizeof(int) * count);
	}
	assert_int_equal(sendmsg(channel, &message, MSG_NOSIGNAL), (ssize_t)size);
	free(copy);
}

static enum channel_status
receive_after(struct ends *ends, const uint8_t *datagram, size_t size, const int *descriptors,
	      size_t count)
{
	struct frame got = {.descriptor = -1};
	send_raw(ends->channel[0], datagram, size, descriptors, count);
	enum channel_status status = channel_receive(ends->channel[1], &ends->buffer, &got);
	if (status == CHANNEL_OK && got.descriptor >= 0)
		close(got.descriptor);
	return status;
}

/* Version, flags, type, id. */
#define HEADER(version, flags)                                                                     \
	{                                                                                          \
		version, flags, 0, FRAME_RELEASE, 0, 0, 0, 0, 0, 0, 0, 1                           \
	}

static void
test_headers(void **state)
{
	struct ends *ends = *state;
	for (unsigned version = 0; version < 256; version++) {
		const uint8_t header[] = HEADER((uint8_t)version, 0);
		assert_int_equal(receive_after(ends, header, sizeof(header), NULL, 0),
				 version == 1 ? CHANNEL_OK : CHANNEL_MALFORMED);
	}
	/* Each flag promises a descriptor; none came. */
	for (unsigned flags = 1; flags < 256; flags++) {
		const uint8_t header[] = HEADER(1, (uint8_t)flags);
		assert_int_equal(receive_after(ends, header, sizeof(header), NULL, 0),
				 CHANNEL_MALFORMED);
	}
	const uint8_t header[] = HEADER(1, 0);
	for (size_t size = 1; size < sizeof(header); size++)
		assert_int_equal(receive_after(ends, header, size, NULL, 0), CHANNEL_MALFORMED);
}

static void
test_unexpected_descriptors(void **state)
{
	static const struct {
		uint8_t flags;
		size_t count;
	} table[] = {{0, 1}, {0, 2},  {CARRIES, 2},  {CARRIES, 3}, {0, 8},
		     {0, 9}, {0, 16}, {CARRIES, 16}, {0x04, 1}};
	struct ends *ends = *state;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int many[16];
	for (size_t i = 0; i < 16; i++)
		many[i] = null;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const uint8_t header[] = HEADER(1, table[i].flags);
		if (receive_after(ends, header, sizeof(header), many, table[i].count) !=
		    CHANNEL_MALFORMED)
			fail_msg("flags %u with %zu descriptors", table[i].flags, table[i].count);
	}
	close(null);
}

static void
test_datagram_too_large(void **state)
{
	struct ends *ends = *state;
	uint8_t *datagram = pattern(FRAME_HEADER_SIZE + FRAME_INLINE_MAX + 1);
	const uint8_t header[] = HEADER(1, 0);
	memcpy(datagram, header, sizeof(header));
	assert_int_equal(
		receive_after(ends, datagram, FRAME_HEADER_SIZE + FRAME_INLINE_MAX + 1, NULL, 0),
		CHANNEL_MALFORMED);
	assert_int_equal(
		receive_after(ends, datagram, FRAME_HEADER_SIZE + FRAME_INLINE_MAX, NULL, 0),
		CHANNEL_OK);
	free(datagram);
}

static int
memory_of(off_t size, int seals)
{
	int memory = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(memory >= 0);
	assert_int_equal(ftruncate(memory, size), 0);
	assert_int_equal(fcntl(memory, F_ADD_SEALS, seals), 0);
	return memory;
}

static void
test_spilled_memory(void **state)
{
	static const struct {
		const char *defect;
		off_t size;
		int seals;
		enum channel_status want;
	} table[] = {
		{"none", FRAME_INLINE_MAX + 1, ALL_SEALS, CHANNEL_OK},
		{"none, the largest", FRAME_BODY_MAX, ALL_SEALS, CHANNEL_OK},
		{"one byte too large", FRAME_BODY_MAX + 1, ALL_SEALS, CHANNEL_MALFORMED},
		{"huge", (off_t)1 << 40, ALL_SEALS, CHANNEL_MALFORMED},
		{"would have fitted", FRAME_INLINE_MAX, ALL_SEALS, CHANNEL_MALFORMED},
		{"empty", 0, ALL_SEALS, CHANNEL_MALFORMED},
		{"not sealed", FRAME_INLINE_MAX + 1, 0, CHANNEL_MALFORMED},
		{"can be written", FRAME_INLINE_MAX + 1, ALL_SEALS & ~F_SEAL_WRITE,
		 CHANNEL_MALFORMED},
		{"can shrink", FRAME_INLINE_MAX + 1, ALL_SEALS & ~F_SEAL_SHRINK, CHANNEL_MALFORMED},
		{"can grow", FRAME_INLINE_MAX + 1, ALL_SEALS & ~F_SEAL_GROW, CHANNEL_MALFORMED},
		{"seals are not sealed", FRAME_INLINE_MAX + 1, ALL_SEALS & ~F_SEAL_SEAL,
		 CHANNEL_MALFORMED},
	};
	struct ends *ends = *state;
	const uint8_t header[] = HEADER(1, SPILLED);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int memory = memory_of(table[i].size, table[i].seals);
		enum channel_status got = receive_after(ends, header, sizeof(header), &memory, 1);
		close(memory);
		if (got != table[i].want)
			fail_msg("%s: %d", table[i].defect, (int)got);
	}
}

static void
test_spilled_otherwise(void **state)
{
	struct ends *ends = *state;
	const uint8_t header[] = HEADER(1, SPILLED);
	const uint8_t with_body[] = {1, SPILLED, 0, FRAME_RELEASE, 0, 0, 0, 0, 0, 0, 0, 1, 'x'};
	int memory = memory_of(FRAME_INLINE_MAX + 1, ALL_SEALS);
	/* A body in two places; and things that are not a memfd. */
	assert_int_equal(receive_after(ends, with_body, sizeof(with_body), &memory, 1),
			 CHANNEL_MALFORMED);
	int null = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_int_equal(receive_after(ends, header, sizeof(header), &null, 1), CHANNEL_MALFORMED);
	assert_int_equal(receive_after(ends, header, sizeof(header), &ends->channel[0], 1),
			 CHANNEL_MALFORMED);
	close(null);
	close(memory);
}

static void
test_other_control_messages(void **state)
{
	struct ends *ends = *state;
	int on = 1;
	/* Credentials come with every datagram once somebody has asked for them. */
	assert_int_equal(setsockopt(ends->channel[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	const uint8_t header[] = HEADER(1, 0);
	assert_int_equal(receive_after(ends, header, sizeof(header), NULL, 0), CHANNEL_MALFORMED);
}

#define WITH_ENDS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_ENDS(test_sizes),
		WITH_ENDS(test_too_large_is_not_sent),
		WITH_ENDS(test_descriptor_travels),
		WITH_ENDS(test_closed),
		WITH_ENDS(test_headers),
		WITH_ENDS(test_unexpected_descriptors),
		WITH_ENDS(test_datagram_too_large),
		WITH_ENDS(test_spilled_memory),
		WITH_ENDS(test_spilled_otherwise),
		WITH_ENDS(test_other_control_messages),
	};
	return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
