"""The shared budget of a submission's runs, and the time that the host owes a run."""

import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import grader
from grader.sandbox import BudgetedSandbox, Kind, Limits, Outcome, Use
from tests.unit.grader.in_memory import InMemorySandbox

LIMITS = Limits(cpu_seconds=20, wall_seconds=60.0)


BUDGET = Use(60.0, 180.0)


def _box(*outcomes: Outcome, budget: Use = BUDGET) -> tuple[BudgetedSandbox, InMemorySandbox]:
    inner = InMemorySandbox({Kind.KERAS3: list(outcomes)})
    return BudgetedSandbox(inner, budget), inner


def test_runs_get_their_own_limits_while_the_budget_lasts_and_then_what_is_left():
    box, inner = _box(Outcome(result=b"", cpu_seconds=18.0, wall_seconds=50.0))
    for _ in range(4):
        box.run(Kind.KERAS3, b"", LIMITS)
    granted = [(limits.cpu_seconds, limits.wall_seconds) for _, _, limits in inner.requests]
    assert granted == [(20, 60.0), (20, 60.0), (20, 60.0), (6, 30.0)]


@pytest.mark.parametrize("limit", ["cpu", "wall"])
def test_a_run_that_ends_for_want_of_budget_says_so_and_no_other_follows(limit):
    first, second = (Outcome(result=b"", killed_for=limit, cpu_seconds=seconds, wall_seconds=9.0) for seconds in (8, 3))
    box, inner = _box(first, second, budget=Use(10.0, 100.0))
    assert box.run(Kind.KERAS3, b"", Limits(cpu_seconds=8)).killed_for == limit
    ended = box.run(Kind.KERAS3, b"", Limits(cpu_seconds=8))
    assert (ended.killed_for, ended.earlier) == ("budget", Use(8.0, 9.0))
    nothing_left = box.run(Kind.KERAS3, b"", Limits(cpu_seconds=8))
    assert (nothing_left.killed_for, nothing_left.earlier) == ("budget", Use(11.0, 18.0))
    assert len(inner.requests) == 2


def test_tries_that_were_lost_count_and_time_without_a_core_does_not():
    lost = Outcome(result=b"", cpu_seconds=1.0, wall_seconds=40.0, missed_seconds=38.0, earlier=Use(5.0, 10.0))
    box, inner = _box(lost, budget=Use(20.0, 20.0))
    box.run(Kind.KERAS3, b"", LIMITS)
    box.run(Kind.KERAS3, b"", LIMITS)
    assert (inner.requests[1][2].cpu_seconds, inner.requests[1][2].wall_seconds) == (14, 8.0)


def test_the_devices_start_is_not_the_submissions_use():
    outcome = Outcome(result=b"", cpu_seconds=10.0, wall_seconds=12.0, overhead=Use(15.0, 10.0))
    assert outcome.use == Use(0.0, 2.0)


def test_all_runs_together_idle_no_longer_than_one_may_take():
    asleep = Outcome(result=b"", wall_seconds=20.0, idle_seconds=19.5)
    box, inner = _box(asleep)
    for _ in range(4):
        ended = box.run(Kind.KERAS3, b"", LIMITS)
    assert [round(limits.wall_seconds, 1) for _, _, limits in inner.requests] == [60.0, 40.5, 21.0]
    assert (ended.killed_for, ended.earlier) == ("budget", Use(0.0, 60.0))


def test_a_run_that_is_starved_leaves_the_next_ones_all_their_time():
    starved = Outcome(result=b"", cpu_seconds=2.0, wall_seconds=50.0, missed_seconds=45.0, idle_seconds=0.0)
    box, inner = _box(starved)
    for _ in range(4):
        box.run(Kind.KERAS3, b"", LIMITS)
    assert {limits.wall_seconds for _, _, limits in inner.requests} == {60.0}


# --- time without a core ----------------------------------------------------------------------------------------------


def _starvation() -> Any:
    """The runner is no package."""
    return runpy.run_path(str(Path(grader.__file__).parent / "runner" / "starvation.py"))["Starvation"]()


def test_a_run_whose_only_thread_waits_for_a_core_has_missed_that_time():
    starvation = _starvation()
    starvation.look(1.0, 0.25, {"1": 0.75})
    starvation.look(2.0, 0.5, {"1": 1.5})
    assert starvation.seconds == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("cpu", "waits", "missed", "idle"),
    [
        pytest.param(2.0, dict.fromkeys(map(str, range(56)), 0.9), 0.0, 0.0, id="its threads queue for two cores"),
        pytest.param(0.0, {"1": 0.0, "2": 0.0}, 0.0, 1.0, id="all threads sleep"),
        pytest.param(0.25, {"1": 0.0}, 0.0, 0.75, id="it sleeps after some work"),
        pytest.param(0.1, {"1": 0.9}, 0.9, 0.0, id="it has no core"),
        pytest.param(0.1, {"1": 0.5, "2": 0.4}, 0.5, 0.0, id="its threads hand work on, and neither has a core"),
        pytest.param(1.9, {"1": 0.1}, 0.0, 0.0, id="it computes on two cores"),
        pytest.param(0.1, {}, 0.0, 0.0, id="the kernel does not say"),
        pytest.param(0.03, dict.fromkeys(map(str, range(56)), 0.01), 0.01, 0.41, id="many threads wake at once"),
    ],
)
def test_a_run_misses_what_it_waits_for_and_is_idle_when_it_does_neither(cpu, waits, missed, idle):
    starvation = _starvation()
    starvation.look(1.0, cpu, waits)
    assert (starvation.seconds, starvation.idle_seconds) == (pytest.approx(missed), pytest.approx(idle))


@given(st.lists(st.tuples(*[st.floats(0, 5)] * 4), min_size=1, max_size=20))
def test_never_more_is_missed_than_passed_or_than_one_thread_waited(spans):
    starvation = _starvation()
    elapsed = cpu = first = second = most = 0.0
    for passed, used, waited, also in spans:
        elapsed, cpu, first, second = elapsed + passed, cpu + used, first + waited, second + also
        most += min(passed, max(waited, also))
        starvation.look(elapsed, cpu, {"1": first, "2": second})
    assert 0 <= starvation.seconds <= most + 1e-6
