/* SPDX-License-Identifier: Apache-2.0 */
/* A software TPM of the test's own: its state, its CA and its socket are in a new folder and end
 * with it. */
#ifndef POSTERN_TESTS_PRIVATE_TPM_H
#define POSTERN_TESTS_PRIVATE_TPM_H

#include <stdbool.h>
#include <sys/types.h>

struct private_tpm {
	char folder[64];
	char tcti[96];
	pid_t process;
};

/* Where swtpm and swtpm_setup are not installed, a test says so and is skipped. */
#define PRIVATE_TPM_SKIPPED 77 /* as meson understands it */
bool private_tpm_possible(void);

/* `banks` as swtpm_setup takes them ("sha256"). False, with a word on stderr: it did not come up.
 */
bool private_tpm_start(struct private_tpm *tpm, const char *banks);

/* Ends the process alone, as a crash would. */
void private_tpm_kill(struct private_tpm *tpm);

/* After a kill, or as one: the TPM resets. */
bool private_tpm_restart(struct private_tpm *tpm);
/* The same under a firmware that forgets TPM2_Startup. */
bool private_tpm_restart_unstarted(struct private_tpm *tpm);

void private_tpm_stop(struct private_tpm *tpm);

#endif
