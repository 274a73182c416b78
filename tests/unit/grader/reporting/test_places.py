"""Lines of the module text become places that the student knows."""

import pytest

from grader.execution.reading import Reading
from grader.report.finding import Finding, Remark
from grader.report.model import Diagnosis, Frame
from grader.reporting.places import Places

SOURCE = "import numpy as np\n\nimport seaborn\nimport torch\n\nclass LSTM:\n    pass"
CELLS = [
    {"index": 0, "first_line": 1, "last_line": 1},
    {"index": 4, "first_line": 3, "last_line": 7},
]


def _places(format):
    return Places(Reading(format=format, error=None, source=SOURCE, cells=CELLS), "lstm.file")


@pytest.mark.parametrize(
    ("format", "line", "place"),
    [
        ("ipynb", 6, Frame(file="cell 5", line=4, code="class LSTM:")),
        ("ipynb", 2, Frame(file="lstm.file", line=2, code="")),
        ("py", 6, Frame(file="lstm.file", line=6, code="class LSTM:")),
        ("py", 99, Frame(file="lstm.file", line=99, code="")),
    ],
    ids=["in a cell", "between two cells", "in a file", "past the end"],
)
def test_a_line_is_shown_where_the_student_wrote_it(format, line, place):
    assert _places(format).frame(line) == place


def test_a_finding_gets_the_place_of_its_line_and_keeps_the_rest():
    finding = Diagnosis.exact(Finding.of("name_error", line=6, name="fcXI"))
    [placed] = _places("ipynb").findings([finding])
    assert placed.params == {"line": 4, "name": "fcXI", "file": "cell 5"}


@pytest.mark.parametrize("params", [{}, {"line": True}, {"line": "6"}])
def test_a_finding_without_a_line_stays_as_it_is(params):
    finding = Diagnosis.exact(Finding.of("nan", params))
    assert _places("ipynb").findings([finding]) == [finding]


def test_a_remark_is_placed_by_its_line_alone():
    placed, unplaced = _places("ipynb").advisories([Remark(code="network", line=3), Remark(code="slow")])
    assert (placed.line, placed.params) == (1, {"line": 1, "file": "cell 5"})
    assert (unplaced.line, unplaced.params) == (None, {})


def test_failed_statements_of_a_cell_are_listed_as_ranges_of_its_lines():
    failure = Remark(code="missing_packages", params={"lines": [3, 4, 6], "packages": ["seaborn"]}, line=3)
    cell = _places("ipynb").cell(failure)
    assert (cell.index, cell.code) == (4, "missing_packages")
    assert cell.params == {"line": 1, "lines": [[1, 2], [4, 4]], "packages": ["seaborn"]}
