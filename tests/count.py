# SPDX-License-Identifier: Apache-2.0
"""Counts what really ran: Meson's test log, and pytest's JUnit file. Prints "N passed, N failed, N skipped".

A Meson test that is a cmocka program counts as its cmocka tests; any other, and each story, counts as one. A program that
failed counts at least one failure, whatever it printed. No results, or none at all in a file, is a failure.
"""
import json
import re
import sys
import xml.etree.ElementTree

CMOCKA = re.compile(r"^\[ +(PASSED|FAILED|SKIPPED) +\] .*?(\d+) test\(s\)", re.MULTILINE)


def count_meson(path):
    passed = failed = skipped = 0
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            test = json.loads(line)
            totals = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
            for word, number in CMOCKA.findall(test.get("stdout", "") + "\n" + test.get("stderr", "")):
                totals[word] += int(number)
            if test["result"] == "SKIP":
                skipped += 1
            elif test["result"] in ("OK", "EXPECTEDFAIL"):
                passed += totals["PASSED"] if any(totals.values()) else 1
                failed += totals["FAILED"]  # exit status 0 in spite of failures is a failure all the same
                skipped += totals["SKIPPED"]
            else:
                passed += totals["PASSED"]
                failed += max(1, totals["FAILED"])
                skipped += totals["SKIPPED"]
                print(f"failed: {test['name']} ({test['result']})")
    return passed, failed, skipped


def count_junit(path):
    passed = failed = skipped = 0
    for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        passed += int(suite.get("tests", 0)) - bad - int(suite.get("skipped", 0))
        failed += bad
        skipped += int(suite.get("skipped", 0))
    return passed, failed, skipped


def main(paths):
    totals = [0, 0, 0]
    for path in paths:
        try:
            counts = count_junit(path) if path.endswith(".xml") else count_meson(path)
        except (OSError, ValueError, KeyError, xml.etree.ElementTree.ParseError) as error:
            print(f"failed: no results in {path}: {error}")
            counts = (0, 1, 0)
        if sum(counts) == 0:
            print(f"failed: nothing ran for {path}")
            counts = (0, 1, 0)
        totals = [total + count for total, count in zip(totals, counts)]
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 0 if totals[1] == 0 and totals[0] > 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
