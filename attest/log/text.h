/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of firmware and boot loaders, made UTF-8, which is what claims have. */
#ifndef POSTERN_ATTEST_LOG_TEXT_H
#define POSTERN_ATTEST_LOG_TEXT_H

#include "attest/bytes.h"

struct bytes log_text_of(const char *ascii); /* without its NUL */
/* UTF-16LE that ends with its only NUL, written without it. False: it is not that, or does not fit;
 * what was written is then to be dropped. Control characters pass: claims refuse them. */
bool text_from_utf16(struct bytes utf16, struct writer *w);

#endif
