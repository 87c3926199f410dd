/* SPDX-License-Identifier: Apache-2.0 */
/* Which of an image's sections systemd's stub takes, and in what order. Private to the verifier. */
#ifndef POSTERN_ATTEST_IMAGE_UKI_H
#define POSTERN_ATTEST_IMAGE_UKI_H

#include "attest/image.h"

#define UKI_MEASURED_MAX 16

struct uki {
	const struct attest_image_section *kernel;
	struct bytes line; /* .cmdline's text without one newline at its end; empty: none */
	size_t measured_count;
	const struct attest_image_section *measured[UKI_MEASURED_MAX]; /* as the stub goes */
};

__attribute__((warn_unused_result)) enum attest_status
uki_read(const struct attest_image *image, struct uki *ret_uki, struct attest_error *err);
/* Would every version measure this line as it stands? */
bool uki_line_plain(struct bytes line);

#endif
