"""The pages on which the staff follow a course, as a teacher without scripts uses them."""

import re
from html import unescape

import pytest
from starlette.datastructures import QueryParams

from app.storage.models import DEFAULT_COURSE, Submission, utc_now
from app.teaching.grade_list import used_assignments
from app.teaching.overview.table import Filter, TableView
from app.web.course.course import view_of
from grader import Report, Status
from grader.report.messages import title_of
from grader.report.model import Advisory, Diagnosis
from tests.unit.app.calls import ATTEMPTS, PAGE, SUBMISSIONS, attacked, hand_in, send
from tests.unit.app.conftest import Service, form_secret
from tests.waiting import until

HERE = f"/courses/{DEFAULT_COURSE}"


@pytest.fixture
async def work(service: Service) -> str:
    """The address of the page of a student's work, of which one attempt is handed in."""
    await hand_in(service, "ivanov")
    return f"{HERE}/members/{await service.member_id('ivanov')}/assignments/lstm-layer"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", TableView()),
        ("search=+anna+&group=A", TableView(text="anna", group="A")),
        ("state=late&assignment=lstm-layer&page=2", TableView(state=Filter.LATE, assignment="lstm-layer", page=2)),
        ("sort=lstm-layer&order=desc", TableView(sort="lstm-layer", descending=True)),
        ("state=x&assignment=x&sort=x&page=-1&order=x", TableView()),
        ("page=99999999999999999999&page=٣", TableView()),
    ],
)
async def test_address_says_what_the_table_shows_and_nonsense_is_left_out(service, query, expected):
    uses = await service.write(used_assignments, service.services.assignments, DEFAULT_COURSE)
    assert view_of(QueryParams(query), uses) == expected


async def test_course_without_students_says_what_to_do(owner, browser):
    await owner.patch(f"/api/v1{HERE}/assignments/lstm-layer", json={"title": "Week 3"})
    assert "Connect a course of a platform" in (await browser.get(f"{HERE}/lms")).text
    page = (await browser.get(HERE)).text
    overview = (await browser.get(f"{HERE}/assignments/lstm-layer/overview")).text
    assert "There are no students yet" in page
    assert f'href="{HERE}/roster"' in page
    assert "Nobody has handed in yet" in overview
    assert "Week 3" in overview


@pytest.mark.parametrize("page", ["start", "assignments/lstm-layer", "assignments/lstm-layer/attempts"])
async def test_navigation_shows_the_staff_where_they_are(browser, page):
    shown = (await browser.get(f"{HERE}/{page}")).text
    bar = shown[shown.index('class="course-bar"') :].partition("</section>")[0]
    assert bar.count('aria-current="true"') == 1


async def test_token_of_a_member_is_a_way_in(service, browser):
    await hand_in(service, "ivanov")
    place = f"{HERE}/members/{await service.member_id('ivanov')}"
    assert "None yet" in (await browser.get(place)).text
    await service.add_token("of-ivanov", student="ivanov")
    page = (await browser.get(place)).text
    assert "Has a token." in page
    assert "None yet" not in page


async def test_table_is_searched_and_filtered_by_its_address(service, browser):
    for student in ("ivanov", "petrov"):
        await hand_in(service, student)
    for query, shown, hidden in (("search=IVAN", "ivanov", "petrov"), ("search=petr", "petrov", "ivanov")):
        page = (await browser.get(f"{HERE}?{query}")).text
        table = page[page.index('class="grades') :]
        assert shown in table
        assert hidden not in table
    nobody = (await browser.get(f"{HERE}?state=late")).text
    assert "Nobody matches" in nobody


async def test_cancelled_attempt_is_nowhere_one_that_was_handed_in(service, anna, owner, browser, grader):
    grader.released.clear()
    for student in ("ivanov", "petrov"):
        await hand_in(service, student, wait=0)
    await until(lambda: len(grader.began) == 2)
    waiting = await hand_in(service, "anna", wait=0)
    assert (await owner.post(f"{SUBMISSIONS}/{waiting}/cancel")).is_success
    overview = (await browser.get(f"{HERE}/assignments/lstm-layer/overview")).text
    missing = (await browser.get(f"{HERE}?assignment=lstm-layer&state=missing")).text
    book = (await owner.get(f"/api/v1{HERE}/grade-book?assignment=lstm-layer&missing=zero")).text.splitlines()
    own = [(await anna.get(page)).text for page in (PAGE, ATTEMPTS)]
    assert "2 of 3 handed in" in overview
    assert "2 attempts;" in overview
    table = missing[missing.index('class="grades') :]
    assert [student in table for student in ("anna", "ivanov", "petrov")] == [True, False, False]
    assert [line.rpartition(",")[2] for line in book[1:]] == ["0", "", ""]
    for page in own:
        assert "no attempt to grade" in page
        assert "Does not count: it was taken out of the queue. It is used up all the same." in page


async def test_overview_shows_ten_causes_and_how_they_fell_and_the_others_on_request(service, browser, owner, grader):
    codes = ["scaled", "bias_missing", "bias_doubled", "gates_swapped_if", "gates_swapped_io", "gates_swapped_fo"]
    codes += ["gates_swapped_co", "other_formula", "layer_misfed", "global_x", "no_time_loop", "activation_order"]
    diagnoses = [Diagnosis(code=code, confidence="exact") for code in codes]
    for student, found in (("ivanov", diagnoses), ("ivanov", diagnoses[:1]), ("petrov", diagnoses), ("petrov", [])):
        grader.change = lambda report, found=found: report.model_copy(
            update={"diagnoses": found, "checks": [*report.checks, report.checks[0].model_copy(update={"id": "older"})]}
        )
        await hand_in(service, student)
    address = f"{HERE}/assignments/lstm-layer/overview"
    for student, group in (("ivanov", "A & B"), ("petrov", "C")):
        member = f"/api/v1{HERE}/members/{await service.member_id(student)}"
        assert (await owner.patch(member, json={"group": group})).is_success
    page, of_group = (await browser.get(address)).text, (await browser.get(f"{address}?group=A+%26+B")).text
    assert "2 rarer ones" in page
    assert re.search(r">\s*older\s*<", page)
    pictures = re.findall(r"<title id=[^>]*>([^<]+)</title>\s*<desc id=[^>]*>([^<]+)</desc>", page)
    assert len(pictures) == 10
    scores = page[page.index('id="scores"') :].partition("</table>")[0]
    assert re.findall(r'<rect width="([^"]+)"', scores) == ["0.0%"] * 10 + ["100.0%"]
    assert pictures[0] == (title_of("scaled", "en"), "Attempt by attempt: 100%, 50%.")
    assert {steps for _, steps in pictures[1:]} == {"Attempt by attempt: 100%, 0%."}
    columns = page[page.index('id="falls"') :].partition("</svg>")[0]
    assert re.findall(r' height="([\d.]+)"/>', columns) == ["100.00", "50.00"]
    assert "1 of 1 handed in" in of_group
    assert "Attempt by attempt: 100%, 100%." in of_group
    assert "state=missing&amp;group=A+%26+B#grades" in of_group
    # A group that is not there is all students, as in the other forms.
    assert "2 of 2 handed in" in (await browser.get(f"{address}?group=D")).text


async def test_adjustment_of_somebody_else_meanwhile_is_told_and_what_was_typed_is_kept(work, owner, browser):
    secret = form_secret((await browser.get(work)).text)
    await owner.post(f"/api/v1{work}/adjustments", json={"delta": -1.0, "reason": "theirs"})
    mine = {"way": "delta", "points": "-2,5", "adjustment_reason": "mine", "replaces": ""}
    refused = await browser.post(f"{work}/adjustment", data={"form_secret": secret, **mine})
    assert refused.status_code == 409
    assert "Somebody changed the grade while you were writing" in refused.text
    assert 'value="-2,5"' in refused.text
    assert "mine" in refused.text
    assert "theirs" in refused.text
    current = re.search(r'name="replaces" value="(\w+)"', refused.text)
    again = await browser.post(f"{work}/adjustment", data={"form_secret": secret, **mine, "replaces": current[1]})
    assert again.status_code == 303
    page = unescape((await browser.get(again.headers["location"])).text)
    assert "2.5 points less" in page
    assert "97.5" in page


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ("abc", "“abc” is not a number. Expected: digits, such as 2.5."),
        ("100001", "Expected: a number from −100000 to 100000, not 100001."),
    ],
)
async def test_points_that_cannot_be_read_are_quoted(work, browser, points, told):
    refused = await send(browser, work, f"{work}/adjustment", points=points, adjustment_reason="x")
    assert f'id="points-error">{told}</p>' in refused.text
    mended = await send(browser, work, f"{work}/adjustment", points="−1 000,5", adjustment_reason="x")
    assert mended.status_code == 303


async def test_held_attempt_is_shown_with_its_reason_and_decided_from_its_report(service, browser, grader):
    def attack(report: Report) -> Report:
        held = Advisory(code="attack_on_grader", params={"variant": "forged"})
        odd = Advisory(code="review_suggested", params={"evidence": "odd"})
        return report.model_copy(update={"advisories": [held, odd]})

    grader.change = attack
    id = await hand_in(service, "ivanov")
    page = unescape((await browser.get(HERE)).text)
    assert "1 attempt is held until a teacher decides" in page
    assert "only code that imitates them does" in page
    report = (await browser.get(f"/submissions/{id}")).text
    assert "it counts only once a teacher has accepted it" in report
    assert 'href="#staff">Decide on a held attempt' in report
    assert report.index("/members/") < report.index("speaks to the author")
    assert "no part of your grade" not in report
    assert "Something here is unusual" in report
    as_student = (await browser.get(f"/submissions/{id}?as=student")).text
    assert "Something here is unusual" not in as_student
    assert "speaks to the author" not in as_student
    assert 'id="staff"' not in as_student
    decide = f"{HERE}/submissions/{id}/decision"
    refused = await send(browser, HERE, decide, decision="accepted", decision_reason=" ")
    assert refused.status_code == 422
    assert "only code that imitates them does" in unescape(refused.text)
    assert "The class LSTM, equal to tf.keras.layers.LSTM" in refused.text
    done = await send(browser, HERE, decide, decision="accepted", decision_reason="a false alarm")
    assert done.status_code == 303
    after = await browser.get(HERE)
    assert "held until" not in after.text
    assert [each.hold_reason for each in await service.rows(Submission)] == ["a false alarm"]


async def test_decision_without_a_reason_is_asked_for_again_where_the_assignments_file_is_gone(
    service, browser, grader, monkeypatch
):
    grader.change = attacked
    id = await hand_in(service, "ivanov")
    monkeypatch.delitem(service.services.assignments, "lstm-layer")
    decide = f"{HERE}/submissions/{id}/decision"
    refused = await send(browser, HERE, decide, decision="accepted", decision_reason=" ")
    assert (refused.status_code, 'id="decision_reason-error"' in refused.text) == (422, True)
    done = await send(browser, HERE, decide, decision="accepted", decision_reason="a false alarm")
    assert done.status_code == 303


async def test_our_failures_are_graded_again_with_one_click(service, owner, browser, grader):
    grader.statuses = [Status.INTERNAL_ERROR]
    ids = [await hand_in(service, student) for student in ("ivanov", "petrov")]
    grader.statuses = [Status.PASSED]
    assert "2 attempts could not be graded" in (await browser.get(HERE)).text
    assert "The service failed here" in (await browser.get(f"/submissions/{ids[0]}")).text
    assert (await send(browser, HERE, f"{HERE}/failed/regrade")).status_code == 303
    for id in ids:
        body = (await owner.get(f"/api/v1/submissions/{id}", params={"wait": 120})).json()
        assert body["report"]["status"] == "passed"
    assert "could not be graded" not in (await browser.get(HERE)).text


async def test_review_is_answered_once(service, browser, owner):
    id = await hand_in(service, "ivanov")
    review = (await owner.post(f"/api/v1/submissions/{id}/reviews", json={"text": "Why <b>not</b>?"})).json()
    one = f"{HERE}/reviews/{review['id']}"
    assert "Why &lt;b&gt;not&lt;/b&gt;?" in (await browser.get(f"{HERE}/reviews")).text
    assert (await send(browser, one, one, answer="Because.")).status_code == 303
    late = await send(browser, one, one, answer="Another answer.")
    assert late.status_code == 409
    assert "Another answer." in late.text
    assert "Because." in (await browser.get(f"{HERE}/reviews?show=answered")).text


async def test_two_attempts_stand_beside_each_other_in_their_order(service, browser):
    first, second = [await hand_in(service, "ivanov") for _ in range(2)]
    page = await browser.get(f"/submissions/{second}/beside/{first}")
    assert page.status_code == 200
    assert page.text.index("Attempt 1") < page.text.index("Attempt 2")
    for other in ("0" * 26, "x"):
        assert (await browser.get(f"/submissions/{first}/beside/{other}")).status_code == 404


async def test_extension_is_given_by_the_clock_of_the_course(work, browser, owner):
    await owner.patch(f"/api/v1{HERE}", json={"time_zone": "Europe/Moscow"})
    year = utc_now().year + 1
    dates = {"due": f"{year}-10-08T23:59", "more_attempts": "2", "extension_reason": "ill"}
    assert (await send(browser, work, f"{work}/extension", **dates)).status_code == 303
    assert f'value="{year}-10-08T23:59"' in (await browser.get(work)).text
    extension = (await owner.get(f"/api/v1{work}/extension")).json()
    assert (extension["due"], extension["more_attempts"]) == (f"{year}-10-08T20:59:00Z", 2)
    # The form says all that holds: what it leaves empty ends.
    later = {"closes": f"{year + 1}-01-01T12:00", "extension_reason": "still ill"}
    assert (await send(browser, work, f"{work}/extension", **later)).status_code == 303
    assert f'value="{year + 1}-01-01T12:00"' in (await browser.get(work)).text
    extension = (await owner.get(f"/api/v1{work}/extension")).json()
    assert (extension["due"], extension["closes"], extension["more_attempts"]) == (
        None,
        f"{year + 1}-01-01T09:00:00Z",
        0,
    )
    assert (await send(browser, work, f"{work}/extension/remove")).status_code == 303


async def test_unchanged_extension_is_no_change_even_in_the_hour_that_the_clock_shows_twice(work, owner, browser):
    dates = {"due": "2030-10-27T01:30:00Z", "closes": "2030-10-27T01:45:00Z", "reason": "ill"}
    await owner.patch(f"/api/v1{HERE}", json={"time_zone": "Europe/Berlin"})
    await owner.put(f"/api/v1{work}/extension", json=dates)
    form = _filled((await browser.get(work)).text)
    assert form["due"] == "2030-10-27T02:30"
    assert (await send(browser, work, f"{work}/extension", **form)).status_code == 303
    logged = (await owner.get(f"/api/v1{HERE}/changes", params={"subject": "member"})).json()["items"]
    assert len([each for each in logged if "extension" in each["after"]]) == 1
    assert (await send(browser, work, f"{work}/extension", **{**form, "more_attempts": "1"})).status_code == 303
    extension = (await owner.get(f"/api/v1{work}/extension")).json()
    assert {**extension, **dates, "more_attempts": 1} == extension


async def test_form_of_an_extension_does_not_bring_back_what_was_cleared(work, browser):
    year = utc_now().year + 1
    dates = {"due": f"{year}-10-08T23:59", "closes": f"{year}-10-09T12:00", "more_attempts": "2"}
    await send(browser, work, f"{work}/extension", **dates, extension_reason="ill")
    assert _filled((await browser.get(work)).text) == {**dates, "extension_reason": "ill"}
    cleared = {**dict.fromkeys(dates, ""), "extension_reason": ""}
    refused = await send(browser, work, f"{work}/extension", **cleared)
    assert (refused.status_code, _filled(refused.text)) == (422, cleared)


def _filled(page: str) -> dict[str, str]:
    """Read the form of an extension."""
    form = page[page.index('id="extend"') :]
    inputs = re.findall(r'<input id="(\w+)" name="\w+" type="[\w-]+" value="([^"]*)"', form)
    reason = re.search(r"<textarea[^>]*>\n([^<]*)</textarea>", form)
    return {**dict(inputs), "extension_reason": reason[1]}
