# SPDX-License-Identifier: Apache-2.0
"""`postern eventlog`: what it shows, what it holds against a TPM's values, what it calls no log. Logs are made here; real
ones are looked at where POSTERN_SHARED says that there are some."""
import json
import os
import pathlib
import re
import struct
import subprocess
import time

import pytest

import machine_tpm
from broker import SANITIZED, program, run
from event_log import (EV_ACTION, EV_APPLICATION, EV_AUTHORITY, EV_BOOT, EV_CONFIG, EV_IPL, EV_NO_ACTION, EV_SEPARATOR, GLOBAL,
                       IMAGE_SECURITY, EventLog, boot, secure_boot, utf16, variable)

OK, NOT_VERIFIED, USAGE, MALFORMED, NO_INPUT = 0, 1, 64, 65, 66
LIMIT = 2 * 1024 * 1024


@pytest.fixture
def show(tmp_path):
    """Runs the command on these bytes; `pcrs` is what goes into the file of values."""

    def call(data, pcrs=None, status=OK, as_json=True):
        log, values = tmp_path / "log", tmp_path / "pcrs"
        log.write_bytes(data)
        arguments = ["eventlog", log]
        if pcrs is not None:
            values.write_bytes(pcrs if isinstance(pcrs, bytes) else json.dumps(pcrs).encode())
            arguments += ["--pcrs", values]
        done = run(program("postern"), *arguments, *(["--json"] if as_json else []), status=status)
        shown = json.loads(done.stdout) if as_json and done.stdout else done.stdout
        return (shown, done.stderr) if as_json else done.stdout + done.stderr

    return call


# ---- what is shown ----

@pytest.mark.parametrize("banks", [("sha256",), ("sha1", "sha256"), ("sha384",), ("sha512", "sha384", "sha256", "sha1")])
def test_every_pcr_of_every_bank(show, banks):
    log = boot(banks)
    shown, _ = show(log.data)
    assert shown["pcrs"] == log.values()
    assert shown["format"] == "crypto-agile" and shown["claims_if_quoted"] is True
    assert shown["claims"]["secureBoot"] is True and "verdicts" not in shown and "refused" not in shown
    assert [event["number"] for event in shown["events"]] == list(range(log.count))
    assert set(shown["events"][1]["digests"]) == set(banks)


def test_each_event_says_what_it_proves(show):
    log = boot()
    log.event(1, EV_BOOT, variable(GLOBAL, "BootOrder", b"\1\0\0\0"), b"\1\0\0\0")
    log.event(7, EV_CONFIG, variable(GLOBAL, "AuditMode", b"\0"), b"something else")
    log.event(0, EV_NO_ACTION, b"StartupLocality\0\0")
    log.event(8, 0x12345678, b"\x01\x02")
    shown, _ = show(log.data)
    found = [(event["pcr"], event["type"], event["proof"], event["what"]) for event in shown["events"]]
    for want in [
        (0, "EV_S_CRTM_VERSION", "data", "Firmware 1.2"),
        (7, "EV_EFI_VARIABLE_DRIVER_CONFIG", "data", "Secure Boot is on"),
        (8, "EV_IPL", "text", "set root=hd0"),
        (8, "EV_IPL", "text", "/vmlinuz root=/dev/vda1"),
        (9, "EV_IPL", "digest", 'GRUB read the file "/vmlinuz"'),
        (5, "EV_EFI_ACTION", "data", "Exit Boot Services Invocation"),
        (1, "EV_EFI_VARIABLE_BOOT", "value", "the order in which boot options are tried: Boot0001 Boot0000"),
        (7, "EV_EFI_VARIABLE_DRIVER_CONFIG", "mismatch", "not in audit mode"),
        (8, "0x12345678", "data", "2 bytes, 0102"),
    ]:
        assert want in found, (want, found)
    assert found[0][2] == "nothing" and found[-2][2] == "nothing"  # the header, and the note of the locality


def test_the_plain_output_teaches(show):
    text = show(boot().data, as_json=False)
    for words in ["PCR 7: Secure Boot", "Secure Boot is on", "proves: only a digest of bytes outside of the log",
                  "hands over to the operating system", "WOULD be proved if a quote confirmed", "Not proved"]:
        assert words in text, words
    assert all(len(line) < 200 for line in text.splitlines())


def test_a_terminal_is_not_spoken_to(show):
    evil = "\x1b[31mred\x07\u202e\u2066\x9b"
    log = EventLog()
    log.event(8, EV_IPL, ("grub_cmd: " + evil).encode() + b"\0", evil.encode())
    log.event(7, EV_CONFIG, variable(GLOBAL, evil, b"\1"))
    log.event(5, EV_ACTION, b"\x1b]0;title\x07\xff\xfe\n  #9 EV_SEPARATOR")
    path = struct.pack("<BBH", 4, 4, 4 + 2 * len(evil)) + utf16(evil) + b"\x7f\xff\x04\0"
    log.event(4, EV_APPLICATION, struct.pack("<QQQQ", 0, 0, 0, len(path)) + path, b"image")
    log.event(1, EV_BOOT, variable(GLOBAL, "Boot0001", struct.pack("<IH", 1, len(path)) + utf16(evil + "\0") + path))
    log.event(7, EV_AUTHORITY, variable(GLOBAL, "db", bytes(16) + b"\x30\x03\x1b\x1b\x1b"))
    log.event(12, 6, struct.pack("<II", 0x00070001, 2 * len(evil)) + utf16(evil))
    text = show(log.data, as_json=False)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", text)
    assert len(re.findall("^  #", text, re.MULTILINE)) == log.count  # and no line is begun for us
    shown, _ = show(log.data)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e\u2066]", "".join(map(str, shown["events"])))


# ---- held against values ----

def verdicts(show, log, values, status):
    shown, _ = show(log.data, values, status)
    assert shown["verified"] is (status == OK) and "claims_if_quoted" not in shown
    return shown


@pytest.mark.parametrize("banks", [("sha256",), ("sha384",), ("sha1", "sha256", "sha384")])
def test_the_tpm_has_these_values(show, banks):
    log = boot(banks)
    shown = verdicts(show, log, log.values(), OK)
    assert shown["judged"] == [bank for bank in banks if bank != "sha1"]
    assert shown["verdicts"] == {str(pcr): "exact" for pcr in range(16)} and shown["claims"]["secureBoot"] is True


@pytest.mark.parametrize("pcr", list(range(10)) + [14])
def test_the_tpm_has_another_value(show, pcr):
    log = boot()
    values = log.values()
    values["sha256"][str(pcr)] = "00" * 31 + "01"
    shown = verdicts(show, log, values, NOT_VERIFIED)
    assert shown["verdicts"].pop(str(pcr)) == "unexplained" and set(shown["verdicts"].values()) == {"exact"}
    assert ("secureBoot" in shown["claims"]) is (pcr != 7)
    assert f"NOT VERIFIED: unexplained are PCR {pcr}\n" in show(log.data, values, NOT_VERIFIED, as_json=False)


def test_what_the_system_extends_without_the_log(show):
    log = boot()
    log.word(9, "os-separator")
    for word in ("enter-initrd", "leave-initrd", "sysinit", "ready"):
        log.word(11, word)
    for pcr in (10, 15, 12):  # nobody logs these here: they are the system's
        log.word(pcr, "anything")
    shown = verdicts(show, log, log.values(), OK)
    assert (shown["verdicts"]["9"], shown["verdicts"]["11"]) == ("prefix", "prefix")
    assert [shown["verdicts"][pcr] for pcr in ("10", "12", "15")] == ["unexplained"] * 3
    log.event(12, EV_IPL, utf16("quiet\0"))  # now it is the log's to explain
    verdicts(show, log, log.values(), NOT_VERIFIED)


def test_words_that_nobody_knows_explain_nothing(show):
    log = boot()
    log.word(4, "os-separator ")
    assert verdicts(show, log, log.values(), NOT_VERIFIED)["verdicts"]["4"] == "unexplained"


def test_both_banks_must_hold(show):
    log = boot(("sha256", "sha384"))
    values = log.values()
    values["sha384"]["2"] = "11" * 48
    assert verdicts(show, log, values, NOT_VERIFIED)["verdicts"]["2"] == "unexplained"


@pytest.mark.parametrize("pcrs", [[16], [23], [10], [15], [11, 13]])
def test_nothing_compared_is_not_verified(show, pcrs):
    log = boot()
    values = {"sha256": {str(pcr): log.values()["sha256"][str(pcr)] for pcr in pcrs}}
    verdicts(show, log, values, NOT_VERIFIED)
    assert "no value was given of a PCR that this log explains" in show(log.data, values, NOT_VERIFIED, as_json=False)


@pytest.mark.parametrize("fill", [
    lambda log: log.event(0, EV_NO_ACTION, b"StartupLocality\0\3"),
    lambda log: log.event(4, EV_SEPARATOR, bytes(4), banks=["sha1"]),  # and into the bank that is compared, nothing
    lambda log: log.event(16, EV_SEPARATOR, bytes(4))])
def test_a_log_of_nothing_verifies_nothing(show, fill):
    """A TPM that nobody extended has zeros, and a log without events leads there."""
    log = fill(EventLog(("sha1", "sha256")))
    shown = verdicts(show, log, log.values("sha256"), NOT_VERIFIED)
    assert set(shown["verdicts"].values()) == {"exact"} and shown["claims"] == {}
    assert "measured nothing into the PCRs that were compared" in show(log.data, log.values("sha256"), NOT_VERIFIED, as_json=False)


def test_without_values_nothing_is_verified(show):
    assert show(boot().data)[0]["verified"] is False
    assert show(boot().data, as_json=False).endswith("Nothing is verified: no TPM's values were given (--pcrs)\n")


def test_a_digest_is_shown_of_a_bank_that_is_compared(show):
    log = boot(("sha256", "sha384", "sha512"))
    for banks in (["sha256"], ["sha384"], ["sha256", "sha384"]):
        text = show(log.data, log.values(*banks), as_json=False)
        assert set(re.findall(r"^ +digest +(\w+) ", text, re.MULTILINE)) == {banks[0]}


def test_a_part_of_the_pcrs_is_named(show):
    log = boot()
    values = {"sha256": {pcr: log.values()["sha256"][pcr] for pcr in ("4", "7")}}
    text = show(log.data, values, as_json=False)
    assert "Verified, by sha256: the log explains PCR 4 7\nNot compared, for no value was given: PCR 0 1 2 3 5 6 8 9 14\n" in text


# ---- SHA-1 ----

@pytest.mark.parametrize("banks", [None, ("sha1",)])
def test_sha1_is_shown_and_never_evidence(show, banks):
    log = boot(banks)
    shown, said = show(log.data)
    assert shown["pcrs"] == log.values() and len(shown["events"]) == log.count
    assert shown["claims"] == {} and "SHA-1" in shown["refused"] and "SHA-1" in said
    shown, _ = show(log.data, log.values(), NOT_VERIFIED)
    assert shown["claims"] == {} and shown["verdicts"] == {} and shown["verified"] is False
    assert "NO EVIDENCE" in show(log.data, as_json=False)


def test_sha1_values_prove_nothing(show):
    log = boot(("sha1", "sha256"))
    shown, said = show(log.data, log.values("sha1"), NOT_VERIFIED)
    assert shown["claims"] == {} and "SHA-1" in shown["refused"] and "SHA-1" in said


# ---- lies ----

def test_secure_boot_off_told_as_on(show):
    """Root changes the log's words, keeps its digests, and the TPM's values still fit."""
    off = variable(GLOBAL, "SecureBoot", b"\0")
    honest = boot(on=False)
    lie = honest.data.replace(off, variable(GLOBAL, "SecureBoot", b"\1"))
    assert lie != honest.data
    shown, _ = show(lie, honest.values())
    assert set(shown["verdicts"].values()) == {"exact"} and "secureBoot" not in shown["claims"]
    event = next(event for event in shown["events"] if event["what"] == "Secure Boot is on")
    assert event["proof"] == "mismatch"
    shown, _ = show(honest.data, honest.values())
    assert shown["claims"]["secureBoot"] is False


def test_another_machines_events_behind_ones_own(show):
    log = boot(on=False)
    secure_boot(log, on=True)
    assert "secureBoot" not in verdicts(show, log, log.values(), OK)["claims"]


def test_a_note_extends_nothing(show):
    log = boot()
    honest = log.values()
    log.event(7, EV_NO_ACTION, variable(GLOBAL, "SecureBoot", b"\0"))
    assert verdicts(show, log, honest, OK)["claims"]["secureBoot"] is True


@pytest.mark.parametrize("banks,liar,proof", [
    (("sha256", "sha512"), "sha512", "digest"), (("sha1", "sha256"), "sha1", "digest"),  # banks that nobody judges
    (("sha256", "sha384"), "sha384", "mismatch"), (("sha256", "sha384"), "sha256", "mismatch"),
    (("sha256", "sha384"), None, "digest")])
def test_a_story_for_one_bank_alone(show, banks, liar, proof):
    """TPM2_PCR_Extend takes another digest for each bank: in one of them, that of what the log says."""
    log = boot(banks)
    log.event(8, EV_IPL, b"kernel_cmdline: quiet\0", b"init=/bin/sh", **({liar: b"quiet"} if liar else {}))
    event = verdicts(show, log, log.values(), OK)["events"][-1]
    assert event["proof"] == proof and "proved" not in event
    assert event["authenticated"] is (proof == "digest")
    assert show(log.data)[0]["events"][-1]["proof"] == proof


@pytest.mark.parametrize("liar", ["sha256", "sha384"])
def test_a_bank_that_firmware_leaves_out(show, liar):
    """Both banks' values are explained; the log's words are of one of them, which root alone extended."""
    honest = "sha384" if liar == "sha256" else "sha256"
    log = EventLog(("sha256", "sha384")).event(0, EV_SEPARATOR, bytes(4))
    for name in ("SecureBoot", "PK", "KEK", "db", "dbx"):
        guid = IMAGE_SECURITY if name.startswith("db") else GLOBAL
        log.event(7, EV_CONFIG, variable(guid, name, b"\1"), **{honest: variable(guid, name, b"\0")})
    log.event(7, EV_SEPARATOR, bytes(4))
    assert verdicts(show, log, log.values(liar), OK)["claims"]["secureBoot"] is True
    assert verdicts(show, log, log.values(), OK)["claims"] == {}


def test_what_both_banks_prove_is_claimed(show):
    log = boot(("sha256", "sha384"))
    both, one = (verdicts(show, log, log.values(*banks), OK)["claims"] for banks in (("sha256", "sha384"), ("sha256",)))
    assert both == one and len(one["bootFiles"][0]) == 64


@pytest.mark.parametrize("pcr", [7, 8])
def test_what_an_unexplained_pcr_says_is_not_authenticated(show, pcr):
    log = boot()
    values = log.values()
    values["sha256"][str(pcr)] = "11" * 32
    shown, _ = show(log.data, values, NOT_VERIFIED)
    for event in shown["events"]:
        assert event["authenticated"] is (event["pcr"] != pcr and event["proof"] != "nothing"), event
        assert "proved" not in event or event["authenticated"], event
    text = show(log.data, values, NOT_VERIFIED, as_json=False)
    section = text[text.index(f"PCR {pcr}:"):text.index(f"PCR {pcr + 1}:")]
    assert "proves:" not in section and "proves nothing: the PCR is unexplained" in section


# ---- what is no log ----

GOOD = boot().data
SPOILT = [
    ("empty", b""),
    ("text", b"this is not an event log, but some text\n"),
    ("a CEL record in base64", b"AAAAAAAAAAABAAAABBQAAAAAFAAAAA=="),
    ("an event larger than the log", GOOD[:-50] + struct.pack("<III", 4, 13, 0xFFFFFFFF)),
    ("a PCR that no TPM has", GOOD + struct.pack("<IIIH32sI", 24, 13, 1, 11, bytes(32), 0)),
    ("a bank that the header lacks", GOOD + struct.pack("<IIIH20sI", 4, 13, 1, 4, bytes(20), 0)),
    ("more digests than banks", GOOD + struct.pack("<IIIH32sH32sI", 4, 13, 2, 11, bytes(32), 11, bytes(32), 0)),
    ("a byte more", GOOD + b"\1"),
]


@pytest.mark.parametrize("data", [case[1] for case in SPOILT], ids=[case[0] for case in SPOILT])
def test_no_log(show, data):
    shown, said = show(data, status=MALFORMED)
    assert shown == "" and said.startswith("postern: ")


def test_a_log_cut_short(show, tmp_path):
    log = EventLog().event(4, EV_SEPARATOR, bytes(4)).event(8, EV_IPL, b"text")
    whole = {len(EventLog().data), len(EventLog().event(4, EV_SEPARATOR, bytes(4)).data), len(log.data)}
    for size in range(len(log.data) + 1):
        _, said = show(log.data[:size], status=None)
        assert (said == "") == (size in whole), size


def test_larger_than_the_limit(show):
    _, said = show(GOOD + bytes(LIMIT), status=MALFORMED)
    assert str(LIMIT) in said
    show(GOOD + bytes(LIMIT - len(GOOD)))  # padding of zeros is let pass


def test_words_that_are_wrong(tmp_path):
    log = tmp_path / "log"
    log.write_bytes(GOOD)
    postern = program("postern")
    run(postern, "eventlog", status=USAGE)
    run(postern, "eventlog", log, log, status=USAGE)
    run(postern, "eventlog", log, "--pcr", log, status=USAGE)
    run(postern, "eventlog", tmp_path / "absent", status=NO_INPUT)
    run(postern, "eventlog", log, "--pcrs", tmp_path / "absent", status=NO_INPUT)
    run(postern, "eventlog", log, "--pcrs", log, status=MALFORMED)


def test_the_largest_logs_are_quick(show):
    large = boot()
    while len(large.data) < LIMIT - 2000:
        large.event(8, EV_IPL, b"grub_cmd: " + b"x" * 1000 + b"\0", b"x" * 1000)
    many = boot()
    while many.count < 16384:
        many.event(8, EV_IPL, b"grub_cmd: x\0", b"x")
    for log in (large, many):
        begun = time.monotonic()
        assert len(show(log.data)[0]["events"]) == log.count
        show(log.data, log.values(), as_json=False)
        assert SANITIZED or time.monotonic() - begun < 6


# ---- forms of values ----

def text_of(values):
    """As tpm2_pcrread prints them."""
    return "".join(f"  {bank}:\n" + "".join(f"    {pcr:<2}: 0x{value.upper()}\n" for pcr, value in own.items())
                   for bank, own in values.items())


@pytest.mark.parametrize("write", [
    lambda values: json.dumps(values).encode(),
    lambda values: json.dumps({"pcrs": values, "claims": {}}).encode(),
    lambda values: text_of(values).encode(),
    lambda values: b"quoted: 00\npcrs:\n" + text_of(values).encode() + b"calcDigest: 00\n",
    lambda values: "".join(f"{value}\n" for value in values["sha256"].values()).encode(),
])
def test_values_in_any_form(show, write):
    log = boot()
    assert verdicts(show, log, write(log.values()), OK)["verdicts"]["7"] == "exact"
    values = log.values()
    values["sha256"]["7"] = "ab" * 32
    assert verdicts(show, log, write(values), NOT_VERIFIED)["verdicts"]["7"] == "unexplained"


@pytest.mark.skipif(bool(machine_tpm.missing_programs()), reason="no software TPM here")
def test_values_of_a_tpm(show, tmp_path):
    """A TPM is extended as the log says; tpm2-tools read it and quote it."""
    log = boot()

    def tool(*words):
        done = subprocess.run([str(word) for word in words], env={**os.environ, "TPM2TOOLS_TCTI": tpm.tcti},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, timeout=60)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    with machine_tpm.MachineTpm(tmp_path / "tpm", tmp_path / "ca", certificates=False) as tpm:
        for event in show(log.data)[0]["events"][1:]:
            tool("tpm2_pcrextend", f"{event['pcr']}:sha256={event['digests']['sha256']}")
        printed = tool("tpm2_pcrread", "sha256")
        tool("tpm2_createprimary", "-C", "e", "-c", "primary.ctx")
        tool("tpm2_create", "-C", "primary.ctx", "-G", "ecc:ecdsa:null", "-u", "ak.pub", "-r", "ak.priv", "-c", "ak.ctx", "-a",
             "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign")
        tool("tpm2_flushcontext", "-t")
        told = tool("tpm2_quote", "-c", "ak.ctx", "-l", "sha256:0,1,2,3,4,5,6,7,8,9,14", "-q", "00", "-m", "quote", "-s", "signature",
                    "-o", "quoted")
    for form in (printed, (tmp_path / "quoted").read_bytes(), told):
        assert verdicts(show, log, form, OK)["claims"]["secureBoot"] is True
    assert len(show(log.data, (tmp_path / "quoted").read_bytes())[0]["verdicts"]) == 11


# ---- real logs ----

SHARED = os.environ.get("POSTERN_SHARED", "")
CORPORA = pathlib.Path(SHARED) / "corpora" / "eventlogs"
real = pytest.mark.skipif(not SHARED or not CORPORA.is_dir(), reason="POSTERN_SHARED has no event logs")
# (log, bank, PCR) that the log does not lead to, and nobody says it should: IMA's, and two events that firmware left out
NOT_REPLAYED = {("linux_tpm12.bin", "sha1", "10"), ("sb_cert_eventlog.bin", "sha1", "10"), ("sb_cert_eventlog.bin", "sha256", "10"),
                ("ebs_event_missing_eventlog.bin", "sha1", "5"), ("ebs_event_missing_eventlog.bin", "sha256", "5")}


def look(path, *arguments, status=OK):
    return json.loads(run(program("postern"), "eventlog", path, "--json", *arguments, status=status).stdout)


def yaml_pcrs(text):
    """The section of values at the end of what tpm2_eventlog prints."""
    found, bank = {}, None
    for line in text.partition("\npcrs:\n")[2].splitlines():
        value = re.match(r"\s+(\d+)\s*: 0x([0-9a-f]+)", line)
        if value:
            found[bank][value[1]] = value[2]
        elif line.strip():
            bank = line.strip(" :")
            found[bank] = {}
    return found


def stated():
    """(log, values that its source states)."""
    tools, attestation, tpm2, hirs = (CORPORA / name for name in ("go-tpm-tools", "go-attestation", "tpm2-tools", "HIRS"))
    for one in json.loads((tools / "expected-pcrs.json").read_text()).values():
        yield tools / one["file"], one["banks"]
    for name, values in json.loads((attestation / "expected-pcrs.json").read_text()).items():
        yield attestation / name, values
    for path in sorted((tpm2 / "expected-yaml").glob("raw-*.yaml")):
        log = tpm2 / path.name[len("raw-"):-len(".yaml")]
        if log.exists():
            yield log, yaml_pcrs(path.read_text())
    for name, bank in (("TpmLog", "sha256"), ("TpmLogSHA1", "sha1")):
        lines = (hirs / f"{name}ExpectedPcrs.txt").read_text().split()
        yield hirs / f"{name}.bin", {bank: {str(pcr): value for pcr, value in enumerate(lines)}}


@real
def test_real_logs_replay_to_what_is_stated(tmp_path):
    compared = 0
    for log, values in stated():
        shown = look(log)
        for bank, own in values.items():
            for pcr, value in own.items():
                if (log.name, bank, pcr) not in NOT_REPLAYED:
                    assert shown["pcrs"][bank][pcr] == value.lower(), (log, bank, pcr)
                    compared += 1
        if "sha256" in values and not shown.get("refused"):
            given = tmp_path / "values"
            given.write_text(json.dumps({"sha256": values["sha256"]}))
            look(log, "--pcrs", given)
    assert compared > 400


@real
def test_real_files_that_are_no_logs():
    for name in ("keylime/malformed/binary_bios_measurements-bogus.bin", "keylime/malformed/binary_bios_measurements-empty.bin",
                 "go-attestation/malformed/event_size_too_large.bin", "go-tpm-tools/cel.b64", "go-eventlog/ccel/CCEL.bin"):
        run(program("postern"), "eventlog", CORPORA / name, status=MALFORMED)


@real
@pytest.mark.parametrize("name,secure", [
    ("keylime/binary_bios_measurements-secureboot.bin", True), ("keylime/binary_bios_measurements.bin", False),
    ("go-tpm-tools/ubuntu-2104-no-secure-boot.bin", False), ("go-tpm-tools/arch-linux-workstation.bin", False)])
def test_real_secure_boot(name, secure):
    assert look(CORPORA / name)["claims"]["secureBoot"] is secure


@real
def test_no_real_text_reaches_a_terminal_untamed():
    for path in sorted(CORPORA.rglob("*")):
        if path.suffix in (".bin", ".log"):
            text = run(program("postern"), "eventlog", path, status=None).stdout
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), path
