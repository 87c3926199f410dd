# SPDX-License-Identifier: Apache-2.0
"""One real broker: a folder made by `postern init`, and the posternd that runs on it."""
import base64
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("POSTERN_BUILD") or ROOT / "build").resolve()
SANITIZED = bool(os.environ.get("POSTERN_SANITIZED"))
START_SECONDS = 20
STOP_SECONDS = 20
COMMAND_SECONDS = 60


PROGRAMS = {"posternd": "broker/posternd", "postern": "broker/command/postern"}


def program(name):
    path = BUILD / PROGRAMS[name]
    if not path.exists():
        raise FileNotFoundError(f"{path}: build first, or set POSTERN_BUILD (tests/run.sh does both)")
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def runs(pid):
    """Not ended: a process that only waits to be reaped by somebody else has."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def settings_of(path):
    """A configuration file as a dictionary; a repeated key keeps its first value."""
    found = {}
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key.strip(), value.strip())
    return found


def run(*command, status=0, **keywords):
    """Runs a program. `status` None: whatever it ends with; else its exit status must be that."""
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=COMMAND_SECONDS, text=True, **{"stdin": subprocess.DEVNULL, **keywords}
                          if "input" not in keywords else keywords)
    assert "Sanitizer" not in done.stderr and "runtime error:" not in done.stderr, done.stderr
    assert status is None or done.returncode == status, (command, done.returncode, done.stdout, done.stderr)
    return done


class Broker:
    def __init__(self, folder, shares=None, init=(), **settings):
        """`shares` (count, threshold): the root key is in shares, and the broker starts sealed. `init`: further options."""
        self.folder = str(folder)
        self.port = free_port()
        self.process = None
        self.started = []  # its children's process ids
        self.sanitized = SANITIZED
        os.makedirs(self.folder)
        run(program("postern"), "init", "--config-dir", os.path.join(self.folder, "config"), "--state",
            os.path.join(self.folder, "state"), "--listen", f"127.0.0.1:{self.port}", "--operator", "alice",
            "--no-passphrase", *self.share_options(shares), *init)
        self.config = os.path.join(self.folder, "config/posternd.conf")
        self.guest_config = os.path.join(self.folder, "config/guest.conf")
        self.operator_config = os.path.join(self.folder, "config/operator.conf")
        with open(self.config, "a", encoding="utf-8") as file:
            file.writelines(f"{key} = {value}\n" for key, value in settings.items())
        self.log = open(self.folder + ".log", "ab+")

    def share_options(self, shares):
        self.share_files, self.threshold = [], 0
        if shares is None:
            return []
        folder = os.path.join(self.folder, "shares")
        self.share_files = [os.path.join(folder, f"share-{number}.txt") for number in range(1, shares[0] + 1)]
        self.threshold = shares[1]
        return ["--shares", shares[0], "--threshold", shares[1], "--shares-dir", folder]

    # ---- what the command does on the broker's host ----

    def local(self, *arguments, **keywords):
        return run(program("postern"), *arguments, "--config", self.config, **keywords)

    def unseal(self, shares=None):
        """Gives so many shares as are wanted, one command each; the last one's output."""
        for path in shares or self.share_files[:self.threshold]:
            done = self.local("unseal", "--share-file", path)
        assert "unsealed" in done.stdout, done
        return done

    def state(self):
        return json.loads(self.local("seal-status", "--json").stdout)

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def wait_sealed(self):
        """The roles are started anew: the socket goes, and comes back; the door's is the last."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            done = self.local("seal-status", "--json", status=None)
            if done.returncode == 0 and json.loads(done.stdout)["sealed"] and self.listens():
                self.started = list(self.children().values())
                return
            time.sleep(0.05)
        raise AssertionError(f"not sealed within {START_SECONDS} s: {self.stderr()}")

    @property
    def control(self):
        return settings_of(self.config)["control"]

    @property
    def store(self):
        return settings_of(self.config)["store"]

    @property
    def root_key(self):
        return settings_of(self.config)["root_key"].removeprefix("file:")

    @property
    def certificate(self):
        return os.path.join(self.folder, "config", settings_of(self.operator_config)["ca"])

    @property
    def answer_key(self):
        return base64.b64decode(settings_of(self.operator_config)["answer_key"])

    @property
    def intake_key(self):
        return base64.b64decode(settings_of(self.operator_config)["intake_key"])

    def operator_seed(self):
        path = os.path.join(self.folder, "config", settings_of(self.operator_config)["operator_key"])
        return base64.b64decode(pathlib.Path(path).read_text(encoding="ascii").splitlines()[1])

    def start(self):
        """Returns when READY=1 came; an AssertionError where the daemon ends before."""
        assert self.process is None or self.process.poll() is not None
        with tempfile.TemporaryDirectory(prefix="postern-notify-") as folder, socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(folder + "/notify")
            notify.settimeout(0.05)
            self.process = subprocess.Popen(
                [program("posternd"), "--config", self.config], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                env={**os.environ, "NOTIFY_SOCKET": folder + "/notify"})
            deadline = time.monotonic() + START_SECONDS
            while time.monotonic() < deadline:
                try:
                    if b"READY=1" in notify.recv(4096):
                        self.started = list(self.children().values())
                        return
                except socket.timeout:
                    pass
                assert self.process.poll() is None, f"posternd ended with {self.process.returncode}: {self.stderr()}"
        self.kill()
        raise AssertionError(f"posternd was not ready within {START_SECONDS} s: {self.stderr()}")

    def stop(self):
        """An orderly end, which must be one."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            assert self.process.wait(STOP_SECONDS) == 0, self.stderr()
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        """At a story's end: whatever happened in it, nothing runs on, and no sanitizer had a word to say."""
        try:
            self.stop()
        finally:
            self.kill()
            words = self.stderr()
            print(words)  # pytest shows it where the story failed
            self.log.close()
        assert "Sanitizer" not in words and "runtime error:" not in words, words

    def stderr(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def children(self):
        """Role -> process id, of those that serve; appraisers of one enrolment may come and go."""
        found = {}
        for pid in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            role = next(word.decode()[7:] for word in command if word.startswith(b"--role="))
            found.setdefault(role, int(pid))
        return found

    def orphans(self):
        """Children that outlive their daemon, after a short while for them to end."""
        deadline = time.monotonic() + 5
        while True:
            left = [pid for pid in self.started if runs(pid)]
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.05)
