/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"
#include "start.h"
#include "supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	const char *config;
	const char *role;
	long min_revision;
	bool check;
	bool help;
	bool version;
};

static const char usage[] =
	"usage: posternd --config FILE [--min-revision N] [--check]\n"
	"       posternd --help | --version\n"
	"\n"
	"  --config FILE     what to read; posternd(8) tells its keys\n"
	"  --min-revision N  the trust revision that somebody has seen: with a store that\n"
	"                    is older the broker starts frozen, and says so\n"
	"  --check           read and check the configuration, and do no more\n";

/* Digits alone: strtol would take white space and signs. */
static bool
parse_revision(const char *text, long *ret_revision)
{
	if (text[0] == '\0' || strspn(text, "0123456789") != strlen(text))
		return false;
	errno = 0;
	long revision = strtol(text, NULL, 10);
	if (errno != 0)
		return false;
	*ret_revision = revision;
	return true;
}

static bool
parse_options(int count, char **arguments, struct options *ret_options)
{
	static const struct option known[] = {
		{"config", required_argument, NULL, 'c'},
		{"min-revision", required_argument, NULL, 'm'},
		{"check", no_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{"role", required_argument, NULL, 'r'}, /* for the supervisor alone */
		{NULL, 0, NULL, 0},
	};
	struct options options = {0};
	for (int found; (found = getopt_long(count, arguments, "", known, NULL)) != -1;) {
		switch (found) {
		case 'c':
			options.config = optarg;
			break;
		case 'm':
			if (!parse_revision(optarg, &options.min_revision))
				return false;
			break;
		case 'n':
			options.check = true;
			break;
		case 'h':
			options.help = true;
			break;
		case 'v':
			options.version = true;
			break;
		case 'r':
			options.role = optarg;
			break;
		default:
			return false;
		}
	}
	*ret_options = options;
	return optind == count;
}

static int
run_role(const char *name)
{
	static int (*const mains[ROLE_COUNT])(void) = {
		[ROLE_DOOR] = door_main,
		[ROLE_GATEWAY] = gateway_main,
		[ROLE_KEEPER] = keeper_main,
		[ROLE_APPRAISER] = appraiser_main,
	};
	for (unsigned i = 0; i < ROLE_COUNT; i++) {
		if (strcmp(name, role_name((enum role_kind)i)) == 0)
			return role_start((enum role_kind)i) ? mains[i]() : ROLE_EXIT_FAILED;
	}
	fputs(usage, stderr);
	return ROLE_EXIT_USAGE;
}

static int
run(const struct options *options)
{
	char problem[CONFIG_PROBLEM_SIZE];
	struct config *config = config_load(options->config, options->min_revision, problem);
	if (config == NULL) {
		role_complain("%s", problem);
		return ROLE_EXIT_CONFIGURATION;
	}
	int status = ROLE_EXIT_FAILED;
	if (options->check) {
		puts("posternd: the configuration is fine");
		status = ROLE_EXIT_OK;
	} else if (process_harden()) {
		status = supervise(config);
	}
	config_free(config);
	return status;
}

/* A program started with one of these closed would get a channel in its place, and print into it.
 */
static bool
fill_standard_descriptors(void)
{
	int descriptor;
	do
		descriptor = open("/dev/null", O_RDWR);
	while (descriptor >= 0 && descriptor <= STDERR_FILENO);
	return descriptor >= 0 && close(descriptor) == 0;
}

int
main(int count, char **arguments)
{
	struct options options;
	if (!fill_standard_descriptors())
		return ROLE_EXIT_FAILED;
	if (!parse_options(count, arguments, &options)) {
		fputs(usage, stderr);
		return ROLE_EXIT_USAGE;
	}
	if (options.role != NULL)
		return run_role(options.role);
	if (options.help) {
		fputs(usage, stdout);
		return ROLE_EXIT_OK;
	}
	if (options.version) {
		puts("posternd " POSTERN_VERSION);
		return ROLE_EXIT_OK;
	}
	if (options.config == NULL) {
		fputs(usage, stderr);
		return ROLE_EXIT_USAGE;
	}
	return run(&options);
}
