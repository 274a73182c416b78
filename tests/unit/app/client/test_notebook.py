"""The file that a notebook runs to hand itself in, against a service whose answers are written down here."""

import ast
import json
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from app.client import notebook
from app.http.notebook import client_source
from app.texts import client_texts
from tests.acceptance.fronts import Certificate
from tests.ports import answering

TOKEN, NAME = "the-secret-of-this-token", "Ivanov"
CLASS = "class LSTM(tf.keras.Model):\n    def call(self, x):\n        return gate(x) <b>"
RULES = {
    "token": TOKEN,
    "assignment": "lstm-layer",
    "language": "en",
    "whole_notebook": False,
    "upload_bytes": 20_000_000,
}
CAUSE = {"code": "gates_swapped_if", "params": {}, "message": "i & f are swapped.", "hint": "Look at <c>."}
REPORT: dict[str, Any] = {
    "status": "failed",
    "points": 45.5,
    "max_points": 100.0,
    "checks": [],
    "diagnoses": [CAUSE],
    "advisories": [],
    "source": {"places": [{"code": "gates_swapped_if", "file": "cell 1", "line": 3, "last_line": 3}]},
}
GRADED: dict[str, Any] = {
    "id": "01J",
    "attempt": 2,
    "student": NAME,
    "job_status": "done",
    "position": None,
    "held": False,
    "report": REPORT,
    "links": {"page": "/submissions/01J"},
}
QUEUED = {**GRADED, "job_status": "queued", "position": 3, "report": None}
DROP = "the connection ends without an answer"

Answer = tuple[int, dict[str, Any] | bytes, dict[str, str]] | str


class Written(ThreadingHTTPServer):
    """Gives one answer after the other. Attributes: asked: method, path, headers and body of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def will(self, *answers: Any) -> None:
        """Plan answers: a body, with its status and headers if those are not 200 and none, or `DROP`."""
        for answer in answers:
            full = (*answer, {})[:3] if isinstance(answer, tuple) else (200, answer, {})
            self.answers.append(DROP if answer == DROP else full)

    def sent(self, path: str = "/api/v1/submissions") -> list[tuple[dict[str, str], bytes]]:
        return [
            (headers, body)
            for method, asked, headers, body in self.asked
            if (method, asked.partition("?")[0]) == ("POST", path)
        ]


class Handler(BaseHTTPRequestHandler):
    server: Written

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        answer = self.server.answers.pop(0)
        if isinstance(answer, str):
            self.close_connection = True
            return
        status, content, headers = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content if isinstance(content, bytes) else json.dumps(content).encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def service() -> Iterator[Written]:
    with answering(Written()) as server:
        yield server
        assert server.answers == []


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A runtime with all sentences and no memory, in which waiting takes no time. Returns: how long it waited."""
    monkeypatch.setattr(notebook, "TEXTS", client_texts())
    waited: list[float] = []
    monkeypatch.setattr(notebook.time, "sleep", waited.append)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    yield waited
    sys.modules.pop("_lstm_grader_memory", None)


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions to the student, who always types a code."""
    asked: list[str] = []

    def getpass(prompt: str) -> str:
        asked.append(prompt)
        return " abcd-efgh "

    monkeypatch.setattr(notebook.getpass, "getpass", getpass)
    return asked


Run = Callable[..., str]


@pytest.fixture
def run(service: Written, codes: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Hands in what ran in IPython, without a notebook's file. Returns: what was printed."""

    def hand_in(*ran: str, url: str = service.url, check_only: bool = False, **names: object) -> str:
        inputs = ["", *(ran or (CLASS.replace(" <b>", "  # <b>"),)), 'lstm_grader["hand_in"]()']
        shell = SimpleNamespace(
            history_manager=SimpleNamespace(input_hist_raw=inputs), user_ns={"In": inputs, **names}, kernel=None
        )
        monkeypatch.setattr(notebook, "shell", lambda: shell)
        notebook.hand_in(url, "lstm-layer", check_only=check_only)
        printed = capsys.readouterr()
        assert TOKEN not in printed.out + printed.err
        assert NAME not in printed.out + printed.err
        return printed.out

    return hand_in


def notebook_of(*cells: str | tuple[str, int], **output: str) -> dict[str, Any]:
    """A notebook; a cell that ran has its number."""
    made = []
    for cell in cells:
        source, count = cell if isinstance(cell, tuple) else (cell, None)
        outputs = [{"output_type": "stream", "name": "stdout", **output}] if output else []
        made.append({"cell_type": "code", "source": source, "execution_count": count, "outputs": outputs})
    return {"cells": made, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}


def test_points_cause_lines_and_advice_stand_in_the_cell(service, run, codes):
    service.will((201, RULES), (202, QUEUED), GRADED)
    shown = run().splitlines()
    assert shown[1:] == [
        "45.5 of 100 points",
        "Attempt 2",
        "i & f are swapped.",
        "    cell 1, line 3:",
        "            return gate(x)  # <b>",
        "What to try: Look at <c>.",
        "The whole report:",
        f"{service.url}/submissions/01J",
    ]
    assert json.loads(service.asked[0][3]) == {"code": "abcd-efgh", "where": "IPython"}
    assert "authorization" not in service.asked[0][2]
    (headers, body), *_ = service.sent()
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert b'name="assignment"\r\n\r\nlstm-layer\r\n' in body
    assert len(codes) == 1


def test_html_is_escaped_and_has_no_colours_that_a_theme_could_hide():
    shown = notebook.as_html([("title", "<script>alert(1)</script>"), ("link", "https://a/?b='><script>")])
    assert "<script>" not in shown
    assert "b='" not in shown
    assert shown.startswith("<div style='overflow-wrap:anywhere'>")  # An address is wider than a phone.
    looks = "".join(notebook.LOOKS.values())
    assert "background" not in looks
    assert "color:" not in looks


def test_student_s_text_cannot_steer_a_terminal():
    assert notebook.as_text([("text", "a\x1b[31mb\x07\u202ec\td")]) == "a[31mbc\td"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"grade": {"penalty_percent": 10.0, "points": 41.0}}, "41 of 100 points, after 10 % for lateness"),
        ({"report": {**REPORT, "status": "internal_error", "points": None}}, "It is our fault"),
        ({"report": {**REPORT, "status": "invalid_submission"}}, "It uses up no attempt"),
        ({"job_status": "cancelled", "report": None}, "taken out of the queue"),
        ({"report": {**REPORT, "status": "passed", "diagnoses": []}}, "Everything that was tried is right."),
        ({"report": {**REPORT, "advisories": [{"code": "a", "message": "A remark."}]}}, "A remark."),
    ],
)
def test_worth_of_an_attempt_is_said(service, run, changes, words):
    service.will((201, RULES), {**GRADED, **changes})
    assert words in run()


def test_words_and_numbers_are_in_the_student_s_language(service, run):
    service.will((201, {**RULES, "language": "ru"}), GRADED)
    assert "Баллов: 45,5 из 100" in run()


def test_below_a_cell_one_output_is_written_over(monkeypatch):
    shown: list[tuple[dict[str, str], dict[str, Any]]] = []
    display = SimpleNamespace(display=lambda data, **how: shown.append((data, how)))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setattr(notebook, "shell", lambda: SimpleNamespace(kernel=True))
    screen = notebook.Screen("en")
    screen.progress("sending")
    screen.finish(("title", "<b>"))
    assert [how["update"] for _, how in shown] == [False, True]
    assert len({how["display_id"] for _, how in shown}) == 1
    assert shown[1][0] == {"text/html": notebook.as_html([("title", "<b>")]), "text/plain": "<b>"}


def test_check_beforehand_shows_what_is_wrong_and_no_points(service, run):
    advisory = {"code": "check_only", "message": "This was a check."}
    report = {**REPORT, "points": None, "max_points": 0.0, "advisories": [advisory]}
    check = {"id": "01K", "job_status": "done", "position": None, "report": report, "links": {"self": "/x"}}
    service.will((201, RULES), (202, {**check, "job_status": "queued", "position": 1, "report": None}), check)
    shown = run(check_only=True).splitlines()
    assert shown[1:3] == ["This was a check.", "i & f are swapped."]
    assert [path for _, path, _, _ in service.asked[1:]] == ["/api/v1/checks", "/api/v1/checks/01K?wait=10"]


def test_checks_that_follow_from_another_are_no_causes(service, run):
    failed = {"status": "failed", "code": "a", "message": "First.", "hint": None, "params": {}}
    follows = {**failed, "message": "Second.", "params": {"follows_from": "a"}}
    service.will((201, RULES), {**GRADED, "report": {**REPORT, "diagnoses": [], "checks": [failed, follows]}})
    shown = run()
    assert "First." in shown
    assert "Second." not in shown


def test_the_second_time_needs_no_code_but_an_ended_token_does(service, run, codes):
    service.will((201, RULES), GRADED, GRADED)
    run()
    run()
    assert len(codes) == 1
    service.will((401, {}), (201, {**RULES, "token": "another"}), GRADED)
    run()
    assert len(codes) == 2
    assert service.sent()[-1][0]["authorization"] == "Bearer another"
    keys = [headers["idempotency-key"] for headers, _ in service.sent()]
    assert len(set(keys)) == 4


BUSY = {"title": "Busy", "detail": "Try again later."}
CLOSED = {"title": "Closed", "detail": "It was open until Monday."}
WAIT = {"title": "Too soon", "detail": "Wait an hour."}


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([(201, RULES), (403, CLOSED)], "Closed\nIt was open until Monday.\n"),
        ([(201, {**RULES, "assignment": "lstm-notebook"})], "belongs to the assignment lstm-notebook"),
        ([(503, BUSY)], "Busy\nTry again later.\n"),
        ([(201, RULES), (429, WAIT, {"Retry-After": "3600"})], "Wait an hour."),
    ],
    ids=["closed", "a code of another assignment", "a code is sent once, for it may have arrived", "a wait too long"],
)
def test_service_s_words_say_why_it_refuses(service, run, pauses, monkeypatch, answers, words):
    monkeypatch.setattr(notebook, "PATIENCE_SECONDS", 2)
    service.will(*answers)
    shown = run()
    assert words in shown
    assert "twice" not in shown
    assert (len(service.asked), pauses) == (len(answers), [])


def test_wrong_code_is_refused_and_asked_for_again_the_next_time(service, run, codes):
    service.will((403, {"title": "This code does not work", "detail": "Make a new one."}), (201, RULES), GRADED)
    assert run() == "This code does not work\nMake a new one.\n"
    assert "45.5 of 100" in run()
    assert len(codes) == 2


@pytest.mark.parametrize(
    ("typed", "words"),
    [(EOFError(), "nothing can be typed in here"), (KeyboardInterrupt(), "Stopped."), (" ", "No code was entered.")],
    ids=["no input", "stopped", "nothing"],
)
def test_without_a_code_nothing_is_sent(service, run, monkeypatch, typed, words):
    def getpass(prompt: str) -> str:
        if isinstance(typed, str):
            return typed
        raise typed

    monkeypatch.setattr(notebook.getpass, "getpass", getpass)
    assert words in run()
    assert service.asked == []


def test_it_waits_as_long_as_it_is_told(service, run, pauses):
    service.will((201, RULES), (429, {}, {"Retry-After": "37"}), (503, {}, {"Retry-After": "10"}), GRADED)
    assert "45.5 of 100" in run()
    assert pauses == [37, 10]


def test_service_that_starts_again_meanwhile_gets_the_work_once(service, run):
    cut_off = (502, b"Bad", {"Content-Length": "99"})
    service.will((201, RULES), DROP, cut_off, (202, QUEUED), DROP, GRADED)
    assert "45.5 of 100" in run()
    assert len({(headers["idempotency-key"], body) for headers, body in service.sent()}) == 1
    assert len(service.sent()) == 3


@pytest.mark.parametrize("end", [DROP, (502, {})], ids=["no answer", "an error of ours"])
def test_work_that_may_have_arrived_is_not_handed_in_twice(service, run, monkeypatch, end):
    monkeypatch.setattr(notebook, "PATIENCE_SECONDS", 0)
    service.will((201, RULES), end)
    assert "It is not known whether the work has arrived." in run()
    service.will(GRADED, DROP)
    run()
    run(CLASS.replace(" <b>", ""))
    service.will(GRADED)
    run()
    keys = [headers["idempotency-key"] for headers, _ in service.sent()]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


SAME = 409, {"title": "You have handed in exactly this", "detail": "It is your attempt 2.", "attempt": 2}


@pytest.mark.parametrize("answer", ["yes", " ДА ", "no", "", EOFError(), KeyboardInterrupt()])
def test_same_code_is_handed_in_again_only_if_the_student_says_so(service, run, monkeypatch, answer):
    def typed(prompt: str) -> str:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr("builtins.input", typed)
    is_wanted = isinstance(answer, str) and answer.strip().lower() in ("yes", "да")
    service.will((201, RULES), SAME, *([GRADED] if is_wanted else []))
    said = "45.5 of 100 points" if is_wanted else "is your attempt 2 already. Nothing was handed in now.\n"
    assert said in run()
    posts = [path for _, path, _, _ in service.asked[1:]]
    assert posts == ["/api/v1/submissions?again=false", "/api/v1/submissions"][: 2 if is_wanted else 1]


def test_same_code_with_newer_outputs_goes_as_the_same_bytes(service, run, tmp_path, monkeypatch):
    """Each saving of a notebook writes outputs, the report's, too: the service would take it for another work."""
    monkeypatch.setattr("builtins.input", lambda prompt: "no")
    file = tmp_path / "LSTM.ipynb"
    service.will((201, RULES), GRADED, SAME, GRADED)
    for cell, output in (CLASS, "first"), (CLASS, "newer"), (CLASS + "#", "newest"):
        file.write_text(json.dumps(notebook_of((cell, 1), text=output)))
        run(cell, __vsc_ipynb_file__=str(file))
    sources = [body for _, body in service.sent()]
    assert [b"first" in body for body in sources] == [True, True, False]
    assert len({headers["idempotency-key"] for headers, _ in service.sent()}) == 3


@pytest.mark.parametrize(("answers", "words"), [((), "Nothing was handed in."), ((QUEUED,), "/submissions/01J")])
def test_student_who_stops_it_reads_what_stays(service, run, monkeypatch, answers, words):
    service.will((201, RULES), *answers)
    ask = notebook.Service._ask

    def stopped(self: notebook.Service, *rest: Any, **more: Any) -> Any:
        if not service.answers:
            raise KeyboardInterrupt
        return ask(self, *rest, **more)

    if answers:
        monkeypatch.setattr(notebook.Service, "_ask", stopped)
    else:
        service.answers.clear()
        monkeypatch.setattr(notebook, "work_here", lambda screen: (_ for _ in ()).throw(KeyboardInterrupt))
    assert words in run()


def test_token_goes_nowhere_else(service, run):
    with answering(Written()) as other:
        service.will((201, RULES), (307, {}, {"Location": f"{other.url}/api/v1/submissions"}))
        assert "leads to another address" in run()
        assert other.asked == []


def test_nobody_there(run, service, monkeypatch):
    with answering(Written()) as gone:
        pass
    for url, reason in ((gone.url, "Connection refused"), ("https://[bad", "Invalid IPv6 URL")):
        assert f"{url} does not answer ({reason})" in run(url=url)


def test_a_proxy_is_not_asked_for_this_computer(service, run, monkeypatch):
    monkeypatch.setattr(notebook, "PATIENCE_SECONDS", 0)
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")
    monkeypatch.delenv("no_proxy", raising=False)
    service.will((201, RULES), GRADED)
    assert "45.5 of 100" in run()


@pytest.mark.parametrize(
    "answers",
    [
        [b"<html>Sign in"],
        [{"sign_in": True}],
        [b"[" * 100_000],
        [(201, RULES), b"<html>Sign in"],
        [(201, RULES), []],
        [(201, RULES), (413, b"<html>Request Entity Too Large")],
    ],
    ids=["a page", "of a network", "nested", "instead of an attempt", "an empty list", "of a proxy"],
)
def test_answer_of_something_else_on_the_way_is_known(service, run, answers):
    service.will(*answers)
    shown = run()
    assert "answers, but not as this service does (HTTP " in shown
    assert "twice" not in shown


def test_link_to_the_report_is_right_whatever_the_address_ends_with(service, run):
    service.will((201, RULES), GRADED)
    assert run(url=f"{service.url}/").endswith(f"\n{service.url}/submissions/01J\n")


@pytest.mark.parametrize("url", ["http://grader.example", "http://127.0.0.1.evil.example", "ftp://localhost"])
def test_plain_http_is_for_this_machine_alone(run, codes, url):
    assert "does not begin with https" in run(url=url)
    assert codes == []


def test_certificate_is_checked_even_where_a_notebook_has_switched_that_off(run, tmp_path, monkeypatch):
    certificate = Certificate.make(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.file, certificate.key)
    server = Written()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setattr(ssl, "_create_default_https_context", ssl._create_unverified_context)
    with answering(server):
        assert "does not prove that it is the service" in run(url=f"https://localhost:{server.server_port}")
    assert server.asked == []


@pytest.fixture
def colab(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stands in for Colab. Returns: the notebook that is open there, under ``ipynb``."""
    message, asked = ModuleType("google.colab._message"), {}

    def blocking_request(kind: str, *, timeout_sec: int) -> dict[str, Any]:
        assert kind == "get_ipynb"
        return asked

    message.blocking_request = blocking_request
    for name, module in {"google.colab": ModuleType("google.colab"), "google.colab._message": message}.items():
        monkeypatch.setitem(sys.modules, name, module)
    return asked


def test_colab_gives_the_notebook_as_it_is_on_the_screen(service, run, colab, monkeypatch):
    monkeypatch.setattr(notebook, "is_nearby", lambda url: False)
    colab["ipynb"] = notebook_of("a = 1", CLASS, text="kept, with half an emoji: \ud83d")
    service.will((201, {**RULES, "whole_notebook": True}), GRADED)
    assert "45.5 of 100" in run("something older")
    assert json.loads(service.asked[0][3])["where"] == "Colab"
    ((_, body),) = service.sent()
    assert json.dumps(colab["ipynb"], ensure_ascii=False).encode("utf-8", "replace") in body


def test_service_of_another_alphabet_is_asked_by_its_name_in_dns(run, monkeypatch):
    """Python's library cannot write such a host into a header."""
    asked: list[str] = []

    def unknown(_: object, request: Any, timeout: float) -> None:
        asked.append(request.full_url)
        raise OSError

    monkeypatch.setattr(notebook.urllib.request.OpenerDirector, "open", unknown)
    assert "https://школа.рф:8443/lstm does not answer" in run(url="https://школа.рф:8443/lstm")
    assert "https://..рф does not answer" in run(url="https://..рф")
    assert asked == ["https://xn--80atdl2c.xn--p1ai:8443/lstm/api/v1/notebook/tokens"]


def test_colab_that_gives_nothing_is_told_in_words(run, colab, codes):
    assert "The notebook cannot be read" in run(url="https://grader.example")
    assert codes == []


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "192.168.1.7", "10.0.0.1", "grader", "a.local", "[::1]"]
)
def test_colab_does_not_reach_a_service_nearby(run, colab, codes, host):
    assert "Colab cannot reach" in run(url=f"https://{host}")
    assert codes == []


def test_notebooks_of_vs_code_are_files(service, run, tmp_path):
    file = tmp_path / f"{NAME}, тетрадь.ipynb"
    file.write_text(json.dumps(notebook_of(("a = 1", 1), (CLASS, 2))))
    service.will((201, RULES), GRADED)
    assert "In[" not in run("a = 1", CLASS, __vsc_ipynb_file__=str(file))
    assert json.loads(service.asked[0][3])["where"] == "VS Code"
    assert file.read_bytes() in service.sent()[0][1]
    assert f'filename="{file.name}"'.encode() in service.sent()[0][1]


def test_saved_file_that_lacks_what_ran_is_not_handed_in(run, codes, tmp_path, monkeypatch):
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps(notebook_of(("a = 1", 1), (CLASS, 2))))
    monkeypatch.setenv("JPY_SESSION_NAME", str(file))
    assert "In[3] ran, and the saved notebook does not hold it" in run("a = 1", CLASS, CLASS + "# right now")
    file.write_text("{")
    assert "The notebook cannot be read: JSONDecodeError" in run()
    assert codes == []


HANDS_IN = 'lstm_grader["hand_in"](check_only=True)'


@pytest.mark.parametrize(
    ("cells", "ran", "number"),
    [
        pytest.param([("a", 1), (CLASS, 2)], ["a", CLASS], 0, id="saved"),
        pytest.param([], ["a"], 1, id="never saved"),
        pytest.param([("a", None)], ["a"], 0, id="saved before it ran"),
        pytest.param([("a2", 3), ("b", 2)], ["a", "b", "a2"], 0, id="an earlier version is the past"),
        pytest.param([("a", 1), ("b", 2)], ["a", "b", "a2"], 3, id="run again with another text"),
        pytest.param([(CLASS.replace("\n", "\r\n"), 1)], [CLASS], 0, id="saved with the line ends of Windows"),
        pytest.param([(CLASS, 1), ("b", 2)], [CLASS + "1", "b", CLASS], 0, id="saved, and then run again"),
        pytest.param([(CLASS, 1), ("b", 2)], [CLASS, "b", CLASS + "1", "b"], 3, id="run again, and not saved"),
        pytest.param([("f", 1), ("b", 2)], ["f\n1", "b", "f\n2", "b"], 1, id="another cell run again, and not saved"),
        pytest.param([("b", 2), (HANDS_IN, 4)], ["a", "b", "scratch", HANDS_IN], 0, id="a deleted cell is the past"),
        pytest.param([("a", 1), (HANDS_IN, 2)], ["a", HANDS_IN, HANDS_IN + " "], 0, id="handed in otherwise"),
        pytest.param([("a", 1), ("b", 2), ("c", 3)], ["a", "b2", "c"], 2, id="the numbers of another session"),
        pytest.param([("a", 7), ("b", 8)], ["a", "b2"], 2, id="greater numbers of another session"),
        pytest.param([(CLASS, 1)], [CLASS + "2", "a"], 1, id="the class was changed, and did not run"),
    ],
)
def test_cells_that_ran_have_to_be_saved(cells, ran, number):
    assert notebook.unsaved(notebook_of(*cells)["cells"], ["", *ran, "this cell"]) == number


def test_class_is_sent_with_what_it_needs_and_nothing_else(service, run):
    service.will((201, RULES), GRADED)
    shown = run(
        "import numpy as np",
        "private = 'diary'",
        "def gate(x):\n    return x",
        "def gate(x):\n    return np.abs(x)",
        "%matplotlib inline",
        "1 +",
        "%%time\nclass LSTM:\n    def call(self, x):\n        return gate(x)",
    )
    assert "In[1], In[4], In[7]." in shown
    ((_, body),) = service.sent()
    assert b"diary" not in body
    assert b"np.abs" in body


@pytest.mark.parametrize(
    ("ran", "rules", "words"),
    [(CLASS.replace(" <b>", ""), {"whole_notebook": True}, "needs the whole notebook"), ("a = 1", {}, "class LSTM")],
)
def test_history_is_not_enough_for_all(service, run, ran, rules, words):
    service.will(*([(201, {**RULES, **rules})] if rules else []))
    assert words in run(ran)
    assert service.sent() == []


@pytest.mark.parametrize(("limit", "is_stripped"), [(3_000, False), (900, True), (100, None)])
def test_outputs_are_left_out_only_above_the_limit(service, run, tmp_path, limit, is_stripped):
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps(notebook_of(CLASS, text="o" * 1000)))
    service.will((201, {**RULES, "upload_bytes": limit}), *([] if is_stripped is None else [GRADED]))
    shown = run(CLASS, __vsc_ipynb_file__=str(file))
    assert ("Even without its outputs" in shown) == (is_stripped is None)
    assert ("without the outputs" in shown) == bool(is_stripped)
    assert [b"ooo" not in body for _, body in service.sent()] == ([] if is_stripped is None else [is_stripped])


def test_file_needs_python_3_9_and_nothing_else():
    tree = ast.parse(client_source(), feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_token_is_in_no_traceback():
    assert TOKEN not in repr({"token": notebook.Secret(TOKEN)})


def test_outside_of_ipython_it_says_what_to_do(tmp_path: Path):
    (tmp_path / "sent.py").write_bytes(client_source())
    run = "import sent; sent.hand_in('https://a.example', 'b', language='ru')"
    printed = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert printed.stdout == client_texts()["ru"]["no_notebook"] + "\n"
