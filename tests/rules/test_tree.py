# SPDX-License-Identifier: Apache-2.0
"""Holds the tree to its rules, and the rules to finding what they are for. Usage: test_tree.py ROOT"""
import os
import sys
import tempfile
import unittest

import tree

LICENSED = "/* SPDX-License-Identifier: Apache-2.0 */\n"
SOUND = {
    "attest/attest.h": LICENSED,
    "attest/attester.h": LICENSED + '#include "attest.h"\n',
    "attest/attester/esys.c": LICENSED + '#include "attest/attester.h"\n#include <tss2/tss2_esys.h>\n',
    "attest/quote.c": LICENSED + '#include "attest.h"\n#include <openssl/evp.h>\n#include <string.h>\n',
    "policy/policy.h": LICENSED + "#include <stdint.h>\n",
    "policy/parse.c": LICENSED + '#include "policy.h"\n/* exit() is a word here */\n',
    "store/store.h": LICENSED,
    "store/backend.h": LICENSED,
    "store/lmdb.c": LICENSED + '#include "backend.h"\n#include <lmdb.h>\n#include <sodium.h>\n',
    "broker/wire/frame.h": LICENSED + '#include "attest/attest.h"\n',
    "broker/keeper/release.h": LICENSED,
    "broker/keeper/release.c": LICENSED + '#include "release.h"\n#include "wire/frame.h"\n#include "store/store.h"\n',
    "broker/gateway/http.c": LICENSED + "#include <microhttpd.h>\n#include <jansson.h>\n",
    "broker/door/tls.c": LICENSED + "#include <openssl/ssl.h>\n",
    "broker/command/fetch.c": LICENSED + '#include "attest/attester.h"\n#include <curl/curl.h>\n',
    "broker/command/certificate.c": LICENSED + "#include <openssl/x509.h>\n",
    "tests/unit/test.c": LICENSED + '#include "broker/keeper/release.h"\n',
    "README.md": "x\n" * 120,
    "store/README.md": "x\n" * 60,
}
# (what is wrong, file, its text)
PLANTED = [
    ("another library's header", "policy/parse.c", LICENSED + '#include "store/store.h"\n'),
    ("a private header of a library", "broker/keeper/release.c", LICENSED + '#include "store/backend.h"\n'),
    ("by a path with dots", "broker/keeper/release.c", LICENSED + '#include "../../store/backend.h"\n'),
    ("a header that is not there", "broker/keeper/release.c", LICENSED + '#include "nowhere.h"\n'),
    ("another process's header", "broker/gateway/http.c", LICENSED + '#include "../keeper/release.h"\n'),
    ("the frames include a room", "broker/wire/frame.h", LICENSED + '#include "broker/keeper/release.h"\n'),
    ("OpenSSL in the keeper", "broker/keeper/release.c", LICENSED + "#include <openssl/evp.h>\n"),
    ("OpenSSL in the appraiser", "broker/appraiser/log.c", LICENSED + "# include <openssl/x509.h>\n"),
    ("OpenSSL in the command", "broker/command/fetch.c", LICENSED + "#include <openssl/evp.h>\n"),
    ("OpenSSL in the store", "store/lmdb.c", LICENSED + "#include <openssl/evp.h>\n"),
    ("OpenSSL in two files of the door", "broker/door/more.c", LICENSED + "#include <openssl/ssl.h>\n"),
    ("JSON in the keeper", "broker/keeper/release.c", LICENSED + "#include <jansson.h>\n"),
    ("JSON in the appraiser", "broker/appraiser/log.c", LICENSED + "#include <jansson.h>\n"),
    ("HTTP in the keeper", "broker/keeper/release.c", LICENSED + "#include <microhttpd.h>\n"),
    ("HTTP in two files", "broker/gateway/more.c", LICENSED + "#include <microhttpd.h>\n"),
    ("curl in the gateway", "broker/gateway/http.c", LICENSED + "#include <curl/curl.h>\n"),
    ("curl in two files", "broker/command/more.c", LICENSED + "#include <curl/curl.h>\n"),
    ("LMDB in the keeper", "broker/keeper/release.c", LICENSED + "#include <lmdb.h>\n"),
    ("a TPM stack in the verifier", "attest/quote.c", LICENSED + "#include <tss2/tss2_mu.h>\n"),
    ("a TPM stack in the keeper", "broker/keeper/release.c", LICENSED + "#include <tss2/tss2_mu.h>\n"),
    ("the attester in the keeper", "broker/keeper/release.c", LICENSED + '#include "attest/attester.h"\n'),
    ("sodium in policy", "policy/parse.c", LICENSED + "#include <sodium.h>\n"),
    ("system calls in policy", "policy/parse.c", LICENSED + "#include <unistd.h>\n"),
    ("a clock in policy", "policy/parse.c", LICENSED + "int f(void) { return time(0); }\n"),
    ("I/O in the verifier", "attest/quote.c", LICENSED + "void f(void) { fopen(a, b); }\n"),
    ("no licence", "store/lmdb.c", "int a;\n"),
    ("a long file", "store/lmdb.c", LICENSED + "\n" * 601),
    ("a long README", "README.md", "x\n" * 121),
    ("a folder's long README", "store/README.md", "x\n" * 61),
    ("a name at the top", "util/list.c", LICENSED),
    ("a path of one machine", "store/README.md", "see /" + "work/thing\n"),
]


def lay(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)


class Rules(unittest.TestCase):
    def test_the_tree_keeps_them(self):
        self.assertEqual(tree.findings(ROOT), [])

    def test_a_sound_tree_has_no_findings(self):
        with tempfile.TemporaryDirectory() as folder:
            lay(folder, SOUND)
            self.assertEqual(tree.findings(folder), [])

    def test_each_planted_violation_is_found(self):
        for name, path, text in PLANTED:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                lay(folder, {**SOUND, path: text})
                found = tree.findings(folder)
                self.assertEqual(len(found), 1, found)


if __name__ == "__main__":
    ROOT = os.path.abspath(sys.argv.pop())
    unittest.main(verbosity=2)
