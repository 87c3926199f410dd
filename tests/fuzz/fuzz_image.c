/* SPDX-License-Identifier: Apache-2.0 */
/* A byte of how it boots, and a PE image: its digest, and what it would measure as a unified kernel. */
#include "attest/image.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = reader_of((struct bytes){data, size});
	uint8_t how = read_u8(&r);
	struct attest_image image;
	struct attest_prediction prediction;
	struct attest_error err;
	uint8_t digest[ATTEST_DIGEST_MAX];

	if (r.failed || attest_image_open(read_bytes(&r, r.left), &image, &err) != ATTEST_OK)
		return 0;
	if (attest_image_authenticode(&image, ATTEST_SHA384, digest, &err) != ATTEST_OK)
		abort();
	struct attest_boot boot = {.uki = &image,
				   .loaders = {&image},
				   .loader_count = how & 1U,
				   .direct = (how & 2U) != 0,
				   .secure_boot = (how & 4U) != 0,
				   .command_line = (how & 8U) != 0 ? "quiet" : NULL};
	if (attest_boot_predict(&boot, ATTEST_SHA256, &prediction, &err) != ATTEST_OK)
		return 0;
	/* An image that is understood has a kernel, and that is measured. */
	if (prediction.step_count < 5 || image.stub < ATTEST_STUB_OLDEST)
		abort();
	return 0;
}
