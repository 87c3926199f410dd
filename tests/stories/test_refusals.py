# SPDX-License-Identifier: Apache-2.0
"""What a guest that lies is told, and what the operator is told. The guest is software, so that any field can be wrong."""
import struct
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import soft_tpm
import wire
from guest import Guest, Refused, b64, unb64
from soft_tpm import SoftTpm


def refused(word, call, *arguments, **keywords):
    with pytest.raises(Refused) as caught:
        call(*arguments, **keywords)
    assert caught.value.word == word, caught.value
    return caught.value


FORGER = ec.generate_private_key(ec.SECP256R1())
SHA1_BANK = struct.pack(">IHB", 1, soft_tpm.ALG_SHA1, 3) + soft_tpm.EVERY_PCR
BOTH_BANKS = struct.pack(">IHB", 2, soft_tpm.ALG_SHA256, 3) + soft_tpm.EVERY_PCR + SHA1_BANK[4:]

QUOTES = [  # (what is wrong, the spoils, the check that says so)
    ("a software key signs a forged TPMS_ATTEST", {"key": FORGER}, "quote.signature"),
    ("no TPM made it", {"magic": 0x54434721}, "quote.magic"),
    ("a certification, not a quote", {"type": soft_tpm.ATTEST_CERTIFY, "selection": b""}, "quote."),
    ("another key's name is the signer", {"name": b"\0\x0b" + bytes(32)}, "quote.signer"),
    ("a key of the owner hierarchy", {"hierarchy": soft_tpm.RH_OWNER}, "quote.signer"),
    ("made for other data", {"qualifying": bytes(32)}, "quote.qualifying"),
    ("made for no data", {"qualifying": b""}, "quote.qualifying"),
    ("over PCR 0-7 only", {"select": b"\xff\x00\x00"}, "quote.selection"),
    ("over PCR 16-23", {"select": b"\x00\x00\xff"}, "quote.selection"),
    ("over no PCR of the bank", {"select": b"\x00\x00\x00"}, "quote.selection"),
    ("over no bank", {"selection": bytes(4)}, "quote.selection"),
    ("over SHA-1", {"selection": SHA1_BANK}, "quote.sha1"),
    ("over SHA-256 and SHA-1", {"selection": BOTH_BANKS}, "quote.selection"),
    ("signed with SHA-1", {"hash_algorithm": soft_tpm.ALG_SHA1}, "quote.scheme"),
    ("said to be RSASSA", {"algorithm": soft_tpm.ALG_RSASSA}, "quote.scheme"),
    ("a signature of nothing", {"signed": struct.pack(">HH", soft_tpm.ALG_ECDSA, soft_tpm.ALG_SHA256) + bytes(4)},
     "quote.signature"),
    ("a trailing byte", {"trailing": b"\0"}, "quote.parse"),
    ("an empty digest", {"digest": b""}, ("quote.pcrs", "pcrs")),
    ("other PCR values than quoted", {"pcrs": [bytes([1]) * 32] * 16}, ("quote.pcrs", "pcrs")),
]


@pytest.mark.parametrize("spoils,check", [case[1:] for case in QUOTES], ids=[case[0] for case in QUOTES])
def test_a_quote_that_is_not_one(house, spoils, check):
    guest = house.admitted()
    refused("quote", guest.fetch, "db/prod", **spoils)
    assert house.explained(guest)["check"].startswith(check)
    assert guest.fetch("db/prod")["secrets"]["db/prod"][1] == house.value  # and the machine is none the worse


def test_a_quote_is_for_its_recipient_key(house):
    """Somebody between guest and broker puts his own key in place of the guest's."""
    guest = house.admitted()
    body, _, release_key, transcript = guest.request(guest.challenge(), [("db/prod", 0)])
    mine = X25519PrivateKey.generate()
    body["recipient_key"] = b64(wire.raw_public(mine.public_key()))
    refused("quote", guest.send, (body, mine, release_key, transcript))
    assert house.explained(guest)["check"] == "quote.qualifying"


def test_a_quote_is_for_its_secrets(house):
    guest = house.admitted()
    house.put("db/other", b"another")
    request = guest.request(guest.challenge(), [("db/prod", 0)])
    request[0]["secrets"] = [{"path": "db/other", "version": 0}]
    refused("quote", guest.send, request)
    assert house.explained(guest)["check"] == "quote.qualifying"


def test_a_request_works_once(house):
    """Byte for byte the same request again: its challenge has been used."""
    guest = house.admitted()
    request = guest.request(guest.challenge(), [("db/prod", 0)])
    assert guest.send(request)["secrets"]["db/prod"][1] == house.value
    refused("challenge", guest.send, request)
    assert house.explained(guest)["check"] == "challenge"


def test_a_challenge_works_once(house):
    """A new quote over a challenge that was used."""
    guest = house.admitted()
    challenge = guest.challenge()
    guest.send(guest.request(challenge, [("db/prod", 0)]))
    refused("challenge", guest.send, guest.request(challenge, [("db/prod", 0)]))


def test_a_quote_cannot_be_kept_for_another_challenge(house):
    guest = house.admitted()
    old = guest.request(guest.challenge(), [("db/prod", 0)])
    guest.send(old)
    new = guest.request(guest.challenge(), [("db/prod", 0)])
    for field in ("quote", "signature", "pcrs", "recipient_key"):
        new[0][field] = old[0][field]
    refused("quote", guest.send, new)
    assert house.explained(guest)["check"] == "quote.qualifying"


def test_a_denied_request_has_used_its_challenge(house):
    """The challenge is consumed once the caller has proved itself, whatever follows."""
    guest = house.admitted()
    challenge = guest.challenge()
    refused("policy", guest.send, guest.request(challenge, [("db/absent", 0)]))
    refused("challenge", guest.send, guest.request(challenge, [("db/prod", 0)]))


@pytest.mark.settings(challenge_lifetime=5)
def test_a_challenge_grows_old(house):
    guest = house.admitted()
    challenge = guest.challenge()
    assert challenge["expires_in"] <= 5
    time.sleep(5.3)
    refused("challenge", guest.send, guest.request(challenge, [("db/prod", 0)]))
    assert house.explained(guest)["check"] == "challenge"


@pytest.mark.parametrize("place", [0, 1, 5, 20, 40, 57])
def test_a_challenge_with_one_bit_changed(house, place):
    guest = house.admitted()
    challenge = guest.challenge()
    raw = bytearray(unb64(challenge["challenge"]))
    raw[place] ^= 1
    challenge["challenge"] = b64(raw)
    refused("challenge", guest.send, guest.request(challenge, [("db/prod", 0)]))


def test_a_challenge_of_another_machine(house):
    guest, other = house.admitted(), house.admitted(name="other")
    refused("challenge", guest.send, guest.request(other.challenge(), [("db/prod", 0)]))


def test_a_challenge_from_before_a_restart(house):
    guest = house.admitted()
    challenge = guest.challenge()
    house.broker.stop()
    house.broker.start()
    refused("challenge", guest.send, guest.request(challenge, [("db/prod", 0)]))
    assert guest.fetch("db/prod")


def test_an_honest_guest_with_either_key(house):
    """Software all through, and let in like any other: what the refusals below differ from in one field each."""
    for kind in ("rsa-2048", "ecc-p384"):
        assert house.admitted(name=kind, tpm=SoftTpm(kind)).fetch("db/prod")["secrets"]["db/prod"] == (1, house.value)


@pytest.mark.settings(pending_max=2)
def test_those_who_wait_are_capped(house):
    """Anyone may enrol: they cannot fill the store, nor keep those out who were let in."""
    guest = house.admitted()
    for _ in range(2):
        assert Guest(house.client, SoftTpm()).enroll()["state"] == "pending"
    with pytest.raises(Refused):
        Guest(house.client, SoftTpm()).enroll()
    assert guest.enroll()["state"] == "admitted"
    assert guest.fetch("db/prod")


def test_an_unknown_machine(house):
    house.admitted()
    refused("identity", Guest(house.client, SoftTpm()).fetch, "db/prod")


def test_a_pending_machine_can_ask_for_nothing(house):
    house.admitted()
    guest = Guest(house.client, SoftTpm())
    assert guest.enroll()["state"] == "pending"
    refused("identity", guest.fetch, "db/prod")


def test_an_ak_that_is_not_of_the_template(house):
    guest = house.admitted()
    honest = soft_tpm.ak_public
    for name, spoiled in [("not restricted", lambda key: honest(key, attributes=0x00040472)),
                          ("not fixed to its TPM", lambda key: honest(key, attributes=0x00050470)),
                          ("without the marker", lambda key: honest(key, policy=bytes(32)))]:
        tpm = SoftTpm()
        area = spoiled(tpm.ak.public_key())
        with pytest.raises(Refused) as caught:
            guest.client.call("/v1/attest/enroll", {"ek_public": b64(tpm.ek_public), "ak_public": b64(area)})
        assert caught.value.status in (400, 403), name


def test_an_ak_of_another_tpm_cannot_be_activated(house):
    """The forger has the EK's public part and an AK of his own: the credential opens only in the EK's TPM."""
    victim, forger = SoftTpm(), SoftTpm()
    forger_ek, forger.ek = forger.ek, victim.ek  # what he claims
    guest = Guest(house.client, forger)
    answer = guest.client.call("/v1/attest/enroll", {"ek_public": b64(victim.ek_public), "ak_public": b64(forger.ak_public)})
    forger.ek = forger_ek  # what he has
    with pytest.raises(Exception):
        forger.activate(unb64(answer["credential_blob"]), unb64(answer["secret"]))
    forger.ek = victim.ek
    refused("quote", guest.enroll, secret=bytes(32))  # guessing is all that is left


def test_the_same_ek_with_another_ak_is_refused(house):
    guest = house.admitted()
    tpm = SoftTpm()
    tpm.ek = guest.tpm.ek
    with pytest.raises(Refused) as caught:
        Guest(house.client, tpm).enroll()
    assert caught.value.word == "identity"
    assert guest.fetch("db/prod")


def test_a_baseline_that_does_not_match(house):
    guest = house.admitted()
    assert guest.fetch("db/prod")
    seen_before = guest.tpm.pcrs[8]
    guest.tpm.extend(8, b"another kernel")
    refused("policy", guest.fetch, "db/prod")
    assert house.explained(guest)["check"] == "policy"
    [baseline] = [check for check in house.newest(guest)["checks"] if check["check"] == "baseline"]
    assert baseline["expected"] == f"image-1: pcr 8: {seen_before.hex()}"
    assert baseline["seen"] == f"pcr 8: {guest.tpm.pcrs[8].hex()}"
    guest.tpm.pcrs[8] = seen_before
    assert guest.fetch("db/prod")


def test_a_clock_that_goes_back_suspends(house):
    """A copy of the vTPM, taken earlier and run now, shows itself; its quote is genuine."""
    guest = house.admitted()
    guest.fetch("db/prod")
    guest.tpm.resets -= 1
    refused("quote", guest.fetch, "db/prod")
    assert house.explained(guest)["check"].startswith("quote.clock")
    guest.tpm.resets += 5
    refused("identity", guest.fetch, "db/prod")  # suspended, for the original too
    assert "suspended" in str(house.machine(guest))
    house.operate("machine-readmit", machine=house.id_of(guest), reason="looked at")
    assert guest.fetch("db/prod")


def test_a_forged_clock_suspends_nobody(house):
    """Whoever knows an AK's public part can get a challenge: only a clock that the AK has signed may suspend."""
    guest = house.admitted()
    refused("quote", guest.fetch, "db/prod", clock=1, resets=0, key=FORGER)
    assert guest.fetch("db/prod")


def test_one_denied_secret_denies_all(house):
    guest = house.admitted()
    house.put("web/key", b"not theirs")
    refused("policy", guest.fetch, "db/prod", "web/key")
    entry = house.explained(guest)
    assert entry["check"] == "policy" and "web/key" in str(entry)


def test_a_secret_that_is_not_there_looks_like_a_denial(house):
    guest = house.admitted()
    house.put("web/key", b"not theirs")
    absent = refused("policy", guest.fetch, "db/absent")
    denied = refused("policy", guest.fetch, "web/key")
    assert str(absent) == str(denied)
    assert refused("policy", guest.fetch, ("db/prod", 7)).status == 403


def test_an_error_in_a_policy_denies(house):
    """Cedar skips a policy that fails; here its failing denies, for it may have been a forbid."""
    guest = house.admitted()
    house.apply("broken", 'forbid (principal, action == Action::"release", resource) when { context.now + 9223372036854775807 > 0 };')
    refused("policy", guest.fetch, "db/prod")
    entry = house.explained(guest)
    assert entry["check"] == "policy" and "overflow" in str(entry)
    house.operate("policy-delete", name="broken")
    assert guest.fetch("db/prod")


def test_an_event_log_that_is_noise(house):
    guest = house.admitted()
    house.apply("logs", 'forbid (principal, action == Action::"release", resource) '
                        'when { context.claims.eventLog != "replays" };')
    request = guest.request(guest.challenge(), [("db/prod", 0)])
    request[0]["event_log"] = b64(b"\xff" * 5000)
    refused("policy", guest.send, request)
    assert {"check": "eventlog", "ok": False, "expected": "replays", "seen": "refused"} in house.newest(guest)["checks"]
    assert guest.client.raw("GET", "/v1/sys/health")[0] == 200


@pytest.mark.parametrize("secrets", [
    [], [("db/prod", 0), ("db/prod", 0)], [("db/prod", 0), ("db/a", 0)], [("/db", 0)], [("db/../db/prod", 0)], [("db//prod", 0)],
    [("", 0)], [("a" * 256, 0)], [(f"db/{n:03}", 0) for n in range(65)]],
    ids=["none", "twice", "unordered", "leading slash", "dots", "empty part", "empty", "long", "too many"])
def test_secrets_that_are_no_list(house, secrets):
    guest = house.admitted()
    with pytest.raises(Refused) as caught:
        guest.send(guest.request(guest.challenge(), secrets))
    assert caught.value.word in ("malformed", "limit")


def test_a_low_order_recipient_key(house):
    """All-zero and other low-order points would make the wrap's shared secret known."""
    guest = house.admitted()
    for point in (bytes(32), b"\1" + bytes(31)):
        challenge = guest.challenge()
        raw, release_key = unb64(challenge["challenge"]), unb64(challenge["release_key"])
        transcript = wire.release_transcript(release_key, raw, point, [("db/prod", 0)])
        message, signature, pcrs = guest.tpm.quote(transcript)
        with pytest.raises(Refused) as caught:
            guest.client.call("/v1/attest/release", {
                "challenge": challenge["challenge"], "ak_public": b64(guest.tpm.ak_public), "recipient_key": b64(point),
                "secrets": [{"path": "db/prod", "version": 0}], "quote": b64(message), "signature": b64(signature),
                "pcrs": b64(pcrs)})
        assert caught.value.word in ("malformed", "quote")


HTTP = [  # (name, method, path, body, status, word)
    ("not JSON", "POST", "/v1/attest/challenge", b"{", 400, "malformed"),
    ("a duplicate member", "POST", "/v1/attest/challenge", b'{"evidence":"tpm2","evidence":"tpm2","ak_public":""}', 400, "malformed"),
    ("deep", "POST", "/v1/attest/challenge", b'{"x":' + b"[" * 20 + b"]" * 20 + b"}", 400, "malformed"),
    ("base64 with white space", "POST", "/v1/attest/challenge", b'{"evidence":"tpm2","ak_public":"AAA A"}', 400, "malformed"),
    ("unpadded base64", "POST", "/v1/attest/challenge", b'{"evidence":"tpm2","ak_public":"AAA"}', 400, "malformed"),
    ("other evidence", "POST", "/v1/attest/challenge", b'{"evidence":"snp","ak_public":"AAAA"}', 400, "malformed"),
    ("no such route", "POST", "/v1/secret/data/db", b"{}", 404, None),
    ("no such method", "DELETE", "/v1/attest/challenge", b"", 405, None),
    ("larger than the limit", "POST", "/v1/attest/release", b" " * (14 * 1024 * 1024 + 1), 413, "limit"),
]


@pytest.mark.parametrize("method,path,body,status,word", [case[1:] for case in HTTP], ids=[case[0] for case in HTTP])
def test_http_that_is_wrong(bare, method, path, body, status, word):
    seen, headers, data = bare.client.raw(method, path, body, {"Content-Type": "application/json"})
    assert seen == status, data
    assert headers["Content-Type"] == "application/json" and headers["Cache-Control"] == "no-store"
    assert word is None or (b'"' + word.encode() + b": ") in data
