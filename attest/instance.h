/* SPDX-License-Identifier: Apache-2.0 */
/* Google's instance-info extension. Private to the verifier. */
#ifndef POSTERN_ATTEST_INSTANCE_H
#define POSTERN_ATTEST_INSTANCE_H

#include "endorsement.h"

#include <openssl/x509.h>

/* The extension's value. False: not DER of that form, or a text that is empty, too long or not
 * printable ASCII. */
bool instance_decode(struct bytes der, struct attest_instance *ret_instance);
/* Where there is no such extension, the instance is not known; where there is one that does not
 * parse, or two, it refuses: "certificate.instance". */
__attribute__((warn_unused_result)) enum attest_status
certificate_instance(const X509 *certificate, struct attest_instance *ret_instance,
		     struct attest_error *err);

#endif
