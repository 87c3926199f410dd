# SPDX-License-Identifier: Apache-2.0
"""Backups: taken while the broker works, restored on a host that has nothing, and refused where they are not whole."""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import threading
import time

import pytest

import middle
from broker import Broker, free_port, program, run, settings_of
from guest import Client, Guest, Refused
from middle import Middle
from shares import Share, combine
from terminal import Terminal
from test_store import Disk

NOT_GOOD, USAGE, CANNOT, AGAIN = 1, 64, 73, 75
in_shares = pytest.mark.shares(3, 2)


def options(files):
    return [word for path in files for word in ("--share-file", path)]


def key_options(broker):
    return options(broker.share_files[:2]) if broker.share_files else ["--root-key", broker.root_key]


class FreshHost(Broker):
    """The same broker on another host: its configuration and its TLS identity, and a store out of a backup."""

    def __init__(self, folder, old, backup, keys, root_key=None):
        self.folder, self.port = str(folder), free_port()
        self.process, self.started, self.sanitized = None, [], old.sanitized
        self.share_files, self.threshold = old.share_files, old.threshold
        shutil.copytree(os.path.join(old.folder, "config"), os.path.join(self.folder, "config"))
        self.config, self.guest_config, self.operator_config = (
            os.path.join(self.folder, "config", name) for name in ("posternd.conf", "guest.conf", "operator.conf"))
        state = os.path.join(self.folder, "state")
        self.restored = run(program("postern"), "restore", backup, "--state", state, "--json", *keys)
        for name in ("posternd.conf", "guest.conf", "operator.conf"):
            path = pathlib.Path(self.folder, "config", name)
            text = path.read_text(encoding="utf-8").replace(old.folder, self.folder)
            path.write_text(text.replace(f":{old.port}", f":{self.port}"), encoding="utf-8")
        self.log = open(self.folder + ".log", "ab+")


@in_shares
def test_from_a_broker_at_work_to_a_fresh_host(house, tmp_path):
    guest, stop, puts, problems = house.admitted(), threading.Event(), [], []
    house.postern("audit", "verify")

    def fetch():
        while not stop.is_set():
            guest.fetch("db/prod")

    def put():
        while not stop.is_set():
            path = f"load/{len(puts)}"
            if house.put(path, os.urandom(1000))["outcome"] != "ok":
                problems.append(path)
            puts.append(path)

    threads = [threading.Thread(target=work) for work in (fetch, fetch, put)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    backup = tmp_path / "of.backup"
    before = len(puts)
    told = json.loads(house.broker.local("backup", backup, "--json").stdout)
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert not problems and before > 0
    assert told["size"] == backup.stat().st_size and backup.stat().st_mode & 0o777 == 0o600
    assert told["trust_revision"] == house.operate("status")["trust_revision"]
    assert os.listdir(tmp_path) == ["of.backup"]
    house.broker.stop()

    fresh = FreshHost(tmp_path / "fresh", house.broker, backup, key_options(house.broker))
    try:
        told = json.loads(fresh.restored.stdout)
        assert told["frozen"] and told["store"] == os.path.join(fresh.folder, "state/store")
        fresh.start()
        assert "frozen" in fresh.unseal().stderr
        frozen_broker_thaws(fresh, house, guest)
        listed = run(program("postern"), "secret", "list", "load", "--config", fresh.operator_config).stdout.splitlines()
        assert set(puts[:before]) <= set(listed)
        run(program("postern"), "audit", "verify", "--config", fresh.operator_config)
        assert "all as they were written" in fresh.local("store", "check").stdout
    finally:
        fresh.close()


def frozen_broker_thaws(fresh, house, guest):
    state = fresh.state()
    assert state["frozen"] and "restored from the backup" in state["why"]
    again = Guest(Client("127.0.0.1", fresh.port, house.broker.certificate), guest.tpm)
    with pytest.raises(Refused) as caught:
        again.fetch("db/prod")
    assert caught.value.word == "frozen"
    # frozen it stays, over a restart
    fresh.stop()
    fresh.start()
    fresh.unseal()
    assert fresh.state()["frozen"]
    told = fresh.local("thaw", status=USAGE).stderr
    assert "restored from the backup" in told and f"--revision {state['trust_revision']}" in told
    fresh.local("thaw", "--revision", state["trust_revision"], "--reason", "the disk died; nothing was revoked since")
    assert again.fetch("db/prod")["secrets"]["db/prod"][1] == house.value
    fresh.stop()
    fresh.start()
    fresh.unseal()
    assert not fresh.state()["frozen"] and again.fetch("db/prod")


def restore(backup, state, *keys, status):
    return run(program("postern"), "restore", backup, "--state", state, *keys, status=status)


def test_what_is_not_whole_is_refused(house, tmp_path):
    house.admitted()
    backup, key = tmp_path / "good", house.broker.root_key
    house.broker.local("backup", backup)
    data = backup.read_bytes()
    spoiled, state = tmp_path / "spoiled", tmp_path / "state"

    def refused(what, content):
        spoiled.write_bytes(content)
        done = restore(spoiled, state, "--root-key", key, status=None)
        assert done.returncode in (NOT_GOOD, 65, 74), (what, done)
        assert os.listdir(state) == [], what

    step = max(1, len(data) // 40)
    for size in [0, 1, len(data) - 1, *range(7, len(data), step)]:
        refused(f"cut to {size}", data[:size])
    for at in [0, len(data) - 1, *range(11, len(data), step)]:
        refused(f"flipped at {at}", data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
    refused("longer", data + b"\0")
    (tmp_path / "other.key").write_bytes(os.urandom(32))
    told = restore(backup, state, "--root-key", tmp_path / "other.key", status=NOT_GOOD).stderr
    assert "another root key" in told and os.listdir(state) == []
    restore(tmp_path / "none", state, "--root-key", key, status=66)
    restore(backup, state, "--root-key", key, status=0)
    assert os.listdir(state) == ["store"]
    assert "never overwritten" in restore(backup, state, "--root-key", key, status=CANNOT).stderr


def test_a_backup_is_whole_or_not_there(house, tmp_path):
    house.admitted()
    target = tmp_path / "backup"
    pieces = []

    def watch(kind, _):
        pieces.append(kind)
        return kind != middle.DATA

    with Middle(str(tmp_path), house.broker.control, watch) as between:
        run(program("postern"), "backup", target, "--control", between.path, status=AGAIN)
    assert middle.DATA in pieces and os.listdir(tmp_path) == []
    target.write_text("somebody's")
    assert "nothing is overwritten" in house.broker.local("backup", target, status=CANNOT).stderr
    assert target.read_text() == "somebody's" and os.listdir(tmp_path) == ["backup"]
    house.broker.local("backup", tmp_path / "none/backup", status=CANNOT)
    target.unlink()
    with open("/dev/full", "wb"):
        os.symlink("/dev/full", tmp_path / "backup.part")
    house.broker.local("backup", target, status=CANNOT)  # a link is in the way of the part: not followed
    os.unlink(tmp_path / "backup.part")
    house.broker.local("backup", target)


def test_a_file_that_comes_meanwhile_is_kept(house, tmp_path):
    target = tmp_path / "b"

    def watch(kind, _):
        if kind == middle.DATA:
            target.write_text("somebody's")
        return True

    with Middle(str(tmp_path), house.broker.control, watch) as between:
        run(program("postern"), "backup", target, "--control", between.path, status=CANNOT)
    assert os.listdir(tmp_path) == ["b"] and target.read_text() == "somebody's"


def test_an_interrupted_backup_leaves_nothing(house, tmp_path):
    house.admitted()
    held = threading.Event()

    def watch(kind, _):
        if kind == middle.DATA:
            held.set()
            time.sleep(1)
        return True

    with Middle(str(tmp_path), house.broker.control, watch) as between:
        process = subprocess.Popen([program("postern"), "backup", str(tmp_path / "b"), "--control", between.path],
                                   stderr=subprocess.PIPE, text=True)
        assert held.wait(20) and os.listdir(tmp_path) != []
        process.terminate()
        told = process.communicate(timeout=30)[1]
    assert process.returncode == AGAIN and "no backup was made" in told
    assert os.listdir(tmp_path) == []


@in_shares
def test_a_backup_opens_with_the_shares_of_its_time(house, tmp_path):
    backup = tmp_path / "before"
    house.broker.local("backup", backup)
    os.mkdir(tmp_path / "new", 0o700)
    house.postern("rekey", "authorize", "--shares", 3, "--threshold", 2)
    house.broker.local("rekey", "--shares-dir", tmp_path / "new", *options(house.broker.share_files[:2]))
    new = sorted(str(path) for path in (tmp_path / "new").iterdir())
    told = restore(backup, tmp_path / "state", *options(new[:2]), status=NOT_GOOD).stderr
    assert "in force when it was made" in told
    mixed = restore(backup, tmp_path / "state", *options([house.broker.share_files[0], new[1]]), status=NOT_GOOD).stderr
    assert "of another set" in mixed
    restore(backup, tmp_path / "state", *options(house.broker.share_files[1:]), status=0)
    house.broker.local("backup", tmp_path / "after")
    restore(tmp_path / "after", tmp_path / "state2", *options(new[:2]), status=0)


@in_shares
def test_no_value_and_no_key_stands_in_a_backup(house, tmp_path):
    house.broker.local("backup", tmp_path / "backup")
    data = (tmp_path / "backup").read_bytes()
    shares = [Share.file(path) for path in house.broker.share_files]
    for needle in [house.value, combine(shares[:2]), *(share.bytes for share in shares)]:
        assert needle not in data and needle.hex().encode() not in data


def test_a_file_that_may_not_grow(house, tmp_path):
    """As on a full disk: said, and nothing of it stays."""
    assert house.put("large", os.urandom(300000))["outcome"] == "ok"
    os.mkdir(tmp_path / "full")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))

    told = house.broker.local("backup", tmp_path / "full/b", status=74, preexec_fn=limit).stderr
    assert "no backup was made" in told and os.listdir(tmp_path / "full") == []
    house.broker.local("backup", tmp_path / "b")
    done = run(program("postern"), "restore", tmp_path / "b", "--state", tmp_path / "full", *key_options(house.broker), status=None,
               preexec_fn=limit)
    assert done.returncode in (73, 74) and os.listdir(tmp_path / "full") == [], done


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_restore_that_is_cut_short(house, tmp_path, end):
    """Killed, it leaves what no broker looks at and the next restore names; interrupted, nothing."""
    for number in range(8):  # several chunks: the first is proven before anything is made
        assert house.put(f"large/{number}", os.urandom(900000))["outcome"] == "ok"
    house.broker.local("backup", tmp_path / "b")
    os.mkfifo(tmp_path / "pipe")
    command = [program("postern"), "restore", str(tmp_path / "pipe"), "--state", str(tmp_path / "state"), *key_options(house.broker)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    data = (tmp_path / "b").read_bytes()
    with open(tmp_path / "pipe", "wb") as pipe:
        pipe.write(data[:len(data) * 3 // 4])
        pipe.flush()
        deadline = time.monotonic() + 20
        while not (os.path.isdir(tmp_path / "state") and os.listdir(tmp_path / "state")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.1)
        process.send_signal(end)
        told = process.communicate(timeout=30)[1]
    assert "store" not in os.listdir(tmp_path / "state")
    if end == signal.SIGTERM:
        assert process.returncode == AGAIN and "interrupted" in told and os.listdir(tmp_path / "state") == []
        return
    command[2] = str(tmp_path / "b")
    assert "cut short? Delete it" in run(*command, status=CANNOT).stderr
    for name in os.listdir(tmp_path / "state"):
        shutil.rmtree(tmp_path / "state" / name)
    run(*command)


@in_shares
def test_shares_are_typed_for_a_restore(house, tmp_path):
    house.broker.local("backup", tmp_path / "b")
    texts = [pathlib.Path(path).read_text(encoding="ascii").strip() for path in house.broker.share_files]
    with Terminal(program("postern"), "restore", tmp_path / "b", "--state", tmp_path / "state") as terminal:
        terminal.answer("A share of the root key", texts[2])
        terminal.answer("Share 2 of the 2", texts[2])
        terminal.wait("given already")
        terminal.answer("Share 2 of the 2", texts[1])
        assert terminal.end() == 0, terminal.seen
        assert not any(text[40:] in terminal.seen for text in texts)
    assert os.listdir(tmp_path / "state") == ["store"]


# ---- check ----

def check(house, status):
    """(through the broker, without one): what each says, in JSON."""
    online = json.loads(house.broker.local("store", "check", "--json", status=status).stdout)
    house.broker.stop()
    words = ["--offline", "--store", house.broker.store, *key_options(house.broker)]
    offline = json.loads(run(program("postern"), "store", "check", "--json", *words, status=status).stdout)
    return online, offline


def test_a_clean_store(house):
    guest = house.admitted()
    for _ in range(3):
        guest.fetch("db/prod")
    assert "all as they were written" in house.broker.local("store", "check").stdout
    online, offline = check(house, 0)
    for told in (online, offline):
        assert told["clean"] and told["defects"] == []
    assert online["records"] > 10 and online["entries"] > 5 and offline["records"] >= online["records"]


@pytest.mark.parametrize("place", [8, 40, -1])
def test_a_planted_defect_is_named(house, place):
    house.admitted()
    with Disk(house.broker) as disk:
        disk.flip(b"value/db/prod@00000001", place)
    house.broker.start()
    done = house.broker.local("store", "check", status=NOT_GOOD)
    assert "value/db/prod@00000001" in done.stdout and "1 defect" in done.stdout
    online, offline = check(house, NOT_GOOD)
    for told in (online, offline):
        assert not told["clean"] and len(told["defects"]) == 1 and "value/db/prod@00000001" in told["defects"][0]


def test_a_store_that_does_not_open_has_a_defect_too(house):
    house.admitted()
    with Disk(house.broker) as disk:
        disk.transaction.delete(b"r/value/db/prod@00000001")
    words = ["--offline", "--store", house.broker.store, *key_options(house.broker)]
    done = run(program("postern"), "store", "check", *words, status=NOT_GOOD)
    assert "defect" in done.stdout and len(done.stdout.splitlines()) >= 2


def test_progress_is_for_terminals_and_who_wants_it(house, tmp_path):
    assert house.broker.local("store", "check").stderr == ""
    assert house.broker.local("backup", tmp_path / "quiet").stderr == ""
    assert "postern: backup [####" in house.broker.local("backup", tmp_path / "b", "--progress").stderr
    for words in (["store", "check"], ["backup", tmp_path / "c"]):
        with Terminal(program("postern"), *words, "--config", house.broker.config) as terminal:
            assert terminal.end() == 0
            # drawn, and taken away before what is there to stay
            assert f"{words[-1] if words[0] == 'store' else 'backup'} [" in terminal.seen and "100%" in terminal.seen
            assert terminal.seen.rindex("\033[K") > terminal.seen.rindex("100%")


def test_offline_wants_both_words(house):
    house.broker.local("store", "check", "--offline", status=USAGE)
    house.broker.local("store", "check", "--store", house.broker.store, status=USAGE)
    house.broker.local("store", "check", "--root-key", house.broker.root_key, status=USAGE)
    assert settings_of(house.broker.config)["control"].endswith("/state/control.sock")
