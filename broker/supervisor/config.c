/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTEN_MAX 16
#define OTHERS_ALL (S_IRWXG | S_IRWXO)
/* The door holds two descriptors for each connection, and some for itself. */
#define DESCRIPTORS_FOR(connections) (2 * (connections) + 64)

#define SEALED_LINE "sealed = yes\n"

enum form { LISTEN, PUBLIC_FILE, PRIVATE_FILE, DIRECTORY, SOCKET, NUMBER, VERDICT };

/* Every key of posternd.conf. */
static const struct key {
	const char *key;
	enum form form;
	bool required;
	unsigned roles; /* bits: who gets it */
	long least;
	long most;
	long absent;
} keys[] = {
	{"listen", LISTEN, true, 1u << ROLE_DOOR, 0, 0, 0},
	{"tls_certificate", PUBLIC_FILE, true, 1u << ROLE_DOOR, 0, 0, 0},
	{"tls_key", PRIVATE_FILE, true, 1u << ROLE_DOOR, 0, 0, 0},
	{"store", DIRECTORY, true, 1u << ROLE_KEEPER, 0, 0, 0},
	{"root_key", PRIVATE_FILE, false, 1u << ROLE_KEEPER, 0, 0, 0},
	{"control", SOCKET, false, 1u << ROLE_KEEPER, 0, 0, 0},
	{"min_revision", NUMBER, false, 1u << ROLE_KEEPER, 0, LONG_MAX, 0},
	{"workers", NUMBER, false, 1u << ROLE_KEEPER, 1, 64, 16},
	{"challenge_lifetime", NUMBER, false, 1u << ROLE_KEEPER, 5, 60, 60},
	{"lease_lifetime", NUMBER, false, 1u << ROLE_KEEPER, 60, 604800, 3600},
	{"pending_max", NUMBER, false, 1u << ROLE_KEEPER, 1, 1000000, 1000},
	{"stale_crls", VERDICT, false, 1u << ROLE_KEEPER, 0, 0, 0},
	{"max_connections", NUMBER, false, 1u << ROLE_DOOR | 1u << ROLE_GATEWAY, 1, 100000, 1000},
};
#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

struct loading {
	const char *file;
	const struct settings *settings;
	long min_revision; /* the command line's */
	struct config *config;
	char *problem;
};

__attribute__((format(printf, 2, 3))) static bool
refuse(const struct loading *loading, const char *format, ...)
{
	int size = snprintf(loading->problem, CONFIG_PROBLEM_SIZE, "%.200s: ", loading->file);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(loading->problem + size, CONFIG_PROBLEM_SIZE - (size_t)size, format, arguments);
	va_end(arguments);
	return false;
}

/* ---- values ---- */

/* HOST:PORT or [IPv6]:PORT; whether the host is one, the door finds out. */
static bool
check_listen(const struct loading *loading, const char *value)
{
	const char *colon = strrchr(value, ':');
	bool bracketed = value[0] == '[';
	bool host = colon != NULL && colon > value &&
		    (bracketed ? colon[-1] == ']' && colon - value > 2
			       : memchr(value, ':', (size_t)(colon - value)) == NULL);
	unsigned port = 0;
	char rest;
	if (!host || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strlen(colon + 1) > 5 || sscanf(colon + 1, "%5u%c", &port, &rest) != 1 || port < 1 ||
	    port > 65535)
		return refuse(loading,
			      "listen = %.100s: write HOST:PORT, as 0.0.0.0:8443 or [::]:8443",
			      value);
	return true;
}

static bool
credentials_hold(const char *path)
{
	const char *directory = getenv("CREDENTIALS_DIRECTORY");
	size_t size = directory != NULL ? strlen(directory) : 0;
	return size > 0 && strncmp(path, directory, size) == 0 && path[size] == '/';
}

/* PATH, file:PATH or credential:NAME. */
static bool
resolve(const struct loading *loading, const char *key, const char *value,
	char ret_path[SETTINGS_VALUE_MAX + 1])
{
	static const char file[] = "file:";
	static const char credential[] = "credential:";
	int size;
	if (strncmp(value, credential, sizeof(credential) - 1) == 0) {
		const char *directory = getenv("CREDENTIALS_DIRECTORY");
		const char *name = value + sizeof(credential) - 1;
		if (directory == NULL)
			return refuse(
				loading,
				"%s = %.100s: no credentials: add LoadCredential= to the unit", key,
				value);
		if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL)
			return refuse(loading, "%s = %.100s: not the name of a credential", key,
				      value);
		size = snprintf(ret_path, SETTINGS_VALUE_MAX + 1, "%s/%s", directory, name);
	} else {
		bool prefixed = strncmp(value, file, sizeof(file) - 1) == 0;
		size = snprintf(ret_path, SETTINGS_VALUE_MAX + 1, "%s",
				prefixed ? value + sizeof(file) - 1 : value);
	}
	if (size < 0 || size > SETTINGS_VALUE_MAX)
		return refuse(loading, "%s: path longer than %d bytes", key, SETTINGS_VALUE_MAX);
	if (ret_path[0] != '/')
		return refuse(loading, "%s = %.100s: write the whole path, from /", key, value);
	return true;
}

/* Who could have put something else there. */
static bool
check_owner(const struct loading *loading, const char *key, const char *path,
	    const struct stat *info)
{
	if (info->st_uid == 0 || info->st_uid == geteuid() || geteuid() == 0)
		return true;
	return refuse(loading, "%s: %.200s belongs to another user: chown it", key, path);
}

static bool
check_mode(const struct loading *loading, const char *key, const char *path,
	   const struct stat *info, enum form form)
{
	mode_t forbidden = form == PUBLIC_FILE ? S_IWGRP | S_IWOTH : OTHERS_ALL;
	/* systemd gives a credential to its user by an access list, whose mask shows as the
	 * group's bits. */
	if (form == PRIVATE_FILE && credentials_hold(path))
		forbidden &= ~(mode_t)S_IRGRP;
	if ((info->st_mode & forbidden) == 0)
		return true;
	return refuse(loading, "%s: others than its owner can %s %.200s: chmod %s it", key,
		      form == PUBLIC_FILE ? "write" : "reach", path,
		      form == DIRECTORY	    ? "700"
		      : form == PUBLIC_FILE ? "644"
					    : "600");
}

static bool
check_path(const struct loading *loading, const char *key, const char *path, enum form form)
{
	bool directory = form == DIRECTORY;
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (descriptor < 0)
		return refuse(loading, "%s: %.200s: %s%s", key, path, strerror(errno),
			      directory && errno == ENOENT ? ": make it with 'postern init'" : "");
	struct stat info;
	int failed = fstat(descriptor, &info);
	close(descriptor);
	if (failed < 0)
		return refuse(loading, "%s: %.200s: %s", key, path, strerror(errno));
	if (directory ? !S_ISDIR(info.st_mode) : !S_ISREG(info.st_mode))
		return refuse(loading, "%s: %.200s is not a %s", key, path,
			      directory ? "directory" : "regular file");
	if (!directory && info.st_size == 0)
		return refuse(loading, "%s: %.200s is empty", key, path);
	return check_owner(loading, key, path, &info) &&
	       check_mode(loading, key, path, &info, form);
}

/* ---- the roles' parts ---- */

static bool
give(const struct loading *loading, const struct key *key, const char *value)
{
	for (unsigned role = 0; role < ROLE_COUNT; role++) {
		if ((key->roles & 1u << role) == 0)
			continue;
		char *text = loading->config->setup[role].text;
		size_t used = loading->config->setup[role].size;
		int size = snprintf(text + used, CONFIG_SETUP_SIZE - used, "%s = %s\n", key->key,
				    value);
		/* Room stays for config_seal. */
		if (size < 0 || (size_t)size + sizeof(SEALED_LINE) >= CONFIG_SETUP_SIZE - used)
			return refuse(loading, "too much of %s", key->key);
		loading->config->setup[role].size += (size_t)size;
	}
	return true;
}

static bool
load_number(const struct loading *loading, const struct key *key)
{
	long number;
	if (!settings_number(loading->settings, key->key, key->least, key->most, key->absent,
			     &number))
		return refuse(loading, "%s: a number from %ld to %ld", key->key, key->least,
			      key->most);
	if (strcmp(key->key, "min_revision") == 0 && number < loading->min_revision)
		number = loading->min_revision;
	char text[24];
	snprintf(text, sizeof(text), "%ld", number);
	return give(loading, key, text);
}

static bool
load_listen(const struct loading *loading, const struct key *key)
{
	for (size_t i = 0;; i++) {
		const char *value = settings_get(loading->settings, key->key, i);
		if (value == NULL)
			return true;
		if (i == LISTEN_MAX)
			return refuse(loading, "listen: more than %d addresses", LISTEN_MAX);
		if (!check_listen(loading, value) || !give(loading, key, value))
			return false;
	}
}

static bool
load_path(const struct loading *loading, const struct key *key)
{
	char path[SETTINGS_VALUE_MAX + 1];
	const char *value = settings_get(loading->settings, key->key, 0);
	return resolve(loading, key->key, value, path) &&
	       check_path(loading, key->key, path, key->form) && give(loading, key, path);
}

static bool
load_socket(const struct loading *loading, const struct key *key)
{
	char problem[LOCAL_PROBLEM_SIZE];
	const char *path = settings_get(loading->settings, key->key, 0);
	if (!local_check(path, problem))
		return refuse(loading, "%s: %s", key->key, problem);
	snprintf(loading->config->control, sizeof(loading->config->control), "%s", path);
	return give(loading, key, path);
}

/* "refuse", which is the default, or "accept". */
static bool
load_verdict(const struct loading *loading, const struct key *key)
{
	const char *value = settings_get(loading->settings, key->key, 0);
	if (value == NULL)
		value = "refuse";
	if (strcmp(value, "refuse") != 0 && strcmp(value, "accept") != 0)
		return refuse(loading, "%s: refuse or accept", key->key);
	return give(loading, key, value);
}

static bool
load_key(const struct loading *loading, const struct key *key)
{
	switch (key->form) {
	case LISTEN:
		return load_listen(loading, key);
	case NUMBER:
		return load_number(loading, key);
	case VERDICT:
		return load_verdict(loading, key);
	case SOCKET:
	case PUBLIC_FILE:
	case PRIVATE_FILE:
	case DIRECTORY:
		break;
	}
	/* The table's required ones are there: settings_load looked. */
	if (settings_get(loading->settings, key->key, 0) == NULL)
		return true;
	return key->form == SOCKET ? load_socket(loading, key) : load_path(loading, key);
}

/* Without a root key in a file somebody has to bring it. */
static bool
check_unsealing(const struct loading *loading)
{
	loading->config->sealed = settings_get(loading->settings, "root_key", 0) == NULL;
	if (!loading->config->sealed || loading->config->control[0] != '\0')
		return true;
	return refuse(loading, "root_key is missing: add a line 'root_key = FILE', or 'control = "
			       "PATH' for a socket at which 'postern unseal' gives the key");
}

static bool
check_descriptors(const struct loading *loading)
{
	struct rlimit limit;
	long connections;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 ||
	    !settings_number(loading->settings, "max_connections", 1, 100000, 1000, &connections))
		return refuse(loading, "max_connections: cannot be checked");
	rlim_t needed = (rlim_t)DESCRIPTORS_FOR(connections);
	if (limit.rlim_max >= needed)
		return true;
	return refuse(loading,
		      "max_connections = %ld needs %lu open files and %lu are allowed: raise "
		      "LimitNOFILE= or lower it",
		      connections, (unsigned long)needed, (unsigned long)limit.rlim_max);
}

static bool
load(const struct loading *loading)
{
	for (size_t i = 0; i < KEY_COUNT; i++) {
		if (!load_key(loading, &keys[i]))
			return false;
	}
	return check_unsealing(loading) && check_descriptors(loading);
}

struct config *
config_load(const char *file, long min_revision, char problem[CONFIG_PROBLEM_SIZE])
{
	struct settings_key known[KEY_COUNT + 1] = {0};
	for (size_t i = 0; i < KEY_COUNT; i++)
		known[i] = (struct settings_key){keys[i].key, keys[i].form == LISTEN,
						 keys[i].required};
	auto_settings *settings = settings_load(file, known, problem);
	if (settings == NULL)
		return NULL;
	struct config *config = calloc(1, sizeof(*config));
	const struct loading loading = {file, settings, min_revision, config, problem};
	if (config == NULL) {
		refuse(&loading, "out of memory");
		return NULL;
	}
	if (!load(&loading)) {
		config_free(config);
		return NULL;
	}
	return config;
}

void
config_free(struct config *config)
{
	free(config);
}

void
config_seal(struct config *config)
{
	static const char line[] = SEALED_LINE;
	size_t used = config->setup[ROLE_KEEPER].size;
	if (config->sealed)
		return;
	memcpy(config->setup[ROLE_KEEPER].text + used, line, sizeof(line));
	config->setup[ROLE_KEEPER].size = used + sizeof(line) - 1;
	config->sealed = true;
}
