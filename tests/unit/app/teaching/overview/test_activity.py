"""The chart of attempts by time: how long its steps are, and how many."""

from datetime import UTC, datetime, timedelta

import pytest

from app.teaching.overview.activity import MOST_STEPS, Activity, Unit, activity

BEGIN = datetime(2026, 10, 20, 21, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("span", "unit"), [(HOUR, Unit.HOUR), (20 * HOUR, Unit.HOUR), (3 * DAY, Unit.DAY), (100 * DAY, Unit.WEEK)], ids=str
)
def test_steps_are_as_short_as_leaves_few_of_them(span, unit):
    chart = activity([BEGIN, BEGIN + span, BEGIN + span], "Europe/Moscow")
    assert chart.unit == unit
    assert len(chart.steps) <= MOST_STEPS
    assert (chart.steps[0][1], chart.steps[-1][1], chart.most, chart.earlier) == (1, 2, 2, 0)
    # Each step begins where the clock on the wall of the course does.
    assert {step.strftime("%M:%S") for step, _ in chart.steps} == {"00:00"}
    assert chart.steps[0][0] <= BEGIN
    assert str(chart.steps[0][0].tzinfo) == "Europe/Moscow"


def test_of_years_the_newest_weeks_are_shown_and_the_rest_is_counted():
    chart = activity([BEGIN - 900 * DAY, BEGIN - 800 * DAY, BEGIN], "UTC")
    assert (chart.unit, len(chart.steps), chart.earlier) == (Unit.WEEK, MOST_STEPS, 2)


def test_hour_that_comes_twice_is_one_step():
    """At the end of summer time the clock on the wall shows the same hour twice."""
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    chart = activity(twice, "Europe/Berlin")
    assert [count for _, count in chart.steps] == [2]


def test_no_attempts_are_no_steps():
    assert activity([], "UTC") == Activity(Unit.DAY, [])
