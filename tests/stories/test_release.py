# SPDX-License-Identifier: Apache-2.0
"""The whole way with the programs alone: `postern` for operator and guest, posternd, and swtpm as the machine's TPM."""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

import pytest

from broker import ROOT, free_port, program, run

ABSENT, TRY_AGAIN, DENIED, MISCONFIGURED = 69, 75, 77, 78
MEMORY = "/dev/shm"


class Machine:
    """A guest with the command and a TPM: what a boot image would have."""

    def __init__(self, house, tpm, config=None):
        self.house, self.tpm = house, tpm
        self.config = config or house.broker.guest_config

    def run(self, command, *words, **keywords):
        return run(program("postern"), command, "--config", self.config, "--tcti", self.tpm.tcti, "--event-log", "none",
                   *words, **keywords)

    def fetch(self, *words, **keywords):
        return self.run("fetch", *words, **keywords)

    def enroll(self, *words):
        """Its id, and whether it is let in."""
        done = self.run("enroll", *words)
        return done.stdout.strip(), done.stderr


def listed(house, *words):
    return json.loads(house.postern(*words, "--json").stdout)


def let_in(house, guest, name="vm1"):
    """Anchors, admission, a baseline of what it booted, and a policy: the operator's whole work."""
    for certificate in guest.tpm.ca_certificates:
        house.postern("anchor", "add", certificate)
    machine, text = guest.enroll()
    assert "pending" in text
    house.postern("machine", "admit", machine, "--name", name, "--group", "db")
    house.postern("baseline", "capture", "image-1", "--machine", name, "--pcrs", "8")
    house.postern("policy", "apply", ROOT / "examples/policies/db.cedar")
    return guest


@pytest.fixture
def guest(house, machine):
    return let_in(house, Machine(house, machine))


def last(house, name="vm1"):
    """The check that the newest decision ended with."""
    return listed(house, "explain", name)["decisions"][0]["checks"][-1]


def test_a_secret_reaches_the_machine_that_booted_the_image(house, guest):
    assert guest.fetch("db/prod").stdout == house.value.decode()


def test_another_kernel_gets_nothing_until_it_is_gone(house, guest):
    guest.tpm.extend(8, "another kernel")
    done = guest.fetch("db/prod", status=DENIED)
    assert house.value.decode() not in done.stdout + done.stderr
    assert last(house)["check"] == "policy"
    assert "image-1: pcr 8:" in json.dumps(listed(house, "explain", "vm1"))
    guest.tpm.reboot()
    assert guest.fetch("db/prod").stdout == house.value.decode()


def test_a_machine_that_nobody_admitted(house, machine):
    guest = Machine(house, machine)
    guest.fetch("db/prod", status=DENIED)
    guest.enroll()
    guest.fetch("db/prod", status=DENIED)


def test_enrolling_again_changes_nothing(house, guest):
    before = listed(house, "machine", "list")
    machine, text = guest.enroll()
    assert "admitted" in text and machine in json.dumps(before)
    assert len(listed(house, "machine", "list")["machines"]) == len(before["machines"]) == 1


def test_the_ek_chain_is_shown_and_its_ca_revocable(house, guest):
    assert "verified" in json.dumps(listed(house, "machine", "show", "vm1"))
    house.postern("revoke", "ek-ca", guest.tpm.ca_certificates[1], "--reason", "its key leaked")
    guest.fetch("db/prod", status=DENIED)
    assert last(house)["check"] == "revocation"


def test_a_revoked_root_takes_all_below_with_it(house, guest):
    house.postern("revoke", "ek-ca", guest.tpm.ca_certificates[0], "--reason", "its key leaked")
    guest.fetch("db/prod", status=DENIED)
    assert last(house)["check"] == "revocation"


def test_a_machine_under_a_ca_that_was_revoked_before(house, machine):
    """Enrolment looks at revoked anchors too: such a CA is seen and refused, not merely unknown."""
    guest = Machine(house, machine)
    for certificate in machine.ca_certificates:
        house.postern("anchor", "add", certificate)
    house.postern("revoke", "ek-ca", machine.ca_certificates[0], "--reason", "its key leaked")
    done = guest.run("enroll", status=None)
    guest.fetch("db/prod", status=DENIED)
    assert done.returncode == DENIED or "revoked" in json.dumps(listed(house, "machine", "list"))


def test_the_ak_of_another_tpm(house, guest, other_machine):
    """Its own quotes are honest, and it is nobody here; enrolled, it is a machine of its own that waits."""
    stranger = Machine(house, other_machine)
    stranger.fetch("db/prod", status=DENIED)
    machine, text = stranger.enroll()
    assert "pending" in text
    stranger.fetch("db/prod", status=DENIED)
    assert guest.fetch("db/prod").stdout == house.value.decode()
    assert machine not in json.dumps(listed(house, "machine", "show", "vm1"))


@pytest.mark.parametrize("kind", ["rsa-2048", "p384"])
def test_enrolling_with_either_key(house, machine, kind):
    guest = Machine(house, machine)
    identity, _ = guest.enroll("--ek", kind)
    house.postern("machine", "admit", identity, "--name", "vm1", "--group", "db")
    house.postern("baseline", "capture", "image-1", "--machine", "vm1", "--pcrs", "8")
    house.postern("policy", "apply", ROOT / "examples/policies/db.cedar")
    assert guest.fetch("db/prod").stdout == house.value.decode()


@pytest.mark.parametrize("known", ["public", "certificate"])
def test_registered_before_its_first_boot(house, machine, tmp_path, known):
    """A pipeline knows the EK before the machine runs: it is let in when it first enrols."""
    if known == "public":
        machine.tool("tpm2_createek", "-G", "rsa", "-u", str(tmp_path / "ek"), "-c", str(tmp_path / "ek.ctx"))
    else:
        machine.tool("tpm2_nvread", "0x1c00002", "-o", str(tmp_path / "ek"))
    house.postern("machine", "register", "vm1", f"--ek-{known}", tmp_path / "ek", "--group", "db")
    guest = Machine(house, machine)
    guest.fetch("db/prod", status=DENIED)
    _, text = guest.enroll("--ek", "rsa-2048")
    assert "admitted" in text
    house.postern("baseline", "capture", "image-1", "--machine", "vm1", "--pcrs", "8")
    house.postern("policy", "apply", ROOT / "examples/policies/db.cedar")
    assert guest.fetch("db/prod").stdout == house.value.decode()


def test_a_copied_vtpm_shows_itself(house, guest, tpm_folder):
    """The state is copied; the original boots on; then the copy asks, and both are stopped."""
    copy = guest.tpm.copy_state(tempfile.mkdtemp(dir=tpm_folder) + "/copy")
    try:
        for _ in range(2):
            guest.tpm.reboot()
        assert guest.fetch("db/prod").stdout == house.value.decode()
        Machine(house, copy).fetch("db/prod", status=DENIED)
        assert last(house)["check"].startswith("quote.clock")
        guest.fetch("db/prod", status=DENIED)
        assert last(house)["check"] == "identity"
        assert "suspended" in json.dumps(listed(house, "machine", "list", "--state", "suspended"))
        house.postern("machine", "readmit", "vm1", "--reason", "the copy was found and destroyed")
        assert guest.fetch("db/prod").stdout == house.value.decode()
    finally:
        copy.stop()


# ---- what the command does with what it gets ----


def test_into_files_in_memory(house, guest):
    folder = tempfile.mkdtemp(prefix="postern-story-", dir=MEMORY)
    try:
        guest.fetch("db/prod", "--output", folder)
        path = os.path.join(folder, "db/prod")
        assert open(path, "rb").read() == house.value
        assert os.stat(path).st_mode & 0o777 == 0o600
    finally:
        shutil.rmtree(folder)


def test_not_onto_a_disk(house, guest, tmp_path):
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True, check=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        pytest.skip("the temporary folder is in memory here")
    assert guest.fetch("db/prod", "--output", tmp_path, status=None).returncode not in (0, TRY_AGAIN)
    assert not (tmp_path / "db/prod").exists()
    guest.fetch("db/prod", "--output", tmp_path, "--allow-disk")
    assert (tmp_path / "db/prod").read_bytes() == house.value


def test_into_a_program(house, guest):
    """Its environment holds a path to a sealed file in memory, and not the value; nor does its command line."""
    script = 'cat "$POSTERN_SECRET_DB_PROD"; echo; tr "\\0" "\\n" </proc/$$/environ; cat /proc/$$/cmdline'
    text = guest.fetch("db/prod", "--exec", "sh", "-c", script).stdout
    assert text.split("\n", 1)[0] == house.value.decode()
    assert house.value.decode() not in text.split("\n", 1)[1]
    guest.fetch("db/prod", "--exec", "sh", "-c", "exit 42", status=42)
    guest.tpm.extend(8, "another kernel")
    done = guest.fetch("db/prod", "--exec", "sh", "-c", "echo started", status=DENIED)
    assert "started" not in done.stdout


def test_fields_and_versions(house, guest):
    house.postern("secret", "put", "db/user", "--public", "username=app", "password=@-", input="s3cret")
    assert guest.fetch("db/user", "--field", "password").stdout == "s3cret"
    house.postern("secret", "put", "db/user", "--public", "username=app", "password=@-", input="newer")
    assert guest.fetch("db/user@1", "--field", "password").stdout == "s3cret"
    assert guest.fetch("db/user", "--field", "password").stdout == "newer"
    both = json.loads(guest.fetch("db/user", "db/prod", "--json").stdout)["secrets"]
    assert both["db/user"]["version"] == 2 and both["db/prod"]["value"] == house.value.decode()
    house.postern("secret", "delete", "db/user")
    guest.fetch("db/user", status=DENIED)


def test_a_value_on_the_command_line_is_refused(house):
    done = house.postern("secret", "put", "db/user", "password=s3cret", status=64)
    assert "s3cret" not in done.stderr


@pytest.mark.parametrize("words, told", [
    (["machine", "foo"], "no such command: machine foo"),
    (["machine"], "machine register"),
    (["help", "machine", "foo"], "no such command: machine foo"),
    (["foo"], "no such command: foo"),
    (["--json", "status"], "options follow the command"),
    (["secret", "put", "db/user", "@file", "-"], "stands alone"),
    (["policy", "apply", "-"], "--name"),
])
def test_words_that_are_no_command(house, words, told):
    done = house.postern(*words, status=64)
    assert told in done.stderr and not done.stdout


def test_a_baseline_of_nothing_measured_is_remarked(house, guest):
    done = house.postern("baseline", "capture", "image-0", "--machine", "vm1", "--pcrs", "11")
    assert "PCR 11" in done.stderr and "all zeros" in done.stderr


def test_binary_values_come_back_as_they_were(house, guest, tmp_path):
    value = bytes(range(256)) * 16
    (tmp_path / "value").write_bytes(value)
    house.postern("secret", "put", "db/blob", f"@{tmp_path}/value")
    folder = tempfile.mkdtemp(prefix="postern-story-", dir=MEMORY)
    try:
        guest.fetch("db/blob", "--output", folder)
        assert open(os.path.join(folder, "db/blob"), "rb").read() == value
    finally:
        shutil.rmtree(folder)


def test_the_largest_value_and_one_byte_more(house, guest, tmp_path):
    value = os.urandom(512 * 1024).hex().encode()  # 1 MiB
    (tmp_path / "value").write_bytes(value)
    house.postern("secret", "put", "db/large", f"@{tmp_path}/value")
    assert guest.fetch("db/large").stdout == value.decode()
    (tmp_path / "value").write_bytes(value + b"x")
    assert house.postern("secret", "put", "db/large", f"@{tmp_path}/value", status=None).returncode not in (0, TRY_AGAIN)


def test_the_guest_notices_an_older_broker(house, guest):
    revision = json.loads(guest.fetch("db/prod", "--json").stdout)["trust_revision"]
    guest.fetch("db/prod", "--min-revision", str(revision))
    done = guest.fetch("db/prod", "--min-revision", str(revision + 1), status=None)
    assert done.returncode not in (0, TRY_AGAIN) and house.value.decode() not in done.stdout


def test_a_kept_checkpoint_holds_against_the_log(house, guest, tmp_path):
    guest.fetch("db/prod", "--checkpoint", tmp_path / "checkpoint")
    guest.fetch("db/prod")
    house.postern("audit", "verify", "--checkpoint", tmp_path / "checkpoint")
    text = (tmp_path / "checkpoint").read_text()
    place = next(index for index, letter in enumerate(text) if letter in "0123456789" and index > len(text) // 2)
    (tmp_path / "checkpoint").write_text(text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :])
    assert house.postern("audit", "verify", "--checkpoint", tmp_path / "checkpoint", status=None).returncode != 0


# ---- brokers that are not there, or not the right ones ----


def configuration(guest, path, brokers, **changes):
    """The guest's configuration with other brokers in front."""
    lines = [f"broker = https://{broker}\n" for broker in brokers]
    for line in open(guest.config, encoding="utf-8"):
        key = line.split("=")[0].strip()
        if key == "ca":
            line = f"ca = {guest.house.broker.certificate}\n"
        lines.append(f"{key} = {changes[key]}\n" if key in changes else line)
    path.write_text("".join(lines))
    return Machine(guest.house, guest.tpm, str(path))


def test_the_next_broker_where_the_first_is_dead(house, guest, tmp_path):
    started = time.monotonic()
    other = configuration(guest, tmp_path / "guest.conf", [f"127.0.0.1:{free_port()}"])
    assert other.fetch("db/prod").stdout == house.value.decode()
    assert time.monotonic() - started < 2 or house.broker.sanitized


def test_the_next_broker_where_the_first_says_nothing(house, guest, tmp_path):
    """A host that takes no connection: its backlog is full, so that not even a refusal comes back."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        other = configuration(guest, tmp_path / "guest.conf", [f"127.0.0.1:{deaf.getsockname()[1]}"])
        started = time.monotonic()
        assert other.fetch("db/prod").stdout == house.value.decode()
        assert time.monotonic() - started < 6  # two seconds for each of challenge and release at most
        for filler in fillers:
            filler.close()


def test_no_broker_at_all(house, guest):
    house.broker.stop()
    guest.fetch("db/prod", status=TRY_AGAIN)
    house.postern("status", status=TRY_AGAIN)
    house.broker.start()
    assert guest.fetch("db/prod").stdout == house.value.decode()


def test_a_broker_that_is_not_the_pinned_one(house, guest, tmp_path):
    other = configuration(guest, tmp_path / "guest.conf", [], release_key="A" * 42 + "E=")
    done = other.fetch("db/prod", status=MISCONFIGURED)
    assert house.value.decode() not in done.stdout


def test_a_certificate_that_is_not_the_pinned_cas(house, bare, guest, tmp_path):
    other = configuration(guest, tmp_path / "guest.conf", [], ca=bare.broker.certificate)
    other.fetch("db/prod", status=MISCONFIGURED)


def test_a_guest_without_a_tpm(house, guest):
    run(program("postern"), "fetch", "db/prod", "--config", guest.config, "--tcti", "swtpm:path=/nonexistent",
        status=ABSENT)


@pytest.mark.parametrize("text", ["", "broker = nonsense\n", "unknown = 1\n"], ids=["empty", "no URL", "unknown key"])
def test_a_configuration_that_is_none(guest, tmp_path, text):
    (tmp_path / "guest.conf").write_text(text)
    Machine(guest.house, guest.tpm, str(tmp_path / "guest.conf")).fetch("db/prod", status=MISCONFIGURED)
