# SPDX-License-Identifier: Apache-2.0
"""A machine's software TPM for the stories: its own state and sockets, an EK certificate from a CA in a folder.

    with MachineTpm(tmp_path / "tpm", tmp_path / "ca") as tpm:
        postern("fetch", "db/prod", "--tcti", tpm.tcti)

Several TPMs may share one CA. Nothing outside the two folders is touched.
"""

import atexit
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

START_SECONDS = 10
TOOL_SECONDS = 30

PROGRAMS = ("swtpm", "swtpm_setup", "swtpm_localca", "tpm2_pcrextend")


def missing_programs():
    """What is not installed; a story that needs a TPM is skipped with these names."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class MachineTpm:
    """certificates=False: a TPM without EK certificates, as libvirt makes them."""

    def __init__(self, folder, ca_folder, banks="sha256", certificates=True):
        self.folder = pathlib.Path(folder).resolve()
        self.ca_folder = pathlib.Path(ca_folder).resolve()
        self._banks = banks
        self._certificates = certificates
        self._process = None
        self._sockets = None
        self._state = self.folder / "state"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca_folder.mkdir(parents=True, exist_ok=True)
        if not self._state.exists():
            self._manufacture()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def tcti(self):
        """For `postern --tcti`, and for tpm2-tools."""
        return f"swtpm:path={self._sockets}/tpm"

    @property
    def ca_certificates(self):
        """PEM files: root, issuer."""
        return [
            self.ca_folder / "swtpm-localca-rootca-cert.pem",
            self.ca_folder / "issuercert.pem",
        ]

    def start(self):
        """A cold start: the PCRs are new, resetCount has moved."""
        if self._process is not None:
            raise RuntimeError("the TPM is already running")
        # A socket's path has 107 bytes at most, and pytest's folders are long.
        self._sockets = pathlib.Path(tempfile.mkdtemp(prefix="postern-tpm-"))
        with open(self.folder / "swtpm.log", "ab") as log:
            self._process = subprocess.Popen(
                ["swtpm", "socket", "--tpm2",
                 "--tpmstate", f"dir={self._state}",
                 "--server", f"type=unixio,path={self._sockets}/tpm",
                 "--ctrl", f"type=unixio,path={self._sockets}/tpm.ctrl",
                 "--flags", "not-need-init,startup-clear"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        atexit.register(self.stop)
        self._await_socket()

    def stop(self):
        """The end of the machine's power, without a word to the TPM before: harmless when it is stopped."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        atexit.unregister(self.stop)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def reboot(self):
        """An orderly one: TPM2_Shutdown, and a cold start."""
        self.tool("tpm2_shutdown", "-c")
        self.stop()
        self.start()

    def extend(self, pcr, data):
        """Extends the SHA-256 bank's PCR by SHA-256(data), as firmware does with an event's data."""
        if isinstance(data, str):
            data = data.encode()
        self.tool("tpm2_pcrextend", f"{pcr}:sha256={hashlib.sha256(data).hexdigest()}")

    def clear(self):
        """TPM2_Clear: owner's things go and the counters begin anew; the endorsement seed, so the EK, stays."""
        self.tool("tpm2_clear", "-c", "platform")

    def clock(self):
        """(resetCount, restartCount, clock in milliseconds)."""
        values = {}
        for line in self.tool("tpm2_readclock").splitlines():
            name, _, value = line.strip().partition(": ")
            values[name] = value
        return int(values["reset_count"]), int(values["restart_count"]), int(values["clock"])

    def copy_state(self, to):
        """A machine from a stolen or restored copy: the running TPM's state as its file has it, started elsewhere."""
        to = pathlib.Path(to).resolve()
        to.mkdir(parents=True)
        shutil.copytree(self._state, to / "state", ignore=shutil.ignore_patterns(".lock"))
        return MachineTpm(to, self.ca_folder, self._banks, self._certificates)

    def tool(self, *command):
        """Runs one of tpm2-tools on this TPM and returns what it prints."""
        environment = dict(os.environ, TPM2TOOLS_TCTI=self.tcti)
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TOOL_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def _await_socket(self):
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(f"{self._sockets}/tpm") == 0:
                    return
            time.sleep(0.01)
        self.stop()
        raise RuntimeError(f"swtpm does not start: see {self.folder}/swtpm.log")

    def _write_configuration(self):
        (self.folder / "localca.conf").write_text(
            f"statedir={self.ca_folder}\n"
            f"signingkey={self.ca_folder}/signkey.pem\n"
            f"issuercert={self.ca_folder}/issuercert.pem\n"
            f"certserial={self.ca_folder}/certserial\n")
        (self.folder / "localca.options").write_text(
            "--platform-manufacturer Postern\n--platform-version 1\n--platform-model stories\n")
        (self.folder / "setup.conf").write_text(
            f"create_certs_tool={shutil.which('swtpm_localca')}\n"
            f"create_certs_tool_config={self.folder}/localca.conf\n"
            f"create_certs_tool_options={self.folder}/localca.options\n"
            f"active_pcr_banks={self._banks}\n")

    def _manufacture(self):
        self._write_configuration()
        making = self.folder / "making"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir()
        command = ["swtpm_setup", "--tpm2", "--tpmstate", str(making),
            "--config", str(self.folder / "setup.conf"), "--pcr-banks", self._banks,
            "--createek"]
        if self._certificates:
            command.append("--create-ek-cert")
        with open(self.folder / "setup.log", "wb") as log:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                timeout=TOOL_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"swtpm_setup failed: see {self.folder}/setup.log")
        making.rename(self._state)  # a state is whole or absent
