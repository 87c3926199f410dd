# SPDX-License-Identifier: Apache-2.0
"""PE/COFF images by the documents alone: made, and hashed. Shares nothing with the C.

Microsoft, "PE Format"; "Windows Authenticode Portable Executable Signature Format"; systemd-stub(7).
"""
import hashlib
import struct

STUB_ORDER = ".linux .osrel .cmdline .initrd .ucode .splash .dtb .uname .sbat .pcrpkey".split()
SINCE = {".ucode": 256, ".uname": 253, ".sbat": 253}
ALIGNMENT = 0x200


def aligned(size, to):
    return (size + to - 1) // to * to


def build(sections, program=None):
    """PE32+ with these sections (name -> contents), and .sdmagic where a program is named."""
    rows = dict(sections)
    if program:
        rows = {".sdmagic": f"#### LoaderInfo: {program} ####".encode(), **rows}
    headers = aligned(0x40 + 24 + 240 + 40 * len(rows), ALIGNMENT)
    table, body, address = b"", b"", 0x1000
    for name, contents in rows.items():
        raw = aligned(len(contents), ALIGNMENT)
        table += struct.pack("<8sIIIIIIHHI", name.encode(), len(contents), address, raw, headers + len(body), 0, 0, 0, 0, 0x40000040)
        body += contents.ljust(raw, b"\0")
        address += aligned(max(len(contents), 1), 0x1000)
    coff = struct.pack("<4sHHIIIHH", b"PE\0\0", 0x8664, len(rows), 0, 0, 0, 240, 0x22)
    optional = struct.pack("<H42xH14xIIHH32xII", 0x20b, 1, headers, 0x1234, 10, 0, 0, 16) + bytes(128)
    return (b"MZ".ljust(0x3c, b"\0") + struct.pack("<I", 0x40) + coff + optional + table).ljust(headers, b"\0") + body


def header(image):
    at, = struct.unpack_from("<I", image, 0x3c)
    assert image[:2] == b"MZ" and image[at:at + 4] == b"PE\0\0"
    count, = struct.unpack_from("<H", image, at + 6)
    size, = struct.unpack_from("<H", image, at + 20)
    return at + 24, count, at + 24 + size


def sections(image):
    """name -> (size in memory, offset, size in the file), in the order of the table."""
    _, count, table = header(image)
    found = {}
    for row in range(count):
        name, memory, _, raw, at = struct.unpack_from("<8sIIII", image, table + 40 * row)
        found[name.rstrip(b"\0").decode(errors="replace")] = (memory, at, raw)
    return found


def authenticode(image, bank="sha256"):
    optional, count, table = header(image)
    magic, = struct.unpack_from("<H", image, optional)
    headers, = struct.unpack_from("<I", image, optional + 60)
    directories = optional + {0x10b: 96, 0x20b: 112}[magic]
    entry, signed = directories + 4 * 8, 0
    digest = hashlib.new(bank, image[:optional + 64])
    if struct.unpack_from("<I", image, directories - 4)[0] > 4:
        digest.update(image[optional + 68:entry] + image[entry + 8:headers])
        signed = struct.unpack_from("<I", image, entry + 4)[0]
    else:
        digest.update(image[optional + 68:headers])
    total = headers
    rows = [struct.unpack_from("<II", image, table + 40 * row + 16) for row in range(count)]
    for size, at in sorted(rows, key=lambda row: row[1]):
        digest.update(image[at:at + size])
        total += size
    digest.update(image[total:len(image) - signed])
    return digest.hexdigest()


def certificates(image):
    """The attribute certificate table: in each signature of it stands the digest that was signed."""
    optional, _, _ = header(image)
    magic, = struct.unpack_from("<H", image, optional)
    directories = optional + {0x10b: 96, 0x20b: 112}[magic]
    if struct.unpack_from("<I", image, directories - 4)[0] <= 4:
        return b""
    at, size = struct.unpack_from("<II", image, directories + 4 * 8)
    return image[at:at + size] if size else b""


class Pcr:
    def __init__(self, bank="sha256"):
        self.bank, self.value = bank, bytes(hashlib.new(bank).digest_size)

    def extend(self, digest):
        self.value = hashlib.new(self.bank, self.value + digest).digest()
        return self

    def measure(self, data):
        return self.extend(hashlib.new(self.bank, data).digest())

    @property
    def hex(self):
        return self.value.hex()


def pcr_11(contents, version, words=(), bank="sha256"):
    pcr = Pcr(bank)
    for name in STUB_ORDER:
        if name in contents and contents[name] and SINCE.get(name, 0) <= version:
            pcr.measure(name.encode() + b"\0").measure(contents[name])
    for word in words:
        pcr.measure(word.encode())
    return pcr.hex
