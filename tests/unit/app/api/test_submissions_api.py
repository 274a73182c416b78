"""Submissions and their reports over the API: lists, files, what is kept, what can be taken back."""

from app.storage.models import DEFAULT_COURSE, Submission
from app.submissions import repository
from grader import Status
from tests.unit.app.api.test_teaching_api import regraded
from tests.unit.app.calls import SUBMISSIONS, assert_problem, get, submit, upload
from tests.unit.app.conftest import running
from tests.unit.grader.make_reports import make_report
from tests.waiting import Clock, until


async def test_list_goes_on_where_the_page_before_ended_whatever_comes_meanwhile(owner):
    ids = [(await submit(owner, student=f"s{number}"))["id"] for number in range(3)]
    page = (await owner.get(SUBMISSIONS, params={"limit": 2})).json()
    await submit(owner, student="late")
    rest = (await owner.get(SUBMISSIONS, params={"limit": 2, "cursor": page["next_cursor"]})).json()
    assert [item["id"] for item in page["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None


async def test_list_holds_what_fulfils_all_filters(owner, grader):
    grader.statuses = [Status.PASSED, Status.FAILED, Status.INTERNAL_ERROR]
    sent = [("ivanov", "lstm-layer"), ("ivanov", "lstm-notebook"), ("petrov", "lstm-layer")]
    ids = [(await submit(owner, student=student, assignment=assignment))["id"] for student, assignment in sent]
    for params, expected in (
        ({"student": " ivanov "}, {0, 1}),
        ({"assignment": "lstm-notebook"}, {1}),
        ({"status": "failed"}, {1}),
        ({"assignment": "lstm-layer", "student": "petrov"}, {2}),
        ({"job_status": "queued"}, set()),
        ({"job_status": "done", "since": "2026-01-01T00:00:00+03:00"}, {0, 1, 2}),
        ({"since": "2500-01-01T00:00:00Z"}, set()),
        ({"since": "0001-01-01T00:00:00+05:00"}, {0, 1, 2}),
        ({"since": "9999-12-31T23:59:59-05:00"}, set()),
    ):
        items = (await owner.get(SUBMISSIONS, params=params)).json()["items"]
        assert {ids.index(item["id"]) for item in items} == expected, params
    items = (await owner.get(SUBMISSIONS)).json()["items"]
    results = [("internal_error", None), ("failed", 10.0), ("passed", 100.0)]
    assert [(item["status"], item["points"]) for item in items] == results
    assert items[1]["max_points"] == 100.0
    assert "report" not in items[1]


async def test_impossible_filter_is_refused(owner):
    for name, value in (
        ("limit", 0),
        ("limit", 201),
        ("cursor", "x"),
        ("status", "good"),
        ("job_status", "lost"),
        ("since", "2026-01-01T00:00:00"),
        ("student", "a\x00b"),
    ):
        assert (await owner.get(SUBMISSIONS, params={name: value})).status_code == 422, (name, value)


async def test_bytes_of_the_newest_attempt_are_refused_where_another_is_not_wanted(service, ivanov, grader):
    grader.released.clear()  # Each answer is that of an upload which waits.
    once, other = {"again": "false"}, upload(b"class LSTM: pass", student=None)
    for params, key, sent, status in (
        (once, "a", upload(student=None), 202),
        (once, "a", upload(student=None), 202),
        (once, "b", upload(student=None), 409),
        ({}, "b", upload(student=None), 202),
        (once, "c", other, 202),
        (once, "d", upload(student=None), 202),
    ):
        answer = await ivanov.post(SUBMISSIONS, params=params, headers={"Idempotency-Key": key}, **sent)
        assert answer.status_code == status, (key, answer.text)
        if status == 409:
            assert assert_problem(answer, 409, "handed-in-before")["attempt"] == 1
    assert len((await ivanov.get(SUBMISSIONS)).json()["items"]) == 4


async def test_only_what_waits_for_its_first_report_is_cancelled(owner, grader):
    grader.released.clear()
    bodies = [await submit(owner, wait=0, student=f"s{number}") for number in range(3)]
    await until(lambda: len(grader.began) == 2)
    await submit(owner, wait=0, student="last")
    places = [(await owner.get(body["links"]["self"])).json() for body in bodies]
    assert [(each["job_status"], each["position"]) for each in places] == [*[("running", None)] * 2, ("queued", 1)]
    running_one, _, queued = (f"{body['links']['self']}/cancel" for body in bodies)
    problem = assert_problem(await owner.post(running_one), 409, "not-cancellable")
    assert problem["job_status"] == "running"
    for _ in range(2):
        answer = await owner.post(queued)
        assert (answer.status_code, answer.json()["job_status"]) == (200, "cancelled")
    grader.released.set()
    done = (await owner.get(bodies[0]["links"]["self"], params={"wait": 120})).json()
    assert_problem(await owner.post(f"{done['links']['self']}/cancel"), 409, "not-cancellable")
    assert len(grader.graded) <= 3


async def test_submission_that_waits_to_be_graded_again_is_not_cancelled(service, owner):
    body = await submit(owner)
    async with service.services.database.write() as session:
        submission = await session.get_one(Submission, body["id"])
        submission.job_status = "queued"
        await session.flush()
        assert not await repository.cancel(session, body["id"])


async def test_file_comes_back_as_it_went_and_as_a_download(owner):
    content = bytes(range(256))
    body = await submit(owner, content=content, filename='LS"TM\r\nX: y;я.py')
    response = await owner.get(body["links"]["file"])
    assert response.content == content
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in response.headers["content-security-policy"].split("; ")
    disposition = response.headers["content-disposition"]
    assert disposition.startswith("attachment; filename*=UTF-8''LS")
    assert disposition.isascii()
    assert '"' not in disposition
    assert disposition.count(";") == 1


async def test_reports_of_a_submission_are_all_kept_and_compared(owner, grader):
    grader.statuses = [Status.FAILED, Status.PASSED]
    body = await submit(owner)
    (first,) = (await owner.get(body["links"]["reports"])).json()["items"]
    await regraded(owner, submissions=[body["id"]])
    second, also_first = (await owner.get(body["links"]["reports"])).json()["items"]
    assert also_first == first
    assert (second["status"], second["points"]) == ("passed", 100.0)
    assert (await owner.get(first["link"])).json()["status"] == "failed"
    assert (await owner.get(body["links"]["report"])).json()["status"] == "passed"
    changes = (await owner.get(f"{second['link']}/changes")).json()
    assert {change["key"] for change in changes["changes"]} == {"status", "points"}
    assert (changes["before"], changes["after"], changes["unexplained"]) == (first["id"], second["id"], True)
    nothing = await owner.get(f"{second['link']}/changes", params={"since": second["id"]})
    assert nothing.json()["changes"] == []
    # The first has none before it.
    assert_problem(await owner.get(f"{first['link']}/changes"), 404, "report-not-found")


async def test_report_of_another_submission_is_not_found_under_this_one(owner):
    mine, other = await submit(owner), await submit(owner, student="petrov")
    (report,) = (await owner.get(other["links"]["reports"])).json()["items"]
    for what in ("", "/changes", "/pictures", "/pictures/any.svg"):
        wrong = f"{mine['links']['reports']}/{report['id']}{what}"
        assert_problem(await owner.get(wrong), 404, "report-not-found")


async def test_pictures_are_listed_and_drawn(owner, grader):
    grader.change = lambda report: make_report()
    body = await submit(owner)
    (report,) = (await owner.get(body["links"]["reports"])).json()["items"]
    pictures = (await owner.get(f"{report['link']}/pictures", params={"lang": "en"})).json()["items"]
    assert all(picture["text"] for picture in pictures)
    drawn = await owner.get(pictures[0]["link"])
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.text.startswith("<svg")
    assert_problem(await owner.get(f"{report['link']}/pictures/nothing.svg"), 404, "report-not-found")


async def test_an_unchanged_answer_is_not_sent_again(service, grader):
    grader.released.clear()
    async with service.client(**{"Accept-Language": "en"}) as client:
        body = await submit(client, wait=0)
        early = await client.get(body["links"]["self"])
        grader.released.set()
        headers = {"If-None-Match": early.headers["etag"]}
        done = await client.get(body["links"]["self"], params={"wait": 120}, headers=headers)
        assert (done.status_code, done.json()["job_status"]) == (200, "done")
        (report,) = (await client.get(body["links"]["reports"])).json()["items"]
        for address in (body["links"]["self"], body["links"]["report"], body["links"]["file"], report["link"]):
            etag = (await client.get(address)).headers["etag"]
            answer = await client.get(address, headers={"If-None-Match": f'"other", W/{etag}'})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
            # Another language is another text.
            if address != body["links"]["file"]:
                headers = {"If-None-Match": etag, "Accept-Language": "ru"}
                assert (await client.get(address, headers=headers)).status_code == 200


async def test_answer_is_sent_again_when_the_student_has_another_id(owner):
    address = (await submit(owner))["links"]["self"]
    etag = (await owner.get(address)).headers["etag"]
    members = f"/api/v1/courses/{DEFAULT_COURSE}/members"
    (member,) = (await owner.get(members)).json()["items"]
    await owner.patch(f"{members}/{member['id']}", json={"external_id": "i.ivanov"})
    answer = await owner.get(address, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.json()["student"]) == (200, "i.ivanov")


async def test_student_or_token_that_sends_too_much_waits(settings, grader, with_tables):
    limits = {"student_uploads_per_minute": 2, "token_requests_per_minute": 4}
    async with running(settings.model_copy(update=limits), grader) as service, service.client() as client:
        service.services.request_limit._clock = Clock()
        for _ in range(2):
            await submit(client, wait=0)
        of_student = await client.post(SUBMISSIONS, **upload())
        assert (await client.post(SUBMISSIONS, **upload(student="petrov"))).status_code == 202
        for response in (of_student, await client.get("/api/v1/assignments")):
            assert_problem(response, 429, "too-many-requests")
            assert 0 < int(response.headers["retry-after"]) <= 60
        await service.add_token("another")
        assert (await get(service, "another", "/api/v1/assignments")).status_code == 200


async def test_assignment_shows_what_is_asked_and_nothing_of_hidden_cases(service, owner):
    assignment = service.services.assignments["lstm-layer"]
    items = (await owner.get("/api/v1/assignments", params={"lang": "en"})).json()["items"]
    response = await owner.get("/api/v1/assignments/lstm-layer", params={"lang": "en"})
    assert_problem(await owner.get("/api/v1/assignments/gru"), 404, "assignment-not-found")
    listed = next(item for item in items if item["id"] == "lstm-layer")
    assert (listed["max_points"], listed["upload_bytes"], "LSTM" in listed["title"]) == (100, 200_000, True)
    body = response.json()
    assert body["points"]["equivalence"] == 50
    assert body["cases"][0]["shape"] == [2, 100, 16]
    hidden = [case for case in body["cases"] if case["visibility"] == "hidden"]
    assert hidden
    assert all(case["shape"] is case["units"] is None for case in hidden)
    assert "seed" not in response.text.replace("other_seed", "")
    assert not any(str(case.seed) in response.text for case in assignment.cases if case.seed > 999)
