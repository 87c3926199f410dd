/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker host's own TPM: it keeps the root key while the host boots what it booted, and counts
 * what it has witnessed. attest/host.h does the work; here it is held against files, options and
 * the broker's local socket. The broker itself knows no TPM.
 */
#ifndef POSTERN_COMMAND_HOST_TPM_H
#define POSTERN_COMMAND_HOST_TPM_H

#include "attest/host.h"
#include "control.h"

#define HOST_TPM_FILE  "root.tpm" /* beside the store's folder */
#define HOST_TPM_NEW   ".new"	  /* behind its name, until the new key is in force */
#define HOST_TPM_PCRS  "7"	  /* Secure Boot's policy: stays over updates of what it verifies */
#define HOST_TPM_INDEX 0x01805053U /* where the witness's counter lies, unless told otherwise */

/* NULL: /dev/tpmrm0, or /dev/tpm0. Locks the process's memory where it may, since the TPM's stack
 * holds the key in memory of its own. 0 or an exit status that was said. */
int host_tpm_open(const char *tcti, struct attester **ret_attester);
static inline void
host_tpm_close_at(struct attester **attester)
{
	attester_close(*attester);
}
#define auto_host_tpm __attribute__((cleanup(host_tpm_close_at))) struct attester

/* "7,11". PCR 0 to 15: the others can be reset, or are another launch's. 0 or EX_USAGE. */
int host_tpm_pcrs(const char *text, uint32_t *ret_pcrs);
/* As `given`; NULL: as the sealed key at `path` has it, if there is one, else HOST_TPM_PCRS. */
int host_tpm_pcrs_for(const char *given, const char *path, uint32_t *ret_pcrs);
/* "0x01800042". 0 or EX_USAGE. */
int host_tpm_index(const char *text, uint32_t *ret_index);
/* `given`, or HOST_TPM_FILE beside `store` of the place's configuration. 0 or EX_CONFIG. */
int host_tpm_path(const struct control_place *place, const char *given,
		  char ret_path[FILE_PATH_MAX]);

/* Seals `key` to the present values of `pcrs` and puts the file in `path`'s place; whoever is
 * interrupted finds the old one or the new one. 0 or an exit status that was said. */
int host_tpm_seal(struct attester *attester, const struct secret *key, uint32_t pcrs,
		  const char *path);
/* The same, and where the host's state is another one says what is left. */
int host_tpm_unseal(struct attester *attester, const char *path, struct secret **ret_key);

/* Says so where a broker before this one, or beside it, counts at HOST_TPM_INDEX. */
void host_tpm_warn_counted(struct attester *attester);

/* ---- postern unseal --tpm ---- */

struct host_tpm_options {
	bool tpm;
	const char *tcti;
	const char *sealed;  /* NULL: host_tpm_path's */
	const char *witness; /* an index, or "none"; NULL: HOST_TPM_INDEX, if there is a counter */
};
#define HOST_TPM_RULES(options)                                                                    \
	{"--tpm", OPTION_FLAG, &(options).tpm}, {"--tcti", OPTION_TEXT, &(options).tcti},          \
		{"--sealed", OPTION_TEXT, &(options).sealed},                                      \
	{                                                                                          \
		"--witness", OPTION_TEXT, &(options).witness                                       \
	}
/* Opens the key and hands it over with the counter; says what the broker thinks of it. 0: taken. */
int host_tpm_give(const struct host_tpm_options *options, const struct control_place *place,
		  struct control *control, enum control_purpose purpose);

#endif
