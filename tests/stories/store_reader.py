# SPDX-License-Identifier: Apache-2.0
"""A reader of a stopped broker's store, written from store/FORMAT.md: whoever has its files and the root key."""
import hashlib
import os
import struct

import lmdb
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

SLOT_SIZE = 32
NO_SLOT = 2**64 - 1


def hchacha20(key, block):
    """draft-irtf-cfrg-xchacha, 2.2."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + block))

    def rotated(value, count):
        return (value << count | value >> 32 - count) & 0xffffffff

    def quarter(a, b, c, d):
        for x, y, z, count in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xffffffff
            state[z] = rotated(state[z] ^ state[x], count)

    for _ in range(10):
        for column in range(4):
            quarter(column, 4 + column, 8 + column, 12 + column)
        for place in range(4):
            quarter(place, 4 + (place + 1) % 4, 8 + (place + 2) % 4, 12 + (place + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def opened(key, nonce, sealed, associated):
    """XChaCha20-Poly1305; raises InvalidTag."""
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], sealed, associated)


def keyed(key, *parts):
    return hashlib.blake2b(b"".join(parts), key=key, digest_size=32).digest()


class StoreReader:
    def __init__(self, folder, root_key):
        with lmdb.open(folder, max_dbs=0, lock=False, readonly=True) as environment, environment.begin() as transaction:
            self.records = {bytes(key): bytes(value) for key, value in transaction.cursor()}
        with open(os.path.join(folder, "slots"), "rb") as file:
            self.slots = file.read()
        with open(os.path.join(folder, "data.mdb"), "rb") as file:
            self.file = file.read()
        header = self.records[b"m/header"]
        self.id = header[12:28]
        _, oldest, slot = struct.unpack(">IIQ", header[28:44])
        wrap = keyed(root_key, b"postern/store/wrap/v2\0", self.id)
        self.wrapping = keyed(wrap, b"postern/store/wrap-slot/v1\0", struct.pack(">Q", slot), self.slot(slot))
        self.data_keys = {}
        for name, value in self.records.items():
            if name.startswith(b"m/key/") and name != b"m/key/set":
                self.data_keys[int(name[6:], 16)] = self.unwrap(int(name[6:], 16), value)
        assert min(self.data_keys) == oldest
        self.keys = {label: keyed(root_key, b"postern/store/" + label.encode() + b"\0", self.id)
                     for label in ("wrap/v2", "header/v2", "backup/v1")}
        self.keys.update({f"data/{generation}": key for generation, key in self.data_keys.items()},
                         set=self.unwrap(0, self.records[b"m/key/set"]), wrapping=self.wrapping)

    def unwrap(self, generation, value, wrapping=None):
        """A wrapped key as it lies, or lay, in the file."""
        return opened(wrapping or self.wrapping, value[8:32], value[32:], b"postern/store/data-key/v2\0" + self.id
                      + struct.pack(">I", generation) + value[:8])

    def slot(self, number):
        return self.slots[number * SLOT_SIZE:(number + 1) * SLOT_SIZE]

    def slot_of(self, name):
        return struct.unpack(">Q", self.records[name][12:20])[0]

    def key_of(self, record, slot_bytes=None):
        generation, slot = struct.unpack(">IQ", record[8:20])
        key = self.data_keys[generation]
        if slot == NO_SLOT:
            return key
        place = b"erasable" + record[12:20]
        cover = hchacha20(slot_bytes if slot_bytes is not None else self.slot(slot), place)
        return bytes(one ^ other for one, other in zip(hchacha20(key, place), cover))

    def open(self, name, record, slot_bytes=None):
        """One record as it lies, or lay, in the file; `slot_bytes` in place of those that its slot has."""
        return opened(self.key_of(record, slot_bytes), record[20:44], record[44:], b"postern/store/record/v2\0"
                      + record[8:20] + struct.pack(">H", len(name)) + name + record[:8])

    def everything(self):
        """Name -> value, of every sealed record there is; all of them open."""
        return {name: self.open(name, record) for name, record in self.records.items()
                if name[:2] in (b"r/", b"l/") or name == b"m/head"}

    def opens_with_any_slot(self, name, record):
        """Whatever slot is left in the file: is it the one?"""
        for at in range(0, len(self.slots), SLOT_SIZE):
            try:
                self.open(name, record, self.slots[at:at + SLOT_SIZE])
                return True
            except InvalidTag:
                pass
        return False
