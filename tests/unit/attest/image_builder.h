/* SPDX-License-Identifier: Apache-2.0 */
/* PE/COFF images made by hand, small enough to spoil bit by bit. */
#ifndef POSTERN_TESTS_IMAGE_BUILDER_H
#define POSTERN_TESTS_IMAGE_BUILDER_H

#include "attest/bytes.h"

#define BUILT_SECTIONS_MAX 16
#define BUILT_ALIGNMENT	   0x20 /* of what sections have in the file */

struct built_section {
	const char *name;
	const char *text;     /* its contents */
	size_t size;	      /* of them; 0: as long as the text */
	uint32_t loaded_size; /* 0: as long as the contents */
};

struct built_recipe {
	bool pe32;	     /* not PE32+ */
	bool old_kernel;     /* MajorImageVersion 0 */
	const char *program; /* "systemd-stub 252.1": goes to a section .sdmagic; NULL: none */
	struct built_section sections[BUILT_SECTIONS_MAX]; /* ended by one without a name */
	size_t certificates;				   /* bytes of them at the end */
	size_t behind; /* bytes between the last section and them */
};

/* Where fields are, for tests that spoil them. */
struct built {
	size_t size;
	uint8_t *data; /* freed by the caller */
	size_t optional;
	size_t checksum;
	size_t certificate_entry;
	size_t table;
	size_t first_section; /* its contents */
	size_t certificates;
};

struct built image_build(const struct built_recipe *recipe);

#endif
