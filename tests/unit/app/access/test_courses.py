"""Two courses side by side, the same student's name in both: nobody of one sees or changes anything of the other."""

from app.courses.assignments import in_course
from app.storage.models import DEFAULT_COURSE, CourseAssignment, Membership, Submission, Token, new_id
from grader import load_assignments
from tests.unit.app.calls import SUBMISSIONS, get, post, submit_by
from tests.unit.app.conftest import OTHER, OWNER_TOKEN, form_secret


async def test_attempts_of_the_same_name_are_counted_in_each_course(two):
    answers = [await submit_by(two, token) for token in ("script-here", "script-there", "script-there")]
    assert [(each.json()["course"], each.json()["attempt"]) for each in answers] == [
        (DEFAULT_COURSE, 1),
        (OTHER, 1),
        (OTHER, 2),
    ]
    namesakes = await two.rows(Membership, Membership.external_id == "ivanov")
    assert {member.course_id for member in namesakes} == {DEFAULT_COURSE, OTHER}
    assert len({member.person_id for member in namesakes}) == 2
    assert {member.confirmed_at for member in namesakes} == {None}


async def test_naming_another_course_shows_nothing_of_it(two):
    here = (await submit_by(two, "script-here")).json()["links"]["self"]
    for token in ("script-there", "teacher-there", "ivanov-there"):
        async with two.client(token) as client:
            assert (await client.get(SUBMISSIONS)).json()["items"] == [], token
            assert (await client.get(here, params={"course": DEFAULT_COURSE})).status_code == 404, token
            named = await client.get(SUBMISSIONS, params={"course": DEFAULT_COURSE})
            assert named.json()["type"].endswith(":course-not-found"), token


async def test_statistics_and_regrades_are_those_of_a_course(two):
    ours = (await submit_by(two, "script-there")).json()["id"]
    theirs = (await submit_by(two, "script-here")).json()["id"]
    statistics = (await get(two, "teacher-there", "/api/v1/assignments/lstm-layer/statistics")).json()
    assert statistics["students"]["count"] == 1
    everybody = (await get(two, OWNER_TOKEN, "/api/v1/assignments/lstm-layer/statistics")).json()
    assert everybody["students"]["count"] == 2
    for wanted in ({"all": True}, {"submissions": [ours, theirs]}, {"filter": {"student": "ivanov"}}):
        begun = (await post(two, "teacher-there", "/api/v1/regrades", wanted)).json()
        assert begun["total"] == 1, wanted
        assert (await get(two, "teacher-here", begun["link"])).status_code == 404
        assert (await get(two, "teacher-here", f"{begun['link']}/submissions")).status_code == 404
        done = await get(two, OWNER_TOKEN, f"{SUBMISSIONS}/{ours}", wait=120)
        assert done.json()["job_status"] == "done"
    assert (await get(two, "teacher-here", "/api/v1/regrades")).json()["items"] == []
    assert len((await get(two, "teacher-there", "/api/v1/regrades")).json()["items"]) == 3


async def test_tokens_are_managed_in_their_course_and_made_for_it(two):
    async with two.client("teacher-there") as client:
        new = (await client.post("/api/v1/tokens", json={"name": "LMS", "student": "petrov"})).json()
        assert new["course"] == OTHER
        listed = (await client.get("/api/v1/tokens")).json()["items"]
        assert {each["course"] for each in listed} == {OTHER}
        (foreign,) = await two.rows(Token, Token.course_id == DEFAULT_COURSE, Token.student == "ivanov")
        assert (await client.delete(f"/api/v1/tokens/{foreign.id}")).status_code == 404
    (token,) = await two.rows(Token, Token.id == new["id"])
    assert token.membership_id == (await two.member("petrov", OTHER)).id
    assert (await submit_by(two, new["token"], "petrov")).json()["course"] == OTHER


async def test_webhooks_are_sent_reports_of_their_course(two):
    hooks = {}
    for token in ("teacher-here", "teacher-there"):
        hooks[token] = (await post(two, token, "/api/v1/webhooks", {"url": "https://lms.example.org/"})).json()
    await submit_by(two, "script-there")
    for token, expected in (("teacher-here", 0), ("teacher-there", 1)):
        sent = await get(two, token, f"/api/v1/webhooks/{hooks[token]['id']}/deliveries")
        assert len(sent.json()["items"]) == expected
    of_another = f"/api/v1/webhooks/{hooks['teacher-there']['id']}/deliveries"
    assert (await get(two, "teacher-here", of_another)).status_code == 404


async def test_an_admin_acts_across_courses_or_in_the_one_that_is_named(two):
    await submit_by(two, "script-here")
    assert (await submit_by(two, OWNER_TOKEN, course=OTHER)).json()["course"] == OTHER
    assert (await submit_by(two, OWNER_TOKEN)).json()["course"] == DEFAULT_COURSE
    for params, expected in (({}, 3), ({"course": OTHER}, 1), ({"course": DEFAULT_COURSE}, 2)):
        assert len((await get(two, OWNER_TOKEN, SUBMISSIONS, **params)).json()["items"]) == expected
    for nonsense in (new_id(), "x", "\x00"):
        answer = await get(two, OWNER_TOKEN, SUBMISSIONS, course=nonsense)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (404, "course-not-found")


async def test_course_takes_and_names_only_the_assignments_that_it_uses(two):
    refused = await submit_by(two, "script-there", assignment="lstm-notebook")
    assert (refused.status_code, refused.json()["known"]) == (422, ["lstm-layer"])
    assert (await submit_by(two, "script-here", assignment="lstm-notebook")).status_code == 200
    listed = (await get(two, "teacher-there", "/api/v1/assignments")).json()["items"]
    assert [each["id"] for each in listed] == ["lstm-layer"]
    for path in ("lstm-notebook", "lstm-notebook/statistics"):
        assert (await get(two, "teacher-there", f"/api/v1/assignments/{path}")).status_code == 404
    async with two.browser("ivanov-there") as browser:
        home = (await browser.get("/")).text
        assert "lstm-notebook" not in home
        form = {"form_secret": form_secret(home), "student": "ivanov"}
        files = {"file": ("LSTM.py", b"class LSTM: ...")}
        page = await browser.post(f"/courses/{OTHER}/assignments/lstm-notebook", files=files, data=form)
    assert (page.status_code, "copying" in page.text) == (404, False)
    assert await two.rows(Submission, Submission.course_id == OTHER) == []


def test_course_overrides_what_it_names_and_leaves_the_digest():
    plain = load_assignments()["lstm-layer"]
    use = CourseAssignment(assignment_id=plain.id, rules={"limit": 3, "due": "2030-01-01T00:00:00Z"})
    changed = in_course({plain.id: plain}, use)
    assert (changed.attempts.limit, changed.attempts.counts) == (3, plain.attempts.counts)
    assert changed.deadline.due.year == 2030
    assert changed.digest == plain.digest
    assert in_course({}, use) is None
