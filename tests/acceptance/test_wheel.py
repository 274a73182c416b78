"""The wheel beside the packages of the lock, and nothing else: an environment as docs/bare-host.md makes it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest

from grader.known_answer import correct_submission
from tests.acceptance.conftest import Server, serving

ROOT = Path(__file__).parents[2]
LOCKED = re.findall(r"^([a-z0-9._-]+)==([^ ;]+)( ;)?", (ROOT / "requirements" / "cpu.txt").read_text(), re.MULTILINE)
PACKAGES = ("app", "grader", "reference")
RIGHT = correct_submission().content.decode()


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def unpack_the_lock(site_packages: Path) -> None:
    """Put there what pip would put there: the environment of the tests has the same files, of the same versions."""
    for name, version, marker in LOCKED:
        try:
            found = distribution(name)
        except PackageNotFoundError:
            assert marker, f"{name} is locked for every machine, and is not here"
            continue
        assert found.version == version, name
        for file in found.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                source, target = str(found.locate_file(file)), site_packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    os.link(source, target)
                except OSError:  # another file system, or another's file
                    shutil.copy2(source, target)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment; its parents are open to every user, as runs are users of their own."""
    folder = tmp_path_factory.mktemp("installed")
    for parent in (folder, folder.parent, folder.parent.parent):
        parent.chmod(0o755)
    environment = folder / "venv"
    venv.create(environment, with_pip=False)
    (site_packages,) = environment.glob("lib/python3.*/site-packages")
    unpack_the_lock(site_packages)
    build = ["--no-index", "--no-deps", "--no-build-isolation"]
    pip("wheel", *build, "--wheel-dir", str(folder), ".")
    (wheel,) = folder.glob("lstm_grader-*.whl")
    pip("--python", str(environment / "bin" / "python"), "install", "--no-index", "--no-deps", str(wheel))
    return environment


@pytest.fixture(scope="module")
def server(installed: Path, tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Server]:
    command = [str(installed / "bin" / "lstm-grader")]
    # The source of this project is not to be found by another way.
    with serving(tmp_path_factory.mktemp("data"), cache_dir, command=command, PYTHONPATH="") as running:
        yield running


def graded(server: Server, source: str) -> Any:
    with server.client() as client:
        sent = client.post("/api/v1/submissions?wait=120", files={"file": ("LSTM.py", source)}, data={"student": "s"})
        return sent.raise_for_status().json()["report"]


def test_the_wheel_brings_what_is_needed_besides_code(installed: Path) -> None:
    (site_packages,) = installed.glob("lib/python3.*/site-packages")
    for package in PACKAGES:
        ours = [path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert [path for path in ours if not (site_packages / path.relative_to(ROOT)).exists()] == []


def test_the_service_runs_and_grades_with_the_packages_of_the_lock(server: Server) -> None:
    assert graded(server, RIGHT)["status"] == "passed"
    with server.client() as client:
        assert client.get("/enter").status_code == 200
