# SPDX-License-Identifier: Apache-2.0
"""A broker whose root key is in people's hands: sealed, unsealed share by share, and sealed again."""
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

import middle
from broker import SANITIZED, Broker, program, run
from guest import Refused
from memory import places
from shares import Share, combine
from terminal import Terminal

NOT_GOOD, USAGE, MALFORMED, AGAIN, DENIED, MISCONFIGURED = 1, 64, 65, 75, 77, 78
in_shares = pytest.mark.shares(5, 3)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user: wants root")


def restart_sealed(house):
    house.broker.stop()
    house.broker.start()
    assert house.broker.state()["sealed"]


def refused_word(call):
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.status, caught.value.word


@in_shares
def test_a_sealed_broker_answers_its_status_and_nothing_else(house):
    guest = house.admitted()
    restart_sealed(house)
    status, _, body = house.client.raw("GET", "/v1/sys/health")
    assert status == 503 and json.loads(body)["sealed"] is True
    for call in (guest.challenge, guest.enroll, house.operator.challenge):
        assert refused_word(call) == (503, "sealed")
    told = house.postern("status", status=AGAIN).stderr
    assert "sealed" in told
    for words in (["rotate", "--local"], ["seal", "--local"], ["backup", str(house.broker.folder) + "/b"], ["store", "check"],
                  ["rekey", "--shares-dir", house.broker.folder], ["thaw", "--revision", "1", "--reason", "x"]):
        assert "sealed" in house.broker.local(*words, status=AGAIN).stderr, words
    assert not os.path.exists(house.broker.folder + "/b") and not os.path.exists(house.broker.folder + "/b.part")


@in_shares
def test_one_share_at_a_time(house):
    guest = house.admitted()
    restart_sealed(house)
    one, two, three = house.broker.share_files[1], house.broker.share_files[3], house.broker.share_files[4]
    assert "1 of 3 shares" in house.broker.local("unseal", "--share-file", one).stdout
    assert house.broker.state()["given"] == 1
    again = house.broker.local("unseal", "--share-file", one).stdout
    assert "given already" in again and "1 of 3 shares" in again
    with open(two, encoding="ascii") as file:
        text = file.read()
    forgiving = text.upper().replace("-", " - ").rstrip() + "\r\n"  # as somebody types it
    assert "2 of 3 shares" in house.broker.local("unseal", "--share-file", "-", input=forgiving).stdout
    assert refused_word(guest.challenge) == (503, "sealed")
    done = house.broker.local("unseal", "--share-file", three)
    assert "unsealed, at trust revision" in done.stdout
    assert guest.fetch("db/prod")["secrets"]["db/prod"][1] == house.value
    assert "unsealed already" in house.broker.local("unseal").stdout
    entry = [entry for entry in house.audit().values() if entry["kind"] == "unseal"][-1]
    assert sorted(entry["shares"]) == [2, 4, 5]


@in_shares
def test_any_three_of_five(bare):
    for some in itertools.islice(itertools.combinations(reversed(bare.broker.share_files), 3), 0, None, 3):
        bare.broker.local("seal", "--local")
        bare.broker.wait_sealed()
        bare.broker.unseal(some)
    bare.operate("status")


@in_shares
def test_wrong_shares_are_named_and_those_before_stay(bare, tmp_path):
    restart_sealed(bare)
    other = Broker(tmp_path / "other", shares=(5, 3))
    other.log.close()
    good = bare.broker.share_files
    bare.broker.local("unseal", "--share-file", good[0])
    # of another broker
    told = bare.broker.local("unseal", "--share-file", other.share_files[1], status=NOT_GOOD).stderr
    assert other.share_files[1] in told and "of another broker" in told
    # altered, and its checksum made to fit
    share = Share.file(good[1])
    share.bytes = bytes([share.bytes[0] ^ 1]) + share.bytes[1:]
    (tmp_path / "altered").write_text(share.text())
    told = bare.broker.local("unseal", "--share-file", tmp_path / "altered", status=NOT_GOOD).stderr
    assert "share 2" in told and "not what was handed out" in told
    # mistyped: nothing is sent, one character after the other
    text = pathlib.Path(good[1]).read_text(encoding="ascii").strip()
    before = bare.broker.stderr()
    for at in range(0, len(text), 7):
        wrong = text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1:]
        told = bare.broker.local("unseal", "--share-file", "-", input=wrong, status=MALFORMED).stderr
        assert "mistyped" in told and wrong not in told
    assert bare.broker.stderr() == before
    assert bare.broker.state()["given"] == 1
    bare.broker.local("unseal", "--share-file", good[1])
    assert "unsealed" in bare.broker.local("unseal", "--share-file", good[2]).stdout


@in_shares
def test_a_share_on_a_command_line_is_not_repeated(bare):
    """Others saw it there already; a log of errors is not to keep it."""
    restart_sealed(bare)
    text = pathlib.Path(bare.broker.share_files[0]).read_text(encoding="ascii").strip()
    for words in ([text], [f"--share-file={text[:60]}", text], [f"--share={text}"]):
        told = bare.broker.local("unseal", *words, status=USAGE)
        assert told.stderr and text[:40] not in told.stdout + told.stderr
    bare.broker.unseal()


@in_shares
def test_each_step_in_json(bare):
    restart_sealed(bare)

    def step(*words):
        return json.loads(bare.broker.local("unseal", "--json", *words).stdout)

    one, two, three = bare.broker.share_files[:3]
    assert step("--share-file", one)["given"] == 1
    assert step("--share-file", two) == bare.broker.state() and bare.broker.state()["given"] == 2
    told = step("--reset")
    assert told["given"] == 0 and told["sealed"]
    told = step(*(word for path in (one, two, three) for word in ("--share-file", path)))
    assert not told["sealed"] and not step("--share-file", one)["sealed"]  # the second has nothing left to do


@in_shares
def test_shares_that_are_forgotten(bare):
    restart_sealed(bare)
    for path in bare.broker.share_files[:2]:
        bare.broker.local("unseal", "--share-file", path)
    assert "forgotten" in bare.broker.local("unseal", "--reset").stdout
    assert bare.broker.state()["given"] == 0
    bare.broker.local("unseal", "--share-file", bare.broker.share_files[2])
    bare.broker.kill()
    bare.broker.start()
    assert bare.broker.state()["given"] == 0
    bare.broker.unseal()


@in_shares
def test_a_share_is_typed_without_echo(bare):
    restart_sealed(bare)
    texts = [pathlib.Path(path).read_text(encoding="ascii").strip() for path in bare.broker.share_files]
    command = [program("postern"), "unseal", "--config", bare.broker.config]
    with Terminal(*command) as terminal:
        terminal.answer("A share of 5", texts[0][:-1] + "x")
        terminal.answer("A share of 5", texts[0])
        assert terminal.end() == 0
        assert "mistyped" in terminal.seen and "1 of 3 shares" in terminal.seen
        assert texts[0][40:] not in terminal.seen
    for text, want in ((texts[1], "2 of 3 shares"), (texts[2], "unsealed, at trust revision")):
        with Terminal(*command) as terminal:
            terminal.answer("A share of 5", text)
            assert terminal.end() == 0
            assert want in terminal.seen and text[40:] not in terminal.seen
    with Terminal(program("postern"), "shares", "verify", "--config", bare.broker.config) as terminal:
        terminal.answer("share 1", texts[4])
        terminal.answer("share 2", "")
        assert terminal.end() == 0 and "share 1: good, number 5 of 5" in terminal.seen


@in_shares
def test_sealing_ends_all_at_once(house):
    """Guests fetch all the time: what is answered after the command said that it is sealed is a refusal."""
    guest = house.admitted()
    answered, refused, stop = [], [], threading.Event()

    def fetch():
        while not stop.is_set():
            try:
                answered.append((time.monotonic(), guest.fetch("db/prod")["lease_id"]))
            except (Refused, OSError, ValueError):
                refused.append(time.monotonic())

    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    house.postern("seal")
    sealed = time.monotonic()
    house.broker.wait_sealed()
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    assert answered and refused
    assert [lease for moment, lease in answered if moment > sealed + 0.05] == []
    house.broker.unseal()
    audited = str(house.audit())
    assert [lease for _, lease in answered if lease not in audited] == []
    assert any(entry.get("operation") == "seal" for entry in house.audit().values())
    assert guest.fetch("db/prod")


def test_a_key_file_and_nothing_in_the_configuration(house, tmp_path):
    """The key is brought by hand; the file that posternd read once is not read after `seal`."""
    guest = house.admitted()
    key = shutil.copy(house.broker.root_key, tmp_path / "root.key")
    house.broker.local("seal", "--local")
    house.broker.wait_sealed()
    house.broker.local("unseal", "--share-file", "-", input="", status=MALFORMED)
    (tmp_path / "wrong.key").write_bytes(os.urandom(32))
    (tmp_path / "short.key").write_bytes(b"short")
    assert "does not open" in house.broker.local("unseal", "--root-key", tmp_path / "wrong.key", status=NOT_GOOD).stderr
    house.broker.local("unseal", "--root-key", tmp_path / "short.key", status=MALFORMED)
    assert refused_word(guest.challenge) == (503, "sealed")
    assert "unsealed" in house.broker.local("unseal", "--root-key", key).stdout
    assert guest.fetch("db/prod")


@in_shares
def test_shares_are_verified_sealed_or_not(bare, tmp_path):
    other = Broker(tmp_path / "other", shares=(5, 3))
    other.log.close()
    files = [word for path in bare.broker.share_files for word in ("--share-file", path)]
    for sealed in (False, True):
        if sealed:
            restart_sealed(bare)
        told = bare.broker.local("shares", "verify", *files).stdout
        assert all(f"{path}: good, number {number} of 5" in told
                   for number, path in enumerate(bare.broker.share_files, start=1))
        told = bare.broker.local("shares", "verify", "--json", *files[:2], "--share-file", other.share_files[0], status=NOT_GOOD)
        rows = json.loads(told.stdout)
        assert [row["good"] for row in rows] == [True, False] and "another broker" in rows[1]["verdict"]
        state = bare.broker.state()
        assert state["sealed"] is sealed and state["given"] == 0


@needs_root
@in_shares
def test_the_socket_is_for_root_and_the_brokers_user(bare):
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    # its folder is closed to others as it is: opened, the socket alone stands there
    for folder in pathlib.Path(bare.broker.control).parents:
        if str(folder).startswith("/tmp/"):
            os.chmod(folder, 0o755)
    reached = run(program("postern"), "seal-status", "--control", bare.broker.control, status=None, **nobody)
    if reached.returncode == 126 or "No such file" in reached.stderr:
        pytest.skip("the build's folder is closed to others")
    assert reached.returncode == DENIED, reached


def listen_as_nobody(path, told):
    """In a process of its own, until it is ended: says that it listens, and then what it received."""
    child = os.fork()
    if child:
        return child
    try:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            listener.listen(1)
            os.write(told, b"listens ")
            with listener.accept()[0] as client:
                os.write(told, client.recv(4096))
    finally:
        os._exit(0)


@needs_root
@in_shares
def test_no_share_goes_to_whoever_listens(bare):
    """Where others may write, somebody can put himself in the broker's place."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o1777)
        reading, writing = os.pipe()
        child = listen_as_nobody(os.path.join(folder, "control.sock"), writing)
        os.close(writing)
        with os.fdopen(reading, "rb", buffering=0) as told:
            assert told.read(64) == b"listens "
            done = run(program("postern"), "unseal", "--control", os.path.join(folder, "control.sock"), "--share-file",
                       bare.broker.share_files[0], status=MISCONFIGURED)
            assert "who listens there" in done.stderr
            os.waitpid(child, 0)
            assert told.read() == b""


@needs_root
def test_a_command_with_a_share_in_hand_is_not_to_be_looked_into(tmp_path):
    """No core dump, and no debugger of the same user: the process's files are root's then."""
    command = [program("postern"), "store", "check", "--offline", "--store", tmp_path / "none"]
    as_nobody = ["/bin/sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh", "/usr/bin/setpriv",
                 "--reuid=65534", "--regid=65534", "--clear-groups"]
    if run(*as_nobody, *command, status=None).returncode == 127:
        pytest.skip("the build's folder is closed to others")
    with Terminal(*as_nobody, *command) as terminal:
        terminal.wait("A share of the root key")
        process = pathlib.Path(f"/proc/{terminal.pid}")
        assert "Uid:\t65534" in (process / "status").read_text()
        assert (process / "mem").stat().st_uid == 0
        core = next(line for line in (process / "limits").read_text().splitlines() if "core file" in line)
        assert core.split()[4] == "0", core


@in_shares
def test_no_share_and_no_key_stands_anywhere(house):
    """The store's files, the log, /proc of the broker's processes: neither shares nor the key, raw, in hex or base64."""
    guest = house.admitted()
    shares = [Share.file(path) for path in house.broker.share_files]
    key = combine(shares[:3])
    assert key == combine(shares[2:]) == combine([shares[4], shares[0], shares[2]])
    guest.fetch("db/prod")
    house.broker.local("seal", "--local")
    house.broker.wait_sealed()
    house.broker.unseal()
    needles = [key, key.hex().encode()]
    needles += [share.bytes for share in shares] + [share.text()[60:90].encode() for share in shares]

    def search(name, data):
        assert not any(needle in data for needle in needles), name

    for path in pathlib.Path(house.broker.store).iterdir():
        search(path, path.read_bytes())
    search("the log", house.broker.stderr().encode())
    for pid in [house.broker.process.pid, *house.broker.children().values()]:
        for name in ("cmdline", "environ"):
            try:
                search(name, pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
            except PermissionError:
                pass


@needs_root
@pytest.mark.skipif(SANITIZED, reason="sanitizers keep freed memory, and map terabytes")
@in_shares
def test_shares_are_in_locked_memory_alone(house, tmp_path):
    """Of the command while it gives one; of the keeper while it waits for more; and of nobody once it is unsealed."""
    restart_sealed(house)
    shares = [Share.file(path) for path in house.broker.share_files]
    needles = [needle for share in shares for needle in (share.bytes, share.text().encode()[-60:-20])]
    held, go_on = threading.Event(), threading.Event()

    def watch(kind, to_keeper):
        if kind == middle.ANSWER and watch.asked == middle.SHARE:
            held.set()
            go_on.wait(30)
        watch.asked = kind if to_keeper else watch.asked
        return True

    watch.asked = None
    with middle.Middle(str(tmp_path), house.broker.control, watch) as between:
        command = subprocess.Popen([program("postern"), "unseal", "--control", between.path, "--share-file",
                                    house.broker.share_files[0]], stdout=subprocess.DEVNULL)
        assert held.wait(20)
        there, anywhere = places(command.pid, needles), places(command.pid, [b"postern-share-v1-"])
        go_on.set()
        assert command.wait(20) == 0
    assert any(not locked for _, locked, _ in anywhere)  # the look finds what is not locked, too
    assert there and all(locked and undumped for _, locked, undumped in there), there
    keeper = house.broker.children()["keeper"]
    there = places(keeper, needles)
    assert there and all(locked and undumped for _, locked, undumped in there), there
    for path in house.broker.share_files[1:3]:
        house.broker.local("unseal", "--share-file", path)
    time.sleep(0.2)
    assert places(keeper, [*needles, combine(shares[:3])]) == []
    assert [places(pid, needles) for role, pid in house.broker.children().items() if role != "keeper"] == [[], [], []]


def test_init_refuses_what_is_no_set(tmp_path):
    def init(*words, status):
        return run(program("postern"), "init", "--config-dir", tmp_path / "c", "--state", tmp_path / "s", "--no-passphrase",
                   *words, status=status)

    for count, threshold in ((0, 1), (5, 0), (3, 1), (2, 3), (33, 2), (300, 258)):
        init("--shares", count, "--threshold", threshold, status=USAGE)
    init("--shares-dir", tmp_path / "d", status=USAGE)
    os.mkdir(tmp_path / "d")
    (tmp_path / "d/share-2.txt").write_text("somebody's")
    assert "is there already" in init("--shares", 3, "--threshold", 2, "--shares-dir", tmp_path / "d", status=73).stderr
    assert sorted(os.listdir(tmp_path)) == ["d"] and os.listdir(tmp_path / "d") == ["share-2.txt"]
    done = init("--shares", 3, "--threshold", 2, status=0)
    assert "no terminal" in done.stderr and "postern-share" not in done.stderr
    printed = done.stdout
    shares = [Share(line) for line in printed.splitlines() if line.startswith("postern-share-")]
    assert [(share.number, share.count, share.threshold) for share in shares] == [(1, 3, 2), (2, 3, 2), (3, 3, 2)]
    assert not (tmp_path / "c/root.key").exists() and "root_key" not in (tmp_path / "c/posternd.conf").read_text()
