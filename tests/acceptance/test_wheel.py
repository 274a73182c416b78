"""The wheel beside the packages of the lock, and nothing else: an environment as docs/bare-host.md makes it."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader.known_answer import correct_submission
from tests.acceptance.conftest import Server, hand_in, serving
from tests.locked import make_environment

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
PACKAGES = ("app", "grader", "reference")
RIGHT = correct_submission().content.decode()


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The folder of the packages."""
    # Not pytest's folder: its parents are closed to other users, and each run is one.
    with tempfile.TemporaryDirectory(prefix="lstm-grader-installed-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        packages = make_environment(folder / "venv", "cpu.txt")
        pip("wheel", "--no-index", "--no-deps", "--no-build-isolation", "--wheel-dir", name, ".")
        (wheel,) = folder.glob("lstm_grader-*.whl")
        pip("--python", str(folder / "venv" / "bin" / "python"), "install", "--no-index", "--no-deps", str(wheel))
        yield packages


@pytest.fixture(scope="module")
def server(installed: Path, tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Server]:
    command = [str(installed.parents[2] / "bin" / "lstm-grader")]
    # No other way leads to our source, and no ring hides it from runs.
    environment = {"PYTHONPATH": "", "LSTM_GRADER_ACCEPT_MISSING": "namespaces"}
    with serving(tmp_path_factory.mktemp("data"), cache_dir, command=command, **environment) as running:
        yield running


def test_the_wheel_brings_what_is_needed_besides_code(installed):
    for package in PACKAGES:
        ours = [path for path in (ROOT / package).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
        assert [path for path in ours if not (installed / path.relative_to(ROOT)).exists()] == []


def test_the_service_grades_what_looks_for_it_in_vain_among_the_packages(server, installed):
    looks = "".join(
        f"        try:\n            __import__('os').listdir({str(installed / name)!r})\n"
        "        except PermissionError:\n            pass\n"
        "        else:\n            raise RuntimeError('it was read')\n"
        for name in PACKAGES
    )
    begin = "super().__init__()\n"
    assert begin in RIGHT
    source = RIGHT.replace(begin, begin + looks, 1)
    with server.client() as client:
        report = hand_in(client, source.encode(), "s")["report"]
        assert report["status"] == "passed", report
        assert client.get("/enter").status_code == 200
