/* SPDX-License-Identifier: Apache-2.0 */
/* sd_notify(3) without libsystemd. */
#ifndef POSTERN_SUPERVISOR_NOTIFY_H
#define POSTERN_SUPERVISOR_NOTIFY_H

/* "READY=1"; nothing where no service manager asked for it. */
void notify(const char *state);
/* Milliseconds between two signs of life that the service manager wants, half of what it allows;
 * -1: none. */
int notify_watchdog_interval(void);

#endif
