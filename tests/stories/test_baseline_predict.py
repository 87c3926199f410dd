# SPDX-License-Identifier: Apache-2.0
"""What an image will boot to, computed twice; and what a baseline of it leaves open. tests/slow boots such images."""
import json
import pathlib
import subprocess

import pytest

import pe_image
from broker import program, run

USAGE, MALFORMED, NO_INPUT, ABSENT = 64, 65, 66, 69
PHASES = ["enter-initrd", "leave-initrd", "sysinit", "ready"]
MEASURE = pathlib.Path("/usr/lib/systemd/systemd-measure")
# Images that others made and signed, where their packages are.
OTHERS = ["/usr/lib/systemd/boot/efi/linuxx64.efi.stub", "/usr/lib/systemd/boot/efi/systemd-bootx64.efi", "/usr/lib/shim/shimx64.efi",
          "/usr/lib/shim/shimx64.efi.signed", "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"]

KERNEL = pe_image.build({".text": b"a kernel, as far as firmware can tell"})
CONTENTS = {".initrd": b"an initrd" * 100, ".uname": b"6.1.0", ".cmdline": b"quiet rdinit=/init", ".osrel": b"ID=debian\n",
            ".pcrsig": b"{}", ".sbat": b"sbat,1,SBAT\n", ".linux": KERNEL}


def write(folder, name, contents):
    (folder / name).write_bytes(contents)
    return folder / name


@pytest.fixture(params=[252, 257, 258])
def uki(request, tmp_path):
    contents = pe_image.build(CONTENTS, f"systemd-stub {request.param}.1")
    return request.param, contents, write(tmp_path, "uki.efi", contents)


def predict(*options, status=0):
    return run(program("postern"), "baseline", "predict", *options, status=status)


def told(*options):
    return json.loads(predict(*options, "--json").stdout)


@pytest.mark.parametrize("bank", ["sha256", "sha384"])
def test_pcrs_4_11_and_12_as_the_documents_say(uki, bank):
    version, contents, path = uki
    answer = told("--uki", path, "--bank", bank)
    four = pe_image.Pcr(bank).measure(b"Calling EFI Application from Boot Option").measure(bytes(4))
    four.extend(bytes.fromhex(pe_image.authenticode(contents, bank)))
    if version < 258:
        four.extend(bytes.fromhex(pe_image.authenticode(KERNEL, bank)))
    assert answer["pcrs"] == {bank: {"4": four.hex, "11": pe_image.pcr_11(CONTENTS, version, PHASES[:3], bank),
                                     "12": "00" * (len(four.hex) // 2)}}
    assert answer["authenticode"] == pe_image.authenticode(contents, bank)
    assert answer["phases"] == {"stub": pe_image.pcr_11(CONTENTS, version, [], bank)} | {
        ":".join(PHASES[:n]): pe_image.pcr_11(CONTENTS, version, PHASES[:n], bank) for n in (1, 2, 3, 4)}
    names = [section["name"] for section in answer["sections"]]
    assert names == [".linux", ".osrel", ".cmdline", ".initrd"] + ([".uname", ".sbat"] if version > 252 else [])
    assert answer["stub"] == version and answer["kernelMeasured"] == (version < 258)


def test_the_point_of_time_is_chosen(uki):
    version, _, path = uki
    for words, want in (("stub", []), ("enter-initrd", PHASES[:1]), ("a:b", ["a", "b"])):
        assert told("--uki", path, "--phase", words)["pcrs"]["sha256"]["11"] == pe_image.pcr_11(CONTENTS, version, want)
    for words in ("", ":a", "a:", "a::b", "x" * 40, ":".join("abcdefghi")):
        predict("--uki", path, "--phase", words, status=USAGE)


def test_a_command_line_from_outside(uki, tmp_path):
    _, _, path = uki
    twelve = pe_image.Pcr().measure("a b\0".encode("utf-16-le")).hex
    line = write(tmp_path, "line", b"a b\n")
    for options in (["--cmdline", "a b"], ["--cmdline-file", line]):
        assert told("--uki", path, *options)["pcrs"]["sha256"]["12"] == twelve
    # With Secure Boot the stub keeps to its own.
    assert told("--uki", path, "--cmdline", "a b", "--secure-boot")["pcrs"]["sha256"]["12"] == "00" * 32
    predict("--uki", path, "--cmdline", "a", "--cmdline-file", line, status=USAGE)
    assert "image.line" in predict("--uki", path, "--cmdline", " a", status=MALFORMED).stderr


def test_the_line_that_is_printed_is_the_baseline(uki, house, tmp_path):
    _, _, path = uki
    lines = predict("--uki", path, "--name", "by-hand").stdout.splitlines()
    line = next(line for line in lines if line.startswith("postern baseline add by-hand "))
    house.postern(*line.split()[1:])
    house.postern("baseline", "add", "by-file", "--file", write(tmp_path, "p.json", json.dumps(told("--uki", path)).encode()))
    rows = {row["name"]: row["pcrs"] for row in json.loads(house.postern("baseline", "list", "--json").stdout)["baselines"]}
    assert rows["by-hand"] == rows["by-file"] == told("--uki", path)["pcrs"]["sha256"]


@pytest.mark.skipif(not MEASURE.exists(), reason="no systemd-measure here")
def test_systemd_measures_own_answer_is_ours(tmp_path):
    """What the systemd here knows of; .uname and .sbat came with 253."""
    contents = {name: CONTENTS[name] for name in (".linux", ".osrel", ".cmdline", ".initrd")}
    path = write(tmp_path, "uki.efi", pe_image.build(contents, "systemd-stub 252"))
    files = [f"--{name[1:]}={write(tmp_path, name[1:], data)}" for name, data in contents.items()]
    done = subprocess.run([MEASURE, "calculate", "--bank=sha256", "--json=short", *files], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        pytest.skip("systemd-measure: " + done.stderr.strip())
    theirs = {row.get("phase"): row["hash"] for row in json.loads(done.stdout)["sha256"]}
    ours = told("--uki", path)["phases"]
    assert {phase: ours[phase] for phase in theirs} == theirs and len(theirs) == 4


@pytest.mark.parametrize("path", OTHERS)
def test_images_of_others(path, tmp_path):
    """Measured as a boot loader before an image."""
    if not pathlib.Path(path).exists():
        pytest.skip("not installed: " + path)
    image = pathlib.Path(path).read_bytes()
    uki = write(tmp_path, "uki.efi", pe_image.build(CONTENTS, "systemd-stub 257"))
    steps = told("--uki", uki, "--via", path, "--cmdline", "quiet", "--bank", "sha384")["measurements"]
    assert steps[2]["what"].startswith("boot loader 1") and steps[2]["pcr"] == 4
    assert steps[2]["digest"] == pe_image.authenticode(image, "sha384")
    signed = pe_image.certificates(image)
    if signed:  # then whoever signed it computed the digest too
        assert bytes.fromhex(told("--uki", uki, "--via", path)["measurements"][2]["digest"]) in signed
    # Each of them is PE, and none of them a unified kernel image.
    assert MALFORMED == predict("--uki", path, status=None).returncode


def test_what_cannot_be_foretold_is_refused(tmp_path):
    for contents, check in (
            (b"", "image.headers"), (b"MZ" * 100, "image.headers"), (pe_image.build(CONTENTS), "image.stub"),
            (pe_image.build(CONTENTS, "systemd-stub 251"), "image.stub"), (pe_image.build(CONTENTS, "systemd-stub 999"), "image.stub"),
            (pe_image.build({**CONTENTS, ".dtbauto": b"x"}, "systemd-stub 257"), "image.hardware"),
            (pe_image.build({".osrel": b"x"}, "systemd-stub 257"), "image.kernel"),
            (pe_image.build(CONTENTS, "systemd-stub 257")[:-1], "image.section")):
        assert f"({check})" in predict("--uki", write(tmp_path, "bad.efi", contents), status=MALFORMED).stderr, check
    predict("--uki", tmp_path / "none.efi", status=NO_INPUT)
    predict(status=USAGE)
    predict("--uki", tmp_path / "bad.efi", "--bank", "sha1", status=USAGE)
    predict("--uki", tmp_path / "bad.efi", "--direct", "--via", tmp_path / "bad.efi", status=USAGE)


# ---- lint ----

def codes(done):
    return [[warning["code"] for warning in row["warnings"]] for row in json.loads(done.stdout)["baselines"]]


def lint(folder, pcrs, status=1, bank="sha256"):
    path = write(folder, "pcrs.json", json.dumps({bank: pcrs}).encode())
    return codes(run(program("postern"), "baseline", "lint", "--pcrs", path, "--json", status=status))[0]


def values(*pcrs):
    return {str(pcr): f"{pcr + 1:02x}" * 32 for pcr in pcrs}


FULL = (0, 2, 4, 7, 11, 12, 14)


def test_a_baseline_that_pins_enough(tmp_path):
    assert lint(tmp_path, values(*FULL), status=0) == []
    assert lint(tmp_path, values(*FULL) | {"12": "00" * 32, "14": "00" * 32}, status=0) == []
    assert lint(tmp_path, values(0, 2, 4, 7, 8, 9, 14), status=0) == []  # GRUB


def test_what_is_left_open(tmp_path):
    for left_out, want in ((0, ["pcr0.absent"]), (2, ["pcr2.absent"]), (4, ["pcr4.absent"]), (7, ["pcr7.absent"]),
                           (11, ["kernel.absent"]), (12, ["pcr12.absent"]), (14, ["pcr14.absent"])):
        assert lint(tmp_path, values(*[pcr for pcr in FULL if pcr != left_out])) == want
    assert lint(tmp_path, values(0, 2, 7, 14)) == ["code.absent"]
    assert lint(tmp_path, values(*FULL, 8)) == ["pcr9.absent"]
    assert lint(tmp_path, values(*FULL, 9)) == ["pcr8.absent"]


def test_what_will_break(tmp_path):
    for pcr in (1, 5, 6, 10, 15):
        assert lint(tmp_path, values(*FULL, pcr)) == [f"pcr{pcr}.brittle"]


def test_values_that_prove_nothing(tmp_path):
    for pcr in (0, 4, 7, 11):
        assert f"pcr{pcr}.zero" in lint(tmp_path, values(*FULL) | {str(pcr): "00" * 32})
    assert "pcr12.zero" in lint(tmp_path, values(4, 12) | {"12": "00" * 32})
    for bank, width in (("sha256", 32), ("sha384", 48)):
        whole = {str(pcr): f"{pcr + 1:02x}" * width for pcr in FULL}
        for bytes_, want in ((bytes(4), "pcr4.separator"), (b"\xff" * 4, "pcr4.separator"), (b"\1\0\0\0", "firmware.failed")):
            found = lint(tmp_path, whole | {"4": pe_image.Pcr(bank).measure(bytes_).hex}, bank=bank)
            assert found == [want] + (["bank.other"] if bank == "sha384" else [])


def test_lint_of_what_was_predicted(uki):
    done = run(program("postern"), "baseline", "lint", "--pcrs", "-", "--json", status=1, stdin=None,
               input=json.dumps(told("--uki", uki[2])))
    assert codes(done) == [["pcr0.absent", "pcr2.absent", "pcr7.absent", "pcr14.absent"]]


def test_lint_of_a_brokers_baselines(house):
    def add(name, pcrs, *options):
        house.postern("baseline", "add", name, *[word for pcr, value in pcrs.items() for word in ("--pcr", f"{pcr}={value}")], *options)

    def linted(*names, status=1):
        done = house.postern("baseline", "lint", *names, "--json", status=status)
        return {row["name"]: [warning["code"] for warning in row["warnings"]] for row in json.loads(done.stdout)["baselines"]}

    assert linted(status=0) == {}
    add("good", values(*FULL), "--until", "+90d")
    assert linted(status=0) == {"good": []}
    add("endless", values(*FULL) | {"4": "ab" * 32})
    add("broad", values(0, 2, 4, 7, 14), "--until", "+90d")
    assert linted() == {"good": [], "endless": ["end.absent"], "broad": ["kernel.absent", "baseline.covers"]}
    assert linted("endless") == {"endless": ["end.absent"]}
    assert "whatever matches good matches this one too" in house.postern("baseline", "lint", status=1).stdout
    house.postern("baseline", "end", "broad")
    assert set(linted()) == {"good", "endless"}
    house.postern("baseline", "lint", "nobody", status=ABSENT)


def test_lint_refuses(tmp_path):
    run(program("postern"), "baseline", "lint", "--pcrs", write(tmp_path, "bad", b"{}"), status=MALFORMED)
    run(program("postern"), "baseline", "lint", "--pcrs", tmp_path / "none", status=NO_INPUT)
    run(program("postern"), "baseline", "lint", "name", "--pcrs", tmp_path / "bad", status=USAGE)
