/* SPDX-License-Identifier: Apache-2.0 */
/* The form of each field of an operator's request. Private to wire. */
#ifndef POSTERN_WIRE_FIELD_H
#define POSTERN_WIRE_FIELD_H

#include "operation.h"

enum field_fault { FIELD_IS_MISSING, FIELD_IS_EXTRA, FIELD_IS_MALFORMED };

/* A literal. */
const char *field_problem(enum operation_field field, enum field_fault fault);
/* The whole request, because an id's form depends on its kind and a path's on its operation. */
bool field_valid(const struct operation_request *request, enum operation_field field);

#endif
