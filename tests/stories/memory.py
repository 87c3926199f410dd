# SPDX-License-Identifier: Apache-2.0
"""What lies in a process' memory, and whether it could be swapped out or dumped: root looks."""
import re

RANGE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)$")


def mappings(pid):
    """(from, to, flags of smaps) of everything that is readable."""
    found = []
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        for line in file:
            match = RANGE.match(line)
            if match:
                start, end, rights, name = match.groups()
                current = [int(start, 16), int(end, 16), set(), rights, name]
                found.append(current)
            elif line.startswith("VmFlags:"):
                current[2] = set(line.split()[1:])
    return [tuple(one) for one in found if one[3][0] == "r" and one[4] not in ("[vvar]", "[vsyscall]", "[vdso]")]


def places(pid, needles):
    """Where any of these bytes are: (the mapping's name, locked, kept out of dumps)."""
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, flags, _, name in mappings(pid):
            data = b""
            try:
                memory.seek(start)
                while len(data) < end - start:
                    part = memory.read(end - start - len(data))
                    if not part:
                        break
                    data += part
            except (OSError, OverflowError):
                pass
            if any(needle in data for needle in needles):
                found.append((name, "lo" in flags, "dd" in flags))
    return found
