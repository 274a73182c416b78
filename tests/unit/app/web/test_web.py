"""The pages of students: the way in, an upload, the wait, the report, and forms of other sites."""

import asyncio
import json
import re
from html import unescape
from typing import Any

import httpx
import numpy as np
import pytest

from app.http.auth.proof import FORM_FIELD, unmask
from grader import Report, Status
from grader.report.artefacts import pack
from grader.report.messages import LANGUAGES
from grader.report.model import Advisory, Diagnosis, ErrorInfo, Frame, Output
from grader.report.pictures.charts import pictures
from tests.unit.app.calls import ATTEMPTS, PAGE, SUBMISSIONS, submit
from tests.unit.app.conftest import OWNER_TOKEN, Browser, form_secret
from tests.unit.grader.make_reports import make_report
from tests.waiting import until

ARRAYS = pack(np.ones((2, 100, 32), np.float32), np.zeros((2, 100, 32), np.float32))
HOSTILE = "<script>alert(1)</script>\x1b[31m\"'"


async def send(browser: Browser, **changed: Any) -> httpx.Response:
    secret = changed.pop("secret", None) or form_secret((await browser.get(PAGE)).text)
    data = {"form_secret": secret, "student": "ivanov"} | changed
    file = data.pop("file", ("LSTM.py", b"class LSTM: ..."))
    return await browser.post(PAGE, files={"file": file}, data=data)


async def test_link_asks_then_signs_in_and_leaves_the_address_without_it(service, visitor, monkeypatch):
    await service.add_token("of-anna", student="Анна <Иванова>")
    page = await visitor.get("/enter", params={"token": "of-anna"})
    assert (page.status_code, "set-cookie" in page.headers) == (200, False)
    assert "You will be signed in as Анна &lt;Иванова&gt;." in page.text
    assert "This visitor is signed in" not in page.text
    russian = re.search(r'href="([^"]*lang=ru)"', page.text)
    assert "Вы войдёте как Анна" in (await visitor.get(unescape(russian[1]))).text
    token = re.search(r'name="token" value="([^"]+)"', page.text)
    await visitor.post("/enter", data={"token": token[1]})
    assert "This visitor is signed in" not in (await visitor.get("/enter?token=of-anna&lang=en")).text
    other = unescape((await visitor.get("/enter", params={"token": OWNER_TOKEN})).text)
    assert "signed in as Анна <Иванова> now. If you go on, it is signed in as owner instead." in other
    response = await visitor.post("/enter", data={"token": OWNER_TOKEN})
    cookie = response.headers["set-cookie"]
    assert (response.status_code, response.headers["location"]) == (303, "/")
    assert cookie.endswith("; HttpOnly; SameSite=lax")
    assert OWNER_TOKEN not in cookie
    assert (await visitor.get("/")).status_code == 200
    monkeypatch.setitem(service.services.settings.__dict__, "public_url", "https://grader.test")
    cookie = (await visitor.post("/enter", data={"token": OWNER_TOKEN})).headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert cookie.endswith("; HttpOnly; SameSite=lax; Secure")


async def test_service_without_single_sign_on_has_no_pages_of_it(service):
    async with service.client(None, **{"Accept": "text/html", "Accept-Language": "en"}) as browser:
        for path in ("/oidc/start", "/oidc/callback?code=x&state=y"):
            assert (await browser.get(path)).status_code == 404
        assert "/oidc/start" not in (await browser.get("/enter")).text
    async with service.browser() as browser:
        page = await browser.get("/enter", params={"token": OWNER_TOKEN})
        assert "/enter/together" not in page.text
        form = {"token": OWNER_TOKEN, FORM_FIELD: form_secret((await browser.get("/")).text)}
        assert (await browser.post("/enter/together", data=form)).status_code == 401


async def test_pages_take_no_bearer_token(service):
    async with service.client(Accept="text/html") as program:
        assert (await program.get("/")).status_code == 401


async def test_page_loads_itself_until_there_is_a_report(browser, grader, impatient):
    grader.released.clear()
    where = (await send(browser)).headers["location"]
    page = (await browser.get(where, params={"lang": "ru"})).text
    assert 'aria-current="true">Оценки' in page
    # Only where no script runs; the script follows the events, with the texts that stand in the page.
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page
    assert '<li data-event="position" data-text="Работа ждёт в очереди, её место: {position}."' in page
    assert '<li data-event="running" data-text="Выполнение кода"' in page
    address = re.search(r'data-events="([^"]+)"', page)
    watching = asyncio.create_task(browser.get(address[1]))
    await until(lambda: grader.began)
    grader.released.set()
    answer = await watching
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: done" in answer.text
    assert 'http-equiv="refresh"' not in (await browser.get(where)).text


@pytest.mark.parametrize(
    ("begun", "at", "hidden"),
    [
        ([], "running", {"reference", "running_keras2", "notebook"}),
        (["notebook", "checking"], "checking", {"reference", "running_keras2"}),
        # The notebook was why Keras 2 is tried.
        (["notebook", "running_keras2"], "running_keras2", {"reference"}),
    ],
)
async def test_page_shows_the_stages_that_this_grade_has_had_and_the_newest_as_the_present_one(
    browser, grader, impatient, begun, at, hidden
):
    grader.released.clear()
    grader.stages += begun
    where = (await send(browser)).headers["location"]

    async def page() -> str | None:
        text = (await browser.get(where)).text
        return text if re.search(rf'data-event="{at}"[^>]* aria-current="step"', text) else None

    assert set(re.findall(r'data-event="(\w+)"[^>]* hidden', await until(page))) == hidden
    grader.released.set()


async def test_page_that_waits_long_loads_itself_again_less_often(owner, browser, grader, impatient):
    grader.released.clear()
    for number in range(12):
        await submit(owner, wait=0, student=f"s{number}")
    await until(lambda: len(grader.began) == 2)
    page = (await browser.get((await send(browser)).headers["location"])).text
    assert '<noscript><meta http-equiv="refresh" content="4"></noscript>' in page, "it is eleventh"


async def test_form_without_the_sessions_secret_changes_nothing(browser, grader):
    for secret in ("0" * 64, "0" * 256, "0" * 255, "ы", "x"):
        assert (await send(browser, secret=secret)).status_code == 403, secret
        assert (await browser.post("/leave", data={"form_secret": secret})).status_code == 403, secret
    assert (await browser.post("/leave")).status_code == 403
    assert (await browser.get("/")).status_code == 200
    assert grader.graded == []


async def test_signing_out_ends_the_session_and_twice_is_no_fault(browser):
    cookies = dict(browser.cookies)
    secret = form_secret((await browser.get("/")).text)
    for jar in (cookies, cookies, {}):
        browser.cookies.clear()
        browser.cookies.update(jar)
        answer = await browser.post("/leave", data={"form_secret": secret})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    browser.cookies.update(cookies)
    assert (await browser.get("/")).status_code == 401


async def test_refused_upload_shows_the_form_again_with_what_was_typed(browser):
    assert (await send(browser, file=("", b""))).status_code == 422
    response = await send(browser, student="Петрова", file=("LSTM.docx", b"x"))
    assert response.status_code == 415
    assert "LSTM.docx" in response.text
    assert 'value="Петрова"' in response.text


@pytest.mark.parametrize("status", list(Status))
async def test_report_of_every_status_is_a_page(browser, grader, status):
    grader.statuses = [status]
    where = (await send(browser)).headers["location"]
    for language in LANGUAGES:
        page = await browser.get(where, params={"lang": language})
        assert page.status_code == 200
        assert f'<html lang="{language}">' in page.text
        assert page.headers["content-language"] == language
        assert ("Passed" in page.text) == (status == Status.PASSED and language == "en")
        # The choice lasts.
        assert f'<html lang="{language}">' in (await browser.get("/")).text


async def test_a_students_text_is_escaped_everywhere(browser, grader):
    def hostile(report: Report) -> Report:
        return report.model_copy(
            update={
                "output": Output(stdout=HOSTILE, stderr=HOSTILE),
                "error": ErrorInfo(
                    type=HOSTILE, message=HOSTILE, traceback=[Frame(file=HOSTILE, line=1, code=HOSTILE)]
                ),
                "diagnoses": [Diagnosis(code="raises_in_call", params={"message": HOSTILE}, confidence="likely")],
                "advisories": [Advisory(code="prompt_injection", params={"text": HOSTILE})],
            }
        )

    grader.change = hostile
    response = await send(browser, student=HOSTILE.replace("\x1b", ""), file=(f"{HOSTILE}.py", b"x"))
    pages = [(await browser.get(response.headers["location"])).text, (await browser.get(ATTEMPTS)).text]
    for page in pages:
        assert "alert(1)" in page
        assert "<script>" not in page
        assert "\x1b" not in page


async def test_every_answer_binds_the_browser(browser):
    for path in ("/", "/docs", "/healthz", "/api/v1/assignments", "/nothing", "/static/style.css"):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"]


async def test_the_first_file_after_a_start_is_told_to_wait_longer(service, browser, grader, impatient):
    state = service._transport.app.state.operations
    grader.released.clear()
    answer = await send(browser, student="ivanov")
    for has_ended in (False, True):
        state.self_test.has_ended = has_ended
        page = (await browser.get(answer.headers["location"])).text
        assert ("The service has just started" in page) is not has_ended
        assert "The file has arrived" in page
        assert "few seconds" not in page
    grader.released.set()


async def test_attempt_that_waits_names_its_student_to_whom_staff_go_on(anna, browser, grader, impatient):
    grader.released.clear()
    attempt = (await send(anna, student="anna")).headers["location"]
    own, of_staff = [(await reader.get(attempt)).text for reader in (anna, browser)]
    assert "<bdi>anna</bdi>" in own
    assert "/members/" not in own
    assert re.search(r'/members/\w+"><bdi>anna', of_staff)


async def test_log_has_neither_tokens_nor_names(service, caplog):
    with caplog.at_level("DEBUG"):
        async with service.browser() as browser:
            await send(browser, student="Секретарёв", file=("Секретарёв.py", b"secret_code = 1"))
    lines = " ".join(str(vars(record)) for record in caplog.records if record.name.startswith("app"))
    assert "/submissions" not in lines.replace("/submissions/{submission_id}", "")
    for secret in (OWNER_TOKEN, "Секретарёв", "secret_code"):
        assert secret not in lines


def _wrong(report: Report) -> Report:
    cases = [case.model_copy(update={"arrays": ARRAYS[0]}) for case in make_report().cases[:1]]
    return report.model_copy(update={"cases": cases})


async def test_a_report_has_pictures_with_their_meaning_in_words_and_numbers_for_whoever_may_read_it(
    service, browser, grader
):
    grader.statuses, grader.change = [Status.FAILED], _wrong
    grader.artefacts = dict([ARRAYS])
    page = await browser.get((await send(browser)).headers["location"], params={"lang": "en"})
    addresses = re.findall(r'<noscript><img src="(/submissions/[^"]+)"', page.text)
    assert len(addresses) == 2
    # The curve of the proof needs no script and no image.
    assert page.text.count("<figcaption>") == 3
    assert page.text.count("<polyline") == 2
    assert "are beyond the tolerance" in page.text
    for address in addresses:
        picture = await browser.get(unescape(address))
        assert picture.headers["content-type"] == "image/svg+xml"
        assert picture.headers["content-security-policy"].startswith("default-src 'none'")
        assert picture.text.startswith("<svg")
    assert (await browser.get(addresses[0].replace("over_time", "nothing"))).status_code == 404
    definition = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page.text, re.DOTALL)[0]
    assert json.loads(definition) == pictures(make_report().model_dump(mode="json")["cases"][0], "en", {})[0].spec
    assert (await browser.get(addresses[0].replace(".svg", ".png"))).status_code in (404, 422)
    (numbers,) = re.findall(r'href="([^"]+\.csv)"', page.text)
    table = await browser.get(numbers)
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    lines = table.text.splitlines()
    assert (len(lines), lines[:2]) == (1 + 2 * 100 * 32, ["sequence,timestep,unit,keras,yours", "0,0,0,0,1"])
    for other in ("larger", "nothing"):
        assert (await browser.get(numbers.replace("exercise", other))).status_code == 404
    await service.add_token("another")
    async with service.browser("another") as stranger:
        assert [(await stranger.get(address)).status_code for address in (addresses[0], numbers)] == [404, 404]


async def test_report_whose_arrays_are_gone_still_says_where_it_is_wrong(browser, grader):
    grader.statuses, grader.change = [Status.FAILED], _wrong
    page = await browser.get((await send(browser)).headers["location"], params={"lang": "en"})
    assert "The first wrong timestep is 0; take unit 1 of sequence 0" in page.text
    assert "Keras has 0.25 there, your class returned 0.5." in page.text
    assert "<polyline" not in page.text
    assert page.text.count("<figcaption>") == 2


async def test_text_is_compressed_for_whoever_takes_it_and_streams_and_files_are_not(browser, owner, grader):
    content = b"x = 1  # a comment\n" * 1000
    where = (await send(browser, file=("LSTM.py", content))).headers["location"]
    id = where.rpartition("/")[2]
    for address in ("/", where, "/static/report/report.css", "/static/vega.js"):
        encoded, plain = [
            await browser.get(address, headers={"Accept-Encoding": accepted}) for accepted in ("gzip", "identity")
        ]
        assert encoded.headers["content-encoding"] == "gzip", address
        assert "content-encoding" not in plain.headers
        assert "Accept-Encoding" in encoded.headers["vary"]
        assert "Accept-Encoding" in plain.headers["vary"]
        assert encoded.text[-20:] == plain.text[-20:]
    report = await owner.get(f"{SUBMISSIONS}/{id}/report")
    assert report.headers["content-encoding"] == "gzip"
    stream = await owner.get(f"{SUBMISSIONS}/{id}/events")
    assert "event: done" in stream.text
    assert "content-encoding" not in stream.headers
    file = await owner.get(f"{SUBMISSIONS}/{id}/file")
    assert file.content == content
    assert "content-encoding" not in file.headers


async def test_secrets_of_forms_look_different_in_every_answer(browser):
    """A page that is compressed tells its length, and so what repeats in it."""
    pages = [(await browser.get(PAGE)).text for _ in range(3)]
    for name in ("form_secret", "idempotency_key"):
        assert len({re.findall(rf'name="{name}" value="([^"]+)"', page)[0] for page in pages}) == 3
    oldest = form_secret(pages[0])
    assert not any(str(cookie) in page for cookie in browser.cookies.values() for page in pages)
    assert (await send(browser, secret=oldest)).status_code == 303


OTHER_SITES = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://grader.test.evil.example"},
    {"Origin": "http://grader.test:8000", "Host": "grader.test:9000"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://["},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
]
THIS_SITE = [
    {"Origin": "http://grader.test"},
    {"Origin": "https://grader.test:8443", "Sec-Fetch-Site": "same-origin"},  # A proxy that hands on the name alone.
    {"Origin": "https://public.example.org", "Host": "10.0.0.7:8000"},
    {"Sec-Fetch-Site": "none"},
    {},
]


@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
async def test_another_site_signs_nobody_in_and_sends_no_form(owner, browser, headers):
    form = form_fields((await browser.get(PAGE)).text)
    for path in ("/enter", "/leave", PAGE):
        answer = await browser.post(path, data={"token": OWNER_TOKEN, **form}, headers=headers)
        assert (answer.status_code, "set-cookie" in answer.headers) == (403, False), path
        assert "Sent by another site" in answer.text
    assert (await browser.get("/", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200
    files, data = {"file": ("LSTM.py", b"class LSTM: ...")}, {"student": "ivanov"}
    assert (await owner.post(SUBMISSIONS, files=files, data=data, headers=headers)).status_code == 202


@pytest.mark.parametrize("headers", THIS_SITE, ids=str)
async def test_our_own_pages_may_send_forms(service, headers):
    object.__setattr__(service.services.settings, "public_url", "https://public.example.org")
    async with service.client(None, **headers) as browser:
        assert (await browser.post("/enter", data={"token": OWNER_TOKEN})).status_code == 303


async def test_page_of_our_host_without_tls_is_not_ours(service):
    object.__setattr__(service.services.settings, "public_url", "https://grader.test")
    for origin, status in (("http://grader.test", 403), ("https://grader.test", 303)):
        async with service.client(None, Origin=origin) as browser:
            assert (await browser.post("/enter", data={"token": OWNER_TOKEN})).status_code == status


async def test_form_sent_again_is_one_attempt_and_a_new_page_another(owner, browser):
    form = form_fields((await browser.get(PAGE)).text)
    # A double click, then the browser's way back.
    double = await asyncio.gather(*(send_form(browser, form) for _ in range(2)))
    later = [await send_form(browser, form) for _ in range(2)]
    assert len({answer.headers["location"] for answer in (*double, *later)}) == 1
    # Back, and another file: the student has mended something.
    mended = await send_form(browser, form, b"class LSTM: pass")
    fresh = await send_form(browser, form_fields((await browser.get(PAGE)).text))
    assert len({answer.headers["location"] for answer in (later[0], mended, fresh)}) == 3
    assert len((await owner.get("/api/v1/submissions")).json()["items"]) == 3


async def test_page_that_is_loaded_again_before_an_answer_came_is_the_same_form(browser):
    first, again = [(await browser.get(PAGE)).text for _ in range(2)]
    assert form_key(first) == form_key(again)
    refused = await send_form(browser, form_fields(first), b"")
    assert refused.status_code == 422
    assert form_key(refused.text) == form_key(first)
    assert (await send_form(browser, form_fields(first))).status_code == 303
    assert form_key((await browser.get(PAGE)).text) != form_key(first)


def form_fields(html: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', html))


def form_key(html: str) -> str:
    return unmask(form_fields(html)["idempotency_key"])


async def send_form(browser: Browser, form: dict[str, str], content: bytes = b"class LSTM:") -> httpx.Response:
    return await browser.post(PAGE, files={"file": ("LSTM.py", content)}, data=form | {"student": "ivanov"})
