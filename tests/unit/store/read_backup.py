# SPDX-License-Identifier: Apache-2.0
"""Reads a backup by what store/FORMAT.md says alone: read_backup.py WRITE_BACKUP."""

import hashlib
import io
import subprocess
import sys

ROOT_KEY = b"\x5a" * 32


def blake(key, *parts):
    return hashlib.blake2b(b"".join(parts), key=key, digest_size=32).digest()


def number(file, size):
    return int.from_bytes(file.read(size), "big")


def chunks(file):
    prologue = file.read(16 + 4 + 16 + 32 + 32)
    assert prologue[:20] == b"postern-backup\r\n\0\0\0\1"
    store_id, key_check = prologue[20:36], prologue[36:68]
    assert key_check == blake(ROOT_KEY, b"postern/store/key-check/v1\0", store_id)
    key = blake(ROOT_KEY, b"postern/store/backup/v1\0", store_id)
    mac, last = blake(key, b"postern/backup/begin/v1\0", prologue), 0
    while not last:
        frame = file.read(5)
        last, items = frame[0], file.read(int.from_bytes(frame[1:], "big"))
        mac = blake(key, b"postern/backup/chunk/v1\0", mac, frame, items)
        assert file.read(32) == mac
        yield items
    assert file.read() == b""


def items(chunk):
    file = io.BytesIO(chunk)
    while kind := file.read(1):
        if kind == b"B":
            yield kind, file.read(number(file, 2)), number(file, 8)
        elif kind == b"R":
            name, revision = file.read(number(file, 2)), number(file, 8)
            yield kind, name, revision, file.read(number(file, 4))
        elif kind == b"S":
            yield kind, number(file, 8), file.read(32)
        elif kind == b"D":
            yield kind, number(file, 8)
        else:
            assert kind == b"E"
            yield kind, number(file, 8), number(file, 8), number(file, 8)


def main():
    backup = subprocess.run([sys.argv[1]], check=True, stdout=subprocess.PIPE).stdout
    found = [item for chunk in chunks(io.BytesIO(backup)) for item in items(chunk)]
    assert found[0][:2] == (b"B", b"label")
    names = [item[1] for item in found if item[0] == b"R"]
    slots = [item for item in found if item[0] == b"S"]
    assert found[-1] == (b"E", len(names), len(slots), 0)
    assert names == sorted(names)
    assert {b"m/header", b"m/head", b"r/plain/0", b"r/secret/2", b"t/tag/0000000000000002"} <= set(names)
    assert not {b"r/plain/1", b"r/secret/1"} & set(names)
    # Each erasable record names the slot that stands behind it.
    for record, slot in zip(found, found[1:]):
        if slot[0] == b"S" and record[1] != b"m/header":
            assert record[3][4:12] == slot[1].to_bytes(8, "big") and any(slot[2])
    assert len(slots) == 1 + sum(name.startswith(b"r/secret/") for name in names)
    print(f"{len(names)} records, {len(slots)} slots")


main()
