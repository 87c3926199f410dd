# SPDX-License-Identifier: Apache-2.0
"""What newcomers run and copy."""
import os
import shutil
import subprocess

import pytest

from broker import BUILD, ROOT


def test_the_quickstart_tells_the_truth():
    """It checks each of its own steps; here it must also end, and leave nothing behind."""
    before = set(os.listdir("/tmp"))
    done = subprocess.run([ROOT / "examples/quickstart.sh"], env={**os.environ, "BUILD": str(BUILD), "TMPDIR": "/tmp"},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("all as told.\n")
    assert [name for name in os.listdir("/tmp") if name.startswith("postern-quickstart") and name not in before] == []


def test_example_policies_are_accepted(house):
    for path in sorted((ROOT / "examples/policies").glob("*.cedar")):
        house.postern("policy", "check", path)
        house.postern("policy", "apply", path)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_the_drop_in_fits_its_unit(tmp_path):
    folder = tmp_path / "posternd.service.d"
    folder.mkdir()
    shutil.copy(ROOT / "examples/systemd/posternd.service", tmp_path)
    shutil.copy(ROOT / "examples/systemd/unseal-tpm.conf", folder)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / "posternd.service"],
                          capture_output=True, text=True, timeout=60, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"})
    assert [line for line in done.stderr.splitlines() if "unseal-tpm.conf" in line] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_units_are_well_formed():
    for path in sorted((ROOT / "examples/systemd").glob("*.service")):
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path], capture_output=True,
                              text=True, timeout=60)
        problems = [line for line in done.stderr.splitlines() if path.name in line
                    and "is not executable" not in line and "does not exist" not in line]
        assert problems == []
