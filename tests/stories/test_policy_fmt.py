# SPDX-License-Identifier: Apache-2.0
"""postern policy fmt: layout of files of policies, without a broker."""
import os
import subprocess

import pytest

from broker import program

UGLY = b"// why\npermit(principal,action,resource)when{true};"
NEAT = b"// why\npermit (principal, action, resource)\nwhen { true };\n"


def fmt(*arguments, stdin=b""):
    return subprocess.run([program("postern"), "policy", "fmt", *map(str, arguments)], input=stdin, capture_output=True, timeout=30,
                          check=False)


@pytest.fixture
def ugly(tmp_path):
    path = tmp_path / "ugly.cedar"
    path.write_bytes(UGLY)
    os.chmod(path, 0o640)
    return path


@pytest.fixture
def neat(tmp_path):
    path = tmp_path / "neat.cedar"
    path.write_bytes(NEAT)
    return path


def test_prints(ugly, neat):
    result = fmt(ugly, neat)
    assert (result.returncode, result.stdout, result.stderr) == (0, NEAT + NEAT, b"")
    assert ugly.read_bytes() == UGLY
    assert fmt("-", stdin=UGLY).stdout == NEAT


def test_check_names_what_differs(ugly, neat):
    result = fmt("--check", ugly, neat)
    assert (result.returncode, result.stdout.decode()) == (1, f"{ugly}\n")
    assert fmt("--check", neat).returncode == 0


def test_write_replaces_whole_files(ugly, neat):
    before = neat.stat()
    assert fmt("--write", ugly, neat).returncode == 0
    assert ugly.read_bytes() == NEAT
    assert ugly.stat().st_mode & 0o777 == 0o640
    assert neat.stat().st_mtime_ns == before.st_mtime_ns
    assert sorted(os.listdir(ugly.parent)) == ["neat.cedar", "ugly.cedar"]


@pytest.mark.parametrize("arguments, status", [((), 64), (("--check", "--write", "x"), 64), (("--write", "-"), 64),
                                               (("no-such-file",), 66)])
def test_what_it_refuses(arguments, status):
    assert fmt(*arguments).returncode == status


def test_a_mistake_is_told_with_its_place_and_changes_nothing(tmp_path, ugly):
    wrong = tmp_path / "wrong.cedar"
    wrong.write_bytes(b"permit(principal,\n  action resource);")
    result = fmt("--write", wrong, ugly)
    assert result.returncode == 65
    assert f"{wrong}:2:10:".encode() in result.stderr
    assert wrong.read_bytes() == b"permit(principal,\n  action resource);"
    assert ugly.read_bytes() == NEAT
