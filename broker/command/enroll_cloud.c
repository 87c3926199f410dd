/* SPDX-License-Identifier: Apache-2.0 */
#include "enroll_cloud.h"

#include "command.h"
#include "json.h"

#include <stdlib.h>

json_t *
enroll_certificates(const struct bytes *own, size_t own_count,
		    const struct certificate_files *helpers)
{
	json_t *list = json_array();
	size_t count = 0;

	for (size_t i = 0; i < own_count + helpers->count && count < ATTEST_CERTIFICATES_MAX;
	     i++, count++) {
		struct bytes der = i < own_count ? own[i] : helpers->items[i - own_count];
		if (json_array_append_new(list, json_base64(der)) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* As they lie in NV, one after the other, and padded: what cannot be told apart goes as it is, and
 * the broker says what is wrong. */
static json_t *
certificates_of(const struct attester_cloud *cloud, const struct certificate_files *helpers)
{
	struct bytes stored = {cloud->certificate, cloud->certificate_size};
	struct attest_bundle bundle;
	struct attest_error err;

	if (attest_bundle_read(stored, ATTEST_CERTIFICATE, &bundle, &err) != ATTEST_OK)
		return enroll_certificates(&stored, 1, helpers);
	json_t *list = enroll_certificates(bundle.items, bundle.count, helpers);
	attest_bundle_clear(&bundle);
	return list;
}

static bool
add_members(const struct attester_cloud *cloud, const struct certificate_files *helpers,
	    json_t *body)
{
	struct bytes public_area = {cloud->public_area, cloud->public_size};
	struct bytes message = {cloud->message, cloud->message_size};
	struct bytes signature = {cloud->signature, cloud->signature_size};

	return json_object_set_new(body, "cloud_public", json_base64(public_area)) == 0 &&
	       json_object_set_new(body, "cloud_certificates", certificates_of(cloud, helpers)) ==
		       0 &&
	       json_object_set_new(body, "cloud_message", json_base64(message)) == 0 &&
	       json_object_set_new(body, "cloud_signature", json_base64(signature)) == 0;
}

bool
enroll_cloud(struct attester *attester, const uint8_t transcript[ATTEST_HASH_SIZE],
	     const struct certificate_files *helpers, json_t *body)
{
	struct attester_cloud *cloud = calloc(1, sizeof(*cloud));
	struct attester_error err = {.status = ATTESTER_OK};
	bool good = true;

	if (cloud == NULL)
		return false;
	/* Enrolling without it is worth less, and better than not at all. */
	if (attester_cloud(attester, transcript, cloud, &err) != ATTESTER_OK)
		remark("the cloud's key in this TPM vouches for nothing: %s", err.message);
	else if (cloud->cloud != NULL)
		good = add_members(cloud, helpers, body);
	free(cloud);
	return good;
}
