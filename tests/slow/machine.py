# SPDX-License-Identifier: Apache-2.0
"""A whole machine: QEMU without KVM, OVMF, a software TPM, a unified kernel image, and a console that tells all of it.

    image = uki(folder, kernel, {".cmdline": b"console=ttyS0 rdinit=/init"})
    seen = boot(folder, {"EFI/BOOT/BOOTX64.EFI": image})
    seen.pcrs["sha256"][11]
"""
import base64
import gzip
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

BOOT_SECONDS = 120  # ten are usual, where nobody else computes
TOOL_SECONDS = 60
FETCH_SECONDS = 240

STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
MENU = pathlib.Path("/usr/lib/systemd/boot/efi/systemd-bootx64.efi")
FIRMWARE = pathlib.Path("/usr/share/OVMF")
SNAKEOIL = pathlib.Path("/usr/share/ovmf")  # keys that everybody has, of a firmware for tests
PROGRAMS = ("qemu-system-x86_64", "swtpm", "swtpm_setup", "objcopy", "objdump", "cpio", "sbsign", "openssl", "dpkg-deb", "apt-get")

# Where the stub of Debian leaves room; sections must stand in memory in the order of their addresses.
ADDRESSES = {".osrel": 0x20000, ".cmdline": 0x30000, ".uname": 0x40000, ".pcrpkey": 0x50000, ".linux": 0x2000000, ".initrd": 0x4000000}

INIT = """#!/bin/busybox sh
export PATH=/bin
busybox mkdir -p /proc /sys /dev
busybox mount -t proc p /proc
busybox mount -t sysfs s /sys
busybox mount -t devtmpfs d /dev
busybox mount -t securityfs s /sys/kernel/security
exec >/dev/ttyS0 2>&1
# Every program that is started from here on is measured, also from memory.
echo "measure func=BPRM_CHECK mask=MAY_EXEC" >/sys/kernel/security/ima/policy
first; second
echo "=== line $(busybox cat /proc/cmdline)"
for bank in sha1 sha256 sha384 sha512; do
	[ -d /sys/class/tpm/tpm0/pcr-$bank ] || continue
	for pcr in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23; do
		echo "=== pcr $bank $pcr $(busybox cat /sys/class/tpm/tpm0/pcr-$bank/$pcr)"
	done
done
echo "=== log"; busybox base64 /sys/kernel/security/tpm0/binary_bios_measurements
echo "=== ima"; busybox base64 /sys/kernel/security/ima/binary_runtime_measurements
echo "=== end"
busybox poweroff -f
"""


def missing():
    """What is not installed, in words; empty: all is."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    return absent + [str(path) for path in (STUB, MENU, "/bin/busybox", FIRMWARE / "OVMF_CODE_4M.fd") if not os.path.exists(path)]


def tool(*command, cwd=None, seconds=TOOL_SECONDS):
    done = subprocess.run([str(word) for word in command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=seconds)
    assert done.returncode == 0, (command, done.stdout[-2000:])
    return done.stdout


def unpacked(folder, package):
    """A folder with what is in a package of Debian, fetched and never installed. None: it cannot be had."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
    try:
        tool("apt-get", "download", package, cwd=folder, seconds=FETCH_SECONDS)
        tool("dpkg-deb", "-x", next(folder.glob("*.deb")), folder / "in")
        return folder / "in"
    except (AssertionError, StopIteration, subprocess.SubprocessError):
        return None


def kernel(folder):
    """POSTERN_KERNEL, or one of /boot, or Debian's newest. None: there is none to be had."""
    if os.environ.get("POSTERN_KERNEL"):
        return pathlib.Path(os.environ["POSTERN_KERNEL"])
    for path in sorted(pathlib.Path("/boot").glob("vmlinuz-*"), reverse=True):
        if os.access(path, os.R_OK):
            return path
    depends = re.search(r"Depends: (linux-image-\S+)", tool("apt-cache", "depends", "linux-image-amd64"))
    root = depends and unpacked(folder, depends.group(1))
    return next((root / "boot").glob("vmlinuz-*"), None) if root else None


def shim(folder):
    """The boot loader that Microsoft's keys sign. None: it cannot be had."""
    root = unpacked(folder, "shim-signed")
    return next((root / "usr/lib/shim").glob("shimx64.efi.signed"), None) if root else None


def initrd(folder):
    root = pathlib.Path(folder) / "root"
    (root / "bin").mkdir(parents=True)
    (root / "dev").mkdir()
    shutil.copy("/bin/busybox", root / "bin/busybox")
    (root / "init").write_text(INIT)
    for name in ("first", "second"):
        (root / "bin" / name).write_text(f"#!/bin/busybox true\n# {name}\n")
        (root / "bin" / name).chmod(0o755)
    (root / "init").chmod(0o755)
    names = "\0".join(sorted(str(path.relative_to(root)) for path in root.rglob("*"))).encode()
    packed = subprocess.run(["cpio", "--null", "-o", "-H", "newc", "--quiet"], cwd=root, input=names, stdout=subprocess.PIPE,
                            check=True, timeout=TOOL_SECONDS).stdout
    return gzip.compress(packed, mtime=0)


def uki(folder, sections):
    """The stub with sections behind it, as Debian 12's own tools of its time made them."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
    words = []
    for name, contents in sections.items():
        (folder / name[1:]).write_bytes(contents)
        words += ["--add-section", f"{name}={folder / name[1:]}", "--change-section-vma", f"{name}={ADDRESSES[name]:#x}"]
    tool("objcopy", *words, STUB, folder / "uki.efi")
    return folder / "uki.efi"


def signed(folder, image):
    """Signed by the key that the firmware with Secure Boot trusts."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
    tool("openssl", "rsa", "-in", SNAKEOIL / "PkKek-1-snakeoil.key", "-passin", "pass:snakeoil", "-out", folder / "key")
    tool("sbsign", "--key", folder / "key", "--cert", SNAKEOIL / "PkKek-1-snakeoil.pem", "--output", folder / "signed.efi", image)
    return folder / "signed.efi"


class Seen:
    """What a machine told of itself."""

    def __init__(self, console):
        text = console.replace("\r", "")
        assert "=== end" in text, text[-3000:]
        self.line = re.search(r"=== line (.*)", text).group(1)
        self.pcrs = {}
        for bank, pcr, value in re.findall(r"=== pcr (\S+) (\d+) ([0-9A-Fa-f]+)", text):
            self.pcrs.setdefault(bank, {})[int(pcr)] = value.lower()
        self.log = base64.b64decode(text.split("=== log\n")[1].split("===")[0])
        self.ima = base64.b64decode(text.split("=== ima\n")[1].split("===")[0])


def boot(folder, files=None, arguments=(), secure=False):
    """Boots once, from a disk with these files (paths, or contents as bytes), until it powers itself off. Everything it starts
    has ended after."""
    folder = pathlib.Path(tempfile.mkdtemp(dir=folder))
    (folder / "tpm").mkdir()
    tool("swtpm_setup", "--tpm2", "--tpmstate", folder / "tpm", "--pcr-banks", "sha1,sha256,sha384")
    kind = ".snakeoil" if secure else ""
    # Firmware that can do Secure Boot, and has no keys, makes systemd's menu wait for somebody who enrols some.
    board = "q35,accel=tcg" + (",smm=on" if secure else "")
    flash = ["-global", "driver=cfi.pflash01,property=secure,value=on"] if secure else []
    shutil.copy(FIRMWARE / f"OVMF_VARS_4M{kind}.fd", folder / "variables")
    disk = []
    if files:
        for name, path in files.items():
            (folder / "disk" / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(path, bytes):
                (folder / "disk" / name).write_bytes(path)
            else:
                shutil.copy(path, folder / "disk" / name)
        disk = ["-drive", f"file=fat:rw:{folder / 'disk'},format=raw,if=virtio"]
    with tempfile.TemporaryDirectory() as sockets:  # a socket's path is short
        tpm = subprocess.Popen(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder / 'tpm'}", "--terminate",
                                "--ctrl", f"type=unixio,path={sockets}/tpm"], stdin=subprocess.DEVNULL)
        try:
            tool("sh", "-c", f"for i in $(seq 100); do [ -S {sockets}/tpm ] && exit; sleep 0.1; done; exit 1")
            tool("qemu-system-x86_64", "-machine", board, "-cpu", "max", "-m", "1024", "-nodefaults", "-nographic",
                 "-no-reboot", *flash,
                 "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE / f'OVMF_CODE_4M{kind}.fd'}",
                 "-drive", f"if=pflash,format=raw,unit=1,file={folder / 'variables'}",
                 "-chardev", f"socket,id=tpm,path={sockets}/tpm", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
                 "-device", "tpm-crb,tpmdev=tpm0", "-serial", f"file:{folder / 'console'}", *disk, *arguments, seconds=BOOT_SECONDS)
        finally:
            tpm.kill()
            tpm.wait(TOOL_SECONDS)
    return Seen((folder / "console").read_text(errors="replace"))
