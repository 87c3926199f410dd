/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on their way to the keeper: answers come back in any order and are matched by the
 * frame's id. */
#ifndef POSTERN_GATEWAY_EXCHANGE_H
#define POSTERN_GATEWAY_EXCHANGE_H

#include "wire/frame.h"

struct exchange;

/* Called once, in the receiving thread; the answer's bytes are valid during the call. */
typedef void exchange_done(void *user, struct bytes answer);

/* `max`: requests on their way at once. NULL: no memory. */
struct exchange *exchange_new(int channel, size_t max);
/* False: too many are on their way (nothing was sent, done will not be called). */
__attribute__((warn_unused_result)) bool exchange_send(struct exchange *exchange,
						       enum frame_type type, struct bytes body,
						       exchange_done *done, void *user);
/* Receives answers until the keeper is gone. */
void exchange_run(struct exchange *exchange);

#endif
