#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What many secrets cost a running broker: its keeper's memory beside the page cache, and the time of a release, against
a broker of 1,000. By hand, from a release build:

    POSTERN_BUILD=build TMPDIR=/var/tmp tests/bench/keeper_of_many.py 1000000
"""
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stories"))

from broker import BUILD  # noqa: E402
from conftest import House  # noqa: E402

FEW = 1000
FETCHES = 300
ROUNDS = 5


class Many(House):
    """A broker with so many secrets, and a machine that may have them all."""

    POLICY = 'permit (principal in MachineGroup::"db", action == Action::"release", resource);'

    def __init__(self, folder, count):
        self.count = count
        super().__init__(folder)
        self.guest = self.admitted()
        self.broker.stop()
        began = time.monotonic()
        subprocess.run([BUILD / "tests/bench/fill_store", self.broker.store, self.broker.root_key, str(count)], check=True)
        self.loading = time.monotonic() - began
        began = time.monotonic()
        self.broker.start()
        self.starting = time.monotonic() - began

    def keeper_memory(self):
        """KiB: (its own, of files)"""
        status = pathlib.Path(f"/proc/{self.broker.children()['keeper']}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields["RssAnon"].split()[0]), int(fields["RssFile"].split()[0])

    def fetch(self):
        """Seconds of one release of one of them: challenge, quote, release."""
        path = f"bench/{random.randrange(self.count):07}"
        began = time.monotonic()
        answer = self.guest.fetch(path)
        took = time.monotonic() - began
        assert len(answer["secrets"][path][1]) == 1024
        return took


def main():
    count = int(sys.argv[1]) if len(sys.argv) == 2 and sys.argv[1].isdigit() else 0
    if not FEW <= count < 10_000_000:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="postern-many-") as folder:
        many, few = Many(folder + "/many", count), Many(folder + "/few", FEW)
        times = {many: [], few: []}
        for _ in range(ROUNDS):
            for house in (many, few):
                times[house] += [house.fetch() for _ in range(FETCHES)]
        for house in (few, many):
            own, files = house.keeper_memory()
            ordered = sorted(times[house])
            print(f"{house.count:>9} secrets: loaded in {house.loading:.1f} s, started in {house.starting:.1f} s; the keeper "
                  f"holds {own / 1024:.1f} MiB beside {files / 1024:.0f} MiB of the page cache; a release takes "
                  f"{statistics.median(ordered) * 1e3:.2f} ms, p99 {ordered[len(ordered) * 99 // 100] * 1e3:.2f} ms")
        print(f"ratio of the medians: {statistics.median(times[many]) / statistics.median(times[few]):.2f}")
        many.broker.close()
        few.broker.close()


if __name__ == "__main__":
    main()
