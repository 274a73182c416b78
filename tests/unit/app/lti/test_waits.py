"""The waits before a grade is sent again."""

from __future__ import annotations

from datetime import timedelta
from itertools import accumulate

from app.lti.grades import sender


def test_platform_that_was_down_for_an_hour_gets_its_grades_within_a_quarter_of_one() -> None:
    tries = list(accumulate(map(sender._backoff, range(1, sender.MOST_TRIES)), initial=timedelta()))
    for down in [timedelta(minutes=minutes) for minutes in range(90)]:
        assert next(each for each in tries if each >= down) - down <= timedelta(minutes=15)
    assert timedelta(days=6) < tries[-1] < timedelta(days=8)
