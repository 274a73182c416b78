"""Grade books of platforms, by the rules of real ones: which scores they take, and what they show then.

Source: Moodle 4.5, mod/lti/service/gradebookservices (scores.php, results.php, lineitems.php, gradebookservices.php)
and lib/grade/grade_item.php; Canvas, app/controllers/lti/ims/scores_controller.rb and app/models/lti/result.rb.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

Grade = dict[str, Any]
#: In a grade: the moment that the next score is compared with; a teacher's hand; the scale in which it was taken.
SINCE, BY_HAND, TAKEN_IN = "since", "by_hand", "taken_in"
SUBMISSION = "https://canvas.instructure.com/lti/submission"


@dataclass
class Column:
    """Attributes:
    item: the line item. Without `scoreMaximum` the column has the scale of each score.
    is_of_activity: Moodle has made it with the activity, and dates its grades by its own clock.
    attempts_allowed: of the Canvas assignment; None: any number.
    grades: the newest score of each person, as it came, with what the platform keeps besides.
    """

    item: dict[str, Any]
    is_of_activity: bool = False
    attempts_allowed: int | None = None
    grades: dict[str, Grade] = field(default_factory=dict)

    def scaled(self, grade: Mapping[str, Any]) -> float | None:
        """Return the points of a score in the scale of the column."""
        if "scoreGiven" not in grade:
            return None
        most = float(self.item.get("scoreMaximum", grade["scoreMaximum"]))
        return float(grade["scoreGiven"]) * most / float(grade["scoreMaximum"])


class GradeBook(ABC):
    """Attributes:
    items: line items that are listed, by their address.
    deleted: the paths of line items that somebody has deleted.
    deleted_links: the ids of links that somebody has deleted; a tool makes no line item for them.
    clock: of the platform, in seconds; None: each score comes at the moment of its stamp.
    """

    def __init__(self, site: str) -> None:
        self.site = site
        self.items: dict[str, dict[str, Any]] = {}
        self.deleted: set[str] = set()
        self.deleted_links: set[str] = set()
        self.clock: Callable[[], float] | None = None
        self._columns: dict[str, Column] = {}

    def column(self, path: str) -> Column:
        if path not in self._columns:
            self._columns[path] = Column({"id": f"{self.site}{path}"})
        return self._columns[path]

    @property
    def grades(self) -> dict[str, Grade]:
        """The newest score of each person in any column."""
        return {user: grade for column in self._columns.values() for user, grade in column.grades.items()}

    def forget(self) -> None:
        for column in self._columns.values():
            column.grades.clear()

    def add(self, item: Mapping[str, Any]) -> Column:
        """Add a line item. One with the same ids is another column."""
        path = f"/items/{len(self.items) + 1}"
        made = self._columns[path] = Column({**item, "id": f"{self.site}{path}"})
        self.items[made.item["id"]] = made.item
        return made

    def listed(self, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
        """List the line items of a link, a resource or a tag."""
        names = {"resource_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
        there = [item for address, item in self.items.items() if urlsplit(address).path not in self.deleted]
        asked = {names[name]: value for name, value in wanted.items() if name in names}
        return [item for item in there if asked.items() <= item.items()]

    def take(self, path: str, score: Grade) -> httpx.Response:
        column = self.column(path)
        known = column.grades.get(score["userId"], {})
        if (refused := self._refusal(column, known, score)) is not None:
            return refused
        column.grades[score["userId"]] = self._kept(column, known, score)
        return httpx.Response(200, json={})

    def results(self, path: str) -> list[dict[str, Any]]:
        column = self.column(path)
        return [
            {"id": f"{self.site}{path}/results/{user}", "userId": user, **self._result(column, grade)}
            for user, grade in column.grades.items()
        ]

    def shown(self, path: str, user: str) -> float | None:
        """Return the points that the grade book shows, of `scoreMaximum` of the line item."""
        column = self.column(path)
        return self._shown(column, column.grades.get(user, {}))

    def grade_by_hand(self, path: str, user: str, points: float) -> None:
        """Let a teacher of the platform write another grade into the book."""
        column = self.column(path)
        grade = column.grades[user]
        most = column.item.get("scoreMaximum", grade.get("scoreMaximum"))
        grade |= {"scoreGiven": points, "scoreMaximum": most, BY_HAND: True, SINCE: self._now(grade)}

    def _now(self, score: Grade) -> datetime:
        return moment(score["timestamp"]) if self.clock is None else datetime.fromtimestamp(self.clock(), UTC)

    @abstractmethod
    def _refusal(self, column: Column, known: Grade, score: Grade) -> httpx.Response | None: ...

    @abstractmethod
    def _kept(self, column: Column, known: Grade, score: Grade) -> Grade: ...

    @abstractmethod
    def _result(self, column: Column, grade: Grade) -> dict[str, Any]: ...

    @abstractmethod
    def _shown(self, column: Column, grade: Grade) -> float | None: ...


class MoodleGradeBook(GradeBook):
    """Takes a score of a later second only, and blanks the grade for everything but a full one.

    A column has its own scale, and its grades follow when a teacher changes it. The result says the scale in which the
    score was taken all the same. What a teacher has overridden in the column of an activity stays, whatever comes.
    """

    def _refusal(self, column: Column, known: Grade, score: Grade) -> httpx.Response | None:
        since = _since(known)
        if since is not None and int(since.timestamp()) >= int(moment(score["timestamp"]).timestamp()):
            return httpx.Response(409, json={"message": "Refusing score with an earlier timestamp"})
        return None

    def _kept(self, column: Column, known: Grade, score: Grade) -> Grade:
        if known.get(BY_HAND) and column.is_of_activity:
            return known
        is_graded = score["gradingProgress"] == "FullyGraded" and "scoreGiven" in score
        kept = {name: value for name, value in score.items() if is_graded or not name.startswith("score")}
        kept[TAKEN_IN] = column.item.get("scoreMaximum", score.get("scoreMaximum", 1))
        is_other = not known or column.scaled(known) != column.scaled(kept)
        if is_other or known.get("comment") != kept.get("comment"):
            kept[SINCE] = self._now(score) if column.is_of_activity or not is_graded else moment(score["timestamp"])
        else:
            kept[SINCE] = known.get(SINCE)
        if not is_graded and not kept.get("comment") and column.is_of_activity:
            kept[SINCE] = None  # Not graded yet, as Moodle sees it.
        return kept

    def _result(self, column: Column, grade: Grade) -> dict[str, Any]:
        if "scoreGiven" not in grade:
            return {}
        scale = grade.get(TAKEN_IN) if "scoreMaximum" in column.item else grade["scoreMaximum"]
        return {"resultScore": column.scaled(grade), "resultMaximum": scale}

    def _shown(self, column: Column, grade: Grade) -> float | None:
        return column.scaled(grade)


class CanvasGradeBook(GradeBook):
    """Takes a score of the same second, too; calls an older one a bad request; and adds each comment to the others.

    A score is a new submission unless it says that it is none. The points that a column shows stay as they are when a
    teacher changes its scale. `PendingManual` is taken as a grade, and what is none clears it.
    """

    def _refusal(self, column: Column, known: Grade, score: Grade) -> httpx.Response | None:
        stamp, since = moment(score["timestamp"]), _since(known)
        if since is not None and since > stamp:
            return _error(400, f"Provided timestamp of {stamp} before last updated timestamp of {since}")
        handed_in = score.get("submission", {}).get("submittedAt")
        if handed_in is not None and moment(handed_in) > self._now(score) + timedelta(minutes=1):
            return _error(400, f"Provided submitted_at timestamp of {handed_in} in the future")
        if _is_grade(score) and "scoreMaximum" not in score:
            return _error(422, "ScoreMaximum not supplied when ScoreGiven present.")
        if _is_new(score) and known.get("attempts", 0) >= (column.attempts_allowed or float("inf")):
            return _error(422, "The maximum number of allowed attempts has been reached for this submission")
        return None

    def _kept(self, column: Column, known: Grade, score: Grade) -> Grade:
        said = score.get(SUBMISSION, {})
        kept = {name: value for name, value in score.items() if _is_grade(score) or not name.startswith("score")}
        if not _is_grade(score) and not said.get("preserve_score"):
            shown = None
        elif not _is_grade(score) or (known.get(BY_HAND) and said.get("prioritize_non_tool_grade")):
            shown = known.get("shown")
        else:
            shown = column.scaled(score)
        comments = [*known.get("comments", []), *filter(None, [score.get("comment")])]
        attempts = known.get("attempts", 0) + _is_new(score)
        return {**kept, SINCE: moment(score["timestamp"]), "shown": shown, "comments": comments, "attempts": attempts}

    def grade_by_hand(self, path: str, user: str, points: float) -> None:
        super().grade_by_hand(path, user, points)
        self.column(path).grades[user]["shown"] = points

    def _result(self, column: Column, grade: Grade) -> dict[str, Any]:
        if "scoreGiven" not in grade:
            return {}
        return {"resultScore": grade["scoreGiven"], "resultMaximum": grade["scoreMaximum"]}

    def _shown(self, column: Column, grade: Grade) -> float | None:
        shown: float | None = grade.get("shown")
        return shown


def moment(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _since(grade: Grade) -> datetime | None:
    """Return the moment that a later score has to pass; None: there is no grade."""
    if SINCE in grade or not grade:
        since: datetime | None = grade.get(SINCE)
        return since
    return moment(grade["timestamp"])


def _is_grade(score: Grade) -> bool:
    return score["gradingProgress"] in ("FullyGraded", "PendingManual") and score.get("scoreGiven") is not None


def _is_new(score: Grade) -> bool:
    said = score.get(SUBMISSION, {})
    return said.get("new_submission", True) is not False and said.get("submission_type") != "none"


def _error(status: int, words: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": {"type": "unprocessable", "message": words}})
