/* SPDX-License-Identifier: Apache-2.0 */
/* The role: its configuration, the store's files and the local socket, which have paths, the root
 * key's file where there is one, its confinement. Everything else is keeper_unseal and
 * keeper_serve.
 */
#include "keeper.h"
#include "supervisor/role.h"
#include "wire/local.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As long as values are small. */
#define LOCKED_BY_WORKER ((size_t)128 * 1024 + KEEPER_STACK)
#define LOCKED_BESIDE	 ((size_t)512 * 1024 + 3 * KEEPER_STACK) /* keys, what unseals, the clerk */

static const struct settings_key keys[] = {
	{"store", false, true},
	{"root_key", false, false},
	{"control", false, false},
	{"sealed", false, false},
	{"min_revision", false, true},
	{"workers", false, true},
	{"challenge_lifetime", false, true},
	{"lease_lifetime", false, true},
	{"pending_max", false, true},
	{"stale_crls", false, true},
	{NULL, false, false},
};

#define LEASE_LIFETIME_MAX (366L * 24 * 3600)

static bool
read_options(const struct settings *settings, struct keeper_options *ret_options)
{
	long workers;
	long challenge_lifetime;
	long lease_lifetime;
	long pending_max;
	long min_revision;

	if (!settings_number(settings, "workers", 1, KEEPER_WORKERS_MAX, 4, &workers) ||
	    !settings_number(settings, "challenge_lifetime", 1, 60, 60, &challenge_lifetime) ||
	    !settings_number(settings, "lease_lifetime", 1, LEASE_LIFETIME_MAX, 3600,
			     &lease_lifetime) ||
	    !settings_number(settings, "pending_max", 0, TRUST_MACHINES_MAX, 1000, &pending_max) ||
	    !settings_number(settings, "min_revision", 0, LONG_MAX, 0, &min_revision))
		return false;
	*ret_options = (struct keeper_options){
		.store = settings_get(settings, "store", 0),
		.workers = (unsigned)workers,
		.pending_max = (unsigned)pending_max,
		.stale_crls = strcmp(settings_get(settings, "stale_crls", 0), "accept") == 0,
		.challenge_lifetime = (uint32_t)challenge_lifetime,
		.lease_lifetime = (uint32_t)lease_lifetime,
		.min_revision = (uint64_t)min_revision,
		.gateway = KEEPER_GATEWAY_CHANNEL,
		.supervisor = ROLE_SUPERVISOR_CHANNEL,
		.appraiser = KEEPER_APPRAISER_CHANNEL,
	};
	return true;
}

/* NULL: said on stderr. Read without stdio, which would keep a copy in its buffer. */
static struct secret *
read_root_key(const char *path)
{
	auto_secret *key = secret_new(STORE_ROOT_KEY_SIZE);
	struct stat status;
	uint8_t beyond;

	if (!key) {
		role_complain("no locked memory: raise RLIMIT_MEMLOCK");
		return NULL;
	}
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (file < 0 || fstat(file, &status) != 0) {
		role_complain("root_key: the file cannot be opened: %s", strerror(errno));
		if (file >= 0)
			close(file);
		return NULL;
	}
	/* The group's bit is what the access list of a systemd credential shows as: whether it is
	 * one, the supervisor has seen (config.c). */
	bool private =
		S_ISREG(status.st_mode) && (status.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) == 0;
	bool whole = read(file, key->bytes, key->size) == (ssize_t)key->size &&
		     read(file, &beyond, 1) == 0;
	close(file);
	if (!private) {
		role_complain("root_key: must be a file that its owner alone may read (mode 0600)");
		return NULL;
	}
	if (!whole) {
		role_complain("root_key: must hold exactly %d bytes", STORE_ROOT_KEY_SIZE);
		return NULL;
	}
	struct secret *taken = key;
	key = NULL;
	return taken;
}

/* Before anything is served: later it would be found out by whoever brings the last share. */
static bool
may_lock(unsigned workers)
{
	size_t wanted = LOCKED_BESIDE + workers * LOCKED_BY_WORKER;
	auto_secret *probe = secret_new(wanted);

	if (!probe)
		role_complain("secrets are locked in memory, and %zu KiB of it cannot be: raise "
			      "RLIMIT_MEMLOCK",
			      wanted / 1024);
	return probe != NULL;
}

/* Whatever has a path, while there are paths. An exit status that was said, or 0. */
static int
attach(struct keeper *keeper, struct keeper_options *options, const char *control)
{
	char problem[LOCAL_PROBLEM_SIZE > KEEPER_PROBLEM_SIZE ? LOCAL_PROBLEM_SIZE
							      : KEEPER_PROBLEM_SIZE];

	if (control && (options->control = local_listen(control, problem)) < 0) {
		role_complain("control: %s", problem);
		return ROLE_EXIT_CONFIGURATION;
	}
	if (keeper_attach(keeper, options, problem))
		return 0;
	role_complain("%s", problem);
	return ROLE_EXIT_FAILED;
}

static int
unseal(struct keeper *keeper, const char *path)
{
	const struct witness none = {0};
	char problem[KEEPER_PROBLEM_SIZE];
	struct secret *root_key = read_root_key(path);

	if (!root_key)
		return ROLE_EXIT_CONFIGURATION;
	enum keeper_unsealing outcome = keeper_unseal(keeper, root_key, &none, problem);
	secret_free(root_key);
	sodium_stackzero(KEEPER_STACK);
	if (outcome == KEEPER_UNSEALED)
		return 0;
	role_complain("%s", problem);
	return ROLE_EXIT_FAILED;
}

static int
run(struct keeper *keeper)
{
	if (!role_confine_beside(ROLE_KEEPER, keeper->options.store) || !role_ready())
		return ROLE_EXIT_FAILED;
	bool served = keeper_serve(keeper);
	if (atomic_load(&keeper->sealing))
		return ROLE_EXIT_SEALED;
	return served ? ROLE_EXIT_OK : ROLE_EXIT_FAILED;
}

int
keeper_main(void)
{
	static struct keeper keeper;
	struct keeper_options options;

	auto_settings *settings = role_begin(keys);
	if (!settings)
		return ROLE_EXIT_FAILED;
	if (!read_options(settings, &options)) {
		role_complain("a number in the configuration is out of range");
		return ROLE_EXIT_CONFIGURATION;
	}
	if (!may_lock(options.workers) || !keeper_lock_stack())
		return ROLE_EXIT_FAILED;
	const char *key_path =
		settings_get(settings, "sealed", 0) ? NULL : settings_get(settings, "root_key", 0);
	int status = attach(&keeper, &options, settings_get(settings, "control", 0));
	if (status != 0)
		return status;
	if (key_path)
		status = unseal(&keeper, key_path);
	if (status == 0)
		status = run(&keeper);
	keeper_close(&keeper);
	return status;
}
