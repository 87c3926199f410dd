/* SPDX-License-Identifier: Apache-2.0 */
/* A line for people, built of our own words and of texts that others wrote. What stands in it is
 * UTF-8 that no terminal acts upon, whatever was added; what does not fit is cut, visibly. */
#ifndef POSTERN_COMMAND_WORDS_H
#define POSTERN_COMMAND_WORDS_H

#include "attest/bytes.h"

#define WORDS_MAX  8192 /* bytes with their NUL; a kernel's command line is at most 4096 */
#define GUID_BYTES 16
#define GUID_TEXT  37

struct words { /* begin with {.size = 0} */
	size_t size;
	bool cut; /* nothing more is added */
	char text[WORDS_MAX];
};

/* Of our own making, and short: texts of others go through the calls below. */
void words_add(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* UTF-8, which may be none: what is not printable becomes '?', white space a space. */
void words_add_text(struct words *words, struct bytes text);
/* UTF-16LE, up to a NUL if there is one. */
void words_add_utf16(struct words *words, struct bytes text);
/* At most `max` bytes in hex; "..." for the others. */
void words_add_hex(struct words *words, struct bytes bytes, size_t max);

/* Is this text to its last byte, in UTF-8 or UTF-16LE, but for NULs at its end? Then it is added
 * without these; else nothing is. Nothing but NULs is no text. */
bool words_add_if_text(struct words *words, struct bytes bytes);

/* In quotes where it is text; else how many bytes it is, and the first of them. */
void words_add_quoted(struct words *words, struct bytes bytes);
void words_add_words(struct words *words, const struct words *more);

/* "8be4df61-93ca-11d2-aa0d-00e098032b8c"; `guid` is 16 bytes as UEFI stores them. */
void guid_text(struct bytes guid, char ret_text[GUID_TEXT]);
/* What the GUID stands for, NULL where this is not known. */
const char *guid_name(const char *text);
/* The name, or else the number. */
void words_add_guid(struct words *words, struct bytes guid);

#endif
