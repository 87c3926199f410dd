/* SPDX-License-Identifier: Apache-2.0 */
/* A quote that was inspected, told to people and to programs. */
#ifndef POSTERN_COMMAND_QUOTE_OUT_H
#define POSTERN_COMMAND_QUOTE_OUT_H

#include "attest/inspect.h"
#include "json.h"

#define PCR_LIST_SIZE 80 /* "0,2,4,6..." of 24 */

struct quote_view {
	struct attest_inspection seen;
	struct attest_error err;	/* status ATTEST_OK: verified */
	const struct bytes *qualifying; /* NULL: none was given */
	const struct attest_pcrs *pcrs; /* NULL: none were given */
};

void quote_print(const struct quote_view *view);
/* NULL without memory. */
json_t *quote_json(const struct quote_view *view);

/* "0-7,14" */
void pcr_list_text(uint32_t pcrs, char ret_text[PCR_LIST_SIZE]);
/* "restricted": the name of the n-th attribute that is set; NULL behind the last. */
const char *attribute_next(uint32_t *attributes);

#endif
