/* SPDX-License-Identifier: Apache-2.0 */
#include "pile.h"

#include "error.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

void
pile_clear(struct pile *pile)
{
	for (size_t i = 0; i < pile->count; i++)
		X509_free(pile->items[i].certificate);
	free(pile->items);
	*pile = (struct pile){0};
}

static int
compare(const void *a, const void *b)
{
	const struct pile_item *left = a;
	const struct pile_item *right = b;

	return memcmp(left->fingerprint, right->fingerprint, sizeof(left->fingerprint));
}

/* The DER as OpenSSL holds it, not the input: that may have a header and padding. */
static bool
fingerprint(const X509 *certificate, uint8_t ret[ATTEST_HASH_SIZE])
{
	unsigned size = 0;
	bool good = X509_digest(certificate, EVP_sha256(), ret, &size) == 1;

	ERR_clear_error();
	return good && size == ATTEST_HASH_SIZE;
}

static void
drop_duplicates(struct pile *pile)
{
	size_t kept = 0;

	for (size_t i = 0; i < pile->count; i++)
		if (kept > 0 && compare(&pile->items[kept - 1], &pile->items[i]) == 0)
			X509_free(pile->items[i].certificate);
		else
			pile->items[kept++] = pile->items[i];
	pile->count = kept;
}

enum attest_status
pile_load(const struct bytes *input, size_t count, bool lenient, struct pile *ret_pile,
	  struct attest_error *err)
{
	auto_pile pile = {.items = calloc(count + 1, sizeof(*pile.items))};

	if (pile.items == NULL)
		return attest_fail_memory(err);
	for (size_t i = 0; i < count; i++) {
		struct pile_item *item = &pile.items[pile.count];
		enum attest_status status = certificate_load(input[i], &item->certificate, err);

		if (status == ATTEST_MALFORMED && lenient)
			continue;
		if (status != ATTEST_OK)
			return status;
		pile.count++;
		if (!fingerprint(item->certificate, item->fingerprint))
			return attest_fail_memory(err);
	}
	qsort(pile.items, pile.count, sizeof(*pile.items), compare);
	drop_duplicates(&pile);
	*ret_pile = pile;
	pile = (struct pile){0};
	return ATTEST_OK;
}
