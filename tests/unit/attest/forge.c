/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "quoted.h"
#include "software_tpm.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EV_NO_ACTION 3U

static void
sha256(struct bytes input, uint8_t ret[ATTEST_HASH_SIZE])
{
	assert_int_equal(EVP_Digest(input.data, input.size, ret, NULL, EVP_sha256(), NULL), 1);
}

static void
extend(struct forge *forge, uint32_t pcr, const uint8_t digest[ATTEST_HASH_SIZE])
{
	uint8_t both[2 * ATTEST_HASH_SIZE];

	memcpy(both, forge->pcrs[pcr], ATTEST_HASH_SIZE);
	memcpy(both + ATTEST_HASH_SIZE, digest, ATTEST_HASH_SIZE);
	sha256(BYTES_OF(both), forge->pcrs[pcr]);
}

void
forge_begin(struct forge *forge)
{
	memset(forge, 0, sizeof(*forge));
}

void
forge_measure_digest(struct forge *forge, uint32_t pcr, uint32_t type,
		     const uint8_t digest[ATTEST_HASH_SIZE], struct bytes data)
{
	struct forge_event *event = &forge->events[forge->count];

	assert_true(forge->count < FORGE_EVENTS_MAX);
	*event = (struct forge_event){.pcr = pcr, .type = type, .data = data};
	memcpy(event->digest, digest, ATTEST_HASH_SIZE);
	forge->count++;
	if (type != EV_NO_ACTION && pcr < ATTEST_PCR_COUNT)
		extend(forge, pcr, digest);
}

void
forge_measure(struct forge *forge, uint32_t pcr, uint32_t type, struct bytes data)
{
	uint8_t digest[ATTEST_HASH_SIZE];

	sha256(data, digest);
	forge_measure_digest(forge, pcr, type, digest, data);
}

void
forge_extend(struct forge *forge, uint32_t pcr, struct bytes data)
{
	uint8_t digest[ATTEST_HASH_SIZE];

	sha256(data, digest);
	extend(forge, pcr, digest);
}

void
forge_boot(struct forge *forge, struct bytes input)
{
	struct attest_eventlog log;
	struct attest_event event;
	struct attest_error err;
	bool end = false;

	forge_begin(forge);
	assert_int_equal(attest_eventlog_open(input, &log, &err), ATTEST_OK);
	for (;;) {
		assert_int_equal(attest_eventlog_next(&log, &event, &end, &err), ATTEST_OK);
		if (end)
			return;
		if (event.digests[ATTEST_SHA256].size != 0)
			forge_measure_digest(forge, event.pcr, event.type,
					     event.digests[ATTEST_SHA256].data, event.data);
		else if (event.extends)
			forge_measure(forge, event.pcr, event.type, event.data);
	}
}

size_t
forge_find(const struct forge *forge, uint32_t pcr, unsigned nth)
{
	for (size_t i = 0; i < forge->count; i++)
		if (forge->events[i].pcr == pcr && forge->events[i].type != EV_NO_ACTION &&
		    nth-- == 0)
			return i;
	fail_msg("PCR %u has fewer events", pcr);
	return 0;
}

void
forge_remove(struct forge *forge, size_t index)
{
	assert_true(index < forge->count);
	forge->count--;
	memmove(&forge->events[index], &forge->events[index + 1],
		(forge->count - index) * sizeof(forge->events[0]));
}

/* From the last event: a count of one, its algorithm and itself, and the size of the data follow
 * the PCR and the type. */
static void
strip_digest(struct software_log *log, size_t data_size)
{
	uint8_t *count = log->data + log->size - data_size - 4 - ATTEST_HASH_SIZE - 2 - 4;

	*count = 0;
	memmove(count + 4, count + 4 + 2 + ATTEST_HASH_SIZE, 4 + data_size);
	log->size -= 2 + ATTEST_HASH_SIZE;
}

void
forge_examine(const struct forge *forge, struct attest_report *ret_report)
{
	struct software_log log;
	struct attest_error err = {0};

	software_log_begin(&log);
	for (size_t i = 0; i < forge->count; i++) {
		software_log_event_with(&log, forge->events[i].pcr, forge->events[i].type,
					forge->events[i].digest, forge->events[i].data);
		if (forge->events[i].bare)
			strip_digest(&log, forge->events[i].data.size);
	}
	enum attest_status status = attest_eventlog_examine((struct bytes){log.data, log.size},
							    quoted(forge->pcrs), ret_report, &err);
	if (status == ATTEST_MALFORMED)
		memset(ret_report, 0, sizeof(*ret_report));
	else if (status != ATTEST_OK)
		fail_msg("%s", err.message);
	software_log_free(&log);
}

/* Is every value of `honest` in `forged`, in order? */
static bool
has_all(struct attest_claim honest, struct attest_claim forged)
{
	uint32_t left = forged.count;

	for (uint32_t i = 0; i < honest.count; i++) {
		struct bytes wanted = attest_claim_next_value(&honest);
		bool found = false;

		while (left-- > 0 && !found)
			found = bytes_equal(wanted, attest_claim_next_value(&forged));
		if (!found)
			return false;
		left++;
	}
	return true;
}

enum forge_fate
forge_fate(const struct attest_claims *honest, const struct attest_claims *forged,
	   enum attest_claim_id id)
{
	struct attest_claim a;
	struct attest_claim b;
	bool had = attest_claims_find(honest, id, &a);
	bool has = attest_claims_find(forged, id, &b);

	if (!had || !has)
		return had ? FORGE_GONE : has ? FORGE_NEW : FORGE_NONE;
	if (!has_all(a, b) || (!a.rule->list && !has_all(b, a)))
		return FORGE_FALSE;
	return a.count == b.count ? FORGE_SAME : FORGE_MORE;
}

const char *
forge_fate_name(enum forge_fate fate)
{
	static const char *const names[] = {"none", "same", "gone", "more", "new", "FALSE"};

	return names[fate];
}
