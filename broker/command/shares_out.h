/* SPDX-License-Identifier: Apache-2.0 */
/* New shares on their way to their holders: one file each, or once on standard output. */
#ifndef POSTERN_COMMAND_SHARES_OUT_H
#define POSTERN_COMMAND_SHARES_OUT_H

#include "file.h"
#include "store/shares.h"

/* "FOLDER/share-1.txt". 0 or EX_CANTCREAT. */
int share_path(const char *folder, unsigned number, char ret_path[FILE_PATH_MAX]);
/* 0, or EX_CANTCREAT where one of them is there already; the folder itself need not be. */
int share_files_absent(const char *folder, unsigned count);
/* Mode 0600, durable on return, the folder too; all of them or none. */
int share_files_write(const char *folder, const struct share *shares, unsigned count);
/* Takes them back. */
void share_files_remove(const char *folder, unsigned count);
/* On standard output, past stdio. 0 or EX_IOERR. */
int shares_print(const struct share *shares, unsigned count);

#endif
