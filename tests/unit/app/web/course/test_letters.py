"""A teacher writes to those who have not handed in, or whose grade is low."""

import re
from html import unescape

import httpx

from app.storage.models import DEFAULT_COURSE, Change, Course, CourseAssignment, utc_now
from app.teaching.letters import AGAIN_AFTER
from grader import Status
from tests.unit.app.calls import hand_in
from tests.unit.app.conftest import Browser, FakeGrader, Service, form_secret
from tests.waiting import until

COURSE = f"/api/v1/courses/{DEFAULT_COURSE}"
LETTER = f"/courses/{DEFAULT_COURSE}/assignments/lstm-layer/letter"


async def fill(service: Service, grader: FakeGrader) -> None:
    """Anna is right, Boris is wrong, Vera and Gleb have nothing, Egor has a grade alone, and Dina has left."""
    async with service.client() as owner:
        assert (
            await owner.put(f"{COURSE}/assignments/lstm-layer", json={"rules": {"due": "2099-05-01T20:59:00Z"}})
        ).is_success
        ids = {}
        for name in ("anna", "boris", "vera", "gleb", "egor", "dina"):
            body = {"external_id": name, "email": f"{name}@example.edu" if name not in ("gleb", "egor") else None}
            ids[name] = (await owner.post(f"{COURSE}/members", json=body)).json()["id"]
        work = f"{COURSE}/members/{ids['vera']}/assignments/lstm-layer"
        extended = {"due": "2099-06-01T20:59:00Z", "reason": "ill"}
        assert (await owner.put(f"{work}/extension", json=extended)).is_success
        set_to = f"{COURSE}/members/{ids['egor']}/assignments/lstm-layer/adjustments"
        assert (await owner.post(set_to, json={"value": 100.0, "reason": "oral exam"})).is_success
        assert (await owner.delete(f"{COURSE}/members/{ids['dina']}")).is_success
    await service.store(Course, time_zone="Europe/Moscow", title="Сети")
    await hand_in(service, "anna")
    grader.statuses = [Status.FAILED]
    await hand_in(service, "boris")


def recipients(page: httpx.Response) -> list[str]:
    return re.findall(r'<li class="break"><a class="onward"[^>]*><bdi>(\w+)</bdi>', page.text)


async def send(browser: Browser, page: httpx.Response, **fields: str) -> httpx.Response:
    hidden = dict(re.findall(r'<input type="hidden" name="(members|below|language)" value="([^"]*)">', page.text))
    data = {
        "form_secret": form_secret(page.text),
        **hidden,
        "subject": "Ещё не сдано",
        "text": "Здравствуйте!\n\nЖду.",
        **fields,
    }
    return await browser.post(LETTER, data=data)


async def test_letter_goes_to_each_alone_with_the_own_deadline_once_and_the_log_says_so(mailing, grader, mailbox):
    await fill(mailing, grader)
    async with mailing.browser() as teacher:
        page = await teacher.get(LETTER, params={"language": "en"})
        assert recipients(page) == ["gleb", "vera"]
        assert page.text.count("has an extension") == 1
        assert "1 of them has no address in the course" in page.text
        assert "Not handed in yet: " in unescape(page.text)
        assert (await send(teacher, page)).status_code == 303
        await until(lambda: mailbox.messages)
        (message,) = mailbox.messages
        assert (message["To"], message["Cc"], message["Bcc"]) == ("vera@example.edu", None, None)
        assert message["Subject"] == "Сети: Ещё не сдано"
        body = message.get_content().replace("\r\n", "\n")
        assert body.startswith("Здравствуйте!\n\nЖду.\n\nYou can hand in until 1 June 2099")
        assert f"{LETTER.removesuffix('/letter')}\n" in body
        again = await send(teacher, await teacher.get(LETTER))
        assert again.status_code == 409
        assert "These students have just got a letter" in again.text
        assert "Жду." in again.text
        # Somebody who has handed in since, or whom the page did not show, gets none.
        await hand_in(mailing, "vera")
        assert (await send(teacher, page, again="1")).headers["location"].endswith("said=letter.nobody")
        low = await teacher.get(LETTER, params={"below": "50", "language": "ru"})
        assert recipients(low) == ["boris", "vera"]
        assert "Можно лучше: " in unescape(low.text)
        assert (
            await send(teacher, low, members=re.findall(r'name="members" value="(\w+)', low.text)[0])
        ).status_code == 303
        await until(lambda: len(mailbox.messages) == 2)
        assert mailbox.messages[1]["To"] == "boris@example.edu"
        assert "Срок сдачи для вас: 1 мая 2099" in mailbox.messages[1].get_content()
        log = unescape((await teacher.get(f"/courses/{DEFAULT_COURSE}/changes")).text)
        assert "students: 1, to those who had not handed in, “Ещё не сдано”" in log
        assert "less than 50 points" in log
        # A while later, a letter to the same students is no slip. Where the course is over, it names no deadline.
        await mailing.store(Change, created_at=utc_now() - AGAIN_AFTER)
        await mailing.store(CourseAssignment, rules={"due": "2020-01-01T00:00:00Z"})
        low = await teacher.get(LETTER, params={"below": "50", "language": "en"})
        assert (await send(teacher, low)).status_code == 303
        await until(lambda: len(mailbox.messages) == 4)
        last = {each["To"]: each.get_content() for each in mailbox.messages[2:]}
        assert "hand in until" not in last["boris@example.edu"]
        assert "hand in until 1 June 2099" in last["vera@example.edu"]
        assert recipients(await teacher.get(LETTER, params={"below": "10"})) == []
    letters = [each.after["letter"] for each in await mailing.rows(Change) if "letter" in each.after]
    assert [(each["to"], each["count"]) for each in letters] == [("missing", 1), ("below", 1), ("below", 2)]


async def test_without_a_mail_server_the_addresses_can_be_copied(service, browser, grader):
    await fill(service, grader)
    page = await browser.get(LETTER, params={"below": "100,5"})
    assert ">anna@example.edu, boris@example.edu</code>" in page.text
    assert "has no mail server" in page.text
    assert (await send(browser, page, language="en")).status_code == 409
    for below in ("nan", "-1", "<b>", "1e99"):
        assert recipients(await browser.get(LETTER, params={"below": below})) == ["gleb", "vera"]
