"""Courses and their assignments by the API: who sees which, what changes, and the log of it."""

from collections.abc import AsyncIterator

import pytest

from app.storage.models import DEFAULT_COURSE, Course, Membership, new_id
from grader.assignment import BUILT_IN
from tests.unit.app.calls import assert_problem, get, submit_by
from tests.unit.app.conftest import OTHER, OWNER_TOKEN, Browser, Service, running

COURSES = "/api/v1/courses"


@pytest.fixture
async def teacher(two: Service) -> AsyncIterator[Browser]:
    """A program of a teacher of the other course."""
    async with two.client("teacher-there") as teacher:
        yield teacher


async def test_everybody_sees_the_own_course_and_an_admin_all(two):
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


async def test_teacher_changes_the_own_course_and_not_how_long_data_stays(two, teacher, owner):
    changed = (await teacher.patch(f"{COURSES}/{OTHER}", json={"title": "Сети, осень"})).json()
    assert (changed["title"], changed["language"]) == ("Сети, осень", "ru")
    assert_problem(await teacher.patch(f"{COURSES}/{OTHER}", json={"retention_days": 5}), 403, "forbidden")
    assert_problem(await teacher.patch(f"{COURSES}/{DEFAULT_COURSE}", json={"title": "x"}), 404, "course-not-found")
    assert_problem(await teacher.patch(f"{COURSES}/{OTHER}", json={"title": None}), 422, "invalid-request")
    assert_problem(await teacher.patch(f"{COURSES}/{OTHER}", json={"time_zone": "Mars"}), 422, "invalid-request")
    kept = (await owner.patch(f"{COURSES}/{OTHER}", json={"retention_days": 5})).json()
    assert kept["retention_days"] == 5


async def test_archived_course_only_opens_again(two, teacher):
    here = f"{COURSES}/{OTHER}"
    archived = (await teacher.patch(here, json={"archived": True})).json()
    assert archived["archived_at"] is not None
    again = (await teacher.patch(here, json={"archived": True})).json()
    assert again == archived
    assert_problem(await teacher.patch(here, json={"title": "x"}), 403, "course-archived")
    assert_problem(await teacher.patch(here, json={"title": "x", "archived": True}), 403, "course-archived")
    course = (await teacher.patch(here, json={"title": "x", "archived": False})).json()
    assert (course["title"], course["archived_at"]) == ("x", None)


async def test_course_is_copied_with_rules_and_staff_and_without_students(two, owner):
    here = f"{COURSES}/{OTHER}"
    rules = {"due": "2026-10-01T20:59:00Z", "limit": 3}
    await owner.patch(f"{here}/assignments/lstm-layer", json={"title": "Неделя 3", "rules": rules})
    await owner.post(f"{here}/members", json={"external_id": "petrova", "role": "assistant", "name": "Анна"})
    await two.store(Membership, Membership.external_id == "petrova", confirmed_at=None)
    await two.store(Course, Course.id == OTHER, retention_days=90.0)
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
    assert new["retention_days"] == 90
    (use,) = (await owner.get(f"{COURSES}/{new['id']}/assignments")).json()["items"]
    assert (use["title"], use["rules"]["due"], use["rules"]["limit"]) == ("Неделя 3", "2027-04-01T20:59:00Z", 3)
    (member,) = (await owner.get(f"{COURSES}/{new['id']}/members")).json()["items"]
    assert (member["external_id"], member["role"], member["name"]) == ("petrova", "assistant", "Анна")
    assert member["confirmed_at"] is not None
    changes = (await owner.get(f"{COURSES}/{new['id']}/changes")).json()["items"]
    assert member["id"] in [each["subject_id"] for each in changes]
    everything = (await owner.post(f"{COURSES}/{DEFAULT_COURSE}/copy", json={"title": "x", "shift_days": None})).json()
    listed = (await owner.get(f"{COURSES}/{everything['id']}/assignments")).json()["items"]
    assert {"lstm-layer", "lstm-notebook"} <= {each["assignment"] for each in listed}


async def test_dates_of_an_assignment_are_moved_too(settings, grader, tmp_path):
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


USES = f"/api/v1/courses/{OTHER}/assignments"
LAYER = f"{USES}/lstm-layer"


async def test_list_says_what_holds_and_what_the_course_sets(two, teacher):
    body = {"title": "Неделя 3", "grade_book_points": 10, "rules": {"due": "2030-01-01T00:00:00Z", "limit": 5}}
    put = (await teacher.put(LAYER, json=body)).json()
    assert (put["title"], put["grade_book_points"], put["max_points"]) == ("Неделя 3", 10, 100)
    assert put["set_here"] == ["title", "grade_book_points", "due", "limit"]
    assert [put["rules"][name] for name in ("due", "limit", "counts")] == ["2030-01-01T00:00:00Z", 5, "best"]
    changed = (await teacher.patch(LAYER, json={"rules": {"counts": "last"}, "as_in_file": ["limit"]})).json()
    assert changed["set_here"] == ["title", "grade_book_points", "counts", "due"]
    assert (changed["rules"]["limit"], changed["rules"]["counts"]) == (None, "last")
    again = (await teacher.put(LAYER, json={})).json()
    assert (again["set_here"], again["rules"]["due"]) == ([], None)
    for token in ("teacher-there", "ivanov-there", "script-there"):
        listed = (await get(two, token, USES)).json()["items"]
        assert listed == [(await get(two, token, LAYER)).json()]
        assert [each["assignment"] for each in listed] == ["lstm-layer"]


async def test_course_uses_a_file_and_stops_while_nobody_handed_in(two, teacher):
    notebook = f"{USES}/lstm-notebook"
    problem = assert_problem(await teacher.put(f"{USES}/lstm", json={}), 422, "unknown-assignment")
    assert "lstm-layer" in problem["known"]
    assert_problem(await teacher.patch(notebook, json={"title": "x"}), 404, "assignment-not-found")
    assert_problem(await teacher.delete(notebook), 404, "assignment-not-found")
    assert (await teacher.put(notebook, json={})).status_code == 200
    assert (await submit_by(two, "script-there", assignment="lstm-notebook")).status_code == 200
    problem = assert_problem(await teacher.delete(notebook), 409, "assignment-in-use")
    assert problem["submissions"] == 1
    assert (await teacher.delete(LAYER)).status_code == 204
    assert (await submit_by(two, "script-there")).json()["known"] == ["lstm-notebook"]


async def test_default_course_uses_every_file_and_takes_rules_of_its_own(two):
    here = f"/api/v1/courses/{DEFAULT_COURSE}/assignments"
    async with two.client("teacher-here") as teacher:
        ids = {each["assignment"] for each in (await teacher.get(here)).json()["items"]}
        assert ids >= {"lstm-layer", "lstm-notebook"}
        set_to = (await teacher.patch(f"{here}/lstm-layer", json={"rules": {"limit": 1}})).json()
        assert (set_to["set_here"], set_to["rules"]["limit"]) == (["limit"], 1)
        assert (await teacher.delete(f"{here}/lstm-layer")).status_code == 204
        assert (await teacher.get(f"{here}/lstm-layer")).json()["set_here"] == []
        assert_problem(await teacher.get(f"{here}/nothing"), 404, "assignment-not-found")


async def test_dates_that_contradict_each_other_are_refused_and_change_nothing(two, teacher):
    due, closes = {"due": "2030-01-02T00:00:00Z"}, {"closes": "2030-01-01T00:00:00Z"}
    for change in (teacher.put, teacher.patch):
        problem = assert_problem(await change(LAYER, json={"rules": due | closes}), 422, "rules-contradictory")
        assert (problem["opens"], problem["closes"]) == (None, "2030-01-01T00:00:00+00:00")
    # The other date may be there already.
    assert (await teacher.patch(LAYER, json={"rules": due})).status_code == 200
    assert_problem(await teacher.patch(LAYER, json={"rules": closes}), 422, "rules-contradictory")
    assert (await teacher.get(LAYER)).json()["set_here"] == ["due"]


async def test_rules_that_cannot_be_are_refused(two, teacher):
    late = await teacher.put(LAYER, json={"rules": {"late_percent_per_day": 10}})
    assert_problem(late, 422, "late-without-due")
    for wrong in ({"limit": 0}, {"due": "tomorrow"}, {"counts": "worst"}, {"dew": None}):
        assert_problem(await teacher.put(LAYER, json={"rules": wrong}), 422, "invalid-request")
    # An integer of JSON Schema: 5.0 is one.
    for limit in ("5", True, 2.5):
        assert_problem(await teacher.put(LAYER, json={"rules": {"limit": limit}}), 422, "invalid-request")
    assert (await teacher.put(LAYER, json={"rules": {"limit": 5.0}})).json()["rules"]["limit"] == 5


async def test_log_says_who_changed_what(two, teacher):
    await teacher.patch(LAYER, json={"rules": {"limit": 5}})
    await teacher.patch(LAYER, json={"rules": {"limit": 5}})  # Nothing changed.
    await teacher.patch(f"/api/v1/courses/{OTHER}", json={"title": "Сети, осень"})
    await teacher.delete(LAYER)
    here = f"/api/v1/courses/{OTHER}/changes"
    pages = [(await teacher.get(here, params={"limit": 2})).json()]
    pages.append((await teacher.get(here, params={"limit": 2, "cursor": pages[0]["next_cursor"]})).json())
    items = [each for page in pages for each in page["items"]]
    assert [(each["subject"], each["before"], each["after"]) for each in items] == [
        ("assignment", {"assignment": "lstm-layer", "limit": 5}, {}),
        ("course", {"title": "Сети"}, {"title": "Сети, осень"}),
        ("assignment", {}, {"limit": 5}),
    ]
    assert {each["made_by"] for each in items} == {"test"}
    assert pages[1]["next_cursor"] is None
    assert_problem(await get(two, "ivanov-there", here), 403, "forbidden")
    assert_problem(await get(two, "teacher-here", here), 404, "course-not-found")
    assert (await get(two, OWNER_TOKEN, f"/api/v1/courses/{DEFAULT_COURSE}/changes")).json()["items"] == []
