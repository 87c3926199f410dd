/* SPDX-License-Identifier: Apache-2.0 */
#include "signaturelist.h"

/* c1c41626-504c-4092-aca9-41f936934328 */
const uint8_t SIGNATURE_SHA256[SIGNATURE_GUID_SIZE] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50,
						       0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9,
						       0x36, 0x93, 0x43, 0x28};
/* a5c059a1-94e4-4aa7-87b5-ab155c2bf072 */
const uint8_t SIGNATURE_X509[SIGNATURE_GUID_SIZE] = {0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94,
						     0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15,
						     0x5c, 0x2b, 0xf0, 0x72};

#define LIST_HEADER_SIZE 28
#define SHA256_SIGNATURE 48 /* owner and hash */

struct signature_lists
attest_signature_lists_of(struct bytes variable)
{
	return (struct signature_lists){.lists = reader_of(variable)};
}

/* The header of a list, up to its signatures, which are all of one size. */
static void
read_list(struct signature_lists *lists)
{
	struct reader *r = &lists->lists;

	lists->type = read_bytes(r, SIGNATURE_GUID_SIZE);
	uint32_t size = read_le32(r);
	uint32_t header_size = read_le32(r);
	lists->signature_size = read_le32(r);
	if (size < LIST_HEADER_SIZE || lists->signature_size <= SIGNATURE_GUID_SIZE) {
		reader_fail(r);
		return;
	}
	struct reader body = reader_of(read_bytes(r, size - LIST_HEADER_SIZE));
	read_bytes(&body, header_size);
	if (body.failed || body.left % lists->signature_size != 0 ||
	    (bytes_equal(lists->type, BYTES_OF(SIGNATURE_SHA256)) &&
	     lists->signature_size != SHA256_SIGNATURE))
		reader_fail(r);
	lists->signatures = body;
}

bool
attest_signature_next(struct signature_lists *lists, struct signature *ret_signature)
{
	while (!lists->lists.failed && lists->signatures.left == 0) {
		if (lists->lists.left == 0)
			return false;
		read_list(lists);
	}
	if (lists->lists.failed)
		return false;
	*ret_signature = (struct signature){
		.type = lists->type,
		.owner = read_bytes(&lists->signatures, SIGNATURE_GUID_SIZE),
		.data = read_bytes(&lists->signatures, lists->signature_size - SIGNATURE_GUID_SIZE),
	};
	return true;
}
