/* SPDX-License-Identifier: Apache-2.0 */
#include "variable.h"

/* 8be4df61-93ca-11d2-aa0d-00e098032b8c, UEFI 2.10, 3.3. */
const uint8_t VARIABLE_GLOBAL[VARIABLE_GUID_SIZE] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93,
						     0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0,
						     0x98, 0x03, 0x2b, 0x8c};
/* d719b2cb-3d3a-4596-a3bc-dad00e67656f, UEFI 2.10, 32.6.1. */
const uint8_t VARIABLE_IMAGE_SECURITY[VARIABLE_GUID_SIZE] = {0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d,
							     0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0,
							     0x0e, 0x67, 0x65, 0x6f};
/* 605dab50-e046-4300-abb6-3dd810dd8b23. */
const uint8_t VARIABLE_SHIM_LOCK[VARIABLE_GUID_SIZE] = {0x50, 0xab, 0x5d, 0x60, 0x46, 0xe0,
							0x00, 0x43, 0xab, 0xb6, 0x3d, 0xd8,
							0x10, 0xdd, 0x8b, 0x23};

bool
attest_variable_decode(struct bytes data, struct variable *ret_variable)
{
	struct reader r = reader_of(data);
	struct variable variable = {.guid = read_bytes(&r, VARIABLE_GUID_SIZE)};

	uint64_t characters = read_le64(&r);
	uint64_t size = read_le64(&r);
	if (characters > VARIABLE_NAME_CHARACTERS || size > r.left)
		return false;
	variable.name = read_bytes(&r, 2 * (size_t)characters);
	variable.value = read_bytes(&r, (size_t)size);
	variable.rest = read_bytes(&r, r.left);
	if (r.failed)
		return false;
	*ret_variable = variable;
	return true;
}

bool
attest_variable_is(const struct variable *variable, const struct variable_name *wanted)
{
	struct reader r = reader_of(variable->name);

	for (const char *c = wanted->name; *c != '\0'; c++)
		if (read_le16(&r) != (uint8_t)*c)
			return false;
	return reader_finished(&r) &&
	       bytes_equal(variable->guid, (struct bytes){wanted->guid, VARIABLE_GUID_SIZE});
}
