/* SPDX-License-Identifier: Apache-2.0 */
/*
 * take() and write_bytes() are the only places of the verifier, and of the broker's frames, that
 * compute with addresses of outside bytes. A failure empties the reader, so that no later read can
 * succeed.
 */
#include "bytes.h"

#include <string.h>

bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

struct reader
reader_of(struct bytes input)
{
	return (struct reader){.next = input.data, .left = input.size};
}

void
reader_fail(struct reader *r)
{
	r->failed = true;
	r->left = 0;
}

/* The only place that moves over input. NULL when fewer than `size` bytes are left. */
static const uint8_t *
take(struct reader *r, size_t size)
{
	if (r->failed || size > r->left) {
		reader_fail(r);
		return NULL;
	}
	const uint8_t *taken = r->next;
	/* An empty input may have no address at all, and NULL + 0 is not C. */
	if (size > 0)
		r->next += size;
	r->left -= size;
	return taken;
}

uint8_t
read_u8(struct reader *r)
{
	const uint8_t *p = take(r, 1);
	return p == NULL ? 0 : p[0];
}

uint16_t
read_be16(struct reader *r)
{
	const uint8_t *p = take(r, 2);
	if (p == NULL)
		return 0;
	return (uint16_t)((uint16_t)(p[0] << 8) | p[1]);
}

uint32_t
read_be32(struct reader *r)
{
	const uint8_t *p = take(r, 4);
	if (p == NULL)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t
read_be64(struct reader *r)
{
	uint64_t high = read_be32(r);
	uint64_t low = read_be32(r);
	return r->failed ? 0 : high << 32 | low;
}

uint16_t
read_le16(struct reader *r)
{
	const uint8_t *p = take(r, 2);
	if (p == NULL)
		return 0;
	return (uint16_t)((uint16_t)(p[1] << 8) | p[0]);
}

uint32_t
read_le32(struct reader *r)
{
	const uint8_t *p = take(r, 4);
	if (p == NULL)
		return 0;
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

uint64_t
read_le64(struct reader *r)
{
	uint64_t low = read_le32(r);
	uint64_t high = read_le32(r);
	return r->failed ? 0 : high << 32 | low;
}

struct bytes
read_bytes(struct reader *r, size_t size)
{
	const uint8_t *p = take(r, size);
	return p == NULL ? (struct bytes){0} : (struct bytes){p, size};
}

struct bytes
read_bytes_be16(struct reader *r)
{
	return read_bytes(r, read_be16(r));
}

struct bytes
read_lp(struct reader *r, size_t max)
{
	size_t size = read_be32(r);
	if (size > max)
		reader_fail(r);
	return read_bytes(r, size);
}

void
read_copy(struct reader *r, uint8_t *ret, size_t size)
{
	const uint8_t *p = take(r, size);
	if (size == 0)
		return;
	if (p == NULL)
		memset(ret, 0, size);
	else
		memcpy(ret, p, size);
}

uint32_t
read_count(struct reader *r, uint32_t value, uint32_t max)
{
	if (value > max)
		reader_fail(r);
	return r->failed ? 0 : value;
}

bool
reader_finished(const struct reader *r)
{
	return !r->failed && r->left == 0;
}

struct writer
writer_of(void *memory, size_t capacity)
{
	return (struct writer){.start = memory, .capacity = capacity};
}

void
write_bytes(struct writer *w, struct bytes value)
{
	if (w->failed || value.size > w->capacity - w->size) {
		w->failed = true;
		return;
	}
	if (value.size > 0)
		memcpy(w->start + w->size, value.data, value.size);
	w->size += value.size;
}

void
write_u8(struct writer *w, uint8_t value)
{
	write_bytes(w, (struct bytes){&value, 1});
}

void
write_be16(struct writer *w, uint16_t value)
{
	uint8_t be[2] = {(uint8_t)(value >> 8), (uint8_t)value};
	write_bytes(w, BYTES_OF(be));
}

void
write_be32(struct writer *w, uint32_t value)
{
	uint8_t be[4];
	for (unsigned i = 0; i < sizeof(be); i++)
		be[i] = (uint8_t)(value >> (24 - 8 * i));
	write_bytes(w, BYTES_OF(be));
}

void
write_be64(struct writer *w, uint64_t value)
{
	uint8_t be[8];
	for (unsigned i = 0; i < sizeof(be); i++)
		be[i] = (uint8_t)(value >> (56 - 8 * i));
	write_bytes(w, BYTES_OF(be));
}

void
write_bytes_be16(struct writer *w, struct bytes value)
{
	/* Checked whole first: a size without its bytes must not stay behind. */
	if (value.size > UINT16_MAX || w->capacity - w->size < 2 + value.size)
		w->failed = true;
	write_be16(w, (uint16_t)value.size);
	write_bytes(w, value);
}

void
write_lp(struct writer *w, struct bytes value)
{
	if (value.size > UINT32_MAX - 4 || w->capacity - w->size < 4 + value.size)
		w->failed = true;
	write_be32(w, (uint32_t)value.size);
	write_bytes(w, value);
}

void
write_lp_text(struct writer *w, const char *text)
{
	write_lp(w, (struct bytes){(const uint8_t *)text, strlen(text)});
}

struct bytes
writer_bytes(const struct writer *w)
{
	return (struct bytes){w->start, w->size};
}
