"""A course as it is in the middle of its term: 300 students, attempts of all kinds, and what teachers did about them.

Rows go straight into the database, before the service starts. Names are those of people: Russian, English, long ones,
ones that read from the right, and one that is an attack.
"""

import asyncio
import hashlib
import itertools
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.access import joining
from app.access.tokens import Principal, hash_secret
from app.courses import course, extensions, uses
from app.lti import platforms
from app.lti.platform_services import RESULT_SCOPE, SCORE_SCOPE
from app.lti.platforms import Registration
from app.lti.registration import invitations
from app.storage.database import Database
from app.storage.models import (
    Base,
    Batch,
    BatchFile,
    BatchFileState,
    Check,
    Course,
    CourseAssignment,
    HoldDecision,
    JobStatus,
    LtiContext,
    LtiLink,
    LtiScore,
    LtiSelection,
    MemberRole,
    Membership,
    Person,
    Regrade,
    RegradeItem,
    ReportDiagnosis,
    ReviewRequest,
    Role,
    StoredReport,
    Submission,
    SubmissionEvent,
    Token,
    new_id,
    utc_now,
)
from app.submissions.grades import counted_grade
from app.teaching import adjustments, comments, regrades
from app.teaching.student_work import StudentWork
from grader import Report, load_assignments
from grader.report.model import Advisory, Diagnosis
from tests.unit.grader import make_reports

Row = TypeVar("Row", bound=Base)
CORPUS = Path(__file__).parents[2] / "corpus" / "lstm_layer"
STUDENTS = 300
SURNAMES = "Иванов Петров Сидоров Кузнецов Смирнов Попов Волков Соколов Лебедев Козлов Новиков Морозов".split()  # noqa: SIM905
FIRST_NAMES = "Александр Дмитрий Максим Артём Иван Михаил Никита Матвей Роман Егор".split()  # noqa: SIM905
PATRONYMICS = "Алексеевич Игоревич Олегович Павлович Юрьевич".split()  # noqa: SIM905
#: Names that a page must bear: no place to break, read from the right, very short, of another alphabet, an attack.
OTHERS = (
    "Anna Maria Konstantinopolskaya-Schleswig-Holstein-Sonderburg-Augustenburg of the Evening Course",
    "Нурмагомедов-Абдулмуслимов-Гаджимурадов Абдулманап Шахбанович оглы",
    "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaft",
    "محمد عبد الرحمن الخوارزمي",
    "שרה כהן־לוי",
    "Nguyễn Thị Minh Khai",
    "王秀英",
    "O",
    "D'Arcy O'Brien-Smith",
    "<script>alert(1)</script>\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "Ёлкина Ульяна Всеволодовна",
    "John Smith",
)
WRONG = CORPUS / "wrong_swap_if" / "submission.py"
RIGHT = CORPUS / "correct_keras_activations" / "submission.py"


@dataclass
class Filled:
    """A filled database. The ids of what is in it, and the tokens of its people, by names."""

    courses: dict[str, str] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    submissions: dict[str, str] = field(default_factory=dict)
    checks: dict[str, str] = field(default_factory=dict)
    reviews: dict[str, str] = field(default_factory=dict)
    regrades: dict[str, str] = field(default_factory=dict)
    batches: dict[str, str] = field(default_factory=dict)
    platforms: dict[str, str] = field(default_factory=dict)
    invitations: dict[str, str] = field(default_factory=dict)
    join: str = ""


def names() -> Iterator[str]:
    """Yield names without end, all different."""
    yield from OTHERS
    people = itertools.product(PATRONYMICS, FIRST_NAMES, SURNAMES)
    for number, (patronymic, first, surname) in enumerate(people):
        yield f"{surname} {first} {patronymic}" if number % 5 else f"{surname} {first}"


def _stored(text: str) -> str:
    """PostgreSQL keeps no zeros in texts; the service replaces them when they come."""
    return text.replace("\0", "")


def fill(url: str) -> Filled:
    with ThreadPoolExecutor(1) as thread:  # Playwright runs a loop in this one.
        return thread.submit(asyncio.run, _fill(url)).result()


async def _fill(url: str) -> Filled:
    database = Database(url)
    if database.is_sqlite:
        await database.upgrade()
    filled = Filled()
    try:
        async with database.write() as session:
            await _Filling(session, filled).all()
    finally:
        await database.close()
    return filled


class _Filling:
    def __init__(self, session: AsyncSession, filled: Filled) -> None:
        self._session = session
        self._filled = filled
        self._now = utc_now()
        self._arrivals = itertools.count(1)
        self._attempts_of: dict[tuple[str, str], Iterator[int]] = {}

    async def all(self) -> None:
        main = await self._course("main", "Введение в рекуррентные нейронные сети: осень 2026, поток 2")
        layer = await self._use(
            main, "lstm-layer", due=2, closes=9, late_percent_per_day=10, limit=12, checks_per_hour=5
        )
        notebook = await self._use(main, "lstm-notebook", due=-2, closes=20, late_percent_per_day=5)
        await self._staff(main)
        students = await self._students(main)
        await self._attempts(students, layer, notebook)
        await self._notebooks(students[20])
        await self._decisions(students, layer)
        await self._regrades(main)
        await self._batch(main, students)
        await self._platforms(main, students, layer)
        await self._others()

    async def _course(self, name: str, title: str, language: str = "ru") -> Course:
        given = {"time_zone": "Europe/Moscow", "retention_days": None, "made_by": "owner"}
        added = await course.add(self._session, title=title, language=language, **given)
        self._filled.courses[name] = added.id
        return added

    async def _use(self, of: Course, assignment_id: str, *, due: int, closes: int, **rules: object) -> CourseAssignment:
        """Args: due, closes: days from now."""
        dates = {name: self._at(days).isoformat() for name, days in (("due", due), ("closes", closes))}
        given = {"rules": {**dates, **rules}, "grade_book_points": 10.0 if assignment_id == "lstm-layer" else None}
        used = await uses.put(self._session, of.id, assignment_id, load_assignments(), given, "Анна Петрова")
        return used.use

    async def _add(self, row: Row) -> Row:
        self._session.add(row)
        await self._session.flush()
        return row

    def _at(self, days: float) -> datetime:
        return self._now + timedelta(days=days)

    def _member(self, of: Course, role: MemberRole, name: str, external_id: str | None, **values: object) -> Membership:
        person = Person(id=new_id(), name=name, email=f"{external_id}@example.edu" if external_id else None)
        given = {"confirmed_at": self._now} | values
        member = Membership(
            id=new_id(), course_id=of.id, person_id=person.id, role=role, external_id=external_id, **given
        )
        member.person = person
        self._session.add_all([person, member])
        return member

    async def _token(self, who: str, member: Membership) -> None:
        await self._session.flush()
        secret = f"lstmg_{secrets.token_urlsafe(24)}"
        roles = {MemberRole.TEACHER: Role.TEACHER, MemberRole.ASSISTANT: Role.ASSISTANT}
        student = member.external_id if member.role == MemberRole.STUDENT else None
        of = {"course_id": member.course_id, "membership_id": member.id, "student": student}
        role = roles.get(member.role, Role.SUBMITTER)
        self._session.add(Token(name=member.person.name or who, role=role, sha256=hash_secret(secret), **of))
        self._filled.tokens[who] = secret
        self._filled.members[who], self._filled.people[who] = member.id, member.person_id

    async def _staff(self, main: Course) -> None:
        teacher = self._member(main, MemberRole.TEACHER, "Анна Петрова", "petrova")
        assistant = self._member(main, MemberRole.ASSISTANT, "Jonas Meyer", "meyer")
        await self._token("teacher", teacher)
        await self._token("assistant", assistant)
        maker = Principal(new_id(), Role.TEACHER, name="Анна Петрова", course_id=main.id)
        expires = self._at(14)
        _, self._filled.join = await joining.make(self._session, maker, group="Б-12", limit=30, expires_at=expires)
        await joining.make(self._session, maker, group=None, limit=None, expires_at=None)
        self._session.add(
            Token(name="Проверка из CI", role=Role.SUBMITTER, sha256=hash_secret(new_id()), course_id=main.id)
        )

    async def _students(self, main: Course) -> list[Membership]:
        students = [
            self._member(main, MemberRole.STUDENT, name, f"s{number:03}", group=f"Б-{10 + number % 12}")
            for number, name in zip(range(STUDENTS), names(), strict=False)
        ]
        for stranger in students[40:43]:
            stranger.confirmed_at, stranger.claimed_id = None, "s007"
        students[44].removed_at = self._at(-1)
        await self._session.flush()
        await self._token("student", students[20])
        await self._token("newcomer", students[100])
        self._filled.members["hostile"] = students[9].id
        return students

    async def _attempts(self, students: list[Membership], layer: CourseAssignment, notebook: CourseAssignment) -> None:
        likely = [Diagnosis(code="dtype_float64", params={}, confidence="likely")]
        wrong, passed, invalid = make_reports.make_report(), make_reports.passed(), make_reports.invalid()
        attack = Advisory(code="attack_on_grader", params={"variant": "frames", "line": 12, "what": "sys._getframe"})
        held = passed.model_copy(update={"advisories": [attack]}).sealed()
        alone = wrong.model_copy(update={"diagnoses": [Diagnosis(code="gru", params={}, confidence="likely")]}).sealed()
        partly = make_reports.make_report(points=60.0, score=0.6, diagnoses=likely)
        one = students[20]
        for name, student, use, days, report in (
            ("wrong", one, layer, -3, wrong),
            ("invalid", one, layer, -2.9, invalid),
            ("partly", one, layer, -2.5, partly),
            ("right", one, layer, -1, passed),
            ("late", one, notebook, -0.5, passed),
            ("hostile", students[9], layer, -2, make_reports.hostile()),
            ("held", students[21], layer, -1.5, held),
            ("decided", students[22], layer, -1.4, held),
            ("internal_error", students[23], layer, -1.2, make_reports.internal_error()),
            ("pair", students[24], layer, -1.1, wrong),
            ("pair_too", students[25], layer, -1.0, wrong),
            ("unconfirmed", students[40], layer, -1.0, partly),
            ("alone", students[28], layer, -1.3, alone),
        ):
            await self._attempt(name, student, use, days, report)
        for number, student in enumerate(students[50:66]):
            report = (wrong, passed, partly, invalid)[number % 4]
            await self._attempt(f"of_{number}", student, layer, -4 + number / 9, report)
        await self._attempt("queued", students[26], layer, -0.001, None)
        cancelled = await self._attempt("cancelled", students[27], layer, -0.4, None)
        cancelled.job_status = JobStatus.CANCELLED

    async def _notebooks(self, student: Membership) -> None:
        """Two notebooks of a student, one with a name as long as they get, and checks before handing in."""
        for name in ("Jupyter", "Colab, " + "очень-длинное-имя-без-пробелов" * 2):
            connected = {"membership_id": student.id, "assignment_id": "lstm-layer", "expires_at": self._at(6)}
            used = {"used_at": self._at(-0.1), "course_id": student.course_id, "student": student.external_id}
            token = Token(name=name[:60], role=Role.SUBMITTER, sha256=hash_secret(new_id()), **connected, **used)
            self._session.add(token)
        wrong = make_reports.make_report()
        no_points = {"points": 0.0, "max_points": 0.0}
        report = wrong.model_copy(
            update={
                "points": None, "max_points": 0.0, "score": None,
                "checks": [each.model_copy(update=no_points) for each in wrong.checks],
                "advisories": [Advisory(code="check_only"), *wrong.advisories],
            }
        ).sealed()  # fmt: skip
        for name, stored in (("done", report.model_dump(mode="json")), ("waiting", None)):
            check = Check(
                id=new_id(),
                membership_id=student.id,
                assignment_id="lstm-layer",
                filename="LSTM.py",
                sha256=hashlib.sha256(WRONG.read_bytes()).hexdigest(),
                submitted_by=student.id,
                job_status=JobStatus.DONE if stored else JobStatus.QUEUED,
                content=None if stored else WRONG.read_bytes(),
                report=stored,
            )
            self._filled.checks[name] = check.id
            self._session.add(check)

    async def _attempt(
        self, name: str, student: Membership, use: CourseAssignment, days: float, report: Report | None
    ) -> Submission:
        """Args: name: for the tests. days: from now."""
        content = (RIGHT if report and report.status == "passed" else WRONG).read_bytes()
        at = self._at(days)
        submission = Submission(
            id=new_id(),
            membership_id=student.id,
            course_assignment_id=use.id,
            course_id=student.course_id,
            student=student.external_id,
            assignment_id=use.assignment_id,
            attempt=next(self._attempts_of.setdefault((student.id, use.id), itertools.count(1))),
            filename=_stored(report.submission.filename) if report else "LSTM.py",
            sha256=hashlib.sha256(content).hexdigest(),
            content=content,
            submitted_by=student.id,
            created_at=at,
            arrival=next(self._arrivals),
            job_status=JobStatus.DONE if report else JobStatus.QUEUED,
            started_at=at if report else None,
            finished_at=at + timedelta(seconds=3) if report else None,
            held_at=at if name in ("held", "decided") else None,
        )
        if report is not None and days < -1.05:  # The others are from before code was compared.
            submission.code_form = submission.sha256
            submission.code_text = hashlib.sha256(f"{submission.sha256}{submission.attempt}".encode()).hexdigest()
            submission.code_statements = 14
        if name == "decided":
            submission.hold_decision, submission.hold_reason = HoldDecision.ACCEPTED, "Разобрала с автором: всё своё."
            submission.hold_decided_by, submission.hold_decided_at = "Анна Петрова", self._now
        self._filled.submissions[name] = submission.id
        await self._add(submission)
        self._session.add(SubmissionEvent(submission_id=submission.id, event="queued", data={}, created_at=at))
        if report is not None:
            await self._report(submission, report)
        return submission

    async def _report(self, submission: Submission, report: Report, preview: Regrade | None = None) -> StoredReport:
        stored = StoredReport(
            submission_id=submission.id,
            created_at=submission.finished_at,
            status=report.status.value,
            points=report.points,
            max_points=report.max_points,
            body=report.model_dump(mode="json"),
            preview_id=preview.id if preview else None,
        )
        await self._add(stored)
        codes = sorted({diagnosis.code for diagnosis in report.diagnoses})
        self._session.add_all(ReportDiagnosis(report_id=stored.id, code=code) for code in codes)
        return stored

    async def _decisions(self, students: list[Membership], layer: CourseAssignment) -> None:
        """An extension, adjustments, comments and requests for review."""
        assignments, by = load_assignments(), {"made_by": "Анна Петрова"}
        for student in students[20], students[100]:
            more = {"due": self._at(5), "closes": None, "more_attempts": 2, "reason": "Болезнь, справка до 3 декабря."}
            await extensions.put(self._session, student, layer, **more, **by)
        for student, change in ((students[20], -5.0), (students[50], 10.0)):
            given = {"delta": change, "reason": "За объяснение у доски, см. переписку."}
            await adjustments.adjust(self._session, assignments, StudentWork(student, layer), **given, **by)
        for text in "Почти всё верно: посмотрите на порядок вентилей.", OTHERS[9]:
            about = {"submission_id": self._filled.submissions["wrong"]}
            await comments.add(self._session, StudentWork(students[20], layer), text, **about, **by)
        for name, text in (("wrong", "Мне кажется, проверка ошиблась."), ("hostile", make_reports.HOSTILE)):
            asked = ReviewRequest(id=new_id(), submission_id=self._filled.submissions[name], text=_stored(text))
            self._session.add(asked)
            self._filled.reviews[name] = asked.id
        answered = ReviewRequest(id=new_id(), submission_id=self._filled.submissions["pair"], text="Почему 10 баллов?")
        answered.answer, answered.answered_by, answered.answered_at = "Ошибка одна.", "Анна Петрова", self._now
        self._session.add(answered)

    async def _regrades(self, main: Course) -> None:
        """A preview that is ready, one that runs, and a regrade that is over."""
        for name, is_preview, names in (
            ("preview", True, ("wrong", "partly", "right", "of_1", "of_2")),
            ("running", True, ("of_3", "of_4")),
            ("over", False, ("pair", "pair_too")),
        ):
            meant = [self._filled.submissions[each] for each in names]
            by = {"requested_by": self._filled.members["teacher"], "is_preview": is_preview, "course": main.id}
            regrade = await regrades.begin(self._session, choice=meant, selection={"submissions": meant}, **by)
            self._filled.regrades[name] = regrade.id
            if name == "running":
                continue
            items = await self._session.scalars(select(RegradeItem).where(RegradeItem.regrade_id == regrade.id))
            for item in items.all():
                submission = await self._session.get_one(Submission, item.submission_id)
                report = make_reports.passed() if item.submission_id == meant[0] else make_reports.make_report()
                stored = await self._report(submission, report, regrade if is_preview else None)
                item.new_report_id, submission.job_status = stored.id, JobStatus.DONE
                item.job_status = JobStatus.DONE if is_preview else None

    async def _batch(self, main: Course, students: list[Membership]) -> None:
        """An archive of which one file was handed in, one has no owner, and one was there before."""
        of = {"course_id": main.id, "assignment_id": "lstm-layer", "made_by": "Анна Петрова"}
        archive = await self._add(Batch(filename="Сдано.zip", read_at=self._now, **of))
        pair = self._filled.submissions["pair"]
        handed_in = {"matched_by": "name", "membership_id": students[24].id, "submission_id": pair}
        for name, state, values in (
            (OTHERS[1], BatchFileState.HANDED_IN, handed_in),
            (_stored(OTHERS[9]), BatchFileState.UNMATCHED, {"content": RIGHT.read_bytes()}),
            ("Иванов Иван", BatchFileState.DUPLICATE, handed_in),
        ):
            named = {"path": f"{name}_123_assignsubmission_file/LSTM.py", "filename": "LSTM.py", "name": name}
            self._session.add(BatchFile(batch_id=archive.id, state=state, **named, **values))
        self._filled.batches["done"] = archive.id

    async def _platforms(self, main: Course, students: list[Membership], layer: CourseAssignment) -> None:
        """A platform with a course here, whose grade book refuses some grades; and one that has registered itself."""
        url = "https://moodle.example.edu"
        for name, client_id, title in (("active", "dsTBAF9Qo2LgSFB", OTHERS[0]), ("unconfirmed", "x" * 200, OTHERS[9])):
            said = Registration(title, url, client_id, f"{url}/auth", f"{url}/token", f"{url}/keys", ("1",))
            platform = await platforms.add(self._session, said, made_by="owner", confirmed=name == "active")
            self._filled.platforms[name] = platform.id
        for name in ("open", "used"):
            invitation = await invitations.make(self._session, made_by="owner")
            self._filled.invitations[name] = invitation.path.rpartition("/")[2]
        await invitations.take(self._session, self._filled.invitations["used"])
        context = LtiContext(
            platform_id=self._filled.platforms["active"],
            deployment_id="1",
            context_id="7",
            course_id=main.id,
            title=main.title,
            memberships_url=f"{url}/members",
            made_by="Moodle",
            checked_at=self._now,
            check_error=_stored(make_reports.HOSTILE[:400]),
        )
        await self._add(context)
        granted = {"granted": [SCORE_SCOPE, RESULT_SCOPE]}
        for number, (title, use_id, scopes) in enumerate(
            (("LSTM своими руками", layer.id, granted), (OTHERS[9], None, {}), (None, None, granted))
        ):
            said = {"resource_link_id": str(number), "title": title, "scopes": scopes}
            link = await self._add(LtiLink(lti_context_id=context.id, course_assignment_id=use_id, **said))
            for place, student in enumerate(students[20:25] if number == 0 else []):
                score = LtiScore(lti_link_id=link.id, membership_id=student.id, user_id=str(place))
                counted = await counted_grade(self._session, load_assignments(), student, layer)
                if place % 2:
                    score.failed_at, score.last_status, score.last_error = self._now, 404, make_reports.HOSTILE[:400]
                else:
                    # Another grade than the one here would be sent when the service starts.
                    score.points, score.max_points = counted.grade_book, counted.grade_book_max
                    score.delivered_at = score.differs_since = score.mended_at = self._now
                    score.there_points, score.there_max = (None, 10.0) if place else (80.25, 100.0)
                score.last_error = score.last_error and _stored(score.last_error)
                self._session.add(score)
        asked = {"lti_context_id": context.id, "membership_id": self._filled.members["teacher"]}
        back = {"return_url": f"{url}/back", "takes_lineitem": True, "expires_at": self._at(1)}
        selection = await self._add(LtiSelection(**asked, **back))
        self._filled.platforms["selection"] = selection.id

    async def _others(self) -> None:
        """A course of somebody else, one that is over, and one in which nothing is yet."""
        other = await self._course("other", "Deep learning (evening group)", "en")
        await self._token("foreign", self._member(other, MemberRole.TEACHER, "Mary Major", "major"))
        over = await self._course("archived", "Введение в рекуррентные сети: весна 2026")
        use = await self._use(over, "lstm-layer", due=-200, closes=-190)
        await self._token("emeritus", self._member(over, MemberRole.TEACHER, "Анна Петрова", "petrova"))
        student = self._member(over, MemberRole.STUDENT, "Иванов Пётр", "s1")
        await self._session.flush()
        await self._attempt("archived", student, use, -210, make_reports.make_report())
        over.archived_at = self._at(-100)
        empty = await self._course("empty", "Глубокое обучение, весна 2027")
        await self._token("beginner", self._member(empty, MemberRole.TEACHER, "Мария Новикова", "novikova"))
