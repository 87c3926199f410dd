# SPDX-License-Identifier: Apache-2.0
"""Who vouches for a machine, end to end: what CAs have revoked, and clouds' keys as Google leaves them in a virtual TPM."""
import datetime
import json
import struct

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509.oid import ObjectIdentifier

from broker import ROOT
from machine_tpm import MachineTpm
from test_ek_command import FROM, UNTIL, Ca, der, name, pem, usage
from test_release import DENIED, Machine, listed
from wire import sized

USAGE, MALFORMED = 64, 65
PAST = datetime.datetime(2021, 1, 1)
REVOKED_TEXT = "its issuer has revoked a certificate of the path"


# ---- CRLs of the CA that made the EKs' certificates ----

class Issuer:
    """The TPMs' CA with a certificate that lets it sign CRLs: the same key, so the same anchor."""

    def __init__(self, folder, tpm):
        self.key = load_pem_private_key((tpm.ca_folder / "signkey.pem").read_bytes(), None)
        old = x509.load_pem_x509_certificate(tpm.ca_certificates[1].read_bytes())
        self.name = old.subject
        made = (
            x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.subject).public_key(old.public_key())
            .serial_number(99).not_valid_before(FROM).not_valid_after(UNTIL)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage(key_cert_sign=True, crl_sign=True), critical=True)
            .sign(self.key, hashes.SHA256()))
        self.folder = folder
        self.file = self.write("issuer.pem", pem(made))

    def write(self, file, data):
        path = self.folder / file
        path.write_bytes(data)
        return path

    def crl(self, number, *serials, until=UNTIL):
        """The later the number, the newer it is."""
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name).next_update(until).last_update(
            FROM + datetime.timedelta(days=number))
        for serial in serials:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(FROM).build())
        return self.write(f"{number}.crl", der(builder.sign(self.key, hashes.SHA256())))


@pytest.fixture
def issuer(house, machine, tmp_path):
    made = Issuer(tmp_path, machine)
    house.postern("anchor", "add", made.file)
    return made


def serial_of(tpm, folder):
    """Of the EK certificate that `postern enroll` shows by itself."""
    tpm.tool("tpm2_nvread", "-C", "o", "0x1c00002", "-o", str(folder / "ek"))
    return x509.load_der_x509_certificate((folder / "ek").read_bytes()).serial_number


def admit(house, guest, called):
    machine, text = guest.enroll()
    assert "pending" in text
    house.postern("machine", "admit", machine, "--name", called, "--group", "db")
    house.postern("baseline", "capture", f"image-{called}", "--machine", called, "--pcrs", "8")
    house.postern("policy", "apply", ROOT / "examples/policies/db.cedar")
    return machine


def shown(house, machine):
    return listed(house, "machine", "show", machine)


def test_a_crl_revokes_who_is_there_and_refuses_who_comes(house, machine, other_machine, issuer, tmp_path):
    guest, other = Machine(house, machine), Machine(house, other_machine)
    known = admit(house, guest, "vm1")
    assert shown(house, known)["endorsement"]["verdict"] == "verified"
    assert guest.fetch("db/prod").stdout == house.value.decode()
    house.postern("crl", "add", issuer.crl(1, 5), status=USAGE)
    stranger = issuer.write("stranger.pem", pem(Ca("stranger").certificate))
    assert "crl.issuer" in house.postern("crl", "add", issuer.crl(1, 5), "--issuer", stranger, status=MALFORMED).stderr
    told = house.postern("crl", "add", issuer.crl(1, 5), "--issuer", issuer.file).stdout
    assert "stay revoked" in told and known not in told
    assert guest.fetch("db/prod").stdout == house.value.decode()

    serials = [serial_of(tpm, tmp_path) for tpm in (machine, other_machine)]
    told = house.postern("crl", "add", issuer.crl(2, *serials), "--issuer", issuer.file).stdout
    assert "machines revoked by it: 1" in told and told.splitlines()[-1] == known
    guest.fetch("db/prod", status=DENIED)
    assert "CRL" in shown(house, "vm1")["reason"]
    late, text = other.enroll()
    assert "pending" in text and shown(house, late)["endorsement"]["problem"] == REVOKED_TEXT
    assert REVOKED_TEXT in house.postern("machine", "show", late).stdout

    # Neither an older one, nor a newer that forgets, nor none brings anybody back.
    house.postern("crl", "add", issuer.crl(1), "--issuer", issuer.file, status=MALFORMED)
    house.postern("crl", "add", issuer.crl(3), "--issuer", issuer.file)
    listing = listed(house, "crl", "list")
    assert [(crl["state"], crl["revoked"]) for crl in listing["crls"]] == [("active", 0)]
    house.postern("crl", "end", listing["crls"][0]["id"])
    guest.fetch("db/prod", status=DENIED)
    house.broker.stop()
    house.broker.start()
    guest.fetch("db/prod", status=DENIED)
    house.postern("audit", "verify")


@pytest.mark.parametrize("stale", ["refuse", pytest.param("accept", marks=pytest.mark.settings(stale_crls="accept"))])
def test_a_crl_past_its_time(house, machine, issuer, stale):
    said = house.postern("crl", "add", issuer.crl(1, 5, until=PAST), "--issuer", issuer.file).stderr
    assert "nextUpdate" in said
    endorsement = shown(house, Machine(house, machine).enroll()[0])["endorsement"]
    assert endorsement["verdict"] == ("verified" if stale == "accept" else "refused")
    assert ("past its nextUpdate" in endorsement["problem"]) == (stale == "refuse")
    assert listed(house, "crl", "list")["stale_crls"] == stale
    assert "expired" in house.postern("crl", "list").stdout


# ---- a cloud's key ----

TEMPLATE = struct.pack(">HHI", 0x0023, 0x000B, 0x00050072) + sized(b"") + struct.pack(
    ">HHHHH", 0x0010, 0x0018, 0x000B, 0x0003, 0x0010) + sized(b"") + sized(b"")
KEY_WORDS = ("-C", "e", "-G", "ecc256:ecdsa-sha256:null", "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign")
INSTANCE = ObjectIdentifier("1.3.6.1.4.1.11129.2.1.21")
AK = ObjectIdentifier("2.23.133.8.3")
POLICY = """permit (principal in MachineGroup::"db", action == Action::"release", resource in Folder::"db")
when { context.cloud.certified && context.cloud has cas && context.cloud.cas.contains("%s") && context.cloud has project &&
       context.cloud.project == "our-project" };"""


def element(tag, data):
    return bytes([tag, len(data)]) + data


class Cloud:
    """Certifies a key in a virtual TPM, and leaves its template and certificate in NV as Google does."""

    def __init__(self, folder):
        self.folder = folder
        self.root = Ca("cloud root")
        self.lower = Ca("cloud lower", self.root)
        self.write("root.pem", pem(self.root.certificate))
        self.write("lower.pem", pem(self.lower.certificate))

    def write(self, file, data):
        (self.folder / file).write_bytes(data)
        return self.folder / file

    def certify(self, key, project):
        info = element(0x30, element(0x0C, b"zone-1") + element(2, b"\x07") + element(0x0C, project)
                       + element(2, b"\x00\xff" + bytes(7)) + element(0x0C, b"web-1"))
        return (
            x509.CertificateBuilder().subject_name(name("web-1")).issuer_name(self.lower.name).public_key(key)
            .serial_number(78).not_valid_before(FROM).not_valid_after(UNTIL)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([AK]), critical=False)
            .add_extension(x509.UnrecognizedExtension(INSTANCE, info), critical=False)
            .sign(self.lower.key, hashes.SHA256()))

    def store(self, tpm, index, data):
        attributes = "authread|ownerread|ownerwrite|no_da"
        tpm.tool("tpm2_nvdefine", index, "-C", "o", "-s", str(len(data)), "-a", attributes)
        tpm.tool("tpm2_nvwrite", index, "-C", "o", "-i", str(self.write("nv", data)))

    def settle(self, tpm, key=None, project=b"our-project"):
        if key is None:
            tpm.tool("tpm2_createprimary", *KEY_WORDS, "-c", str(self.folder / "key"), "-Q")
            tpm.tool("tpm2_readpublic", "-c", str(self.folder / "key"), "-f", "pem", "-o", str(self.folder / "key.pem"), "-Q")
            key = load_pem_public_key((self.folder / "key.pem").read_bytes())
            tpm.tool("tpm2_flushcontext", "-t")
        self.store(tpm, "0x1c10002", der(self.certify(key, project)) + b"\xff" * 100)
        self.store(tpm, "0x1c10003", TEMPLATE)


@pytest.fixture
def virtual(tpm_folder, tmp_path):
    """As libvirt makes it, and Google: without an EK's certificate."""
    with MachineTpm(tmp_path / "tpm", tmp_path / "ca", certificates=False) as made:
        yield made


@pytest.fixture
def cloud(house, tmp_path):
    made = Cloud(tmp_path)
    house.postern("anchor", "add", tmp_path / "root.pem")
    return made


def test_a_clouds_key_vouches_for_a_machine(house, virtual, cloud):
    cloud.settle(virtual)
    guest = Machine(house, virtual)
    machine, _ = guest.enroll("--certificate", cloud.folder / "lower.pem")
    seen = shown(house, machine)
    assert seen["endorsement"]["verdict"] == "absent" and seen["cloud"]["verdict"] == "verified", seen["cloud"]
    assert seen["cloud"]["instance"] == {
        "zone": "zone-1", "project": "our-project", "project_number": "7", "instance_id": str(0xFF << 56),
        "instance_name": "web-1"}
    admitted = house.postern("machine", "admit", machine, "--name", "vm1", "--group", "db").stdout
    assert "our-project" in admitted and "web-1" in admitted
    assert "verified" in house.postern("machine", "list").stdout
    entry = next(entry for entry in house.audit().values() if entry["kind"] == "enroll")
    assert entry["cloud"] == "verified" and entry["instance"]["project"] == "our-project"
    house.postern("baseline", "capture", "image-1", "--machine", "vm1", "--pcrs", "8")
    house.apply("db", POLICY % ("00" * 32))
    guest.fetch("db/prod", status=DENIED)
    house.apply("db", POLICY % seen["cloud"]["anchor"])
    assert guest.fetch("db/prod").stdout == house.value.decode()
    house.postern("revoke", "ek-ca", cloud.folder / "lower.pem", "--reason", "its key leaked")
    guest.fetch("db/prod", status=DENIED)


def test_another_project_gets_nothing(house, virtual, cloud):
    cloud.settle(virtual, project=b"their-project")
    guest = Machine(house, virtual)
    admit_to_cloud(house, guest, cloud)
    guest.fetch("db/prod", status=DENIED)


def admit_to_cloud(house, guest, cloud):
    machine, _ = guest.enroll("--certificate", cloud.folder / "lower.pem")
    house.postern("machine", "admit", machine, "--name", "vm1", "--group", "db")
    house.postern("baseline", "capture", "image-1", "--machine", "vm1", "--pcrs", "8")
    house.apply("db", POLICY.replace('context.cloud has cas && context.cloud.cas.contains("%s") && ', ""))
    return shown(house, machine)


@pytest.mark.parametrize("what, problem", [("key", "for another key"), ("intermediate", "the issuer is not known")])
def test_what_does_not_hold_bars_nobody_and_counts_for_nothing(house, virtual, cloud, what, problem):
    cloud.settle(virtual, ec.generate_private_key(ec.SECP256R1()).public_key() if what == "key" else None)
    if what == "intermediate":  # TPMs of Google's have none in NV
        cloud.write("lower.pem", pem(Ca("another").certificate))
    guest = Machine(house, virtual)
    seen = admit_to_cloud(house, guest, cloud)
    assert seen["cloud"]["verdict"] == "refused" and problem in seen["cloud"]["problem"]
    assert seen["cloud"]["instance"] is None and seen["state"] == "admitted"
    guest.fetch("db/prod", status=DENIED)


def test_a_template_that_is_none_keeps_nobody_out(house, virtual, cloud):
    cloud.store(virtual, "0x1c10002", der(cloud.root.certificate))
    cloud.store(virtual, "0x1c10003", b"junk")
    machine, said = Machine(house, virtual).enroll()
    assert "vouches for nothing" in said and "pending" in said
    assert shown(house, machine)["cloud"]["verdict"] == "absent"


def test_the_words_of_a_machine_without_a_cloud(house, machine):
    seen = shown(house, Machine(house, machine).enroll()[0])
    assert seen["cloud"] == {"verdict": "absent", "anchor": None, "problem": "", "instance": None}
    assert json.loads(house.postern("machine", "pending", "--json").stdout)["machines"][0]["cloud"] == seen["cloud"]
