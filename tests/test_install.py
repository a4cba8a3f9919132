"""requirements/: the first things that run on a stranger's machine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def install() -> ModuleType:
    """requirements/install.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "requirements" / "install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def find_python(*candidates: str) -> subprocess.CompletedProcess[str]:
    """What requirements/python.sh says."""
    return subprocess.run(
        ["sh", "requirements/python.sh", *candidates], cwd=ROOT, capture_output=True, text=True, check=False
    )


def fake_python(folder: Path, name: str, version: str, fits: bool) -> str:
    """A program that answers as a Python of that version."""
    path = folder / name
    path.write_text(f'#!/bin/sh\ncase "$2" in *exit*) exit {0 if fits else 1};; *) echo {version};; esac\n')
    path.chmod(0o755)
    return str(path)


def test_the_first_python_that_fits_is_taken(tmp_path: Path) -> None:
    """Too old, broken and missing ones are passed over."""
    old = fake_python(tmp_path, "old", "3.9", fits=False)
    good = fake_python(tmp_path, "good", "3.12", fits=True)
    answer = find_python(old, str(tmp_path / "missing"), good, sys.executable)
    assert (answer.returncode, answer.stdout) == (0, f"{good}\n")


@pytest.mark.parametrize(
    ("version", "says"), [("3.9", "is 3.9"), ("3.14", "is 3.14"), ("3.12", "3.12 without its venv module")]
)
def test_no_python_that_fits_is_one_sentence(tmp_path: Path, version: str, says: str) -> None:
    """What is needed, why, what was found, and the way out."""
    answer = find_python(fake_python(tmp_path, "python", version, fits=False))
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "Rekindle needs Python 3.11, 3.12 or 3.13, for which TensorFlow has wheels" in answer.stderr
    assert says in answer.stderr
    assert "make run PYTHON=python3.12" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_this_python_fits() -> None:
    """The real check, on the Python that runs the tests."""
    assert find_python(sys.executable).stdout == f"{sys.executable}\n"


def test_pips_settings_are_passed_on(install: ModuleType) -> None:
    """Mirrors, extra indexes, links, proxies and certificates of pip hold for uv too."""
    options, variables = install.translated(
        {
            "index-url": "https://mirror/simple",
            "extra-index-url": "https://one/simple https://two/simple",
            "find-links": "/wheels",
            "trusted-host": "mirror",
            "cert": "/ca.pem",
            "proxy": "http://proxy:3128",
            "timeout": "60",
        }
    )
    text = " ".join(options)
    assert "--default-index https://mirror/simple" in text
    assert "--index https://one/simple --index https://two/simple" in text
    assert "--find-links /wheels" in text
    assert "--allow-insecure-host mirror" in text
    assert "60" not in text
    assert variables == {"SSL_CERT_FILE": "/ca.pem", "ALL_PROXY": "http://proxy:3128"}


@pytest.mark.parametrize(("value", "is_set"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_no_index_is_passed_on(install: ModuleType, value: str, is_set: bool) -> None:
    """A machine without an index stays one."""
    assert ("--no-index" in install.translated({"no-index": value})[0]) is is_set


def environment(install: ModuleType, folder: Path) -> object:
    """An environment that looks made, without making one."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    return install.Environment(folder)


def test_what_is_installed_is_not_installed_again(install: ModuleType, tmp_path: Path) -> None:
    """A lock is missing until it is remembered, and again when it changes."""
    lock, other = tmp_path / "one.lock", tmp_path / "two.lock"
    lock.write_text("a==1")
    other.write_text("b==1")
    venv = environment(install, tmp_path / "venv")
    assert venv.missing([lock, other]) == [lock, other]
    venv.remember([lock])
    assert venv.missing([lock, other]) == [other]
    lock.write_text("a==2")
    assert venv.missing([lock]) == [lock]


def test_an_environment_whose_python_is_gone_is_made_anew(install: ModuleType, tmp_path: Path) -> None:
    """After an upgrade of the system's Python nothing counts as installed."""
    lock = tmp_path / "one.lock"
    lock.write_text("a==1")
    venv = environment(install, tmp_path / "venv")
    venv.remember([lock])
    os.unlink(tmp_path / "venv" / "bin" / "python")
    assert venv.missing([lock]) == [lock]


@pytest.mark.parametrize("note", ["", "[]", "{", '{"one": 3}'])
def test_a_broken_note_means_nothing_is_installed(install: ModuleType, tmp_path: Path, note: str) -> None:
    """A note that an interrupted run left is not believed."""
    lock = tmp_path / "one.lock"
    lock.write_text("a==1")
    venv = environment(install, tmp_path / "venv")
    venv.note.write_text(note)
    assert venv.missing([lock]) == [lock]


def test_a_role_without_a_lock_is_one_sentence() -> None:
    """The sentence lists the roles there are."""
    command = [sys.executable, "requirements/install.py", "--venv", os.devnull, "no-such-role"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert "the locks are: client, development, docs, gateway" in answer.stderr


def test_help_lists_every_public_target() -> None:
    """`make` alone says what there is."""
    answer = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in (
        "run",
        "test",
        "check",
        "lint",
        "types",
        "imports",
        "format",
        "lock",
        "pretrained",
        "clean",
    ):
        assert f"make {target} " in answer.stdout
