# SPDX-License-Identifier: Apache-2.0
"""A TPM in Python, as far as a guest uses one, from the TPM 2.0 Library and the TCG EK profile: an honest twin of what
swtpm makes, whose every field a story can spoil. It holds keys in clear, which is the point: a forger can write one."""
import hashlib
import hmac
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from wire import sha256, sized

ALG_RSA, ALG_SHA1, ALG_AES, ALG_SHA256, ALG_SHA384, ALG_NULL = 0x0001, 0x0004, 0x0006, 0x000B, 0x000C, 0x0010
ALG_RSASSA, ALG_ECDSA, ALG_ECC, ALG_CFB = 0x0014, 0x0018, 0x0023, 0x0043
CURVE_P256, CURVE_P384 = 0x0003, 0x0004
GENERATED, ATTEST_QUOTE, ATTEST_CERTIFY, RH_OWNER, RH_ENDORSEMENT = 0xFF544347, 0x8018, 0x8017, 0x40000001, 0x4000000B

AK_ATTRIBUTES = 0x00050472
AK_POLICY = sha256(b"postern/ak/v1")
POLICY_A = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
POLICY_B_SHA384 = bytes.fromhex(
    "b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12")
EVERY_PCR = b"\xff\xff\x00"


def point(key, size):
    numbers = key.public_numbers()
    return sized(numbers.x.to_bytes(size, "big")) + sized(numbers.y.to_bytes(size, "big"))


def ak_public(key, attributes=AK_ATTRIBUTES, policy=AK_POLICY):
    """TPMT_PUBLIC of Postern's AK."""
    return struct.pack(">HHI", ALG_ECC, ALG_SHA256, attributes) + sized(policy) + struct.pack(
        ">HHHHH", ALG_NULL, ALG_ECDSA, ALG_SHA256, CURVE_P256, ALG_NULL) + point(key, 32)


def ek_public(key):
    """TPMT_PUBLIC by the templates L-1 (RSA-2048) and H-3 (P-384)."""
    if isinstance(key, rsa.RSAPublicKey):
        return struct.pack(">HHI", ALG_RSA, ALG_SHA256, 0x000300B2) + sized(POLICY_A) + struct.pack(
            ">HHHHHI", ALG_AES, 128, ALG_CFB, ALG_NULL, 2048, 0) + sized(key.public_numbers().n.to_bytes(256, "big"))
    return struct.pack(">HHI", ALG_ECC, ALG_SHA384, 0x000300F2) + sized(POLICY_B_SHA384) + struct.pack(
        ">HHHHHH", ALG_AES, 256, ALG_CFB, ALG_NULL, CURVE_P384, ALG_NULL) + point(key, 48)


def kdfa(hash_name, key, label, context_u, context_v, bits):
    """TPM 2.0 Library Part 1, 11.4.10.2."""
    output, counter = b"", 0
    while len(output) * 8 < bits:
        counter += 1
        message = struct.pack(">I", counter) + label + b"\0" + context_u + context_v + struct.pack(">I", bits)
        output += hmac.new(key, message, hash_name).digest()
    return output[: bits // 8]


def kdfe(hash_name, z, label, party_u, party_v, bits):
    """TPM 2.0 Library Part 1, 11.4.10.3, for one digest's length."""
    return hashlib.new(hash_name, struct.pack(">I", 1) + z + label + b"\0" + party_u + party_v).digest()[: bits // 8]


def signature(key, message, algorithm=ALG_ECDSA, hash_algorithm=ALG_SHA256):
    """TPMT_SIGNATURE by a P-256 key."""
    digest = hashes.SHA1() if hash_algorithm == ALG_SHA1 else hashes.SHA256()
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest)))
    return struct.pack(">HH", algorithm, hash_algorithm) + sized(r.to_bytes(32, "big")) + sized(s.to_bytes(32, "big"))


class SoftTpm:
    def __init__(self, ek_kind="rsa-2048"):
        self.ek = (rsa.generate_private_key(65537, 2048) if ek_kind == "rsa-2048"
                   else ec.generate_private_key(ec.SECP384R1()))
        self.ak = ec.generate_private_key(ec.SECP256R1())
        self.pcrs = [bytes(32)] * 16
        self.clock, self.resets, self.restarts = 100_000, 1, 0

    @property
    def ek_public(self):
        return ek_public(self.ek.public_key())

    @property
    def ek_id(self):
        """What names an EK whatever its template: SHA-256 of the modulus, or of x || y."""
        numbers = self.ek.public_key().public_numbers()
        if isinstance(self.ek, rsa.RSAPrivateKey):
            return sha256(numbers.n.to_bytes(256, "big"))
        return sha256(numbers.x.to_bytes(48, "big"), numbers.y.to_bytes(48, "big"))

    @property
    def ak_public(self):
        return ak_public(self.ak.public_key())

    @property
    def ak_name(self):
        return struct.pack(">H", ALG_SHA256) + sha256(self.ak_public)

    def extend(self, index, word):
        self.pcrs[index] = sha256(self.pcrs[index], sha256(word))

    def reboot(self):
        self.pcrs = [bytes(32)] * 16
        self.resets += 1

    def activate(self, blob, encrypted):
        """TPM2_ActivateCredential: TPM 2.0 Library Part 1, 24. Raises where the credential is for other keys."""
        if isinstance(self.ek, rsa.RSAPrivateKey):
            name, bits = "sha256", 128
            seed = self.ek.decrypt(encrypted, padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), b"IDENTITY\0"))
        else:
            name, bits = "sha384", 256
            size = int.from_bytes(encrypted[:2], "big")
            x, y = encrypted[2 : 2 + size], encrypted[4 + size :]
            theirs = ec.EllipticCurvePublicNumbers(
                int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP384R1()).public_key()
            z = self.ek.exchange(ec.ECDH(), theirs)
            own = self.ek.public_key().public_numbers().x.to_bytes(48, "big")
            seed = kdfe(name, z, b"IDENTITY", x.rjust(48, b"\0"), own, 384)
        size = int.from_bytes(blob[:2], "big")
        integrity, sealed = blob[2 : 2 + size], blob[2 + size :]
        key = kdfa(name, seed, b"INTEGRITY", b"", b"", len(seed) * 8)
        if not hmac.compare_digest(hmac.new(key, sealed + self.ak_name, name).digest(), integrity):
            raise ValueError("the credential is not for these keys")
        key = kdfa(name, seed, b"STORAGE", self.ak_name, b"", bits)
        plain = Cipher(algorithms.AES(key), modes.CFB(bytes(16))).decryptor().update(sealed)
        return plain[2 : 2 + int.from_bytes(plain[:2], "big")]

    def attest(self, qualifying, **spoils):
        """TPMS_ATTEST of a quote. Each keyword replaces one field of an honest one."""
        self.clock += 10
        name = spoils.get("name", self.ak_name)
        signer = struct.pack(">H", ALG_SHA256) + sha256(struct.pack(">I", spoils.get("hierarchy", RH_ENDORSEMENT)), name)
        select = spoils.get("select", EVERY_PCR)
        digest = spoils.get("digest", sha256(*[
            value for index, value in enumerate(self.pcrs) if select[index // 8] >> index % 8 & 1]))
        selection = spoils.get("selection", struct.pack(">IHB", 1, spoils.get("bank", ALG_SHA256), 3) + select)
        return b"".join([
            struct.pack(">IH", spoils.get("magic", GENERATED), spoils.get("type", ATTEST_QUOTE)),
            sized(spoils.get("signer", signer)), sized(qualifying),
            struct.pack(">QIIB", spoils.get("clock", self.clock), spoils.get("resets", self.resets),
                        spoils.get("restarts", self.restarts), 1),
            struct.pack(">Q", 0x20191023_00163636), selection, sized(digest), spoils.get("trailing", b"")])

    def quote(self, qualifying, **spoils):
        """(TPMS_ATTEST, TPMT_SIGNATURE, PCR values)"""
        message = self.attest(qualifying, **spoils)
        key = spoils.get("key", self.ak)
        signed = spoils.get("signed", signature(key, message, spoils.get("algorithm", ALG_ECDSA),
                                                spoils.get("hash_algorithm", ALG_SHA256)))
        return message, signed, b"".join(spoils.get("pcrs", self.pcrs))
