/* SPDX-License-Identifier: Apache-2.0 */
/* IMA lists as a kernel writes them, and the PCR 10 that its TPM would have. */
#ifndef POSTERN_TESTS_SOFTWARE_IMA_H
#define POSTERN_TESTS_SOFTWARE_IMA_H

#include "attest/bytes.h"

#define SOFTWARE_IMA_MAX   65536
#define SOFTWARE_IMA_BANKS 4 /* as enum attest_bank */

struct software_ima { /* all zeros: an empty list */
	size_t size;
	uint8_t data[SOFTWARE_IMA_MAX]; /* binary, template digests by SHA-1 */
	uint8_t pcr10[SOFTWARE_IMA_BANKS][64];
};

struct bytes software_ima_text(const char *text);
struct bytes software_ima_bytes(const struct software_ima *list);
/* By OpenSSL's name. Returns its size. */
size_t software_ima_hash(const char *algorithm, struct bytes input, uint8_t ret[64]);

/* size || field for each; returns how many bytes. */
size_t software_ima_fields(const struct bytes *fields, size_t count, uint8_t *ret, size_t capacity);
/* "sha256:" NUL digest. */
size_t software_ima_digest(const char *algorithm, struct bytes digest, uint8_t *ret,
			   size_t capacity);

/* An entry of any template with these data, measured into PCR `pcr`. */
void software_ima_add(struct software_ima *list, uint32_t pcr, const char *template_name,
		      struct bytes data);
/* The same without the TPM: what a liar writes. `digest`: NULL for the right one. */
void software_ima_write(struct software_ima *list, uint32_t pcr, const uint8_t *digest,
			const char *template_name, struct bytes data);
/* Extends PCR 10 of every bank. */
void software_ima_extend(struct software_ima *list, struct bytes data, bool violation);
/* A file with this content; `third` NULL: ima-ng, else ima-sig. */
void software_ima_file(struct software_ima *list, const char *name, const char *content,
		       const struct bytes *third);
void software_ima_buffer(struct software_ima *list, const char *name, const char *content);
void software_ima_violation(struct software_ima *list, const char *name);
/* boot_aggregate of some PCRs or other. */
void software_ima_boot(struct software_ima *list);

#endif
