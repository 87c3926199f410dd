# SPDX-License-Identifier: Apache-2.0
"""A broker whose root key is in its host's TPM: unsealed at start by nobody, refused where the host is another, helped
by its recovery shares; and a store that was put back, which the TPM's counter gives away."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

import middle
from broker import SANITIZED, Broker, program, run
from conftest import House
from guest import Refused

NOT_GOOD, USAGE, MISSING, UNAVAILABLE, AGAIN, DENIED = 1, 64, 66, 69, 75, 77
INDEX = "0x01805053"


@pytest.fixture
def hosted(machine, tmp_path):
    """A house whose broker's host has `machine` for its TPM; a new store each time, and no counter yet."""
    machine.tool("tpm2_clear", "-c", "platform")
    house = House(tmp_path / "broker", shares=(3, 2),
                  init=["--tpm", "--tcti", machine.tcti, "--pcrs", "7,11"])
    yield house
    house.broker.close()


def sealed_file(house):
    return pathlib.Path(house.broker.store).parent / "root.tpm"


def unseal(house, machine, *words, **keywords):
    return house.broker.local("unseal", "--tpm", "--tcti", machine.tcti, *words, **keywords)


def restart(house):
    house.broker.stop()
    house.broker.start()
    assert house.broker.state()["sealed"]


def witness(house, machine, *words, **keywords):
    return house.broker.local("witness", "--tcti", machine.tcti, *words, **keywords)


def frozen_word(guest):
    with pytest.raises(Refused) as caught:
        guest.fetch("db/prod")
    return caught.value.word


def test_unsealed_at_start_by_the_tpm(hosted, machine):
    guest = hosted.admitted()
    for _ in range(2):
        restart(hosted)
        machine.reboot()
        done = unseal(hosted, machine)
        assert "unsealed, at trust revision" in done.stdout and done.stderr == ""
        assert guest.fetch("db/prod")["secrets"]["db/prod"][1] == hosted.value
    assert "unsealed already" in unseal(hosted, machine).stdout
    # nothing secret is in the file, and it names what it is bound to
    key = secret_of(hosted)
    assert key not in sealed_file(hosted).read_bytes()
    assert "root_key" not in pathlib.Path(hosted.broker.config).read_text(encoding="ascii")


@pytest.mark.skipif(os.geteuid() != 0 or SANITIZED, reason="locks more memory than others may, or a sanitizer has")
def test_the_tpms_stack_is_locked_in_memory(hosted, machine, tmp_path):
    """It has the key in ordinary memory for a moment, of which nothing is to be swapped out."""
    command, seen = [], []

    def watch(kind, _):
        if kind == middle.KEY:
            status = pathlib.Path(f"/proc/{command[0].pid}/status").read_text(encoding="ascii")
            seen.extend(int(line.split()[1]) for line in status.splitlines() if line.startswith(("VmLck", "VmSize")))
        return kind != middle.KEY

    restart(hosted)
    with middle.Middle(str(tmp_path), hosted.broker.control, watch) as between:
        command.append(subprocess.Popen(
            [program("postern"), "unseal", "--tpm", "--tcti", machine.tcti, "--sealed", str(sealed_file(hosted)),
             "--control", between.path], stderr=subprocess.DEVNULL))
        assert command[0].wait(30) == AGAIN
    size, locked = seen
    assert locked > size / 2, seen


def secret_of(house):
    from shares import Share, combine
    return combine([Share.file(path) for path in house.broker.share_files[:2]])


def test_another_state_of_the_host_is_refused_and_shares_help(hosted, machine):
    guest = hosted.admitted()
    restart(hosted)
    machine.extend(8, "of no concern")
    machine.extend(7, "other Secure Boot keys")
    refused = unseal(hosted, machine, status=DENIED)
    assert "PCR 7" in refused.stderr and "shares" in refused.stderr and "postern tpm seal" in refused.stderr
    assert hosted.broker.state()["sealed"]
    hosted.broker.unseal()
    assert guest.fetch("db/prod")
    # neither shares that do not suffice nor another key are sealed
    before = sealed_file(hosted).read_bytes()
    other = pathlib.Path(hosted.broker.folder) / "other.key"
    other.write_bytes(os.urandom(32))
    hosted.broker.local("tpm", "seal", "--tcti", machine.tcti, "--root-key", other, status=NOT_GOOD)
    words = ["tpm", "seal", "--tcti", machine.tcti, "--share-file", hosted.broker.share_files[0]]
    hosted.broker.local(*words, "--share-file", hosted.broker.share_files[0], status=NOT_GOOD)
    assert sealed_file(hosted).read_bytes() == before
    done = hosted.broker.local(*words, "--share-file", hosted.broker.share_files[2])
    assert "PCR 7,11" in done.stdout  # as before
    assert sealed_file(hosted).read_bytes() != before
    restart(hosted)
    unseal(hosted, machine)
    assert guest.fetch("db/prod")
    # and the host as it was before is another one now
    restart(hosted)
    machine.reboot()
    assert "PCR 7" in unseal(hosted, machine, status=DENIED).stderr


def test_another_tpm_and_a_damaged_file_are_refused(hosted, machine, other_machine, tmp_path):
    restart(hosted)
    assert "another TPM" in unseal(hosted, other_machine, status=DENIED).stderr
    file = bytearray(sealed_file(hosted).read_bytes())
    file[len(file) // 2] ^= 1
    damaged = tmp_path / "damaged"
    damaged.write_bytes(file)
    assert "damaged" in unseal(hosted, machine, "--sealed", damaged, status=DENIED).stderr
    assert "none" in unseal(hosted, machine, "--sealed", tmp_path / "none", status=MISSING).stderr
    assert "no NV index" in unseal(hosted, machine, "--witness", "7", status=USAGE).stderr
    for words in (["--tpm", "--reset"], ["--tpm", "--share-file", hosted.broker.share_files[0]], ["--sealed", damaged]):
        assert "--tpm" in hosted.broker.local("unseal", *words, status=USAGE).stderr
    told = hosted.broker.local("unseal", "--tpm", "--tcti", "device:/dev/no-such-tpm", status=UNAVAILABLE).stderr
    assert "has this machine a TPM" in told
    assert hosted.broker.state()["sealed"]
    unseal(hosted, machine)


def test_a_key_of_another_broker_is_named(hosted, machine, tmp_path):
    other = Broker(tmp_path / "other", shares=(2, 2), init=["--tpm", "--tcti", machine.tcti])
    restart(hosted)
    told = unseal(hosted, machine, "--sealed", os.path.join(other.folder, "state/root.tpm"), status=NOT_GOOD).stderr
    assert "another root key" in told and "postern tpm seal" in told
    unseal(hosted, machine)


def test_a_new_root_key_goes_to_the_tpm_too(hosted, machine, tmp_path):
    guest = hosted.admitted()
    shares = [word for path in hosted.broker.share_files[:2] for word in ("--share-file", path)]
    new = tmp_path / "new-shares"
    new.mkdir(mode=0o700)
    words = ["rekey", "--shares-dir", new, *shares, "--tpm", "--tcti"]
    before = sealed_file(hosted).read_bytes()
    # a TPM that is not there, and an act that is not there: nothing has changed
    hosted.broker.local(*words, f"swtpm:path={tmp_path}/none", status=UNAVAILABLE)
    hosted.broker.local(*words, machine.tcti, status=DENIED)
    assert "--tpm" in hosted.broker.local("rekey", "--pcrs", "7", status=USAGE).stderr
    assert sealed_file(hosted).read_bytes() == before and not list(new.iterdir())
    hosted.postern("rekey", "authorize", "--shares", "3", "--threshold", "2")
    told = hosted.broker.local(*words, machine.tcti).stdout
    assert "This host's TPM holds the new key" in told
    assert sorted(path.name for path in sealed_file(hosted).parent.glob("root.tpm*")) == ["root.tpm"]
    restart(hosted)
    unseal(hosted, machine)
    assert guest.fetch("db/prod")
    # the one before opens nothing any more, and says what to do
    restart(hosted)
    (tmp_path / "old").write_bytes(before)
    assert "postern tpm seal" in unseal(hosted, machine, "--sealed", tmp_path / "old", status=NOT_GOOD).stderr
    hosted.broker.unseal([new / "share-1.txt", new / "share-3.txt"])


def test_init_is_all_or_nothing(machine, tmp_path):
    def init(*words, **keywords):
        return run(program("postern"), "init", "--config-dir", tmp_path / "c", "--state", tmp_path / "s",
                   "--no-passphrase", *words, **keywords)
    assert "--shares" in init("--tpm", status=USAGE).stderr
    assert "--tpm" in init("--pcrs", "7", status=USAGE).stderr
    for pcrs in ("", "24", "16-17", "x"):
        init("--tpm", "--shares", "2", "--threshold", "2", "--pcrs", pcrs, status=USAGE)
    told = init("--tpm", "--tcti", f"swtpm:path={tmp_path}/none", "--shares", "2", "--threshold", "2", status=69)
    assert "is it running" in told.stderr
    assert not (tmp_path / "c").exists() and not (tmp_path / "s").exists()
    told = init("--tpm", "--tcti", machine.tcti, "--shares", "2", "--threshold", "2", "--shares-dir", tmp_path / "k")
    assert "unseal --tpm" in told.stdout and "sealed to this host's TPM" in told.stdout
    assert (tmp_path / "s/root.tpm").stat().st_mode & 0o777 == 0o600


# ---- the witness ----

def put_back(house, copy):
    house.broker.stop()
    shutil.rmtree(house.broker.store)
    shutil.copytree(copy, house.broker.store)
    house.broker.start()


def test_an_older_store_starts_frozen_and_says_why(hosted, machine, tmp_path):
    guest = hosted.admitted()
    first = json.loads(witness(hosted, machine, "--define", "--json").stdout)
    assert first["index"] == INDEX
    assert hosted.broker.state()["witness"] == first["witness"]
    hosted.broker.stop()
    shutil.copytree(hosted.broker.store, tmp_path / "copy")
    hosted.broker.start()
    unseal(hosted, machine)
    assert guest.fetch("db/prod")
    second = json.loads(witness(hosted, machine, "--json").stdout)["witness"]
    assert second == first["witness"] + 1
    restart(hosted)
    machine.reboot()
    unseal(hosted, machine)
    assert guest.fetch("db/prod") and not hosted.broker.state()["frozen"]

    put_back(hosted, tmp_path / "copy")
    told = unseal(hosted, machine)
    state = hosted.broker.state()
    assert state["frozen"] and str(second) in state["why"] and "frozen" in told.stdout + told.stderr
    assert frozen_word(guest) == "frozen"
    # unsealing by shares, which bring no counter, is no way around it
    restart(hosted)
    hosted.broker.unseal()
    assert hosted.broker.state()["frozen"] and frozen_word(guest) == "frozen"
    # nor is counting on: the store is told of the TPM's count, and stays frozen until somebody has looked
    assert str(second) in witness(hosted, machine, status=DENIED).stderr
    assert frozen_word(guest) == "frozen"
    revision = hosted.operate("status")["trust_revision"]
    hosted.broker.local("thaw", "--revision", revision, "--reason", "the disk is from yesterday's image")
    assert guest.fetch("db/prod")
    # from then on it is the newest again
    assert json.loads(witness(hosted, machine, "--json").stdout)["witness"] == second + 1
    restart(hosted)
    unseal(hosted, machine)
    assert guest.fetch("db/prod")


def test_without_a_counter_it_says_how_to_make_one(hosted, machine):
    refused = witness(hosted, machine, status=DENIED)
    assert "witness --define" in refused.stderr
    witness(hosted, machine, "--index", "0x01c00002", status=USAGE)
    restart(hosted)
    assert "0x" in unseal(hosted, machine, "--witness", INDEX, status=DENIED).stderr
    assert "sealed" in witness(hosted, machine, "--define", status=AGAIN).stderr
    unseal(hosted, machine)


def test_a_counter_of_another_broker_is_not_mistaken_for_its_own(hosted, machine, tmp_path):
    guest = hosted.admitted()
    other = House(tmp_path / "other", shares=(2, 2), init=["--tpm", "--tcti", machine.tcti])
    try:
        witness(other, machine, "--define")
    finally:
        other.broker.close()
    restart(hosted)
    unseal(hosted, machine, "--witness", "none")
    assert guest.fetch("db/prod")
    restart(hosted)
    unseal(hosted, machine)
    assert frozen_word(guest) == "frozen" and "knows 0" in hosted.broker.state()["why"]
    # who makes another one here is told
    told = run(program("postern"), "init", "--config-dir", tmp_path / "c", "--state", tmp_path / "s", "--no-passphrase",
               "--shares", "2", "--threshold", "2", "--shares-dir", tmp_path / "k", "--tpm", "--tcti", machine.tcti)
    assert "has a counter" in told.stderr and "thaw" in told.stderr


def test_watching_counts_each_move_of_trust(hosted, machine):
    watching = subprocess.Popen(
        [program("postern"), "witness", "--watch", "--define", "--json", "--tcti", machine.tcti, "--config",
         hosted.broker.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        first = json.loads(watching.stdout.readline())["witness"]
        hosted.admitted()
        second = json.loads(watching.stdout.readline())["witness"]
        assert second == first + 1
        hosted.broker.stop()
        assert watching.wait(30) != 0
    finally:
        watching.kill()
        watching.communicate()
    hosted.broker.start()
    unseal(hosted, machine)
    assert hosted.broker.state()["witness"] >= second
