/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that is written to by many threads is killed, again and again. After each kill every
 * batch that was acknowledged is there and whole, of the others each is there whole or not at all,
 * and what was destroyed stays so. (The machine's memory outlives the kill. That what is
 * acknowledged was flushed is seen in system calls: test_fault.c makes each flush fail.)
 *
 *     store-crash ROUNDS [SEED]
 *
 * Each writer has a few groups of records. Its batch number i rewrites group i modulo GROUPS, and
 * adds "writer i" to the log. So after a kill one knows to the last record what there must be: all
 * batches up to the last acknowledged, and perhaps the one after it.
 */
#include "die.h"
#include "store/state.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WRITERS	       16
#define GROUPS	       5
#define PARTS	       3     /* plain records of a group; and one that is erasable */
#define ROUNDS_STORE   50    /* then another store: a log that is read each time is to be short */
#define MOMENT_US      40000 /* of work before the kill, at most */
#define PIPE_SIZE      (1 << 20) /* nobody reads it while they write */
#define CONFLICT_EVERY 7
#define ROTATE_US      9000

static char path[] = "/tmp/store-crash-XXXXXX/store";
static struct secret *root_key;

/* What a writer says once its commit has answered. */
struct acknowledged {
	uint32_t writer;
	uint32_t batch;
	uint64_t destroyed; /* the slot of the erasable record that it replaced; SLOT_NONE */
};

static void
name_part(char name[64], uint32_t writer, uint32_t group, int part)
{
	snprintf(name, 64, part < PARTS ? "p/%02u/%u/%d" : "s/%02u/%u/%d", writer, group, part);
}

static struct store_bytes
value_of(char text[64], uint32_t writer, uint32_t batch, int part)
{
	snprintf(text, 64, "%u %u %d", writer, batch, part);
	return (struct store_bytes){(const uint8_t *)text, strlen(text)};
}

/* Two of three batches leave an erasable record behind. */
static bool
leaves_secret(uint32_t batch)
{
	return batch % 3 != 0;
}

/* ---- the child ---- */

struct writer {
	pthread_t thread;
	struct store *store;
	uint32_t id;
	uint32_t batch; /* the last that there is */
	int acknowledgements;
};

static uint64_t
slot_of(struct store *store, const char *key, uint64_t *ret_revision)
{
	char name[80];
	struct backend_record record;
	auto_view view = {0};
	struct store_error err = {0};

	snprintf(name, sizeof name, RECORD_PREFIX "%s", key);
	if (view_open(store->backend, &view, &err) != STORE_OK)
		die("view: %s", err.message);
	*ret_revision = 0;
	enum store_status status = view_get(&view, name, &record, &err);
	if (status == STORE_MISSING)
		return SLOT_NONE;
	if (status != STORE_OK)
		die("%s: %s", key, err.message);
	*ret_revision = record.revision;
	return store_body_place(&record).slot;
}

/* Expects the group as it is: nobody else writes to it, so that it holds. */
static void
fill_batch(struct writer *writer, struct store_batch *batch, uint32_t number,
	   uint64_t *ret_destroyed)
{
	const uint32_t group = number % GROUPS;
	char name[64], text[64];
	uint64_t revision;

	for (int part = 0; part < PARTS; part++) {
		name_part(name, writer->id, group, part);
		store_batch_put(batch, name, value_of(text, writer->id, number, part));
	}
	name_part(name, writer->id, group, PARTS);
	*ret_destroyed = slot_of(writer->store, name, &revision);
	store_batch_expect(batch, name, revision);
	if (leaves_secret(number))
		store_batch_put_erasable(batch, name, value_of(text, writer->id, number, PARTS));
	else
		store_batch_delete(batch, name);
	snprintf(name, sizeof name, "writer %u", writer->id);
	store_batch_append(batch, name, value_of(text, writer->id, number, 0));
}

static void
conflict(struct writer *writer)
{
	struct store_batch *batch = store_batch_new();
	uint64_t destroyed;

	fill_batch(writer, batch, 0, &destroyed);
	store_batch_expect(batch, "p/00/0/0", UINT64_MAX);
	if (store_commit(writer->store, batch, NULL) != STORE_CONFLICT)
		die("an expectation that does not hold is no conflict");
	store_batch_free(batch);
}

static void *
write_batches(void *user)
{
	struct writer *writer = user;

	for (;;) {
		struct store_error err = {0};
		struct acknowledged done = {writer->id, writer->batch + 1, SLOT_NONE};
		struct store_batch *batch = store_batch_new();
		fill_batch(writer, batch, done.batch, &done.destroyed);
		if (store_commit(writer->store, batch, &err) != STORE_OK)
			die("commit: %d %s", err.status, err.message);
		store_batch_free(batch);
		if (write(writer->acknowledgements, &done, sizeof done) != sizeof done)
			_exit(4);
		writer->batch = done.batch;
		if (done.batch % CONFLICT_EVERY == 0)
			conflict(writer);
	}
}

static void
change_data_key(struct store *store)
{
	struct store_rotation rotation;
	struct store_error err = {0};

	if (store_rotate(store, &err) != STORE_OK && err.status != STORE_LIMIT)
		die("rotate: %s", err.message);
	do
		if (store_reseal(store, 16, &rotation, &err) != STORE_OK)
			die("re-seal: %s", err.message);
	while (rotation.oldest != rotation.generation);
}

/* Never returns: it is killed. */
__attribute__((noreturn)) static void
be_the_writer(const uint32_t batches[WRITERS], int acknowledgements)
{
	static struct writer writers[WRITERS];
	struct store *store = NULL;
	struct store_error err = {0};

	if (store_open(path, root_key, &store, &err) != STORE_OK)
		die("open: %s", err.message);
	for (uint32_t i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){.store = store,
					     .id = i,
					     .batch = batches[i],
					     .acknowledgements = acknowledgements};
		if (pthread_create(&writers[i].thread, NULL, write_batches, &writers[i]) != 0)
			die("no thread");
	}
	for (;;) {
		usleep(ROTATE_US);
		change_data_key(store);
	}
}

/* ---- the parent ---- */

struct figures {
	uint64_t kills;
	uint64_t at_work; /* of which after a first acknowledgement */
	uint64_t acknowledged;
	uint64_t unacknowledged; /* and yet there, whole */
	uint64_t destroyed;
	uint64_t rotated;
};

static uint32_t sure[WRITERS];	/* the last acknowledged */
static uint32_t there[WRITERS]; /* the last in the log */
static uint64_t entries;	/* of the log that have been seen */

static bool
reads_as(struct store *store, const char *key, const char *want)
{
	auto_secret *value = NULL;
	uint64_t revision;
	struct store_error err = {0};
	enum store_status status = store_get(store, key, &value, &revision, &err);

	if (status == STORE_MISSING)
		return !want;
	if (status != STORE_OK)
		die("%s: %s", key, err.message);
	return want && value->size == strlen(want) && memcmp(value->bytes, want, value->size) == 0;
}

/* The newest batch of the group, up to the last that there is; 0: none yet. */
static uint32_t
newest_in(uint32_t group, uint32_t last)
{
	uint32_t back = (last % GROUPS + GROUPS - group) % GROUPS;

	return last > back ? last - back : 0;
}

static void
check_group(struct store *store, uint32_t writer, uint32_t group)
{
	const uint32_t batch = newest_in(group, there[writer]);
	char name[64], text[64];

	for (int part = 0; part <= PARTS; part++) {
		bool wanted = batch > 0 && (part < PARTS || leaves_secret(batch));
		name_part(name, writer, group, part);
		value_of(text, writer, batch, part);
		if (!reads_as(store, name, wanted ? text : NULL))
			die("%s: not as batch %u of %u has left it", name, batch, there[writer]);
	}
}

/* Each writer's entries are its batches, each once and in order. */
static bool
check_entry(void *user, const struct store_log_entry *entry)
{
	char text[64];
	uint32_t writer, batch;

	(void)user;
	snprintf(text, sizeof text, "%.*s", (int)entry->entry.size,
		 (const char *)entry->entry.data);
	if (sscanf(text, "%u %u", &writer, &batch) != 2 || writer >= WRITERS ||
	    batch != there[writer] + 1)
		die("entry %llu: \"%s\" is not the next batch", (unsigned long long)entry->number,
		    text);
	there[writer] = batch;
	entries = entry->number;
	return true;
}

static void
name_defect(void *user, const char *text)
{
	(void)user;
	fprintf(stderr, "defect: %s\n", text);
}

static void
check_all(struct store *store, struct figures *figures)
{
	struct store_error err = {0};
	struct store_rotation rotation;
	struct store_check check;

	if (store_log_read(store, entries + 1, check_entry, NULL, &err) != STORE_OK)
		die("log: %s", err.message);
	for (uint32_t i = 0; i < WRITERS; i++) {
		if (there[i] != sure[i] && there[i] != sure[i] + 1)
			die("writer %u: %u acknowledged, %u there", i, sure[i], there[i]);
		figures->unacknowledged += there[i] - sure[i];
		sure[i] = there[i];
		for (uint32_t group = 0; group < GROUPS; group++)
			check_group(store, i, group);
	}
	if (store_check(store, NULL, name_defect, NULL, &check, &err) != STORE_OK)
		die("check: %s", err.message);
	if (check.defects > 0)
		die("the check finds defects");
	store_rotation(store, &rotation);
	figures->rotated = rotation.generation;
}

/* In the file itself, before the store is opened: opening erases what a crash left over. */
static void
check_destroyed(int slots, const struct acknowledged *done, struct figures *figures)
{
	uint8_t bytes[BACKEND_SLOT_SIZE];
	const off_t at = (off_t)(done->destroyed * BACKEND_SLOT_SIZE);

	if (done->destroyed == SLOT_NONE)
		return;
	if (pread(slots, bytes, sizeof bytes, at) != sizeof bytes ||
	    !sodium_is_zero(bytes, sizeof bytes))
		die("slot %llu: batch %u of writer %u has destroyed it, and it is there",
		    (unsigned long long)done->destroyed, done->batch, done->writer);
	figures->destroyed++;
}

static void
take_acknowledged(int end, struct figures *figures)
{
	struct acknowledged done;
	char name[64];

	snprintf(name, sizeof name, "%s/slots", path);
	int slots = open(name, O_RDONLY | O_CLOEXEC);
	if (slots < 0)
		die("%s is not there", name);
	while (read(end, &done, sizeof done) == sizeof done) {
		if (done.batch != sure[done.writer] + 1)
			die("writer %u: batch %u after %u", done.writer, done.batch,
			    sure[done.writer]);
		sure[done.writer] = done.batch;
		check_destroyed(slots, &done, figures);
		figures->acknowledged++;
	}
	close(slots);
}

static int
start_writer(pid_t *ret_child)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE) < 0)
		die("no pipe");
	*ret_child = fork();
	if (*ret_child < 0)
		die("no process");
	if (*ret_child == 0) {
		close(ends[0]);
		be_the_writer(sure, ends[1]);
	}
	close(ends[1]);
	return ends[0];
}

static void
wait_for_first(int end)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(end, &set);
	if (select(end + 1, &set, NULL, NULL, &(struct timeval){.tv_sec = 60}) != 1)
		die("no batch in a minute");
}

/* Three of four are killed at work, the rest perhaps as they open. */
static void
kill_one(struct figures *figures)
{
	struct store_error err = {0};
	struct store *store = NULL;
	pid_t child;
	int status, end = start_writer(&child);
	bool at_work = random() % 4 != 0;

	if (at_work)
		wait_for_first(end);
	usleep((useconds_t)(random() % MOMENT_US));
	kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
		die("the writer has ended by itself");
	take_acknowledged(end, figures);
	if (store_open(path, root_key, &store, &err) != STORE_OK)
		die("open after a kill: %s", err.message);
	check_all(store, figures);
	store_close(store);
	close(end);
	figures->kills++;
	figures->at_work += at_work;
}

static void
remove_store(void)
{
	static const char *const names[] = {"/data.mdb", "/lock.mdb", "/slots", ""};
	char name[64];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(name, sizeof name, "%s%s", path, names[i]);
		remove(name);
	}
}

static void
begin_store(void)
{
	struct store_error err = {0};

	remove_store();
	memset(sure, 0, sizeof sure);
	memset(there, 0, sizeof there);
	entries = 0;
	if (store_create(path, root_key, (struct store_bytes){0}, &err) != STORE_OK)
		die("create: %s", err.message);
}

int
main(int argument_count, char **arguments)
{
	const int rounds = argument_count > 1 ? atoi(arguments[1]) : 40;
	struct figures figures = {0};
	const time_t begin = time(NULL);
	uint64_t rotated = 0;

	root_key = secret_new(STORE_ROOT_KEY_SIZE);
	*strrchr(path, '/') = 0;
	if (rounds <= 0 || !root_key || !mkdtemp(path))
		die("usage: store-crash ROUNDS [SEED]");
	path[strlen(path)] = '/';
	srandom(argument_count > 2 ? (unsigned)atoi(arguments[2]) : 20261122);
	for (int i = 0; i < rounds; i++) {
		if (i % ROUNDS_STORE == 0) {
			rotated += figures.rotated;
			begin_store();
		}
		kill_one(&figures);
	}
	rotated += figures.rotated;
	remove_store();
	*strrchr(path, '/') = 0;
	rmdir(path);
	printf("%llu kills, %llu of them at work; %llu batches acknowledged, all there and whole; "
	       "%llu not acknowledged and there, whole; %llu records destroyed, and gone; "
	       "%llu data keys; %lld s\n",
	       (unsigned long long)figures.kills, (unsigned long long)figures.at_work,
	       (unsigned long long)figures.acknowledged, (unsigned long long)figures.unacknowledged,
	       (unsigned long long)figures.destroyed, (unsigned long long)rotated,
	       (long long)(time(NULL) - begin));
	return figures.acknowledged == 0 || figures.at_work == 0;
}
