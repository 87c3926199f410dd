# SPDX-License-Identifier: Apache-2.0
"""`postern ima`: what it shows of a kernel's list, what it holds it to, what it calls no list. Lists are made here; real ones
are looked at where POSTERN_SHARED says that there are some."""
import hashlib
import json
import os
import pathlib
import struct

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from broker import program, run

OK, NOT_VERIFIED, USAGE, MALFORMED, NO_INPUT = 0, 1, 64, 65, 66
BANKS = ("sha1", "sha256", "sha384", "sha512")
LIMIT = 8 * 1024 * 1024


def sized(data):
    return struct.pack("<I", len(data)) + data


class List:
    """As a kernel writes it, in both forms, with the PCR 10 that its TPM has."""

    def __init__(self, bank="sha1"):
        self.bank, self.binary, self.text = bank, b"", b""
        self.pcr = {name: bytes(hashlib.new(name).digest_size) for name in BANKS}

    def add(self, template, fields, columns, violation=False, pcr=10, written=None):
        data = b"".join(sized(field) for field in fields)
        digest = hashlib.new(self.bank, data).digest()
        shown = written if written is not None else bytes(len(digest)) if violation else digest
        self.binary += struct.pack("<I", pcr) + shown + sized(template.encode()) + sized(data)
        self.text += b"%2d %s %s %s\n" % (pcr, shown.hex().encode(), template.encode(), b" ".join(columns))
        if pcr != 10:
            return self
        for name in BANKS:
            word = b"\xff" * len(self.pcr[name]) if violation else hashlib.new(name, data).digest()
            self.pcr[name] = hashlib.new(name, self.pcr[name] + word).digest()
        return self

    def file(self, name, content, signature=None, algorithm="sha256", **keywords):
        digest = hashlib.new(algorithm, content).digest()
        fields = [algorithm.encode() + b":\0" + digest, name.encode() + b"\0"]
        columns = [b"%s:%s" % (algorithm.encode(), digest.hex().encode()), name.encode()]
        if signature is None:
            return self.add("ima-ng", fields, columns, **keywords)
        return self.add("ima-sig", fields + [signature], columns + [signature.hex().encode()], **keywords)

    def buffer(self, name, content, **keywords):
        digest = hashlib.sha256(content).digest()
        return self.add("ima-buf", [b"sha256:\0" + digest, name.encode() + b"\0", content],
                        [b"sha256:" + digest.hex().encode(), name.encode(), content.hex().encode()], **keywords)

    def pcr10(self, bank="sha256"):
        return f"{bank}:{self.pcr[bank].hex()}"


def machine(bank="sha1"):
    return (List(bank).file("boot_aggregate", b"PCRs").file("/usr/bin/true", b"true")
            .buffer("kexec-cmdline", b"root=/dev/vda1 ro").file("/usr/bin/false", b"false"))


@pytest.fixture
def show(tmp_path):
    def call(data, *options, status=OK, as_json=True):
        path = tmp_path / "list"
        path.write_bytes(data)
        done = run(program("postern"), "ima", path, *options, *(["--json"] if as_json else []), status=status)
        return json.loads(done.stdout) if as_json and done.stdout else done.stdout + done.stderr

    return call


@pytest.fixture
def allow(tmp_path):
    def call(*contents, lines=None):
        path = tmp_path / "allow"
        text = "".join(f"{hashlib.sha256(content).hexdigest()}  /some/name\n" for content in contents)
        path.write_text(text if lines is None else lines)
        return path

    return call


# ---- what is shown ----

@pytest.mark.parametrize("bank", BANKS)
@pytest.mark.parametrize("form", ["binary", "text"])
def test_every_bank_of_both_forms(show, bank, form):
    made = machine(bank)
    shown = show(getattr(made, form))
    assert shown["format"] == ("binary" if form == "binary" else "ascii")
    assert {name: values["10"] for name, values in shown["pcrs"].items()} == {name: made.pcr[name].hex() for name in BANKS}
    assert (shown["entries"], shown["violations"], shown["files"], shown["buffers"]) == (4, 0, 2, 1)
    assert shown["templates"] == {"ima-ng": 3, "ima-buf": 1} and shown["algorithms"] == {"sha256": 4}
    assert shown["status"] == "consistent" and shown["pcr10"] is None and shown["mismatches"] == 0
    entries = shown["measurements"]
    assert [entry["name"] for entry in entries] == ["boot_aggregate", "/usr/bin/true", "kexec-cmdline", "/usr/bin/false"]
    assert entries[1]["digest"] == hashlib.sha256(b"true").hexdigest() and entries[2]["text"] == "root=/dev/vda1 ro"


def test_the_plain_output_teaches(show, allow):
    made = machine().file("/var/log/x", b"", violation=True)
    text = show(made.binary, "--pcr10", made.pcr10(), "--allow", allow(b"true"), status=NOT_VERIFIED, as_json=False)
    for words in ["Integrity Measurement Architecture: 5 entries", "Their names are not", "boot_aggregate is a hash of PCR 0-7",
                  "root=/dev/vda1 ro", "/var/log/x (not authenticated)", "not on the allow-list", "/usr/bin/false",
                  "lead to the given PCR 10", "imaEntries", "Not proved by any list", "not verified"]:
        assert words in text, (words, text)
    assert "Nothing is proved: no PCR 10 was given" in show(made.binary, as_json=False)


def test_names_do_not_reach_the_terminal(show):
    made = machine().file("/tmp/\x1b[2Jx\nverified", b"x")
    text = show(made.binary, as_json=False)
    assert "\x1b" not in text and "\nverified" not in text
    assert show(made.binary)["measurements"][4]["name"] == "/tmp/\x1b[2Jx\nverified"
    show(made.text, status=MALFORMED)  # a line's end in a name breaks the text, and the binary form alone has it


# ---- PCR 10 ----

@pytest.mark.parametrize("bank", BANKS)
def test_a_list_leads_to_its_value(show, bank):
    made = machine()
    shown = show(made.binary, "--pcr10", made.pcr10(bank))
    assert shown["status"] == "verified" and shown["pcr10"]["matches"] is True
    assert shown["pcr10"]["claims"] == {"imaEntries": 4, "imaViolations": 0}


def test_what_follows_the_value_is_dropped(show):
    made = machine()
    later = machine().file("/bin/evil", b"evil")
    for tail in [later.binary[len(made.binary):], b"\xff" * 100, b"\0"]:
        shown = show(made.binary + tail, "--pcr10", made.pcr10())
        assert shown["entries"] == 4 and shown["pcr10"]["dropped_bytes"] == len(tail)


@pytest.mark.parametrize("name, spoil", [
    ("another value", lambda made: (made.binary, "sha256:" + "5" * 64)),
    ("a PCR that nothing extended", lambda made: (made.binary, "sha256:" + "0" * 64)),
    ("cut", lambda made: (List().file("boot_aggregate", b"PCRs").binary, made.pcr10())),
    ("another file", lambda made: (machine().file("/bin/x", b"y").binary, machine().file("/bin/x", b"x").pcr10())),
    ("another bank's value", lambda made: (made.binary, "sha512:" + made.pcr["sha256"].hex() * 2)),
])
def test_other_lists_do_not(show, name, spoil):
    data, value = spoil(machine())
    shown = show(data, "--pcr10", value, status=NOT_VERIFIED)
    assert shown["status"] == "not verified" and shown["pcr10"]["matches"] is False
    assert shown["pcr10"]["check"] == "ima.pcr" and "claims" not in shown["pcr10"]


def test_values_from_a_file(show, tmp_path):
    pcrs = {str(number): hashlib.sha256(bytes([number])).hexdigest() for number in range(10)}
    made = List()
    digest = hashlib.sha256(b"".join(bytes.fromhex(pcrs[str(number)]) for number in range(10))).digest()
    made.add("ima-ng", [b"sha256:\0" + digest, b"boot_aggregate\0"], [])
    path = tmp_path / "pcrs"
    path.write_text(json.dumps({"sha256": {**pcrs, "10": made.pcr["sha256"].hex()}}))
    assert show(made.binary, "--pcrs", path)["pcr10"]["boot_aggregate"] is True
    path.write_text(json.dumps({"sha256": {**pcrs, "0": "00" * 32, "10": made.pcr["sha256"].hex()}}))
    assert show(made.binary, "--pcrs", path)["pcr10"]["boot_aggregate"] is False
    values = {bank: {"10": made.pcr[bank].hex()} for bank in BANKS}
    path.write_text(json.dumps(values))
    assert show(made.binary, "--pcrs", path)["pcr10"]["bank"] == "sha256"
    # Kernels pad SHA-1 for the banks whose hash they lack: Debian 12 for SHA-384. Those decide nothing, and prove nothing.
    path.write_text(json.dumps({**values, "sha384": {"10": "5a" * 48}}))
    assert show(made.binary, "--pcrs", path)["pcr10"]["matches"] is True
    path.write_text(json.dumps({"sha384": {"10": "5a" * 48}, "sha1": values["sha1"]}))
    assert show(made.binary, "--pcrs", path, status=NOT_VERIFIED)["pcr10"]["bank"] == "sha384"
    path.write_text(json.dumps({"sha256": pcrs}))
    show(made.binary, "--pcrs", path, status=MALFORMED)


# ---- files ----

def test_all_files_are_listed_or_not(show, allow):
    made = machine()
    shown = show(made.binary, "--allow", allow(b"true", b"false"), "--pcr10", made.pcr10())
    assert shown["all_listed"] is True and shown["listed"] == 2 and shown["all_signed"] is None
    assert shown["pcr10"]["claims"]["imaAllListed"] is True
    shown = show(made.binary, "--allow", allow(b"true"), status=NOT_VERIFIED)
    assert shown["all_listed"] is False and shown["problems"]["unlisted"] == [{"entry": 3, "name": "/usr/bin/false"}]
    violated = machine().file("/v", b"", violation=True)
    shown = show(violated.binary, "--allow", allow(b"true", b"false"), status=NOT_VERIFIED)
    assert shown["all_listed"] is False and shown["problems"]["violation"] == [{"entry": 4}]
    sha1 = machine().file("/old", b"true", algorithm="sha1")
    shown = show(sha1.binary, "--allow", allow(b"true", b"false"), status=NOT_VERIFIED)
    assert [found["name"] for found in shown["problems"]["unlisted"]] == ["/old"]


def test_allow_lists_are_as_sha256sum_writes_them(show, allow):
    digests = [hashlib.sha256(content).hexdigest() for content in (b"true", b"false")]
    for lines in [f"{digests[1]}  /x\n{digests[0]} */y\n", f"# good\n\n\\{digests[0]}  /a\\nb\n{digests[1]}", f"{digests[0]}\r\n" * 2 +
                  f"{digests[1].upper()}\n"]:
        assert show(machine().binary, "--allow", allow(lines=lines))["all_listed"] is True, lines
    for lines in [digests[0][:-1] + "\n", digests[0] + "0\n", "x" * 64 + "\n", f"{digests[0]}\n{'0' * 40}  /sha1\n"]:
        assert "is not a SHA-256 digest" in show(machine().binary, "--allow", allow(lines=lines), status=MALFORMED)


def signature_of(key, content, version=2):
    public = key.public_key()
    if isinstance(key, rsa.RSAPrivateKey):
        bits = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
        signed = key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    else:
        bits = public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        signed = key.sign(content, ec.ECDSA(hashes.SHA256()))
    return bytes([3, version, 4]) + hashlib.sha1(bits).digest()[-4:] + struct.pack(">H", len(signed)) + signed


def test_signed_files(show, tmp_path):
    keys = [rsa.generate_private_key(public_exponent=65537, key_size=2048), ec.generate_private_key(ec.SECP384R1())]
    options = []
    for number, form in enumerate([serialization.Encoding.PEM, serialization.Encoding.DER]):
        path = tmp_path / f"key{number}"
        path.write_bytes(keys[number].public_key().public_bytes(form, serialization.PublicFormat.SubjectPublicKeyInfo))
        options += ["--key", path]
    made = List().file("boot_aggregate", b"PCRs").file("/a", b"a", signature_of(keys[0], b"a")).file(
        "/b", b"b", signature_of(keys[1], b"b"))
    shown = show(made.text, *options, "--pcr10", made.pcr10())
    assert shown["all_signed"] is True and shown["signatures"]["good"] == 2
    assert shown["pcr10"]["claims"]["imaAllSigned"] is True
    shown = show(made.binary, *options[:2], status=NOT_VERIFIED)
    assert shown["all_signed"] is False and shown["problems"]["unsigned"] == [{"entry": 2, "name": "/b"}]
    assert shown["signatures"]["unknown_key"] == 1
    exchanged = List().file("/b", b"b", signature_of(keys[1], b"a"))
    assert show(exchanged.binary, *options, status=NOT_VERIFIED)["signatures"]["bad"] == 1
    cut = List().file("/b", b"b", signature_of(keys[1], b"b")[:-1])  # is malformed whether a key was given or not
    assert show(cut.binary, status=NOT_VERIFIED)["signatures"]["malformed"] == 1


def test_a_label_that_lies_is_told(show, allow):
    digest = b"sha256:\0" + hashlib.sha256(b"evil").digest()
    for template, third in [("ima-buf", b"\3evil"), ("ima-buf", b""), ("ima-modsig", b""), ("ima-tomorrow", b"")]:
        made = machine().add(template, [digest, b"/evil\0", third], [])
        shown = show(made.binary, "--pcr10", made.pcr10(), "--allow", allow(b"true", b"false"), status=NOT_VERIFIED)
        assert shown["pcr10"]["claims"]["imaAllListed"] is False
        assert [found["entry"] for found in shown["problems"]["form"]] == [4], template


def test_a_template_digest_that_is_not(show):
    made = machine().file("/x", b"x", written=b"\1" * 20)
    shown = show(made.binary, status=NOT_VERIFIED)
    assert shown["mismatches"] == 1 and shown["problems"]["digest"] == [{"entry": 4, "name": "/x"}]


def test_other_pcrs_are_left_aside(show):
    made = machine().file("/x", b"x", pcr=11)
    shown = show(made.binary, "--pcr10", made.pcr10())
    assert (shown["entries"], shown["other_pcrs"]) == (4, 0)  # it follows
    made.file("/y", b"y")
    shown = show(made.binary, "--pcr10", made.pcr10())
    assert (shown["entries"], shown["other_pcrs"], shown["pcr10"]["claims"]["imaEntries"]) == (6, 1, 5)
    assert set(shown["pcrs"]["sha256"]) == {"10", "11"}


# ---- what is no list, and no way to ask ----

def test_no_list(show):
    for name, data in [
        ("empty", b""), ("a word", b"list\n"), ("zeros", bytes(100)), ("big-endian", struct.pack(">I", 10) + bytes(100)),
        ("cut", machine().binary[:-1]), ("cut text", machine().text[:-30]), ("a byte more", machine().binary + b"\n"),
        ("too large", b"10 " + bytes(LIMIT)),
    ]:
        assert show(data, status=MALFORMED).startswith("postern: "), name


def test_wrong_usage(show, tmp_path):
    data = machine().binary
    for options in [["--pcr10", "sha256:00"], ["--pcr10", "md5:" + "0" * 32], ["--pcr10", "0" * 64],
                    ["--pcr10", machine().pcr10(), "--pcrs", "x"], ["--what"], ["another"]]:
        show(data, *options, status=USAGE)
    show(data, "--allow", tmp_path / "nowhere", status=NO_INPUT)
    show(data, "--key", tmp_path / "list", status=MALFORMED)
    run(program("postern"), "ima", tmp_path / "nowhere", status=NO_INPUT)
    assert "binary_runtime_measurements" in run(program("postern"), "help", "ima").stdout


# ---- real lists ----

CORPORA = pathlib.Path(os.environ.get("POSTERN_SHARED", "../shared")) / "corpora/ima"
REAL = [
    ("ibmtss/sha1.log", OK), ("ibmtss/sha256.log", OK), ("keylime/archive/ascii_runtime_measurements.txt", OK),
    ("keylime/archive/ascii_runtime_measurements_ima.txt", OK), ("keylime/bad_signatures.txt", NOT_VERIFIED),
    ("keylime/dm_entries.txt", OK), ("keylime/keyrings.txt", OK), ("keylime/measurements.txt", OK),
    ("keylime/signatures.txt", OK), ("keylime/entries-valid/ima-buf.txt", OK), ("keylime/entries-valid/ima.txt", OK),
    ("keylime/entries-invalid/invalid-digest.txt", MALFORMED), ("keylime/entries-invalid/invalid-mode.txt", MALFORMED),
    ("keylime/entries-invalid/invalid-template-hash.txt", MALFORMED), ("keylime/entries-invalid/not-ima-string.txt", MALFORMED),
]


@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no {CORPORA}")
def test_real_lists():
    for name, status in REAL:
        run(program("postern"), "ima", CORPORA / name, status=status)
    keys = ["--key", CORPORA / "keylime/ima_keys/rsa2048pub.pem", "--key", CORPORA / "keylime/ima_keys/secp256k1.pub.pem"]
    run(program("postern"), "ima", CORPORA / "keylime/signatures.txt", *keys)
    run(program("postern"), "ima", CORPORA / "keylime/bad_signatures.txt", *keys, status=NOT_VERIFIED)
