from __future__ import annotations

from pathlib import Path

import pytest

from app.artefacts import ArtefactFolder
from grader import Report
from tests.unit.grader.make_reports import make_report

NAME = f"{'ab' * 16}.safetensors"


def naming(name: str | None) -> Report:
    report = make_report()
    return report.model_copy(update={"cases": [report.cases[0].model_copy(update={"arrays": name})]})


def test_what_is_kept_is_there_for_the_report_that_names_it(tmp_path: Path) -> None:
    folder = ArtefactFolder(tmp_path / "artefacts")
    assert folder.of(naming(NAME)) == {}
    folder.keep(NAME, b"1")
    folder.keep(NAME, b"1")
    assert folder.of(naming(NAME)) == {NAME: b"1"}
    assert folder.of(naming(None)) == {}
    assert [path.name for path in (tmp_path / "artefacts").iterdir()] == [NAME]


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", f"../{NAME}", "", "a.safetensors"])
def test_a_name_that_leads_elsewhere_is_never_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / NAME).write_bytes(b"secret")
    assert ArtefactFolder(tmp_path / "artefacts").of(naming(name)) == {}


def test_a_disk_that_is_full_costs_no_grade(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "artefacts").write_bytes(b"in the way")
    ArtefactFolder(tmp_path / "artefacts").keep(NAME, b"1")
    assert [record.message for record in caplog.records] == ["artefact_not_kept"]
