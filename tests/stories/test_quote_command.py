# SPDX-License-Identifier: Apache-2.0
"""`postern quote verify` over quotes that a real TPM made with stock tools, and over what somebody made of them; real
ones are looked at where POSTERN_SHARED says that there are some."""
import json
import os
import pathlib
import struct

import pytest

import machine_tpm
from broker import program, run

OK, NOT_VERIFIED, USAGE, MALFORMED, NO_INPUT = 0, 1, 64, 65, 66
NONCE = "00c0ffee"
ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign"
ALGORITHMS = {  # "scheme..." to the key as tpm2-tools say it, and the scheme's hash
    "ecdsa-p256": ("ecc256:ecdsa-sha256:null", "sha256"),
    "ecdsa-p384": ("ecc384:ecdsa-sha384:null", "sha384"),
    "rsassa": ("rsa2048:rsassa-sha256:null", "sha256"),
    "rsassa-sha384": ("rsa2048:rsassa-sha384:null", "sha384"),
    "rsapss": ("rsa2048:rsapss-sha256:null", "sha256"),
    "rsapss-sha384": ("rsa2048:rsapss-sha384:null", "sha384"),
}
BANKS = ("sha256", "sha384")
SHARED = os.environ.get("POSTERN_SHARED", "")
CORPORA = pathlib.Path(SHARED) / "corpora" / "quotes"

needs_tpm = pytest.mark.skipif(bool(machine_tpm.missing_programs()), reason="no software TPM here")
real = pytest.mark.skipif(not SHARED or not CORPORA.is_dir(), reason="POSTERN_SHARED has no quotes")


def verify(folder, *arguments, status=OK, key="ak.pub", as_json=True):
    """Runs the command on a folder's files."""
    files = ("--ak", folder / key, "--message", folder / "message", "--signature", folder / "signature")
    done = run(program("postern"), "quote", "verify", *files, *arguments, *(["--json"] if as_json else []), status=status)
    return json.loads(done.stdout) if as_json and done.stdout else done.stdout + done.stderr


def all_of(folder):
    return ["--pcrs", folder / "pcrs", "--qualifying", NONCE]


def tool(tpm, *command):
    """Without a resource manager each tool leaves its key in one of the TPM's three places."""
    tpm.tool(*command)
    tpm.tool("tpm2_flushcontext", "-t")


def make_key(tpm, folder, algorithm, attributes=ATTRIBUTES, hierarchy="e"):
    folder.mkdir()
    tool(tpm, "tpm2_createprimary", "-Q", "-C", hierarchy, "-G", algorithm, "-a", attributes, "-c", f"{folder}/context")
    tool(tpm, "tpm2_readpublic", "-Q", "-c", f"{folder}/context", "-o", f"{folder}/ak.pub")
    tool(tpm, "tpm2_readpublic", "-Q", "-c", f"{folder}/context", "-f", "pem", "-o", f"{folder}/ak.pem")


def make_quote(tpm, folder, selection, scheme_hash, scheme="ecdsa"):
    tool(tpm, "tpm2_quote", "-Q", "-c", f"{folder}/context", "-l", selection, "-q", NONCE, "-g", scheme_hash, "--scheme", scheme,
             "-m", f"{folder}/message", "-s", f"{folder}/signature", "-o", f"{folder}/pcrs")


@pytest.fixture(scope="module")
def tpm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tpm")
    with machine_tpm.MachineTpm(folder / "tpm", folder / "ca", banks="sha1,sha256,sha384", certificates=False) as made:
        made.extend(7, "measured")
        yield made


@pytest.fixture(scope="module")
def quoted(tpm, tmp_path_factory):
    """A P-256 key's quote of SHA-256 PCR 0-7."""
    folder = tmp_path_factory.mktemp("quoted") / "files"
    make_key(tpm, folder, ALGORITHMS["ecdsa-p256"][0])
    make_quote(tpm, folder, "sha256:0,1,2,3,4,5,6,7", "sha256")
    return folder


# ---- a TPM's own ----

@needs_tpm
@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_kind_of_key_in_every_bank(tpm, tmp_path, name):
    algorithm, scheme_hash = ALGORITHMS[name]
    folder = tmp_path / "files"
    make_key(tpm, folder, algorithm)
    for bank in BANKS:
        make_quote(tpm, folder, f"{bank}:0,4,7,11", scheme_hash, name.split("-")[0])
        shown = verify(folder, *all_of(folder))
        assert shown["verified"] and set(shown["checks"].values()) == {"passed"}
        assert shown["key"]["hierarchy"] == "endorsement" and "restricted" in shown["key"]["attributes"]
        assert shown["quote"]["selection"][0]["bank"] == bank
        assert shown["quote"]["selection"][0]["pcrs"] == [0, 4, 7, 11]
        assert shown["quote"]["extra_data"] == NONCE and shown["signature"]["hash"] == scheme_hash
        assert (shown["quote"]["reset_count"], shown["quote"]["restart_count"]) == tpm.clock()[:2]
        bare = verify(folder, *all_of(folder), key="ak.pem")
        assert bare["verified"] and bare["checks"]["attributes"] == bare["checks"]["signer"] == "skipped"


@needs_tpm
def test_values_as_the_tools_print_them(tpm, quoted, tmp_path):
    """All 24 of three banks: those that were quoted are compared, the others are named."""
    printed = tmp_path / "printed"
    printed.write_text(tpm.tool("tpm2_pcrread"))
    shown = verify(quoted, "--pcrs", printed, "--qualifying", NONCE)
    assert shown["verified"] and shown["not_quoted"] == list(range(8, 24))
    assert "PCR 8-23 were given, and the quote does not cover them" in verify(
        quoted, "--pcrs", printed, "--qualifying", NONCE, as_json=False)


@needs_tpm
def test_what_was_not_given_is_said(quoted):
    text = verify(quoted, as_json=False)
    assert text.startswith("verified")
    assert text.splitlines()[1] == '  but not checked: qualifying, pcrs (see "What this leaves open")'
    assert "Freshness was not checked" in text and "PCR values were not checked" in text
    assert verify(quoted)["checks"]["qualifying"] == "skipped"
    text = verify(quoted, *all_of(quoted), as_json=False)
    assert "Freshness was not checked" not in text and "not checked" not in text


@needs_tpm
def test_another_hierarchy_is_told(tpm, tmp_path):
    folder = tmp_path / "files"
    make_key(tpm, folder, ALGORITHMS["ecdsa-p256"][0], hierarchy="o")
    make_quote(tpm, folder, "sha256:7", "sha256")
    shown = verify(folder, *all_of(folder))
    assert shown["verified"] and shown["key"]["hierarchy"] == "owner"
    assert "obfuscated" in verify(folder, *all_of(folder), as_json=False)


@needs_tpm
def test_a_key_that_signs_anything_is_refused(tpm, tmp_path):
    """The TPM quotes with it all the same, and would sign a forged quote next."""
    folder = tmp_path / "files"
    make_key(tpm, folder, ALGORITHMS["ecdsa-p256"][0], attributes=ATTRIBUTES.replace("restricted|", ""))
    make_quote(tpm, folder, "sha256:7", "sha256")
    shown = verify(folder, *all_of(folder), status=NOT_VERIFIED)
    assert shown["failed"]["check"] == "ak.restricted"
    text = verify(folder, *all_of(folder), key="ak.pem", as_json=False)
    assert "Whether the key is restricted and fixed to a TPM is unknown" in text


@needs_tpm
@pytest.mark.parametrize("selection, check", [
    ("sha1:0,7", "quote.sha1"),
    ("sha256:0,7+sha384:0,7", "quote.selection.banks"),
])
def test_selections_that_are_refused(tpm, quoted, tmp_path, selection, check):
    folder = tmp_path / "files"
    make_key(tpm, folder, ALGORITHMS["ecdsa-p256"][0])
    make_quote(tpm, folder, selection, "sha256")
    assert verify(folder, "--qualifying", NONCE, status=NOT_VERIFIED)["failed"]["check"] == check


@needs_tpm
def test_resettable_pcrs_are_named(tpm, tmp_path):
    folder = tmp_path / "files"
    make_key(tpm, folder, ALGORITHMS["ecdsa-p256"][0])
    make_quote(tpm, folder, "sha256:7,16,23", "sha256")
    assert verify(folder, *all_of(folder))["resettable"] == [16, 23]
    assert "PCR 16,23 can be reset by software" in verify(folder, *all_of(folder), as_json=False)


@needs_tpm
def test_a_raw_signature_says_what_to_do(tpm, quoted, tmp_path):
    folder = tmp_path / "files"
    make_key(tpm, folder, ALGORITHMS["rsassa"][0])
    tool(tpm, "tpm2_quote", "-Q", "-c", f"{folder}/context", "-l", "sha256:7", "-g", "sha256", "-f", "plain",
             "-m", f"{folder}/message", "-s", f"{folder}/signature", "-o", f"{folder}/pcrs")
    assert "no TPMT_SIGNATURE" in verify(folder, status=MALFORMED, as_json=False)


# ---- what somebody made of it ----

def spoil(quoted, tmp_path, name, change):
    folder = tmp_path / "spoilt"
    folder.mkdir()
    for each in ("ak.pub", "ak.pem", "message", "signature", "pcrs"):
        data = (quoted / each).read_bytes()
        (folder / each).write_bytes(change(data) if each == name else data)
    return folder


SPOILS = [  # (file, what is done to it, the exit status, the check or words that say so)
    ("message", lambda data: data[:-1], MALFORMED, "no TPMS_ATTEST"),
    ("message", lambda data: data + b"\0", MALFORMED, "no TPMS_ATTEST"),
    ("message", lambda data: b"", MALFORMED, "no TPMS_ATTEST"),
    ("message", lambda data: b"\xff\x54\x43\x48" + data[4:], NOT_VERIFIED, "quote.magic"),
    ("message", lambda data: data[:-1] + bytes([data[-1] ^ 1]), NOT_VERIFIED, "quote.signature"),
    ("message", lambda data: data[:8] + b"\0\x0c" + data[10:], NOT_VERIFIED, "quote.signer"),
    ("signature", lambda data: data[:-1], MALFORMED, "no TPMT_SIGNATURE"),
    ("signature", lambda data: data[4:], MALFORMED, "no TPMT_SIGNATURE"),
    ("signature", lambda data: data[:2] + b"\0\x04" + data[4:], NOT_VERIFIED, "quote.scheme"),
    ("signature", lambda data: data[:-1] + bytes([data[-1] ^ 1]), NOT_VERIFIED, "quote.signature"),
    ("ak.pub", lambda data: data[:-1], MALFORMED, "no TPMT_PUBLIC"),
    ("ak.pub", lambda data: data[2:], OK, None),  # TPMT_PUBLIC
    ("ak.pub", lambda data: data[:6] + struct.pack(">I", 0x00040072) + data[10:], NOT_VERIFIED, "ak.restricted"),
    ("ak.pub", lambda data: data[:-1] + bytes([data[-1] ^ 1]), NOT_VERIFIED, "ak.point"),
]


@needs_tpm
@pytest.mark.parametrize("name, change, status, why", SPOILS)
def test_what_is_refused(quoted, tmp_path, name, change, status, why):
    folder = spoil(quoted, tmp_path, name, change)
    shown = verify(folder, *all_of(folder), status=status, as_json=status != MALFORMED)
    if status == MALFORMED:
        assert why in shown and str(folder / name) in shown
    elif status == NOT_VERIFIED:
        assert shown["failed"]["check"] == why and not shown["verified"]
        assert f"NOT VERIFIED: {why}" in verify(folder, *all_of(folder), status=status, as_json=False)


@needs_tpm
def test_a_sized_message_is_the_same(quoted, tmp_path):
    folder = spoil(quoted, tmp_path, "message", lambda data: struct.pack(">H", len(data)) + data)
    assert verify(folder, *all_of(folder))["verified"]


@needs_tpm
@pytest.mark.parametrize("nonce", ["", "00", "00c0ff", "00c0ffee00", "01c0ffee", "c0ffee"])
def test_another_nonce_is_refused(quoted, nonce):
    shown = verify(quoted, "--qualifying", nonce, status=NOT_VERIFIED)
    assert shown["failed"] == {"check": "quote.qualifying", "message": "made for another exchange", "expected": nonce,
                               "seen": NONCE}
    assert shown["checks"]["signature"] == "unreached"


@needs_tpm
def test_other_values_are_refused(quoted, tmp_path):
    values = {"sha256": {str(pcr): "00" * 32 for pcr in range(8)}}
    file = tmp_path / "values"
    for change, check in ((lambda: None, "quote.pcrs"), (lambda: values["sha256"].pop("7"), "quote.pcrs.missing"),
                          (lambda: values.update(sha384={"0": "00" * 48}), "quote.pcrs.missing"),
                          (lambda: values.pop("sha256"), "quote.pcrs.bank")):
        change()
        file.write_text(json.dumps(values))
        assert verify(quoted, "--pcrs", file, status=NOT_VERIFIED)["failed"]["check"] == check


@needs_tpm
def test_usage(quoted, tmp_path):
    for arguments in (["--qualifying", "0"], ["--qualifying", "zz"], ["--qualifying", "00" * 65], ["more"], ["--what"]):
        verify(quoted, *arguments, status=USAGE)
    run(program("postern"), "quote", "verify", status=USAGE)
    run(program("postern"), "quote", status=USAGE)
    verify(quoted, "--pcrs", tmp_path / "none", status=NO_INPUT)
    verify(quoted, key="none", status=NO_INPUT)
    verify(quoted, "--pcrs", quoted / "message", status=MALFORMED)
    assert "--qualifying" in run(program("postern"), "help", "quote", "verify").stdout


# ---- real ones ----

@real
@pytest.mark.parametrize("folder, key, status, check", [
    ("azure-cvm-tooling/az-vtpm", "ak.pem", OK, None),
    ("go-tpm-tools/gce-cos-85-no-nonce/sha256", "ak.tpmt_public", OK, None),
    ("go-tpm-tools/gce-cos-85-no-nonce/sha384", "ak.tpmt_public", OK, None),
    ("go-tpm-tools/gce-cos-85-nonce9009/sha256", "ak.tpmt_public", OK, None),
    ("go-tpm-tools/gce-cos-85-nonce9009/sha384", "ak.pem", OK, None),
    ("go-tpm-tools/gce-cos-85-nonce9009/sha1", "ak.tpmt_public", NOT_VERIFIED, "quote.sha1"),
    ("go-attestation/windows_gcp_shielded_vm", "ak.tpmt_public", NOT_VERIFIED, "ak.scheme"),
    ("go-attestation/windows_gcp_shielded_vm", "ak.pem", NOT_VERIFIED, "quote.sha1"),
])
def test_real_quotes(folder, key, status, check):
    files = CORPORA / folder
    done = run(program("postern"), "quote", "verify", "--ak", files / key, "--message", files / "quote.attest",
               "--signature", files / "quote.sig", "--pcrs", files / "pcrs.json",
               "--qualifying", (files / "nonce.bin").read_bytes().hex(), "--json", status=status)
    shown = json.loads(done.stdout)
    assert shown["verified"] is (check is None) and shown.get("failed", {}).get("check") == check
