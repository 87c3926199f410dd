/* SPDX-License-Identifier: Apache-2.0 */
#ifndef POSTERN_SUPERVISOR_SUPERVISE_H
#define POSTERN_SUPERVISOR_SUPERVISE_H

#include "config.h"

/* Starts the roles and stays until one ends or a signal says stop. The daemon's exit status. */
int supervise(const struct config *config);

#endif
