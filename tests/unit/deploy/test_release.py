"""The number of the version, and the list of packages that ship."""

import io
import json
import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

import pytest

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


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    (image,) = re.findall(r'image\.version="([^"]+)"', (ROOT / "Dockerfile").read_text())
    newest = re.findall(r"^## ([\d.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert (image, newest) == (project, project)


def test_the_list_holds_what_the_lock_names_and_nothing_of_the_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
def test_a_licence_is_named_as_the_package_names_it(
    licences: list[Any], named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lines = listed(tmp_path, monkeypatch, component("keras", licenses=licences))
    assert lines == [f"keras 1: {named}"]


def test_a_package_without_a_licence_is_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyError, match="keras"):
        listed(tmp_path, monkeypatch, component("keras", licenses=[]))
    assert not (tmp_path / "dist").exists()
