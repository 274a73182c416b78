"""Previews of regrades over the API: what staff see, what a student does not, and who may apply or drop."""

from sqlalchemy import select

from app.storage.models import CourseAssignment
from grader import Status
from tests.unit.app.api.test_teaching_api import REGRADES, regraded
from tests.unit.app.calls import assert_problem, submit
from tests.unit.app.conftest import Browser, FakeGrader, Service


async def test_student_sees_a_preview_when_it_is_applied(service: Service, owner: Browser, grader: FakeGrader) -> None:
    await service.add_token("of-ivanov", student="ivanov")
    grader.statuses = [Status.FAILED, Status.PASSED]
    async with service.client("of-ivanov") as student:
        here = (await submit(student))["links"]["self"]
        before = await student.get(here)
        done = await regraded(owner, preview=True, submissions=[before.json()["id"]])
        during = await student.get(here, params={"wait": 1})
        assert (during.json(), during.headers["etag"]) == (before.json(), before.headers["etag"])
        events = (await student.get(f"{here}/events")).text
        assert events.count("event: queued") == events.count("event: done") == 1
        assert (done["preview"], done["changed"], done["applied_at"]) == (True, 1, None)
        (item,) = (await owner.get(f"{done['link']}/submissions", params={"changed": True})).json()["items"]
        assert (item["before"]["points"], item["after"]["points"], item["applied"]) == (10.0, 100.0, None)
        report = f"{here}/reports/{item['after']['report']}"
        for path in (report, item["changes"], f"{report}/pictures"):
            assert (await student.get(path)).status_code == 404, path
            assert (await owner.get(path)).status_code == 200, path
        assert len((await student.get(f"{here}/reports")).json()["items"]) == 1
        statistics = (await owner.get("/api/v1/assignments/lstm-layer/statistics")).json()
        assert statistics["statuses"] == {"failed": 1}

        applied = (await owner.post(f"{done['link']}/apply")).json()
        assert applied["applied_at"]
        assert (await owner.post(f"{done['link']}/apply")).json() == applied
        assert (await student.get(here)).json()["report"]["points"] == 100.0
        assert (await student.get(report)).status_code == 200
        assert_problem(await owner.post(f"{done['link']}/drop"), 409, "preview-applied")


async def test_preview_that_is_not_done_is_dropped_and_not_applied(owner: Browser, grader: FakeGrader) -> None:
    here = (await submit(owner))["links"]["self"]
    grader.released.clear()
    begun = (await owner.post(REGRADES, json={"all": True, "preview": True})).json()
    problem = assert_problem(await owner.post(f"{begun['link']}/apply"), 409, "preview-unfinished")
    assert (problem["done"], problem["total"]) == (0, 1)
    assert_problem(await owner.post(f"{here}/cancel"), 409, "not-cancellable")
    dropped = (await owner.post(f"{begun['link']}/drop")).json()
    assert dropped["dropped_at"]
    grader.released.set()
    assert_problem(await owner.post(f"{begun['link']}/apply"), 409, "preview-dropped")
    assert (await owner.post(f"{begun['link']}/drop")).json() == dropped
    normal = (await owner.post(REGRADES, json={"all": True})).json()
    for end in ("apply", "drop"):
        assert_problem(await owner.post(f"{normal['link']}/{end}"), 409, "regrade-not-preview")
        assert_problem(await owner.post(f"{REGRADES}/nothing/{end}"), 404, "regrade-not-found")


async def test_points_are_shown_by_rules_of_the_course(service: Service, owner: Browser, grader: FakeGrader) -> None:
    grader.statuses = [Status.FAILED, Status.PASSED]
    await submit(owner)
    async with service.services.database.write() as session:
        use = (await session.scalars(select(CourseAssignment))).one()
        use.rules = {"due": "2020-01-01T00:00:00Z", "late_percent_per_day": 50, "late_percent_max": 50}
    done = await regraded(owner, preview=True, all=True)
    (item,) = (await owner.get(f"{done['link']}/submissions")).json()["items"]
    await regraded(owner, all=True)
    assert (await owner.post(f"{done['link']}/apply")).json()["superseded"] == 1
    assert [item[each]["points"] for each in ("before", "after")] == [10.0, 100.0]
    assert [item[each]["points_after_rules"] for each in ("before", "after")] == [5.0, 50.0]
