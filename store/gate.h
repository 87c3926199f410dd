/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lock of many who share and one who now and then wants to be alone: LMDB's map may only be moved
 * while no transaction lives in the process.
 *
 * Whoever wants to be alone closes the gate for a moment. If some stay longer than that (a backup
 * reads through one view for minutes), it is opened again for newcomers, and closed anew once those
 * have left: neither waits for the other. A thread enters once, and does not take what it is in.
 */
#ifndef POSTERN_STORE_GATE_H
#define POSTERN_STORE_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate {
	/* Two counts of those inside, which is being entered, and whether someone wants it: gate.c
	 */
	_Atomic uint64_t state;
	pthread_mutex_t lock; /* for those who wait, and for `taking` */
	pthread_cond_t moved;
	bool taking;
};

void gate_init(struct gate *gate);
void gate_destroy(struct gate *gate);

/* Shares it. What it returns goes back to gate_leave. No system call, and no lock, where nobody
 * wants to be alone. */
unsigned gate_enter(struct gate *gate);
void gate_leave(struct gate *gate, unsigned side);

/* Alone. False: others were inside all the while. 0: only if nobody is inside now. */
__attribute__((warn_unused_result)) bool gate_take(struct gate *gate, unsigned patience_ms);
void gate_give_back(struct gate *gate);

#endif
