"""Courses by the API: who sees which, and what changes."""

from pathlib import Path

from app.settings import Settings
from app.storage.models import DEFAULT_COURSE, new_id
from grader.assignment import BUILT_IN
from tests.unit.app.calls import assert_problem
from tests.unit.app.conftest import OWNER_TOKEN, FakeGrader, Service, running
from tests.unit.app.two_courses import OTHER, get

COURSES = "/api/v1/courses"


async def test_everybody_sees_the_own_course_and_an_admin_all(two: Service) -> None:
    for token, expected in (
        (OWNER_TOKEN, {DEFAULT_COURSE, OTHER}),
        ("teacher-there", {OTHER}),
        ("ivanov-here", {DEFAULT_COURSE}),
    ):
        listed = (await get(two, token, COURSES)).json()
        assert {each["id"] for each in listed["items"]} == expected
    first = (await get(two, OWNER_TOKEN, COURSES, limit=1)).json()
    rest = (await get(two, OWNER_TOKEN, COURSES, limit=1, cursor=first["next_cursor"])).json()
    assert [each["id"] for page in (first, rest) for each in page["items"]] == [OTHER, DEFAULT_COURSE]
    assert_problem(await get(two, "teacher-there", f"{COURSES}/{DEFAULT_COURSE}"), 404, "course-not-found")
    assert_problem(await get(two, OWNER_TOKEN, f"{COURSES}/{new_id()}"), 404, "course-not-found")
    answer = await get(two, OWNER_TOKEN, f"{COURSES}/{OTHER}", course=DEFAULT_COURSE)
    assert_problem(answer, 404, "course-not-found")


async def test_admin_makes_a_course_once_for_each_key(service: Service) -> None:
    body = {"title": "Сети", "language": "ru", "time_zone": "Europe/Moscow"}
    async with service.client(**{"Idempotency-Key": "k"}) as owner:
        new, again = [(await owner.post(COURSES, json=body)).json() for _ in range(2)]
        assert new == again
        assert body.items() <= new.items()
        assert_problem(await owner.post(COURSES, json={"title": "x"}), 422, "idempotency-key-reused")
    async with service.client() as owner:
        assert (await owner.get("/api/v1/assignments", params={"course": new["id"]})).json()["items"] == []


async def test_teacher_changes_the_own_course_and_not_how_long_data_stays(two: Service) -> None:
    async with two.client("teacher-there") as teacher:
        changed = (await teacher.patch(f"{COURSES}/{OTHER}", json={"title": "Сети, осень"})).json()
        assert (changed["title"], changed["language"]) == ("Сети, осень", "ru")
        assert_problem(await teacher.patch(f"{COURSES}/{OTHER}", json={"retention_days": 5}), 403, "forbidden")
        assert_problem(await teacher.patch(f"{COURSES}/{DEFAULT_COURSE}", json={"title": "x"}), 404, "course-not-found")
        assert_problem(await teacher.patch(f"{COURSES}/{OTHER}", json={"title": None}), 422, "invalid-request")
        assert_problem(await teacher.patch(f"{COURSES}/{OTHER}", json={"time_zone": "Mars"}), 422, "invalid-request")
    async with two.client() as owner:
        kept = (await owner.patch(f"{COURSES}/{OTHER}", json={"retention_days": 5})).json()
    assert kept["retention_days"] == 5


async def test_archived_course_only_opens_again(two: Service) -> None:
    async with two.client("teacher-there") as teacher:
        here = f"{COURSES}/{OTHER}"
        archived = (await teacher.patch(here, json={"archived": True})).json()
        assert archived["archived_at"] is not None
        again = (await teacher.patch(here, json={"archived": True})).json()
        assert again == archived
        assert_problem(await teacher.patch(here, json={"title": "x"}), 403, "course-archived")
        assert_problem(await teacher.patch(here, json={"title": "x", "archived": True}), 403, "course-archived")
        course = (await teacher.patch(here, json={"title": "x", "archived": False})).json()
        assert (course["title"], course["archived_at"]) == ("x", None)


async def test_course_is_copied_with_rules_and_staff_and_without_students(two: Service) -> None:
    here = f"{COURSES}/{OTHER}"
    async with two.client() as owner:
        rules = {"due": "2026-10-01T20:59:00Z", "limit": 3}
        await owner.patch(f"{here}/assignments/lstm-layer", json={"title": "Неделя 3", "rules": rules})
        await owner.post(f"{here}/members", json={"external_id": "petrova", "role": "assistant", "name": "Анна"})
        gone = (await owner.post(f"{here}/members", json={"external_id": "gone", "role": "teacher"})).json()
        await owner.post(f"{here}/members/{gone['id']}/remove")
    async with two.client("teacher-there", **{"Idempotency-Key": "k"}) as teacher:
        await teacher.patch(here, json={"archived": True})
        body = {"title": "Сети, весна", "shift_days": 182}
        new, again = [(await teacher.post(f"{here}/copy", json=body)).json() for _ in range(2)]
        assert new == again
        assert_problem(await teacher.get(f"{COURSES}/{new['id']}"), 404, "course-not-found")
        assert_problem(await teacher.post(f"{COURSES}/{DEFAULT_COURSE}/copy", json=body), 404, "course-not-found")
    assert (new["title"], new["time_zone"], new["archived_at"]) == ("Сети, весна", "Europe/Moscow", None)
    async with two.client() as owner:
        (use,) = (await owner.get(f"{COURSES}/{new['id']}/assignments")).json()["items"]
        assert (use["title"], use["rules"]["due"], use["rules"]["limit"]) == ("Неделя 3", "2027-04-01T20:59:00Z", 3)
        (member,) = (await owner.get(f"{COURSES}/{new['id']}/members")).json()["items"]
        assert (member["external_id"], member["role"], member["name"]) == ("petrova", "assistant", "Анна")
        changes = (await owner.get(f"{COURSES}/{new['id']}/changes")).json()["items"]
        assert member["id"] in [each["subject_id"] for each in changes]
        everything = (
            await owner.post(f"{COURSES}/{DEFAULT_COURSE}/copy", json={"title": "x", "shift_days": None})
        ).json()
        listed = (await owner.get(f"{COURSES}/{everything['id']}/assignments")).json()["items"]
        assert {"lstm-layer", "lstm-notebook"} <= {each["assignment"] for each in listed}


async def test_dates_of_an_assignment_are_moved_too(settings: Settings, grader: FakeGrader, tmp_path: Path) -> None:
    plain = (BUILT_IN / "lstm-layer.toml").read_text(encoding="utf-8")
    dated = "[deadline]\ndue = 2026-10-01T20:59:00Z\nlate_percent_per_day = 10\n"
    (tmp_path / "dated.toml").write_text(plain + dated, encoding="utf-8")
    async with (
        running(settings.model_copy(update={"assignments_dir": tmp_path}), grader) as service,
        service.client() as owner,
    ):
        body = {"title": "Сети, осень", "shift_days": 364}
        copy = (await owner.post(f"{COURSES}/{DEFAULT_COURSE}/copy", json=body)).json()
        listed = (await owner.get(f"{COURSES}/{copy['id']}/assignments")).json()["items"]
    (use,) = [each for each in listed if each["assignment"] == "lstm-layer"]
    assert (use["rules"]["due"], use["rules"]["late_percent_per_day"]) == ("2027-09-30T20:59:00Z", 10)
    assert use["set_here"] == ["due"]
