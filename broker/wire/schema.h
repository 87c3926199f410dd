/* SPDX-License-Identifier: Apache-2.0 */
/* broker.cedarschema, compiled in: what keeper and command validate policies against. */
#ifndef POSTERN_WIRE_SCHEMA_H
#define POSTERN_WIRE_SCHEMA_H

#include <stddef.h>

extern const char broker_schema[]; /* not terminated */
extern const size_t broker_schema_size;

#endif
