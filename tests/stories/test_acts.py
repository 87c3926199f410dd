# SPDX-License-Identifier: Apache-2.0
"""Operators' acts: who may, in what order, and what is refused. The operator here signs for himself, without the command."""
import os
import signal
import threading
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import wire
from guest import Guest, Refused, b64, unb64
from operators import Operator
from soft_tpm import SoftTpm


def refused(call, *arguments, **keywords):
    with pytest.raises(Refused) as caught:
        call(*arguments, **keywords)
    assert caught.value.word == "operator", caught.value


def test_a_wrong_signature(house):
    refused(house.operator.send, *house.operator.sign("status", {}, key=Ed25519PrivateKey.generate()))


def test_every_bit_of_a_signature_counts(house):
    for bit in (0, 100, 255, 256, 400, 511):
        request, signature = house.operator.sign("status", {})
        spoiled = bytearray(signature)
        spoiled[bit // 8] ^= 1 << bit % 8
        refused(house.operator.send, request, bytes(spoiled))


def test_a_request_changed_after_signing(house):
    request, signature = house.operator.sign("secret-put", {
        "path": b"db/a", "cas": wire.number_field(wire.ANY_VERSION), "sealed": bytes(64)})
    refused(house.operator.send, request.replace(b"db/a", b"db/b"), signature)


def test_a_request_works_once(house):
    signed = house.operator.sign("status", {})
    assert house.operator.send(*signed)["outcome"] == "ok"
    refused(house.operator.send, *signed)


def test_a_challenge_is_for_one_operator(house):
    house.add_operator("bob", roles=["admin"])
    bob = house.operators["bob"]
    refused(bob.send, *bob.sign("status", {}, challenge=house.operator.challenge()))


def test_a_release_challenge_is_no_operator_challenge(house):
    guest = Guest(house.client, SoftTpm())
    challenge = {**house.operator.challenge(), "challenge": guest.challenge()["challenge"]}
    refused(house.operator.send, *house.operator.sign("status", {}, challenge=challenge))


def test_a_request_for_another_broker(house):
    refused(house.operator.send, *house.operator.sign("status", {}, answer_key=bytes(32)))


def test_an_unknown_operator(house):
    stranger = Operator(house.client, "mallory", Ed25519PrivateKey.generate(), house.operator.answer_key)
    with pytest.raises(Refused):
        stranger.do("status")


def test_a_stale_act_changes_nothing(house):
    revision = house.operator.challenge()["trust_revision"]
    key = wire.raw_public(Ed25519PrivateKey.generate().public_key())
    add = {"operator_key": key, "roles": wire.list_field(["reader"])}
    assert house.operator.do("operator-add", name="bob", **add)["outcome"] == "ok"
    answer = house.operator.do("operator-add", revision=revision, name="carol", **add)
    assert answer["outcome"] == "stale" and answer["trust_revision"] == revision + 1
    assert "carol" not in str(house.operator.do("operator-list")["json"])


def test_an_operator_without_the_right(house):
    guest = house.admitted()
    house.add_operator("bob", roles=["nothing"])
    bob = house.operators["bob"]
    for operation, fields in [
            ("machine-list", {}), ("audit-read", {"from": wire.number_field(1)}), ("secret-list", {}),
            ("machine-suspend", {"machine": house.id_of(guest), "reason": "why not"}),
            ("policy-apply", {"name": "mine", "policy": 'permit (principal in MachineGroup::"db", action, resource);'}),
            ("operator-add", {"name": "carol", "operator_key": bytes(range(32)), "roles": wire.list_field(["admin"])})]:
        assert bob.do(operation, **fields)["outcome"] == "denied", operation
    assert guest.fetch("db/prod")
    assert "denied" in str(house.audit())


def test_genesis_is_not_for_outsiders(house):
    fields = {"name": "mallory", "operator_key": bytes(range(32)), "policies": wire.list_field(["p", "permit (principal, action, resource);"])}
    try:
        assert house.operator.do("genesis", **fields)["outcome"] in ("denied", "invalid")
    except Refused as error:
        assert error.word in ("operator", "malformed")
    assert "mallory" not in str(house.operator.do("operator-list")["json"])


def test_nobody_ends_himself(house):
    answer = house.operator.do("revoke", kind="operator", id=house.operator.name, reason="tired")
    assert answer["outcome"] == "invalid"
    assert house.operator.do("status")["outcome"] == "ok"


def test_nobody_locks_everybody_out(house):
    """An applied policy must still let the one who applies it apply policies."""
    answer = house.operator.do("policy-apply", name="closed", policy="forbid (principal, action, resource);")
    assert answer["outcome"] == "invalid"
    assert house.operator.do("status")["outcome"] == "ok"


@pytest.mark.parametrize("text", [
    'permit (principal, action == Action::"release", resource);',
    "permit (principal, action, resource);",
    'permit (principal is Machine, action == Action::"release", resource);',
    'permit (principal, action in [Action::"release", Action::"renew"], resource) when { context.claims.secureBoot };'],
    ids=["any principal", "anything", "any machine", "any principal, a condition"])
def test_a_release_to_everybody_is_refused(house, text):
    answer = house.operator.do("policy-apply", name="open", policy=text)
    assert answer["outcome"] == "invalid", answer
    assert "open" not in str(house.operator.do("policy-show")["json"])


def test_a_policy_that_does_not_parse_says_where(house):
    answer = house.operator.do("policy-apply", name="bad", policy="permit (principal,\n  action resource);")
    assert answer["outcome"] == "invalid" and "2:" in str(answer["json"])


def test_answers_are_the_brokers(house):
    """A gateway that lies is found out: the answer is signed, and names the request."""
    request, signature = house.operator.sign("status", {})
    sent = house.client.call("/v1/operator/request", {"request": b64(request), "signature": b64(signature)})
    forged = Operator(house.client, house.operator.name, house.operator.key, wire.raw_public(
        Ed25519PrivateKey.generate().public_key()))
    forged.client = type("Echo", (), {"call": staticmethod(lambda path, message: sent)})
    with pytest.raises(InvalidSignature):
        forged.send(request, signature)
    assert unb64(sent["answer"])


def test_the_keeper_survives_frames_that_are_wrong(house):
    honest, _ = house.operator.sign("status", {})
    for size in range(0, len(honest), 7):
        with pytest.raises(Refused):
            house.operator.send(honest[:size], house.operator.key.sign(honest[:size]))
    with pytest.raises(Refused):
        house.operator.send(honest + b"\0", house.operator.key.sign(honest + b"\0"))
    assert house.operator.do("status")["outcome"] == "ok"


# ---- values ----


def test_a_value_is_bound_to_its_path(house):
    """Sealed for one path and sent for another: the associated data differ."""
    sealed = house.seal("db/a", b"value")
    answer = house.operator.do("secret-put", path="db/b", cas=wire.number_field(wire.ANY_VERSION), sealed=sealed)
    assert answer["outcome"] == "invalid"
    answer = house.operator.do("secret-put", path="db/a", cas=wire.number_field(0), sealed=sealed)
    assert answer["outcome"] == "invalid"  # and to check-and-set


def test_check_and_set(house):
    assert house.put("db/a", b"one", cas=0)["outcome"] == "ok"
    assert house.put("db/a", b"two", cas=0)["outcome"] == "conflict"
    assert house.put("db/a", b"two", cas=1)["outcome"] == "ok"
    assert house.put("db/a", b"three", cas=1)["outcome"] == "conflict"
    guest = house.admitted()
    assert guest.fetch(("db/a", 1))["secrets"]["db/a"] == (1, b"one")
    assert guest.fetch("db/a")["secrets"]["db/a"] == (2, b"two")


def test_operators_cannot_read_values_back(house):
    house.put("db/a", b"never to be seen again")
    for operation, fields in [("secret-show", {"path": "db/a"}), ("secret-list", {}), ("audit-read", {"from": wire.number_field(1)})]:
        assert "never to be seen" not in str(house.operator.do(operation, **fields))


# ---- revocation ----


def revoke(house, guest, kind):
    machine = house.id_of(guest)
    name = {"ek": guest.tpm.ek_id.hex(), "ak": guest.tpm.ak_name.hex(), "machine": machine}[kind]
    answer = house.operate("revoke", kind=kind, id=name, reason="lost")
    assert answer["outcome"] == "ok", answer


@pytest.mark.parametrize("kind", ["ek", "ak", "machine"])
def test_revoking_stops_a_machine_for_good(house, kind):
    guest, other = house.admitted(), house.admitted(name="other")
    assert guest.fetch("db/prod")
    revoke(house, guest, kind)
    with pytest.raises(Refused) as caught:
        guest.fetch("db/prod")
    assert caught.value.word == "identity"
    assert house.explained(guest)["check"] == "revocation"
    house.operator.do("machine-readmit", machine=house.id_of(guest), reason="looked at")  # lifts a suspension, not a revocation
    with pytest.raises(Refused):
        guest.fetch("db/prod")
    with pytest.raises(Refused):
        guest.enroll()
        guest.fetch("db/prod")
    assert other.fetch("db/prod")


def test_revoking_outlives_a_restart(house):
    guest = house.admitted()
    revoke(house, guest, "ak")
    house.broker.stop()
    house.broker.start()
    with pytest.raises(Refused):
        guest.fetch("db/prod")


def test_a_revoked_baseline_matches_no_more(house):
    guest = house.admitted()
    assert guest.fetch("db/prod")
    house.operate("revoke", kind="baseline", id="image-1", reason="backdoor")
    with pytest.raises(Refused) as caught:
        guest.fetch("db/prod")
    assert caught.value.word == "policy"


def test_a_baseline_that_ended(house):
    guest = house.admitted()
    assert guest.fetch("db/prod")
    house.operate("baseline-end", name="image-1", until=wire.number_field(int(time.time()) - 1))
    with pytest.raises(Refused) as caught:
        guest.fetch("db/prod")
    assert caught.value.word == "policy"


def test_a_revoked_operator(house):
    house.add_operator("bob", roles=["admin"])
    bob = house.operators["bob"]
    assert bob.do("status")["outcome"] == "ok"
    house.operate("revoke", kind="operator", id="bob", reason="left")
    with pytest.raises(Refused):
        bob.do("status")


def test_a_suspended_machine(house):
    guest = house.admitted()
    house.operate("machine-suspend", machine=house.id_of(guest), reason="strange")
    with pytest.raises(Refused) as caught:
        guest.fetch("db/prod")
    assert caught.value.word == "identity"
    house.operate("machine-readmit", machine=house.id_of(guest), reason="looked at")
    assert guest.fetch("db/prod")


def test_out_of_its_groups(house):
    guest = house.admitted()
    house.operate("machine-group", machine=house.id_of(guest), groups=wire.list_field([]))
    with pytest.raises(Refused) as caught:
        guest.fetch("db/prod")
    assert caught.value.word == "policy"


TAKEN_AWAY = [  # (what an act takes, the act, the word the guest then gets)
    ("the machine's key", lambda house, guest: ("revoke", {"kind": "ak", "id": guest.tpm.ak_name.hex(), "reason": "now"}), "identity"),
    ("the machine", lambda house, guest: ("machine-suspend", {"machine": house.id_of(guest), "reason": "now"}), "identity"),
    ("its group", lambda house, guest: ("machine-group", {"machine": house.id_of(guest), "groups": wire.list_field([])}), "policy"),
    ("its baseline", lambda house, guest: ("revoke", {"kind": "baseline", "id": "image-1", "reason": "now"}), "policy"),
    ("the policy", lambda house, guest: ("policy-delete", {"name": "db"}), "policy"),
]


@pytest.mark.parametrize("act,word", [case[1:] for case in TAKEN_AWAY], ids=[case[0] for case in TAKEN_AWAY])
def test_an_act_in_the_middle_of_a_release(house, act, word):
    """The appraiser is stopped, so that a release hangs between its two looks at the trust state: quote and identity are
    checked and good. The act answers meanwhile; then the appraiser goes on, and nothing is released."""
    guest = house.admitted()
    request = guest.request(guest.challenge(), [("db/prod", 0)])
    request[0]["event_log"] = b64(b"not a log, but something to appraise")
    appraiser, outcome = house.broker.children()["appraiser"], []

    def send():
        try:
            outcome.append(guest.send(request))
        except Refused as error:
            outcome.append(error)

    os.kill(appraiser, signal.SIGSTOP)
    try:
        thread = threading.Thread(target=send)
        thread.start()
        time.sleep(0.5)
        assert outcome == []  # it waits
        operation, fields = act(house, guest)
        house.operate(operation, **fields)
        assert outcome == []  # and the act did not wait for it
    finally:
        os.kill(appraiser, signal.SIGCONT)
    thread.join()
    assert isinstance(outcome[0], Refused) and outcome[0].word == word, outcome


def test_an_act_elsewhere_in_the_middle_of_a_release(house):
    """The trust revision moves, but what the release rests on stands: it begins again, and succeeds."""
    guest = house.admitted()
    request = guest.request(guest.challenge(), [("db/prod", 0)])
    request[0]["event_log"] = b64(b"not a log, but something to appraise")
    appraiser, outcome = house.broker.children()["appraiser"], []
    os.kill(appraiser, signal.SIGSTOP)
    try:
        thread = threading.Thread(target=lambda: outcome.append(guest.send(request)))
        thread.start()
        time.sleep(0.5)
        revision = house.apply("more", 'forbid (principal, action == Action::"reveal", resource);')["trust_revision"]
    finally:
        os.kill(appraiser, signal.SIGCONT)
    thread.join()
    assert outcome[0]["trust_revision"] == revision


def test_nothing_is_released_after_a_revocation_under_load(house):
    """Guests fetch without pause while one after another is revoked. In the log, which has the order in which things became
    true, no release of a machine stands behind its revocation; and the guest that asked after it got nothing."""
    guests = [house.admitted(name=f"m{n}") for n in range(3)]
    opened, errors, stop = [], [], threading.Event()

    def fetch(guest):
        while not stop.is_set():
            try:
                guest.fetch("db/prod")
                opened.append(guest)
            except Refused as error:
                if error.word == "identity":
                    return
                if error.word != "busy":
                    errors.append(error)

    threads = [threading.Thread(target=fetch, args=(guest,)) for guest in guests for _ in range(3)]
    for thread in threads:
        thread.start()
    for victim in guests:
        time.sleep(0.4)
        house.operate("revoke", kind="ak", id=victim.tpm.ak_name.hex(), reason="now")
        with pytest.raises(Refused):
            victim.fetch("db/prod")
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == [] and set(opened) == set(guests)
    log = house.audit()
    revoked = [number for number, entry in log.items() if entry.get("operation") == "revoke"]
    for guest, revocation in zip(guests, revoked):
        released = [number for number, entry in log.items() if entry["kind"] == "release"
                    and entry["machine"] == house.id_of(guest) and entry["outcome"] == "released"]
        assert released and max(released) < revocation


def test_a_responder_takes_trust_and_gives_none(house):
    """A role of the policies that every broker starts with."""
    guest = house.admitted()
    house.add_operator("rita", roles=["incident-responder"])
    rita = house.operators["rita"]
    assert rita.do("machine-readmit", machine=house.id_of(guest), reason="looked at")["outcome"] == "denied"
    assert rita.do("machine-suspend", machine=house.id_of(guest), reason="strange")["outcome"] == "ok"
    assert rita.do("machine-readmit", machine=house.id_of(guest), reason="looked at")["outcome"] == "denied"
    assert rita.do("revoke", kind="machine", id=house.id_of(guest), reason="lost")["outcome"] == "ok"
    assert rita.do("secret-put", path="db/a", cas=wire.number_field(wire.ANY_VERSION), sealed=bytes(64))["outcome"] == "denied"
