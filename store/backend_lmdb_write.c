/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing to LMDB: one transaction, more room in the map, and what to say when the disk refuses.
 *
 * LMDB commits by one write to its meta page. When that write fails it gives the environment up,
 * and whether the transaction is on the disk is open. Then the environment is opened again, the
 * last write of the set is looked for (no other ever had its revision and its body), and what is
 * there is made durable before it is said.
 */
#include "backend_lmdb.h"
#include "bytes.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

/* Less room than this and an I/O error is taken for a full disk: LMDB turns short writes into EIO.
 */
#define ROOM_MIN     ((size_t)1024 * 1024)
#define ATTEMPTS_MAX 64 /* a map cannot be doubled as often as that */

struct change {
	const struct backend_expect *expect;
	const struct backend_write *writes;
	size_t count;
};

/* ---- one transaction ---- */

static int
check_expectation(const struct backend_lmdb *lmdb, MDB_txn *txn,
		  const struct backend_expect *expect, bool *ret_holds)
{
	MDB_val name = backend_lmdb_key(expect->key), value;
	uint64_t revision = 0;
	int code = mdb_get(txn, lmdb->dbi, &name, &value);

	if (code == 0 && value.mv_size >= REVISION_SIZE)
		revision = get_be(value.mv_data, 8);
	else if (code != MDB_NOTFOUND)
		return code == 0 ? MDB_CORRUPTED : code;
	*ret_holds = revision == expect->revision;
	return 0;
}

static int
write_record(const struct backend_lmdb *lmdb, MDB_txn *txn, const struct backend_write *record)
{
	MDB_val name = backend_lmdb_key(record->key);
	MDB_val value = {.mv_size = REVISION_SIZE + record->body.size};

	if (record->remove) {
		int code = mdb_del(txn, lmdb->dbi, &name, NULL);
		return code == MDB_NOTFOUND ? 0 : code;
	}
	int code = mdb_put(txn, lmdb->dbi, &name, &value, MDB_RESERVE);
	if (code != 0)
		return code;
	put_be64(value.mv_data, record->revision);
	if (record->body.size > 0)
		memcpy((uint8_t *)value.mv_data + REVISION_SIZE, record->body.data,
		       record->body.size);
	return 0;
}

static int
fill_transaction(const struct backend_lmdb *lmdb, MDB_txn *txn, const struct change *change,
		 bool *ret_holds)
{
	int code = check_expectation(lmdb, txn, change->expect, ret_holds);

	for (size_t i = 0; i < change->count && code == 0 && *ret_holds; i++)
		code = write_record(lmdb, txn, &change->writes[i]);
	return code;
}

/* A transaction for writing needs neither memory nor a reader's slot: it is refused for one reason.
 */
static bool
was_given_up(const struct backend_lmdb *lmdb)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(lmdb->env, NULL, 0, &txn);

	if (code == 0)
		mdb_txn_abort(txn);
	return code == MDB_PANIC;
}

struct outcome {
	int code;
	bool holds;	/* what was expected */
	bool undecided; /* it failed in the write that decides */
	size_t map_size;
};

static struct outcome
apply_once(struct backend_lmdb *lmdb, const struct change *change)
{
	struct outcome outcome = {.map_size = lmdb->map_size};
	MDB_txn *txn;

	outcome.code = lmdb->failed ? MDB_PANIC : mdb_txn_begin(lmdb->env, NULL, 0, &txn);
	if (outcome.code != 0) {
		if (outcome.code == MDB_PANIC)
			lmdb->failed = true;
		return outcome;
	}
	outcome.code = fill_transaction(lmdb, txn, change, &outcome.holds);
	if (outcome.code != 0 || !outcome.holds) {
		mdb_txn_abort(txn);
		return outcome;
	}
	outcome.code = mdb_txn_commit(txn); /* ends the transaction, whatever it answers */
	outcome.undecided = outcome.code != 0 && was_given_up(lmdb);
	if (outcome.undecided)
		lmdb->failed = true;
	return outcome;
}

static bool
disk_is_full(const struct backend_lmdb *lmdb)
{
	struct statvfs room;

	return fstatvfs(lmdb->directory, &room) == 0 && room.f_bavail * room.f_frsize < ROOM_MIN;
}

static struct outcome
apply_in_gate(struct backend_lmdb *lmdb, const struct change *change)
{
	unsigned side = gate_enter(&lmdb->gate);
	struct outcome outcome = apply_once(lmdb, change);

	gate_leave(&lmdb->gate, side);
	if (outcome.code == EIO && disk_is_full(lmdb))
		outcome.code = ENOSPC;
	return outcome;
}

/* ---- room ---- */

/* LMDB gives the old map back before it asks for the new one. What that will take more is asked for
 * here first, so that a refusal costs nothing. */
static bool
have_addresses(size_t size)
{
	void *room =
		mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return room != MAP_FAILED && munmap(room, size) == 0;
}

/* Alone in the gate. Another thread may have taken what was there: then the map is gone, and the
 * environment is opened again, with the map that it had. */
static int
double_map(struct backend_lmdb *lmdb)
{
	const size_t size = lmdb->map_size;

	if (size > SIZE_MAX / 2 || !have_addresses(size))
		return ENOMEM;
	int code = mdb_env_set_mapsize(lmdb->env, size * 2);
	if (code == 0) {
		lmdb->map_size = size * 2;
		return 0;
	}
	lmdb->failed = true;
	return backend_lmdb_reopen(lmdb, NULL) == STORE_OK ? code : MDB_PANIC;
}

/* Unless another thread was faster. */
static enum store_status
grow_map(struct backend_lmdb *lmdb, size_t full_size, struct store_error *err)
{
	int code = 0;

	if (!gate_take(&lmdb->gate, VIEWS_PATIENCE_MS))
		return store_fail(err, STORE_SPACE, "no room until a long reading has ended");
	if (lmdb->map_size == full_size && !lmdb->failed)
		code = double_map(lmdb);
	gate_give_back(&lmdb->gate);
	if (code == MDB_PANIC)
		return store_fail(err, STORE_UNSURE, "the map is lost: out of addresses");
	return code == 0 ? STORE_OK : backend_lmdb_fail(err, code, "the map cannot grow");
}

/* When half of it is used, and nobody is there to wait for: so that there is room left when a long
 * reading begins. If it cannot be had now, it is asked for again later. */
static void
grow_early(struct backend_lmdb *lmdb)
{
	MDB_envinfo info;
	MDB_stat pages;

	if (!gate_take(&lmdb->gate, 0))
		return;
	if (!lmdb->failed && mdb_env_info(lmdb->env, &info) == 0 &&
	    mdb_env_stat(lmdb->env, &pages) == 0 &&
	    info.me_last_pgno > lmdb->map_size / pages.ms_psize / 2)
		(void)double_map(lmdb);
	gate_give_back(&lmdb->gate);
}

/* ---- the answer ---- */

/* `ret_revision` 0: there is none. */
static int
find_last(struct backend_lmdb *lmdb, const struct backend_write *last, uint64_t *ret_revision,
	  bool *ret_same)
{
	MDB_txn *txn;
	MDB_val name = backend_lmdb_key(last->key), value;
	int code = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);

	if (code != 0)
		return code;
	*ret_revision = 0;
	*ret_same = false;
	code = mdb_get(txn, lmdb->dbi, &name, &value);
	if (code == 0 && value.mv_size >= REVISION_SIZE) {
		const uint8_t *bytes = value.mv_data;
		*ret_revision = get_be(bytes, REVISION_SIZE);
		*ret_same = *ret_revision == last->revision &&
			    value.mv_size == REVISION_SIZE + last->body.size &&
			    memcmp(bytes + REVISION_SIZE, last->body.data, last->body.size) == 0;
	}
	mdb_txn_abort(txn);
	return code == MDB_NOTFOUND ? 0 : code;
}

/* Alone in the gate: is the change there? `code` is why that must be asked. */
static enum store_status
decide(struct backend_lmdb *lmdb, const struct change *change, int code, struct store_error *err)
{
	const struct backend_write *last = &change->writes[change->count - 1];
	enum store_status status = lmdb->failed ? backend_lmdb_reopen(lmdb, err) : STORE_OK;
	uint64_t revision = 0;
	bool same = false;

	if (status != STORE_OK)
		return status;
	if (find_last(lmdb, last, &revision, &same) != 0)
		return store_fail(err, STORE_UNSURE, "%s: cannot be read after a failed write",
				  last->key);
	if (same)
		return STORE_OK;
	if (revision > last->revision) /* by another writer, who may have come after it */
		return store_fail(err, STORE_UNSURE, "%s: has moved on after a failed write",
				  last->key);
	return backend_lmdb_fail(err, code, "cannot commit");
}

static enum store_status
find_out(struct backend_lmdb *lmdb, const struct change *change, int code, struct store_error *err)
{
	if (!gate_take(&lmdb->gate, VIEWS_PATIENCE_MS))
		return store_fail(err, STORE_UNSURE, "cannot find out while a long reading lasts");
	enum store_status status = decide(lmdb, change, code, err);
	gate_give_back(&lmdb->gate);
	return status;
}

enum store_status
backend_lmdb_apply(struct backend *backend, const struct backend_expect *expect,
		   const struct backend_write *writes, size_t count, struct store_error *err)
{
	struct backend_lmdb *lmdb = (struct backend_lmdb *)backend;
	const struct change change = {expect, writes, count};

	for (int i = 0; i < ATTEMPTS_MAX; i++) {
		enum store_status status = backend_lmdb_mend(lmdb, err);
		if (status != STORE_OK)
			return status;
		struct outcome outcome = apply_in_gate(lmdb, &change);
		if (outcome.undecided)
			return find_out(lmdb, &change, outcome.code, err);
		if (outcome.code == 0 && outcome.holds)
			grow_early(lmdb);
		if (outcome.code == 0)
			return outcome.holds ? STORE_OK : STORE_CONFLICT;
		if (outcome.code == MDB_MAP_FULL)
			status = grow_map(lmdb, outcome.map_size, err);
		else if (outcome.code != MDB_PANIC) /* which is another writer's failure */
			status = backend_lmdb_fail(err, outcome.code, "cannot commit");
		if (status != STORE_OK)
			return status;
	}
	return store_fail(err, STORE_IO, "the disk fails again and again");
}
