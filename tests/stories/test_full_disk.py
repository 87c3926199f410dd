# SPDX-License-Identifier: Apache-2.0
"""A broker whose disk is full, and then is not: what cannot be written is refused as such, nothing is lost, nothing ends."""
import json
import os
import shutil
import subprocess
import time

import pytest

from conftest import House
from guest import Refused

DISK = 24 * 1024 * 1024
VALUE = 64 * 1024


@pytest.fixture
def small(tmp_path):
    """A house whose state lies on a small file system in memory, which needs root."""

    class Small(House):
        def fill(self):
            state = os.path.join(self.broker.folder, "state")
            aside = state + ".aside"
            os.rename(state, aside)
            os.mkdir(state, 0o700)
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "none", state],
                                  capture_output=True, text=True)
            if done.returncode != 0:
                pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
            self.state = state
            shutil.copytree(aside, state, dirs_exist_ok=True)
            super().fill()

        def fill_disk(self):
            """To the last byte."""
            with open(os.path.join(self.state, "filler"), "wb", buffering=0) as file:
                for size in (1 << 20, 4096, 1):
                    try:
                        while True:
                            file.write(bytes(size))
                    except OSError:
                        pass

        def free_disk(self):
            os.unlink(os.path.join(self.state, "filler"))

    house = None
    try:
        house = Small(os.path.join(tmp_path, "broker"))
        yield house
        house.broker.close()
    finally:
        if house is not None:
            house.broker.kill()
        subprocess.run(["umount", os.path.join(tmp_path, "broker/state")], capture_output=True)


def until_refused(house, size, tries):
    """How many went; and what the one after them was told."""
    for count in range(tries):
        answer = house.put(f"size-{size}/{count}", os.urandom(size))
        if answer["outcome"] != "ok":
            assert answer["outcome"] == "failed" and "no room on the broker's disk" in json.dumps(answer["json"])
            return count
    raise AssertionError("the disk took more than it holds")


def test_a_full_disk_refuses_and_loses_nothing(small):
    guest = small.admitted()
    assert guest.fetch("db/prod")["secrets"]["db/prod"][1] == small.value
    small.fill_disk()
    large = until_refused(small, VALUE, 100)
    until_refused(small, 4096, 1000)  # what room there was inside of the file
    with pytest.raises(Refused) as told:
        for _ in range(1000):
            guest.fetch("db/prod")
    assert (told.value.status, told.value.word) == (507, "store")
    assert small.client.raw("GET", "/v1/sys/health")[0] == 200
    # Said once, for all of these.
    assert small.broker.stderr().count("cannot be written") == 1
    small.free_disk()
    assert guest.fetch("db/prod")["secrets"]["db/prod"][1] == small.value
    assert small.put("one/more", os.urandom(VALUE))["outcome"] == "ok"
    time.sleep(5.5)
    assert small.put("one/more", os.urandom(VALUE))["outcome"] == "ok"
    assert small.broker.stderr().count("cannot be written") == small.broker.stderr().count("can be written again") == 1
    for _ in range(2):
        assert len(small.operate("secret-list", path=f"size-{VALUE}")["json"]["secrets"]) == large
        assert small.broker.local("store", "check").returncode == 0
        small.broker.stop()
        small.broker.start()


def test_a_full_disk_keeps_no_broker_from_sealing(small):
    small.fill_disk()
    until_refused(small, 16, 3000)
    small.broker.local("seal", "--local")
    small.broker.wait_sealed()
