# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil
import tempfile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import machine_tpm
import wire
from broker import Broker, program, run
from guest import Client, Guest
from operators import Operator
from soft_tpm import SoftTpm


def pytest_configure(config):
    config.addinivalue_line("markers", "settings(**lines): lines for posternd.conf")
    config.addinivalue_line("markers", "shares(count, threshold): the root key is in shares; the story begins unsealed")


class Bare:
    """A broker that runs, with nothing in it but what `postern init` put there."""

    def __init__(self, folder, shares=None, init=(), **settings):
        self.broker = Broker(folder, shares=shares, init=init, **settings)
        try:
            self.fill()
        except BaseException:
            self.broker.close()
            raise

    def fill(self):
        self.broker.start()
        if self.broker.share_files:
            self.broker.unseal()
        self.client = Client("127.0.0.1", self.broker.port, self.broker.certificate)
        key = Ed25519PrivateKey.from_private_bytes(self.broker.operator_seed())
        self.operator = Operator(self.client, "alice", key, self.broker.answer_key)
        self.operators = {"alice": self.operator}

    def postern(self, *arguments, **keywords):
        """The command, as its operator."""
        return run(program("postern"), *arguments, "--config", self.broker.operator_config, **keywords)

    def operate(self, operation, **fields):
        """As the first operator, without the command; it must succeed."""
        answer = self.operator.do(operation, **fields)
        assert answer["outcome"] == "ok", (operation, answer)
        return answer

    def add_operator(self, name, roles):
        key = Ed25519PrivateKey.generate()
        self.operate("operator-add", name=name, operator_key=wire.raw_public(key.public_key()), roles=wire.list_field(roles))
        self.operators[name] = Operator(self.client, name, key, self.broker.answer_key)

    def apply(self, name, text):
        return self.operate("policy-apply", name=name, policy=text)

    def seal(self, path, value, cas=wire.ANY_VERSION):
        aad = wire.lp("postern/intake/v1") + wire.lp(path) + wire.number_field(cas) + wire.lp(self.operator.name)
        return wire.hpke_seal(self.broker.intake_key, wire.lp("postern/intake/v1"), aad, value)

    def put(self, path, value, cas=wire.ANY_VERSION):
        return self.operator.do("secret-put", path=path, cas=wire.number_field(cas), sealed=self.seal(path, value, cas))

    def audit(self):
        """Every entry there is, as number -> what it says; the hash chain is computed again on the way."""
        found, chain = {}, bytes(32)
        while True:
            page = self.operate("audit-read", **{"from": wire.number_field(len(found) + 1)})["json"]
            for line in page["entries"]:
                chain = wire.sha256(b"postern/log/v1\0", chain, line["entry"].encode())
                assert line["number"] == len(found) + 1 and line["hash"] == chain.hex()
                found[line["number"]] = json.loads(line["entry"])
            if len(found) >= page["head"]["number"]:
                return found


class House(Bare):
    """A broker with a secret, to which machines of the group "db" are let."""

    POLICY = 'permit (principal in MachineGroup::"db", action == Action::"release", resource in Folder::"db");'

    def fill(self):
        super().fill()
        self.value = b"hunter2-" + os.urandom(12).hex().encode()
        assert self.put("db/prod", self.value)["outcome"] == "ok"
        self.names = {}

    def admitted(self, name="first", tpm=None):
        """A guest that may have db/prod: enrolled, admitted, in the group, its boot a baseline, and a policy that says so."""
        guest = Guest(self.client, tpm or SoftTpm())
        self.names[guest] = guest.enroll()["machine"]
        self.operate("machine-admit", machine=self.names[guest], ek_id=guest.tpm.ek_id, ak_name=guest.tpm.ak_name,
                     name=name, groups=wire.list_field(["db"]))
        if len(self.names) == 1:
            self.apply("db", self.POLICY)
            pcrs = (1 << 8).to_bytes(2, "big") + guest.tpm.pcrs[8]  # its mask says PCR 8 alone
            self.operate("baseline-add", name="image-1", pcrs=pcrs, **{"from": wire.number_field(0)})
        return guest


    def id_of(self, guest):
        return self.names[guest]

    def machine(self, guest):
        return self.operate("machine-show", machine=self.id_of(guest))["json"]

    def explain(self, guest):
        """What the command tells of a machine's newest decisions, newest first."""
        return json.loads(self.postern("explain", self.id_of(guest), "--json").stdout)

    def newest(self, guest):
        """A machine's newest decision, with all its checks."""
        return self.explain(guest)["decisions"][0]

    def explained(self, guest):
        """The check that it ended with."""
        return self.newest(guest)["checks"][-1]


def made(kind, request):
    marker = request.node.get_closest_marker("settings")
    shares = request.node.get_closest_marker("shares")
    folder = tempfile.mkdtemp(prefix="postern-story-")
    try:
        house = kind(os.path.join(folder, "broker"), shares=shares.args if shares else None,
                     **(marker.kwargs if marker else {}))
        yield house
        house.broker.close()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def bare(request):
    yield from made(Bare, request)


@pytest.fixture
def house(request):
    yield from made(House, request)


@pytest.fixture(scope="session")
def tpm_folder():
    missing = machine_tpm.missing_programs()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tempfile.mkdtemp(prefix="postern-tpms-")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def first_machine(tpm_folder):
    with machine_tpm.MachineTpm(os.path.join(tpm_folder, "first"), os.path.join(tpm_folder, "ca")) as tpm:
        yield tpm


@pytest.fixture
def machine(first_machine):
    """A TPM by swtpm with an EK certificate, freshly booted. Brokers are new for each story; this TPM is not."""
    first_machine.reboot()
    return first_machine


@pytest.fixture(scope="session")
def other_machine(tpm_folder):
    with machine_tpm.MachineTpm(os.path.join(tpm_folder, "other"), os.path.join(tpm_folder, "ca")) as tpm:
        yield tpm
