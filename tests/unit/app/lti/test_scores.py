"""Scores: their address, their moment, and the waits before one is sent again."""

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest

from app.lti.grades import sender
from app.lti.grades.scores import below, score_of

MOODLE = "https://lms/mod/lti/services.php/2/lineitems/4/lineitem"


@pytest.mark.parametrize(
    ("lineitem", "scores"),
    [
        ("https://lms/items/4", "https://lms/items/4/scores"),
        ("https://lms/items/4/", "https://lms/items/4/scores"),
        (f"{MOODLE}?type_id=1", f"{MOODLE}/scores?type_id=1"),
    ],
)
def test_scores_go_before_the_query(lineitem: str, scores: str) -> None:
    assert below(lineitem, "scores") == scores


def test_stamps_are_whole_seconds_and_comments_are_cut() -> None:
    moment = datetime(2026, 5, 4, 3, 2, 1, 999_999, UTC)
    score = score_of(user_id="u", points=1, max_points=2, comment="x" * 900, stamp=moment, submitted_at=moment)
    assert (score["timestamp"], len(score["comment"])) == ("2026-05-04T03:02:01Z", 500)


def test_platform_that_was_down_for_an_hour_gets_its_grades_within_a_quarter_of_one() -> None:
    tries = list(accumulate(map(sender._backoff, range(1, sender.MOST_TRIES)), initial=timedelta()))
    for down in [timedelta(minutes=minutes) for minutes in range(90)]:
        assert next(each for each in tries if each >= down) - down <= timedelta(minutes=15)
    assert timedelta(days=6) < tries[-1] < timedelta(days=8)
