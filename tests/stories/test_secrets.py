# SPDX-License-Identifier: Apache-2.0
"""The life of a secret with the programs alone: its versions, what a machine gets of them, and what the disk keeps."""
import json
import os
import time

import pytest
from cryptography.exceptions import InvalidTag

import wire
from broker import program, run
from store_reader import StoreReader
from terminal import Terminal
from test_release import Machine, let_in

USAGE, DATA, ABSENT, DENIED = 64, 65, 69, 77
PATH = "db/prod"


@pytest.fixture
def guest(house, machine):
    return let_in(house, Machine(house, machine))


def put(house, text, *words, **keywords):
    return house.postern("secret", "put", PATH, "-", *words, input=text, **keywords)


def secret(house, *words, **keywords):
    return house.postern("secret", *words[:1], PATH, *words[1:], **keywords)


def shown(house):
    return json.loads(secret(house, "show", "--json").stdout)


def states(house):
    return {version["version"]: version["state"] for version in shown(house)["versions"]}


def fetched(guest, version=None):
    return guest.fetch(PATH if version is None else f"{PATH}@{version}").stdout


def withheld(house, guest, words, version=None):
    """The machine is told that it may not; the operators are told which version, and why."""
    done = guest.fetch(PATH if version is None else f"{PATH}@{version}", status=DENIED)
    assert done.stdout == "" and words not in done.stderr
    check = json.loads(house.postern("explain", "vm1", "--json").stdout)["decisions"][0]["checks"][-1]
    assert check["check"] == "secret" and not check["ok"] and words in check["seen"], check
    return check["expected"]


def test_the_whole_life(house, guest):
    put(house, "second")
    assert fetched(guest) == "second"
    assert fetched(guest, 1) == house.value.decode()

    assert secret(house, "delete").stdout == "db/prod: version 2 is deleted\n"
    assert states(house) == {1: "active", 2: "deleted"}
    assert withheld(house, guest, "deleted") == "db/prod@2"
    assert withheld(house, guest, "deleted", 2) == "db/prod@2"
    assert fetched(guest, 1) == house.value.decode()
    assert secret(house, "delete").stdout == "db/prod: nothing to do: none of that is active\n"
    secret(house, "undelete", "--versions", "2")
    assert fetched(guest) == "second"

    put(house, "third")
    put(house, "fourth")
    assert secret(house, "delete", "--versions", "1,3-4").stdout == "db/prod: versions 1, 3, 4 are deleted\n"
    assert secret(house, "destroy", "--versions", "1,4").stdout == "db/prod: versions 1, 4 are destroyed\n"
    assert states(house) == {1: "destroyed", 2: "active", 3: "deleted", 4: "destroyed"}
    assert withheld(house, guest, "destroyed") == "db/prod@4"
    done = secret(house, "undelete", "--versions", "3,4", status=None)
    assert done.returncode == DATA and "version 4 is destroyed" in done.stderr
    assert states(house)[3] == "deleted"
    secret(house, "undelete", "--versions", "3")
    assert fetched(guest, 3) == "third"
    assert secret(house, "destroy", "--versions", "9", status=ABSENT).stderr.count("there is no version 9: 1 to 4 are kept")

    text = secret(house, "show").stdout
    assert "destroyed" in text and "10 versions, the default" in text and "third" not in text
    house.broker.stop()
    house.broker.start()
    assert states(house) == {1: "destroyed", 2: "active", 3: "active", 4: "destroyed"}
    assert fetched(guest, 2) == "second"

    assert secret(house, "remove", "--yes").stdout == "db/prod is removed\n"
    assert withheld(house, guest, "there is none") == "db/prod"
    secret(house, "show", status=ABSENT)
    assert put(house, "another").stdout.split() == ["path", "db/prod", "version", "1"]
    assert fetched(guest) == "another"
    subjects = [entry["subject"] for entry in house.audit().values() if entry.get("operation", "").startswith("secret-")]
    for subject in ("@2", "@1,3-4", "@1,4", "@3-4", "@1-4"):
        assert f"Secret::db/prod{subject}" in subjects
    assert house.postern("audit", "verify").returncode == 0


def test_settings(house, guest):
    assert "is set" in secret(house, "settings", "--max-versions", "2", "--cas-required", "yes", "--custom", "owner=team a",
                              "--custom", "ticket=").stdout
    done = put(house, "second", status=None)
    assert done.returncode == DATA and "check-and-set" in done.stderr
    assert put(house, "second", "--cas", "7", status=None).returncode == DATA
    put(house, "second", "--cas", "1")
    put(house, "third", "--cas", "2")
    assert states(house) == {2: "active", 3: "active"}
    assert withheld(house, guest, "not in that version", 1) == "db/prod@1"
    secret(house, "settings", "--cas-required", "no")
    known = shown(house)
    assert known["settings"] == {"versions_max": 2, "cas_required": False, "delete_version_after": 0}
    assert known["custom"] == {"owner": "team a", "ticket": ""}
    assert "owner=team a" in secret(house, "show").stdout
    secret(house, "settings", "--custom-none", "--max-versions", "0")
    assert shown(house)["custom"] == {} and shown(house)["settings"]["versions_max"] == 0
    secret(house, "settings", status=USAGE)
    secret(house, "settings", "--max-versions", "101", status=USAGE)
    done = house.postern("secret", "settings", "db/new", "--delete-version-after", "1h")
    assert "no version yet" in done.stderr
    assert "db/new" in house.postern("secret", "list").stdout
    assert "3600 seconds" in house.postern("secret", "show", "db/new").stdout
    assert "no version yet" in house.postern("secret", "show", "db/new").stdout


def test_a_version_expires(house, guest):
    secret(house, "settings", "--delete-version-after", "2s")
    assert "expires" in put(house, "for a short while").stdout
    assert fetched(guest, 1) == house.value.decode()
    deadline = time.monotonic() + 10
    while states(house)[2] == "active" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert states(house) == {1: "active", 2: "expired"}
    assert withheld(house, guest, "expired") == "db/prod@2"
    secret(house, "undelete", "--versions", "2")
    assert fetched(guest) == "for a short while"


@pytest.mark.parametrize("words", [
    *(["delete", PATH, "--versions", text] for text in (
        "", "0", "1,", ",1", "2,1", "1,1", "1-", "-1", "3-1", "1-2,2", "4294967296", "1-101", "1-60,70-110", "x", "1 ,2", "1.5")),
    *(["settings", PATH, "--delete-version-after", text] for text in (
        "", "d", "1w", "-1", "1.5h", "36601d", "3162240001", "99999999999", "1d1")),
    *(["settings", PATH, "--max-versions", text] for text in ("", "101", "-1", "x", "1x")),
    *(["settings", PATH, "--cas-required", text] for text in ("", "maybe", "true")),
    *(["settings", PATH, "--custom", text] for text in ("", "name", "=value", "n" * 129 + "=", "n=" + "v" * 513, "n=\x1b[2J")),
    ["settings", PATH, "--custom", "n=1", "--custom", "n=2"], ["settings", PATH, "--custom", "n=1", "--custom-none"],
    ["settings", PATH], ["undelete", PATH], ["destroy", PATH], ["destroy", PATH, "--cas", "1", "--versions", "1"],
    ["remove", "../x", "--yes"], ["remove"]], ids=lambda words: " ".join(words)[:60])
def test_what_the_command_refuses(words):
    """Before it asks any broker."""
    done = run(program("postern"), "secret", *words, "--config", "/nowhere", status=USAGE)
    assert done.stderr.startswith("postern: ") and "\x1b" not in done.stderr


def test_who_may(house):
    """By the policies that a new broker has: whoever puts secrets in cannot destroy what others rely on."""
    house.add_operator("wendy", ["secret-writer"])
    writer, admin = house.operators["wendy"], house.operators["alice"]
    one = wire.versions_field([1])
    wanted = {"secret-delete": ({"versions": one}, "ok"), "secret-undelete": ({"versions": one}, "ok"),
              "secret-show": ({}, "ok"), "secret-destroy": ({"versions": one}, "denied"), "secret-remove": ({}, "denied"),
              "secret-settings": ({"custom": b"\0\0"}, "denied")}
    for operation, (fields, outcome) in wanted.items():
        assert writer.do(operation, path=PATH, **fields)["outcome"] == outcome, operation
    for operation in ("seal", "rotate"):
        assert writer.do(operation)["outcome"] == "denied"
    for operation in ("secret-settings", "secret-destroy", "secret-remove"):
        assert admin.do(operation, path=PATH, **wanted[operation][0])["outcome"] == "ok", operation


def at_a_terminal(house, answer):
    """`postern secret remove` at a terminal: its exit status, and what was shown there."""
    with Terminal(program("postern"), "secret", "remove", PATH, "--config", house.broker.operator_config) as terminal:
        terminal.answer("(yes or no)", answer)
        return terminal.end(), terminal.seen


def test_remove_asks(house):
    done = run(program("postern"), "secret", "remove", PATH, "--config", house.broker.operator_config, status=USAGE,
               start_new_session=True)
    assert "--yes" in done.stderr
    for answer in ("no", "y", "yes please", ""):
        code, told = at_a_terminal(house, answer)
        assert code == DATA and "nothing was changed" in told
        assert states(house) == {1: "active"}
    code, told = at_a_terminal(house, "yes")
    assert code == 0 and "is removed" in told
    secret(house, "show", status=ABSENT)


# ---- what the disk keeps ----


class Seized:
    """The stopped broker's files, and its root key."""

    def __init__(self, house):
        house.broker.stop()
        with open(house.broker.root_key, "rb") as file:
            self.reader = StoreReader(house.broker.store, file.read())
        house.broker.start()

    def places_of(self, value):
        """Names of records that hold these bytes, once all is decrypted."""
        return [name for name, plain in self.reader.everything().items() if value in plain]


def name_of(version):
    return b"r/value/db/prod@%08x" % version


@pytest.mark.parametrize("way", ["destroy", "prune", "remove"])
def test_what_is_erased_is_gone(house, way):
    """Not even with the sealed record as it was before, which the database's free pages may keep, and with the root key."""
    value = b"the value to look for " + os.urandom(16).hex().encode()
    assert house.put(PATH, value)["outcome"] == "ok"
    before = Seized(house).reader
    record, slot = before.records[name_of(2)], before.slot_of(name_of(2))
    slot_bytes = before.slot(slot)
    assert before.open(name_of(2), record) == value, "the reader cannot read: it proves nothing"

    if way == "destroy":
        secret(house, "destroy", "--versions", "2")
    elif way == "prune":
        secret(house, "settings", "--max-versions", "1")
        put(house, "the next")
    else:
        secret(house, "remove", "--yes")
    seized = Seized(house)
    after = seized.reader
    assert seized.places_of(value) == [] and name_of(2) not in after.records
    assert after.slot(slot) == bytes(32)
    assert slot_bytes not in after.slots and slot_bytes not in after.file and value not in after.file
    with pytest.raises(InvalidTag):
        after.open(name_of(2), record)
    assert not after.opens_with_any_slot(name_of(2), record)
    # The one thing that would: its slot's bytes, which nobody has any more.
    assert after.open(name_of(2), record, slot_bytes) == value


def test_what_is_deleted_is_kept(house):
    """A soft deletion is one: whoever has the files and the root key reads it. `secret destroy` is for the rest."""
    secret(house, "delete")
    seized = Seized(house)
    assert seized.places_of(house.value) == [name_of(1)]
