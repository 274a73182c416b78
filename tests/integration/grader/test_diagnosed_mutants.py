"""The share of mistakes that are named right: one or two mistakes are put into right answers and graded in the box.

A few pairs cannot be named by anybody, for one of the two has no effect where the other is: they are part of the tenth
that may go unnamed.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from grader.report.model import Report
from tests.integration.grader.conftest import GradeSource
from tests.integration.grader.mutants.slips import ALL, Slip
from tests.integration.grader.mutants.styles import STYLES

# So many are graded, the same ones each time: every one costs half a second. All of them: --mutants.
COUNT = 40


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
def grade_all(grade_source: GradeSource, cores: int) -> Iterator[Grade]:
    with ThreadPoolExecutor(cores) as pool:
        yield lambda mutants: list(pool.map(lambda mutant: grade_source(mutant.source, keras="auto"), mutants))


@pytest.fixture(scope="module")
def singles(request: pytest.FixtureRequest) -> list[Mutant]:
    rng = random.Random(SEED)
    slips = ALL if request.config.getoption("--mutants") else rng.sample(ALL, COUNT)
    return [_mutant(rng, slip) for slip in slips]


@pytest.fixture(scope="module")
def pairs(request: pytest.FixtureRequest) -> list[Mutant]:
    return list(_pairs(random.Random(SEED), len(ALL) if request.config.getoption("--mutants") else COUNT))


def _mutant(rng: random.Random, *slips: Slip) -> Mutant | None:
    """In one of the styles in which these mistakes can be made."""
    changes = {slot: text for slip in slips for slot, text in slip.changes.items()}
    possible = [(style.name, source) for style in STYLES if (source := style.write(changes)) is not None]
    return Mutant(slips, *rng.choice(possible)) if possible else None


def _pairs(rng: random.Random, count: int) -> Iterator[Mutant]:
    while count:
        one, other = rng.sample(ALL, 2)
        codes = {one.code, other.code}
        if len(codes) == 1 or codes & LEAVES_NOTHING or one.changes.keys() & other.changes.keys():
            continue
        if (mutant := _mutant(rng, one, other)) is not None:
            count -= 1
            yield mutant


@pytest.mark.thorough
def test_every_style_is_right_as_long_as_nothing_is_changed(grade_all: Grade) -> None:
    reports = grade_all([Mutant((), style.name, style.write({}) or "") for style in STYLES])
    assert [(report.points, report.diagnoses) for report in reports] == [(100, [])] * len(STYLES)


@pytest.mark.thorough
def test_the_first_code_names_a_single_mistake(grade_all: Grade, singles: list[Mutant]) -> None:
    _assert_share(singles, grade_all(singles), 0.95, _first_is)


@pytest.mark.thorough
def test_both_codes_of_a_pair_are_named(grade_all: Grade, pairs: list[Mutant]) -> None:
    _assert_share(pairs, grade_all(pairs), 0.9, _all_are_named)


def _first_is(codes: set[str], report: Report) -> bool:
    return {diagnosis.code for diagnosis in report.diagnoses[:1]} == codes


def _all_are_named(codes: set[str], report: Report) -> bool:
    """Whether every code is named, be it beside another one with the same numbers."""
    return codes <= {code for diagnosis in report.diagnoses for code in (diagnosis.code, *diagnosis.also)}


def _assert_share(
    mutants: Sequence[Mutant], reports: Sequence[Report], least: float, is_named: Callable[[set[str], Report], bool]
) -> None:
    missed = [
        f"{mutant.style}: {' + '.join(slip.name for slip in mutant.slips)} -> {[d.code for d in report.diagnoses]}"
        for mutant, report in zip(mutants, reports, strict=True)
        if not (is_named(mutant.codes, report) or _all_are_named(mutant.codes, report))
    ]
    share = 1 - len(missed) / len(mutants)
    assert share >= least, f"{share:.1%} of {len(mutants)} are named, but not\n" + "\n".join(missed)
