/* SPDX-License-Identifier: Apache-2.0 */
#include "frame.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FRAME_VERSION	 1
#define FRAME_SPILLED	 0x01 /* the body is in a sealed memfd, the first descriptor */
#define FRAME_DESCRIPTOR 0x02 /* a descriptor for the receiver, the last one */
#define FRAME_FLAGS	 (FRAME_SPILLED | FRAME_DESCRIPTOR)

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define DESCRIPTORS_MAX 2
/* Room for more than may come, so that what a hostile sender adds is received and closed here. */
#define DESCRIPTORS_ROOM 8
#define DATAGRAM_MAX	 (FRAME_HEADER_SIZE + FRAME_INLINE_MAX)
#define SEALS		 (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
/* What the kernel is asked to queue each way; it grants what net.core allows. */
#define QUEUE_SIZE (1024 * 1024)

static void
descriptor_close_at(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
}
#define auto_descriptor __attribute__((cleanup(descriptor_close_at))) int

/* ---- the buffer ---- */

/* Between guard pages. sodium_malloc asks for both and drops the answers: ask again and look. NULL
 * where memory cannot be locked. */
static uint8_t *
locked_memory(size_t size)
{
	uint8_t *memory = sodium_init() >= 0 ? sodium_malloc(size) : NULL;
	if (memory == NULL)
		return NULL;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uint8_t *from = memory - (uintptr_t)memory % page;
	size_t whole = (size_t)(memory + size - from);
	if (mlock(from, whole) == 0 && madvise(from, whole, MADV_DONTDUMP) == 0)
		return memory;
	sodium_free(memory);
	return NULL;
}

void
frame_buffer_clear(struct frame_buffer *buffer)
{
	if (buffer->locked) {
		sodium_free(buffer->memory); /* wipes; NULL is fine */
	} else {
		if (buffer->memory != NULL)
			sodium_memzero(buffer->memory, buffer->capacity);
		free(buffer->memory);
	}
	*buffer = (struct frame_buffer){.locked = buffer->locked};
}

/* What the buffer held is gone afterwards: a frame is received whole into one place. */
static bool
buffer_reserve(struct frame_buffer *buffer, size_t size)
{
	if (buffer->capacity >= size)
		return true;
	frame_buffer_clear(buffer);
	buffer->memory = buffer->locked ? locked_memory(size) : malloc(size);
	if (buffer->memory == NULL)
		return false;
	buffer->capacity = size;
	return true;
}

/* ---- sending ---- */

enum channel_status
channel_pair(int ret_ends[2])
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return CHANNEL_IO;
	int size = QUEUE_SIZE;
	for (int i = 0; i < 2; i++) {
		/* Best effort: the default holds one datagram of the largest size. */
		(void)setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		(void)setsockopt(ends[i], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		ret_ends[i] = ends[i];
	}
	return CHANNEL_OK;
}

static bool
write_whole(int descriptor, struct bytes body)
{
	size_t done = 0;
	while (done < body.size) {
		ssize_t n = pwrite(descriptor, body.data + done, body.size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Some hosts allow none but such as can never be executed (vm.memfd_noexec); kernels before 6.3 do
 * not know the flag. */
static int
make_memory(void)
{
	int memory =
		memfd_create("postern-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (memory < 0 && errno == EINVAL)
		memory = memfd_create("postern-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return memory;
}

/* A memfd that nobody can change any more; -1 on failure. */
static int
spill(struct bytes body)
{
	auto_descriptor memory = make_memory();
	if (memory < 0 || !write_whole(memory, body) || fcntl(memory, F_ADD_SEALS, SEALS) < 0)
		return -1;
	int sealed = memory;
	memory = -1;
	return sealed;
}

static enum channel_status
status_of_errno(void)
{
	switch (errno) {
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return CHANNEL_CLOSED;
	default:
		return CHANNEL_IO;
	}
}

static enum channel_status
send_datagram(int channel, struct bytes header, struct bytes body, const int *descriptors,
	      size_t descriptor_count)
{
	/* sendmsg only reads what it is given; struct iovec has no const. */
	union {
		const uint8_t *read;
		void *written;
	} parts[2] = {{.read = header.data}, {.read = body.data}};
	struct iovec pieces[2] = {
		{.iov_base = parts[0].written, .iov_len = header.size},
		{.iov_base = parts[1].written, .iov_len = body.size},
	};
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
	} control = {.bytes = {0}};
	struct msghdr message = {.msg_iov = pieces, .msg_iovlen = body.size > 0 ? 2 : 1};

	if (descriptor_count > 0) {
		size_t size = sizeof(int) * descriptor_count;
		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(size);
		struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(rights), descriptors, size);
	}
	ssize_t sent;
	do
		sent = sendmsg(channel, &message, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return status_of_errno();
	return (size_t)sent == header.size + body.size ? CHANNEL_OK : CHANNEL_IO;
}

enum channel_status
channel_send(int channel, const struct frame *frame)
{
	if (frame->body.size > FRAME_BODY_MAX)
		return CHANNEL_MALFORMED;
	bool spilled = frame->body.size > FRAME_INLINE_MAX;
	auto_descriptor memory = -1;
	int descriptors[DESCRIPTORS_MAX];
	size_t count = 0;
	uint8_t flags = 0;
	if (spilled) {
		memory = spill(frame->body);
		if (memory < 0)
			return CHANNEL_IO;
		flags |= FRAME_SPILLED;
		descriptors[count++] = memory;
	}
	if (frame->descriptor >= 0) {
		flags |= FRAME_DESCRIPTOR;
		descriptors[count++] = frame->descriptor;
	}
	uint8_t header[FRAME_HEADER_SIZE];
	struct writer w = writer_of(header, sizeof(header));
	write_u8(&w, FRAME_VERSION);
	write_u8(&w, flags);
	write_be16(&w, frame->type);
	write_be64(&w, frame->id);
	struct bytes body = spilled ? (struct bytes){0} : frame->body;
	return send_datagram(channel, writer_bytes(&w), body, descriptors, count);
}

/* ---- receiving ---- */

struct descriptors {
	size_t count;
	int list[DESCRIPTORS_ROOM];
};

static void
descriptors_close(struct descriptors *descriptors)
{
	for (size_t i = 0; i < descriptors->count; i++)
		close(descriptors->list[i]);
	descriptors->count = 0;
}
#define auto_descriptors __attribute__((cleanup(descriptors_close))) struct descriptors

/* Takes every descriptor that came, so that none is left open; false when anything else came too.
 * */
static bool
collect_descriptors(struct msghdr *message, struct descriptors *ret_descriptors)
{
	bool clean = true;
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
	     part = CMSG_NXTHDR(message, part)) {
		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
			clean = false;
			continue;
		}
		size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int descriptor;
			memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
			if (ret_descriptors->count < DESCRIPTORS_ROOM) {
				ret_descriptors->list[ret_descriptors->count++] = descriptor;
			} else {
				close(descriptor);
				clean = false;
			}
		}
	}
	return clean;
}

static enum channel_status
receive_datagram(int channel, struct frame_buffer *buffer, struct descriptors *ret_descriptors,
		 struct bytes *ret_datagram)
{
	union {
		struct cmsghdr aligned;
		char bytes[CMSG_SPACE(sizeof(int) * DESCRIPTORS_ROOM)];
	} control = {.bytes = {0}};
	struct iovec piece = {.iov_base = buffer->memory, .iov_len = DATAGRAM_MAX};
	struct msghdr message = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;
	do
		n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return status_of_errno();
	bool clean = collect_descriptors(&message, ret_descriptors);
	if (!clean || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return CHANNEL_MALFORMED;
	/* An empty datagram looks the same as the end. Neither is a frame. */
	if (n == 0)
		return CHANNEL_CLOSED;
	*ret_datagram = (struct bytes){buffer->memory, (size_t)n};
	return CHANNEL_OK;
}

/* Copied out and never mapped: a mapping could be pulled away under the reader if a seal were
 * missing. */
static enum channel_status
read_spilled(int memory, struct frame_buffer *buffer, struct bytes *ret_body)
{
	int seals = fcntl(memory, F_GET_SEALS);
	struct stat info;
	if (seals < 0 || (seals & SEALS) != SEALS || fstat(memory, &info) < 0)
		return CHANNEL_MALFORMED;
	if (info.st_size <= FRAME_INLINE_MAX || info.st_size > FRAME_BODY_MAX)
		return CHANNEL_MALFORMED;
	size_t size = (size_t)info.st_size;
	if (!buffer_reserve(buffer, size))
		return CHANNEL_IO;
	size_t done = 0;
	while (done < size) {
		ssize_t n = pread(memory, buffer->memory + done, size - done, (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? CHANNEL_MALFORMED : CHANNEL_IO;
		done += (size_t)n;
	}
	*ret_body = (struct bytes){buffer->memory, size};
	return CHANNEL_OK;
}

static bool
read_header(struct bytes datagram, uint8_t *ret_flags, struct frame *ret_frame)
{
	struct reader r = reader_of(datagram);
	if (read_u8(&r) != FRAME_VERSION)
		return false;
	*ret_flags = read_u8(&r);
	ret_frame->type = read_be16(&r);
	ret_frame->id = read_be64(&r);
	ret_frame->body = read_bytes(&r, r.left);
	ret_frame->descriptor = -1;
	return reader_finished(&r) && (*ret_flags & ~FRAME_FLAGS) == 0;
}

enum channel_status
channel_receive(int channel, struct frame_buffer *buffer, struct frame *ret_frame)
{
	/* Threads mostly wait here: not each with the memory of the largest frame it has seen. */
	if (buffer->capacity > DATAGRAM_MAX)
		frame_buffer_clear(buffer);
	if (!buffer_reserve(buffer, DATAGRAM_MAX))
		return CHANNEL_IO;
	if (buffer->locked)
		sodium_memzero(buffer->memory, buffer->capacity);
	auto_descriptors descriptors = {0};
	struct bytes datagram = {0};
	enum channel_status status = receive_datagram(channel, buffer, &descriptors, &datagram);
	if (status != CHANNEL_OK)
		return status;

	struct frame frame;
	uint8_t flags = 0;
	if (!read_header(datagram, &flags, &frame))
		return CHANNEL_MALFORMED;
	bool spilled = (flags & FRAME_SPILLED) != 0;
	bool carries = (flags & FRAME_DESCRIPTOR) != 0;
	if (descriptors.count != (size_t)spilled + (size_t)carries)
		return CHANNEL_MALFORMED;
	if (spilled && (frame.body.size != 0 || buffer->locked))
		return CHANNEL_MALFORMED;
	if (spilled) {
		status = read_spilled(descriptors.list[0], buffer, &frame.body);
		if (status != CHANNEL_OK)
			return status;
	}
	if (carries)
		frame.descriptor = descriptors.list[--descriptors.count];
	*ret_frame = frame;
	return CHANNEL_OK;
}
