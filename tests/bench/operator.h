/* SPDX-License-Identifier: Apache-2.0 */
/* The benchmark as an operator: signs what `postern` would. */
#ifndef POSTERN_BENCH_OPERATOR_H
#define POSTERN_BENCH_OPERATOR_H

#include "client.h"
#include "wire/operation.h"

struct bench_operator {
	uint8_t secret_key[64]; /* Ed25519, libsodium's form */
	uint8_t answer_key[32];
	uint8_t intake_key[32];
	uint8_t release_key[32];
};

/* From what `postern init` wrote in `folder`/config. */
void bench_operator_load(struct bench_operator *operator, const char * folder);
/* Fills in operator, broker, challenge and (for acts) revision, signs and sends; exits with the
 * broker's words unless it was done. */
void bench_operator_do(const struct bench_operator *operator, struct client * client,
		       struct operation_request *request);

void bench_register_machine(const struct bench_operator *operator, struct client * client,
			    const uint8_t ek_id[32], const char *name);
void bench_add_baseline(const struct bench_operator *operator, struct client * client,
			const char *name, struct bytes pcrs);
void bench_apply_policy(const struct bench_operator *operator, struct client * client,
			const char *text);
void bench_put_secret(const struct bench_operator *operator, struct client * client,
		      const char *path, struct bytes value);

#endif
