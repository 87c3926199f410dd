# SPDX-License-Identifier: Apache-2.0
"""What firmware, boot loader and kernel measure, written from the specifications: an event log (TCG PC Client Platform
Firmware Profile) and a list of the Integrity Measurement Architecture, with the PCR values that a TPM has after them."""
import hashlib
import struct
import uuid

from wire import sha256

NO_ACTION, SEPARATOR, IPL, VARIABLE = 0x3, 0x4, 0xD, 0x80000001
GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")


class EventLog:
    """A boot under UEFI and GRUB, in the SHA-256 bank."""

    def __init__(self, secure_boot=True, command_line="/vmlinuz root=/dev/vda1 ro"):
        spec = b"Spec ID Event03\0" + struct.pack("<IBBBBIHHB", 0, 0, 2, 0, 2, 1, 0x000B, 32, 0)
        self.data = struct.pack("<II", 0, NO_ACTION) + bytes(20) + struct.pack("<I", len(spec)) + spec
        self.pcrs = [bytes(32)] * 16
        for name, vendor, value in [("SecureBoot", GLOBAL, bytes([secure_boot])), ("PK", GLOBAL, b""),
                                    ("KEK", GLOBAL, b""), ("db", SECURITY, b""), ("dbx", SECURITY, b"")]:
            self.variable(name, vendor, value)
        for pcr in range(8):
            self.event(pcr, SEPARATOR, bytes(4))
        self.event(8, IPL, b"kernel_cmdline: " + command_line.encode() + b"\0", command_line.encode())

    def event(self, pcr, kind, data, measured=None):
        digest = sha256(data if measured is None else measured)
        self.pcrs[pcr] = sha256(self.pcrs[pcr], digest)
        self.data += struct.pack("<IIIH", pcr, kind, 1, 0x000B) + digest + struct.pack("<I", len(data)) + data

    def variable(self, name, vendor, value):
        encoded = name.encode("utf-16-le")
        self.event(7, VARIABLE, vendor.bytes_le + struct.pack("<QQ", len(name), len(value)) + encoded + value)


class ImaList:
    """binary_runtime_measurements of a little-endian machine, template ima-ng. `extend` is the machine's TPM."""

    def __init__(self, extend):
        self.extend, self.data = extend, b""
        self.file("boot_aggregate", b"of what was booted")

    def entry(self, template_data):
        self.data += struct.pack("<I", 10) + hashlib.sha1(template_data).digest() + struct.pack("<I", 6) + b"ima-ng"
        self.data += struct.pack("<I", len(template_data)) + template_data

    def template(self, path, content):
        digest, name = b"sha256:\0" + sha256(content), path.encode() + b"\0"
        return struct.pack("<I", len(digest)) + digest + struct.pack("<I", len(name)) + name

    def file(self, path, content):
        data = self.template(path, content)
        self.entry(data)
        self.extend(10, data)

    def forge(self, path, content):
        """An entry that no kernel measured."""
        self.entry(self.template(path, content))

    def violation(self, path):
        self.data += struct.pack("<I", 10) + bytes(20) + struct.pack("<I", 6) + b"ima-ng"
        data = self.template(path, b"")
        self.data += struct.pack("<I", len(data)) + data
