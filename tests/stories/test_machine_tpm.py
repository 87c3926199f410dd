# SPDX-License-Identifier: Apache-2.0
"""The stories' own TPM does what their machines need of it."""

import hashlib
import pathlib
import subprocess

import pytest

from machine_tpm import MachineTpm, missing_programs

pytestmark = pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}")

NV_RSA_2048 = "0x1c00002"
NV_P384 = "0x1c00016"


@pytest.fixture
def tpm(tmp_path):
    with MachineTpm(tmp_path / "tpm", tmp_path / "ca") as made:
        yield made


def pcr(tpm, number):
    line = tpm.tool("tpm2_pcrread", f"sha256:{number}").splitlines()[-1]
    return line.split("0x")[1].lower()


def persistent_ek(tpm):
    return tpm.tool("tpm2_readpublic", "-c", "0x81010016")


def openssl(*arguments):
    return subprocess.run(("openssl",) + arguments, check=True, text=True, stdout=subprocess.PIPE).stdout


@pytest.mark.parametrize("index", [NV_RSA_2048, NV_P384])
def test_two_machines_share_a_ca_and_not_an_ek(tmp_path, tpm, index):
    keys = set()
    with MachineTpm(tmp_path / "other", tmp_path / "ca") as other:
        for machine in (tpm, other):
            machine.tool("tpm2_nvread", "-C", "o", index, "-o", str(tmp_path / "ek.der"))
            openssl("x509", "-inform", "der", "-in", str(tmp_path / "ek.der"), "-out", str(tmp_path / "ek.pem"))
            root, issuer = map(str, machine.ca_certificates)
            # The directoryName of the TCG is critical and unknown to OpenSSL.
            openssl("verify", "-ignore_critical", "-CAfile", root, "-untrusted", issuer, str(tmp_path / "ek.pem"))
            keys.add(openssl("x509", "-in", str(tmp_path / "ek.pem"), "-noout", "-pubkey"))
        assert persistent_ek(tpm) != persistent_ek(other)
    assert len(keys) == 2


def test_extend_is_an_event_and_reboot_forgets_it(tpm):
    tpm.extend(4, b"kernel")
    assert pcr(tpm, 4) == hashlib.sha256(bytes(32) + hashlib.sha256(b"kernel").digest()).hexdigest()
    resets = tpm.clock()[0]
    ek = persistent_ek(tpm)
    tpm.reboot()
    assert pcr(tpm, 4) == "00" * 32
    assert tpm.clock()[0] == resets + 1
    assert persistent_ek(tpm) == ek


def test_clear_begins_the_counters_anew(tpm):
    tpm.reboot()
    tpm.reboot()
    before = tpm.clock()
    tpm.clear()
    assert tpm.clock() < before
    assert tpm.clock()[:2] == (0, 0)


def test_a_copy_is_the_same_machine_and_falls_behind(tmp_path, tpm):
    with tpm.copy_state(tmp_path / "copy") as copy:
        assert copy.tcti != tpm.tcti
        assert persistent_ek(copy) == persistent_ek(tpm)
        for _ in range(3):
            tpm.reboot()
        assert copy.clock() < tpm.clock()


def test_a_tpm_without_certificates_has_none(tmp_path):
    with MachineTpm(tmp_path / "tpm", tmp_path / "ca", certificates=False) as bare:
        assert bare.tool("tpm2_getcap", "handles-nv-index").strip() == ""


def test_stop_leaves_no_process_and_starts_again(tpm):
    socket = pathlib.Path(tpm.tcti.split("path=")[1])
    assert socket.exists()
    tpm.stop()
    tpm.stop()
    assert not socket.parent.exists()
    tpm.start()
    assert tpm.clock()[0] > 0
