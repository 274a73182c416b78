"""The assignment's page for notebooks and checks: codes, the notebooks in use, and the page of a check."""

import re

from app.storage.models import DEFAULT_COURSE
from grader.report.model import Advisory, Status
from tests.unit.app.calls import CODE, PAGE, SUBMISSIONS, get, send
from tests.unit.app.conftest import Browser

EXCHANGE = "/api/v1/notebook/tokens"
RULES = f"/api/v1/courses/{DEFAULT_COURSE}/assignments/lstm-layer"
A_CODE = re.compile(r">([A-Z2-9]{4}-[A-Z2-9]{4})<")


async def code_on(anna: Browser, path: str = PAGE) -> str:
    shown = await send(anna, path, f"{path}/code")
    assert shown.status_code == 200
    code = A_CODE.search(shown.text)
    return code[1]


async def test_the_page_shows_a_code_once_and_the_notebook_of_it(service, nobody, anna):
    code = await code_on(anna)
    assert not A_CODE.search((await anna.get(PAGE)).text)
    body = (await nobody.post(EXCHANGE, json={"code": code, "where": "<b>Colab"})).json()
    assert body["language"] == "en"
    page = (await anna.get(PAGE)).text
    assert "&lt;b&gt;Colab" in page
    (end,) = re.findall(r'action="([^"]+/end)"', page)
    answer = await send(anna, PAGE, end)
    assert answer.headers["location"] == f"{PAGE}?said=notebook.ended"
    assert (await get(service, body["token"], SUBMISSIONS)).status_code == 401
    assert "&lt;b&gt;Colab" not in (await anna.get(answer.headers["location"])).text


async def test_nobody_ends_the_notebook_of_another(service, nobody, anna):
    token = (await nobody.post(EXCHANGE, json={"code": await code_on(anna)})).json()["token"]
    (end,) = re.findall(r'action="([^"]+/end)"', (await anna.get(PAGE)).text)
    await service.add_token("of-petrov", student="petrov")
    async with service.browser("of-petrov") as petrov:
        assert (await send(petrov, PAGE, end)).status_code == 404
    assert (await get(service, token, SUBMISSIONS)).status_code == 200


async def test_codes_are_made_for_students_and_not_too_fast(service, anna, browser):
    assert 'id="notebook"' not in (await browser.get(PAGE)).text
    assert (await send(browser, PAGE, f"{PAGE}/code")).status_code == 403
    for _ in range(5):
        await code_on(anna)
    refused = await send(anna, PAGE, f"{PAGE}/code")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) >= 1


async def test_the_form_that_hands_in_checks_too_where_the_course_allows_it(service, anna, owner, grader):
    page = (await anna.get(PAGE)).text
    assert f'formaction="{PAGE}/check"' not in page
    form = dict(re.findall(r'name="(form_secret|idempotency_key)" value="([^"]+)"', page))
    file = {"file": ("LSTM.py", CODE)}
    refused = await anna.post(f"{PAGE}/check", data=form, files=file)
    assert refused.status_code == 403
    assert 'role="alert"' in refused.text
    await owner.patch(RULES, json={"rules": {"checks_per_hour": 1}})
    assert f'formaction="{PAGE}/check"' in (await anna.get(PAGE)).text
    grader.statuses = [Status.FAILED]
    answer = await anna.post(f"{PAGE}/check", data=form, files=file)
    assert answer.status_code == 303
    shown = (await anna.get(answer.headers["location"])).text
    assert "no grade" in shown
    assert "Only the exercise&#39;s own example" in shown
    assert not re.search(r"\d+\s*/\s*\d+ *</", shown)
    assert (await owner.get(SUBMISSIONS)).json()["items"] == []
    by_script = await anna.post(f"{PAGE}/check", data=form, files=file, headers={"Accept": "application/json"})
    # The same form sent again leads to the same check.
    assert by_script.json() == {"address": answer.headers["location"], "keeps_draft": True}


async def test_the_page_of_a_check_waits_and_is_for_its_student_alone(service, impatient, anna, browser, owner, grader):
    grader.change = lambda report: report.model_copy(
        update={"advisories": [*report.advisories, Advisory(code="not_fresh_instance")]}
    )
    grader.released.clear()
    await owner.patch(RULES, json={"rules": {"checks_per_hour": 1}})
    at = (await send(anna, PAGE, f"{PAGE}/check", files={"file": ("LSTM.py", CODE)})).headers["location"]
    waiting = (await anna.get(at)).text
    assert 'http-equiv="refresh"' in waiting
    assert (await browser.get(at)).status_code == 404
    assert (await anna.get(at.replace(PAGE, f"{PAGE}-of-another"))).status_code == 404
    grader.released.set()
    address = f"/api/v1/checks/{at.rpartition('/')[2]}"
    assert (await get(service, "of-anna", address, wait=120)).json()["job_status"] == "done"
    assert "http-equiv" not in (await anna.get(at)).text
