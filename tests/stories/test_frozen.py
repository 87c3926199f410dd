# SPDX-License-Identifier: Apache-2.0
"""A store that may be an older one: the broker starts frozen, says why, and one who has looked lets it go on."""
import json
import os
import shutil

import pytest

from broker import program
from guest import Refused
from terminal import Terminal

USAGE, AGAIN, DENIED = 64, 75, 77


def restart(house, *lines):
    """With these lines at the end of posternd.conf, those of an earlier restart being gone."""
    house.broker.stop()
    with open(house.broker.config, encoding="utf-8") as file:
        kept = [line for line in file if not line.startswith("min_revision")]
    with open(house.broker.config, "w", encoding="utf-8") as file:
        file.writelines(kept + [line + "\n" for line in lines])
    house.broker.start()


def is_frozen(house, guest):
    with pytest.raises(Refused) as caught:
        guest.fetch("db/prod")
    assert caught.value.word == "frozen", caught.value
    return house.broker.state()["frozen"]


def test_below_the_revision_that_was_seen(house):
    guest = house.admitted()
    revision = house.operate("status")["trust_revision"]
    restart(house, f"min_revision = {revision}")
    assert guest.fetch("db/prod")
    restart(house, f"min_revision = {revision + 1}")
    assert is_frozen(house, guest)
    state = house.broker.state()
    assert state["trust_revision"] == revision and str(revision + 1) in state["why"]
    status, _, body = house.client.raw("GET", "/v1/sys/health")
    assert json.loads(body)["frozen"] is True and status != 200
    # readings, and nothing else
    house.operate("status")
    house.operate("machine-list")
    house.postern("audit", "verify")
    told = house.postern("secret", "put", "db/new", "--public", "a=b", status=AGAIN).stderr
    assert "frozen" in told
    told = house.postern("revoke", "ak", guest.tpm.ak_name.hex(), "--reason", "lost", status=AGAIN).stderr
    assert "frozen" in told
    for words in (["rotate", "--local"], ["rekey", "--root-key-file", house.broker.folder + "/k"]):
        assert "frozen" in house.broker.local(*words, status=DENIED).stderr
    house.broker.local("store", "check")
    house.broker.local("backup", house.broker.folder + "/b")
    # the flag is gone, and it is frozen still
    restart(house)
    assert is_frozen(house, guest)


def test_the_way_out(house):
    guest = house.admitted()
    revision = house.operate("status")["trust_revision"]
    restart(house, f"min_revision = {revision + 7}")
    for words in ([], ["--revision", revision], ["--reason", "because"]):
        told = house.broker.local("thaw", *words, status=USAGE).stderr
        assert str(revision + 7) in told and f"--revision {revision}" in told, told
    house.broker.local("thaw", "--revision", revision, "--reason", "", status=USAGE)
    house.broker.local("thaw", "--revision", revision, "--reason", "a\nb", status=USAGE)
    told = house.broker.local("thaw", "--revision", revision + 1, "--reason", "looked", status=DENIED).stderr
    assert f"the trust revision is {revision}" in told
    assert is_frozen(house, guest)
    done = house.broker.local("thaw", "--revision", revision, "--reason", "the newest copy there is")
    assert "thawed" in done.stdout and "lower it" in done.stderr + done.stdout
    assert guest.fetch("db/prod")
    entries = [entry for entry in house.audit().values() if entry["kind"] == "thaw"]
    assert len(entries) == 1 and "the newest copy there is" in str(entries[0])
    restart(house)
    assert guest.fetch("db/prod")
    assert "not frozen" in house.broker.local("thaw").stdout
    assert json.loads(house.broker.local("thaw", "--json").stdout) == house.broker.state()


def test_a_whole_store_put_back(house, tmp_path):
    """Every seal in it is in order; what was witnessed elsewhere tells."""
    guest = house.admitted()
    house.broker.stop()
    shutil.copytree(house.broker.store, tmp_path / "older")
    house.broker.start()
    house.operate("revoke", kind="ak", id=guest.tpm.ak_name.hex(), reason="stolen")
    seen = house.operate("status")["trust_revision"]
    house.broker.stop()
    shutil.rmtree(house.broker.store)
    shutil.copytree(tmp_path / "older", house.broker.store)
    os.chmod(house.broker.store, 0o700)
    restart(house, f"min_revision = {seen}")
    assert is_frozen(house, guest)
    assert str(seen) in house.broker.state()["why"]


def test_why_is_shown_to_operators(house):
    house.admitted()
    revision = house.operate("status")["trust_revision"]
    restart(house, f"min_revision = {revision + 3}")
    told = house.postern("status").stdout
    assert "frozen" in told and str(revision + 3) in told
    assert str(revision + 3) in house.broker.local("seal-status").stdout


def test_a_rotation_is_followed_to_its_end(house):
    guest = house.admitted()
    for number in range(50):
        assert house.put(f"many/{number}", os.urandom(200))["outcome"] == "ok"
    before = house.broker.state()["rotation"]["generation"]
    with Terminal(program("postern"), "rotate", "--local", "--wait", "--config", house.broker.config) as terminal:
        assert terminal.end() == 0, terminal.seen
        assert f"generation {before + 1}" in terminal.seen
    rotation = house.broker.state()["rotation"]
    assert rotation["generation"] == rotation["oldest"] == before + 1 and not rotation["under_way"]
    house.postern("rotate")
    assert house.broker.state()["rotation"]["generation"] == before + 2
    done = house.broker.local("rotate", "--local")
    assert f"data key {before + 3}" in done.stdout and done.stderr == ""
    told = json.loads(house.broker.local("rotate", "--local", "--wait", "--json").stdout)
    assert told["generation"] == told["oldest"] == before + 4 and not told["under_way"]
    assert guest.fetch("db/prod")["secrets"]["db/prod"] == (1, house.value)
