"""A course begins, changes, is copied, archived and deleted, in pages."""

import re

import pytest

from app.courses import members
from app.storage.models import Course, MemberRole, Person, Role
from tests.unit.app.calls import COURSE, hand_in, said, send

RULES = f"{COURSE}/settings/assignments/lstm-layer"


async def test_new_course_leads_to_the_steps_until_students_can_hand_in(browser):
    fields = {"title": "Сети <b>", "language": "ru", "time_zone": "Europe/Moscow", "assignment": ["lstm-layer"]}
    created = await send(browser, "/courses/new", **fields)
    assert said(created) == "course.made"
    start = await browser.get(created.headers["location"])
    assert "Сети &lt;b&gt;" in start.text
    assert "/settings/assignments/lstm-layer" in start.text
    assert "/roster" in start.text
    assert "Сети &lt;b&gt;" in (await browser.get("/courses")).text


async def test_dates_lead_back_to_the_steps_until_there_are_students(browser, owner):
    before = await send(browser, RULES, due="2030-10-01T23:59")
    assert before.headers["location"] == f"{COURSE}/start?said=assignment.changed"
    await owner.post(f"/api/v1{COURSE}/members", json={"external_id": "anna", "name": "Anna"})
    after = await send(browser, RULES, due="2030-10-02T23:59")
    assert after.headers["location"] == f"{COURSE}/settings?said=assignment.changed"


async def test_first_course_is_offered_until_there_is_one(service, browser):
    await service.add_token("teacher", Role.TEACHER)
    async with service.browser("teacher") as teacher:
        assert "Begin with a course" in (await browser.get("/")).text
        assert "Begin with a course" in (await browser.get("/courses")).text
        theirs = (await teacher.get("/courses")).text
        assert "Begin with a course" not in theirs
        assert 'href="/people"' not in theirs
        await send(browser, "/courses/new", title="First", language="en", time_zone="UTC")
        shown = (await browser.get("/courses")).text
        assert "Begin with a course" not in shown
        assert 'href="/people"' in shown
        home = (await browser.get("/")).text
        assert "Begin with a course" not in home
        assert 'href="/courses/new"' in home
        assert "First" not in (await teacher.get("/courses")).text


async def test_person_sees_the_own_courses_with_the_own_part_in_each(service, owner):
    course = (await owner.post("/api/v1/courses", json={"title": "Second"})).json()["id"]
    other = (await owner.post("/api/v1/courses", json={"title": "Third"})).json()["id"]
    member = await owner.post(f"/api/v1{COURSE}/members", json={"external_id": "anna", "name": "Anna"})
    async with service.services.database.write() as session:
        person = await session.get_one(Person, member.json()["person"])
        members.add(session, course, external_id="anna", role=MemberRole.TEACHER, person=person)
    async with service.browser_of(person.id) as browser:
        shown = (await browser.get("/courses?lang=en")).text
        assert ("Default" in shown, "Second" in shown, "Third" in shown) == (True, True, False)
        assert (await browser.get(f"/courses/{course}/settings")).status_code == 200
        assert (await browser.get(f"{COURSE}/settings")).status_code == 403
        assert (await browser.get(f"/courses/{other}/settings")).status_code == 404


@pytest.mark.parametrize(
    ("typed", "zone"), [("Moscow", "Europe/Moscow"), ("new york", "America/New_York"), ("Singapore", "Singapore")]
)
async def test_city_is_enough_to_name_a_time_zone(owner, browser, typed, zone):
    created = await send(browser, "/courses/new", title="Networks", language="ru", time_zone=typed)
    course = (await owner.get("/api/v1" + created.headers["location"].partition("/start")[0])).json()
    assert (course["title"], course["language"], course["time_zone"]) == ("Networks", "ru", zone)


async def test_dates_are_entered_by_the_clock_of_the_course(browser, owner):
    await owner.patch(f"/api/v1{COURSE}", json={"time_zone": "Europe/Moscow"})
    # A browser without a field for dates with times sends a day alone, which is meant as a whole.
    dates = {"opens": "2030-10-01", "due": "2030-10-01", "closes": "2030-10-08 12:00"}
    values = {**dates, "limit": "5", "late_percent_per_day": "7,5"}
    assert said(await send(browser, RULES, **values)) == "assignment.changed"
    shown = (await browser.get(RULES)).text
    for value in ("2030-10-01T00:00", "2030-10-01T23:59", "2030-10-08T12:00", "7.5"):
        assert f'value="{value}"' in shown
    use = (await owner.get(f"/api/v1{COURSE}/assignments/lstm-layer")).json()
    moments = [use["rules"][name] for name in dates]
    assert moments == ["2030-09-30T21:00:00Z", "2030-10-01T20:59:00Z", "2030-10-08T09:00:00Z"]
    assert sorted(use["set_here"]) == sorted(values)


async def test_form_sent_unchanged_keeps_a_date_in_an_hour_shown_twice(browser, owner):
    # 2:30 by the clock, an hour after the first 2:30.
    due = "2030-10-27T01:30:00Z"
    await owner.patch(f"/api/v1{COURSE}", json={"time_zone": "Europe/Berlin"})
    await owner.patch(f"/api/v1{COURSE}/assignments/lstm-layer", json={"rules": {"due": due}})
    assert 'value="2030-10-27T02:30"' in (await browser.get(RULES)).text
    assert said(await send(browser, RULES, due="2030-10-27T02:30", limit="5")) == "assignment.changed"
    rules = (await owner.get(f"/api/v1{COURSE}/assignments/lstm-layer")).json()["rules"]
    assert (rules["due"], rules["limit"]) == (due, 5)


async def test_box_that_was_ticked_before_yields_to_a_date_beside_it(browser, owner):
    """A course that was copied without dates has them ticked."""
    await owner.patch(f"/api/v1{COURSE}/assignments/lstm-layer", json={"rules": {"due": None, "limit": 3}})
    typed = {"due": "2030-10-01T23:59", "no_due": "on", "limit": "3", "no_limit": "on"}
    assert said(await send(browser, RULES, **typed)) == "assignment.changed"
    rules = (await owner.get(f"/api/v1{COURSE}/assignments/lstm-layer")).json()["rules"]
    assert (rules["due"], rules["limit"]) == ("2030-10-01T23:59:00Z", None)
    await send(browser, RULES, **typed)
    assert (await owner.get(f"/api/v1{COURSE}/assignments/lstm-layer")).json()["rules"]["due"] is None


async def test_empty_field_gives_a_rule_back_to_the_file(owner, browser):
    assert said(await send(browser, RULES, limit="5", cooldown_minutes="0")) == "assignment.changed"
    await send(browser, RULES, cooldown_minutes="1,5")
    use = (await owner.get(f"/api/v1{COURSE}/assignments/lstm-layer")).json()
    assert (use["set_here"], use["rules"]["cooldown_seconds"]) == (["cooldown_seconds"], 90)
    assert said(await send(browser, RULES)) == "assignment.changed"
    assert (await owner.get(f"/api/v1{COURSE}/assignments/lstm-layer")).json()["set_here"] == []


async def test_assignment_comes_and_goes_and_a_second_click_keeps_its_dates(browser, owner):
    course = (await owner.post("/api/v1/courses", json={"title": "x"})).json()["id"]
    settings = f"/courses/{course}/settings"
    added = await send(browser, settings, f"{settings}/assignments", assignment="lstm-layer")
    assert said(added) == "assignment.added"
    rules = f"{settings}/assignments/lstm-layer"
    await send(browser, rules, limit="3")
    await send(browser, settings, f"{settings}/assignments", assignment="lstm-layer")
    shown = (await browser.get(rules)).text
    assert 'value="3"' in shown
    assert "disabled" not in shown
    assert said(await send(browser, rules, f"{rules}/remove")) == "assignment.removed"
    unknown = await send(browser, settings, f"{settings}/assignments", assignment="nothing")
    assert unknown.status_code == 422


async def test_assignment_in_use_stays(service, browser):
    await hand_in(service, "ivanov")
    await send(browser, RULES, limit="5")
    refused = await send(browser, RULES, f"{RULES}/remove")
    assert (refused.status_code, 'value="5"' in refused.text) == (409, True)
    assert '<button class="button quiet" disabled>' in refused.text


async def test_settings_change_the_course(owner, browser):
    fields = {"title": "Networks", "language": "ru", "time_zone": "Europe/Moscow", "retention_days": "400"}
    assert said(await send(browser, f"{COURSE}/settings", **fields)) == "course.changed"
    course = (await owner.get(f"/api/v1{COURSE}")).json()
    assert {name: course[name] for name in ("title", "language", "time_zone", "retention_days")} == {
        **fields,
        "retention_days": 400.0,
    }


async def test_course_is_copied_archived_opened_and_deleted_by_its_title(service, browser):
    copied = await send(browser, f"{COURSE}/copy", title="Next term", with_dates="on", days="182")
    assert said(copied) == "course.copied"
    course = copied.headers["location"].split("/")[2]
    settings = f"/courses/{course}/settings"
    assert said(await send(browser, settings, f"/courses/{course}/archive")) == "course.archived"
    archived = (await browser.get(settings)).text
    assert "in the archive" in archived
    assert ">Save<" not in archived
    assert said(await send(browser, settings, retention_days="30")) == "course.changed"
    assert said(await send(browser, settings, f"/courses/{course}/reopen")) == "course.reopened"
    wrong = await send(browser, f"/courses/{course}/delete", confirmation="next term")
    assert wrong.status_code == 409
    assert 'id="confirmation-error"' in wrong.text
    deleted = await send(browser, f"/courses/{course}/delete", confirmation="Next term")
    assert said(deleted) == "course.deleted"
    assert [each.title for each in await service.rows(Course)] == ["Default"]


async def test_log_says_in_words_who_changed_what(browser):
    await send(browser, RULES, due="2030-10-01T23:59", counts="last")
    await send(browser, f"{COURSE}/members/new", external_id="ivanov", name="<i>Ivan", role="student")
    shown = (await browser.get(f"{COURSE}/changes")).text
    assert "New member:" in shown
    assert "&lt;i&gt;Ivan" in shown
    assert not re.search(r"lstm-layer</bdi>|external_id|grade_book_points|\bNone\b|change\.", shown)
    only = (await browser.get(f"{COURSE}/changes", params={"subject": "assignment"})).text
    assert "New member:" not in only
    for odd in ({"page_from": "x"}, {"by": "nobody"}, {"subject": "nothing"}, {"member": "no id"}):
        assert (await browser.get(f"{COURSE}/changes", params=odd)).status_code == 200


@pytest.mark.parametrize(
    ("dates", "at"),
    [
        ({"opens": "2030-10-08T12:00", "due": "2030-10-01T12:00"}, ["opens", "due"]),
        ({"due": "2030-10-08T12:00", "closes": "2030-10-01T12:00"}, ["due", "closes"]),
        ({"opens": "2030-10-08T12:00", "closes": "2030-10-08T12:00"}, ["opens", "closes"]),
    ],
)
async def test_contradictory_dates_are_told_once_at_each_field_concerned(browser, dates, at):
    refused = await send(browser, RULES, **dates)
    assert refused.status_code == 422
    assert "The dates contradict each other" in refused.text
    faults = dict(re.findall(r'<p class="error" id="(\w+)-error">(.*?)</p>', refused.text))
    assert list(faults) == at
    assert all(refused.text.count(words) == 1 for words in faults.values())
