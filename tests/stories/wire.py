# SPDX-License-Identifier: Apache-2.0
"""The bytes of broker/PROTOCOL.md, written from the document and not from the C: frames, transcripts and HPKE."""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

ANY_VERSION = 2**64 - 1  # FIELD_CAS: no check


def lp(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(value)) + value


def sized(value):
    return struct.pack(">H", len(value)) + value


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def raw_public(key):
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def raw_private(key):
    return key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())


class Reader:
    """Reads what a broker sent; anything short is an error."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        if len(self.data) < size:
            raise ValueError(f"{size} bytes wanted, {len(self.data)} left")
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def lp(self):
        return self.take(self.number(4))

    def finish(self):
        if self.data:
            raise ValueError(f"{len(self.data)} bytes left over")


# ---- what is quoted, and what is sealed ----


def wanted(secrets):
    """`secrets`: (path, version) pairs, sent as they are: spoiling their order is a story."""
    return struct.pack(">H", len(secrets)) + b"".join(lp(path) + struct.pack(">I", version) for path, version in secrets)


def release_transcript(release_key, challenge, recipient_key, secrets):
    return sha256(lp("postern/release/v1"), lp(release_key), lp(challenge), lp(recipient_key), lp(wanted(secrets)))


def enroll_transcript(release_key, challenge, ek_public, ak_public):
    return sha256(lp("postern/enroll/v1"), lp(release_key), lp(challenge), lp(ek_public), lp(ak_public))


def activation_proof(secret, transcript):
    return hmac.new(secret, lp("postern/activation-proof/v1") + transcript, hashlib.sha256).digest()


def release_body(data):
    r = Reader(data)
    if r.lp() != b"postern/body/v1":
        raise ValueError("not a release's body")
    body = {"lease_id": r.take(16).hex(), "lifetime": r.number(4), "trust_revision": r.number(8)}
    body["checkpoint"] = {"number": r.number(8), "hash": r.take(32), "time": r.number(8), "signature": r.take(64)}
    body["secrets"] = {}
    for _ in range(r.number(2)):
        path = r.lp().decode()
        body["secrets"][path] = (r.number(4), r.lp())
    r.finish()
    return body


def checkpoint_message(checkpoint):
    return lp("postern/checkpoint/v1") + struct.pack(">Q", checkpoint["number"]) + checkpoint["hash"] + struct.pack(
        ">Q", checkpoint["time"])


# ---- HPKE, RFC 9180: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, one message per key ----

KEM_SUITE = b"KEM" + struct.pack(">H", 0x0020)
SUITE = b"HPKE" + struct.pack(">HHH", 0x0020, 0x0001, 0x0003)
MODE_BASE, MODE_AUTH = 0x00, 0x02


def hkdf_extract(salt, key):
    return hmac.new(salt or bytes(32), key, hashlib.sha256).digest()


def hkdf_expand(key, info, size):
    output = block = b""
    while len(output) < size:
        block = hmac.new(key, block + info + bytes([len(output) // 32 + 1]), hashlib.sha256).digest()
        output += block
    return output[:size]


def labeled_extract(suite, salt, label, key):
    return hkdf_extract(salt, b"HPKE-v1" + suite + label + key)


def labeled_expand(suite, key, label, info, size):
    return hkdf_expand(key, struct.pack(">H", size) + b"HPKE-v1" + suite + label + info, size)


def hpke_key_and_nonce(mode, shared, context, info):
    """RFC 9180, 4.1 (ExtractAndExpand) and 5.1 (KeySchedule)."""
    prk = labeled_extract(KEM_SUITE, b"", b"eae_prk", shared)
    secret = labeled_expand(KEM_SUITE, prk, b"shared_secret", context, 32)
    schedule = bytes([mode]) + labeled_extract(SUITE, b"", b"psk_id_hash", b"") + labeled_extract(
        SUITE, b"", b"info_hash", info)
    secret = labeled_extract(SUITE, secret, b"secret", b"")
    return labeled_expand(SUITE, secret, b"key", schedule, 32), labeled_expand(SUITE, secret, b"base_nonce", schedule, 12)


def hpke_open(recipient, sender_public, info, aad, sealed):
    """`sender_public` None: mode_base, else mode_auth. Raises where it does not open."""
    enc, own = sealed[:32], raw_public(recipient.public_key())
    shared, context = recipient.exchange(X25519PublicKey.from_public_bytes(enc)), enc + own
    if sender_public is not None:
        shared += recipient.exchange(X25519PublicKey.from_public_bytes(sender_public))
        context += sender_public
    key, nonce = hpke_key_and_nonce(MODE_BASE if sender_public is None else MODE_AUTH, shared, context, info)
    return ChaCha20Poly1305(key).decrypt(nonce, sealed[32:], aad)


def hpke_seal(recipient_public, info, aad, plain, ephemeral=None):
    ephemeral = ephemeral or X25519PrivateKey.generate()
    enc = raw_public(ephemeral.public_key())
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient_public))
    key, nonce = hpke_key_and_nonce(MODE_BASE, shared, enc + recipient_public, info)
    return enc + ChaCha20Poly1305(key).encrypt(nonce, plain, aad)


# ---- operators' requests ----

FIELDS = {name: number for number, name in enumerate(
    "machine name groups roles ek_id ak_name pcrs from until policy kind id reason operator_key certificate subject path "
    "cas sealed count after state policies public_key digests crl versions settings custom shares".split(), start=1)}
OPERATIONS = {
    "status": 1, "secret-list": 2, "secret-show": 3, "machine-list": 4, "machine-show": 5, "baseline-list": 6,
    "policy-show": 7, "policy-check": 8, "operator-list": 9, "anchor-list": 10, "explain": 11, "audit-read": 12,
    "act-read": 13, "ima-key-list": 14, "ima-allow-list": 15, "crl-list": 16, "secret-put": 64,
    "secret-delete": 65, "secret-undelete": 66, "secret-destroy": 67, "secret-settings": 68, "secret-remove": 69, "seal": 70,
    "rotate": 71, "genesis": 128, "machine-register": 129, "machine-admit": 130,
    "machine-suspend": 131, "machine-readmit": 132, "machine-group": 133, "baseline-add": 134, "baseline-end": 135,
    "policy-apply": 136, "policy-delete": 137, "anchor-add": 138, "revoke": 139, "operator-add": 140,
    "ima-key-add": 141, "ima-allow-add": 142, "ima-allow-end": 143, "crl-add": 144, "crl-end": 145, "rekey": 146,
}
OUTCOMES = ["ok", "denied", "stale", "invalid", "missing", "conflict", "failed", "frozen"]


def number_field(value):
    return struct.pack(">Q", value)


def list_field(names):
    return struct.pack(">H", len(names)) + b"".join(lp(name) for name in names)


def versions_field(versions):
    return b"".join(struct.pack(">I", version) for version in versions)


def operator_request(answer_key, operator, challenge, revision, operation, fields):
    frame = lp("postern/operator/v1") + answer_key + lp(operator) + lp(challenge) + struct.pack(
        ">QHB", revision, OPERATIONS[operation], len(fields))
    for name in sorted(fields, key=FIELDS.get):
        frame += bytes([FIELDS[name]]) + lp(fields[name])
    return frame


def operator_answer(data):
    r = Reader(data)
    if r.lp() != b"postern/answer/v1":
        raise ValueError("not an answer")
    answer = {"request_hash": r.take(32), "outcome": OUTCOMES[r.number(1)], "trust_revision": r.number(8), "json": r.lp()}
    r.finish()
    return answer
