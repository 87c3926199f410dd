/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image will measure when it boots, without booting it: PE/COFF files, their Authenticode
 * digests, and PCR 4, 11 and 12 of a unified kernel image (systemd's stub, a kernel and an initrd
 * in one file). Files are a build's own; they are read as if they were an enemy's.
 */
#ifndef POSTERN_ATTEST_IMAGE_H
#define POSTERN_ATTEST_IMAGE_H

#include "eventlog.h"

#define ATTEST_IMAGE_MAX	  (512U * 1024 * 1024) /* bytes of one file */
#define ATTEST_IMAGE_SECTIONS_MAX 96		       /* what Windows' loader allows, too */
#define ATTEST_IMAGE_LOADERS_MAX  4		       /* shim, a boot menu, and two to spare */
#define ATTEST_IMAGE_LINE_MAX	  4096		       /* characters of a command line */
#define ATTEST_IMAGE_STEPS_MAX	  48
#define ATTEST_IMAGE_NOTE_MAX	  96
#define ATTEST_STUB_OLDEST	  252 /* the first to measure into PCR 11 and 12 alone */
#define ATTEST_STUB_NEWEST	  262 /* the newest that was booted and compared */

/* ---- PE/COFF ---- */

struct attest_image_section {
	char name[9];	  /* as it stands there, up to its first NUL */
	uint32_t address; /* when loaded */
	uint32_t size;	  /* when loaded: `data`, cut or with zeros behind it */
	struct bytes data;
};

struct attest_image { /* opened by attest_image_open; points into the file */
	struct bytes file;
	bool pe32_plus;
	uint16_t version; /* MajorImageVersion: of a Linux kernel 1 from 5.8 on */
	uint32_t section_count;
	struct attest_image_section sections[ATTEST_IMAGE_SECTIONS_MAX]; /* as the table has them */
	struct bytes certificates; /* the attribute certificate table; empty: not signed */
	unsigned stub;		   /* systemd-stub's version, from its .sdmagic; 0: not that */
	unsigned boot;		   /* systemd-boot's, likewise */
	size_t headers_size;
	size_t checksum;	      /* offsets; 0: there is no such field */
	size_t certificate_directory; /* of its 8 bytes */
};

/* Refused: what is cut short, sections that overlap or lie outside of the file, and certificates
 * that do not end it. The file must outlive what is read of it. */
__attribute__((warn_unused_result)) enum attest_status
attest_image_open(struct bytes file, struct attest_image *ret_image, struct attest_error *err);

/* The digest that firmware extends for an image it loads (Authenticode: all of the file but its
 * checksum, the directory entry of its certificates, and the certificates). `bank`: not SHA-1. */
__attribute__((warn_unused_result)) enum attest_status
attest_image_authenticode(const struct attest_image *image, enum attest_bank bank,
			  uint8_t ret_digest[ATTEST_DIGEST_MAX], struct attest_error *err);

/* ---- prediction ---- */

/* How it is going to be booted. */
struct attest_boot {
	const struct attest_image *uki;
	const struct attest_image *loaders[ATTEST_IMAGE_LOADERS_MAX]; /* those before, in order */
	size_t loader_count;
	bool direct;		  /* by QEMU's -kernel, which loads it before the boot option */
	bool secure_boot;	  /* enabled, not merely there */
	bool os_separator;	  /* systemd then extends "os-separator" into PCR 4 and 12 */
	const char *command_line; /* passed from outside of the image; NULL: none */
};

struct attest_step { /* one extension */
	uint32_t pcr;
	uint64_t size; /* bytes that were hashed */
	char what[ATTEST_IMAGE_NOTE_MAX];
	uint8_t digest[ATTEST_DIGEST_MAX];
};

struct attest_prediction {
	struct attest_pcrs pcrs;		 /* 4, 11 (when the kernel starts) and 12 */
	uint8_t authenticode[ATTEST_DIGEST_MAX]; /* of the UKI */
	bool kernel_measured; /* the firmware measures the kernel inside by itself, too */
	uint32_t step_count;
	struct attest_step steps[ATTEST_IMAGE_STEPS_MAX]; /* in order */
};
/* What depends on more than these files is refused as ATTEST_UNSUPPORTED, not guessed: other stubs
 * than systemd's 252-262, sections that the stub picks by hardware. Of several profiles it is the
 * first. */
__attribute__((warn_unused_result)) enum attest_status
attest_boot_predict(const struct attest_boot *boot, enum attest_bank bank,
		    struct attest_prediction *ret_prediction, struct attest_error *err);

/* `value` extended by H(word): systemd's boot phases in PCR 11, which no log has. */
__attribute__((warn_unused_result)) enum attest_status
attest_phase_extend(enum attest_bank bank, const uint8_t value[ATTEST_DIGEST_MAX], const char *word,
		    uint8_t ret_value[ATTEST_DIGEST_MAX], struct attest_error *err);

#endif
