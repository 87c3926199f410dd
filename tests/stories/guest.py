# SPDX-License-Identifier: Apache-2.0
"""A guest that does as a story says: the HTTP exchanges of broker/API.md, with nothing of ours in between."""
import base64
import http.client
import json
import ssl

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

import wire

TIMEOUT = 20


class Refused(Exception):
    """The broker's answer where it is not 200: status and coarse word."""

    def __init__(self, status, word, text):
        super().__init__(f"{status} {word}: {text}")
        self.status, self.word = status, word


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text):
    return base64.b64decode(text, validate=True)


class Client:
    """JSON over TLS to one broker, a new connection for each request unless `keep` is set."""

    def __init__(self, address, port, certificate):
        self.address, self.port = address, port
        self.tls = ssl.create_default_context(cafile=certificate)
        self.tls.minimum_version = ssl.TLSVersion.TLSv1_3

    def raw(self, method, path, body=None, headers=None):
        """(status, headers, bytes)"""
        connection = http.client.HTTPSConnection(self.address, self.port, timeout=TIMEOUT, context=self.tls)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def call(self, path, message):
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        status, _, data = self.raw("POST", path, body, {"Content-Type": "application/json"})
        answer = json.loads(data)
        if status != 200:
            text = answer["errors"][0]
            raise Refused(status, text.split(":")[0], text)
        return answer


class Guest:
    def __init__(self, client, tpm):
        self.client, self.tpm = client, tpm

    # ---- enrolment ----

    def enroll(self, certificates=(), **spoils):
        tpm = self.tpm
        keys = {"ek_public": b64(tpm.ek_public), "ak_public": b64(tpm.ak_public)}
        answer = self.client.call("/v1/attest/enroll", keys)
        secret = spoils.get("secret") or tpm.activate(unb64(answer["credential_blob"]), unb64(answer["secret"]))
        challenge = unb64(answer["challenge"])
        transcript = wire.enroll_transcript(unb64(answer["release_key"]), challenge, tpm.ek_public, tpm.ak_public)
        message, signature, pcrs = tpm.quote(transcript, **spoils)
        return self.client.call("/v1/attest/enroll", {
            **keys, "challenge": b64(challenge), "proof": b64(wire.activation_proof(secret, transcript)),
            "ek_certificates": [b64(der) for der in certificates], "quote": b64(message), "signature": b64(signature),
            "pcrs": b64(pcrs)})

    # ---- release, in two steps that a story can come between ----

    def challenge(self):
        answer = self.client.call("/v1/attest/challenge", {"evidence": "tpm2", "ak_public": b64(self.tpm.ak_public)})
        assert answer["pcrs"] == "sha256:0-15"
        return answer

    def request(self, challenge, secrets, recipient=None, **spoils):
        """A release's request, its quote honest but for `spoils`."""
        recipient = recipient or X25519PrivateKey.generate()
        key = wire.raw_public(recipient.public_key())
        raw, release_key = unb64(challenge["challenge"]), unb64(challenge["release_key"])
        transcript = wire.release_transcript(release_key, raw, key, secrets)
        message, signature, pcrs = self.tpm.quote(spoils.pop("qualifying", transcript), **spoils)
        body = {
            "challenge": challenge["challenge"], "ak_public": b64(self.tpm.ak_public), "recipient_key": b64(key),
            "secrets": [{"path": path, "version": version} for path, version in secrets],
            "quote": b64(message), "signature": b64(signature), "pcrs": b64(pcrs)}
        return body, recipient, release_key, transcript

    def send(self, request):
        """The opened body, through an HPKE that shares no line with the keeper's."""
        body, recipient, release_key, transcript = request
        answer = self.client.call("/v1/attest/release", body)
        info = wire.lp("postern/release/v1") + transcript
        return wire.release_body(wire.hpke_open(recipient, release_key, info, b"", unb64(answer["sealed"])))

    def fetch(self, *paths, **spoils):
        secrets = sorted((path, 0) if isinstance(path, str) else path for path in paths)
        return self.send(self.request(self.challenge(), secrets, **spoils))
