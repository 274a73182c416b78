"""Members of a course by the API: who may change whom, and what follows from it at once."""

import asyncio
from typing import Any

import pytest

from app.storage.models import DEFAULT_COURSE, Identity, Membership, Token
from tests.unit.app.calls import assert_problem, get, post, submit_by
from tests.unit.app.conftest import OTHER, OWNER_TOKEN, Service
from tests.waiting import until

THERE = f"/api/v1/courses/{OTHER}/members"


async def patch(service: Service, token: str, member: str, **fields: Any) -> Any:
    async with service.client(token) as client:
        return await client.patch(f"{THERE}/{member}", json=fields)


async def add(service: Service, external_id: str, role: str = "student", by: str = OWNER_TOKEN, **fields: Any) -> str:
    added = await post(service, by, THERE, {"external_id": external_id, "role": role, **fields})
    assert added.status_code == 201, added.text
    return str(added.json()["id"])


async def own_token(service: Service, member_id: str, token: str) -> None:
    """Give a member a token, as a personal link does."""
    added = await service.add_token(token, course_id=OTHER)
    await service.store(Token, Token.id == added.id, membership_id=member_id)


async def test_teacher_makes_students_and_assistants_and_an_admin_teachers(two):
    for role, by_teacher in (("student", 201), ("assistant", 201), ("teacher", 403)):
        answer = await post(two, "teacher-there", THERE, {"external_id": f"a-{role}", "role": role})
        assert answer.status_code == by_teacher, role
    teacher = await add(two, "petrov", "teacher")
    for fields in ({"name": "x"}, {"role": "student"}, {"confirmed": True}):
        assert_problem(await patch(two, "teacher-there", teacher, **fields), 403, "forbidden")
    for what in ("remove", "restore"):
        assert_problem(await post(two, "teacher-there", f"{THERE}/{teacher}/{what}"), 403, "forbidden")
    student = await two.member_id("ivanov", OTHER)
    assert_problem(await patch(two, "teacher-there", student, role="teacher"), 403, "forbidden")
    await own_token(two, teacher, "of-petrov")
    assert_problem(await patch(two, "of-petrov", teacher, name="x"), 403, "forbidden")
    assert (await patch(two, OWNER_TOKEN, teacher, name="Пётр")).json()["name"] == "Пётр"


async def test_list_is_filtered_and_paged(two):
    await add(two, "s1", name="Анна Петрова-Королёва", email="Anna@example.org", group="1")
    await add(two, "s2", name="Борис", group="2")
    await add(two, "t1", "teacher")
    await two.store(Membership, Membership.external_id == "s2", claimed_id="x-77")
    removed = await add(two, "s3")
    await post(two, "teacher-there", f"{THERE}/{removed}/remove")
    for params, expected in (
        ({}, ["s3", "t1", "s2", "s1", "ivanov"]),
        ({"role": "teacher"}, ["t1"]),
        ({"group": "1"}, ["s1"]),
        ({"confirmed": "false"}, ["ivanov"]),
        ({"removed": "true"}, ["s3"]),
        ({"removed": "false", "role": "student"}, ["s2", "s1", "ivanov"]),
        ({"search": "королева АННА"}, ["s1"]),
        ({"search": "anna@"}, ["s1"]),
        ({"search": "S2"}, ["s2"]),
        ({"search": "x-77"}, ["s2"]),
        ({"search": "%"}, []),
    ):
        listed = (await get(two, "teacher-there", THERE, **params)).json()["items"]
        assert [each["external_id"] for each in listed] == expected, params
    first = (await get(two, "teacher-there", THERE, limit=3)).json()
    rest = (await get(two, "teacher-there", THERE, limit=3, cursor=first["next_cursor"])).json()
    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [3, 2, None]


async def test_new_external_id_is_the_one_of_what_was_handed_in(two):
    handed_in = (await submit_by(two, "script-there")).json()
    member = await two.member_id("ivanov", OTHER)
    other = await add(two, "petrov")
    problem = assert_problem(await patch(two, "teacher-there", member, external_id="petrov"), 409, "external-id-taken")
    assert problem["member"] == other
    answer = await patch(two, "teacher-there", member, external_id="i.ivanov", confirmed=True)
    assert (answer.json()["external_id"], answer.json()["confirmed_at"] is not None) == ("i.ivanov", True)
    assert (await get(two, "ivanov-there", handed_in["links"]["self"])).json()["student"] == "i.ivanov"
    again = (await submit_by(two, "ivanov-there", student="i.ivanov")).json()
    assert (again["student"], again["attempt"]) == ("i.ivanov", 2)
    tokens = (await get(two, "teacher-there", "/api/v1/tokens")).json()["items"]
    assert "i.ivanov" in {each["student"] for each in tokens}


async def test_address_is_that_of_one_confirmed_member(two):
    first = await add(two, "s1", email="a@example.org")
    body = {"external_id": "s2", "email": "A@example.org"}
    assert assert_problem(await post(two, "teacher-there", THERE, body), 409, "email-taken")["member"] == first
    second = await add(two, "s2")
    assert_problem(await patch(two, "teacher-there", second, email="A@example.org"), 409, "email-taken")
    await post(two, "teacher-there", f"{THERE}/{first}/remove")
    assert (await patch(two, "teacher-there", second, email="A@example.org")).json()["email"] == "a@example.org"
    assert_problem(await post(two, "teacher-there", f"{THERE}/{first}/restore"), 409, "email-taken")
    for wrong in ("", "x", "a@b\n", "a b@example.org"):
        assert_problem(await patch(two, "teacher-there", second, email=wrong), 422, "invalid-request")


async def test_name_and_address_of_a_person_in_two_courses_are_an_admins_to_change(two):
    member = await two.member_id("ivanov", OTHER)
    here = await two.member("ivanov")
    await two.store(Membership, Membership.id == member, person_id=here.person_id)
    for fields in ({"name": "x"}, {"email": "x@example.org"}):
        assert_problem(await patch(two, "teacher-there", member, **fields), 409, "person-shared")
    assert (await patch(two, "teacher-there", member, group="x", name=None)).status_code == 200
    assert (await patch(two, OWNER_TOKEN, member, name="x")).json()["name"] == "x"


@pytest.mark.parametrize("ends", ["remove", "demote", "revoke"])
async def test_open_event_stream_ends_with_the_rights(two, grader, ends):
    assistant = await add(two, "petrova", "assistant")
    await own_token(two, assistant, "of-petrova")
    grader.released.clear()
    submission = (await submit_by(two, "script-there", wait=0)).json()["id"]
    await until(lambda: len(grader.began) == 1)

    async def watched() -> str:
        return (await get(two, "of-petrova", f"/api/v1/submissions/{submission}/events")).text

    watching = asyncio.create_task(watched())
    await until(lambda: bool(two.services.jobs._events))
    if ends == "remove":
        await post(two, "teacher-there", f"{THERE}/{assistant}/remove")
    elif ends == "demote":
        await patch(two, "teacher-there", assistant, role="student")
    else:
        async with two.client() as owner:
            mine = (await owner.get("/api/v1/tokens")).json()["items"]
            await owner.delete(f"/api/v1/tokens/{mine[0]['id']}")
    grader.released.set()
    assert "event: done" not in await watching


async def test_removed_member_has_no_rights_until_taken_back(two):
    member = await two.member_id("ivanov", OTHER)
    async with two.browser("ivanov-there") as browser:
        assert (await browser.get("/")).status_code == 200
        removed = await post(two, "teacher-there", f"{THERE}/{member}/remove")
        assert removed.json()["removed_at"] is not None
        assert (await browser.get("/")).status_code == 401
    assert (await get(two, "ivanov-there", "/api/v1/submissions")).status_code == 401
    assert_problem(await submit_by(two, "script-there"), 403, "member-removed")
    token = await post(two, "teacher-there", "/api/v1/tokens", {"name": "x", "student": "ivanov"})
    assert_problem(token, 403, "member-removed")
    back = await post(two, "teacher-there", f"{THERE}/{member}/restore")
    assert back.json()["removed_at"] is None
    assert (await submit_by(two, "ivanov-there")).status_code == 200


async def test_changes_at_once_lose_nothing_and_are_logged(two):
    member = await two.member_id("ivanov", OTHER)
    changes: list[dict[str, Any]] = [
        {"group": "1"},
        {"name": "Иван"},
        {"email": "i@example.org"},
        {"confirmed": True},
        {"external_id": "i"},
    ]
    answers = await asyncio.gather(*(patch(two, "teacher-there", member, **each) for each in changes))
    assert [each.status_code for each in answers] == [200] * len(changes)
    body = (await get(two, "teacher-there", f"{THERE}/{member}")).json()
    assert [body[name] for name in ("group", "name", "email", "external_id")] == ["1", "Иван", "i@example.org", "i"]
    logged = (await get(two, "teacher-there", f"/api/v1/courses/{OTHER}/changes")).json()["items"]
    assert {name for each in logged for name in each["after"]} == {"group", "name", "email", "confirmed", "external_id"}
    assert {(each["subject"], each["member"]) for each in logged} == {("member", member)}


async def test_teacher_joins_two_members_and_takes_them_apart(two):
    own = (await submit_by(two, "ivanov-there")).json()["links"]["self"]
    kept, other = await add(two, "roster-7", name="Иван"), await two.member_id("ivanov", OTHER)
    assistant = await add(two, "petrova", "assistant")
    refused = await post(two, "teacher-there", f"{THERE}/{kept}/join", {"member": assistant})
    assert_problem(refused, 409, "member-not-student")
    joined = await post(two, "teacher-there", f"{THERE}/{kept}/join", {"member": other})
    assert joined.status_code == 201
    assert [joined.json()[name] for name in ("kept", "joined", "submissions", "tokens")] == [kept, other, 1, 1]
    # The link that the student has goes on, as the kept member's.
    assert (await get(two, "ivanov-there", own)).json()["student"] == "roster-7"
    joins = f"/api/v1/courses/{OTHER}/joins"
    assert (await get(two, "teacher-there", joins)).json()["items"] == [joined.json()]
    undo = f"{joins}/{joined.json()['id']}/undo"
    assert (await post(two, "teacher-there", undo)).json()["undone_at"] is not None
    assert_problem(await post(two, "teacher-there", undo), 409, "join-undone")
    assert (await get(two, "ivanov-there", own)).json()["student"] == "ivanov"
    logged = (await get(two, "teacher-there", f"/api/v1/courses/{OTHER}/changes")).json()["items"]
    assert {"joined": other} in [each["after"] for each in logged]


async def test_answer_is_not_for_who_was_removed_while_waiting_for_it(two, grader):
    grader.released.clear()
    submission = (await submit_by(two, "ivanov-there", wait=0)).json()["links"]["self"]
    await until(lambda: len(grader.began) == 1)
    waiting = asyncio.create_task(get(two, "ivanov-there", submission, wait=120))
    await until(lambda: bool(two.services.jobs._events))
    await post(two, "teacher-there", f"{THERE}/{await two.member_id('ivanov', OTHER)}/remove")
    grader.released.set()
    assert_problem(await waiting, 401, "unauthorized")


# Somebody who signs on by an address, which a teacher of one course must not turn into the own one.

MEMBERS = f"/api/v1/courses/{DEFAULT_COURSE}/members"
OWN, OF_TEACHER = "ivanov@example.edu", "teacher@example.net"


async def ivanov(service: Service, **values: Any) -> str:
    """Add a student who signs on and is in one course; return the member's id."""
    async with service.client() as admin:
        body = {"external_id": "ivanov", "email": OWN, **values}
        member = (await admin.post(MEMBERS, json=body)).json()
    await service.add(Identity(person_id=member["person"], issuer="https://id.example.edu", subject="1", email=OWN))
    id: str = member["id"]
    return id


@pytest.mark.parametrize("email", [OWN, None])
async def test_address_of_one_who_signs_on_is_not_a_teachers_to_change(service, email, teacher):
    id = await ivanov(service, email=email)
    answer = await teacher.patch(f"{MEMBERS}/{id}", json={"email": OF_TEACHER})
    assert_problem(answer, 409, "person-shared")
    assert (await teacher.patch(f"{MEMBERS}/{id}", json={"name": "Ivan"})).json()["name"] == "Ivan"
    roster = f"id,name,email\nivanov,Иван,{OF_TEACHER}\n".encode()
    (row,) = (await teacher.post(f"/api/v1/courses/{DEFAULT_COURSE}/roster", content=roster)).json()["rows"]
    assert (row["outcome"], row["kept"]) == ("changed", ["email"])
    member = (await teacher.get(f"{MEMBERS}/{id}")).json()
    assert (member["name"], member["email"]) == ("Иван", email)


async def test_join_leaves_the_address_of_somebody_who_signs_on(service, teacher):
    id = await ivanov(service, external_id="new-1")
    entry = (await teacher.post(MEMBERS, json={"external_id": "ivanov", "email": OF_TEACHER, "name": "Иван"})).json()
    joined = await teacher.post(f"{MEMBERS}/{entry['id']}/join", json={"member": id})
    assert joined.json()["signs_on"] is True
    kept = (await teacher.get(f"{MEMBERS}/{entry['id']}")).json()
    assert (kept["name"], kept["email"]) == ("Иван", OWN)
