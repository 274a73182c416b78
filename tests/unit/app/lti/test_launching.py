"""Launches over HTTP: from a platform's course into a course here, and every way in which that is refused."""

from __future__ import annotations

import asyncio
import re
from base64 import urlsafe_b64decode
from functools import partial
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from sqlalchemy import select

from app.lti import keys
from app.lti.launch import login
from app.lti.platforms import Registration
from app.storage.models import (
    Course,
    Identity,
    LtiKey,
    LtiLink,
    LtiLogin,
    LtiPlatform,
    MemberRole,
    Membership,
    Person,
    utc_now,
)
from tests.platforms import (
    AGS,
    CLIENT_ID,
    ISSUER,
    KEY,
    LTI,
    OTHER_KEY,
    REGISTRATION,
    SERVICE,
    FakePlatform,
    login_parameters,
    signed,
)
from tests.unit.app.conftest import Service, form_secret
from tests.unit.app.lti.conftest import LAUNCH, LOGIN, TEACHER, begin, browser, choose, everything, launch, register

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_login_goes_back_to_the_platform_with_state_and_nonce(
    service: Service, platform: LtiPlatform, method: str
) -> None:
    async with browser(service) as client:
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


async def test_teacher_comes_first_and_students_hand_in(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    async with browser(service) as client:
        answer = await launch(client, fake, **TEACHER)
        assert answer.status_code == 303, answer.text
        shown = await client.get(answer.headers["location"])
        assert shown.status_code == 200
        assert "Recurrent networks" in shown.text
    async with browser(service) as client:
        answer = await launch(client, fake)
        assert re.fullmatch(r"/courses/\w+/assignments/lstm-layer", answer.headers["location"]), answer.headers
        shown = await client.get(answer.headers["location"])
        assert shown.status_code == 200
        sent = await client.post(
            answer.headers["location"],
            data={"form_secret": form_secret(shown.text)},
            files={"file": ("LSTM.py", b"class LSTM: ...")},
        )
        assert sent.status_code == 303, sent.text
    members = {member.role: member for member in await everything(service, Membership)}
    assert set(members) == {MemberRole.TEACHER, MemberRole.STUDENT}
    assert all(member.confirmed_at for member in members.values())
    assert {person.name for person in await everything(service, Person)} == {"Мария Кюри", "Анна Петрова"}
    (link,) = await everything(service, LtiLink)
    assert link.lineitem_url == f"{ISSUER}/items/4?type=7"
    assert await everything(service, LtiLogin) == []


async def test_student_may_come_first_by_a_link_to_an_assignment_that_the_course_uses(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    other = {f"{LTI}resource_link": {"id": "made by deep linking"}}
    async with browser(service) as teacher, browser(service) as student:
        await launch(teacher, fake, **TEACHER)
        assert (await launch(student, fake, **other)).status_code == 303
        unused = {f"{LTI}resource_link": {"id": "third"}, f"{LTI}custom": {"assignment": "lstm-notebook"}}
        assert (await launch(student, fake, **unused)).status_code == 403


async def test_work_is_reviewed_although_the_message_names_no_link(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    review = {f"{LTI}message_type": "LtiSubmissionReviewRequest", f"{LTI}for_user": {"user_id": "user-5"}}
    no_link = {**review, f"{LTI}resource_link": None, f"{LTI}custom": None}
    elsewhere = {AGS: {"scope": [], "lineitem": f"{ISSUER}/items/another"}}
    async with browser(service) as teacher, browser(service) as student:
        course = (await launch(teacher, fake, **TEACHER)).headers["location"]
        own = (await launch(student, fake)).headers["location"]
        (member,) = [each for each in await everything(service, Membership) if each.role == MemberRole.STUDENT]
        work = f"{course}/members/{member.id}"
        assert (await launch(teacher, fake, **TEACHER, **review)).headers["location"].startswith(work)
        answer = await launch(teacher, fake, **TEACHER, **no_link)
        assert answer.headers["location"] == f"{work}/assignments/lstm-layer"
        answer = await launch(teacher, fake, **TEACHER, **no_link, **elsewhere)
        assert answer.headers["location"] == work
        assert (await teacher.get(work)).status_code == 200
        assert (await launch(student, fake, **no_link)).headers["location"] == own
        answer = await launch(student, fake, **no_link, **elsewhere)
        assert (await student.get(answer.headers["location"], follow_redirects=True)).status_code == 200


async def test_review_without_a_person_leads_staff_to_the_course_and_students_to_their_own_work(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    """Moodle sends this from the title of the activity in its grade book."""
    review = {f"{LTI}message_type": "LtiSubmissionReviewRequest"}
    async with browser(service) as teacher, browser(service) as student:
        course = (await launch(teacher, fake, **TEACHER)).headers["location"]
        own = (await launch(student, fake)).headers["location"]
        for claims in (review, {**review, AGS: None}, {**review, f"{LTI}resource_link": None, f"{LTI}custom": None}):
            assert (await launch(teacher, fake, **TEACHER, **claims)).headers["location"] == course
            assert (await launch(student, fake, **claims)).headers["location"] == own


async def test_second_launch_finds_the_same_person_and_course(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    async with browser(service) as client:
        for _ in range(2):
            assert (await launch(client, fake, **TEACHER)).status_code == 303
    assert len(await everything(service, Identity)) == 1
    assert len([each for each in await everything(service, Course) if each.title == "Recurrent networks"]) == 1


async def test_later_launch_takes_rights_from_open_sessions(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    async with browser(service) as client:
        course = (await launch(client, fake, **TEACHER)).headers["location"]
        assert (await client.get(f"{course}/settings")).status_code == 200
        async with browser(service) as elsewhere:
            await launch(elsewhere, fake, **{**TEACHER, "role": "Learner"})
        assert (await client.get(f"{course}/settings")).status_code == 403


async def test_platforms_never_find_people_by_address(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    async with service.services.database.write() as session:
        session.add(Person(name="Owner of the address", email="anna@example.edu"))
    async with browser(service) as client:
        await launch(client, fake, **TEACHER, email="anna@example.edu")
    (identity,) = await everything(service, Identity)
    async with service.services.database.read() as session:
        assert (await session.get_one(Person, identity.person_id)).name == "Мария Кюри"


async def test_person_of_one_platform_is_nobody_in_a_course_of_another(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    """Even where the two were merged into one person: each platform speaks for its own courses."""
    other = await register(service, Registration(**{**vars(REGISTRATION), "client_id": "other", "name": "Canvas"}))
    async with browser(service) as client:
        first = (await launch(client, fake, **TEACHER)).headers["location"]
    async with browser(service) as client:
        address = await begin(client, client_id="other")
        asked = await client.post(LAUNCH, data=fake.message(address, **TEACHER, aud="other"))
        answer = await choose(client, asked, course="new")
        second = answer.headers["location"]
        assert first != second
        async with service.services.database.write() as session:
            people = await session.scalars(select(Identity).order_by(Identity.id))
            ours, theirs = people.all()
            assert theirs.issuer == f"lti:{other.id}"
            theirs.person_id = ours.person_id
            for member in await session.scalars(select(Membership)):
                member.person_id = ours.person_id
        answer = await client.post(
            LAUNCH, data=fake.message(await begin(client, client_id="other"), **TEACHER, aud="other")
        )
        assert answer.headers["location"] == second
        assert (await client.get(second)).status_code == 200
        assert (await client.get(first)).status_code == 404


async def test_oversized_launch_is_refused(service: Service, platform: LtiPlatform) -> None:
    async with browser(service) as client:
        assert (await client.post(LAUNCH, data={"id_token": "x" * 100_000})).status_code == 413


async def test_login_without_client_id_needs_a_single_registration(service: Service, platform: LtiPlatform) -> None:
    async with browser(service) as client:
        assert (await client.post(LOGIN, data=login_parameters(client_id=""))).status_code == 302
        await register(service, Registration(**{**vars(REGISTRATION), "client_id": "other"}))
        assert (await client.post(LOGIN, data=login_parameters(client_id=""))).status_code == 403


async def test_unconfirmed_platform_is_as_good_as_none(service: Service) -> None:
    await register(service, confirmed=False)
    async with browser(service) as client:
        assert (await client.post(LOGIN, data=login_parameters())).status_code == 403


async def test_launch_that_nobody_has_begun_writes_nothing(
    service: Service, platform: LtiPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can send any number of them."""

    async def written(*_: object) -> None:
        pytest.fail("something was written")

    monkeypatch.setattr(login, "take", written)
    async with browser(service) as client:
        answer = await client.post(LAUNCH, data={"state": "x" * 43, "id_token": "x"})
    assert (answer.status_code, "works once" in answer.text) == (403, True)


async def test_launches_that_begin_in_two_windows_at_once_both_arrive(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    async with browser(service) as client:
        await launch(client, fake, **TEACHER)
        client.cookies.clear()
        for address in await asyncio.gather(begin(client), begin(client)):
            answer = await client.post(LAUNCH, data=fake.message(address, **TEACHER))
            assert answer.status_code == 303, answer.text
        # The cookies of launches are gone.
        assert not any(name.startswith("lstm_grader_lti") for name in client.cookies)


async def test_launch_belongs_to_the_browser_that_began_it(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    async with browser(service) as victim, browser(service) as attacker:
        await launch(attacker, fake, **TEACHER)
        fields = fake.message(await begin(attacker), **TEACHER)
        await begin(victim)
        answer = await victim.post(LAUNCH, data=fields)
    assert answer.status_code == 403
    again = re.search(r'<a class="onward" href="(/lti/login\?[^"]+)" target="_blank"', answer.text)
    assert again is not None
    # The way out works: the same launch begins once more, in a window.
    async with browser(service) as window:
        fields = fake.message((await window.get(again[1].replace("&amp;", "&"))).headers["location"], **TEACHER)
        assert (await window.post(LAUNCH, data=fields)).status_code == 303


async def test_launch_after_ten_minutes_is_over(service: Service, platform: LtiPlatform, fake: FakePlatform) -> None:
    async with browser(service) as client:
        fields = fake.message(await begin(client), **TEACHER)
        async with service.services.database.write() as session:
            for begun in await session.scalars(select(LtiLogin)):
                begun.expires_at = utc_now()
        assert (await client.post(LAUNCH, data=fields)).status_code == 403


async def test_platform_may_change_its_key(service: Service, platform: LtiPlatform, fake: FakePlatform) -> None:
    async with browser(service) as client:
        assert (await launch(client, fake, **TEACHER)).status_code == 303
        fake.keys, fake.sign = [OTHER_KEY, KEY], partial(signed, key=OTHER_KEY)
        # It was asked a moment ago, and is asked again in a while.
        refused = await launch(client, fake, **TEACHER)
        assert (refused.status_code, "key_unknown" in refused.text) == (403, True)
        known = service.services.platform_keys
        known._asked = dict.fromkeys(known._asked, float("-inf"))
        assert (await launch(client, fake, **TEACHER)).status_code == 303
    assert fake.asked == ["/keys", "/keys"]


async def test_platform_without_keys_is_said_to_be_unavailable_and_asked_once(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    fake.answers["/keys"] = lambda: httpx.Response(500)
    async with browser(service) as client:
        for _ in range(2):
            assert (await launch(client, fake, **TEACHER)).status_code == 503
    assert fake.asked == ["/keys"]


async def test_cookies_in_a_frame_are_those_of_a_frame(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    async with browser(service) as client:
        await launch(client, fake, **TEACHER)
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


async def test_removed_member_stays_out_and_a_dropped_one_comes_back(
    service: Service, platform: LtiPlatform, fake: FakePlatform
) -> None:
    async with browser(service) as client:
        course = (await launch(client, fake, **TEACHER)).headers["location"]
        async with browser(service) as student:
            await launch(student, fake)
            (member,) = [each for each in await everything(service, Membership) if each.role == MemberRole.STUDENT]
            shown = await client.get(f"{course}/members")
            removed = await client.post(
                f"{course}/members/{member.id}/remove", data={"form_secret": form_secret(shown.text)}
            )
            assert removed.status_code == 303, removed.text
            assert (await launch(student, fake)).status_code == 403


async def test_our_keys_are_published_and_the_private_parts_are_not(service: Service) -> None:
    async with browser(service) as client:
        found = (await client.get("/lti/keys")).json()["keys"]
        again = (await client.get("/lti/keys")).json()["keys"]
    assert found == again
    assert len({key["kid"] for key in found}) == 2
    assert {frozenset(key) for key in found} == {frozenset({"kty", "n", "e", "kid", "alg", "use"})}


def test_key_of_ours_is_new_and_of_2048_bits() -> None:
    made = [RSAKey.import_key(keys._new(signs=True).private_key) for _ in range(2)]
    assert [len(urlsafe_b64decode(f"{key.as_dict()['n']}==")) * 8 for key in made] == [2048] * 2
    assert made[0].as_dict()["n"] != made[1].as_dict()["n"]


async def test_next_key_takes_over_and_the_one_before_stays_published_for_a_week(service: Service) -> None:
    """Platforms keep what they have read for hours, so they know the key that signs before it does."""
    database = service.services.database

    async def published() -> list[str]:
        return [key["kid"] for key in (await keys.published(database))["keys"]]

    read_before = KeySet.import_key_set(await keys.published(database))
    first, second = await published()
    assert await keys.signing_id(database) == first
    async with database.write() as session:
        await keys.rotate(session)
    assert await keys.signing_id(database) == second
    token = await keys.sign(database, {"iss": CLIENT_ID}, now=utc_now().timestamp(), lifetime_seconds=60)
    assert jwt.decode(token, read_before, algorithms=["RS256"]).header["kid"] == second
    signs, following, old = await published()
    assert (signs, old, following in (first, second)) == (second, first, False)
    async with database.write() as session:
        (await session.get_one(LtiKey, first)).signed_until = utc_now() - keys.PUBLISHED_AFTER
    assert await published() == [second, following]


async def test_private_keys_are_read_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading one takes 60 ms of a core, and anybody may ask for our keys."""
    async with browser(service) as client:
        found = (await client.get("/lti/keys")).json()
        monkeypatch.setattr("app.lti.keys.RSAKey", None)
        assert (await client.get("/lti/keys")).json() == found


async def test_tool_opened_without_a_platform_says_so(service: Service) -> None:
    async with browser(service) as client:
        assert "from your course" in (await client.get("/lti/open")).text
