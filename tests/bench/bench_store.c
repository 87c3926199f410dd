/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store costs, as ratios of what nobody can do without, measured in the same run. With
 * --only: one contender alone, for an instruction count:
 *
 *   for n in 10000 20000; do
 *       valgrind --tool=callgrind --callgrind-out-file=/dev/null bench_store --only erasable $n
 *   done
 *
 * The difference is of 10,000 reads, without what starting costs.
 */
#include "store_bench.h"

#include <getopt.h>
#include <linux/magic.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sysexits.h>
#include <unistd.h>

static const char usage[] =
	"usage: bench_store [--folder DIR] [--rounds N] [--million N] [--only CONTENDER COUNT]\n"
	"Durable commits and reads against bare LMDB, libsodium and the disk; with --million N, a "
	"store\n"
	"of N secrets instead. DIR (default TMPDIR, or /tmp) must be on a disk. Measure a release "
	"build:\n"
	"meson setup --buildtype=release DIR. CONTENDER is bare, plain or erasable.\n";

static unsigned long
number(const char *text, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end != '\0' || value == 0 || value > most)
		store_bench_die("%s: want a number from 1 to %lu", text, most);
	return value;
}

/* A folder of our own on a real disk: on another, syncing costs nothing and says nothing. */
static void
folder_make(const char *parent, char ret_folder[BENCH_PATH_MAX])
{
	struct statfs system;

	bench_path(parent, "postern-bench-XXXXXX", ret_folder);
	if (statfs(parent, &system) != 0 || mkdtemp(ret_folder) == NULL)
		store_bench_die("%s: no folder can be made there", parent);
	if (system.f_type != TMPFS_MAGIC && system.f_type != RAMFS_MAGIC)
		return;
	(void)rmdir(ret_folder);
	store_bench_die("%s is in memory: give --folder DIR on a disk", parent);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"folder", required_argument, NULL, 'f'},  {"rounds", required_argument, NULL, 'r'},
		{"million", required_argument, NULL, 'm'}, {"only", required_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},	   {NULL, 0, NULL, 0}};
	const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
	const char *only = NULL;
	struct bench_options options = {.rounds = 41, .seconds = 0.2};
	char folder[BENCH_PATH_MAX];
	bool known = true;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (option == 'f')
			parent = optarg;
		else if (option == 'r')
			options.rounds = (unsigned)number(optarg, 101);
		else if (option == 'm')
			options.secrets = number(optarg, 9999999);
		else if (option == 'o')
			only = optarg;
		else {
			fputs(usage, option == 'h' ? stdout : stderr);
			return option == 'h' ? EX_OK : EX_USAGE;
		}
	}
	if (argc - optind != (only != NULL ? 1 : 0)) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (sodium_init() < 0)
		store_bench_die("libsodium does not start");
	folder_make(parent, folder);
	options.folder = folder;
	if (only != NULL) {
		known = bench_gets_only(&options, only, number(argv[optind], 100000000));
	} else if (options.secrets > 0) {
		bench_million(&options);
	} else {
		bench_commits(&options);
		bench_gets(&options);
	}
	(void)rmdir(folder);
	if (!known)
		store_bench_die("%s: not bare, plain or erasable", only);
	return EX_OK;
}
