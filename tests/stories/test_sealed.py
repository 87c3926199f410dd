# SPDX-License-Identifier: Apache-2.0
"""The daemon while it is sealed: what listens, what it answers, what is left of the processes that had the key, and
what is at the path of its socket."""
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile
import time

import pytest

from broker import SANITIZED, Broker, program, run, runs

USAGE, CONFIGURATION = 64, 78
in_shares = pytest.mark.shares(5, 3)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="looks into other processes: wants root")

POSTS = ["/v1/attest/challenge", "/v1/attest/release", "/v1/attest/enroll", "/v1/operator/challenge", "/v1/operator/request"]
B64_58 = "Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjYw=="


def get(client, path, method="GET"):
    status, headers, body = client.raw(method, path)
    return status, json.loads(body) if body else None


def sealed(bare):
    bare.broker.local("seal", "--local")
    bare.broker.wait_sealed()


@in_shares
def test_health_and_seal_status_tell_it(bare):
    status, health = get(bare.client, "/v1/sys/health")
    assert status == 200 and health["sealed"] is False and health["frozen"] is False
    status, seal = get(bare.client, "/v1/sys/seal-status")
    assert status == 200
    assert seal == {"type": "shamir", "initialized": True, "sealed": False, "t": 3, "n": 5, "progress": 0, "nonce": "",
                    "version": health["version"]}
    sealed(bare)
    for given in range(3):
        status, health = get(bare.client, "/v1/sys/health")
        assert status == 503 and health["sealed"] is True and health["initialized"] is True
        assert get(bare.client, "/v1/sys/health", "HEAD") == (503, None)
        status, seal = get(bare.client, "/v1/sys/seal-status")
        assert status == 200 and seal["sealed"] is True and (seal["t"], seal["n"], seal["progress"]) == (3, 5, given)
        assert get(bare.client, "/v1/sys/seal-status", "HEAD") == (200, None)
        bare.broker.local("unseal", "--share-file", bare.broker.share_files[given])
    assert get(bare.client, "/v1/sys/health")[0] == 200
    assert get(bare.client, "/v1/sys/seal-status")[1]["sealed"] is False


def test_a_key_in_a_file_has_no_shares(bare):
    seal = get(bare.client, "/v1/sys/seal-status")[1]
    assert (seal["sealed"], seal["t"], seal["n"], seal["progress"]) == (False, 0, 0, 0)


@in_shares
def test_every_route_is_sealed(bare):
    """Also for whoever sends what does not parse: that comes first, as ever, and nothing else does."""
    sealed(bare)
    bodies = {"/v1/attest/challenge": {"evidence": "tpm2", "ak_public": "YWs="},
              "/v1/attest/enroll": {"ek_public": "ZWs=", "ak_public": "YWs="},
              "/v1/operator/challenge": {"operator": "alice"},
              "/v1/operator/request": {"request": "YQ==", "signature": "A" * 86 + "=="},
              "/v1/attest/release": {"challenge": B64_58, "ak_public": "YWs=", "recipient_key": "A" * 43 + "=",
                                     "secrets": [{"path": "db/prod"}], "quote": "cXU=", "signature": "c2k=",
                                     "pcrs": "A" * 683 + "="}}
    for path in POSTS:
        status, _, body = bare.client.raw("POST", path, json.dumps(bodies[path]).encode())
        assert (status, json.loads(body)["errors"][0].split(":")[0]) == (503, "sealed"), path
        assert bare.client.raw("POST", path, b"{")[0] == 400
    assert bare.client.raw("GET", "/nowhere")[0] == 404


class Watched:
    """A daemon with the socket that a service manager would have for it."""

    def __init__(self, broker, *arguments):
        self.folder = tempfile.TemporaryDirectory(prefix="postern-notify-")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.folder.name + "/notify")
        self.notify.settimeout(20)
        self.process = subprocess.Popen([program("posternd"), "--config", broker.config, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=broker.log, stderr=broker.log,
                                        env={**os.environ, "NOTIFY_SOCKET": self.folder.name + "/notify"})
        broker.process = self.process

    def state(self):
        return self.notify.recv(4096).decode()

    def rest(self):
        """All that was said and not looked at, after its end."""
        self.process.wait(20)
        self.notify.setblocking(False)
        states = []
        try:
            while True:
                states.append(self.state())
        except BlockingIOError:
            return states

    def close(self):
        self.notify.close()
        self.folder.cleanup()


@in_shares
def test_a_service_manager_is_told(bare):
    """READY once, though it is sealed and though its roles are started again; whether it is sealed, each time."""
    bare.broker.stop()
    watched = Watched(bare.broker)
    assert [watched.state(), watched.state()] == ["READY=1", "STATUS=sealed"]
    bare.broker.unseal()
    assert watched.state() == "STATUS=unsealed"
    sealed(bare)
    assert watched.state() == "STATUS=sealed"
    bare.broker.unseal()
    assert watched.state() == "STATUS=unsealed"
    watched.process.terminate()
    assert watched.rest() == ["STOPPING=1"]
    watched.close()


def test_all_roles_are_others_after_a_seal(bare):
    """No process of before is left, and no connection; the door listens as before."""
    before = bare.broker.children()
    assert sorted(before) == ["appraiser", "door", "gateway", "keeper"]
    plain = socket.create_connection(("127.0.0.1", bare.broker.port), 5)
    with bare.client.tls.wrap_socket(plain, server_hostname=bare.client.address) as connection:
        sealed(bare)
        after = bare.broker.children()
        assert sorted(after) == sorted(before)
        assert not set(after.values()) & set(before.values())
        assert [pid for pid in before.values() if runs(pid)] == []
        connection.settimeout(5)
        try:
            assert connection.recv(1) == b""
        except OSError:
            pass
    assert get(bare.client, "/v1/sys/health")[0] == 503
    assert bare.broker.process.poll() is None
    words = bare.broker.stderr()
    assert words.count("posternd: sealed as told") == 1
    assert f"until 'postern unseal' gives it the key, at {bare.broker.control}" in words


def test_a_sealed_daemon_stops_as_any(bare):
    sealed(bare)
    bare.broker.stop()
    assert bare.broker.orphans() == []
    assert "killed" not in bare.broker.stderr()


def test_a_new_daemon_reads_the_file_again(bare):
    """What `seal` promises lasts as long as the daemon does: who restarts it wants it to serve."""
    sealed(bare)
    bare.broker.stop()
    bare.broker.start()
    assert bare.operate("status")


def holds(pid, needle):
    """Whether the process has these bytes anywhere in its memory."""
    with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            if "r" not in line.split()[1] or "[v" in line:
                continue
            first, last = (int(number, 16) for number in line.split()[0].split("-"))
            try:
                memory.seek(first)
                if needle in memory.read(last - first):
                    return True
            except (OSError, ValueError):
                continue
    return False


@needs_root
@pytest.mark.skipif(SANITIZED, reason="terabytes of the sanitizers' own")
def test_no_process_has_a_secret_after_a_seal(house):
    """Nor the root key at any time: it is forgotten once it has opened the store."""
    guest = house.admitted()
    guest.fetch("db/prod")
    key = pathlib.Path(house.broker.root_key).read_bytes()
    pids = [house.broker.process.pid, *house.broker.children().values()]
    assert holds(os.getpid(), key)  # so it can be found
    assert [pid for pid in pids if holds(pid, key)] == []
    house.broker.local("seal", "--local")
    house.broker.wait_sealed()
    assert house.broker.state()["sealed"]
    for pid in [house.broker.process.pid, *house.broker.children().values()]:
        assert not holds(pid, key) and not holds(pid, house.value)


# ---- the socket's path ----

def test_the_socket_is_its_owners_alone(bare):
    info = os.stat(bare.broker.control)
    assert stat.S_ISSOCK(info.st_mode) and stat.S_IMODE(info.st_mode) == 0o600


def test_a_socket_that_was_left_is_replaced(bare):
    bare.broker.kill()
    assert bare.broker.orphans() == [] and stat.S_ISSOCK(os.stat(bare.broker.control).st_mode)
    bare.broker.start()
    assert bare.broker.state()["sealed"] is False


def test_what_is_no_socket_is_not(bare):
    bare.broker.stop()
    path = pathlib.Path(bare.broker.control)
    path.unlink()
    path.write_text("somebody's")
    done = run(program("posternd"), "--config", bare.broker.config, status=CONFIGURATION)
    assert "no socket: move it away" in done.stderr
    assert path.read_text() == "somebody's"
    path.unlink()
    bare.broker.start()


def test_a_living_socket_is_not_taken_over(bare, tmp_path):
    """By a second daemon with a store of its own and the same path by mistake."""
    other = Broker(tmp_path / "other")
    try:
        config = pathlib.Path(other.config)
        config.write_text("".join(f"control = {bare.broker.control}\n" if line.startswith("control") else line
                                  for line in config.read_text().splitlines(True)))
        done = run(program("posternd"), "--config", other.config, status=CONFIGURATION)
        assert "another process listens there" in done.stderr
        assert bare.broker.state()["sealed"] is False
    finally:
        other.close()


def change(broker, key, line):
    """The configuration with another line for the key; an empty one removes it."""
    config = pathlib.Path(broker.config)
    kept = [old for old in config.read_text().splitlines(True) if old.partition("=")[0].strip() != key]
    config.write_text("".join(kept) + line)


@pytest.mark.parametrize("line,word", [("control = control.sock\n", "whole path"),
                                       ("control = /nowhere/at/all/control\n", "make it first"),
                                       ("control = /tmp/control.sock\n", "others than its owner can write there"),
                                       ("control = /" + "x" * 107 + "\n", "longer than the 107 bytes"),
                                       ("min_revision = -1\n", "min_revision: a number")])
def test_wrong_settings_are_named(bare, line, word):
    bare.broker.stop()
    change(bare.broker, line.partition(" ")[0], line)
    for arguments in ([], ["--check"]):
        done = run(program("posternd"), "--config", bare.broker.config, *arguments, status=CONFIGURATION)
        assert word in done.stderr


def test_a_key_or_a_socket(bare):
    bare.broker.stop()
    change(bare.broker, "root_key", "")
    run(program("posternd"), "--config", bare.broker.config, "--check")
    change(bare.broker, "control", "")
    done = run(program("posternd"), "--config", bare.broker.config, status=CONFIGURATION)
    assert "root_key is missing" in done.stderr and "postern unseal" in done.stderr


# ---- a trust revision that somebody has seen ----

@pytest.mark.parametrize("number", ["-1", "+1", "x", "", "1.5", "9223372036854775808"])
def test_no_revision_that_is_none(bare, number):
    done = run(program("posternd"), "--config", bare.broker.config, "--min-revision", number, status=USAGE)
    assert "--min-revision N" in done.stderr


def start_with(bare, *arguments):
    bare.broker.stop()
    watched = Watched(bare.broker, *arguments)
    try:
        assert watched.state() == "READY=1"
    finally:
        watched.close()


def test_an_older_store_starts_frozen(bare):
    """From the option as from the file, the higher of the two; it stays so without, until somebody thaws it."""
    revision = bare.operate("status")["trust_revision"]
    start_with(bare, "--min-revision", str(revision))
    assert get(bare.client, "/v1/sys/health")[0] == 200
    change(bare.broker, "min_revision", "min_revision = 1\n")
    start_with(bare, "--min-revision", str(revision + 1))
    for _ in range(2):
        status, health = get(bare.client, "/v1/sys/health")
        assert status == 503 and health["frozen"] is True and health["sealed"] is False
        assert get(bare.client, "/v1/sys/seal-status")[1]["sealed"] is False
        status, _, body = bare.client.raw("POST", POSTS[0], b'{"evidence":"tpm2","ak_public":"YWs="}')
        assert (status, json.loads(body)["errors"][0].split(":")[0]) == (503, "frozen")
        start_with(bare)
    bare.broker.local("thaw", "--revision", str(revision), "--reason", "a story")
    assert get(bare.client, "/v1/sys/health")[0] == 200


def test_a_signal_while_the_roles_start_anew(bare):
    """However the two meet, it ends in order."""
    for pause in (0, 0.02, 0.1):
        bare.broker.local("seal", "--local")
        time.sleep(pause)
        bare.broker.process.send_signal(signal.SIGTERM)
        assert bare.broker.process.wait(20) == 0
        assert bare.broker.orphans() == []
        bare.broker.start()
