# SPDX-License-Identifier: Apache-2.0
"""Machines that boot: what was predicted of their image is what their TPM has, and their logs say no more than they prove."""
import json

import pytest

import machine
import pe_image
from broker import program, run

OWN_LINE = "console=ttyS0 quiet rdinit=/init"
OTHER_LINE = "console=ttyS0 quiet rdinit=/init from=outside"
ENTRY = f"title test\nefi /uki.efi\noptions {OTHER_LINE}\n".encode()


@pytest.fixture(scope="session")
def image(parts):
    folder, sections = parts
    return machine.uki(folder, {**sections, ".cmdline": OWN_LINE.encode()})


@pytest.fixture(scope="session")
def plain(parts, image):
    """The simplest boot; several tests look at it."""
    return machine.boot(parts[0], {"EFI/BOOT/BOOTX64.EFI": image})


def predict(image, bank, *options):
    done = run(program("postern"), "baseline", "predict", "--uki", image, "--phase", "stub", "--bank", bank, "--json", *options)
    return {int(pcr): value for pcr, value in json.loads(done.stdout)["pcrs"][bank].items()}


def foretold(seen, image, *options):
    """The initramfs runs no systemd, so that PCR 11 is what the stub left."""
    for bank in ("sha256", "sha384"):
        values = predict(image, bank, *options)
        assert set(values) == {4, 11, 12}
        assert values == {pcr: seen.pcrs[bank][pcr] for pcr in values}, bank
    assert seen.pcrs["sha256"][11] != "00" * 32


def test_the_image_as_the_firmwares_boot_option(plain, image):
    foretold(plain, image)
    assert plain.line == OWN_LINE


def test_an_image_without_a_command_line_given_one_by_qemu(parts):
    folder, sections = parts
    image = machine.uki(folder, sections)
    seen = machine.boot(folder, arguments=["-kernel", image, "-append", OTHER_LINE])
    foretold(seen, image, "--direct", "--cmdline", OTHER_LINE)
    assert seen.line == OTHER_LINE


def test_the_image_found_by_systemds_menu(parts, image):
    seen = machine.boot(parts[0], {"EFI/BOOT/BOOTX64.EFI": machine.MENU, "EFI/Linux/test.efi": image})
    foretold(seen, image, "--via", machine.MENU)


def test_a_command_line_from_an_entry_of_systemds_menu(parts, image):
    seen = machine.boot(parts[0], {"EFI/BOOT/BOOTX64.EFI": machine.MENU, "loader/entries/test.conf": ENTRY, "uki.efi": image})
    foretold(seen, image, "--via", machine.MENU, "--cmdline", OTHER_LINE)
    assert seen.line == OTHER_LINE


def test_the_image_started_by_shim(parts, image):
    shim = machine.shim(parts[0])
    if shim is None:
        pytest.skip("shim-signed cannot be fetched")
    seen = machine.boot(parts[0], {"EFI/BOOT/BOOTX64.EFI": shim, "EFI/BOOT/grubx64.efi": image})
    foretold(seen, image, "--via", shim)


def test_secure_boot_and_a_signed_image(parts, image):
    signed = machine.signed(parts[0], image)
    seen = machine.boot(parts[0], {"EFI/BOOT/BOOTX64.EFI": signed}, secure=True)
    foretold(seen, signed, "--secure-boot")
    done = run(program("postern"), "baseline", "predict", "--uki", signed, "--json")
    # sbsign computed the same digest, and so did Debian for the kernel in it.
    assert bytes.fromhex(json.loads(done.stdout)["authenticode"]) in pe_image.certificates(signed.read_bytes())
    kernel = parts[1][".linux"]
    if pe_image.certificates(kernel):
        assert bytes.fromhex(json.loads(done.stdout)["measurements"][-1]["digest"]) in pe_image.certificates(kernel)
    # Without knowing of Secure Boot it would have been another value: the stub then has the firmware measure the kernel.
    assert predict(signed, "sha256")[4] != seen.pcrs["sha256"][4]


def test_what_the_image_is_not_is_not_foretold(parts, plain, image):
    changed = bytearray(image.read_bytes())
    at = changed.index(OWN_LINE.encode())
    changed[at + len(OWN_LINE) - 1] ^= 1
    other = parts[0] / "other.efi"
    other.write_bytes(changed)
    values = predict(other, "sha256")
    assert values[4] != plain.pcrs["sha256"][4] and values[11] != plain.pcrs["sha256"][11]


# ---- the logs of that boot ----

def pcr_file(parts, seen, spoil=None):
    pcrs = {bank: {str(pcr): value for pcr, value in values.items()} for bank, values in seen.pcrs.items()}
    if spoil is not None:
        pcrs["sha256"][str(spoil)] = "ab" * 32
    path = parts[0] / f"pcrs-{spoil}.json"
    path.write_text(json.dumps(pcrs))
    return path


def has_command(name):
    return run(program("postern"), "help", name, status=None).returncode == 0


def looked_at(parts, command, contents, pcrs, status=0):
    path = parts[0] / f"{command}.bin"
    path.write_bytes(contents)
    return json.loads(run(program("postern"), command, path, "--pcrs", pcrs, "--json", status=status).stdout)


def test_the_event_log_of_the_boot(parts, plain, image):
    if not has_command("eventlog"):
        pytest.skip("no postern eventlog here")
    told = looked_at(parts, "eventlog", plain.log, pcr_file(parts, plain))
    # PCR 10 is IMA's, which has a log of its own.
    assert {pcr: verdict for pcr, verdict in told["verdicts"].items() if verdict != "exact"} == {"10": "unexplained"}
    # What the log proves is what was foretold from the image.
    done = run(program("postern"), "baseline", "predict", "--uki", image, "--json")
    foretold = json.loads(done.stdout)
    images = [step["digest"] for step in foretold["measurements"] if step["pcr"] == 4][2:]
    assert told["claims"]["bootImages"] == images and len(images) == 2
    assert told["claims"]["ukiSections"] == [f"{section['name']}:{section['digest']}" for section in foretold["sections"]]
    looked_at(parts, "eventlog", plain.log, pcr_file(parts, plain, spoil=4), status=1)


def test_the_ima_log_of_the_boot(parts, plain):
    if not has_command("ima"):
        pytest.skip("no postern ima here")
    looked_at(parts, "ima", plain.ima, pcr_file(parts, plain))
    looked_at(parts, "ima", plain.ima, pcr_file(parts, plain, spoil=10), status=1)
