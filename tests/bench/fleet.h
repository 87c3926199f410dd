/* SPDX-License-Identifier: Apache-2.0 */
/* Machines with software keys under one test CA: enrolled over the wire, then asking for a secret.
 */
#ifndef POSTERN_BENCH_FLEET_H
#define POSTERN_BENCH_FLEET_H

#include "operator.h"
#include "unit/attest/software_tpm.h"

struct fleet {
	size_t count;
	struct software_tpm *machines;
	struct software_log log; /* what they all booted */
};

/* Registers each machine's EK by an act and enrols it. Progress goes to stderr. */
void fleet_admit(struct fleet *fleet, size_t count, const struct bench_operator *operator,
		 struct client * client);
void fleet_free(struct fleet *fleet);

/* One release, challenge to opened body; exits unless the body holds `value` under `path`. */
void fleet_release(struct fleet *fleet, size_t index, bool with_log,
		   const struct bench_operator *operator, struct client * client, const char *path,
		   struct bytes value);

#endif
