/* SPDX-License-Identifier: Apache-2.0 */
/* TPMT_PUBLIC of any key, and the forms that keys come in. Decoding alone: no key is made. */
#include "attest/keyform.h"
#include "attest/tpm.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
within(struct bytes part, struct bytes whole)
{
	return part.size == 0 || (part.data >= whole.data && part.size <= whole.size &&
				  part.data - whole.data <= (ptrdiff_t)(whole.size - part.size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes input = {data, size};
	struct key_given given;
	struct attest_error err;

	if (key_given_read(input, &given, &err) != ATTEST_OK)
		return 0;
	const struct public_area *area = &given.area;
	size_t frame = given.form == ATTEST_TPM2B_PUBLIC ? 2 : 0;
	if (given.area_known == (given.foreign != NULL))
		abort();
	if (given.area_known &&
	    ((area->type != TPM_ALG_RSA && area->type != TPM_ALG_ECC) ||
	     !within(area->policy, input) || !within(area->unique[0], input) ||
	     !within(area->unique[1], input) || area->whole.size + frame != size))
		abort();
	key_given_clear(&given);
	return 0;
}
