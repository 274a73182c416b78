"""The versions of Python: pyproject.toml lists them, and all that names one agrees with it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSIONS = [
    classifier.removeprefix("Programming Language :: Python :: ")
    for classifier in PYPROJECT["project"]["classifiers"]
    if classifier.startswith("Programming Language :: Python ::")
]
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
ANY = f"{', '.join(VERSIONS[:-1])} or {NEWEST}"
SETUPS = ("requirements/setup.sh", "deploy/gradescope/setup.sh")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def minor(version: str) -> int:
    major, _, number = version.partition(".")
    assert major == "3"
    return int(number)


def test_the_list_has_no_gap_and_is_what_an_installer_is_told() -> None:
    assert list(map(minor, VERSIONS)) == list(range(minor(OLDEST), minor(NEWEST) + 1))
    assert PYPROJECT["project"]["requires-python"] == f">={OLDEST},<3.{minor(NEWEST) + 1}"


def test_code_and_locks_are_checked_for_the_oldest() -> None:
    assert PYPROJECT["tool"]["mypy"]["python_version"] == OLDEST
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py3{minor(OLDEST)}"
    assert re.findall(r"--python-version (\S+)", read("requirements/lock.sh")) == [OLDEST]


@pytest.mark.parametrize("name", SETUPS)
def test_an_environment_is_made_with_each_of_them_and_with_no_other(name: str) -> None:
    text = read(name)
    bounds = f"(3, {minor(OLDEST)}) <= sys.version_info < (3, {minor(NEWEST) + 1})"
    assert re.findall(r"\(3, \d+\) <= sys\.version_info < \(3, \d+\)", text) == [bounds]
    (candidates,) = re.findall(r"for candidate in (.*); do", text)
    assert re.findall(r"python(3\.\d+)", candidates) == VERSIONS[::-1]
    assert f"no Python {ANY}" in text


def test_images_and_hosted_matrices_offer_each() -> None:
    (offered,) = re.findall(r"for version in (.*); do", read("deploy/gradescope/setup.sh"))
    assert offered.split() == VERSIONS[::-1]
    (default,) = re.findall(r"^ARG PYTHON=(.*)$", read("Dockerfile"), re.MULTILINE)
    assert default in VERSIONS
    github = yaml.safe_load(read(".ci/github.yml"))["jobs"]["suite"]["strategy"]["matrix"]["python"]
    ((gitlab,),) = (entry.values() for entry in yaml.safe_load(read(".ci/gitlab.yml"))["suite"]["parallel"]["matrix"])
    assert (github, gitlab) == (VERSIONS, VERSIONS)
