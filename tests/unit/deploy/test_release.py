"""The number of the version, the list of packages that ship, and the versions of Python, which all files agree on."""

import io
import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]


def component(name: str, **more: Any) -> dict[str, Any]:
    return {"bom-ref": f"{name}==1", "name": name, "version": "1", "licenses": [{"license": {"id": "MIT"}}], **more}


def listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *components: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    (tmp_path / "lock.txt").write_text("keras==1 \\\n    --hash=sha256:0\nml-dtypes==1 ; sys_platform == 'linux' \\\n")
    document = {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": list(components),
        "dependencies": [
            {"ref": "root", "dependsOn": [package["bom-ref"] for package in components]},
            *({"ref": package["bom-ref"]} for package in components),
        ],
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(document)))
    monkeypatch.setattr("sys.argv", ["sbom.py", str(tmp_path / "lock.txt"), str(tmp_path / "dist")])
    runpy.run_path(str(ROOT / "requirements" / "sbom.py"))["main"]()
    written = json.loads((tmp_path / "dist" / "sbom.json").read_text())
    return written, (tmp_path / "dist" / "licences.txt").read_text().splitlines()


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (image,) = re.findall(r'image\.version="([^"]+)"', (ROOT / "Dockerfile").read_text())
    newest = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert (image, newest) == (project, project)


def test_the_list_holds_what_the_lock_names_and_nothing_of_the_tests(tmp_path, monkeypatch):
    written, lines = listed(
        tmp_path, monkeypatch, component("keras"), component("ml_dtypes"), component("pytest"), component("lstm-grader")
    )
    assert [package["name"] for package in written["components"]] == ["keras", "ml_dtypes"]
    assert written["dependencies"] == [
        {"ref": "root", "dependsOn": ["keras==1", "ml_dtypes==1"]},
        {"ref": "keras==1", "dependsOn": []},
        {"ref": "ml_dtypes==1", "dependsOn": []},
    ]
    assert lines == ["keras 1: MIT", "ml_dtypes 1: MIT"]


@pytest.mark.parametrize(
    ("licences", "named"),
    [
        ([{"expression": "MIT AND PSF-2.0"}], "MIT AND PSF-2.0"),
        ([{"license": {"name": "License :: OSI Approved :: BSD License"}}], "BSD License"),
        ([{"license": {"name": "declared license of 'keras'", "text": {"content": "Apache 2.0\n..."}}}], "Apache 2.0"),
    ],
)
def test_a_licence_is_named_as_the_package_names_it(licences, named, tmp_path, monkeypatch):
    _, lines = listed(tmp_path, monkeypatch, component("keras", licenses=licences))
    assert lines == [f"keras 1: {named}"]


def test_a_package_without_a_licence_is_named_and_nothing_is_written(tmp_path, monkeypatch):
    with pytest.raises(KeyError, match="keras"):
        listed(tmp_path, monkeypatch, component("keras", licenses=[]))
    assert not (tmp_path / "dist").exists()


# Versions of Python, which pyproject.toml lists

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


def test_the_list_has_no_gap_and_is_what_an_installer_is_told():
    assert list(map(minor, VERSIONS)) == list(range(minor(OLDEST), minor(NEWEST) + 1))
    assert PYPROJECT["project"]["requires-python"] == f">={OLDEST},<3.{minor(NEWEST) + 1}"


def test_code_and_locks_are_checked_for_the_oldest():
    assert PYPROJECT["tool"]["mypy"]["python_version"] == OLDEST
    assert PYPROJECT["tool"]["ruff"]["target-version"] == f"py3{minor(OLDEST)}"
    assert re.findall(r"--python-version (\S+)", read("requirements/lock.sh")) == [OLDEST]


@pytest.mark.parametrize("name", SETUPS)
def test_an_environment_is_made_with_each_of_them_and_with_no_other(name):
    text = read(name)
    bounds = f"(3, {minor(OLDEST)}) <= sys.version_info < (3, {minor(NEWEST) + 1})"
    assert re.findall(r"\(3, \d+\) <= sys\.version_info < \(3, \d+\)", text) == [bounds]
    (candidates,) = re.findall(r"for candidate in (.*); do", text)
    assert re.findall(r"python(3\.\d+)", candidates) == VERSIONS[::-1]
    assert f"no Python {ANY}" in text


def test_images_and_hosted_matrices_offer_each():
    (offered,) = re.findall(r"for version in (.*); do", read("deploy/gradescope/setup.sh"))
    assert offered.split() == VERSIONS[::-1]
    (default,) = re.findall(r"^ARG PYTHON=(.*)$", read("Dockerfile"), re.MULTILINE)
    assert default in VERSIONS
    github = yaml.safe_load(read(".ci/github.yml"))["jobs"]["suite"]["strategy"]["matrix"]["python"]
    ((gitlab,),) = (entry.values() for entry in yaml.safe_load(read(".ci/gitlab.yml"))["suite"]["parallel"]["matrix"])
    assert (github, gitlab) == (VERSIONS, VERSIONS)
