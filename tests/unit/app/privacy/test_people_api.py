"""People over the API: exported, deleted and merged by an admin, exported by a member for themself."""

import io
import json
import zipfile

from app.access import identities
from app.courses import members
from app.oidc.issuer import Claims
from app.services import ARCHIVES_PER_MINUTE
from app.storage.models import DEFAULT_COURSE, Person, Role, new_id, utc_now
from grader.report.model import Advisory
from tests.unit.app.calls import SUBMISSIONS, assert_problem, hand_in, students, submit
from tests.unit.app.conftest import OTHER, form_secret

PEOPLE, ME = "/api/v1/people", "/api/v1/me/export"
ADVISORY = Advisory(code="plagiarism", params={})


def unpacked(content: bytes) -> dict[str, bytes]:
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.testzip() is None
    return {name: archive.read(name) for name in archive.namelist()}


async def test_admin_exports_a_person_and_a_member_what_is_the_members(service, owner, grader, ivanov, teacher):
    grader.change = lambda report: report.model_copy(update={"advisories": [ADVISORY]})
    await hand_in(service, "petrov")
    id = (await submit(ivanov))["id"]
    people = (await owner.get(PEOPLE)).json()["items"]
    (person,) = [each for each in people if each["memberships"][0]["external_id"] == "ivanov"]
    assert (await owner.get(PEOPLE, params={"limit": 1})).json()["next_cursor"] == people[0]["id"]
    answer = await owner.get(person["export"])
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == f'attachment; filename="person-{person["id"]}.zip"'
    whole, own = unpacked(answer.content), unpacked((await ivanov.get(ME)).content)
    assert whole.keys() == own.keys()
    assert whole[f"submissions/{id}/file.py"] == own[f"submissions/{id}/file.py"]
    (report,) = [name for name in own if "/reports/" in name]
    assert [each["code"] for each in json.loads(whole[report])["report"]["advisories"]] == ["plagiarism"]
    assert json.loads(own[report])["report"]["advisories"] == []
    for content in (*whole.values(), *own.values()):
        assert b"petrov" not in content
    for client in (owner, teacher):
        assert_problem(await client.get(ME), 403, "forbidden")
    for client in (ivanov, teacher):
        assert_problem(await client.get(PEOPLE), 403, "forbidden")
        assert_problem(await client.get(person["export"]), 403, "forbidden")
        assert_problem(await client.delete(f"{PEOPLE}/{person['id']}"), 403, "forbidden")
    assert (await owner.delete(f"{PEOPLE}/{person['id']}")).json()["submissions"] == 1
    for missing in (person["id"], "nothing"):
        assert_problem(await owner.delete(f"{PEOPLE}/{missing}"), 404, "person-not-found")
        assert_problem(await owner.get(f"{PEOPLE}/{missing}/export"), 404, "person-not-found")
    assert (await ivanov.get(ME)).status_code == 401
    assert await students(service) == ["petrov"]


async def test_student_downloads_the_own_data_from_a_page_now_and_then(service, browser):
    await hand_in(service, "petrov")
    id = await hand_in(service, "ivanov")
    await service.add_token("of-ivanov", student="ivanov")
    mine = f"/courses/{DEFAULT_COURSE}/me/export"
    async with service.browser("of-ivanov") as ivanov:
        for page in ("/", f"/courses/{DEFAULT_COURSE}/assignments/lstm-layer"):
            assert f'href="{mine}"' in (await ivanov.get(page)).text
            assert f'href="{mine}"' not in (await browser.get(page)).text
        answer = await ivanov.get(mine)
        assert answer.headers["content-type"] == "application/zip"
        own = unpacked(answer.content)
        assert f"submissions/{id}/file.py" in own
        for content in own.values():
            assert b"petrov" not in content
        assert (await browser.get(mine)).status_code == 403
        answers = [await ivanov.get(mine) for _ in range(ARCHIVES_PER_MINUTE)]
        assert [each.status_code for each in answers] == [200] * (ARCHIVES_PER_MINUTE - 1) + [429]
        assert "Retry-After" in answers[-1].headers


async def test_teacher_downloads_a_course_from_its_page_or_by_the_api_and_the_log_says_so(service, teacher):
    id = await hand_in(service, "ivanov")
    await service.add_token("assistant", Role.ASSISTANT)
    here = f"/courses/{DEFAULT_COURSE}"
    export = f"{here}/export"
    async with service.browser("teacher") as own, service.browser("assistant") as assistant:
        shown = (await own.get(here)).text
        assert f'action="{export}"' in shown
        secret = {"form_secret": form_secret(shown)}
        assert (await own.post(export, data={"form_secret": "0" * 256})).status_code == 403
        answer = await own.post(export, data=secret)
        assert answer.headers["content-disposition"] == f'attachment; filename="course-{DEFAULT_COURSE}.zip"'
        assert f'action="{export}"' not in (await assistant.get(here)).text
        log = (await own.get(f"{here}/changes?lang=en")).text
    assert log.count("downloaded as one archive") == 1
    from_page = unpacked(answer.content)
    assert b"class LSTM: ..." in from_page["attempts/(ivanov)/lstm-layer-001/file.py"]
    # An archived course is exported, too.
    assert (await teacher.patch(f"/api/v1{here}", json={"archived": True})).is_success
    answer = await teacher.post(f"/api/v1{export}")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert unpacked(answer.content).keys() == from_page.keys()
    changes = (await teacher.get(f"/api/v1{here}/changes")).json()["items"]
    assert [each["after"] for each in changes if "exported" in each["after"]] == [{"exported": True}] * 2
    assert (await teacher.get(f"{SUBMISSIONS}/{id}")).is_success


async def test_member_is_deleted_by_id_in_its_course_only(two, owner):
    await submit(owner)
    members = f"/api/v1/courses/{DEFAULT_COURSE}/members"
    member = next(each for each in (await owner.get(members)).json()["items"] if each["external_id"] == "ivanov")
    elsewhere = f"/api/v1/courses/{OTHER}/members/{member['id']}"
    assert (await owner.delete(elsewhere)).json()["submissions"] == 0
    assert (await owner.delete(f"{members}/{member['id']}")).json()["submissions"] == 1
    assert (await owner.delete(f"{members}/{member['id']}")).json()["submissions"] == 0


async def test_course_is_deleted_by_its_title_and_with_it_its_tokens(two, owner):
    async with two.client("script-there") as script:
        await submit(script)
        await submit(owner)
        there = f"/api/v1/courses/{OTHER}"
        title = (await owner.get(there)).json()["title"]
        for wrong in ({}, {"title": title.lower() + "x"}):
            assert_problem(await owner.delete(there, params=wrong), 409, "deletion-unconfirmed")
        assert (await owner.delete(there, params={"title": title})).json()["submissions"] == 1
        assert_problem(await owner.get(there), 404, "course-not-found")
        assert (await script.get(SUBMISSIONS)).status_code == 401
        assert len((await owner.get(SUBMISSIONS)).json()["items"]) == 1


async def test_admin_detaches_an_account_that_has_a_strangers_entry(service, owner):
    await hand_in(service, "ivanov")
    stranger = Claims("https://id.example.edu", "7", "ivanov@example.edu", True, "Ivan")
    async with service.services.database.write() as session:
        entry = (await members.find(session, [(DEFAULT_COURSE, "ivanov")]))[DEFAULT_COURSE, "ivanov"]
        (await session.get_one(Person, entry.person_id)).email = stranger.email
        entry.confirmed_at = utc_now()
    async with service.services.database.write() as session:
        person = await identities.sign_in(session, stranger, {"example.edu"})
        assert person.id == entry.person_id
    async with service.browser_of(person.id) as browser:
        (listed,) = [each for each in (await owner.get(PEOPLE)).json()["items"] if each["identities"]]
        (account,) = listed["identities"]
        assert (account["issuer"], account["email"]) == (stranger.issuer, stranger.email)
        assert (await browser.get("/")).status_code == 200
        address = f"{PEOPLE}/{listed['id']}/identities/{account['id']}"
        assert_problem(await owner.delete(f"{PEOPLE}/{new_id()}/identities/{new_id()}"), 404, "person-not-found")
        assert (await owner.delete(address)).status_code == 204
        for gone in (address, f"{PEOPLE}/{listed['id']}/identities/nothing"):
            assert_problem(await owner.delete(gone), 404, "identity-not-found")
        assert (await browser.get("/")).status_code == 401
        log = (await owner.get(f"/api/v1/courses/{DEFAULT_COURSE}/changes")).json()["items"]
        assert (log[0]["subject_id"], log[0]["before"].keys()) == (entry.id, {"identity"})
    async with service.services.database.write() as session:
        again = await identities.sign_in(session, stranger, {"example.edu"})
        assert again.id != entry.person_id


async def test_admin_merges_two_people_and_takes_them_apart(two, owner):

    async def member(course: str) -> dict[str, str]:
        listed = (await owner.get(f"/api/v1/courses/{course}/members")).json()["items"]
        return next(each for each in listed if each["external_id"] == "ivanov")

    here, there = await member(DEFAULT_COURSE), await member(OTHER)
    address = f"{PEOPLE}/{here['person']}/merge"
    answer = await owner.post(address, json={"person": there["person"]})
    merge = answer.json()
    assert (answer.status_code, merge["kept"], merge["merged"]) == (201, here["person"], there["person"])
    assert (merge["members"], merge["identities"], merge["undone_at"]) == ([there["id"]], 0, None)
    assert (await member(OTHER))["person"] == here["person"]
    assert (await owner.post(address, json={"person": there["person"]})).json() == merge
    assert (await owner.get(f"{PEOPLE}/merges")).json() == {"items": [merge], "next_cursor": None}

    undo = f"{PEOPLE}/merges/{merge['id']}/undo"
    assert (await owner.post(undo)).json()["undone_at"] is not None
    assert (await member(OTHER))["person"] == there["person"]
    assert_problem(await owner.post(undo), 409, "join-undone")
