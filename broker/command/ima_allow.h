/* SPDX-License-Identifier: Apache-2.0 */
/* Allow-lists of files: SHA-256 digests, a line each, as sha256sum prints them. */
#ifndef POSTERN_COMMAND_IMA_ALLOW_H
#define POSTERN_COMMAND_IMA_ALLOW_H

#include "attest/attest.h"
#include "file.h"

/* `*ret_digests` is in `memory`: strictly ascending, 32 bytes each. 0, or an exit status that was
 * said. */
int ima_allow_read(const char *path, struct file_text *memory, struct bytes *ret_digests);

#endif
