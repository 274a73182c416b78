"""The last lines of `make bench`: each figure in words, beside its target."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture


@dataclass(frozen=True)
class Figure:
    """One number that is measured, and the limit that it should keep."""

    words: str
    at_most: float | None = None
    at_least: float | None = None
    unit: str = ""

    def line(self, value: float) -> str:
        kept = value <= self.at_most if self.at_most is not None else value >= (self.at_least or 0)
        limit = f"at most {self.at_most:g}" if self.at_most is not None else f"at least {self.at_least:g}"
        return f"{'ok    ' if kept else 'MISSED'} {value:8.3g}{self.unit:3} ({limit}{self.unit})  {self.words}"


FIGURES = {
    "grade_to_floor": Figure("CPU of a full grade, to that of a bare child that builds the model and calls it", 0.6),
    "any_style_to_floor": Figure("the same for the dearest of many styles, each to its own floor", 1.3),
    "report_to_floor": Figure("seconds from upload to report over HTTP, idle, to the bare child's", 0.8),
    "grade_to_before": Figure("CPU of a full grade, to that of the other version", 1.0),
    "task2_to_before": Figure("CPU of a grade with Task 2, to that of the other version", 0.667),
    "two_slots_to_before": Figure("throughput of two slots, to that of the other version", at_least=1.8),
    "wrong_minus_right_cpu_milliseconds": Figure(
        "CPU that a wrong submission takes more, with diagnosis", 100, unit=" ms"
    ),
    "unknown_minus_right_cpu_milliseconds": Figure(
        "CPU that a submission takes more whose mistake is not known", 100, unit=" ms"
    ),
    "mutations_named_percent": Figure(
        "wrong formulas that nobody has listed, and that are named by their numbers", at_least=45, unit=" %"
    ),
    "mutations_named_with_code_percent": Figure("the same with a class that computes them", at_least=95, unit=" %"),
    "mutations_false_percent": Figure("those that are told something false", 0, unit=" %"),
    "lockdown_milliseconds": Figure("closing the wall around a run", 5, unit=" ms"),
    "child_private_megabytes": Figure("private memory that a run adds to the warm process", 120, unit=" MB"),
    "script_to_grade": Figure("CPU of a script that imports TensorFlow and compares once, to a grade", at_least=10),
    "ready_to_import": Figure("time until a grade can begin, to `import tensorflow`", 1.3),
    "two_slots_to_one": Figure("throughput of two slots, to that of one", at_least=1.7),
    "unfair_turns": Figure("uploads of a burst that were begun before their turn", 0),
    "grading_p99_milliseconds": Figure("p99 of accepting an upload while all slots grade", 1000, unit=" ms"),
    "arriving_median_milliseconds": Figure(
        "median of accepting 20 uploads a second while all slots grade", 300, unit=" ms"
    ),
    "arriving_p99_milliseconds": Figure("p99 of the same", 1000, unit=" ms"),
    "watched_slowest_milliseconds": Figure("the slowest upload among 500 watchers", 2000, unit=" ms"),
    "not_ready": Figure("answers of /readyz among 500 watchers that were not `ready`", 0),
    "launches_a_minute": Figure("launches from a platform, each with its page", at_least=300),
    "memory_growth_percent": Figure("memory of all processes after 2000 grades", 10, unit=" %"),
    "largest_paint_milliseconds": Figure("largest paint of the slowest page on a phone's line", 1500, unit=" ms"),
    "idle_percent_of_a_core": Figure("what the warm processes take while nothing is graded", 1, unit=" %"),
}
MEASURED = pytest.StashKey[list[tuple[str, float]]]()
REMARKS = pytest.StashKey[list[str]]()


@pytest.fixture
def measured(benchmark: BenchmarkFixture, pytestconfig: pytest.Config) -> Callable[..., None]:
    """Call it with figures by name; those in `FIGURES` are printed at the end, all are in the JSON, as is a remark."""

    def note(remark: str = "", **figures: Any) -> None:
        benchmark.extra_info |= figures | ({"remark": remark} if remark else {})
        stash = pytestconfig.stash
        stash.setdefault(MEASURED, []).extend((name, figures[name]) for name in FIGURES if name in figures)
        stash.setdefault(REMARKS, []).extend([remark] if remark else [])

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(MEASURED, [])
    if found:
        terminalreporter.section("what a grade costs")
        for name, value in found:
            terminalreporter.write_line(FIGURES[name].line(value))
        for remark in config.stash.get(REMARKS, []):
            terminalreporter.write_line(remark)
