"""The share of mistakes that are named right: one or two mistakes are put into right answers and graded in the box.

A few pairs cannot be named by anybody, for one of the two has no effect where the other is: they are part of the tenth
that may go unnamed.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from grader.assignment import Assignment, load_assignments
from grader.pipeline import grade
from grader.report.model import Report
from grader.sandbox import ForkSandbox
from grader.submission import Submission
from reference import ReferenceStore
from tests.exercises import shorter
from tests.integration.grader.mutants.slips import ALL, Slip
from tests.integration.grader.mutants.styles import STYLES

# So many are graded, the same ones each time: every one costs half a second. All of them: --mutants.
COUNT = 60
#: `make test` grades these, which are to be named without exception.
FEW = 6
SEED = 20201
# These leave no numbers to say anything else by.
LEAVES_NOTHING = {"constant_output", "returns_none", "state_init_random", "dropout_active"}


@dataclass(frozen=True)
class Mutant:
    slips: tuple[Slip, ...]
    style: str
    source: str

    @property
    def codes(self) -> set[str]:
        return {slip.code for slip in self.slips}


Grade = Callable[[Sequence[Mutant]], list[Report]]


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    return shorter(load_assignments()["lstm-layer"])


@pytest.fixture(scope="module")
def graded(assignment: Assignment, sandbox: ForkSandbox, references: ReferenceStore, cores: int) -> Iterator[Grade]:
    def one(mutant: Mutant) -> Report:
        submission = Submission("lstm.py", mutant.source.encode())
        return grade(submission, assignment, sandbox=sandbox, references=references)

    with ThreadPoolExecutor(cores) as pool:
        yield lambda mutants: list(pool.map(one, mutants))


@pytest.fixture(scope="module")
def singles(request: pytest.FixtureRequest) -> list[Mutant]:
    rng = random.Random(SEED)
    chosen = ALL if request.config.getoption("--mutants") else rng.sample(ALL, COUNT)
    return [_written(rng, slip) for slip in chosen]


@pytest.fixture(scope="module")
def pairs(request: pytest.FixtureRequest) -> list[Mutant]:
    return list(_pairs(random.Random(SEED), len(ALL) if request.config.getoption("--mutants") else COUNT))


def _written(rng: random.Random, *slips: Slip) -> Mutant | None:
    """In one of the styles in which these mistakes can be made."""
    changes = {slot: text for slip in slips for slot, text in slip.changes.items()}
    possible = [(style.name, source) for style in STYLES if (source := style.write(changes)) is not None]
    return Mutant(slips, *rng.choice(possible)) if possible else None


def _pairs(rng: random.Random, count: int) -> Iterator[Mutant]:
    while count:
        one, other = rng.sample(ALL, 2)
        if (
            one.code == other.code
            or one.changes.keys() & other.changes.keys()
            or {one.code, other.code} & LEAVES_NOTHING
        ):
            continue
        if (mutant := _written(rng, one, other)) is not None:
            count -= 1
            yield mutant


def _described(graded: Sequence[tuple[Mutant, Report]]) -> str:
    return "\n".join(
        f"{mutant.style}: {' + '.join(slip.name for slip in mutant.slips)} -> {[d.code for d in report.diagnoses]}"
        for mutant, report in graded
    )


def test_every_style_is_right_as_long_as_nothing_is_changed(graded: Grade) -> None:
    rng = random.Random(SEED)
    for style in STYLES:
        [report] = graded([Mutant((), style.name, style.write({}) or "")])
        assert (style.name, report.points, report.diagnoses) == (style.name, 100, [])
    assert _written(rng, Slip("", {"no such slot": ""})) is None


def test_a_few_mistakes_and_pairs_are_named(graded: Grade, singles: list[Mutant], pairs: list[Mutant]) -> None:
    _assert_share(singles[:FEW], graded(singles[:FEW]), 1, _first_is)
    _assert_share(pairs[:FEW], graded(pairs[:FEW]), 1, _all_are_named)


@pytest.mark.thorough
def test_the_first_code_names_a_single_mistake(graded: Grade, singles: list[Mutant]) -> None:
    _assert_share(singles, graded(singles), 0.95, _first_is)


@pytest.mark.thorough
def test_both_codes_of_a_pair_are_named(graded: Grade, pairs: list[Mutant]) -> None:
    _assert_share(pairs, graded(pairs), 0.9, _all_are_named)


def _first_is(codes: set[str], report: Report) -> bool:
    return {diagnosis.code for diagnosis in report.diagnoses[:1]} == codes


def _all_are_named(codes: set[str], report: Report) -> bool:
    return codes <= {diagnosis.code for diagnosis in report.diagnoses}


def _assert_share(
    mutants: Sequence[Mutant], reports: Sequence[Report], least: float, named: Callable[[set[str], Report], bool]
) -> None:
    missed = [
        (mutant, report)
        for mutant, report in zip(mutants, reports, strict=True)
        if not (named(mutant.codes, report) or _named_as_equal(mutant.codes, report))
    ]
    share = 1 - len(missed) / len(mutants)
    assert share >= least, f"{share:.1%} of {len(mutants)} are named, but not\n{_described(missed)}"


def _named_as_equal(codes: set[str], report: Report) -> bool:
    """Two mistakes with the same numbers: the report names one, and says that it may be the other."""
    return codes <= {code for d in report.diagnoses for code in (d.code, *d.also)}
