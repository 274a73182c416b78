"""The grade book, opened by a spreadsheet: whatever a student wrote, no cell is a formula."""

import csv
import re
import subprocess
from pathlib import Path

import pytest

from grader import load_assignments
from grader.batch.collect import Student, StudentFile
from grader.batch.gradebook import gradebook
from grader.batch.run import Row
from tests.programs import program
from tests.tiers import sampled
from tests.unit.grader.make_reports import make_report

#: What can stand before a formula, at the beginning of a cell or inside it.
BEFORE = ["", " ", "\t", "\r", "\n", "\x0b", "\x0c", "\x1f", "\xa0", "\ufeff", "\t\t", "\r\n"]
BEFORE += ["x;", "x; ", 'x;"', "x\t", "x\n", "x\r", "x\n\t", "x;\t", ";;"]
# Field separators, as LibreOffice's filter takes them (44 is a comma, 59 a semicolon, 9 a tab), and languages.
SEPARATORS = {"any": "44/59/9", "comma": "44", "semicolon": "59"}
LANGUAGES = {"en": "1033", "ru": "1049"}


def formulas(soffice: str, file: Path, separator: str, language: str) -> list[str]:
    """All formulas that LibreOffice sees in a file of CSV."""
    options = f"CSV:{separator},34,76,1,,{language},false,true,false,false,false,-1,true"
    folder = file.parent / f"{separator.replace('/', '-')}-{language}"
    profile = f"-env:UserInstallation={(file.parent / 'profile').as_uri()}"
    command = [soffice, profile, "--headless", f"--infilter={options}"]
    command += ["--convert-to", "fods", "--outdir", str(folder), str(file)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    book = folder / f"{file.stem}.fods"
    assert book.exists(), process.stdout + process.stderr
    text = book.read_text(encoding="utf-8")
    assert "Participant" in text
    return re.findall(r'table:formula="([^"]*)"', text)


@pytest.mark.parametrize("separator", sampled(SEPARATORS, every=3))
@pytest.mark.parametrize("language", sampled(LANGUAGES, every=2))
def test_no_cell_is_a_formula_however_it_is_opened(tmp_path: Path, separator: str, language: str) -> None:
    soffice = program("soffice", "libreoffice")
    texts = [f"{before}=1+{number}" for number, before in enumerate(BEFORE)]
    rows = [
        Row(StudentFile(text, Student(text, "moodle", str(number)), text, lambda limit: b""), make_report())
        for number, text in enumerate(texts)
    ]
    book = gradebook(rows, load_assignments()["lstm-layer"], "en")
    assert book.changed > 0
    (tmp_path / "grades.csv").write_text(book.text, encoding="utf-8-sig", newline="")
    assert formulas(soffice, tmp_path / "grades.csv", SEPARATORS[separator], LANGUAGES[language]) == []
    # As they came they are some, so this would be seen.
    with (tmp_path / "raw.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["Participant", text] for text in texts])
    assert formulas(soffice, tmp_path / "raw.csv", SEPARATORS[separator], LANGUAGES[language])
