"""Launches over HTTP: from a platform's course into a course here, and every way in which that is refused."""

import asyncio
import re
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sqlalchemy import select, update

from app.access.limits import RateLimit
from app.courses.members import TRIALS
from app.lti.launch import login
from app.storage.models import Identity, LtiLink, LtiLogin, MemberRole, Membership, Person
from tests.platforms import (
    AGS,
    CLIENT_ID,
    ISSUER,
    KEY,
    LTI,
    OTHER_KEY,
    REGISTRATION,
    SERVICE,
    login_parameters,
    signed,
)
from tests.unit.app.conftest import form_secret
from tests.unit.app.lti.conftest import LAUNCH, LOGIN, TEACHER, browser, open_course, register

pytestmark = pytest.mark.usefixtures("platform")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_login_goes_back_to_the_platform_with_state_and_nonce(client, method):
    sent = {"params" if method == "GET" else "data": login_parameters()}
    answer = await client.request(method, LOGIN, **sent)  # type: ignore[arg-type]
    assert answer.status_code == 302, answer.text
    address = urlsplit(answer.headers["location"])
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{ISSUER}/auth"
    assert asked.pop("state") != asked.pop("nonce")
    assert asked == {
        "from": "lti",
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": CLIENT_ID,
        "redirect_uri": f"{SERVICE}/lti/launch",
        "login_hint": "person 5",
        "lti_message_hint": "link 9",
    }


async def test_teacher_comes_first_and_students_hand_in(service):
    async with browser(service) as client:
        answer = await client.launch(**TEACHER)
        assert answer.status_code == 303, answer.text
        shown = await client.get(answer.headers["location"])
        assert shown.status_code == 200
        assert "Recurrent networks" in shown.text
    async with browser(service) as client:
        answer = await client.launch()
        assert re.fullmatch(r"/courses/\w+/assignments/lstm-layer", answer.headers["location"]), answer.headers
        await client.hand_in(answer.headers["location"])
    members = {member.role: member for member in await service.rows(Membership)}
    assert set(members) == {MemberRole.TEACHER, MemberRole.STUDENT}
    assert all(member.confirmed_at for member in members.values())
    assert {person.name for person in await service.rows(Person)} == {"Мария Кюри", "Анна Петрова"}
    (link,) = await service.rows(LtiLink)
    assert link.lineitem_url == f"{ISSUER}/items/4?type=7"
    assert await service.rows(LtiLogin) == []


async def test_forms_of_a_tab_work_after_another_launch_of_the_same_person_alone(teacher, student):
    await teacher.launch(**TEACHER)
    page = await student.land()
    old = {"form_secret": form_secret((await student.get(page)).text)}
    file = {"file": ("LSTM.py", b"class LSTM: ...")}
    await student.launch()
    assert (await student.post(page, data=old, files=file)).status_code == 303
    # On a shared computer somebody else has come by now.
    await student.launch(sub="student-2")
    assert (await student.post(page, data=old, files=file)).status_code == 403


async def test_member_has_the_id_of_the_register_unless_somebody_has_it_or_it_is_the_one_of_trials(
    service, teacher, student
):
    await teacher.launch(**TEACHER)
    for subject, registered in (("1", "s-17"), ("2", "s-17"), ("3", TRIALS)):
        await student.land(sub=subject, **{f"{LTI}lis": {"person_sourcedid": registered}})
    students = await service.rows(Membership, Membership.role == MemberRole.STUDENT)
    assert {each.external_id for each in students} == {"s-17", "lti-2", "lti-3"}


async def test_student_may_come_first_by_a_link_to_an_assignment_that_the_course_uses(teacher, student):
    other = {f"{LTI}resource_link": {"id": "made by deep linking"}}
    await teacher.launch(**TEACHER)
    assert (await student.launch(**other)).status_code == 303
    unused = {f"{LTI}resource_link": {"id": "third"}, f"{LTI}custom": {"assignment": "lstm-notebook"}}
    assert (await student.launch(**unused)).status_code == 403


async def test_work_is_reviewed_although_the_message_names_no_link_or_no_person(service, teacher, student):
    of_nobody = {f"{LTI}message_type": "LtiSubmissionReviewRequest"}
    review = {**of_nobody, f"{LTI}for_user": {"user_id": "user-5"}}
    without_link = {f"{LTI}resource_link": None, f"{LTI}custom": None}
    no_link = {**review, **without_link}
    elsewhere = {AGS: {"scope": [], "lineitem": f"{ISSUER}/items/another"}}
    course = await teacher.land(**TEACHER)
    own = await student.land()
    (member,) = [each for each in await service.rows(Membership) if each.role == MemberRole.STUDENT]
    work = f"{course}/members/{member.id}"
    assert (await teacher.land(**TEACHER, **review)).startswith(work)
    answer = await teacher.launch(**TEACHER, **no_link)
    assert answer.headers["location"] == f"{work}/assignments/lstm-layer"
    answer = await teacher.launch(**TEACHER, **no_link, **elsewhere)
    assert answer.headers["location"] == work
    assert (await teacher.get(work)).status_code == 200
    assert await student.land(**no_link) == own
    answer = await student.launch(**no_link, **elsewhere)
    assert (await student.get(answer.headers["location"], follow_redirects=True)).status_code == 200
    # Moodle sends this from the title of the activity in its grade book.
    for claims in (of_nobody, {**of_nobody, AGS: None}, {**of_nobody, **without_link}):
        assert await teacher.land(**TEACHER, **claims) == course
        assert await student.land(**claims) == own


async def test_platforms_never_find_people_by_address(service, client):
    await service.add(Person(name="Owner of the address", email="anna@example.edu"))
    await client.launch(**TEACHER, email="anna@example.edu")
    (identity,) = await service.rows(Identity)
    (person,) = await service.rows(Person, Person.id == identity.person_id)
    assert person.name == "Мария Кюри"


async def test_person_of_one_platform_is_nobody_in_a_course_of_another(service, client):
    """Even where the two were merged into one person: each platform speaks for its own courses."""
    await register(service, replace(REGISTRATION, client_id="other", name="Canvas"))
    first = await open_course(service)
    second = (await client.choose(await client.launch_from_other(), course="new")).headers["location"]
    assert first != second
    async with service.services.database.write() as session:
        ours, theirs = (await session.scalars(select(Identity).order_by(Identity.id))).all()
        await session.execute(update(Membership).values(person_id=ours.person_id))
        theirs.person_id = ours.person_id
    assert (await client.launch_from_other()).headers["location"] == second
    assert (await client.get(second)).status_code == 200
    assert (await client.get(first)).status_code == 404


async def test_login_without_client_id_needs_a_single_registration(service, client):
    assert (await client.post(LOGIN, data=login_parameters(client_id=""))).status_code == 302
    await register(service, replace(REGISTRATION, client_id="other"))
    assert (await client.post(LOGIN, data=login_parameters(client_id=""))).status_code == 403


async def test_launch_that_is_too_large_or_that_nobody_has_begun_writes_nothing(client, monkeypatch):
    """Anybody can send any number of them."""

    async def written(*_: object) -> None:
        pytest.fail("something was written")

    monkeypatch.setattr(login, "take", written)
    assert (await client.post(LAUNCH, data={"id_token": "x" * 100_000})).status_code == 413
    answer = await client.post(LAUNCH, data={"state": "x" * 43, "id_token": "x"})
    assert (answer.status_code, "works once" in answer.text) == (403, True)


async def test_launches_that_begin_in_two_windows_at_once_both_arrive(client, fake):
    await client.launch(**TEACHER)
    client.cookies.clear()
    for address in await asyncio.gather(client.begin(), client.begin()):
        answer = await client.post(LAUNCH, data=fake.message(address, **TEACHER))
        assert answer.status_code == 303, answer.text
    # The cookies of launches are gone.
    assert not any(name.startswith("lstm_grader_lti") for name in client.cookies)


async def test_launch_belongs_to_the_browser_that_began_it(service, other, client, fake):
    await client.launch(**TEACHER)
    fields = fake.message(await client.begin(), **TEACHER)
    await other.begin()
    answer = await other.post(LAUNCH, data=fields)
    assert (answer.status_code, "kept no cookie" in answer.text) == (403, True)
    again = re.search(r'<a class="onward" href="(/lti/login\?[^"]+)" target="_blank"', answer.text)
    # The way out works: the same launch begins once more, in a window.
    async with browser(service) as window:
        fields = fake.message((await window.get(again[1].replace("&amp;", "&"))).headers["location"], **TEACHER)
        assert (await window.post(LAUNCH, data=fields)).status_code == 303


async def test_platform_may_change_its_key(service, client, fake):
    assert (await client.launch(**TEACHER)).status_code == 303
    fake.keys, fake.sign = [OTHER_KEY, KEY], partial(signed, key=OTHER_KEY)
    # It was asked a moment ago, and is asked again in a while.
    refused = await client.launch(**TEACHER)
    assert (refused.status_code, "key_unknown" in refused.text) == (403, True)
    known = service.services.platform_keys
    known._asked = dict.fromkeys(known._asked, float("-inf"))
    assert (await client.launch(**TEACHER)).status_code == 303
    assert fake.asked == ["/keys", "/keys"]


async def test_platform_without_keys_is_said_to_be_unavailable_and_asked_once(client, fake, caplog):
    fake.answers["/keys"] = lambda: httpx.Response(500)
    for _ in range(2):
        refused = await client.launch(**TEACHER)
        assert (refused.status_code, "cannot be read at the moment" in refused.text) == (503, True)
    assert fake.asked == ["/keys"]
    assert caplog.messages.count("lti_keys_unavailable") == 1


async def test_cookies_in_a_frame_are_those_of_a_frame(service, fake):
    async with browser(service) as client:
        await client.launch(**TEACHER)
    service.services.settings.__dict__["public_url"] = "https://grader.test"
    target = "https://grader.test/lti/open"
    frame = {"Sec-Fetch-Dest": "iframe"}
    async with browser(service, **frame) as client:
        answer = await client.post(LOGIN, data=login_parameters(target_link_uri=target))
        probe = answer.headers["set-cookie"]
        assert probe.startswith("__Host-lstm_grader_lti=")
        # The client speaks HTTP, and sends no secure cookie by itself.
        answer = await client.get(answer.headers["location"], headers={"Cookie": probe.partition(";")[0]})
        bound = answer.headers["set-cookie"]
        assert re.match(r"__Host-lstm_grader_lti_[0-9a-f]{12}=", bound)
        fields = fake.message(answer.headers["location"], **TEACHER, **{f"{LTI}target_link_uri": target})
        answer = await client.post(LAUNCH, data=fields, headers={"Cookie": bound.partition(";")[0]})
    assert answer.status_code == 303, answer.text
    given = answer.headers.get_list("set-cookie")
    assert f"{bound.partition('=')[0]}=" in {each.partition('"')[0] for each in given}
    for each in (probe, bound, *given):
        assert "; Path=/;" in each
        assert each.endswith("; HttpOnly; SameSite=None; Secure; Partitioned")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", LOGIN), ("POST", login.COURSE_PATH), ("GET", "/lti/register/lstmi_x")]
)
async def test_too_many_launches_and_guesses_of_one_client_are_slowed_down(service, client, method, path):
    slow = replace(service.services, login_limit=RateLimit(2, clock=lambda: 0.0))
    service._transport.app.state.services = slow
    answers = [(await client.request(method, path, data={"secret": "x", "code": "x"})).status_code for _ in range(3)]
    assert [status == 429 for status in answers] == [False, False, True]
