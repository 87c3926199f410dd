/* SPDX-License-Identifier: Apache-2.0 */
#include "names.h"

#include "encode.h"

int
names_set(struct operation_request *request, enum operation_field field,
	  const struct text_list *names, const char *option, uint8_t storage[NAMES_SIZE])
{
	struct name_list list = {.count = (uint16_t)names->count};
	struct writer w = writer_of(storage, NAMES_SIZE);

	if (names->count > OPERATION_LIST_MAX)
		return complain(EX_USAGE, "%s: at most %d", option, OPERATION_LIST_MAX);
	for (size_t i = 0; i < names->count; i++) {
		list.names[i] = text_bytes(names->items[i]);
		if (!name_valid(list.names[i]))
			return complain(EX_USAGE, "%s: '%s' is no name (1-64 of A-Z a-z 0-9 _ . -)",
					option, names->items[i]);
	}
	name_list_write(&w, &list);
	operation_set(request, field, writer_bytes(&w));
	return 0;
}
