# SPDX-License-Identifier: Apache-2.0
"""posternd from outside: how it starts and ends, and what each of its processes holds."""
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import threading
import time

import pytest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import wire
from broker import SANITIZED, Broker, program, run
from guest import Refused, unb64

CAP_IPC_LOCK = 14
ROLES = ["door", "gateway", "keeper", "appraiser"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="looks into processes that are not dumpable: wants root")


def test_readiness_means_that_it_serves(bare):
    """READY=1 came before the fixture went on: the first request is answered, without another try."""
    assert bare.client.raw("GET", "/v1/sys/health")[0] == 200


def test_a_signal_ends_it_well(bare):
    bare.broker.process.send_signal(signal.SIGTERM)
    assert bare.broker.process.wait(10) == 0
    assert bare.broker.orphans() == []


@pytest.mark.parametrize("role", ROLES)
def test_a_process_that_dies_ends_all(house, role):
    """kill -9 while releases run: the daemon ends, and every release that was answered stands in the audit log."""
    guest = house.admitted()
    leases, stop = [], threading.Event()

    def fetch():
        while not stop.is_set():
            try:
                leases.append(guest.fetch("db/prod")["lease_id"])
            except (Refused, OSError, ValueError):
                return

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    os.kill(house.broker.children()[role], signal.SIGKILL)
    assert house.broker.process.wait(10) == 1
    stop.set()
    for thread in threads:
        thread.join()
    assert house.broker.orphans() == []
    assert leases
    house.broker.start()
    audited = str(house.audit())
    assert [lease for lease in leases if lease not in audited] == []
    assert guest.fetch("db/prod")


def test_the_supervisor_takes_its_children_along(bare):
    assert len(bare.broker.children()) == len(ROLES)
    bare.broker.kill()
    assert bare.broker.orphans() == []


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def files_of(pid):
    """Paths of the files it has open or mapped, libraries apart."""
    paths = set()
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            paths.add(os.readlink(f"/proc/{pid}/fd/{descriptor}"))
        except FileNotFoundError:
            pass
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        paths.update(line.split(None, 5)[5].rstrip("\n") for line in file if len(line.split(None, 5)) == 6)
    return {path for path in paths if path.startswith("/") and not path.startswith(("/dev/", "/usr/", "/lib", "/memfd:"))}


@needs_root
def test_what_each_process_has_open(house):
    guest = house.admitted()
    guest.fetch("db/prod")
    children = house.broker.children()
    folder = os.path.realpath(house.broker.folder) + "/"
    ours = {role: {path for path in files_of(pid) if path.startswith(folder)} for role, pid in children.items()}
    assert ours["gateway"] == set() and ours["appraiser"] == set()
    assert ours["door"] == set()  # its key and certificate are read and closed
    assert ours["keeper"] and all(path.startswith(os.path.realpath(house.broker.store)) for path in ours["keeper"])


@needs_root
def test_how_each_process_is_confined(bare):
    for role, pid in bare.broker.children().items():
        status = status_of(pid)
        assert status["NoNewPrivs"] == "1", role
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            core = re.search(r"Max core file size +(\S+)", file.read()).group(1)
        if not bare.broker.sanitized:
            assert core == "0", role
            assert status["Seccomp"] == "2", role
            held = int(status["CapEff"], 16) | int(status["CapPrm"], 16)
            assert held & ~(1 << CAP_IPC_LOCK if role == "keeper" else 0) == 0, role
    if not bare.broker.sanitized:  # AddressSanitizer's own mlock does nothing
        assert int(status_of(bare.broker.children()["keeper"])["VmLck"].split()[0]) > 0


def memory_holds(pid, needle):
    """Does any readable page of the process hold these bytes?"""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            start, end = (int(number, 16) for number in span.split("-"))
            if not rights.startswith("r") or line.rstrip().endswith(("[vvar]", "[vsyscall]")) or end - start > 2**30:
                continue
            try:
                memory.seek(start)
                data = memory.read(end - start)
            except OSError:
                continue
            if needle in data:
                return True
    return False


def private_key_of(pid, public):
    """Looks for an X25519 private key in the locked memory of a process: every 32 bytes are tried."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ r", line):
                start, end = (int(number, 16) for number in line.split()[0].split("-"))
            elif line.startswith("Locked:") and int(line.split()[1]) > 0:
                memory.seek(start)
                data = memory.read(end - start)
                for place in range(0, len(data) - 31):
                    window = data[place : place + 32]
                    if window.count(0) < 8 and wire.raw_public(
                            X25519PrivateKey.from_private_bytes(window).public_key()) == public:
                        return window
    return None


@needs_root
@pytest.mark.skipif(SANITIZED, reason="AddressSanitizer's mlock does nothing: there is no locked memory to look through")
def test_only_the_keeper_holds_keys(house):
    """Its keys are looked for in the memory of all. That they are found in the keeper shows that the search can find."""
    guest = house.admitted()
    guest.fetch("db/prod")
    children = house.broker.children()
    release_key = private_key_of(children["keeper"], unb64(guest.challenge()["release_key"]))
    assert release_key is not None
    with open(house.broker.root_key, "rb") as file:
        root_key = file.read()
    assert memory_holds(children["keeper"], release_key)
    for role in ("door", "gateway", "appraiser"):
        assert not memory_holds(children[role], release_key), role
    for role, pid in {**children, "supervisor": house.broker.process.pid}.items():
        assert not memory_holds(pid, root_key), role  # used at the start and wiped
        if role != "keeper":
            assert not memory_holds(pid, house.value), role


def test_values_stay_out_of_sight(house):
    """Not in logs, not in the audit log, not in any argument, not in any file in clear."""
    guest = house.admitted()
    guest.fetch("db/prod")
    with pytest.raises(Refused):
        guest.fetch("db/prod", "db/absent")
    for pid in [house.broker.process.pid, *house.broker.children().values()]:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            assert house.value not in file.read()
    assert house.value.decode() not in str(house.audit())
    house.broker.stop()
    assert house.value.decode() not in house.broker.stderr()
    for folder, _, names in os.walk(house.broker.folder):
        for name in names:
            if not os.path.isfile(os.path.join(folder, name)):
                continue  # the local socket
            with open(os.path.join(folder, name), "rb") as file:
                assert house.value not in file.read(), name


def test_releases_are_audited_and_signed(house):
    guest = house.admitted()
    body = guest.fetch("db/prod")
    Ed25519PublicKey.from_public_bytes(house.operator.answer_key).verify(
        body["checkpoint"]["signature"], wire.checkpoint_message(body["checkpoint"]))
    assert body["lease_id"] in str(house.audit())
    assert house.postern("audit", "verify").returncode == 0


# ---- configuration ----


def check(broker):
    return run(program("posternd"), "--config", broker.config, "--check", status=None)


def test_check_reads_and_starts_nothing(bare):
    bare.broker.stop()
    assert check(bare.broker).returncode == 0
    assert not os.path.exists(f"/proc/{bare.broker.process.pid}")


@pytest.mark.parametrize("line,words", [
    ("nonsense = 1", "nonsense"), ("workers = many", "workers"), ("workers = 0", "workers"), ("challenge_lifetime = 61", "challenge"),
    ("listen = somewhere", "listen"), ("no line at all", ":")], ids=lambda text: text)
def test_a_configuration_that_is_none(bare, line, words):
    bare.broker.stop()
    with open(bare.broker.config, "a", encoding="utf-8") as file:
        file.write(line + "\n")
    done = check(bare.broker)
    assert done.returncode == 78 and words in done.stderr
    with pytest.raises(AssertionError):
        bare.broker.start()
    assert bare.broker.process.returncode == 78


def test_a_root_key_that_others_can_read(bare):
    bare.broker.stop()
    os.chmod(bare.broker.root_key, 0o644)
    done = check(bare.broker)
    assert done.returncode == 78 and "root_key" in done.stderr


def test_a_root_key_as_a_credential(bare, monkeypatch, tmp_path):
    """systemd gives it to its user by an access list, whose mask shows as the group's bits."""
    bare.broker.stop()
    credential = tmp_path / "root.key"
    credential.write_bytes(pathlib.Path(bare.broker.root_key).read_bytes())
    credential.chmod(0o440)
    config = pathlib.Path(bare.broker.config)
    config.write_text(re.sub("(?m)^root_key *=.*$", "root_key = credential:root.key", config.read_text("utf-8")), "utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    bare.broker.start()
    assert bare.client.raw("GET", "/v1/sys/health")[0] == 200


def test_two_daemons_on_one_store(bare):
    """The second is refused, and the first goes on."""
    second = Broker.__new__(Broker)
    second.__dict__.update(bare.broker.__dict__, process=None)
    with pytest.raises(AssertionError):
        second.start()
    assert second.process.returncode not in (None, 0)
    assert bare.client.raw("GET", "/v1/sys/health")[0] == 200


def test_a_role_cannot_be_started_by_hand(bare):
    for role in ROLES:
        done = run(program("posternd"), f"--role={role}", status=None)
        assert done.returncode != 0


def test_health_and_its_word(bare):
    status, headers, data = bare.client.raw("GET", "/v1/sys/health")
    assert status == 200 and headers["Cache-Control"] == "no-store"
    health = json.loads(data)
    assert health["initialized"] is True and health["sealed"] is False


def test_only_tls_1_3(bare):
    old = ssl.create_default_context(cafile=bare.broker.certificate)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", bare.broker.port), timeout=10) as plain, pytest.raises((ssl.SSLError, OSError)):
        old.wrap_socket(plain, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", bare.broker.port), timeout=10) as plain:
        plain.sendall(b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            assert b"HTTP/1.1 200" not in plain.recv(4096)
        except OSError:
            pass
    assert bare.client.raw("GET", "/v1/sys/health")[0] == 200


def test_callers_who_stall_do_not_stop_others(house):
    """Half a handshake, half a request, and nothing at all, a hundred times: the next guest is served."""
    guest = house.admitted()
    idle = [socket.create_connection(("127.0.0.1", house.broker.port)) for _ in range(100)]
    for index, connection in enumerate(idle):
        connection.sendall([b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n"][index % 3])
    assert guest.fetch("db/prod")
    for connection in idle:
        connection.close()
