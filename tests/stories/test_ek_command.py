# SPDX-License-Identifier: Apache-2.0
"""`postern ek verify`: certificates are made here; real ones are looked at where POSTERN_SHARED says that there are some."""
import datetime
import json
import os
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID, ObjectIdentifier

from broker import program, run

OK, NOT_VERIFIED, USAGE, MALFORMED, NO_INPUT = 0, 1, 64, 65, 66
REAL = pathlib.Path(os.environ.get("POSTERN_SHARED") or "../../../shared") / "corpora/ekcerts"
EK = ObjectIdentifier("2.23.133.8.1")
FROM, UNTIL = datetime.datetime(2020, 1, 1), datetime.datetime(2050, 1, 1)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Ca:
    def __init__(self, subject, issuer=None):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = name(subject)
        signer = issuer or self
        self.certificate = (
            x509.CertificateBuilder().subject_name(self.name).issuer_name(signer.name).public_key(self.key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(FROM).not_valid_after(UNTIL)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(signer.key, hashes.SHA256()))

    def ek(self, **uses):
        key = ec.generate_private_key(ec.SECP256R1())
        tpm = x509.Name([x509.NameAttribute(ObjectIdentifier("2.23.133.2.1"), "id:53544D20"),
                         x509.NameAttribute(ObjectIdentifier("2.23.133.2.2"), "ST\u001b[31m"),
                         x509.NameAttribute(ObjectIdentifier("2.23.133.2.3"), "id:00010002")])
        return (
            x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(self.name).public_key(key.public_key())
            .serial_number(77).not_valid_before(FROM).not_valid_after(UNTIL)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(**(uses or {"key_agreement": True})), critical=True)
            .add_extension(x509.ExtendedKeyUsage([EK]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DirectoryName(tpm)]), critical=True)
            .sign(self.key, hashes.SHA256()))

    def crl(self, *serials, until=UNTIL):
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(FROM).next_update(until)
        for serial in serials:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(FROM).build())
        return builder.sign(self.key, hashes.SHA256())


def usage(**uses):
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
             "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{use: uses.get(use, False) for use in every})


def pem(*things):
    return b"".join(thing.public_bytes(Encoding.PEM) for thing in things)


def der(thing):
    return thing.public_bytes(Encoding.DER)


@pytest.fixture
def world(tmp_path):
    """A root in the folder of anchors, an intermediate, an EK's certificate; and the command over them."""

    class World:
        root = Ca("root")
        lower = Ca("lower", root)
        folder = tmp_path / "anchors"

        def write(self, file, data):
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            return path

        def verify(self, *arguments, status=OK, anchors=None):
            done = run(program("postern"), "ek", "verify", "--json", "--anchors", anchors or self.folder, *arguments,
                       status=status)
            return json.loads(done.stdout), done.stderr

    world = World()
    world.write("anchors/root.pem", pem(world.root.certificate))
    return world


def test_a_bundle_leads_to_its_root(world):
    ek = world.write("ek.pem", pem(world.lower.ek(), world.lower.certificate))
    seen, _ = world.verify(ek)
    assert seen["verified"] and seen["kind"] == "ecc-p256" and len(seen["ek_id"]) == 64
    assert (seen["manufacturer"], seen["manufacturer_name"]) == ("id:53544D20", "STMicroelectronics")
    assert (seen["model"], seen["version"]) == ("ST?[31m", "id:00010002")
    assert [(ca["subject"], ca["anchor"], ca["crl"]) for ca in seen["path"]] == [("CN=lower", False, False),
                                                                                 ("CN=root", True, False)]
    assert seen["expires"] == int(UNTIL.replace(tzinfo=datetime.timezone.utc).timestamp())
    assert "instance" not in seen and "check" not in seen


def test_files_of_every_form_will_do(world):
    leaf, lower = world.lower.ek(), world.write("lower.crt", der(world.lower.certificate))
    in_nv = b"\x10\x01\x00" + (len(der(leaf)) + 2).to_bytes(2, "big") + b"\x10\x02" + der(leaf) + b"\xff" * 300
    for data in (pem(leaf), der(leaf), der(leaf) + b"\0" * 64, in_nv, der(leaf) + der(world.root.certificate)):
        assert world.verify(world.write("ek", data), lower)[0]["verified"]


def test_what_a_folder_holds_beside_anchors_is_named_and_left_out(world):
    world.write("anchors/vendors/deep/lower.CER", der(world.lower.certificate))
    world.write("anchors/leaf.der", der(world.lower.ek()))
    world.write("anchors/junk.pem", b"junk")
    world.write("anchors/README", b"not a certificate's name")
    os.mkfifo(world.folder / "pipe.pem")
    (world.folder / "circle").symlink_to(world.folder)
    seen, said = world.verify(world.write("ek.der", der(world.lower.ek())))
    assert [ca["anchor"] for ca in seen["path"]] == [True, True]
    assert "leaf.der: no anchor: an issuer without CA:TRUE (ca.constraints)" in said
    assert "junk.pem: no anchor: " in said and "README" not in said and "pipe" not in said
    assert len(said.splitlines()) == 2


@pytest.mark.parametrize("case, check", [
    ("stranger", "ek.chain.anchor"), ("signs", "ek.certificate.signs"), ("ca", "ek.certificate.ca"),
    ("revoked", "ek.chain.revoked"), ("stale", "ek.chain.crl.expired"), ("forged", "ek.chain.crl.signature"),
    ("later", "certificate.expired")])
def test_what_is_refused_says_why(world, case, check):
    leaf, more = world.lower.ek(), [world.write("lower.pem", pem(world.lower.certificate))]
    if case == "stranger":
        more = []
    if case == "signs":
        leaf = world.lower.ek(key_agreement=True, digital_signature=True)
    if case == "ca":
        leaf = world.lower.certificate
    if case == "revoked":
        more += ["--crl", world.write("crl", der(world.lower.crl(5, 77)))]
    if case == "stale":
        more += ["--crl", world.write("crl", pem(world.root.crl(until=datetime.datetime(2021, 1, 1))))]
    if case == "forged":
        imposter = Ca("lower")
        more += ["--crl", world.write("crl", pem(imposter.crl(1)))]
    if case == "later":
        more += ["--at", "2051-01-01"]
    ek = world.write("ek.der", der(leaf))
    seen, _ = world.verify(ek, *more, status=NOT_VERIFIED)
    assert not seen["verified"] and seen["check"] == check and seen["message"] and "path" not in seen
    words = run(program("postern"), "ek", "verify", "--anchors", world.folder, ek, *more, status=NOT_VERIFIED).stdout
    assert words.startswith("NOT VERIFIED: ") and check in words


def test_a_stale_crl_may_be_allowed_and_a_fresh_one_is_told(world):
    ek = world.write("ek.pem", pem(world.lower.ek(), world.lower.certificate))
    stale = world.write("stale.crl", pem(world.root.crl(until=datetime.datetime(2021, 1, 1))))
    fresh = world.write("fresh.crl", der(world.lower.crl(78)))
    seen, _ = world.verify(ek, "--crl", stale, "--allow-stale-crl", "--crl", fresh)
    assert [ca["crl"] for ca in seen["path"]] == [True, True]


def test_words_teach_and_are_tame(world):
    ek = world.write("ek.pem", pem(world.lower.ek(), world.lower.certificate))
    words = run(program("postern"), "ek", "verify", "--anchors", world.folder, ek).stdout
    assert words.startswith("VERIFIED: ") and "Not proved: that the machine you talk to holds this key" in words
    assert "STMicroelectronics (id:53544D20)" in words and "\x1b" not in words


def test_what_is_no_certificate_or_no_file(world):
    for data in (b"", b"hello", pem(world.lower.ek())[:-40], pem(world.root.crl(1))):
        run(program("postern"), "ek", "verify", "--anchors", world.folder, world.write("ek", data), status=MALFORMED)
    assert world.verify(world.write("ek", b"\x30\x03\x02\x01\x05"), status=MALFORMED)[0]["check"] == "certificate.parse"
    ek = world.write("ek", der(world.lower.ek()))
    run(program("postern"), "ek", "verify", "--anchors", world.folder, ek, "--crl", ek.parent / "none", status=NO_INPUT)
    run(program("postern"), "ek", "verify", "--anchors", world.folder, ek.parent / "none", status=NO_INPUT)
    run(program("postern"), "ek", "verify", "--anchors", ek.parent / "none", ek, status=NO_INPUT)
    for wrong in ([ek], ["--anchors", world.folder], ["--anchors", world.folder, "--at", "soon", ek]):
        run(program("postern"), "ek", "verify", *wrong, status=USAGE)


@pytest.mark.skipif(not REAL.exists(), reason="no shared folder with real certificates")
def test_a_real_cloud_names_its_machine(world):
    leaves = REAL / "go-tpm-tools/leaf"
    seen, _ = world.verify(leaves / "pca_tpm_ecc_enc_cert.pem", "--at", "2024-01-01", anchors=REAL / "go-tpm-tools/ca")
    assert seen["instance"] == {"zone": "us-central1-a", "project": "google.com:wuale-gcp-testing",
                                "project_number": "117478743145", "id": "218557372616137117", "name": "cs-debug-pca"}
    seen, _ = world.verify(leaves / "pca_tpm_ecc_sign_cert.pem", "--at", "2024-01-01", status=NOT_VERIFIED,
                           anchors=REAL / "go-tpm-tools/ca")
    assert seen["check"] == "ek.certificate.signs"
