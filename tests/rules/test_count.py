# SPDX-License-Identifier: Apache-2.0
"""Holds tests/count.py to the truth: failures are never lost, and nothing is not a success. Usage: test_count.py ROOT"""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

CMOCKA = "[==========] Running 3 test(s).\n[  PASSED  ] 2 test(s).\n[  SKIPPED ] 1 test(s), listed below:\n"
JUNIT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'
CASES = [  # name, Meson's results, pytest's numbers, (passed, failed, skipped), exit status
    ("plain", [("OK", "")], None, (1, 0, 0), 0),
    ("cmocka", [("OK", CMOCKA)], None, (2, 0, 1), 0),
    ("a failure", [("OK", CMOCKA), ("FAIL", "")], None, (2, 1, 1), 1),
    ("a crash after good words", [("FAIL", CMOCKA)], None, (2, 1, 1), 1),
    ("a timeout", [("TIMEOUT", "")], None, (0, 1, 0), 1),
    ("failed, and said 0", [("OK", "[  FAILED  ] 1 test(s), listed below:\n")], None, (0, 1, 0), 1),
    ("only skipped", [("SKIP", "")], None, (0, 0, 1), 1),
    ("nothing ran", [], None, (0, 1, 0), 1),
    ("stories", [("OK", "")], (5, 1, 1, 1), (3, 2, 1), 1),
    ("no stories ran", [("OK", "")], (0, 0, 0, 0), (1, 1, 0), 1),
]


class Count(unittest.TestCase):
    def test_cases(self):
        for name, tests, stories, want, status in CASES:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                paths = [os.path.join(folder, "testlog.json")]
                with open(paths[0], "w", encoding="utf-8") as log:
                    for result, output in tests:
                        log.write(json.dumps({"name": "x", "result": result, "stdout": output}) + "\n")
                if stories is not None:
                    paths.append(os.path.join(folder, "stories.xml"))
                    with open(paths[1], "w", encoding="utf-8") as file:
                        file.write(JUNIT.format(*stories))
                output = io.StringIO()
                with contextlib.redirect_stdout(output):
                    self.assertEqual(count.main(paths), status)
                self.assertEqual(output.getvalue().splitlines()[-1],
                                 "{} passed, {} failed, {} skipped".format(*want))

    def test_a_missing_file_is_a_failure(self):
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(count.main(["/nonexistent.xml"]), 1)


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.abspath(sys.argv.pop()), "tests"))
    import count
    unittest.main(verbosity=2)
