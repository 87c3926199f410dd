/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one reader and the one writer of outside bytes: Evidence, certificates' wrappers, and the broker's own
 * frames all go through these. Both fail stickily: a decoder reads all its fields and asks once.
 * Integers are big-endian. A header of its own because the broker's frames need it and nothing else of attest.h.
 */
#ifndef POSTERN_ATTEST_BYTES_H
#define POSTERN_ATTEST_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that somebody else owns. */
struct bytes {
	const uint8_t *data;
	size_t size;
};

#define BYTES_OF(array) ((struct bytes){(array), sizeof(array)})

bool bytes_equal(struct bytes a, struct bytes b); /* not constant time: for public values */

struct reader {
	const uint8_t *next;
	size_t left;
	bool failed;
};

struct reader reader_of(struct bytes input);
/* After a failure every read gives zero or empty bytes. */
uint8_t read_u8(struct reader *r);
uint16_t read_be16(struct reader *r);
uint32_t read_be32(struct reader *r);
uint64_t read_be64(struct reader *r);
uint16_t read_le16(struct reader *r); /* event logs are little-endian */
uint32_t read_le32(struct reader *r);
uint64_t read_le64(struct reader *r);
struct bytes read_bytes(struct reader *r, size_t size);
struct bytes read_bytes_be16(struct reader *r);		      /* TPM2B: 2-byte size, then that many */
struct bytes read_lp(struct reader *r, size_t max);	      /* lp(x): 4-byte size <= max, then that many */
void read_copy(struct reader *r, uint8_t *ret, size_t size); /* exactly `size` bytes, or zeros and failure */
uint32_t read_count(struct reader *r, uint32_t value, uint32_t max); /* value; fails and gives 0 above max */
void reader_fail(struct reader *r);
/* Everything was there, and nothing is left over. */
bool reader_finished(const struct reader *r);

/* Writes into memory that the caller owns; a write that does not fit fails stickily and writes nothing more. */
struct writer {
	uint8_t *start;
	size_t size; /* written so far */
	size_t capacity;
	bool failed;
};

struct writer writer_of(void *memory, size_t capacity);
void write_u8(struct writer *w, uint8_t value);
void write_be16(struct writer *w, uint16_t value);
void write_be32(struct writer *w, uint32_t value);
void write_be64(struct writer *w, uint64_t value);
void write_bytes(struct writer *w, struct bytes value);
void write_bytes_be16(struct writer *w, struct bytes value);
void write_lp(struct writer *w, struct bytes value);
void write_lp_text(struct writer *w, const char *text); /* lp() of a terminated text, without its NUL */
struct bytes writer_bytes(const struct writer *w);

#endif
