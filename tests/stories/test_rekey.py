# SPDX-License-Identifier: Apache-2.0
"""A new root key: asked for by an operator, proved by the present holders, in force when it has arrived."""
import os
import pathlib
import subprocess
import threading

import pytest

import middle
from broker import SANITIZED, program
from memory import places
from middle import Middle
from shares import Share, combine
from terminal import Terminal

NOT_GOOD, USAGE, CANNOT, AGAIN, DENIED = 1, 64, 73, 75, 77
in_shares = pytest.mark.shares(3, 2)


def options(files):
    return [word for path in files for word in ("--share-file", path)]


def authorize(house, count=3, threshold=2):
    house.postern("rekey", "authorize", "--shares", count, "--threshold", threshold)


@pytest.fixture
def new(tmp_path):
    folder = tmp_path / "new"
    folder.mkdir(mode=0o700)
    return folder


def files_of(folder):
    return sorted(str(path) for path in pathlib.Path(folder).iterdir())


def verdicts(broker, files):
    return [broker.local("shares", "verify", "--share-file", path, status=None).returncode for path in files]


def in_force(house, files, void):
    """`files` unseal, after a restart too; `void` are of an older set, and no more."""
    house.broker.stop()
    house.broker.start()
    assert verdicts(house.broker, files) == [0] * len(files)
    for path in void:
        assert "set" in house.broker.local("unseal", "--share-file", path, status=NOT_GOOD).stderr
    house.broker.unseal(files[:2])


@in_shares
def test_new_shares_and_the_old_ones_are_void(house, new):
    guest = house.admitted()
    old = house.broker.share_files
    before = combine([Share.file(path) for path in old[:2]])
    sizes = {path.name: path.read_bytes() for path in pathlib.Path(house.broker.store).iterdir()}
    authorize(house, 5, 3)
    told = house.broker.local("rekey", "--shares", 5, "--threshold", 3, "--shares-dir", new, *options(old[:2])).stdout
    assert "3 of 5" in told and "void" in told
    assert [os.path.basename(path) for path in files_of(new)] == [f"share-{number}.txt" for number in range(1, 6)]
    assert all(os.stat(path).st_mode & 0o777 == 0o600 for path in files_of(new))
    fresh = [Share.file(path) for path in files_of(new)]
    assert combine(fresh[:3]) == combine(fresh[2:]) != before and sizes
    assert guest.fetch("db/prod")["secrets"]["db/prod"][1] == house.value
    assert "older set" in house.broker.local("shares", "verify", *options(old[:1]), status=NOT_GOOD).stdout
    house.broker.stop()
    house.broker.start()
    house.broker.local("unseal", "--share-file", old[0], status=NOT_GOOD)
    house.broker.unseal(files_of(new)[2:])
    assert guest.fetch("db/prod")
    outcomes = [entry["outcome"] for entry in house.audit().values() if entry["kind"] == "rekey"]
    assert outcomes[-1] == "done"


@in_shares
def test_nobody_can_do_it_alone(house, new):
    """The holders want an act of the same numbers; the act wants the holders; and it serves once."""
    shares = options(house.broker.share_files[:2])
    assert "no operator has asked" in house.broker.local("rekey", "--shares-dir", new, *shares, status=DENIED).stderr
    authorize(house, 5, 3)
    assert "other numbers" in house.broker.local("rekey", "--shares-dir", new, *shares, status=DENIED).stderr
    authorize(house)
    told = house.broker.local("rekey", "--shares-dir", new, *shares[:2], status=USAGE).stderr  # and nobody is there to be asked
    assert "1 of 2 shares" in told and "nothing was changed" in told
    assert files_of(new) == []
    house.broker.local("rekey", "--shares-dir", new, *shares)
    other = new.parent / "other"
    other.mkdir()
    again = house.broker.local("rekey", "--shares-dir", other, *options(files_of(new)[:2]), status=DENIED).stderr
    assert "used up" in again and files_of(other) == []


@in_shares
def test_where_new_shares_cannot_go(house, new):
    """Known before anything is asked, and nothing is overwritten."""
    authorize(house)
    shares = options(house.broker.share_files[:2])
    (new / "share-3.txt").write_text("somebody's")
    assert "is there already" in house.broker.local("rekey", "--shares-dir", new, *shares, status=CANNOT).stderr
    assert files_of(new) == [str(new / "share-3.txt")]
    house.broker.local("rekey", "--shares-dir", new / "none", *shares, status=CANNOT)
    house.broker.local("rekey", *shares, status=USAGE, start_new_session=True)  # no terminal to print them at
    in_force(house, house.broker.share_files, [])


@in_shares
def test_to_a_key_file_and_back(house, new):
    guest = house.admitted()
    old = house.broker.share_files
    house.postern("rekey", "authorize", "--root-key-file")
    house.broker.local("rekey", "--root-key-file", new / "root.key", *options(old[:2]))
    assert (new / "root.key").stat().st_size == 32 and (new / "root.key").stat().st_mode & 0o777 == 0o600
    house.broker.stop()
    house.broker.start()
    assert "in no shares" in house.broker.local("unseal", "--share-file", old[0], status=DENIED).stderr
    house.broker.local("unseal", "--root-key", new / "root.key")
    authorize(house)
    house.broker.local("rekey", "--shares", 3, "--threshold", 2, "--shares-dir", new, "--root-key", new / "root.key")
    house.broker.stop()
    house.broker.start()
    house.broker.local("unseal", "--root-key", new / "root.key", status=NOT_GOOD)
    house.broker.unseal([new / "share-1.txt", new / "share-3.txt"])
    assert guest.fetch("db/prod")


@in_shares
def test_printed_and_noted_down(house):
    """Killed at the question, answered with no, and with yes."""
    authorize(house)
    old = house.broker.share_files
    command = [program("postern"), "rekey", "--config", house.broker.config, *options(old[:2])]
    with Terminal(*command) as terminal:
        terminal.wait("Type yes")
        if os.geteuid() == 0 and not SANITIZED:
            shown = [Share(line.strip()) for line in terminal.seen.splitlines() if line.startswith("postern-share-v1-")]
            needles = [share.bytes for share in shown] + [combine(shown[:2])]
            there = places(terminal.pid, needles + [Share.file(path).bytes for path in old])
            assert len(shown) == 3 and there and all(locked and undumped for _, locked, undumped in there), there
        terminal.kill()
    assert verdicts(house.broker, old) == [0, 0, 0]
    with Terminal(*command) as terminal:
        terminal.answer("Type yes", "no")
        assert terminal.end() == AGAIN and "nothing was changed" in terminal.seen
    assert verdicts(house.broker, old) == [0, 0, 0]
    with Terminal(*command) as terminal:
        terminal.answer("Type yes", "yes")
        assert terminal.end() == 0, terminal.seen
        printed = [line.strip() for line in terminal.seen.splitlines() if line.startswith("postern-share-v1-")]
    assert len(printed) == 3
    paths = []
    for number, text in enumerate(printed):
        path = pathlib.Path(house.broker.folder) / f"noted-{number}"
        path.write_text(text)
        paths.append(str(path))
    in_force(house, paths, old)


@in_shares
def test_a_wrong_share_is_typed_again(house, new, tmp_path):
    """What was given before stays."""
    authorize(house)
    share = Share.file(house.broker.share_files[1])
    share.bytes = share.bytes[:-1] + bytes([share.bytes[-1] ^ 0x80])
    with Terminal(program("postern"), "rekey", "--config", house.broker.config, "--shares-dir", new) as terminal:
        terminal.answer("A share of 3", Share.file(house.broker.share_files[0]).text())
        terminal.answer("A share of 3", share.text())
        terminal.wait("not what was handed out")
        terminal.answer("A share of 3", Share.file(house.broker.share_files[2]).text())
        assert terminal.end() == 0, terminal.seen
    in_force(house, files_of(new), house.broker.share_files)


class Stop:
    """Stops the command at a message (of answers: the commit's), by `kill` -9, or its connection ends."""

    def __init__(self, house, new, kind, to_keeper, count, kill, then=None):
        self.house, self.reached, self.left = house, threading.Event(), count
        self.kind, self.to_keeper, self.kill, self.then = kind, to_keeper, kill, then
        self.process = self.asked = None
        self.started = threading.Event()
        with Middle(str(new.parent), house.broker.control, self.watch) as between:
            self.process = subprocess.Popen(
                [program("postern"), "rekey", "--control", between.path, "--shares-dir", str(new),
                 *options(house.broker.share_files[:2])], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, start_new_session=True)
            self.started.set()
            self.stdout, self.stderr = self.process.communicate(timeout=60)
        assert self.reached.is_set(), self.stderr

    def watch(self, kind, to_keeper):
        self.started.wait(10)
        self.asked = kind if to_keeper else self.asked
        if (kind, to_keeper) == (middle.ANSWER, False) and self.asked != middle.REKEY_COMMIT:
            return True
        if (kind, to_keeper) != (self.kind, self.to_keeper) or self.reached.is_set():
            return True
        self.left -= 1
        if self.left > 0:
            return True
        self.reached.set()
        if self.then:
            self.then()
        if self.kill:
            self.process.kill()
            self.process.wait()
        return False


# A message, its direction, which of them; whether the new key is in force then, and whether files of it are left by a kill.
STAGES = {
    "before it begins": (middle.REKEY, True, 1, False, False),
    "a share was given": (middle.SHARE, True, 2, False, False),
    "the new shares are on their way": (middle.SHARE, True, 2, False, False),
    "they are written, and not committed": (middle.REKEY_COMMIT, True, 1, False, True),
}


@in_shares
@pytest.mark.parametrize("kill", [True, False], ids=["kill -9", "the connection ends"])
@pytest.mark.parametrize("stage", STAGES)
def test_stopped_before_the_commit(house, new, stage, kill):
    kind, to_keeper, count, _, left = STAGES[stage]
    authorize(house)
    old = house.broker.share_files
    stopped = Stop(house, new, kind, to_keeper, count, kill)
    assert stopped.process.returncode != 0
    if kill:
        assert len(files_of(new)) == (3 if left else 0)
    else:
        assert files_of(new) == [] and "nothing was changed" in stopped.stderr, stopped.stderr
    assert verdicts(house.broker, files_of(new)) == [NOT_GOOD] * len(files_of(new))
    in_force(house, old, files_of(new)[:1])
    # the act was not used: once more
    other = new.parent / "other"
    other.mkdir()
    house.broker.local("rekey", "--shares-dir", other, *options(old[:2]))
    in_force(house, files_of(other), old)


@in_shares
@pytest.mark.parametrize("kill", [True, False], ids=["kill -9", "the connection ends"])
def test_stopped_after_the_commit(house, new, kill):
    """The answer never comes: what was written is in force, and a command that lives finds that out."""
    authorize(house)
    old = house.broker.share_files
    answers = []

    def committed():  # held back: the keeper has done it
        answers.append(True)

    stopped = Stop(house, new, middle.ANSWER, False, 1, kill, committed)
    assert answers and len(files_of(new)) == 3, stopped.stderr
    if not kill:
        assert stopped.process.returncode == 0 and "in force all the same" in stopped.stderr, stopped.stderr
    in_force(house, files_of(new), old)


@in_shares
@pytest.mark.parametrize("sent", [False, True], ids=["before", "after"])
def test_the_broker_is_killed_at_the_commit(house, new, sent):
    """Either set is in force when it starts again, and the command keeps what may be."""
    authorize(house)
    old = house.broker.share_files
    if sent:
        stopped = Stop(house, new, middle.ANSWER, False, 1, False, house.broker.kill)
    else:
        stopped = Stop(house, new, middle.REKEY_COMMIT, True, 1, False, house.broker.kill)
    assert "not known" in stopped.stderr and len(files_of(new)) == 3, stopped.stderr
    house.broker.start()
    good = verdicts(house.broker, files_of(new))
    assert good == ([0] * 3 if sent else [NOT_GOOD] * 3)
    house.broker.unseal(files_of(new)[:2] if sent else old[:2])
    house.operate("status")
