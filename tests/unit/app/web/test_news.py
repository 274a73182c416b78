"""News about a student's work: on the first page, and counted on all others until it was seen there."""

import re
from html import unescape

import httpx

from app.storage.models import DEFAULT_COURSE, NewsMail
from app.teaching.news_mail import OFF_PATH
from grader import Status
from tests.unit.app.api.test_teaching_api import regraded
from tests.unit.app.calls import ATTEMPTS, PAGE, SUBMISSIONS, attacked, hand_in
from tests.unit.app.conftest import Browser, form_secret

COURSE = f"/api/v1/courses/{DEFAULT_COURSE}"
COUNT = re.compile(
    r'news-count" href="/"><span class="badge pass">([^<]+)</span><span class="hidden"> about your work<'
)


def counted(page: httpx.Response) -> str | None:
    found = COUNT.search(page.text)
    return found and found[1]


def listed(page: httpx.Response) -> list[tuple[bool, str]]:
    """Return the words of each entry up to the assignment, and whether it is marked as new."""
    section = page.text.partition('<section class="card news"')[2].partition("</section>")[0]
    entries = re.findall(r"<li>(<span[^>]*>new</span> )?<a[^>]*>([^<]*)</a>", section)
    return [(bool(mark), unescape(words).partition(":")[0]) for mark, words in entries]


async def work_of(owner: Browser, student: str) -> str:
    members = {each["external_id"]: each["id"] for each in (await owner.get(f"{COURSE}/members")).json()["items"]}
    return f"{COURSE}/members/{members[student]}/assignments/lstm-layer"


async def test_everything_that_teachers_do_to_a_students_work_is_new_until_it_was_seen_on_any_device(
    service, owner, grader
):
    first = await hand_in(service, "anna")
    grader.change = attacked
    held = await hand_in(service, "anna", b"x = 1")
    other = await hand_in(service, "anna", b"x = 2")
    grader.change = lambda report: report
    await service.add_token("of-anna", student="anna")
    work = await work_of(owner, "anna")
    async with service.browser("of-anna") as phone, service.browser("of-anna") as laptop:
        assert (counted(await phone.get(PAGE)), listed(await phone.get("/"))) == (None, [])
        grader.statuses = [Status.FAILED]
        assert (await regraded(owner, submissions=[first]))["changed"] == 1
        asked = (await owner.post(f"{SUBMISSIONS}/{first}/reviews", json={"text": "Why?"})).json()
        assert counted(await phone.get(PAGE)) == "1 new"
        for address, body in (
            (f"{COURSE}/reviews/{asked['id']}/answer", {"answer": "Look at the gates."}),
            (f"{work}/comments", {"text": "Well done."}),
            (f"{work}/comments", {"text": "A nice plot.", "submission": first}),
            (f"{work}/adjustments", {"delta": 4.0, "reason": "replaced"}),
            (f"{work}/adjustments", {"delta": 5.0, "reason": "a plot"}),
            (f"{work.replace('layer', 'notebook')}/adjustments", {"value": 5.0, "reason": "a plot"}),
            (f"{SUBMISSIONS}/{held}/decision", {"decision": "accepted", "reason": "We talked."}),
            (f"{SUBMISSIONS}/{other}/decision", {"decision": "rejected", "reason": "We talked."}),
        ):
            assert (await owner.post(address, json=body)).is_success, address
        assert (await owner.put(f"{work}/extension", json={"more_attempts": 1, "reason": "ill"})).is_success
        for address in (PAGE, ATTEMPTS, f"/submissions/{first}", f"{PAGE}-gone"):
            assert counted(await laptop.get(address)) == "9 new", address
        shown = await phone.get("/")
        assert counted(shown) is None
        words = [
            "You have more time or more attempts",
            "Your teacher looked at attempt 3, and it does not count",
            "Your teacher looked at attempt 2, and it counts",
            *["Your teacher adjusted your grade"] * 2,
            "Your teacher commented on your work",
            "Your teacher commented on your work",
            "Your teacher answered about attempt 1",
            "Attempt 1 was graded again, and its points changed",
        ]
        assert listed(shown) == [(True, each) for each in words]
        for private in ("a plot", "We talked", "Well done", "ill<"):
            assert private not in shown.text
        # Seen news stays in the list for a while.
        assert counted(await laptop.get(PAGE)) is None
        assert listed(await laptop.get("/")) == [(False, each) for each in words]
        adjustment = (await owner.get(f"{work}/adjustments")).json()["items"][0]["id"]
        assert (await owner.delete(f"{work}/adjustments/{adjustment}")).is_success
        assert counted(await laptop.get(PAGE)) == "1 new"
        shown = await laptop.get("/", headers={"Sec-Purpose": "prefetch;prerender"})
        assert listed(shown)[0] == (True, "Your teacher took back the adjustment of your grade")
        assert counted(await laptop.get(PAGE)) == "1 new"


async def test_mail_is_switched_off_on_the_page_and_by_its_link_which_alone_changes_nothing(mailing):
    async with mailing.client() as owner:
        body = {"external_id": "anna", "email": "anna@example.edu"}
        assert (await owner.post(f"{COURSE}/members", json=body)).is_success
    await mailing.add_token("of-anna", student="anna")
    on, off = "is mailed to anna@example.edu", "No mail about news is sent to anna@example.edu"
    async with mailing.browser("of-anna") as anna, mailing.client(None, Accept="text/html") as mail_program:

        async def switch(**fields: str) -> None:
            form = {"form_secret": form_secret((await anna.get("/")).text), **fields}
            assert (await anna.post("/news/mail", data=form)).status_code == 303

        assert on in (await anna.get("/")).text
        await switch(off="1")
        assert off in (await anna.get("/")).text
        await switch(off="")
        (mail,) = await mailing.rows(NewsMail)
        link = f"{OFF_PATH}?of={mail.secret}"
        assert f'action="{link}"' in (await mail_program.get(link)).text
        assert on in (await anna.get("/")).text
        one_click = {"List-Unsubscribe": "One-Click"}
        for secret in ("unknown", "%00", mail.secret):
            assert (await mail_program.post(f"{OFF_PATH}?of={secret}", data=one_click)).status_code == 200
        assert off in (await anna.get("/")).text


async def test_deleted_comment_is_no_news_and_staff_and_other_students_have_none(service, owner, browser, anna):
    for student in ("anna", "boris"):
        await hand_in(service, student)
    await service.add_token("of-boris", student="boris")
    work = await work_of(owner, "anna")
    comment = (await owner.post(f"{work}/comments", json={"text": "Well done."})).json()
    async with service.browser("of-boris") as boris:
        assert [counted(await each.get(PAGE)) for each in (anna, boris, browser)] == ["1 new", None, None]
        assert (await owner.delete(f"{work}/comments/{comment['id']}")).is_success
        assert (counted(await anna.get(PAGE)), listed(await anna.get("/"))) == (None, [])


async def test_regrade_of_an_attempt_on_hold_is_no_news(service, owner, grader, anna):
    grader.change = attacked
    held = await hand_in(service, "anna")
    grader.statuses = [Status.FAILED]
    assert (await regraded(owner, submissions=[held]))["changed"] == 1
    assert counted(await anna.get(PAGE)) is None


async def test_regrade_that_changes_no_points_is_no_news_and_a_preview_is_none_before_it_is_applied(
    service, owner, grader, anna
):
    first = await hand_in(service, "anna")
    await regraded(owner, submissions=[first])
    assert counted(await anna.get(PAGE)) is None
    grader.statuses = [Status.FAILED]
    preview = await regraded(owner, submissions=[first], preview=True)
    assert counted(await anna.get(PAGE)) is None
    assert (await owner.post(f"{preview['link']}/apply")).is_success
    assert counted(await anna.get(PAGE)) == "1 new"
