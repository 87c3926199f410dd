/* SPDX-License-Identifier: Apache-2.0 */
/* From a leaf to a pinned anchor, and to all pinned anchors above that. Private to the verifier. */
#ifndef POSTERN_ATTEST_PATH_H
#define POSTERN_ATTEST_PATH_H

#include "certificate.h"

/* "ek.chain.count": at least a leaf, and no more of anything than there may be. */
__attribute__((warn_unused_result)) enum attest_status
path_check_sizes(const char *subject, size_t certificate_count, const struct attest_trust *trust,
		 struct attest_error *err);
/* The leaf has been judged. certificates[0] is passed over. Fills all of *ret_chain. */
__attribute__((warn_unused_result)) enum attest_status
path_verify(X509 *leaf, enum leaf_kind kind, const struct bytes *certificates,
	    size_t certificate_count, const struct attest_trust *trust,
	    struct attest_chain *ret_chain, struct attest_error *err);

#endif
