# SPDX-License-Identifier: Apache-2.0
"""No value, key or share lies where it does not belong: in files, in the memory of the broker's processes and of the
commands, in arguments. All that is secret is known here, by the shares, and is looked for everywhere."""
import contextlib
import fcntl
import os
import pathlib
import resource
import shutil
import subprocess
import threading
import time

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import memory
import wire
from broker import BUILD, SANITIZED, START_SECONDS, program, run, runs, settings_of
from guest import Refused
from memory import Needles, exposed, findings, stopped
from shares import Share, combine
from store_reader import SLOT_SIZE, StoreReader, keyed
from terminal import Terminal
from test_release import Machine, let_in

in_shares = pytest.mark.shares(5, 3)
looks = pytest.mark.skipif(os.geteuid() != 0 or SANITIZED,
                           reason="looks into other processes: wants root, and memory that is locked")
SMALL, LARGE = 48, 200 * 1024
MARK = 16  # a value is made of lines, each with its mark: any piece of it that is left is noticed
LINE = 24
PIPE = 4096
WRAPPED = 80  # a wrapped key's record in LMDB


class Secrets:
    """All that there is to hide."""

    def __init__(self, folder):
        self.folder, self.needles, self.reads = folder, Needles(), 0

    def value(self, name, size):
        """A text, as what is typed in or stands in a file; and the name that it is found under."""
        mark = os.urandom(MARK // 2).hex().encode()
        self.needles.add_text(name, mark)
        return b"".join(mark + os.urandom((LINE - MARK) // 2).hex().encode() for _ in range(size // LINE))

    def shares(self, name, texts):
        shares = [Share(text) for text in texts]
        for share in shares:
            self.needles.add_key(f"{name} {share.number}", share.bytes)
            self.needles.add_text(f"{name} {share.number}", share.text().split("-", 6)[6].encode()[:71])
        root = combine(shares[:shares[0].threshold])
        self.needles.add_key(f"root key of {name}", root)
        return root

    def read(self, store, root_key, name=""):
        """All keys of a store that nobody writes to just now; and how it lies there."""
        self.reads += 1
        copy = os.path.join(self.folder, f"copy-{self.reads}")
        shutil.copytree(store, copy)
        reader = StoreReader(copy, root_key)
        shutil.rmtree(copy)
        for label, key in reader.keys.items():
            self.needles.add_key(f"{name}{label}", key)
        for record, plain in reader.everything().items():
            if record.startswith(b"r/key/"):
                self.needles.add_key(record.decode(), plain)
            if record.startswith(b"r/value/"):
                self.needles.add_key(f"key of {name}{record.decode()}", reader.key_of(reader.records[record]))
        return reader


@pytest.fixture
def secrets(tmp_path):
    return Secrets(str(tmp_path))


def texts_of(paths):
    return [pathlib.Path(path).read_text(encoding="ascii") for path in paths]


def known(house, secrets):
    """The root key, and every key there is, of a broker as it is now."""
    root = secrets.shares("share", texts_of(house.broker.share_files))
    return root, secrets.read(house.broker.store, root)


def files_with(needles, *folders):
    """Path -> what is in it, of all files but sockets."""
    found = {}
    for folder in folders:
        for path in [pathlib.Path(folder), *pathlib.Path(folder).rglob("*")]:
            if path.is_file() and needles.found(path.read_bytes()):
                found[str(path)] = needles.found(path.read_bytes())
    return found


# ---- that the search finds ----


@looks
def test_what_lies_about_is_found(secrets, tmp_path):
    """In a file, raw or as text, and in a process, from eight bytes of a key on."""
    key, value = os.urandom(32), secrets.value("value", LARGE)
    secrets.needles.add_key("key", key)
    for form in (key, key[8:16], key.hex().encode(), memory.base64.b64encode(key), memory.base64.b64encode(b"k" + key + b"z"),
                 memory.base64.b64encode(b"xy" + key)):
        (tmp_path / "file").write_bytes(b"before" + form + b"after")
        assert files_with(secrets.needles, tmp_path) == {str(tmp_path / "file"): {"key"}}
    (tmp_path / "file").write_bytes(value[4096:4096 + 2 * LINE])
    assert files_with(secrets.needles, tmp_path / "file") == {str(tmp_path / "file"): {"value"}}
    program_text = "import sys, time; data = sys.stdin.buffer.read(); print(flush=True); time.sleep(60)"
    with subprocess.Popen(["/usr/bin/python3", "-c", program_text], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdin.write(key[:16])
        holder.stdin.close()
        try:
            holder.stdout.readline()
            assert {name for name, *_ in exposed(holder.pid, secrets.needles)} == {"key"}
        finally:
            holder.kill()


# ---- files, arguments, words ----


class Listener:
    """All that commands are told and tell: their arguments, environment and output."""

    def __init__(self, needles):
        self.needles, self.heard, self.looked, self.ended = needles, set(), set(), threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def watch(self):
        while not self.ended.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    if os.readlink(f"/proc/{pid}/exe").startswith(str(BUILD)):
                        self.look(pid)
            time.sleep(0.002)

    def look(self, pid):
        for name in ("cmdline", "environ"):
            data = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
            self.looked.add(os.path.basename(data.split(b"\0")[0]).decode() if name == "cmdline" else name)
            self.heard |= self.needles.found(data)

    def tell(self, done):
        for text in (done.stdout, done.stderr):
            self.heard |= self.needles.found(text.encode() if isinstance(text, str) else text)
        return done


@in_shares
def test_a_whole_life_leaves_nothing_in_files(house, machine, secrets, tmp_path):
    """Made, unsealed, put, fetched, rotated, given new shares, backed up, destroyed, sealed, unsealed."""
    broker, guest, needles = house.broker, let_in(house, Machine(house, machine)), secrets.needles
    new, backup = tmp_path / "new", tmp_path / "backup"
    new.mkdir(mode=0o700)
    root, _ = known(house, secrets)
    allowed = {path: {f"share {number}"} for number, path in enumerate(broker.share_files, start=1)}

    def scan():
        found = files_with(needles, broker.folder, broker.log.name, tmp_path)
        assert found == allowed
        assert not any(needles.found(entry.encode()) for entry in map(str, house.audit().values()))

    def local(*words, **keywords):
        listener.tell(broker.local(*words, **keywords))

    with Listener(needles) as listener:
        scan()
        values = {path: secrets.value(path, size) for path, size in (("db/prod", SMALL), ("db/large", LARGE), ("db/gone", SMALL))}
        for path, value in values.items():
            listener.tell(house.postern("secret", "put", path, "-", input=value.decode()))
        for path, value in values.items():
            assert guest.fetch(path).stdout == value.decode()
        assert house.put("db/prod", values["db/prod"], cas=9)["outcome"] != "ok"
        secrets.read(broker.store, root, "after puts: ")
        scan()
        local("rotate", "--local", "--wait")
        secrets.read(broker.store, root, "after rotation: ")
        scan()
        listener.tell(house.postern("rekey", "authorize", "--shares", 5, "--threshold", 3))
        local("rekey", "--shares-dir", new, *[word for path in broker.share_files[:3] for word in ("--share-file", path)])
        broker.share_files = [str(new / f"share-{number}.txt") for number in range(1, 6)]
        allowed.update({path: {f"new share {number}"} for number, path in enumerate(broker.share_files, start=1)})
        root = secrets.shares("new share", texts_of(broker.share_files))
        secrets.read(broker.store, root, "after rekey: ")
        scan()
        local("backup", backup)
        local("store", "check")
        local("shares", "verify", "--share-file", broker.share_files[0])
        scan()
        listener.tell(house.postern("secret", "destroy", "db/gone", "--versions", "1"))
        listener.tell(house.postern("secret", "remove", "db/prod", "--yes"))
        scan()
        local("seal", "--local")
        broker.wait_sealed()
        broker.local("unseal", "--share-file", "-", input=Share.file(broker.share_files[0]).text()[:-1] + "x", status=65)
        for path in broker.share_files[:3]:
            local("unseal", "--share-file", path)
        assert guest.fetch("db/large").stdout == values["db/large"].decode()
        scan()
        broker.stop()
        assert files_with(needles, broker.folder, broker.log.name, tmp_path) == allowed
    assert not listener.heard and {"postern", "posternd", "environ"} <= listener.looked, listener.looked
    # In clear it would have been found.
    (tmp_path / "clear").write_bytes(b"password=" + values["db/large"][:64])
    assert files_with(needles, tmp_path)[str(tmp_path / "clear")] == {"db/large"}


# ---- memory ----


def tls_key(house):
    """As OpenSSL has it: a number, its least byte first."""
    config = settings_of(house.broker.config)
    path = os.path.join(os.path.dirname(house.broker.config), config["tls_key"])
    key = load_pem_private_key(pathlib.Path(path).read_bytes(), None)
    if isinstance(key, EllipticCurvePrivateKey):
        return key.private_numbers().private_value.to_bytes(key.key_size // 8, "little")
    return wire.raw_private(key)


@contextlib.contextmanager
def load(house, guest, values):
    """Puts and fetches all the time."""
    stop, done, failed = threading.Event(), [], []

    def repeat(work):
        while not stop.is_set():
            try:
                work()
                done.append(work)
            except (Refused, OSError, ValueError, AssertionError) as error:
                failed.append(error)
                return

    def put():
        for path, value in values.items():
            assert house.put(path, value)["outcome"] == "ok"

    def fetch():
        for path, value in values.items():
            assert guest.fetch(path)["secrets"][path][1] == value

    threads = [threading.Thread(target=repeat, args=(work,)) for work in (put, fetch, fetch)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failed and {put, fetch} <= set(done), failed


@looks
@in_shares
def test_memory_of_the_brokers_processes(house, secrets):
    """Only the keeper has anything, in memory that is neither swapped nor dumped; and after it was sealed nobody has."""
    broker, needles, guest = house.broker, secrets.needles, house.admitted()
    values = {"db/prod": secrets.value("value", SMALL), "db/large": secrets.value("value", LARGE)}
    for path, value in values.items():
        assert house.put(path, value)["outcome"] == "ok"
    known(house, secrets)
    tls = Needles()
    tls.add_key("the key of TLS", tls_key(house))
    keeper = broker.children()["keeper"]

    def look():
        processes = {**broker.children(), "supervisor": broker.process.pid}
        assert exposed(processes.pop("keeper"), needles) == set()
        assert [(role, findings(pid, needles)) for role, pid in processes.items() if findings(pid, needles)] == []
        with_tls = {role for role, pid in {**processes, "keeper": keeper}.items() if findings(pid, tls)}
        assert with_tls == {"door"}  # where it is found it would have been found elsewhere

    def held():
        return {name for name, *_ in findings(keeper, needles)}

    look()
    with load(house, guest, values):
        for _ in range(2):
            look()
        seen = set()
        for attempt in range(10):  # at other moments of its work each time
            time.sleep(0.05 + attempt * 0.0017)
            with stopped(keeper):
                found = findings(keeper, needles)
            assert memory.bare(found) == set()
            seen |= {name for name, *_ in found}
    assert "value" in seen
    look()
    assert {"r/key/release", "r/key/intake", "data/1", "set", "wrap/v2"} <= held()
    assert not any("share" in name or name == "value" for name in held())  # the root key's name has "share" in it too
    for words in (["rotate", "--local", "--wait"], ["backup", secrets.folder + "/backup"], ["store", "check"]):
        broker.local(*words)
        look()
    broker.local("seal", "--local")
    broker.wait_sealed()
    assert not runs(keeper)
    left = {**broker.children(), "supervisor": broker.process.pid}
    assert keeper not in left.values()
    assert [role for role, pid in left.items() if findings(pid, needles)] == []
    broker.unseal()
    assert exposed(broker.children()["keeper"], needles) == set()


@looks
@in_shares
def test_memory_of_commands_that_wait(house, secrets, tmp_path):
    """They are caught with what they were just given in hand."""
    needles = secrets.needles
    known(house, secrets)
    value = secrets.value("value", SMALL).decode()
    first, second = texts_of(house.broker.share_files[:2])
    with Terminal(program("postern"), "secret", "put", "db/keys", "one", "two", "--config",
                  house.broker.operator_config) as terminal:
        terminal.answer("one", value)
        terminal.wait("two")
        there = findings(terminal.pid, needles)
        assert there and exposed(terminal.pid, needles) == set(), there
        terminal.kill()
    house.postern("rekey", "authorize", "--shares", 5, "--threshold", 3)
    with Terminal(program("postern"), "rekey", "--config", house.broker.config) as terminal:
        for text in (first, second):
            terminal.answer("A share of 5", text.strip())
        terminal.wait("A share of 5")
        assert exposed(terminal.pid, needles) == set()
        assert exposed(house.broker.children()["keeper"], needles) == set()
        terminal.kill()
    half = secrets.value("half", LARGE)[:LARGE // 2]
    with subprocess.Popen([program("postern"), "secret", "put", "db/large", "-", "--config", house.broker.operator_config],
                          stdin=subprocess.PIPE) as command:
        try:
            command.stdin.write(half)
            command.stdin.flush()
            until(lambda: findings(command.pid, needles))
            assert exposed(command.pid, needles) == set()
        finally:
            command.kill()
    assert files_with(needles, tmp_path) == {}


def until(condition):
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Stuck:
    """A command that writes more than its pipe takes: it waits there, with the rest in hand."""

    def __init__(self, *command):
        self.reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE)
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=writing)
        os.close(writing)
        until(self.waits)
        self.memory = list(memory.regions(self.process.pid))

    def waits(self):
        assert self.process.poll() is None
        return pathlib.Path(f"/proc/{self.process.pid}/syscall").read_text().startswith(("1 0x1 ", "20 0x1 "))  # write, writev

    def rest(self):
        with os.fdopen(self.reading, "rb") as file:
            data = file.read()
        assert self.process.wait(20) == 0
        return data

    def names(self, needles, locked):
        """What was found, in memory that was locked, or was not."""
        return {name for mapping, _, data in self.memory if ({"lo", "dd"} <= mapping[2]) == locked
                for name in needles.found(data)}


@looks
def test_memory_of_init_while_it_prints_shares(secrets, tmp_path):
    stuck = Stuck(program("postern"), "init", "--config-dir", tmp_path / "c", "--state", tmp_path / "s", "--no-passphrase",
                  "--shares", 32, "--threshold", 3)
    printed = stuck.rest().decode()
    texts = [line for line in printed.splitlines() if line.startswith("postern-share-")]
    assert len(texts) == 32
    root = secrets.shares("share", texts)
    secrets.read(settings_of(tmp_path / "c/posternd.conf")["store"], root)
    assert stuck.names(secrets.needles, False) == set()
    assert any("share" in name for name in stuck.names(secrets.needles, True))
    assert files_with(secrets.needles, tmp_path) == {}


@looks
def test_memory_of_fetch_while_it_prints(house, machine, secrets):
    guest = let_in(house, Machine(house, machine))
    value = secrets.value("value", LARGE)
    assert house.put("db/large", value)["outcome"] == "ok"
    stuck = Stuck(program("postern"), "fetch", "--config", guest.config, "--tcti", machine.tcti, "--event-log", "none", "db/large")
    assert stuck.rest() == value
    assert stuck.names(secrets.needles, False) == set() and stuck.names(secrets.needles, True) == {"value"}


# ---- memory that cannot be locked ----


@looks
@in_shares
@pytest.mark.parametrize("kib", [0, 64, 512, 8192])
def test_too_little_memory_can_be_locked(bare, kib):
    """As root, but without the capability that root has: the keeper does not begin what it could not go on with."""
    broker = bare.broker
    broker.stop()
    before = len(broker.stderr())
    limited = subprocess.Popen(
        ["/usr/bin/setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", program("posternd"), "--config", broker.config],
        stdin=subprocess.DEVNULL, stdout=broker.log, stderr=broker.log,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_MEMLOCK, (kib * 1024, kib * 1024)))
    try:
        until(lambda: limited.poll() is not None or "ready" in broker.stderr()[before:])
        if kib == 8192:
            until(broker.listens)
            broker.unseal()
        else:
            assert limited.poll() == 1 and "ready" not in broker.stderr()[before:]
            assert "raise RLIMIT_MEMLOCK" in broker.stderr()[before:]
    finally:
        limited.terminate()
        limited.wait(START_SECONDS)


# ---- what the database's free pages keep ----


def carved(file, name, size):
    """Everything that ever stood under a name in LMDB's file and was not written over: what follows the name."""
    found, at = set(), file.find(name)
    while at >= 0:
        found.add(file[at + len(name):at + len(name) + size])
        at = file.find(name, at + 1)
    return found


def opens(reader, generation, value, wrap, slots):
    """A wrapped key that was carved: with a wrap key, and any slot's bytes under any number."""
    opened = set()
    for number, slot_bytes in slots:
        wrapping = keyed(wrap, b"postern/store/wrap-slot/v1\0", number.to_bytes(8, "big"), slot_bytes)
        with contextlib.suppress(InvalidTag):
            opened.add(reader.unwrap(generation, value, wrapping))
    return opened


def all_slots(reader):
    return [(at // SLOT_SIZE, reader.slots[at:at + SLOT_SIZE]) for at in range(0, len(reader.slots), SLOT_SIZE)
            if any(reader.slots[at:at + SLOT_SIZE]) or at < 1024 * SLOT_SIZE]


@in_shares
@pytest.mark.parametrize("way", ["rekey", "rotate"])
def test_wrapped_keys_of_before_open_no_more(house, secrets, tmp_path, way):
    """Carved out of pages that LMDB has let go, with either root key, the whole file and all slots."""
    root = secrets.shares("share", texts_of(house.broker.share_files))
    before = secrets.read(house.broker.store, root)
    slot = int.from_bytes(before.records[b"m/header"][36:44], "big")
    kept = before.slot(slot)
    if way == "rekey":
        house.postern("rekey", "authorize", "--shares", 5, "--threshold", 3)
        house.broker.local("rekey", "--shares-dir", tmp_path,
                           *[word for path in house.broker.share_files[:3] for word in ("--share-file", path)])
        now = secrets.shares("new", texts_of(str(tmp_path / f"share-{number}.txt") for number in range(1, 6)))
    else:
        house.broker.local("rotate", "--local", "--wait")
        now = root
    after = secrets.read(house.broker.store, now)
    for generation, name in ((1, b"m/key/00000001"), (0, b"m/key/set")):
        found = carved(after.file, name, WRAPPED) - {after.records.get(name)}
        if way == "rekey":  # after a rotation LMDB has written over it, by chance
            assert before.records[name] in found
        for value in found | {before.records[name]}:
            for wrap in (before.keys["wrap/v2"], after.keys["wrap/v2"]):
                assert opens(after, generation, value, wrap, all_slots(after)) == set()
        # The old root key with what its slot held would open it.
        assert opens(after, generation, before.records[name], before.keys["wrap/v2"], [(slot, kept)]) == {
            before.keys["set"] if generation == 0 else before.data_keys[generation]}
    assert after.slot(slot) == bytes(SLOT_SIZE) and kept not in after.slots and kept not in after.file
