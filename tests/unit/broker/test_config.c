/* SPDX-License-Identifier: Apache-2.0 */
/* posternd.conf: what is refused, with the words that tell the operator what to do, and what each
 * role gets. */
#include "supervisor/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/postern-config-XXXXXX";

static void
make_file(const char *name, mode_t mode, const char *text)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static int
set_up(void **state)
{
	char path[128];
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/store", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/open-store", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0750), 0);
	snprintf(path, sizeof(path), "%s/shared", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chmod(path, 0770), 0);
	make_file("crt", 0644, "certificate");
	make_file("open-crt", 0664, "certificate");
	make_file("key", 0600, "key");
	make_file("group-key", 0640, "key");
	make_file("open-key", 0604, "key");
	make_file("empty", 0600, "");
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	return 0;
}

static int
tear_down(void **state)
{
	static const char *const names[] = {"crt",	"open-crt", "key",   "group-key",
					    "open-key", "empty",    "store", "open-store",
					    "conf",	"shared"};
	char path[128];
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		remove(path);
	}
	return rmdir(folder);
}

static long min_revision;

/* In a template, '@' is the folder. */
static struct config *
load(const char *template, char problem[CONFIG_PROBLEM_SIZE])
{
	char text[4096];
	size_t used = 0;
	for (; *template != '\0'; template ++) {
		if (*template == '@')
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", folder);
		else
			text[used++] = *template;
	}
	text[used] = '\0';
	make_file("conf", 0600, text);
	char path[128];
	snprintf(path, sizeof(path), "%s/conf", folder);
	problem[0] = '\0';
	return config_load(path, min_revision, problem);
}

#define LISTEN	    "listen = 0.0.0.0:8200\n"
#define CERTIFICATE "tls_certificate = @/crt\n"
#define KEY	    "tls_key = @/key\n"
#define STORE	    "store = @/store\n"
#define ROOT	    "root_key = file:@/key\n"
#define CONTROL	    "control = @/socket\n"
#define LONG_FOLDER "@/.././.././.././.././.././.././.././.././.././.././.././.././.././.././.././"

static void
test_parts(void **state)
{
	char problem[CONFIG_PROBLEM_SIZE];
	char want[512];
	(void)state;
	struct config *config = load(LISTEN "listen = [::]:8200\n" CERTIFICATE
					    "tls_key = credential:group-key\n" STORE ROOT
					    "workers = 3\nmax_connections = 20\n",
				     problem);
	assert_string_equal(problem, "");
	assert_non_null(config);
	snprintf(want, sizeof(want),
		 "listen = 0.0.0.0:8200\nlisten = [::]:8200\ntls_certificate = %s/crt\n"
		 "tls_key = %s/group-key\nmax_connections = 20\n",
		 folder, folder);
	assert_string_equal(config->setup[ROLE_DOOR].text, want);
	assert_int_equal(config->setup[ROLE_DOOR].size, strlen(want));
	assert_string_equal(config->setup[ROLE_GATEWAY].text, "max_connections = 20\n");
	snprintf(want, sizeof(want),
		 "store = %s/store\nroot_key = %s/key\nmin_revision = 0\nworkers = 3\n"
		 "challenge_lifetime = 60\nlease_lifetime = 3600\npending_max = 1000\nstale_crls = "
		 "refuse\n",
		 folder, folder);
	assert_string_equal(config->setup[ROLE_KEEPER].text, want);
	assert_int_equal(config->setup[ROLE_APPRAISER].size, 0);
	assert_false(config->sealed);
	assert_string_equal(config->control, "");
	config_free(config);
}

static struct config *
good(const char *template)
{
	char problem[CONFIG_PROBLEM_SIZE];
	struct config *config = load(template, problem);
	assert_string_equal(problem, "");
	assert_non_null(config);
	return config;
}

static bool
keeper_gets(const struct config *config, const char *line)
{
	return strstr(config->setup[ROLE_KEEPER].text, line) != NULL;
}

/* Without a key in a file it starts sealed; with one it can be sealed, once. */
static void
test_sealed(void **state)
{
	char line[128];
	(void)state;
	struct config *config = good(LISTEN CERTIFICATE KEY STORE CONTROL);
	assert_true(config->sealed);
	snprintf(line, sizeof(line), "%s/socket", folder);
	assert_string_equal(config->control, line);
	snprintf(line, sizeof(line), "\ncontrol = %s/socket\n", folder);
	assert_true(keeper_gets(config, line));
	assert_false(keeper_gets(config, "root_key"));
	assert_false(keeper_gets(config, "sealed"));
	config_free(config);

	config = good(LISTEN CERTIFICATE KEY STORE ROOT CONTROL);
	assert_false(config->sealed);
	assert_true(keeper_gets(config, "root_key = "));
	config_seal(config);
	size_t size = config->setup[ROLE_KEEPER].size;
	assert_true(config->sealed);
	assert_true(keeper_gets(config, "\nsealed = yes\n"));
	assert_int_equal(strlen(config->setup[ROLE_KEEPER].text), size);
	config_seal(config);
	assert_int_equal(config->setup[ROLE_KEEPER].size, size);
	config_free(config);
}

/* Of the file's and the command line's the higher one. */
static void
test_min_revision(void **state)
{
	static const struct {
		const char *text;
		long option;
		const char *line;
	} table[] = {
		{LISTEN CERTIFICATE KEY STORE ROOT, 0, "\nmin_revision = 0\n"},
		{LISTEN CERTIFICATE KEY STORE ROOT, 7, "\nmin_revision = 7\n"},
		{LISTEN CERTIFICATE KEY STORE ROOT "min_revision = 9\n", 7, "\nmin_revision = 9\n"},
		{LISTEN CERTIFICATE KEY STORE ROOT "min_revision = 6\n", 7, "\nmin_revision = 7\n"},
		{LISTEN CERTIFICATE KEY STORE ROOT "min_revision = 9223372036854775807\n", 7,
		 "\nmin_revision = 9223372036854775807\n"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		min_revision = table[i].option;
		struct config *config = good(table[i].text);
		min_revision = 0;
		if (!keeper_gets(config, table[i].line))
			fail_msg("not %s in %s", table[i].line, config->setup[ROLE_KEEPER].text);
		config_free(config);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text;
		const char *problem;
	} table[] = {
		{CERTIFICATE KEY STORE ROOT, "listen is missing"},
		{LISTEN CERTIFICATE KEY STORE,
		 "root_key is missing: add a line 'root_key = FILE', or 'control = PATH'"},
		{LISTEN CERTIFICATE KEY ROOT, "store is missing"},
		{LISTEN CERTIFICATE KEY STORE ROOT "control = socket\n",
		 "control: socket: write a socket's whole path"},
		{LISTEN CERTIFICATE KEY STORE ROOT "control = @/\n", "write a socket's whole path"},
		{LISTEN CERTIFICATE KEY STORE ROOT "control = @/none/socket\n", "make it first"},
		{LISTEN CERTIFICATE KEY STORE ROOT "control = @/key/socket\n", "Not a directory"},
		{LISTEN CERTIFICATE KEY STORE ROOT "control = @/shared/socket\n",
		 "others than its owner can write there"},
		{LISTEN CERTIFICATE KEY STORE ROOT "control = " LONG_FOLDER "socket\n",
		 "longer than the 107 bytes of a socket's path"},
		{LISTEN CERTIFICATE KEY STORE ROOT CONTROL CONTROL, "control is set twice"},
		{LISTEN CERTIFICATE KEY STORE ROOT "min_revision = -1\n", "min_revision: a number"},
		{LISTEN CERTIFICATE KEY STORE ROOT "min_revision = 9223372036854775808\n",
		 "min_revision: a number"},
		{LISTEN CERTIFICATE KEY STORE ROOT "port = 3\n", "unknown setting 'port'"},
		{"listen = 8200\n" CERTIFICATE KEY STORE ROOT, "write HOST:PORT"},
		{"listen = :8200\n" CERTIFICATE KEY STORE ROOT, "write HOST:PORT"},
		{"listen = a:0\n" CERTIFICATE KEY STORE ROOT, "write HOST:PORT"},
		{"listen = a:65536\n" CERTIFICATE KEY STORE ROOT, "write HOST:PORT"},
		{"listen = a:+80\n" CERTIFICATE KEY STORE ROOT, "write HOST:PORT"},
		{"listen = a:\n" CERTIFICATE KEY STORE ROOT, "write HOST:PORT"},
		{"listen = ::1:80\n" CERTIFICATE KEY STORE ROOT, "write HOST:PORT"},
		{"listen = []:80\n" CERTIFICATE KEY STORE ROOT, "write HOST:PORT"},
		{LISTEN "tls_certificate = @/none\n" KEY STORE ROOT, "No such file"},
		{LISTEN "tls_certificate = @/open-crt\n" KEY STORE ROOT, "chmod 644"},
		{LISTEN "tls_certificate = @\n" KEY STORE ROOT, "is not a regular file"},
		{LISTEN CERTIFICATE "tls_key = @/open-key\n" STORE ROOT, "chmod 600"},
		{LISTEN CERTIFICATE "tls_key = credential:open-key\n" STORE ROOT, "chmod 600"},
		{LISTEN CERTIFICATE "tls_key = @/empty\n" STORE ROOT, "is empty"},
		{LISTEN CERTIFICATE "tls_key = key\n" STORE ROOT, "write the whole path"},
		{LISTEN CERTIFICATE KEY "store = @/none\n" ROOT, "postern init"},
		{LISTEN CERTIFICATE KEY "store = @/key\n" ROOT, "is not a directory"},
		{LISTEN CERTIFICATE KEY "store = @/open-store\n" ROOT, "chmod 700"},
		{LISTEN CERTIFICATE KEY STORE "root_key = credential:../key\n", "not the name"},
		{LISTEN CERTIFICATE KEY STORE "root_key = credential:\n", "not the name"},
		{LISTEN CERTIFICATE KEY STORE "root_key = credential:..\n", "not the name"},
		{LISTEN CERTIFICATE KEY STORE "root_key = credential:none\n", "No such file"},
		{LISTEN CERTIFICATE KEY STORE ROOT "workers = 0\n",
		 "workers: a number from 1 to 64"},
		{LISTEN CERTIFICATE KEY STORE ROOT "workers = 65\n", "workers: a number"},
		{LISTEN CERTIFICATE KEY STORE ROOT "challenge_lifetime = 61\n", "from 5 to 60"},
		{LISTEN CERTIFICATE KEY STORE ROOT "lease_lifetime = 59\n", "from 60 to 604800"},
		{LISTEN CERTIFICATE KEY STORE ROOT "max_connections = x\n", "from 1 to 100000"},
		{LISTEN CERTIFICATE KEY STORE ROOT "stale_crls = yes\n", "refuse or accept"},
	};
	char problem[CONFIG_PROBLEM_SIZE];
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (load(table[i].text, problem) != NULL ||
		    strstr(problem, table[i].problem) == NULL || strstr(problem, "/conf") == NULL)
			fail_msg("%s said: %s", table[i].text, problem);
	}
}

/* A file in the credentials' folder may show its access list's mask; the same bits elsewhere are
 * a mistake. */
static void
test_group_reads_credentials_alone(void **state)
{
	char problem[CONFIG_PROBLEM_SIZE];
	(void)state;
	setenv("CREDENTIALS_DIRECTORY", "/tmp/elsewhere", 1);
	assert_null(load(LISTEN CERTIFICATE "tls_key = @/group-key\n" STORE ROOT, problem));
	assert_non_null(strstr(problem, "chmod 600"));
	unsetenv("CREDENTIALS_DIRECTORY");
	assert_null(load(LISTEN CERTIFICATE "tls_key = @/group-key\n" STORE ROOT, problem));
	assert_null(load(LISTEN CERTIFICATE "tls_key = credential:key\n" STORE ROOT, problem));
	assert_non_null(strstr(problem, "LoadCredential="));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_sealed),
		cmocka_unit_test(test_min_revision),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_group_reads_credentials_alone),
	};
	return cmocka_run_group_tests_name("configuration", tests, set_up, tear_down);
}
