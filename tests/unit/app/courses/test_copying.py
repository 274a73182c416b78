"""Copies of courses: dates keep the hour that the clock on the wall shows."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from app.courses.copying import move_dates
from grader.assignment import Deadline

BERLIN = "Europe/Berlin"
IN_FILE = Deadline.model_validate(
    {"due": "2026-10-01T21:59:00Z", "closes": "2026-10-08T21:59:00Z", "late_percent_per_day": 10}
)


@given(
    moment=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(ZoneInfo("UTC"))),
    days=st.integers(-400, 400),
    zone=st.sampled_from(["UTC", BERLIN, "Europe/Moscow", "America/New_York", "Australia/Lord_Howe"]),
)
def test_every_moved_date_is_so_many_days_away_by_the_clock_on_the_wall(moment, days, zone):
    copied = datetime.fromisoformat(str(move_dates({"due": moment.isoformat()}, days, zone)["due"]))
    before, after = (each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for each in (moment, copied))
    # An hour that is left out in spring is taken for the next one.
    assert after - before - timedelta(days=days) in (timedelta(0), timedelta(hours=1), timedelta(minutes=30))


def test_dates_of_the_file_that_hold_are_moved_into_the_copy():
    """Unmoved they would be over before the term of the copy begins."""
    assert move_dates({"limit": 3}, 364, BERLIN, IN_FILE) == {
        "due": "2027-09-30T21:59:00Z",
        "closes": "2027-10-07T21:59:00Z",
        "limit": 3,
    }
    own = {"due": "2026-10-05T21:59:00Z", "closes": None}
    assert move_dates(own, 7, BERLIN, IN_FILE) == {"due": "2026-10-12T21:59:00Z", "closes": None}
    never = Deadline(closes=datetime(9999, 12, 31, 23, 59, tzinfo=UTC))
    assert move_dates({}, 364, BERLIN, never) == {"closes": "9999-12-31T23:59:00+00:00"}
    assert move_dates({"limit": 3}, 0, BERLIN, IN_FILE) == {"limit": 3}


def test_copy_without_dates_has_no_lateness_and_none_of_the_files_dates():
    rules = {"due": "2026-10-05T21:59:00Z", "late_percent_per_day": 20, "counts": "last"}
    assert move_dates(rules, None, "UTC") == {"counts": "last"}
    assert move_dates(rules, None, "UTC", IN_FILE) == {
        "due": None,
        "closes": None,
        "late_percent_per_day": 0,
        "counts": "last",
    }
