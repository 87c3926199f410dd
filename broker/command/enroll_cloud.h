/* SPDX-License-Identifier: Apache-2.0 */
/* What an enrolment says beside its keys: certificates, and what the AK of a cloud signed. */
#ifndef POSTERN_COMMAND_ENROLL_CLOUD_H
#define POSTERN_COMMAND_ENROLL_CLOUD_H

#include "attest/attester.h"
#include "certificate_files.h"

#include <jansson.h>

/* At most ATTEST_CERTIFICATES_MAX: `own`, then `helpers` as far as there is room. NULL: no memory.
 */
json_t *enroll_certificates(const struct bytes *own, size_t own_count,
			    const struct certificate_files *helpers);
/* cloud_public, cloud_certificates, cloud_message and cloud_signature, where the TPM has a key that
 * a cloud certified; nothing where it has none, and a remark where that cannot sign. False: no
 * memory. */
bool enroll_cloud(struct attester *attester, const uint8_t transcript[ATTEST_HASH_SIZE],
		  const struct certificate_files *helpers, json_t *body);

#endif
