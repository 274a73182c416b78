"""Assignments: the questions, the points, and the limits of a run. Each is a TOML file, so that a teacher changes
points, sizes, tolerances, limits, the Keras generation and the language without touching code.

``lstm-grader assignments schema`` prints the JSON Schema of such a file; docs/assignment.schema.json is a copy.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from grader.errors import AssignmentError, sentence_of
from grader.sandbox.limits import Limits
from grader.sandbox.outcome import Use
from reference import CaseSpec

BUILT_IN = Path(__file__).parent / "assignments"
# Keys that the first assignment files did not have.
LATER_KEYS = ("budget",)
# All runs of one submission together may use this many times the limits of one run.
RUNS_IN_BUDGET = 3
CheckId = Literal[
    "contract",
    "equivalence",
    "generalisation",
    "statelessness",
    "trainability",
    "own_work",
    "weights_copied",
    "comparison",
]
#: The checks of Task 2, which need a run of the notebook itself.
TASK2: tuple[CheckId, ...] = ("weights_copied", "comparison")
#: The checks that the exercise's own case answers.
BEFOREHAND: tuple[CheckId, ...] = ("own_work", "contract", "equivalence")


class AssignmentModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tolerance(AssignmentModel):
    """Close means ``|actual - expected| <= atol + rtol * |expected|``, element by element."""

    atol: float = Field(1e-5, gt=0, le=1e-2)
    rtol: float = Field(1e-5, ge=0, le=1e-2)


class CaseEntry(AssignmentModel):
    """One case; the four sizes must differ, or a mixed-up axis would go unseen."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")
    visibility: Literal["public", "hidden"] = "hidden"
    category: str = Field(pattern=r"^[a-z][a-z0-9_]{0,39}$", description="what it tries; shown for hidden cases too")
    batch: int = Field(ge=2, le=64)
    timesteps: int = Field(ge=3, le=1000)
    features: int = Field(ge=1, le=512)
    units: int = Field(ge=1, le=512)
    seed: int = Field(ge=0, lt=2**32)
    scale: float = Field(1.0, gt=0, le=3, description="factor on the input and on all weights")
    values: Literal["usual", "wide"] = Field(
        "usual", description='"wide" weights saturate gates and take the cell state past 1: most mistakes show there'
    )

    def spec(self) -> CaseSpec:
        return CaseSpec(**self.model_dump())


class UploadLimits(AssignmentModel):
    """Bounds on what is uploaded and on the start of a run."""

    upload_bytes: int = Field(20_000_000, gt=0, description="notebooks carry pictures")
    statement_seconds: float = Field(
        5.0, gt=0, allow_inf_nan=False, description="wall time of one top-level statement of the submission"
    )


class Budget(AssignmentModel):
    """Limits on all runs of one submission together: tries, both generations of Keras, runs that only help."""

    cpu_seconds: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="CPU time; null: three times what one run may use"
    )
    wall_seconds: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="wall time; null: three times what one run may use"
    )


class Attempts(AssignmentModel):
    """The number of attempts, and which one is the grade. The service applies it; reports do not mention it."""

    limit: int | None = Field(None, ge=1, le=1000, description="most attempts; one that we failed to grade is none")
    cooldown_seconds: int = Field(0, ge=0, le=30 * 86400, description="from one attempt to the next")
    counts: Literal["best", "last"] = Field("best", description="which attempt is the grade, after what lateness costs")
    checks_per_hour: int = Field(
        0, ge=0, le=60, description="checks before handing in, which use no attempt and give no points; 0: none"
    )

    @property
    def are_limited(self) -> bool:
        """Return whether earlier attempts decide if another one is allowed."""
        return self.limit is not None or self.cooldown_seconds > 0


class Deadline(AssignmentModel):
    """The times for attempts, and the cost of late ones. The service applies it; reports do not mention it."""

    opens: AwareDatetime | None = Field(None, description="before that nothing is accepted")
    due: AwareDatetime | None = Field(None, description="later attempts are late")
    closes: AwareDatetime | None = Field(None, description="from here on nothing is accepted")
    late_percent_per_day: float = Field(
        0.0, ge=0, le=100, description="of its points that a late attempt loses for each day begun"
    )
    late_percent_max: float = Field(100.0, ge=0, le=100, description="the most that lateness costs")

    @model_validator(mode="after")
    def _closes_after_it_is_due(self) -> Self:
        if self.due and self.closes and self.closes < self.due:
            raise ValueError("`closes` lies before `due`: nobody could be late")
        if self.opens and any(end and end <= self.opens for end in (self.due, self.closes)):
            raise ValueError("`opens` lies after `due` or `closes`: nobody could be in time")
        if self.late_percent_per_day and not self.due:
            raise ValueError("`late_percent_per_day` needs `due`: late for what?")
        return self


class Assignment(AssignmentModel):
    """One exercise as a teacher set it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    title: dict[Literal["ru", "en"], str]
    text: dict[Literal["ru", "en"], Annotated[str, Field(max_length=20_000)]] = Field(
        {}, description="the task in Markdown, for the assignment's page; HTML in it is shown as text"
    )
    language: Literal["ru", "en"] = Field("ru", description="of reports, where the reader asks for none")
    keras: Literal["3", "2", "auto"] = Field(
        "auto", description='"auto" tries Keras 2 only when Keras 3 raised or timed out; more points wins'
    )
    points: dict[CheckId, Annotated[float, Field(ge=0, le=1000)]] = Field(
        description="check -> points; every check that is listed is run and reported"
    )
    tolerance: Tolerance = Tolerance()
    limits: Limits = Limits()
    budget: Budget = Budget()
    upload: UploadLimits = UploadLimits()
    attempts: Attempts = Attempts()
    deadline: Deadline = Deadline()
    cases: list[CaseEntry] = Field(min_length=2, description="the first one is the exercise's own, and public")

    @field_validator("points")
    @classmethod
    def _points_make_sense(cls, points: dict[CheckId, float]) -> dict[CheckId, float]:
        if sum(points.values()) <= 0:
            raise ValueError("the checks are worth nothing together")
        return points

    @model_validator(mode="after")
    def _cases_fit_together(self) -> Self:
        ids = [case.id for case in self.cases]
        if twice := sorted({id for id in ids if ids.count(id) > 1}):
            raise ValueError(f"two cases have the same id: {', '.join(twice)}")
        if self.cases[0].visibility != "public":
            raise ValueError(f"the first case, {ids[0]!r}, is the exercise's own and must be public")
        for case in self.cases:
            case.spec()
        return self

    @property
    def max_points(self) -> float:
        return sum(self.points.values())

    @property
    def has_task2(self) -> bool:
        return not self.points.keys().isdisjoint(TASK2)

    def beforehand(self) -> Assignment:
        """Return its part for a check before handing in: the exercise's own case, which is public, and no points."""
        points = dict.fromkeys((check for check in self.points if check in BEFOREHAND), 0.0)
        part = self.model_copy(update={"points": points, "cases": self.cases[:1]})
        vars(part)["digest"] = self.digest  # The assignment is still this one.
        return part

    @property
    def is_beforehand(self) -> bool:
        """Return whether it is such a part. Every other assignment has points."""
        return not self.max_points

    def title_in(self, language: str) -> str:
        """Return its title in this language, else in another, else its id."""
        titles: dict[str, str] = dict(self.title.items())
        return titles.get(language) or next(iter(titles.values()), self.id)

    @property
    def allowance(self) -> Use:
        """Limits on all runs of one submission together."""
        return Use(
            self.budget.cpu_seconds or RUNS_IN_BUDGET * self.limits.cpu_seconds,
            self.budget.wall_seconds or RUNS_IN_BUDGET * self.limits.wall_seconds,
        )

    @cached_property
    def digest(self) -> str:
        """Return the SHA-256, in hex, of all that a report depends on (RFC 8785). Texts and deadlines do not count.

        Nor does a key that was added later, as long as it is left out.
        """
        unasked = {name for name in LATER_KEYS if getattr(self, name) == type(self).model_fields[name].default}
        graded = self.model_dump(mode="json", exclude={"title", "text", "language", "attempts", "deadline"} | unasked)
        return hashlib.sha256(rfc8785.dumps(graded)).hexdigest()


def read_assignment(path: Path) -> Assignment:
    """Read one file.

    Raises:
        AssignmentError: the file cannot be read; the message names the file, the key and the mistake.
    """
    try:
        data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Assignment.model_validate(data)
    except FileNotFoundError as exc:
        raise AssignmentError(f"there is no file {path}") from exc
    except IsADirectoryError as exc:
        raise AssignmentError(f"{path} is a folder; the name of a TOML file is needed") from exc
    except OSError as exc:
        raise AssignmentError(f"{path} cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise AssignmentError(f"{path} is not text in UTF-8: see byte {exc.start + 1}") from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise AssignmentError(f"{path} is not valid TOML: {exc}") from exc
    except ValidationError as exc:
        raise AssignmentError(f"{path}: {'; '.join(map(_in_words, exc.errors()))}") from exc


def _in_words(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"] if part != "[key]")
    match error["type"]:
        case "missing":
            return f"the key {key} is missing"
        case "extra_forbidden":
            return f"{key} is no key of an assignment"
    message, value = sentence_of(error), error["input"]
    if not key:
        return message
    # A rule about several keys names them itself.
    if isinstance(value, dict):
        return f"{key}: {message}"
    return f"{key}: {message} (got {repr(value) if isinstance(value, str) else value!s:.80})"


def load_assignments(folder: Path | None = None) -> dict[str, Assignment]:
    """Load all assignments by id: the built-in ones, overridden by those of `folder`.

    Raises:
        AssignmentError: a file has a mistake, or two files of one folder have the same id.
    """
    by_id: dict[str, Assignment] = {}
    for place in [BUILT_IN, *([folder] if folder else [])]:
        if not place.is_dir():
            raise AssignmentError(f"{place}: there is no such folder with assignment files")
        seen: dict[str, Path] = {}
        for path in sorted(place.glob("*.toml")):
            assignment = read_assignment(path)
            if assignment.id in seen:
                raise AssignmentError(f"{path}: the id {assignment.id!r} is already used by {seen[assignment.id]}")
            seen[assignment.id] = path
            by_id[assignment.id] = assignment
    return by_id


def pick_assignment(assignments: dict[str, Assignment], name: str) -> Assignment:
    """Return the assignment with the id `name`, or the one in the file that `name` names.

    Raises:
        AssignmentError: there is none, and the message lists the known ones; or the named file has a mistake.
    """
    if name in assignments:
        return assignments[name]
    if name.endswith(".toml") or os.sep in name:
        return read_assignment(Path(name))
    raise AssignmentError(f"no assignment {name!r}; there are: {', '.join(sorted(assignments))}")


def assignment_schema() -> dict[str, Any]:
    """Return the JSON Schema of an assignment file."""
    return Assignment.model_json_schema()
