# SPDX-License-Identifier: Apache-2.0
"""Policies on what logs prove: of the boot by an event log, of what ran since by the kernel's IMA list."""
import json
import os
import pathlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from broker import program, run
from guest import Guest, Refused, b64, unb64
from measured import EventLog, ImaList
from soft_tpm import SoftTpm
from test_release import DENIED, Machine, last, let_in, listed
from wire import sha256

MALFORMED = 65


def measured(tpm, log):
    for pcr, value in enumerate(log.pcrs):
        tpm.pcrs[pcr] = value


def ask(house, guest, **members):
    """The opened body, and what else the answer says; `members` go into the request as they are."""
    request = guest.request(guest.challenge(), [("db/prod", 0)])
    request[0].update(members)
    return guest.send(request)


def want(house, condition):
    house.apply("wanted", 'forbid (principal, action == Action::"release", resource) unless { %s };' % condition)


# ---- the event log ----


@pytest.fixture
def booted(house):
    """A guest that booted under Secure Boot with a command line, and its log."""
    guest, log = house.admitted(), EventLog()
    measured(guest.tpm, log)
    pcrs = (1 << 8).to_bytes(2, "big") + guest.tpm.pcrs[8]
    house.operate("baseline-add", name="image-2", pcrs=pcrs, **{"from": bytes(8)})
    return guest, log


@pytest.mark.parametrize("condition", [
    "context.claims has secureBoot && context.claims.secureBoot",
    'context.claims.eventLog == "replays"',
    'context.claims has grubCommandLines && '
    '["/vmlinuz root=/dev/vda1 ro"].containsAll(context.claims.grubCommandLines)',
])
def test_a_policy_on_a_claim_permits(house, booted, condition):
    guest, log = booted
    want(house, condition)
    assert ask(house, guest, event_log=b64(log.data))["secrets"]["db/prod"][1] == house.value
    claims = house.newest(guest)["claims"]
    assert claims["secureBoot"] is True and claims["grubCommandLines"] == {"count": 1} and len(claims["sha256"]) == 64
    with pytest.raises(Refused) as refused:
        ask(house, guest)  # no log, no claims
    assert refused.value.word == "policy"


@pytest.mark.parametrize("condition, other", [
    ("context.claims has secureBoot && context.claims.secureBoot", EventLog(secure_boot=False)),
    ('context.claims has grubCommandLines && '
     '["/vmlinuz root=/dev/vda1 ro"].containsAll(context.claims.grubCommandLines)',
     EventLog(command_line="/vmlinuz root=/dev/vda1 ro init=/bin/sh")),
])
def test_a_policy_on_a_claim_denies(house, booted, condition, other):
    """Whoever boots otherwise claims otherwise, and whoever shows another's log claims nothing at all."""
    guest, log = booted
    want(house, condition)
    shown = other.data
    with pytest.raises(Refused):
        ask(house, guest, event_log=b64(shown))
    measured(guest.tpm, other)
    house.operate("baseline-add", name="image-3", pcrs=(1 << 8).to_bytes(2, "big") + guest.tpm.pcrs[8],
                  **{"from": bytes(8)})
    with pytest.raises(Refused):
        ask(house, guest, event_log=b64(shown))
    check = house.explained(guest)
    assert check["check"] == "policy" and check["seen"].startswith("forbidden by wanted/")
    with pytest.raises(Refused):
        ask(house, guest, event_log=b64(log.data))


def test_what_was_proved_is_shown_and_policies_checked_by_it(house, booted, tmp_path):
    guest, log = booted
    ask(house, guest, event_log=b64(log.data))
    shown = house.machine(guest)
    assert shown["claims"]["grubCommandLines"] == ["/vmlinuz root=/dev/vda1 ro"] and shown["claims_left_out"] == []
    plain = house.postern("machine", "show", house.id_of(guest)).stdout
    assert "secureBoot" in plain and "grubCommandLines" in plain
    assert "grubCommandLines" in house.postern("explain", house.id_of(guest)).stdout
    policy = tmp_path / "quiet.cedar"
    for line, changes in ("/vmlinuz root=/dev/vda1 ro", 0), ("/vmlinuz quiet", 1):
        policy.write_text('forbid (principal, action == Action::"release", resource) unless { '
                          f'context.claims has grubCommandLines && ["{line}"].containsAll(context.claims.grubCommandLines) }};')
        told = json.loads(house.postern("policy", "check", policy, "--json").stdout)
        assert len(told["changes"]) == changes and told["unsure"] == 0


def test_claims_outlive_a_restart(house, booted):
    guest, log = booted
    ask(house, guest, event_log=b64(log.data))
    before = house.machine(guest)["claims"]
    house.broker.stop()
    house.broker.start()
    assert house.machine(guest)["claims"] == before


# ---- IMA, over HTTP ----


def test_ima_offset_over_http(house):
    guest = house.admitted()
    ima = ImaList(guest.tpm.extend)
    want(house, 'context.claims.ima == "verified" && context.claims has imaViolations && context.claims.imaViolations == 0')
    first = guest.request(guest.challenge(), [("db/prod", 0)])
    first[0]["ima_log"] = b64(ima.data)
    answer = guest.client.call("/v1/attest/release", first[0])
    assert answer["ima_offset"] == len(ima.data)
    ima.file("/usr/bin/id", b"id")
    ask(house, guest, ima_log=b64(ima.data[answer["ima_offset"]:]), ima_offset=answer["ima_offset"])
    assert house.newest(guest)["claims"]["imaEntries"] == 2
    with pytest.raises(Refused) as refused:
        ask(house, guest, ima_log="", ima_offset=5)
    assert (refused.value.status, refused.value.word) == (409, "ima")
    for wrong in -1, "5", 1.5, 2**64:
        with pytest.raises(Refused) as refused:
            ask(house, guest, ima_log=b64(ima.data), ima_offset=wrong)
        assert refused.value.word == "malformed"
    # Below the limit it is looked at, above it is not.
    with pytest.raises(Refused) as refused:
        ask(house, guest, ima_log=b64(bytes(8 * 1024 * 1024)))
    assert refused.value.word == "policy"
    with pytest.raises(Refused) as refused:
        ask(house, guest, ima_log=b64(bytes(8 * 1024 * 1024 + 1)))
    assert refused.value.word == "limit"


def test_a_large_list_has_an_appraiser_of_its_own(house):
    guest = house.admitted()
    ima = ImaList(guest.tpm.extend)
    for number in range(3000):
        ima.file(f"/usr/lib/python3/dist-packages/{number}", str(number).encode())
    assert len(ima.data) > 256 * 1024
    want(house, 'context.claims.ima == "verified" && context.claims has imaEntries && context.claims.imaEntries == 3001')
    ask(house, guest, ima_log=b64(ima.data))
    with pytest.raises(Refused) as refused:
        ask(house, guest, ima_log=b64(ima.data[:-1]))
    assert refused.value.word == "policy"


# ---- IMA, with the command and swtpm ----


@pytest.fixture
def running(house, machine, tmp_path):
    """A guest that runs under IMA; its list is a file, as the kernel's is."""
    guest = let_in(house, Machine(house, machine))
    guest.ima = ImaList(machine.extend)
    guest.ima.file("/usr/sbin/sshd", b"sshd")
    guest.log, guest.state = tmp_path / "list", tmp_path / "state"
    want(house, 'context.claims.ima == "verified" && context.claims has imaViolations && context.claims.imaViolations == 0')
    return guest


def fetch(guest, *words, **keywords):
    guest.log.write_bytes(guest.ima.data)
    return guest.fetch("db/prod", "--ima-log", guest.log, *words, **keywords)


def seen(house):
    return listed(house, "explain", "vm1")["decisions"][0]["claims"]


def test_a_list_that_pcr_10_proves(house, running):
    assert fetch(running).stdout == house.value.decode()
    assert seen(house)["imaEntries"] == 2
    running.fetch("db/prod", status=DENIED)
    assert last(house)["check"] == "policy"


def test_a_list_that_was_rewritten(house, running):
    honest = running.ima.data
    running.ima.data = honest.replace(b"sshd\0", b"sshx\0")
    fetch(running, status=DENIED)
    checks = listed(house, "explain", "vm1")["decisions"][0]["checks"]
    assert [check["ok"] for check in checks if check["check"] == "ima"] == [False]
    running.ima.data = honest[:60]
    fetch(running, status=DENIED)
    # What follows the measured prefix is not believed, and does no harm.
    running.ima.data = honest
    running.ima.forge("/usr/bin/nothing", b"")
    assert fetch(running).stdout == house.value.decode()
    assert seen(house)["imaEntries"] == 2


def test_a_renewal_sends_the_rest_alone(house, running):
    assert fetch(running, "--ima-state", running.state).stdout == house.value.decode()
    boot, offset = running.state.read_text().split()
    assert int(offset) == len(running.ima.data)
    running.ima.file("/usr/bin/id", b"id")
    whole = running.ima.data
    # Were more than the rest looked at, this would not lead to PCR 10.
    running.ima.data = bytes(int(offset)) + whole[int(offset):]
    assert fetch(running, "--ima-state", running.state).stdout == house.value.decode()
    assert seen(house)["imaEntries"] == 3
    running.ima.data = whole
    assert fetch(running, "--ima-state", running.state).stdout == house.value.decode()
    # A broker that was started anew knows nothing, and the guest sends all of it.
    house.broker.stop()
    house.broker.start()
    assert fetch(running, "--ima-state", running.state).stdout == house.value.decode()
    assert seen(house)["imaEntries"] == 3
    # Of another boot, as the state file says.
    running.state.write_text(running.state.read_text().replace(boot, "0" * len(boot)))
    assert fetch(running, "--ima-state", running.state).stdout == house.value.decode()
    assert running.state.read_text() == f"{boot} {len(whole)}\n"


def test_after_a_reboot_the_list_begins_anew(house, running):
    fetch(running, "--ima-state", running.state)
    running.tpm.reboot()
    running.ima = ImaList(running.tpm.extend)
    assert fetch(running, "--ima-state", running.state).stdout == house.value.decode()
    assert seen(house)["imaEntries"] == 1


def test_the_options_say_what_they_want(house, running, tmp_path):
    done = running.fetch("db/prod", "--ima-state", running.state, status=64)
    assert "--ima-log" in done.stderr
    running.fetch("db/prod", "--ima-log", tmp_path / "none", status=66)


# ---- what files are compared with ----


def test_an_allow_list(house, running, tmp_path):
    good = tmp_path / "good.sha256"
    good.write_text(f"# sshd\n{sha256(b'sshd').hex()}  /usr/sbin/sshd\n")
    house.postern("ima-allow", "add", "image-1", good)
    want(house, "context.claims has imaAllListed && context.claims.imaAllListed")
    assert fetch(running, "--ima-state", running.state).stdout == house.value.decode()
    running.ima.file("/tmp/x", b"not known")
    fetch(running, "--ima-state", running.state, status=DENIED)
    assert seen(house)["imaAllListed"] is False
    with open(good, "a", encoding="ascii") as file:
        file.write(sha256(b"not known").hex() + "\n")
    assert "is there already" in house.postern("ima-allow", "add", "image-1", good, status=None).stderr
    house.postern("ima-allow", "add", "image-2", good)
    assert fetch(running, "--ima-state", running.state).stdout == house.value.decode()
    assert "image-2" in house.postern("ima-allow", "list").stdout
    assert [entry["digests"] for entry in listed(house, "ima-allow", "list")["lists"]] == [1, 2]
    house.postern("ima-allow", "end", "image-2")
    fetch(running, "--ima-state", running.state, status=DENIED)
    house.postern("ima-allow", "end", "image-2", status=69)
    good.write_text("no digest\n")
    house.postern("ima-allow", "add", "image-3", good, status=MALFORMED)
    good.write_text("")
    house.postern("ima-allow", "add", "image-3", good, status=MALFORMED)


def test_a_key_for_files(house, running, tmp_path):
    file = tmp_path / "key.pem"
    file.write_bytes(ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    house.postern("ima-key", "add", file)
    (key,) = listed(house, "ima-key", "list")["keys"]
    assert key["state"] == "active" and "key.pem" in key["subject"]
    fetch(running)
    assert seen(house)["imaAllSigned"] is False
    house.postern("revoke", "ima-key", file, "--reason", "leaked")
    assert "revoked" in house.postern("ima-key", "list").stdout
    assert "stays revoked" in house.postern("ima-key", "add", file, status=None).stderr
    fetch(running)
    assert "imaAllSigned" not in seen(house)
    file.write_text("no key")
    house.postern("ima-key", "add", file, status=MALFORMED)


def test_only_whom_policy_lets_changes_them(house, tmp_path):
    house.add_operator("carol", ["auditor"])
    carol = house.operators["carol"]
    digests = bytes(32)
    assert carol.do("ima-allow-add", name="x", digests=digests)["outcome"] == "denied"
    assert carol.do("ima-allow-list")["outcome"] == "ok"
    assert house.operator.do("ima-allow-add", name="x", digests=digests)["outcome"] == "ok"
    assert carol.do("ima-allow-end", name="x")["outcome"] == "denied"
