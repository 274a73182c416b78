"""The assignments of a course by the API: dates and rules, and the log of who set them."""

from typing import Any

import pytest

from app.storage.models import DEFAULT_COURSE
from tests.unit.app.calls import assert_problem
from tests.unit.app.conftest import OWNER_TOKEN, Service
from tests.unit.app.two_courses import OTHER, get, submit

USES = f"/api/v1/courses/{OTHER}/assignments"
LAYER = f"{USES}/lstm-layer"


async def test_list_says_what_holds_and_what_the_course_sets(two: Service) -> None:
    async with two.client("teacher-there") as teacher:
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


async def test_course_uses_a_file_and_stops_while_nobody_handed_in(two: Service) -> None:
    notebook = f"{USES}/lstm-notebook"
    async with two.client("teacher-there") as teacher:
        problem = assert_problem(await teacher.put(f"{USES}/lstm", json={}), 422, "unknown-assignment")
        assert "lstm-layer" in problem["known"]
        assert_problem(await teacher.patch(notebook, json={"title": "x"}), 404, "assignment-not-found")
        assert_problem(await teacher.delete(notebook), 404, "assignment-not-found")
        assert (await teacher.put(notebook, json={})).status_code == 200
        assert (await submit(two, "script-there", assignment="lstm-notebook")).status_code == 200
        problem = assert_problem(await teacher.delete(notebook), 409, "assignment-in-use")
        assert problem["submissions"] == 1
        assert (await teacher.delete(LAYER)).status_code == 204
    assert (await submit(two, "script-there")).json()["known"] == ["lstm-notebook"]


async def test_default_course_uses_every_file_and_takes_rules_of_its_own(two: Service) -> None:
    here = f"/api/v1/courses/{DEFAULT_COURSE}/assignments"
    async with two.client("teacher-here") as teacher:
        ids = {each["assignment"] for each in (await teacher.get(here)).json()["items"]}
        assert ids >= {"lstm-layer", "lstm-notebook"}
        set_to = (await teacher.patch(f"{here}/lstm-layer", json={"rules": {"limit": 1}})).json()
        assert (set_to["set_here"], set_to["rules"]["limit"]) == (["limit"], 1)
        assert (await teacher.delete(f"{here}/lstm-layer")).status_code == 204
        assert (await teacher.get(f"{here}/lstm-layer")).json()["set_here"] == []
        assert_problem(await teacher.get(f"{here}/nothing"), 404, "assignment-not-found")


@pytest.mark.parametrize(
    "rules",
    [
        {"opens": "2030-01-02T00:00:00Z", "due": "2030-01-02T00:00:00Z"},
        {"due": "2030-01-02T00:00:00Z", "closes": "2030-01-01T00:00:00Z"},
        {"opens": "2030-01-02T00:00:00Z", "closes": "2030-01-01T00:00:00Z"},
    ],
    ids=lambda rules: "-".join(rules),
)
async def test_dates_that_contradict_each_other_are_refused_and_change_nothing(two: Service, rules: Any) -> None:
    (name, moment), *_ = rules.items()
    async with two.client("teacher-there") as teacher:
        for change in (teacher.put, teacher.patch):
            problem = assert_problem(await change(LAYER, json={"rules": rules}), 422, "rules-contradictory")
            assert problem["closes"] == (rules["closes"].replace("Z", "+00:00") if "closes" in rules else None)
        # The other date may be there already.
        assert (await teacher.patch(LAYER, json={"rules": {name: moment}})).status_code == 200
        assert_problem(await teacher.patch(LAYER, json={"rules": rules}), 422, "rules-contradictory")
        assert (await teacher.get(LAYER)).json()["set_here"] == [name]


async def test_rules_that_cannot_be_are_refused(two: Service) -> None:
    async with two.client("teacher-there") as teacher:
        late = await teacher.put(LAYER, json={"rules": {"late_percent_per_day": 10}})
        assert_problem(late, 422, "late-without-due")
        for wrong in ({"limit": 0}, {"due": "tomorrow"}, {"counts": "worst"}, {"dew": None}):
            assert_problem(await teacher.put(LAYER, json={"rules": wrong}), 422, "invalid-request")
        # An integer of JSON Schema: 5.0 is one.
        for limit in ("5", True, 2.5):
            assert_problem(await teacher.put(LAYER, json={"rules": {"limit": limit}}), 422, "invalid-request")
        assert (await teacher.put(LAYER, json={"rules": {"limit": 5.0}})).json()["rules"]["limit"] == 5


async def test_log_says_who_changed_what(two: Service) -> None:
    async with two.client("teacher-there") as teacher:
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
