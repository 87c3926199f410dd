/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A work load of all that a store does, during which something fails, and what must hold then:
 * what was acknowledged is there and whole, what was refused as unchanged has changed nothing, the
 * same call succeeds once the cause has ended, with the store open as it was, and all of it is
 * there after the store was opened anew.
 */
#ifndef TESTS_STORE_LOAD_H
#define TESTS_STORE_LOAD_H

#include "store/backend.h"

#define LOAD_BIT(status) (1U << (status))

struct load_fault {
	unsigned wanted;    /* LOAD_BIT for each status that it may lead to */
	bool may_be_unsure; /* it may keep the backend from finding out */
	enum store_status (*open_backend)(const struct load_fault *fault, bool create,
					  struct backend **ret_backend, struct store_error *err);
	void (*begin)(const struct load_fault *fault);
	bool (*happened)(const struct load_fault *fault);
	void (*end)(const struct load_fault *fault);
	void (*pause)(const struct load_fault *fault, bool paused);
};

/* Ends the process with 1, and says why, if something does not hold. */
void load_carry_out(const struct load_fault *fault);

#endif
