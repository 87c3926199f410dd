/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A module to be loaded before libc (LD_PRELOAD) that makes one system call, or one allocation, of
 * the process fail: any call of it, also LMDB's and libsodium's. Armed by the program itself, or
 * for one that knows nothing of it by FAULT=call:at:errno:mode in its environment, as in
 * FAULT=pwrite:17:28:0.
 */
#ifndef TESTS_STORE_FAULT_H
#define TESTS_STORE_FAULT_H

enum fault_mode {
	FAULT_ONCE,  /* it does nothing, and says so */
	FAULT_SHORT, /* it does the first half: reads and writes only */
	FAULT_DONE,  /* it does all, and says that it failed: a write-through that lost its answer
		      */
	FAULT_STAYS, /* the same, and the next one does nothing: what was written cannot be undone
		      */
	FAULT_LASTS, /* from then on each fails, until disarmed */
};

/* The calls by name, NULL at the end. */
extern const char *const fault_calls[];

/* The `at`-th call from now on, 1 is the next; 0: only count. */
void fault_arm(const char *call, unsigned at, int error, enum fault_mode mode);
/* How many calls there were since; no more fail. */
unsigned fault_disarm(void);
/* Calls while it is paused are neither counted nor made to fail. */
void fault_pause(int paused);
/* Has one failed since it was armed? */
int fault_happened(void);

#endif
