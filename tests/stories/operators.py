# SPDX-License-Identifier: Apache-2.0
"""An operator without the command: signs requests as broker/PROTOCOL.md says, and can sign them wrongly."""
import hashlib
import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import wire
from guest import b64, unb64


class Operator:
    def __init__(self, client, name, key, answer_key):
        self.client, self.name, self.key, self.answer_key = client, name, key, answer_key

    def challenge(self):
        return self.client.call("/v1/operator/challenge", {"operator": self.name})

    def sign(self, operation, fields, challenge=None, revision=None, **spoils):
        """(request, signature); an act carries the current trust revision unless told otherwise."""
        challenge = challenge or self.challenge()
        if revision is None:
            revision = challenge["trust_revision"] if wire.OPERATIONS[operation] >= 128 else 0
        request = wire.operator_request(spoils.get("answer_key", self.answer_key), spoils.get("name", self.name),
                                        unb64(challenge["challenge"]), revision, operation, fields)
        return request, spoils.get("key", self.key).sign(request)

    def send(self, request, signature):
        """The verified answer."""
        sent = self.client.call("/v1/operator/request", {"request": b64(request), "signature": b64(signature)})
        data = unb64(sent["answer"])
        Ed25519PublicKey.from_public_bytes(self.answer_key).verify(unb64(sent["signature"]), data)
        answer = wire.operator_answer(data)
        assert answer["request_hash"] == hashlib.sha256(request).digest()
        answer["json"] = json.loads(answer["json"]) if answer["json"] else None
        return answer

    def do(self, operation, revision=None, **fields):
        fields = {name: value.encode() if isinstance(value, str) else value for name, value in fields.items()}
        return self.send(*self.sign(operation, fields, revision=revision))
