"""A report tells which code graded it."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from grader.version import OURS, code_digest, grader_version


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.py").write_text("A = 1")
    (folder / "inner" / "b.py").write_text("B = 1")
    (folder / "texts.po").write_text("a word")
    return folder


@pytest.mark.parametrize(
    ("change", "shows"),
    [
        (lambda package: (package / "inner" / "b.py").write_text("B = 2"), True),
        (lambda package: (package / "a.py").rename(package / "inner" / "a.py"), True),
        (lambda package: (package / "c.py").touch(), True),
        (lambda package: (package / "texts.po").write_text("a better word"), False),
        (lambda package: (package / "a.py").touch(), False),
    ],
    ids=["other code", "moved", "one more", "other words", "installed again"],
)
def test_code_that_grades_otherwise_has_another_digest(package: Path, change, shows: bool) -> None:
    before = code_digest([package], {})
    change(package)
    assert (code_digest([package], {}) != before) is shows


def test_libraries_that_grade_otherwise_show(package: Path) -> None:
    assert code_digest([package], {"numpy": "2.0"}) != code_digest([package], {"numpy": "2.1"})


def test_the_same_code_elsewhere_has_the_same_digest(package: Path, tmp_path: Path) -> None:
    before = code_digest([package], {})
    (tmp_path / "elsewhere").mkdir()
    assert code_digest([package.rename(tmp_path / "elsewhere" / "package")], {}) == before


def test_a_version_is_that_of_the_package_with_a_digest_of_both_halves() -> None:
    assert re.fullmatch(re.escape(version("lstm-grader")) + r"\+[0-9a-f]{12}", grader_version())
    assert [folder.name for folder in OURS] == ["grader", "reference"]
    assert all((folder / "__init__.py").exists() for folder in OURS)
