# SPDX-License-Identifier: Apache-2.0
"""Shares by store/FORMAT.md, without a line of ours: read, altered with a checksum that fits, combined."""
import hashlib
import re

LINE = re.compile(r"postern-share-v1-(\d+)of(\d+)-(\d+)-([0-9a-f]{16})-((?:[0-9a-f]{8}-){8})([0-9a-f]{8})\n?")


class Share:
    def __init__(self, text):
        threshold, count, number, share_set, words, checksum = LINE.fullmatch(text).groups()
        self.threshold, self.count, self.number = int(threshold), int(count), int(number)
        self.set = bytes.fromhex(share_set)
        self.bytes = bytes.fromhex(words.replace("-", ""))
        assert self.checksum().hex() == checksum

    @classmethod
    def file(cls, path):
        with open(path, encoding="ascii") as file:
            return cls(file.read())

    def checksum(self):
        numbers = bytes([self.threshold, self.count, self.number])
        return hashlib.blake2b(b"postern/share/text/v1\0" + self.set + numbers + self.bytes, digest_size=32).digest()[:4]

    def text(self):
        words = "-".join(self.bytes[at:at + 4].hex() for at in range(0, 32, 4))
        return (f"postern-share-v1-{self.threshold}of{self.count}-{self.number}-{self.set.hex()}-{words}-"
                f"{self.checksum().hex()}")


def multiply(a, b):
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = a << 1 ^ (0x11b if a & 0x80 else 0)
        b >>= 1
    return product


def divide(a, b):
    return next(quotient for quotient in range(256) if multiply(quotient, b) == a)


def combine(shares):
    """Lagrange's interpolation at 0, byte by byte."""
    key = bytearray(32)
    for one in shares:
        weight = 1
        for other in shares:
            if other.number != one.number:
                weight = multiply(weight, divide(other.number, other.number ^ one.number))
        for at in range(32):
            key[at] ^= multiply(one.bytes[at], weight)
    return bytes(key)
