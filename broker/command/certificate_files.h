/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and CRLs out of files of any form, and out of folders of them. */
#ifndef POSTERN_COMMAND_CERTIFICATE_FILES_H
#define POSTERN_COMMAND_CERTIFICATE_FILES_H

#include "attest/endorsement.h"

struct certificate_files {
	size_t count;
	struct bytes *items; /* DER, in the order in which they were found */
	size_t bundle_count;
	struct attest_bundle *bundles; /* where the items lie */
};
void certificate_files_clear(struct certificate_files *files);
#define auto_certificate_files                                                                     \
	__attribute__((cleanup(certificate_files_clear))) struct certificate_files

/* All of one file. 0, or an exit status that was said: EX_DATAERR where there is none in it. */
int certificate_files_read(struct certificate_files *files, const char *path,
			   enum attest_item kind);
/* The CAs of a file, or of all certificate files (.pem, .crt, .cer, .der) of a folder and of those
 * in it: what is not fit to be an anchor gets a remark and is left out. */
int certificate_files_read_anchors(struct certificate_files *files, const char *path);

#endif
