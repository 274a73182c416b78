"""Somebody who is not signed in is offered the ways in that there are, and comes to the page that they wanted."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from pydantic import SecretStr

from app.http.auth.sessions import SESSION_COOKIE
from app.http.bodies import FORM_OVERHEAD_BYTES, LONG_FIELDS
from app.http.middleware import BODY_BYTES
from app.http.pages import WEB
from app.storage.models import new_id
from app.submissions.uploads import PASTE_BYTES
from tests.unit.app.calls import PAGE
from tests.unit.app.conftest import OWNER_TOKEN, Browser, Service, running

WANTED = "/courses?q=a+b&state=look"
SIGN_ON = {"oidc_issuer": "https://id.example.edu/realms/main", "oidc_client_id": "grader"}
SIGN_ON |= {"oidc_client_secret": SecretStr("secret-of-the-client"), "public_url": "http://grader.test"}
MAIL = {"smtp_host": "127.0.0.1", "smtp_sender": "grader@example.org", "public_url": "http://grader.test"}


def stranger(service: Service, language: str = "en", **headers: str) -> Browser:
    return service.client(None, **{"Accept": "text/html", "Accept-Language": language, **headers})


def next_in(page: str) -> set[str]:
    """Return where the ways in of a page lead on to: its form, and its links."""
    fields = re.findall(r'name="next" value="([^"]*)"', page)
    links = [urlsplit(unescape(link)) for link in re.findall(r'href="(/(?:oidc|link|enter)[^"]*)"', page)]
    queries = [parse_qs(link.query) for link in links]
    # The links to another language keep the page's own query as it came.
    return {*map(unescape, fields), *(query.get("next", ["/"])[0] for query in queries if "lang" not in query)}


@pytest.mark.parametrize("configured", [{}, SIGN_ON, MAIL, SIGN_ON | MAIL], ids=["none", "sign-on", "mail", "both"])
async def test_page_offers_exactly_the_ways_in_that_this_service_has(settings, grader, with_tables, configured):
    async with running(settings.model_copy(update=configured), grader) as service, stranger(service) as browser:
        for path in ("/", "/enter", WANTED, f"/enter?{urlencode({'next': WANTED})}"):
            answer = await browser.get(path)
            assert answer.status_code == (200 if path.startswith("/enter") else 401), path
            page = answer.text
            assert ("/oidc/start" in page) == ("oidc_issuer" in configured), path
            assert ("id.example.edu" in page) == ("oidc_issuer" in configured), path
            assert ('"/link' in page) == ("smtp_host" in configured), path
            assert 'action="/enter"' in page, path
            assert "ask your teacher" in page, path
            assert next_in(page) == {WANTED if "courses" in path else "/"}, path


@pytest.mark.parametrize(("language", "title"), [("en", "Please sign in"), ("ru", "Нужно войти")])
async def test_signed_out_page_says_so_without_a_number(service, language, title):
    async with stranger(service, language) as browser:
        page = (await browser.get(PAGE)).text
    assert f"<h1>{title}</h1>" in page
    assert re.search(rf"<title>{title}.*</title>", page)
    assert "401" not in page


async def test_over_session_is_as_none(service):
    async with stranger(service, Cookie=f"{SESSION_COOKIE}=over") as browser:
        page = await browser.get(PAGE)
    assert page.status_code == 401
    assert 'action="/leave"' not in page.text
    assert next_in(page.text) == {PAGE}


async def test_token_leads_to_the_page_that_was_wanted(visitor):
    (next,) = next_in((await visitor.get(PAGE)).text)
    answer = await visitor.post("/enter", data={"token": OWNER_TOKEN, "next": next})
    assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
    assert (await visitor.get(PAGE)).status_code == 200


async def test_link_of_a_mail_leads_to_the_page_that_was_wanted(visitor):
    page = await visitor.get("/enter", params={"token": OWNER_TOKEN, "next": PAGE})
    assert next_in(page.text) >= {PAGE}
    other = re.search(r'href="([^"]*lang=ru)"', page.text)
    assert next_in((await visitor.get(unescape(other[1]))).text) >= {PAGE}


async def test_no_way_in_leads_to_another_site(visitor):
    for place in ("https://evil.example.org", "//evil.example.org", "/\\evil.example.org", "/x\r\nSet-Cookie: a=b", ""):
        for path in ("/enter", "/link"):
            assert next_in((await visitor.get(path, params={"next": place})).text) == {"/"}, place
        page = await visitor.get("/enter", params={"next": place, "token": OWNER_TOKEN})
        assert next_in(page.text) == {"/"}, place
        answer = await visitor.post("/enter", data={"token": OWNER_TOKEN, "next": place})
        assert (answer.status_code, answer.headers["location"]) == (303, "/"), place


@pytest.mark.parametrize("path", ["//evil.example.org/a?b=c", "///evil.example.org", "/%5Cevil"])
async def test_page_at_an_address_with_two_slashes_links_to_no_other_site(browser, path):
    page = await browser.get(f"http://grader.test{path}")
    assert page.status_code == 404
    for address in re.findall(r'(?:href|action)="([^"]*)"', page.text):
        assert not re.match(r"/?[/\\]{2}|/\\|\w+:", address), address


@pytest.mark.parametrize("pasted", ["{0}", " {0}\n", "http://grader.test/enter?token={0}", "/enter?token={0}&next=/ "])
async def test_whole_link_is_taken_in_place_of_its_token(visitor, pasted):
    answer = await visitor.post("/enter", data={"token": pasted.format(OWNER_TOKEN)})
    assert answer.status_code == 303


@pytest.mark.parametrize("token", ["wrong", "http://grader.test/enter?token=wrong", "http://[/enter?"])
async def test_link_that_does_not_work_says_so_and_offers_the_other_ways(service, token):
    async with stranger(service, Referer=f"http://grader.test{PAGE}") as browser:
        refused = await browser.post("/enter", data={"token": token})
        assert refused.status_code == 401
        assert "<h1>This link or token does not work</h1>" in refused.text
        assert "Nothing was saved" not in refused.text
        assert next_in(refused.text) == {PAGE}
        opened = await browser.get("/enter", params={"token": "wrong", "next": PAGE})
        assert (opened.status_code, next_in(opened.text)) == (401, {PAGE})
        assert "wrong" not in opened.text


HERE = f"{PAGE}/attempts?page=2"


@pytest.mark.parametrize(
    ("referer", "leads_to"),
    [(f"http://grader.test{HERE}", HERE), ("http://evil.example.org/x", "/"), ("http://[", "/"), ("x", "/")],
)
async def test_form_sent_while_signed_out_says_that_nothing_was_saved_and_leads_back_to_it(service, referer, leads_to):
    async with stranger(service, Referer=referer) as browser:
        answer = await browser.post(PAGE, data={"code": "class LSTM: ..."})
    assert (answer.status_code, next_in(answer.text)) == (401, {leads_to})
    assert "Nothing was saved" in answer.text


@pytest.mark.parametrize("is_multipart", [True, False])
async def test_text_written_while_signed_out_is_given_back_and_kept_nowhere(visitor, caplog, is_multipart):
    fields = {"form_secret": "of-the-form", "code": "class LSTM:\r\n  </textarea><b>mine"}
    body: dict[str, Any] = {"data": fields}
    if is_multipart:
        body = {"files": {**{name: (None, value) for name, value in fields.items()}, "file": ("a.py", b"of-the-file")}}
    for path in PAGE, f"/submissions/{new_id()}/reviews":
        answer = await visitor.post(path, **body)
        assert answer.status_code == 401
        assert "\nclass LSTM:\n  &lt;/textarea&gt;&lt;b&gt;mine</textarea>" in answer.text
        assert "of-the" not in answer.text
        assert "mine" not in caplog.text
    asked_by_script = await visitor.post(PAGE, headers={"Accept": "application/json"}, **body)
    assert asked_by_script.headers["content-type"] == "application/problem+json"
    assert "mine" not in asked_by_script.text


async def test_text_of_strangers_is_limited(visitor):
    for path, most in ((PAGE, PASTE_BYTES), (f"/submissions/{new_id()}/reviews", BODY_BYTES - 1000)):
        for size, is_there in ((most, True), (most + FORM_OVERHEAD_BYTES, False)):
            answer = await visitor.post(path, files={"code": (None, "x" * size)})
            assert (answer.status_code, "</textarea>" in answer.text) == (401, is_there)


def test_every_text_of_a_page_is_given_back():
    pages = "".join(path.read_text() for path in (WEB / "templates").rglob("*.html"))
    assert set(re.findall(r'(?:textarea\(|<textarea id=)"(\w+)"', pages)) == set(LONG_FIELDS)


@pytest.mark.parametrize("host", ["[", "a/api/", "a:b"])
async def test_bad_host_is_answered_with_a_page(service, host):
    async with stranger(service, Host=host) as browser:
        for path, status in (("/", 401), ("/nothing", 404), ("/enter", 200), ("/link", 200)):
            answer = await browser.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
