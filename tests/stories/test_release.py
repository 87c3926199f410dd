# SPDX-License-Identifier: Apache-2.0
"""The whole way with the programs alone: `postern` for operator and guest, posternd, and swtpm as the machine's TPM."""
import json
import os
import socket
import subprocess
import time

import pytest

from broker import Broker, program, run
from machine_tpm import MachineTpm

EX_UNAVAILABLE_LATER, EX_DENIED, EX_CONFIG = 75, 77, 78


class Machine:
    """A guest with the command and a TPM: what a boot image would have."""

    def __init__(self, house, tpm, folder, brokers=None):
        self.house, self.tpm = house, tpm
        self.config = os.path.join(folder, "guest.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            for port in brokers or [house.broker.port]:
                file.write(f"broker = https://127.0.0.1:{port}\n")
            file.write(f"ca = {house.broker.certificate}\n")
            file.write(f"release_key = {house.release_key()}\n")

    def run(self, *words, **keywords):
        return run(program("postern"), *words, "--config", self.config, "--tcti", self.tpm.tcti, **keywords)

    def fetch(self, *words, **keywords):
        return self.run("fetch", *words, **keywords)


@pytest.fixture
def guest(house, machine, tmp_path):
    """Enrolled, admitted, and let to db/prod by a baseline of what it booted."""
    return let_in(house, Machine(house, machine, tmp_path))


def let_in(house, guest, name="vm1"):
    house.postern("anchor", "add", *house.anchors(guest.tpm))
    guest.run("enroll")
    [pending] = json.loads(house.postern("machine", "list", "--state", "pending", "--json").stdout)["machines"]
    house.postern("machine", "admit", pending["id"], "--name", name, "--group", "db")
    house.postern("baseline", "capture", name, "--name", "image-1", "--pcrs", "8")
    house.postern("policy", "apply", "db", house.policy_file(house.POLICY_BASELINE))
    return guest


def last(house, name="vm1"):
    return json.loads(house.postern("explain", name, "--json").stdout)["decisions"][0]


def test_a_secret_reaches_the_machine_that_booted_the_image(house, guest):
    assert guest.fetch("db/prod").stdout == house.value.decode()
    assert last(house)["decision"] == "released"


def test_another_kernel_gets_nothing_until_it_is_gone(house, guest):
    guest.tpm.extend(8, "another kernel")
    done = guest.fetch("db/prod", status=EX_DENIED)
    assert house.value.decode() not in done.stdout + done.stderr
    entry = last(house)
    assert entry["check"] == "policy" and "image-1" in str(entry)
    guest.tpm.reboot()
    assert guest.fetch("db/prod").stdout == house.value.decode()


def test_a_machine_that_nobody_admitted(house, machine, tmp_path):
    guest = Machine(house, machine, tmp_path)
    guest.fetch("db/prod", status=EX_DENIED)
    guest.run("enroll")
    guest.fetch("db/prod", status=EX_DENIED)


def test_the_ek_chain_is_shown_and_revocable(house, guest):
    shown = json.loads(house.postern("machine", "show", "vm1", "--json").stdout)
    assert "verified" in str(shown)
    [root] = [anchor for anchor in json.loads(house.postern("anchor", "list", "--json").stdout)["anchors"]
              if "root" in anchor["subject"].lower()]
    house.postern("revoke", "ek-ca", root["id"], "--reason", "the vendor's key was lost")
    guest.fetch("db/prod", status=EX_DENIED)
    assert last(house)["check"] == "revocation"
