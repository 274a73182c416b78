"""A course of a learning platform in a real browser: the platform on one site, the service in its frame on another.

The platform is `localhost` and the service is `127.0.0.1`, both with TLS, so browsers treat the frame's cookies as
those of a third party.
"""

import contextlib
import json
import re
import secrets
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, Playwright, expect, sync_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.acceptance.conftest import CORPUS, FLAGS, Server, answering_at, launched, register_platform, serving
from tests.acceptance.fronts import Certificate, nginx
from tests.platforms import AGS, DEPLOYMENT, LTI, FakePlatform, claims_of
from tests.platforms.registrar import Registrar
from tests.ports import free_port
from tests.programs import program
from tests.tiers import sampled
from tests.unit.app.conftest import form_secret
from tests.waiting import SECONDS, wait_until

SOURCE = CORPUS / "wrong_swap_if" / "submission.py"
CLIENT_ID = "client-of-the-browser"
STORAGE = "post_message_forwarding"
STORING = """
const kept = {};
addEventListener("message", ({ data, origin, source }) => {
  const { subject, message_id, key, value } = data;
  if (!["lti.put_data", "lti.get_data"].includes(subject)) return;
  const own = (kept[origin] ??= {});
  if (subject === "lti.put_data") own[key] = value;
  source.postMessage({ subject: `${subject}.response`, message_id, key, value: own[key] }, origin);
});
"""
# The frame of the storage comes after the first page of the tool, which has to ask again.
LATE_STORAGE = f"""
const exercise = document.querySelector("iframe[title=exercise]");
exercise.addEventListener("load", () => {{
  if (exercise.contentDocument || frames.length > 1) return;
  const frame = Object.assign(document.createElement("iframe"), {{ name: "{STORAGE}", src: "/storage", hidden: true }});
  document.body.append(frame);
}});
"""


class Platform(FakePlatform):
    """The platform as browsers and the service meet it.

    Attributes:
        site: where browsers find it.
        services: where the service finds it, without TLS.
        tool: the address of the service.
        hints: that no launch has used.
        stores: whether its storage answers.
    """

    def __init__(self, site: str, services: str, tool: str) -> None:
        super().__init__()
        self.site, self.services, self.tool = site, services, tool
        self.hints: set[str] = set()
        self.stores = True
        self.app = Starlette(
            routes=[
                Route("/course", self.course),
                Route("/start", self.start),
                Route("/tools", self.tools),
                Route("/storage", self.storage),
                Route("/auth", self.authorize),
                Route("/{path:path}", self.serve, methods=["GET", "POST"]),
            ]
        )

    async def course(self, request: Request) -> Response:
        """A course's page, which shows the exercise in a frame."""
        frame = f'<iframe title="exercise" width="1000" height="1400" src="/start?{escape(str(request.url.query))}">'
        storage = f"<script>{LATE_STORAGE}</script>" if "storage" in request.query_params else ""
        return HTMLResponse(f"<title>Course</title><h1>Course of the platform</h1>{frame}</iframe>{storage}")

    async def storage(self, request: Request) -> Response:
        """Keep data for tools as Canvas' frame does: by the origin of the tool, and for the platform's own frames."""
        return HTMLResponse(f"<script>{STORING}</script>" if self.stores else "")

    async def tools(self, request: Request) -> Response:
        """The page on which an administrator registers a tool. Its title becomes what the tool has said."""
        address = escape(str(request.query_params["address"]))
        return HTMLResponse(
            f'<title>Tools</title><iframe title="registration" width="900" height="700" src="{address}"></iframe>'
            f'<a target="_blank" rel="opener" href="{address}">In a tab</a>'
            '<script>addEventListener("message", ({ data }) => { document.title = data.subject })</script>'
        )

    async def start(self, request: Request) -> Response:
        """Begin a launch."""
        return self._form(
            f"{self.tool}/lti/login",
            iss=self.site,
            client_id=CLIENT_ID,
            login_hint=request.query_params["who"],
            target_link_uri=f"{self.tool}/lti/open",
            lti_message_hint=self.hint(),
            **({"lti_storage_target": STORAGE} if "storage" in request.query_params else {}),
        )

    def hint(self) -> str:
        """Make a hint that, like Moodle's, is good for one launch."""
        self.hints.add(hint := f"link-{secrets.token_hex(4)}")
        return hint

    async def authorize(self, request: Request) -> Response:
        """Sign the message about whoever is signed in here."""
        asked = request.query_params
        assert (asked["client_id"], asked["redirect_uri"]) == (CLIENT_ID, f"{self.tool}/lti/launch")
        self.hints.remove(asked["lti_message_hint"])
        who = asked["login_hint"]
        claims = claims_of(asked["nonce"], sub=who, role="Instructor" if who == "teacher" else "Learner", name=who)
        claims |= {
            "iss": self.site,
            "aud": CLIENT_ID,
            f"{LTI}target_link_uri": f"{self.tool}/lti/open",
            AGS: {**claims[AGS], "lineitem": f"{self.services}/items/4", "lineitems": f"{self.services}/items"},
        }
        return self._form(f"{self.tool}/lti/launch", state=asked["state"], id_token=self.sign(claims))

    async def serve(self, request: Request) -> Response:
        """Answer the service."""
        content = await request.body()
        answer = self.answer(
            httpx.Request(request.method, str(request.url), headers=request.headers.raw, content=content)
        )
        kind = answer.headers.get("content-type", "application/json")
        return Response(answer.content, answer.status_code, media_type=kind)

    @staticmethod
    def _form(action: str, **fields: Any) -> Response:
        inputs = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in fields.items())
        return HTMLResponse(
            f'<form method="post" action="{action}">{inputs}</form><script>document.forms[0].submit()</script>'
        )


@dataclass
class Tool:
    """The service as a tool of the platform. Attributes: admin: a browser of its administrator."""

    platform: Platform
    url: str
    admin: httpx.Client

    def invite(self) -> str:
        """Make an invitation for a platform; return its address."""
        secret = form_secret(self.admin.get("/platforms").text)
        shown = self.admin.post("/platforms/invitations", data={"form_secret": secret})
        address = re.search(r"https://\S+/lti/register/[\w-]{43}", shown.text)
        return address[0]


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Tool]:
    folder = tmp_path_factory.mktemp("nginx")
    certificate = Certificate.make(folder, "grader.example.org")
    tool_port, site_port, services_port = free_port(), free_port(), free_port()
    url = f"https://127.0.0.1:{tool_port}"
    platform = Platform(f"https://localhost:{site_port}", f"http://127.0.0.1:{services_port}", url)
    backend = f"http://127.0.0.1:{free_port()}"
    settings = {
        "LSTM_GRADER_PUBLIC_URL": url,
        "LSTM_GRADER_PORT": backend.rpartition(":")[2],
        "LSTM_GRADER_LTI_PRIVATE_TARGETS": "true",
        "LSTM_GRADER_OWNER_TOKEN": "token-of-the-owner-1",
    }
    front = "".join(
        f"server {{ listen 127.0.0.1:{port} ssl; client_max_body_size 25m;"
        f" ssl_certificate {certificate.file}; ssl_certificate_key {certificate.key};"
        f" location / {{ proxy_pass {target}; proxy_set_header Host $http_host; proxy_buffering off; }} }}\n"
        for port, target in ((tool_port, backend), (site_port, platform.services))
    )
    with (
        serving(tmp_path_factory.mktemp("data"), cache_dir, **settings) as server,
        nginx(folder, front),
        answering_at(services_port, platform.app),
        _admin(server, certificate.file, platform) as admin,
    ):
        yield Tool(platform, url, admin)


@contextlib.contextmanager
def _admin(server: Server, certificate: Path, platform: Platform) -> Iterator[httpx.Client]:
    """Open a browser of the admin, who has registered the platform."""
    verify = ssl.create_default_context(cafile=certificate)
    with httpx.Client(base_url=platform.tool, verify=verify, timeout=SECONDS) as admin:
        register_platform(
            admin,
            server.token,
            client_id=CLIENT_ID,
            deployment=DEPLOYMENT,
            issuer=platform.site,
            login_url=f"{platform.site}/auth",
            token_url=f"{platform.services}/token",
            keys_url=f"{platform.services}/keys",
        )
        yield admin


@pytest.fixture(scope="module")
def driver() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module", params=sampled(["third-party cookies", "no third-party cookies"], every=2))
def browser(request: pytest.FixtureRequest, driver: Playwright) -> Iterator[Browser]:
    blocking = ["--test-third-party-cookie-phaseout"] if request.param.startswith("no") else []
    with launched(driver, *blocking) as browser:
        yield browser


def _opened(browser: Browser, tool: Tool, who: str) -> tuple[Page, FrameLocator]:
    """Open the course of the platform as somebody."""
    context = browser.new_context(ignore_https_errors=True, locale="en-GB")
    return _shown(context, tool, who)


def _shown(context: BrowserContext, tool: Tool, who: str) -> tuple[Page, FrameLocator]:
    page = context.new_page()
    page.goto(f"{tool.platform.site}/course?who={who}")
    return page, page.frame_locator("iframe[title=exercise]")


def open_course(frame: FrameLocator | Page) -> None:
    """Wait for the page of the course, and answer the question which course this is if the teacher is the first."""
    course = frame.get_by_text("Recurrent networks").first
    # The page that talks to a storage comes before.
    expect(course).to_be_visible()
    make = frame.get_by_role("button", name="Make the course")
    if make.count():
        make.click()
        expect(make).to_have_count(0)
    expect(course).to_be_visible()


def hand_in_file(shown: FrameLocator | Page, file: Path, expected: str) -> None:
    """Hand in on the page of an assignment, and wait until its answer says this."""
    shown.locator("input[type=file]").set_input_files(
        {"name": "LSTM.py", "mimeType": "text/x-python", "buffer": file.read_bytes()}
    )
    shown.locator("#hand-in button.primary, form button.primary").first.click()
    expect(shown.locator("body")).to_contain_text(expected)


def test_student_hands_in_within_the_platform_and_the_grade_arrives(browser, tool):
    teacher, frame = _opened(browser, tool, "teacher")
    open_course(frame)
    teacher.context.close()
    who = f"student-{len(tool.platform.grades)}"
    page, frame = _opened(browser, tool, who)
    hand_in_file(frame, SOURCE, "Input and forget gates swapped")
    wait_until(lambda: who in tool.platform.grades)
    score = tool.platform.grades[who]
    assert 0 < score["scoreGiven"] < score["scoreMaximum"] == 100
    assert "http" not in score["comment"]
    page.context.close()


@pytest.fixture(scope="module")
def without_cookies(
    driver: Playwright, tool: Tool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    """A browser that keeps no cookie in a frame of another site, not even one for each site that has the frame."""
    blocked = {f"{tool.url},{tool.platform.site}": {"setting": 2}}
    profile = tmp_path_factory.mktemp("profile")
    (profile / "Default").mkdir()
    settings = {"profile": {"content_settings": {"exceptions": {"cookies": blocked}}}}
    (profile / "Default" / "Preferences").write_text(json.dumps(settings))
    path = program("chromium", "chromium-browser", "google-chrome")
    context = driver.chromium.launch_persistent_context(
        profile,
        executable_path=path,
        # In one process: Playwright at times loses a frame that goes from one to another and back at once.
        args=[*FLAGS, "--disable-site-isolation-trials"],
        chromium_sandbox=False,
        ignore_https_errors=True,
        locale="en-GB",
    )
    yield context
    context.close()


def test_whole_exercise_works_in_a_frame_that_keeps_no_cookie(without_cookies, tool):
    teacher, frame = _shown(without_cookies, tool, "teacher&storage=1")
    open_course(frame)
    teacher.close()
    who = "student-without-cookies"
    page, frame = _shown(without_cookies, tool, f"{who}&storage=1")
    for code in ("ru", "en"):  # It stays when the page is left.
        for link in (f"header nav a[lang={code}]", "header a.brand"):
            # The page before has the language, too, and a click on it is lost when the next one arrives.
            with page.expect_event("framenavigated"):
                frame.locator(link).first.click()
            expect(frame.locator("html")).to_have_attribute("lang", code)
        expect(frame.locator("header nav a[aria-current=true]").first).to_have_text(code.upper())
    frame.locator("main a[href*='/assignments/']").first.click()
    with page.expect_download() as template:
        frame.get_by_role("link", name="Template .py").click()
    assert "class LSTM" in template.value.path().read_text()
    hand_in_file(frame, SOURCE, "Input and forget gates swapped")
    assert without_cookies.cookies() == []
    assert re.match(rf"{tool.url}/t/[\w-]{{43}}\.en/submissions/", page.frames[1].url)
    with without_cookies.expect_page() as opened:
        frame.locator("header").get_by_role("button", name="Open in a window of its own").click()
        frame.locator("main").get_by_role("button", name="Open in a window of its own").click()
    window = opened.value
    expect(window.locator("body")).to_contain_text("Input and forget gates swapped")
    assert re.match(rf"{tool.url}/submissions/", window.url)
    wait_until(lambda: who in tool.platform.grades)
    page.close()
    window.close()


def test_address_of_a_frame_lets_nobody_in_from_another_page(without_cookies, tool):
    """Somebody who puts the address of their own frame into a page would get what others hand in there."""
    page, frame = _shown(without_cookies, tool, "teacher&storage=1")
    open_course(frame)
    own = page.frames[1]
    address = own.url
    assert address.startswith(f"{tool.url}/t/")
    # In its own frame the page is loaded again, and found again on the way back.
    with page.expect_response(address) as answer:
        own.evaluate("location.reload()")
    assert answer.value.status == 200
    frame.locator("a[href$='/members']:visible").first.click()
    own.wait_for_url(re.compile(r".*/t/.*/members$"))
    own.evaluate("history.back()")
    own.wait_for_url(address)
    expect(frame.get_by_text("Recurrent networks").first).to_be_visible()
    page.goto(f"{tool.platform.site}/tools?{urlencode({'address': address})}")
    shown = page.frame_locator("iframe[title=registration]")
    expect(shown.locator("main")).to_contain_text("open the exercise there again")
    assert page.frames[1].url == tool.url + re.sub(r"^.*/t/[^/]+", "", address)
    page.close()


@pytest.mark.thorough
def test_frame_without_cookies_and_storage_opens_a_window(without_cookies, tool):
    """The platform's hint, which is good for one launch, is still unused then."""
    page, frame = _shown(without_cookies, tool, "teacher")
    with without_cookies.expect_page() as opened:
        frame.get_by_role("link", name="Open in a window of its own").click()
    window = opened.value
    open_course(window)
    assert window.url.startswith(f"{tool.url}/courses/")
    page.close()
    window.close()


@pytest.mark.thorough
def test_storage_that_answers_after_a_window_was_offered_is_still_heard(without_cookies, tool, monkeypatch):
    """The page of a platform takes long to load on a slow line."""
    monkeypatch.setattr(tool.platform, "stores", False)
    page, frame = _shown(without_cookies, tool, "teacher&storage=1")
    expect(frame.get_by_role("link", name="Open in a window of its own")).to_be_visible()
    storing = page.frame(name=STORAGE)
    storing.wait_for_url("**/storage")  # What is said to the empty page before it is lost.
    storing.evaluate(STORING)
    open_course(frame)
    page.close()


@pytest.mark.thorough
@pytest.mark.parametrize("where", ["frame", "tab"])
def test_platform_registers_itself_and_is_told_that_it_is_done(browser, tool, where):
    """Moodle and Canvas show the page in a frame, Brightspace in a tab; nobody knows the platform yet."""
    number = len(tool.admin.get("/platforms").text)
    registrar = tool.platform.registrar = Registrar(tool.platform.services, client_id=f"client-{number}")
    address = f"{tool.invite()}?{urlencode(registrar.parameters)}"
    context = browser.new_context(ignore_https_errors=True, locale="en-GB")
    page = context.new_page()
    page.goto(f"{tool.platform.site}/tools?{urlencode({'address': address})}")
    shown: Page | FrameLocator = page.frame_locator("iframe")
    if where == "tab":
        with context.expect_page() as tab:
            page.get_by_role("link", name="In a tab").click()
        shown = tab.value
    shown.get_by_role("button", name="Register").click()
    expect(shown.get_by_role("heading", name="The platform is registered")).to_be_visible()
    expect(page).to_have_title("org.imsglobal.lti.close")
    context.close()
    assert f"client-{number}" in tool.admin.get("/platforms").text
