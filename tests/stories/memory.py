# SPDX-License-Identifier: Apache-2.0
"""What lies in a process' memory, and whether it could be swapped out or dumped: root looks."""
import base64
import contextlib
import os
import re
import signal
import struct
import time

RANGE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)$")
PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT, SWAPPED = 1 << 63, 1 << 62
PAGES_AT_ONCE = 1024
PIECE = 8  # bytes of a key that are already too many
UNREADABLE = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")


def mappings(pid):
    """(from, to, flags of smaps, rights, name, kB of it in swap) of everything that is readable."""
    found = []
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        for line in file:
            match = RANGE.match(line)
            if match:
                start, end, rights, name = match.groups()
                current = [int(start, 16), int(end, 16), set(), rights, name, 0]
                found.append(current)
            elif line.startswith("Swap:"):
                current[5] = int(line.split()[1])
            elif line.startswith("VmFlags:"):
                current[2] = set(line.split()[1:])
    return [tuple(one) for one in found if one[3][0] == "r" and one[4] not in UNREADABLE]


def touched(pagemap, start, end):
    """(from, to) of the runs of pages that are in memory or in swap: the rest of a mapping holds nothing of its process."""
    run = None
    for at in range(start, end, PAGES_AT_ONCE * PAGE):
        count = min(PAGES_AT_ONCE, (end - at) // PAGE)
        entries = os.pread(pagemap, count * 8, at // PAGE * 8)
        if not any(entries[7::8]):
            entries = b""  # all of them absent
        for index in range(count):
            entry = struct.unpack_from("<Q", entries, index * 8)[0] if entries else 0
            if entry & (PRESENT | SWAPPED):
                run = run or at + index * PAGE
            elif run:
                yield run, at + index * PAGE
                run = None
    if run:
        yield run, end


@contextlib.contextmanager
def stopped(pid):
    """In the middle of whatever it does. While it runs, mappings come and go between the looks at them and into them."""
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + 10
        while not all(state_of(pid, task) == "T" for task in os.listdir(f"/proc/{pid}/task")):
            assert time.monotonic() < deadline
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def state_of(pid, task):
    with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0]


def written(mapping):
    """What is mapped from a file to be read alone is that file."""
    return "w" in mapping[3] or not mapping[4].startswith("/")


def regions(pid, wanted=written):
    """(mapping, address, bytes) of all that the process has in memory; a mapping that goes meanwhile is left out."""
    memory, pagemap = os.open(f"/proc/{pid}/mem", os.O_RDONLY), os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
    try:
        for mapping in filter(wanted, mappings(pid)):
            for start, end in touched(pagemap, *mapping[:2]):
                try:
                    yield mapping, start, os.pread(memory, end - start, start)
                except OSError:
                    pass
    finally:
        os.close(memory)
        os.close(pagemap)


def places(pid, needles):
    """Where any of these bytes are: (the mapping's name, locked, kept out of dumps)."""
    found = {}
    for mapping, _, data in regions(pid, lambda _: True):
        if any(needle in data for needle in needles):
            found[mapping[0]] = (mapping[4], "lo" in mapping[2], "dd" in mapping[2])
    return list(found.values())


# ---- many needles, each in all the forms that it may have ----


def forms_of_bytes(data):
    """In hex, and in base64 at each of the three places at which it may begin in its text."""
    for pad in range(3):
        text = base64.b64encode(bytes(pad) + data)
        yield text[(4 * pad + 2) // 3 + 1: len(text) - 4]
    yield data.hex().encode()
    yield data.hex().upper().encode()


class Needles:
    """Bytes that are to be nowhere, by name."""

    def __init__(self):
        self.forms = {}  # what is looked for -> whose it is

    def add_key(self, name, key):
        """Any eight bytes of it that a register or a copy in part would leave, and all of it as text."""
        assert len(key) >= 32 and key.count(0) < 8, name
        for at in range(0, len(key) - PIECE + 1, PIECE):
            self.forms[key[at:at + PIECE]] = name
        self.add_text(name, key)

    def add_text(self, name, data):
        self.forms[data] = name
        for form in forms_of_bytes(data):
            self.forms[form] = name

    def names(self):
        return set(self.forms.values())

    def found(self, data):
        """The names of those that are there."""
        return {name for form, name in self.forms.items() if form in data}

    def where(self, data):
        """(place, name), the first of each form."""
        return [(data.index(form), name) for form, name in self.forms.items() if form in data]


def findings(pid, needles):
    """{(name, mapping's name, locked, kept out of dumps, in swap)} of a process."""
    found = set()
    for mapping, _, data in regions(pid):
        for name in needles.found(data):
            found.add((name, mapping[4], "lo" in mapping[2], "dd" in mapping[2], mapping[5] > 0))
    return found


def bare(found):
    """Of findings those that could be swapped out or dumped."""
    return {one for one in found if not (one[2] and one[3]) or one[4]}


def exposed(pid, needles):
    with stopped(pid):
        found = findings(pid, needles)
    return bare(found)
