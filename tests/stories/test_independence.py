# SPDX-License-Identifier: Apache-2.0
"""The stories' own tools are held to others' words: a TPM in Python is of use only if real tools take it for one."""
import json
import os
import subprocess

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import wire
from soft_tpm import SoftTpm, ak_public, ek_public

VECTORS = os.path.join(os.environ.get("POSTERN_SHARED") or "../../../shared",
                       "corpora/vectors/hpke/rfc9180_x25519_p256_first10.json")


@pytest.mark.skipif(not os.path.exists(VECTORS), reason="no shared folder with RFC 9180's vectors")
def test_hpke_is_rfc_9180s():
    with open(VECTORS, encoding="utf-8") as file:
        suites = [suite for suite in json.load(file)
                  if (suite["kem_id"], suite["kdf_id"], suite["aead_id"]) == (0x20, 1, 3) and suite["mode"] in (0, 2)]
    assert {suite["mode"] for suite in suites} == {0, 2}
    for suite in suites:
        bytes_of = {name: bytes.fromhex(value) for name, value in suite.items() if isinstance(value, str)}
        first = {name: bytes.fromhex(value) for name, value in suite["encryptions"][0].items()}
        recipient = X25519PrivateKey.from_private_bytes(bytes_of["skRm"])
        sender = bytes_of["pkSm"] if suite["mode"] == 2 else None
        sealed = bytes_of["enc"] + first["ct"]
        assert wire.hpke_open(recipient, sender, bytes_of["info"], first["aad"], sealed) == first["pt"]
        with pytest.raises(InvalidTag):
            wire.hpke_open(recipient, sender, bytes_of["info"] + b"x", first["aad"], sealed)


def test_what_base_mode_seals_opens():
    recipient = X25519PrivateKey.generate()
    sealed = wire.hpke_seal(wire.raw_public(recipient.public_key()), b"info", b"aad", b"plain")
    assert wire.hpke_open(recipient, None, b"info", b"aad", sealed) == b"plain"


def test_tpm2_checkquote_takes_our_quote(tmp_path):
    tpm = SoftTpm()
    tpm.extend(8, b"kernel")
    message, signature, _ = tpm.quote(b"q" * 32)
    files = {"ak.pem": tpm.ak.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
             "message": message, "signature": signature}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    check = ["tpm2_checkquote", "-u", "ak.pem", "-m", "message", "-s", "signature", "-g", "sha256", "-q"]
    assert subprocess.run([*check, (b"q" * 32).hex()], cwd=tmp_path, capture_output=True).returncode == 0
    assert subprocess.run([*check, (b"r" * 32).hex()], cwd=tmp_path, capture_output=True).returncode != 0


@pytest.mark.parametrize("kind", ["rsa-2048", "ecc-p384"])
def test_a_real_tpms_credential_opens(kind, machine, tmp_path):
    """tpm2_makecredential of TCG's tools, for our EK and AK: what it makes our activation opens, with the right AK only."""
    tpm = SoftTpm(kind)
    area = ek_public(tpm.ek.public_key())
    (tmp_path / "ek.pub").write_bytes(wire.sized(area))  # TPM2B_PUBLIC
    (tmp_path / "secret").write_bytes(b"s" * 32)
    machine.tool("tpm2_makecredential", "-Q", "-u", str(tmp_path / "ek.pub"), "-s", str(tmp_path / "secret"),
                 "-n", tpm.ak_name.hex(), "-o", str(tmp_path / "credential"))
    r = wire.Reader((tmp_path / "credential").read_bytes()[8:])  # behind the tools' magic and version
    blob, secret = r.take(r.number(2)), r.take(r.number(2))
    assert tpm.activate(blob, secret) == b"s" * 32
    other = SoftTpm(kind)
    other.ek = tpm.ek
    with pytest.raises(ValueError):
        other.activate(blob, secret)


def test_our_ak_is_of_the_real_ones_shape():
    """Length and head of TPMT_PUBLIC, as the design's parameters have them."""
    area = ak_public(SoftTpm().ak.public_key())
    assert len(area) == 8 + 2 + 32 + 10 + 2 + 32 + 2 + 32
    assert area[:8].hex() == "0023000b00050472"
