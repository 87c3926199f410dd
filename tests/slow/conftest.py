# SPDX-License-Identifier: Apache-2.0
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stories"))

import machine


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    """A folder, and what images are made of there."""
    missing = machine.missing()
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    folder = tmp_path_factory.mktemp("parts")
    kernel = machine.kernel(folder)
    if kernel is None:
        pytest.skip("no kernel: neither in /boot, nor POSTERN_KERNEL, nor to be fetched with apt-get")
    return folder, {".osrel": b"ID=test\nVERSION_ID=1\n", ".uname": b"6.1.0-test", ".pcrpkey": b"a key that signs nothing\n",
                    ".initrd": machine.initrd(folder), ".linux": kernel.read_bytes()}
