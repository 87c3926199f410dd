/* SPDX-License-Identifier: Apache-2.0 */
#include "crls.h"

#include "json_out.h"

#include <stdlib.h>
#include <string.h>

struct crl_bytes *
crl_bytes_new(struct bytes der)
{
	struct crl_bytes *bytes = malloc(sizeof(*bytes) + der.size);

	if (!bytes)
		return NULL;
	atomic_init(&bytes->holders, 1);
	bytes->size = der.size;
	memcpy(bytes->der, der.data, der.size);
	return bytes;
}

struct crl_bytes *
crl_bytes_hold(struct crl_bytes *bytes)
{
	atomic_fetch_add(&bytes->holders, 1);
	return bytes;
}

void
crl_bytes_drop(struct crl_bytes *bytes)
{
	if (bytes && atomic_fetch_sub(&bytes->holders, 1) == 1)
		free(bytes);
}

void
trust_crls_clear(struct trust_crls *crls)
{
	for (size_t i = 0; i < crls->count; i++)
		crl_bytes_drop(crls->items[i].bytes);
	free(crls->items);
	*crls = (struct trust_crls){0};
}

struct crl *
trust_crl(const struct trust_crls *crls, struct bytes hex_id)
{
	for (size_t i = 0; i < crls->count; i++) {
		if (bytes_equal(text_bytes(crls->items[i].id), hex_id))
			return &crls->items[i];
	}
	return NULL;
}

size_t
trust_crls_size(const struct trust_crls *crls)
{
	size_t size = 0;

	for (size_t i = 0; i < crls->count; i++)
		size += crls->items[i].bytes->size;
	return size;
}

bool
trust_crl_put(struct trust_crls *crls, const struct crl *crl)
{
	struct crl *old = trust_crl(crls, text_bytes(crl->id));

	if (old) {
		crl_bytes_drop(old->bytes);
		*old = *crl;
		return true;
	}
	struct crl *items = realloc(crls->items, (crls->count + 1) * sizeof(*items));
	if (!items)
		return false;
	crls->items = items;
	crls->items[crls->count++] = *crl;
	return true;
}

void
trust_crl_remove(struct trust_crls *crls, struct crl *crl)
{
	crl_bytes_drop(crl->bytes);
	*crl = crls->items[--crls->count];
}
