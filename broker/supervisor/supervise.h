/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_SUPERVISOR_SUPERVISE_H
#define POSTERN_SUPERVISOR_SUPERVISE_H

#include "config.h"

/* Starts the roles and stays until one ends or a signal says stop; starts them anew where the
 * keeper ends to forget its key. The daemon's exit status. */
int supervise(struct config *config);

#endif
