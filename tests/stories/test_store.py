# SPDX-License-Identifier: Apache-2.0
"""Somebody with the disk: records changed, swapped, put back, or read, while the daemon was down."""
import os
import shutil

import lmdb
import pytest

from guest import Refused


class Disk:
    """The store's file, in another's hands. Keys are readable there; values are not."""

    def __init__(self, broker):
        self.broker = broker

    def __enter__(self):
        self.broker.stop()
        self.environment = lmdb.open(self.broker.store, map_size=2**28, max_dbs=0, lock=False)
        self.transaction = self.environment.begin(write=True)
        return self

    def __exit__(self, failure, *_):
        if failure is None:
            self.transaction.commit()
        self.environment.close()

    def keys(self):
        return [bytes(key) for key, _ in self.transaction.cursor()]

    def get(self, name):
        return bytes(self.transaction.get(b"r/" + name))

    def put(self, name, value):
        assert self.transaction.get(b"r/" + name) is not None
        self.transaction.put(b"r/" + name, value)

    def swap_bodies(self, one, other, start=20):
        """What is sealed changes places; revision, generation and slot before it stay: only the seals can tell."""
        first, second = self.get(one), self.get(other)
        self.put(one, first[:start] + second[start:])
        self.put(other, second[:start] + first[start:])

    def flip(self, name, place):
        value = bytearray(self.get(name))
        value[place] ^= 1
        self.put(name, bytes(value))


VALUE = b"value/db/prod@00000001"
OUTSIDE = "a record was put back, added or removed outside of the store"


def refused(house, guest, words):
    """The release fails, the guest is told no more than that, and the operators' side says what happened."""
    with pytest.raises(Refused) as caught:
        guest.fetch("db/prod")
    assert caught.value.word == "failed", caught.value
    assert house.value.decode() not in str(caught.value)
    told = house.broker.stderr() + str(house.explain(guest))
    assert any(word in told for word in words), told


@pytest.mark.parametrize("place", [0, 7, 8, 12, 19, 20, -20, -1])
def test_a_record_with_one_bit_changed(house, place):
    """From its revision to its tag, whichever byte of the sealed value is touched."""
    guest = house.admitted()
    with Disk(house.broker) as disk:
        disk.flip(VALUE, place)
    if place in (0, 7, 12, 19):  # of the revision, of the slot
        assert refuses_to_start(house)
        told = house.broker.stderr()
        assert "value/db/prod@00000001" in told if place == 0 else OUTSIDE in told
    else:
        house.broker.start()
        refused(house, guest, ["value/db/prod@00000001"])


def test_two_swapped_records(house):
    guest = house.admitted()
    house.put("db/free", b"a value that anyone may have")
    with Disk(house.broker) as disk:
        disk.swap_bodies(VALUE, b"value/db/free@00000001")
    house.broker.start()
    refused(house, guest, ["value/db/prod@00000001"])


def test_two_records_swapped_with_their_slots(house):
    """All but their revisions: the digest knows which slot is whose."""
    house.admitted()
    house.put("db/free", b"a value that anyone may have")
    with Disk(house.broker) as disk:
        disk.swap_bodies(VALUE, b"value/db/free@00000001", start=8)
    assert refuses_to_start(house)
    assert OUTSIDE in house.broker.stderr()


def test_two_records_that_changed_places(house):
    """Revisions and all."""
    house.admitted()
    house.put("db/free", b"a value that anyone may have")
    with Disk(house.broker) as disk:
        prod, free = disk.get(VALUE), disk.get(b"value/db/free@00000001")
        disk.put(VALUE, free)
        disk.put(b"value/db/free@00000001", prod)
    assert refuses_to_start(house)
    assert OUTSIDE in house.broker.stderr()


def refuses_an_older(house, name, change):
    """The record as it was before `change` is put back: no start. With the newest in its place again: as before."""
    with Disk(house.broker) as disk:
        older = disk.get(name)
    house.broker.start()
    change()
    with Disk(house.broker) as disk:
        newer = disk.get(name)
        assert newer != older
        disk.put(name, older)
    assert refuses_to_start(house)
    assert OUTSIDE in house.broker.stderr() and "whole backup" in house.broker.stderr()
    with Disk(house.broker) as disk:
        disk.put(name, newer)
    house.broker.start()


def test_an_older_machine_would_not_be_suspended(house):
    guest = house.admitted()
    guest.fetch("db/prod")

    def suspend():
        guest.tpm.resets -= 1
        assert not fetched(guest)
        guest.tpm.resets += 5

    refuses_an_older(house, b"machine/" + house.id_of(guest).encode(), suspend)
    assert not fetched(guest)
    assert "suspended" in str(house.machine(guest))


def test_an_older_secret_would_serve_an_old_version(house):
    guest = house.admitted()
    refuses_an_older(house, b"secret/db/prod", lambda: house.put("db/prod", b"the second version"))
    assert guest.fetch("db/prod")["secrets"]["db/prod"] == (2, b"the second version")


def test_an_older_record_of_one_that_was_removed(house):
    """Neither may a record be taken away, nor one come back that the store has deleted or never held at that time."""
    house.admitted()
    with Disk(house.broker) as disk:
        value = disk.get(VALUE)
        disk.transaction.delete(b"r/" + VALUE)
    assert refuses_to_start(house)
    assert OUTSIDE in house.broker.stderr()
    with Disk(house.broker) as disk:
        disk.transaction.put(b"r/" + VALUE, value)
        disk.transaction.put(b"r/value/db/prod@00000009", value)
    assert refuses_to_start(house)
    assert OUTSIDE in house.broker.stderr()


def test_a_record_under_another_ones_name(house):
    """The machine that was admitted last gets the record of one admitted before."""
    guest, other = house.admitted(), house.admitted(name="other")
    ours, theirs = (b"machine/" + house.id_of(one).encode() for one in (guest, other))
    with Disk(house.broker) as disk:
        disk.put(ours, disk.get(theirs))
    assert refuses_to_start(house) or not fetched(guest)


def fetched(guest):
    try:
        guest.fetch("db/prod")
    except Refused:
        return False
    return True


def refuses_to_start(house):
    """True: it ended by itself, and said why. False: it is up."""
    try:
        house.broker.start()
    except AssertionError:
        assert house.broker.process.returncode not in (None, 0)
        assert house.broker.stderr().strip()
        return True
    return False


def test_an_act_put_back(house):
    """The newest act is a revocation; whoever has the disk takes it away."""
    guest = house.admitted()
    house.operate("revoke", kind="ak", id=guest.tpm.ak_name.hex(), reason="lost")
    assert not fetched(guest)
    with Disk(house.broker) as disk:
        newest = max(key for key in disk.keys() if key.startswith(b"r/act/"))
        disk.transaction.delete(newest)
    assert refuses_to_start(house)


def test_a_revocation_taken_back(house):
    """More cleverly: the trust record as it was before the revocation, and no act beyond it."""
    guest = house.admitted()
    with Disk(house.broker) as disk:
        before = disk.get(b"trust")
    house.broker.start()
    house.operate("revoke", kind="ak", id=guest.tpm.ak_name.hex(), reason="lost")
    with Disk(house.broker) as disk:
        disk.transaction.delete(max(key for key in disk.keys() if key.startswith(b"r/act/")))
        disk.put(b"trust", before)
    assert refuses_to_start(house)
    assert OUTSIDE in house.broker.stderr()


def test_an_act_with_one_bit_changed(house):
    house.admitted()
    with Disk(house.broker) as disk:
        oldest = min(key for key in disk.keys() if key.startswith(b"r/act/"))
        value = bytearray(disk.transaction.get(oldest))
        value[-1] ^= 1
        disk.transaction.put(oldest, bytes(value))
    assert refuses_to_start(house)


def test_the_audit_log_cut_short(house):
    """An entry removed from the middle of the log: reading it says so."""
    guest = house.admitted()
    for _ in range(3):
        guest.fetch("db/prod")
    assert house.postern("audit", "verify").returncode == 0
    with Disk(house.broker) as disk:
        entries = sorted(key for key in disk.keys() if key.startswith(b"l/"))
        assert len(entries) > 4, disk.keys()
        disk.transaction.delete(entries[len(entries) // 2])
    if not refuses_to_start(house):
        assert house.postern("audit", "verify", status=None).returncode != 0


def test_another_root_key(house):
    house.admitted()
    house.broker.stop()
    with open(house.broker.root_key, "rb") as file:
        key = file.read()
    os.chmod(house.broker.root_key, 0o600)
    with open(house.broker.root_key, "wb") as file:
        file.write(bytes(byte ^ 1 for byte in key) if len(key) == 32 else key.translate(
            bytes.maketrans(b"0123456789abcdefABCDEF", b"123456789abcdef0BCDEFA")))
    assert refuses_to_start(house)


def test_names_are_readable_and_values_are_not(house):
    house.put("db/prod", b"a value to look for on the disk")
    with Disk(house.broker) as disk:
        assert disk.get(b"value/db/prod@00000001")
        assert all(b"look for on the disk" not in value for _, value in disk.transaction.cursor())


def test_a_copy_of_the_disk_alone_is_of_no_use(house, tmp_path):
    """The store without its root key: nothing opens."""
    house.admitted()
    house.broker.stop()
    shutil.copytree(house.broker.store, tmp_path / "store")
    shutil.move(house.broker.root_key, tmp_path / "root.key")
    assert refuses_to_start(house)
