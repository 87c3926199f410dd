/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CRL does two things. As bytes it goes to the appraiser of each enrolment from then on. And whom
 * it revokes, which its act lists, stays revoked, in whatever machine had proved itself by such a
 * certificate before: as a revoked EK or CA does, also when a later CRL, or none, lists it.
 */
#include "acts_crl.h"

#include "json_out.h"

#include <stdio.h>
#include <string.h>

#define PRINT(text) (int)(text).size, (const char *)(text).data

static struct bytes
field(const struct operation_request *request, enum operation_field which)
{
	return request->fields[which];
}

static enum operation_outcome
check_room(const struct trust *trust, const struct crl *old, struct bytes der, size_t revoked,
	   struct act_change *change)
{
	size_t others = trust_crls_size(&trust->crls) - (old ? old->bytes->size : 0);

	if (!old && trust->crls.count >= ATTEST_CRLS_MAX)
		return act_refuse(change, OUTCOME_INVALID, "more than %d CRLs", ATTEST_CRLS_MAX);
	if (der.size > WIRE_CRLS_SIZE_MAX - others)
		return act_refuse(change, OUTCOME_INVALID,
				  "more than %d bytes of CRLs: the others have %zu",
				  WIRE_CRLS_SIZE_MAX, others);
	if (revoked > TRUST_REVOKED_MAX - trust->revoked_links.index.count)
		return act_refuse(change, OUTCOME_INVALID, "more than %d revoked certificates",
				  TRUST_REVOKED_MAX);
	return OUTCOME_OK;
}

enum operation_outcome
act_check_crl_add(const struct trust *trust, const struct operation_request *request,
		  struct act_change *change)
{
	struct bytes hex = field(request, FIELD_ID);
	const struct crl *old = trust_crl(&trust->crls, hex);
	uint64_t issued = operation_number(request, FIELD_FROM, 0);
	size_t revoked = field(request, FIELD_DIGESTS).size / ATTEST_HASH_SIZE;

	if (operation_number(request, FIELD_UNTIL, 0) < issued)
		return act_refuse(change, OUTCOME_INVALID, "crl: ends before it was issued");
	/* Whoever could bring an older one back would take revocations away. */
	if (old && issued <= (uint64_t)old->issued)
		return act_refuse(change, OUTCOME_INVALID,
				  "crl %.*s: the one that is there is as new, or newer",
				  PRINT(hex));
	enum operation_outcome outcome =
		check_room(trust, old, field(request, FIELD_CRL), revoked, change);
	if (outcome == OUTCOME_OK)
		snprintf(change->effect, ACT_TEXT_SIZE,
			 "Enrolments ask a CRL of %.*s; the %zu certificates that it revokes "
			 "stay revoked.",
			 PRINT(field(request, FIELD_SUBJECT)), revoked);
	return outcome;
}

bool
act_apply_crl_add(struct trust *trust, const struct operation_request *request)
{
	struct reader digests = reader_of(field(request, FIELD_DIGESTS));
	struct crl crl = {
		.revision = trust->revision + 1,
		.issued = (int64_t)operation_number(request, FIELD_FROM, 0),
		.expires = (int64_t)operation_number(request, FIELD_UNTIL, 0),
		.revoked = digests.left / ATTEST_HASH_SIZE,
		.bytes = crl_bytes_new(field(request, FIELD_CRL)),
	};

	if (!crl.bytes)
		return false;
	act_set_text(crl.id, sizeof(crl.id), field(request, FIELD_ID));
	act_set_text(crl.issuer, sizeof(crl.issuer), field(request, FIELD_SUBJECT));
	act_set_text(crl.operator_name, sizeof(crl.operator_name), request->operator_name);
	if (!trust_crl_put(&trust->crls, &crl)) {
		crl_bytes_drop(crl.bytes);
		return false;
	}
	while (digests.left > 0) {
		if (!trust_revoke(&trust->revoked_links, read_bytes(&digests, ATTEST_HASH_SIZE)))
			return false;
	}
	return true;
}

enum operation_outcome
act_check_crl_end(const struct trust *trust, const struct operation_request *request,
		  struct act_change *change)
{
	struct bytes hex = field(request, FIELD_ID);

	if (!trust_crl(&trust->crls, hex))
		return act_refuse(change, OUTCOME_MISSING, "crl %.*s: there is none", PRINT(hex));
	snprintf(change->effect, ACT_TEXT_SIZE,
		 "Enrolments no longer ask CRL %.*s; whom it revoked stays revoked.", PRINT(hex));
	return OUTCOME_OK;
}

bool
act_apply_crl_end(struct trust *trust, const struct operation_request *request)
{
	struct crl *crl = trust_crl(&trust->crls, field(request, FIELD_ID));

	if (!crl)
		return false;
	trust_crl_remove(&trust->crls, crl);
	return true;
}
