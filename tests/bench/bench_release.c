/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU of one release, all of the daemon's processes counted, as a multiple of the cryptography that
 * no release can do without, measured beside it. Every answer is opened and checked; every release
 * is durable before it is answered.
 */
#include <getopt.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "daemon.h"
#include "fleet.h"
#include "floor.h"

#define BENCH_THREADS_MAX 64
#define BENCH_VALUE_SIZE  1024
#define BENCH_PATH	  "bench/password"

static const char policy[] =
	"permit (principal in MachineGroup::\"bench\", action == Action::\"release\", "
	"resource in Folder::\"bench\");";

struct options {
	size_t machines;
	size_t threads;
	size_t releases; /* in each row */
	unsigned rounds;
	unsigned workers; /* keeper threads */
};

struct row {
	const char *name;
	bool kept;
	bool with_log;
};

static const struct row rows[] = {
	{"kept connection, no log", true, false},
	{"kept connection, 100-event log", true, true},
	{"new TLS connection, no log", false, false},
	{"new TLS connection, 100-event log", false, true},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

struct measured {
	double us[ROW_COUNT][16]; /* by round */
	double per_second[ROW_COUNT][16];
	struct daemon_cpu roles[ROW_COUNT]; /* of the last round, per release */
	unsigned made[ROW_COUNT];
	unsigned resumed[ROW_COUNT];
};

static struct daemon daemon_state;
static struct bench_operator operator_keys;
static struct fleet fleet;
static uint8_t value[BENCH_VALUE_SIZE];

struct worker {
	pthread_t thread;
	struct client *client;
	const struct row *row;
	size_t first; /* this worker plays machines first, first + step, ... */
	size_t step;
	size_t next;
	size_t releases;
};

static void *
work(void *argument)
{
	struct worker *worker = argument;

	for (size_t i = 0; i < worker->releases; i++) {
		fleet_release(&fleet, worker->next, worker->row->with_log, &operator_keys,
			      worker->client, BENCH_PATH, BYTES_OF(value));
		if (!worker->row->kept)
			client_disconnect(worker->client);
		worker->next += worker->step;
		if (worker->next >= fleet.count)
			worker->next = worker->first;
	}
	return NULL;
}

static double
wall_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
run_row(struct worker *workers, const struct options *options, size_t row, unsigned round,
	struct measured *measured)
{
	struct daemon_cpu before;
	struct daemon_cpu after;
	size_t each = options->releases / options->threads;
	double releases = (double)(each * options->threads);
	double total = 0;

	daemon_cpu(&daemon_state, &before);
	double start = wall_s();
	for (size_t i = 0; i < options->threads; i++) {
		workers[i].row = &rows[row];
		workers[i].releases = each;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			bench_die("no thread");
	}
	for (size_t i = 0; i < options->threads; i++)
		pthread_join(workers[i].thread, NULL);
	double seconds = wall_s() - start;
	daemon_cpu(&daemon_state, &after);
	if (after.count != before.count)
		bench_die("the daemon's processes changed");
	for (int i = 0; i < after.count; i++) {
		after.us[i] = (after.us[i] - before.us[i]) / releases;
		total += after.us[i];
	}
	measured->us[row][round] = total;
	measured->per_second[row][round] = releases / seconds;
	measured->roles[row] = after;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *samples, unsigned count)
{
	double sorted[16];

	memcpy(sorted, samples, count * sizeof(double));
	qsort(sorted, count, sizeof(double), compare);
	return sorted[count / 2];
}

static void
print(const struct measured *measured, const struct options *options,
      const struct crypto_floor *floor)
{
	printf("crypto floor: P-256 verify %.1f + X25519 key pair %.1f + two agreements %.1f + 1 "
	       "KiB seal "
	       "%.1f = %.1f us\n",
	       floor->verify, floor->key_pair, floor->agreements, floor->seal, floor->total);
	printf("%zu machines, %zu closed-loop clients, %zu releases a row, medians of %u rounds; "
	       "every reply opened, every release durable\n\n",
	       options->machines, options->threads, options->releases, options->rounds);
	printf("%-36s %9s %8s %11s  %s\n", "", "CPU us", "x floor", "releases/s",
	       "last round, us by process");
	for (size_t row = 0; row < ROW_COUNT; row++) {
		double us = median(measured->us[row], options->rounds);
		printf("%-36s %9.1f %8.2f %11.0f ", rows[row].name, us, us / floor->total,
		       median(measured->per_second[row], options->rounds));
		for (int i = 0; i < measured->roles[row].count; i++)
			printf(" %s %.0f", measured->roles[row].role[i],
			       measured->roles[row].us[i]);
		printf("\n");
	}
}

static void
count_connections(struct worker *workers, const struct options *options)
{
	unsigned made = 0;
	unsigned resumed = 0;

	for (size_t i = 0; i < options->threads; i++) {
		unsigned m;
		unsigned r;
		client_counts(workers[i].client, &m, &r);
		made += m;
		resumed += r;
	}
	printf("\n%u TLS connections, %u of them resumed\n", made, resumed);
}

static void
measure(const struct options *options)
{
	struct worker workers[BENCH_THREADS_MAX] = {0};
	static struct measured measured;
	char ca[256];

	snprintf(ca, sizeof(ca), "%s/config/ca.crt", daemon_state.folder);
	for (size_t i = 0; i < options->threads; i++)
		workers[i] = (struct worker){.client = client_new(ca, daemon_state.port),
					     .first = i,
					     .next = i,
					     .step = options->threads};
	struct crypto_floor floor = crypto_floor_measure();
	for (unsigned round = 0; round < options->rounds; round++)
		for (size_t row = 0; row < ROW_COUNT; row++)
			run_row(workers, options, row, round, &measured);
	print(&measured, options, &floor);
	count_connections(workers, options);
	for (size_t i = 0; i < options->threads; i++)
		client_free(workers[i].client);
}

static void
set_up(const struct options *options)
{
	char ca[256];

	snprintf(ca, sizeof(ca), "%s/config/ca.crt", daemon_state.folder);
	struct client *client = client_new(ca, daemon_state.port);
	bench_operator_load(&operator_keys, daemon_state.folder);
	randombytes_buf(value, sizeof(value));
	bench_apply_policy(&operator_keys, client, policy);
	bench_put_secret(&operator_keys, client, BENCH_PATH, BYTES_OF(value));
	fleet_admit(&fleet, options->machines, &operator_keys, client);
	bench_add_baseline(&operator_keys, client, "bench", software_tpm_pcrs(&fleet.machines[0]));
	client_free(client);
}

static void
stop_at_exit(void)
{
	daemon_stop(&daemon_state);
}

static size_t
number(const char *text, size_t max)
{
	char *end;
	unsigned long value_read = strtoul(text, &end, 10);

	if (*end != '\0' || value_read == 0 || value_read > max)
		bench_die("%s: want a number from 1 to %zu", text, max);
	return value_read;
}

static const char usage[] =
	"usage: bench_release [--machines N] [--clients N] [--releases N] [--rounds N] [--workers "
	"N] POSTERND "
	"POSTERN\n"
	"Starts a broker in a temporary folder (TMPDIR), admits machines with software keys, and "
	"prints the\n"
	"daemon's CPU for each release as a multiple of the cryptography it cannot do without.\n";

int
main(int argc, char **argv)
{
	static const struct option longs[] = {{"machines", required_argument, NULL, 'm'},
					      {"clients", required_argument, NULL, 'c'},
					      {"releases", required_argument, NULL, 'n'},
					      {"rounds", required_argument, NULL, 'r'},
					      {"workers", required_argument, NULL, 'w'},
					      {"help", no_argument, NULL, 'h'},
					      {NULL, 0, NULL, 0}};
	struct options options = {
		.machines = 1000, .threads = 16, .releases = 4000, .rounds = 5, .workers = 16};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'm')
			options.machines = number(optarg, 100000);
		else if (option == 'c')
			options.threads = number(optarg, BENCH_THREADS_MAX);
		else if (option == 'n')
			options.releases = number(optarg, 10000000);
		else if (option == 'r')
			options.rounds = (unsigned)number(optarg, 15);
		else if (option == 'w')
			options.workers = (unsigned)number(optarg, 64);
		else {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? EX_OK : EX_USAGE;
		}
	}
	if (argc - optind != 2 || options.threads > options.machines ||
	    options.releases < options.threads) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	atexit(stop_at_exit);
	daemon_start(&daemon_state, argv[optind], argv[optind + 1], options.workers);
	set_up(&options);
	measure(&options);
	fleet_free(&fleet);
	return EX_OK;
}
