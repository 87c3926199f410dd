/* SPDX-License-Identifier: Apache-2.0 */
#include "claims.h"

#include <sodium.h>
#include <string.h>

#define RECORD_VERSION 1
#define IDS_MAX	       255 /* ascending, from 1 */

void
claims_hash(struct bytes all, uint8_t ret_hash[32])
{
	memset(ret_hash, 0, 32);
	if (all.size > 0)
		crypto_hash_sha256(ret_hash, all.data, all.size);
}

/* ---- the record ---- */

struct piece {
	uint8_t id;
	bool left_out;
	struct bytes encoded;
};

/* One after another, as they stand. */
static size_t
split(struct bytes all, struct piece pieces[IDS_MAX])
{
	struct reader r = reader_of(all);
	struct attest_claim claim;
	size_t count = 0, before = r.left;

	while (count < IDS_MAX && attest_claim_next(&r, &claim)) {
		pieces[count++] = (struct piece){
			.id = (uint8_t)claim.rule->id,
			.encoded = {all.data + (all.size - before), before - r.left}};
		before = r.left;
	}
	return count;
}

static struct piece *
largest(struct piece *pieces, size_t count)
{
	struct piece *found = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!pieces[i].left_out && (!found || pieces[i].encoded.size > found->encoded.size))
			found = &pieces[i];
	}
	return found;
}

void
claims_select(struct bytes all, struct writer *kept_w, struct claims_record *ret_record)
{
	struct piece pieces[IDS_MAX];
	size_t count = split(all, pieces);
	size_t size = 0;
	struct piece *piece;

	for (size_t i = 0; i < count; i++)
		size += pieces[i].encoded.size;
	while (size > CLAIMS_KEPT_MAX && (piece = largest(pieces, count)) != NULL) {
		piece->left_out = true;
		size -= piece->encoded.size;
	}
	*ret_record = (struct claims_record){0};
	claims_hash(all, ret_record->hash);
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].left_out)
			ret_record->left_out[ret_record->left_out_count++] = pieces[i].id;
		else
			write_bytes(kept_w, pieces[i].encoded);
	}
	ret_record->kept = writer_bytes(kept_w);
}

void
claims_record_write(struct writer *w, const struct claims_record *record)
{
	write_u8(w, RECORD_VERSION);
	write_bytes(w, BYTES_OF(record->hash));
	write_u8(w, record->left_out_count);
	write_bytes(w, (struct bytes){record->left_out, record->left_out_count});
	write_lp(w, record->kept);
}

bool
claims_record_read(struct bytes encoded, struct claims_record *ret_record)
{
	struct reader r = reader_of(encoded);
	struct claims_record record = {0};

	uint8_t version = read_u8(&r);
	read_copy(&r, record.hash, sizeof(record.hash));
	record.left_out_count = read_u8(&r);
	read_copy(&r, record.left_out, record.left_out_count);
	record.kept = read_lp(&r, CLAIMS_KEPT_MAX);
	if (!reader_finished(&r) || version != RECORD_VERSION || !attest_claims_valid(record.kept))
		return false;
	for (size_t i = 0; i < record.left_out_count; i++) {
		if (!attest_claim_rule(record.left_out[i]) ||
		    (i > 0 && record.left_out[i] <= record.left_out[i - 1]))
			return false;
	}
	*ret_record = record;
	return true;
}

/* ---- for people ---- */

static void
out_value(struct json *json, const char *name, enum attest_claim_kind kind, struct bytes value)
{
	switch (kind) {
	case CLAIM_KIND_BOOLEAN:
		out_boolean(json, name, attest_claim_value_boolean(value));
		return;
	case CLAIM_KIND_NUMBER:
		out_number(json, name, attest_claim_value_number(value));
		return;
	case CLAIM_KIND_TEXT:
		out_string(json, name, value);
		return;
	case CLAIM_KIND_DIGEST:
		out_hex(json, name, value);
		return;
	}
}

void
claims_out(struct json *json, struct bytes claims)
{
	struct reader r = reader_of(claims);
	struct attest_claim claim;

	while (attest_claim_next(&r, &claim)) {
		const struct attest_claim_rule *rule = claim.rule;
		if (!rule->list) {
			out_value(json, rule->name, rule->kind, attest_claim_next_value(&claim));
			continue;
		}
		out_array(json, rule->name);
		for (uint32_t i = 0; i < claim.count; i++)
			out_value(json, NULL, rule->kind, attest_claim_next_value(&claim));
		out_array_end(json);
	}
}

static void
out_measure(struct json *json, const char *name, const char *of, uint64_t measure)
{
	out_object(json, name);
	out_number(json, of, measure);
	out_object_end(json);
}

void
claims_out_small(struct json *json, struct bytes claims)
{
	struct reader r = reader_of(claims);
	struct attest_claim claim;

	while (attest_claim_next(&r, &claim)) {
		const struct attest_claim_rule *rule = claim.rule;
		struct bytes value = attest_claim_next_value(&claim);
		if (rule->list)
			out_measure(json, rule->name, "count", claim.count);
		else if (rule->kind == CLAIM_KIND_TEXT && value.size > CLAIMS_TEXT_SHOWN)
			out_measure(json, rule->name, "size", value.size);
		else
			out_value(json, rule->name, rule->kind, value);
	}
}
