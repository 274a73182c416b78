"""Numbers and moments look as people write them in each language."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from grader.report.numbers import after, distance, duration, moment, number, percent, points, time_left

NO_BREAK = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "digits", "english", "russian"),
    [
        (0.38628001511096954, 6, "0.38628", "0,38628"),
        (0.38628001511096954, 3, "0.386", "0,386"),
        (-0.4344, 6, "−0.4344", "−0,4344"),
        (0.0, 6, "0", "0"),
        (123456.7, 3, "123000", "123000"),
        (2.34e-7, 6, "2.34e-7", "2,34e-7"),
        (3.5e12, 6, "3.5e12", "3,5e12"),
        (0.0001, 6, "0.0001", "0,0001"),
        (math.nan, 6, "NaN", "NaN"),
        (-math.inf, 6, "-inf", "-inf"),
    ],
)
def test_numbers(value, digits, english, russian):
    assert (number(value, "en", digits), number(value, "ru", digits)) == (english, russian)


@pytest.mark.parametrize(
    ("value", "english", "russian"),
    [(12.5, "12.5", "12,5"), (1 / 3, "0.33", "0,33"), (-2.5, "−2.5", "−2,5")],
)
def test_points_have_two_decimals_at_most(value, english, russian):
    assert (points(value, "en"), points(value, "ru")) == (english, russian)


@pytest.mark.parametrize(
    ("value", "english", "russian"),
    [(10, "10%", "10 %"), (7.1, "7.1%", "7,1 %"), (1 / 3, "0.33%", "0,33 %")],
)
def test_percent_sign_stands_as_in_the_language(value: float, english: str, russian: str) -> None:
    assert (percent(value, "en"), percent(value, "ru")) == (english, russian.replace(" ", NO_BREAK))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (datetime(2026, 11, 26, 15, 3, 59, tzinfo=UTC), "26 ноября 2026, 15:03 UTC"),
        (datetime(2026, 11, 26, 15, 3), "26 ноября 2026, 15:03 UTC"),  # as SQLite gives it
        (datetime(2026, 5, 1, 23, 59, tzinfo=timezone(timedelta(hours=3))), "1 мая 2026, 23:59 UTC+03:00"),
        ("2026-05-01T23:59:00+05:30", "1 мая 2026, 23:59 UTC+05:30"),
        ("2026-05-01T23:59:00-05:00", "1 мая 2026, 23:59 UTC−05:00"),
    ],
)
def test_a_moment_is_shown_in_its_own_zone(value, shown):
    assert moment(value, "ru") == shown


@pytest.mark.parametrize(
    ("ahead", "english", "russian"),
    [
        # A deadline is not said to be further away than it is.
        (timedelta(hours=47, minutes=59), "in 47 hours", "через 47 часов"),
        (timedelta(days=2, minutes=1), "in 2 days", "через 2 дня"),
        (timedelta(days=4, hours=23), "in 5 days", "через 5 дней"),
        (timedelta(days=-4, hours=-23), "5 days ago", "5 дней назад"),
        (timedelta(hours=23, minutes=59), "in 23 hours", "через 23 часа"),
        (timedelta(days=13, hours=11), "in 13 days", "через 13 дней"),
        (timedelta(days=13, hours=13), "in 2 weeks", "через 2 недели"),
        (timedelta(days=80), "in 3 months", "через 3 месяца"),
        (timedelta(minutes=2, seconds=59), "in 2 minutes", "через 2 минуты"),
        (timedelta(hours=-1, minutes=-40), "100 minutes ago", "100 минут назад"),
    ],
)
def test_a_time_is_as_far_from_now_as_people_say(ahead, english, russian):
    when = datetime.now(UTC) + ahead
    # No line ends inside.
    shown = [each.replace(" ", NO_BREAK) for each in (english, russian)]
    assert [distance(when, "en"), distance(when, "ru")] == shown


@pytest.mark.parametrize(
    ("tell", "seconds", "english", "russian"),
    [
        # Time to wait, and time left, are never told too short.
        (after, 1, "in 1 second", "через 1 секунду"),
        (after, 90, "in 90 seconds", "через 90 секунд"),
        (after, 120, "in 2 minutes", "через 2 минуты"),
        (after, 121, "in 3 minutes", "через 3 минуты"),
        (after, 9000, "in 3 hours", "через 3 часа"),
        (after, 15 * 86400, "in 3 weeks", "через 3 недели"),
        (time_left, 0, "1 second", "1 секунда"),
        (time_left, 119, "1 minute 59 seconds", "1 минута 59 секунд"),
        (time_left, 149, "3 minutes", "3 минуты"),
        (time_left, 7201, "2 hours 1 minute", "2 часа 1 минута"),
        # A length of time is told exactly.
        (duration, 0, "0 seconds", "0 секунд"),
        (duration, 2.5, "2.5 seconds", "2,5 секунды"),
        (duration, 9000, "2 hours 30 minutes", "2 часа 30 минут"),
        (duration, 7 * 86400, "7 days", "7 дней"),
        (duration, 90061, "1 day 1 hour 1 minute 1 second", "1 день 1 час 1 минута 1 секунда"),
    ],
)
def test_seconds_are_told_in_units_of_time(
    tell: Callable[[float, str], str], seconds: float, english: str, russian: str
) -> None:
    assert (tell(seconds, "en"), tell(seconds, "ru")) == (english, russian)
