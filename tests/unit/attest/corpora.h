/* SPDX-License-Identifier: Apache-2.0 */
/* Real evidence, where POSTERN_SHARED says that there is some. */
#ifndef POSTERN_TESTS_CORPORA_H
#define POSTERN_TESTS_CORPORA_H

#include "attest/bytes.h"

#define CORPORA_PATH_SIZE 512

/* `name`: as MANIFEST.tsv has it. */
void corpora_path(const char *name, char ret_path[CORPORA_PATH_SIZE]);
/* Skips the test, and says so, where there are none. */
void corpora_need(void);
/* On the heap, of the exact size; fails the test where there is no such file. */
struct bytes corpora_load(const char *name);
void corpora_unload(struct bytes bytes);

#endif
