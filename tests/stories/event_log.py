# SPDX-License-Identifier: Apache-2.0
"""Event logs written here, byte by byte, and what they replay to: independent of the programs' own code."""
import hashlib
import struct

ALGORITHMS = {"sha1": (0x0004, 20), "sha256": (0x000B, 32), "sha384": (0x000C, 48), "sha512": (0x000D, 64)}
GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
IMAGE_SECURITY = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")

EV_NO_ACTION, EV_SEPARATOR, EV_EVENT_TAG, EV_S_CRTM_VERSION, EV_IPL = 3, 4, 6, 8, 13
EV_CONFIG, EV_BOOT, EV_APPLICATION, EV_ACTION, EV_AUTHORITY = 0x80000001, 0x80000002, 0x80000003, 0x80000007, 0x800000E0


def utf16(text):
    return text.encode("utf-16-le")


def variable(guid, name, value):
    return guid + struct.pack("<QQ", len(name), len(value)) + utf16(name) + value


class EventLog:
    """`banks` None: the form of TPM 1.2, SHA-1 alone and no header."""

    def __init__(self, banks=("sha256",)):
        self.banks = tuple(banks) if banks else ("sha1",)
        self.legacy = not banks
        self.data = b""
        self.count = 0
        self.pcrs = {bank: [bytes(ALGORITHMS[bank][1])] * 17 + [b"\xff" * ALGORITHMS[bank][1]] * 6 + [bytes(ALGORITHMS[bank][1])]
                     for bank in self.banks}
        if banks:
            header = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, len(self.banks))
            header += b"".join(struct.pack("<HH", *ALGORITHMS[bank]) for bank in self.banks) + b"\0"
            self.data = struct.pack("<II20sI", 0, EV_NO_ACTION, bytes(20), len(header)) + header
            self.count = 1

    def event(self, pcr, kind, data, measured=None, banks=None, **others):
        """`measured`: of what the digest is, if not of the data; `others`: in one bank, as sha256=b"..."; `banks`: no others."""
        digests = {bank: hashlib.new(bank, others.get(bank, data if measured is None else measured)).digest()
                   for bank in banks or self.banks}
        if self.legacy:
            self.data += struct.pack("<II20sI", pcr, kind, digests["sha1"], len(data)) + data
        else:
            self.data += struct.pack("<III", pcr, kind, len(digests))
            self.data += b"".join(struct.pack("<H", ALGORITHMS[bank][0]) + digest for bank, digest in digests.items())
            self.data += struct.pack("<I", len(data)) + data
        self.count += 1
        if kind != EV_NO_ACTION:
            for bank, digest in digests.items():
                self.extend(pcr, bank, digest)
        return self

    def extend(self, pcr, bank, digest):
        self.pcrs[bank][pcr] = hashlib.new(bank, self.pcrs[bank][pcr] + digest).digest()

    def word(self, pcr, text):
        """What the system extends without logging it."""
        for bank in self.banks:
            self.extend(pcr, bank, hashlib.new(bank, text.encode()).digest())

    def values(self, *banks):
        return {bank: {str(pcr): value.hex() for pcr, value in enumerate(self.pcrs[bank])} for bank in banks or self.banks}


def secure_boot(log, on=True):
    log.event(7, EV_CONFIG, variable(GLOBAL, "SecureBoot", bytes([on])))
    for guid, name in ((GLOBAL, "PK"), (GLOBAL, "KEK"), (IMAGE_SECURITY, "db"), (IMAGE_SECURITY, "dbx")):
        log.event(7, EV_CONFIG, variable(guid, name, b""))
    return log.event(7, EV_SEPARATOR, bytes(4))


def boot(banks=("sha256",), on=True):
    """A boot through GRUB."""
    log = EventLog(banks)
    log.event(0, EV_S_CRTM_VERSION, utf16("Firmware 1.2\0"))
    secure_boot(log, on)
    for pcr in range(7):
        log.event(pcr, EV_SEPARATOR, bytes(4))
    log.event(8, EV_IPL, b"grub_cmd: set root=hd0\0", b"set root=hd0")
    log.event(8, EV_IPL, b"kernel_cmdline: /vmlinuz root=/dev/vda1\0", b"/vmlinuz root=/dev/vda1")
    log.event(9, EV_IPL, b"/vmlinuz\0", b"the kernel itself")
    log.event(14, EV_IPL, b"MokList\0", b"the list itself")
    log.event(5, EV_ACTION, b"Exit Boot Services Invocation")
    log.event(5, EV_ACTION, b"Exit Boot Services Returned with Success")
    return log
