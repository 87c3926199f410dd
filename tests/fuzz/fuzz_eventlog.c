/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first byte, then: if it is even, a log as it is; if odd, events whose digests are computed
 * here, for a fuzzer finds no hash, and behind the digests are most of the decoders. Each log is
 * read, each event's proof is taken, and the log is examined by the values that it leads to.
 */
#include "attest/eventlog.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define LOG_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static void
write_le(struct writer *w, uint32_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		write_u8(w, (uint8_t)(value >> 8 * i));
}

static void
write_header(struct writer *w)
{
	static const uint8_t spec_id[] = {'S', 'p', 'e', 'c', ' ', 'I', 'D',  ' ', 'E',	 'v', 'e',
					  'n', 't', '0', '3', 0,   0,	0,    0,   0,	 0,   2,
					  0,   2,   1,	 0,   0,   0,	0x0b, 0,   0x20, 0,   0};
	static const uint8_t no_digest[20];

	write_le(w, 0, 4);
	write_le(w, 3, 4);
	write_bytes(w, BYTES_OF(no_digest));
	write_le(w, sizeof(spec_id), 4);
	write_bytes(w, BYTES_OF(spec_id));
}

/* pcr:u8, type:u8, how much of the data is hashed:u8, size:le16, data */
static void
write_event(struct writer *w, struct reader *r)
{
	static const uint32_t types[] = {0x80000001, 4, 0x800000e0, 0x80000007, 13, 5, 6, 3, 8, 2};
	uint8_t digest[EVP_MAX_MD_SIZE];
	uint8_t pcr = read_u8(r) % ATTEST_PCRS;
	uint32_t type = types[read_u8(r) % (sizeof(types) / sizeof(types[0]))];
	uint8_t cut = read_u8(r);
	struct bytes event = read_bytes(r, read_le16(r));
	struct bytes hashed = event;

	if (r->failed)
		return;
	if (cut < 2 && hashed.size > cut)
		hashed.size -= cut;
	else if (hashed.size > cut) {
		hashed.data += cut;
		hashed.size -= cut;
	}
	check(EVP_Digest(hashed.data, hashed.size, digest, NULL, EVP_sha256(), NULL) == 1);
	write_le(w, pcr, 4);
	write_le(w, type, 4);
	write_le(w, 1, 4);
	write_le(w, 0x0b, 2);
	write_bytes(w, (struct bytes){digest, 32});
	write_le(w, (uint32_t)event.size, 4);
	write_bytes(w, event);
}

/* True: the whole log parses. */
static bool
read_all(struct bytes input)
{
	struct attest_eventlog log;
	struct attest_event event;
	struct attest_error err;
	bool end = false;

	if (attest_eventlog_open(input, &log, &err) != ATTEST_OK)
		return false;
	for (uint32_t number = 0;; number++) {
		struct bytes proved;
		enum attest_proof proof;

		if (attest_eventlog_next(&log, &event, &end, &err) != ATTEST_OK)
			return false;
		if (end)
			return true;
		check(event.number == number && event.offset < input.size);
		check(attest_event_proof(&event, &proof, &proved, &err) == ATTEST_OK);
		check(proved.size <= event.data.size);
		check(proved.size == 0 ||
		      (proved.data >= event.data.data &&
		       proved.data + proved.size <= event.data.data + event.data.size));
		check(event.extends || proof == ATTEST_PROOF_NOTHING);
	}
}

static bool
is_zero(const uint8_t value[ATTEST_DIGEST_MAX])
{
	static const uint8_t zero[ATTEST_DIGEST_MAX];

	return memcmp(value, zero, sizeof(zero)) == 0;
}

static void
examine(struct bytes log, struct attest_pcrs *quoted)
{
	static struct attest_report report;
	struct attest_claim claim;
	struct attest_error err;

	if (attest_eventlog_examine(log, quoted, &report, &err) != ATTEST_OK)
		return;
	check(attest_claims_valid((struct bytes){report.claims.encoded, report.claims.size}));
	for (unsigned i = 0; i < ATTEST_PCR_COUNT; i++)
		check(report.pcrs[i] == ATTEST_PCR_EXACT);
	check(!report.replays || !is_zero(quoted->values[0]));
	/* And of a PCR that the log does not explain nothing is claimed. */
	quoted->values[7][0] ^= 1;
	check(attest_eventlog_examine(log, quoted, &report, &err) == ATTEST_OK);
	check(report.pcrs[7] == ATTEST_PCR_UNEXPLAINED && !report.replays);
	for (unsigned id = CLAIM_SECURE_BOOT; id <= CLAIM_UEFI_DEBUG_MODE; id++)
		check(!attest_claims_find(&report.claims, (enum attest_claim_id)id, &claim));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t memory[LOG_MAX];
	static struct attest_pcrs pcrs[ATTEST_BANKS];
	struct reader r = reader_of((struct bytes){data, size});
	struct writer w = writer_of(memory, sizeof(memory));
	struct attest_error err;
	uint32_t banks;

	bool made = (read_u8(&r) & 1) != 0;
	if (made)
		write_header(&w);
	while (made && r.left > 0 && !r.failed)
		write_event(&w, &r);
	struct bytes log = made ? writer_bytes(&w) : read_bytes(&r, r.left);
	bool parses = read_all(log);
	check((attest_eventlog_replay(log, pcrs, &banks, &err) == ATTEST_OK) == parses);
	if (!parses)
		return 0;
	examine(log, &pcrs[ATTEST_SHA256]);
	examine(log, &pcrs[ATTEST_SHA384]);
	return 0;
}
