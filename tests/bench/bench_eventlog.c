/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event log costs to examine. Without arguments: times, the ratio to the hashing alone, and
 * hostile logs. With `examine N` or `floor N`: one of both N times, for an instruction count:
 *
 *   for mode in examine floor; do
 *       valgrind --tool=callgrind --callgrind-out-file=/dev/null bench_eventlog $mode 200
 *   done
 *
 * and the same with 100: the difference is of 100 runs, without what starting costs.
 */
#include "attest/crypto.h"
#include "attest/eventlog.h"
#include "tests/unit/attest/software_tpm.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define EV_SEPARATOR 4U
#define EV_IPL	     13U
#define EV_VARIABLE  0x80000001U
#define EV_BOOT	     0x80000002U
#define EV_AUTHORITY 0x800000e0U

static struct bytes
log_bytes(const struct software_log *log)
{
	return (struct bytes){log->data, log->size};
}

/* ---- a usual log: 120 events, 60 KB ---- */

#define SIGNATURE_SIZE 48

/* A dbx of one list of SHA-256 hashes. */
static struct bytes
dbx_of(uint8_t *memory, size_t capacity, size_t hashes)
{
	static const uint8_t sha256[] = {0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40,
					 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28};
	uint32_t sizes[3] = {(uint32_t)(28 + hashes * SIGNATURE_SIZE), 0, SIGNATURE_SIZE};
	struct writer w = writer_of(memory, capacity);

	write_bytes(&w, BYTES_OF(sha256));
	for (size_t i = 0; i < 3; i++)
		for (unsigned shift = 0; shift < 32; shift += 8)
			write_u8(&w, (uint8_t)(sizes[i] >> shift));
	for (size_t i = 0; i < hashes * SIGNATURE_SIZE; i++)
		write_u8(&w, (uint8_t)(i * 7 + i / 48));
	assert(!w.failed);
	return writer_bytes(&w);
}

/* What firmware measures into PCR 7 up to its separator. */
static void
begin_secure_boot(struct software_log *log, struct bytes dbx)
{
	static uint8_t keys[6133] = {0x30, 0x82};
	static const uint8_t separator[4];
	static const uint8_t on = 1;

	software_log_variable(log, EV_VARIABLE, false, "SecureBoot", (struct bytes){&on, 1});
	software_log_variable(log, EV_VARIABLE, false, "PK", (struct bytes){keys, 976});
	software_log_variable(log, EV_VARIABLE, false, "KEK", (struct bytes){keys, 4042});
	software_log_variable(log, EV_VARIABLE, true, "db", (struct bytes){keys, 6133});
	software_log_variable(log, EV_VARIABLE, true, "dbx", dbx);
	software_log_event(log, 7, EV_SEPARATOR, BYTES_OF(separator));
}

/* An authority as db has it: an owner and a certificate of `size` bytes. */
static struct bytes
authority_of(uint8_t *memory, uint16_t size)
{
	memset(memory, 0x55, 16U + size);
	memory[16] = 0x30;
	memory[17] = 0x82;
	memory[18] = (uint8_t)((size - 4) >> 8);
	memory[19] = (uint8_t)(size - 4);
	return (struct bytes){memory, 16U + size};
}

static void
grub_line(struct software_log *log, const char *text)
{
	char data[300];
	uint8_t digest[32];
	int size = snprintf(data, sizeof(data), "grub_cmd: %s", text);

	assert(size > 0 && (size_t)size < sizeof(data));
	assert(sha256((struct bytes){(const uint8_t *)text, strlen(text)}, digest));
	software_log_event_with(log, 8, EV_IPL, digest,
				(struct bytes){(const uint8_t *)data, (size_t)size + 1});
}

static void
usual_log(struct software_log *log)
{
	static uint8_t dbx[17836];
	static uint8_t certificate[1600];
	static uint8_t data[1100];
	static const uint8_t separator[4];
	char line[200];

	software_log_begin(log);
	for (unsigned i = 0; i < 20; i++)
		software_log_event(log,
				   i < 4    ? 0
				   : i < 12 ? 1
					    : 2,
				   EV_BOOT, (struct bytes){data, 60 + 40 * i});
	begin_secure_boot(log, dbx_of(dbx, sizeof(dbx), 371));
	for (uint32_t pcr = 0; pcr < 7; pcr++)
		software_log_event(log, pcr, EV_SEPARATOR, BYTES_OF(separator));
	software_log_variable(log, EV_AUTHORITY, true, "db", authority_of(certificate, 1556));
	for (unsigned i = 0; i < 6; i++)
		software_log_event(log, 4 + i % 2, EV_BOOT, (struct bytes){data, 200 + 150 * i});
	for (unsigned i = 0; i < 56; i++) {
		memset(line, 'a', sizeof(line));
		line[60 + 2 * i] = '\0';
		grub_line(log, line);
	}
	for (unsigned i = 0; i < 24; i++)
		software_log_event(log, i < 21 ? 9 : 14, EV_IPL, (struct bytes){data, 30 + 2 * i});
}

/* ---- the floor: every hash that a verifier of such a log cannot do without ---- */

struct work {
	struct bytes data;
	bool hash_data; /* a claim rests on it */
};

static size_t
work_of(struct bytes input, struct work *works, size_t most)
{
	struct attest_eventlog log;
	struct attest_event event;
	struct attest_error err;
	size_t count = 0;
	bool end;

	assert(attest_eventlog_open(input, &log, &err) == ATTEST_OK);
	for (;;) {
		assert(attest_eventlog_next(&log, &event, &end, &err) == ATTEST_OK);
		if (end)
			return count;
		if (!event.extends)
			continue;
		assert(count < most);
		works[count++] = (struct work){event.data, event.pcr == 7 || event.pcr == 8};
	}
}

/* Each extension once and each datum that a claim rests on once: a bare loop over OpenSSL. */
static void
hash_floor(const struct work *works, size_t count, EVP_MD_CTX *state, const EVP_MD *algorithm)
{
	static uint8_t both[64];
	unsigned char digest[32];

	for (size_t i = 0; i < count; i++) {
		assert(EVP_DigestInit_ex2(state, algorithm, NULL) == 1);
		assert(EVP_DigestUpdate(state, both, sizeof(both)) == 1);
		assert(EVP_DigestFinal_ex(state, digest, NULL) == 1);
		if (!works[i].hash_data)
			continue;
		assert(EVP_DigestInit_ex2(state, algorithm, NULL) == 1);
		assert(EVP_DigestUpdate(state, works[i].data.data, works[i].data.size) == 1);
		assert(EVP_DigestFinal_ex(state, digest, NULL) == 1);
	}
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double
time_examine(const struct software_log *log, unsigned times)
{
	struct attest_pcrs quoted;
	struct attest_report report;
	struct attest_error err;
	double start = now();

	attest_pcrs_of_quote((struct bytes){log->pcrs[0], sizeof(log->pcrs)}, &quoted);
	for (unsigned i = 0; i < times; i++) {
		enum attest_status status =
			attest_eventlog_examine(log_bytes(log), &quoted, &report, &err);
		assert(status == ATTEST_OK || status == ATTEST_LIMIT);
	}
	return now() - start;
}

static double
time_floor(const struct software_log *log, unsigned times)
{
	static struct work works[200];
	size_t count = work_of(log_bytes(log), works, 200);
	EVP_MD *algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	EVP_MD_CTX *state = EVP_MD_CTX_new();
	double start = now();

	for (unsigned i = 0; i < times; i++)
		hash_floor(works, count, state, algorithm);
	double taken = now() - start;
	EVP_MD_CTX_free(state);
	EVP_MD_free(algorithm);
	return taken;
}

/* ---- hostile logs: as large as is read, each costly in its own way ---- */

#define EVENTS	   16383
#define EVENT_SIZE (ATTEST_EVENTLOG_MAX / (EVENTS + 1) - 51)

static void
many_events(struct software_log *log, uint32_t pcr, uint32_t type)
{
	uint8_t data[EVENT_SIZE] = "grub_cmd: (";

	for (size_t i = 0; i < EVENTS; i++) {
		memcpy(data + 16, &i, sizeof(i));
		software_log_event(log, pcr, type, BYTES_OF(data));
	}
}

static void
tiny_in_pcr_0(struct software_log *log)
{
	many_events(log, 0, EV_IPL);
}

static void
tiny_in_pcr_4(struct software_log *log)
{
	many_events(log, 4, EV_IPL);
}

static void
tiny_in_pcr_8(struct software_log *log)
{
	many_events(log, 8, EV_IPL);
}

static void
tiny_in_pcr_11(struct software_log *log)
{
	many_events(log, 11, EV_IPL);
}

static void
tiny_in_pcr_12(struct software_log *log)
{
	many_events(log, 12, EV_IPL);
}

static void
tiny_in_pcr_14(struct software_log *log)
{
	many_events(log, 14, EV_IPL);
}

/* Each is hashed with its last byte, and then without. */
static void
authorities(struct software_log *log)
{
	uint8_t data[EVENT_SIZE] = {1};
	uint8_t digest[32];

	begin_secure_boot(log, (struct bytes){0});
	for (size_t i = 0; log->size < ATTEST_EVENTLOG_MAX - 200; i++) {
		memcpy(data, &i, sizeof(i));
		assert(sha256((struct bytes){data, sizeof(data) - 1}, digest));
		software_log_event_with(log, 7, EV_AUTHORITY, digest, BYTES_OF(data));
	}
}

static void
huge_dbx(struct software_log *log)
{
	static uint8_t dbx[ATTEST_EVENTLOG_MAX];

	begin_secure_boot(log, dbx_of(dbx, sizeof(dbx), 43000));
}

/* Lists without a hash in them: the most headers that fit. */
static void
dbx_of_headers(struct software_log *log)
{
	static uint8_t dbx[ATTEST_EVENTLOG_MAX];
	struct bytes one = dbx_of(dbx, sizeof(dbx), 0);
	size_t size = one.size;

	while (size < ATTEST_EVENTLOG_MAX - 15000) {
		memcpy(dbx + size, dbx, one.size);
		size += one.size;
	}
	begin_secure_boot(log, (struct bytes){dbx, size});
}

/* One event that every reading of PCR 8 is tried on. */
static void
huge_text(struct software_log *log)
{
	static uint8_t text[ATTEST_EVENTLOG_MAX - 1000] = "grub_cmd: ";
	static const uint8_t digest[32];

	software_log_event_with(log, 8, EV_IPL, digest, BYTES_OF(text));
}

static void
huge_authority(struct software_log *log)
{
	static uint8_t data[ATTEST_EVENTLOG_MAX - 14000];
	uint8_t digest[32];

	begin_secure_boot(log, (struct bytes){0});
	assert(sha256((struct bytes){data, sizeof(data) - 1}, digest));
	software_log_event_with(log, 7, EV_AUTHORITY, digest, BYTES_OF(data));
}

/* Long names, and more than a list has room for. */
static void
long_names(struct software_log *log)
{
	begin_secure_boot(log, (struct bytes){0});
	while (log->size < ATTEST_EVENTLOG_MAX - 1000)
		software_log_variable(log, EV_AUTHORITY, true,
				      "MokListTrustedMokListTrustedMokListTrustedMokListTrusted",
				      (struct bytes){0});
}

static void
padding(struct software_log *log)
{
	log->data = realloc(log->data, ATTEST_EVENTLOG_MAX);
	assert(log->data != NULL);
	memset(log->data + log->size, 0, ATTEST_EVENTLOG_MAX - log->size);
	log->size = ATTEST_EVENTLOG_MAX;
}

static const struct {
	const char *name;
	void (*fill)(struct software_log *log);
} HOSTILE[] = {
	{"16,383 events of PCR 0", tiny_in_pcr_0},
	{"16,383 events of PCR 4", tiny_in_pcr_4},
	{"16,383 events of PCR 8", tiny_in_pcr_8},
	{"16,383 events of PCR 11", tiny_in_pcr_11},
	{"16,383 events of PCR 12", tiny_in_pcr_12},
	{"16,383 events of PCR 14", tiny_in_pcr_14},
	{"authorities with a byte more", authorities},
	{"authorities with long names", long_names},
	{"a dbx of 43,000 hashes", huge_dbx},
	{"a dbx of 74,000 empty lists", dbx_of_headers},
	{"a text of 2 MiB", huge_text},
	{"an authority of 2 MiB", huge_authority},
	{"padding of 2 MiB", padding},
};

static double
time_replay(const struct software_log *log)
{
	static struct attest_pcrs pcrs[ATTEST_BANKS];
	struct attest_error err;
	uint32_t banks;
	double start = now();

	enum attest_status status = attest_eventlog_replay(log_bytes(log), pcrs, &banks, &err);
	assert(status == ATTEST_OK || status == ATTEST_LIMIT);
	return now() - start;
}

static double
time_proofs(const struct software_log *software)
{
	struct attest_eventlog log;
	struct attest_event event;
	struct attest_error err;
	enum attest_proof proof;
	struct bytes proved;
	bool end;
	double start = now();

	assert(attest_eventlog_open(log_bytes(software), &log, &err) == ATTEST_OK);
	while (attest_eventlog_next(&log, &event, &end, &err) == ATTEST_OK && !end)
		assert(attest_event_proof(&event, &proof, &proved, &err) == ATTEST_OK);
	return now() - start;
}

static void
report(void)
{
	struct software_log log;
	struct rusage usage;

	usual_log(&log);
	double examine = time_examine(&log, 2000) / 2000;
	double least = time_floor(&log, 2000) / 2000;
	printf("usual log, %zu bytes: %.0f us, hashing alone %.0f us, ratio %.2f\n", log.size,
	       examine * 1e6, least * 1e6, examine / least);
	software_log_free(&log);
	printf("%-32s %9s %9s %9s\n", "hostile log", "examine", "replay", "proofs");
	for (size_t i = 0; i < sizeof(HOSTILE) / sizeof(HOSTILE[0]); i++) {
		software_log_begin(&log);
		HOSTILE[i].fill(&log);
		assert(log.size <= ATTEST_EVENTLOG_MAX);
		printf("%-32s %6.1f ms %6.1f ms %6.1f ms\n", HOSTILE[i].name,
		       time_examine(&log, 1) * 1e3, time_replay(&log) * 1e3,
		       time_proofs(&log) * 1e3);
		software_log_free(&log);
	}
	getrusage(RUSAGE_SELF, &usage);
	printf("peak memory of all this, with the logs: %ld KiB\n", usage.ru_maxrss);
}

int
main(int count, char **arguments)
{
	struct software_log log;

	if (count == 1) {
		report();
		return EXIT_SUCCESS;
	}
	if (count != 3) {
		fprintf(stderr, "usage: bench_eventlog [examine N | floor N]\n");
		return EXIT_FAILURE;
	}
	unsigned times = (unsigned)strtoul(arguments[2], NULL, 10);
	usual_log(&log);
	if (strcmp(arguments[1], "floor") == 0)
		time_floor(&log, times);
	else
		time_examine(&log, times);
	software_log_free(&log);
	return EXIT_SUCCESS;
}
