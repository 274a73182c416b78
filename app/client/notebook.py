"""Hands in the notebook that runs this file, and shows the report below the cell.

You are welcome to read it first. It needs nothing but Python 3.9 and does this:

1. It takes the notebook: from Colab, or its saved file in Jupyter and VS Code, else the class and what it needs from
   the cells that ran. It changes nothing in it.
2. It asks once for the code on the page of the assignment, and changes it for a token, which may only hand in to this
   assignment. The token stays in the memory of this runtime. It is never printed or stored.
3. It sends the notebook to the service whose address stands in the cell, and nowhere else.
4. It waits, and shows points, causes, lines and advice.
"""

from __future__ import annotations

import ast
import getpass
import html
import http.client
import importlib
import ipaddress
import json
import os
import re
import ssl
import sys
import time
import types
import urllib.error
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

# So long it waits for a service that starts again or asks to wait; so long the service holds a question for the report.
PATIENCE_SECONDS, WAIT_SECONDS, ANSWER_SECONDS = 300, 10, 60
CLASS = re.compile(r"^\s*class\s+LSTM\b", re.MULTILINE)
HANDS_IN = re.compile(r"\bhand_in\b")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

Part = tuple[str, str]  # how it looks (a key of LOOKS), and the text
LOOKS = {
    "title": "<p style='font-size:1.2em;margin:.6em 0 .3em'><b>{}</b></p>",
    "text": "<p style='margin:.3em 0'>{}</p>",
    "cause": "<p style='margin:.6em 0 .3em'><b>{}</b></p>",
    "line": "<pre style='margin:.2em;padding-left:.7em;border-left:.2em solid #d9534f;white-space:pre-wrap'>{}</pre>",
    "link": "<p style='margin:.3em 0'><a href='{0}' target='_blank' rel='noopener'>{0}</a></p>",
}
# The sentences by language and name. The service writes them below the code when it sends this file.
TEXTS: dict[str, dict[str, str]] = {}


def hand_in(url: str, assignment: str, check_only: bool = False, language: str = "en") -> None:
    """Hand in this notebook, and show the report; with `check_only` only try it, without using an attempt."""
    screen = Screen(language)
    try:
        service = Service(url, screen)
        if "google.colab" in sys.modules and is_nearby(url):
            screen.stop("colab", url=url)
        work = work_here(screen)
        rules = service.sign_in(assignment, work.where)
        if work.is_history and rules["whole_notebook"]:
            screen.stop("whole")
        work = fit(work, rules["upload_bytes"], screen)
        try:
            body = service.deliver(work, assignment, check_only)
        except Stop as refusal:
            if refusal.status != http.client.UNAUTHORIZED:
                raise
            service.forget(assignment)  # The token has ended.
            service.sign_in(assignment, work.where)
            body = service.deliver(work, assignment, check_only)
        screen.finish(*work.notes, *report_parts(body, work, screen, url))
    except Stop as stop:
        screen.finish(*stop.parts)
    except KeyboardInterrupt:
        screen.finish(("text", screen.text("stopped")))


class Stop(Exception):
    """It ends without a report; `parts` say why.

    `status`: of HTTP, where the service has answered; `in_doubt`: what was sent has arrived, or may have; `attempt`:
    the number of the newest one, if it was exactly this.
    """

    def __init__(self, *parts: Part, status: int = 0, in_doubt: bool = False, attempt: int = 0) -> None:
        super().__init__(as_text(parts))
        self.parts, self.status, self.in_doubt, self.attempt = parts, status, in_doubt, attempt


class Secret(str):
    """A token. No traceback shows it."""

    def __repr__(self) -> str:
        return "'…'"


class Work(NamedTuple):
    """A file, and its code by the names that reports give its places.

    `where`: the program it stands in; `is_history`: the cells that ran, not the notebook; `notes`: for the student.
    """

    name: str
    content: bytes
    code: dict[str, str]
    where: str = ""
    is_history: bool = False
    notes: tuple[Part, ...] = ()


# --- Showing


class Screen:
    """One output, which is written over: below a cell, or in a terminal."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._id = uuid.uuid4().hex
        self._is_shown = False
        # Only a notebook has a kernel.
        self._display: Any = sys.modules["IPython.display"] if getattr(shell(), "kernel", None) else None

    def text(self, name: str, **values: object) -> str:
        return TEXTS[self.language][name].format(**values)

    def stop(self, name: str, **values: object) -> NoReturn:
        raise Stop(("text", self.text(name, **values)))

    def progress(self, name: str, **values: object) -> None:
        text = self.text(name, **values)
        if self._display:
            self._show([("text", text)])
        elif sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)

    def is_wanted(self, name: str, **values: object) -> bool:
        """Ask a question; no answer means no."""
        question = self.text(name, **values)
        if not self._display:  # The output of a command is its report alone.
            self.end_progress()
            print(question, end="", file=sys.stderr, flush=True)
        try:
            return input(question if self._display else "").strip().lower() in ("yes", "да")
        except (EOFError, NotImplementedError, KeyboardInterrupt):
            return False

    def finish(self, *parts: Part) -> None:
        if self._display:
            self._show(parts)
        else:
            self.end_progress()
            print(as_text(parts))

    def end_progress(self) -> None:
        if not self._display and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def _show(self, parts: Any) -> None:
        data = {"text/html": as_html(parts), "text/plain": as_text(parts)}
        self._display.display(data, raw=True, display_id=self._id, update=self._is_shown)
        self._is_shown = True


def as_html(parts: Any) -> str:
    shown = "".join(LOOKS[look].format(html.escape(CONTROL.sub("", text))) for look, text in parts)
    return f"<div style='overflow-wrap:anywhere'>{shown}</div>"  # An address is wider than a phone.


def as_text(parts: Any) -> str:
    # Words may quote the notebook, which must not steer a terminal.
    plain = ((look, CONTROL.sub("", text)) for look, text in parts)
    return "\n".join("    " + text.replace("\n", "\n    ") if look == "line" else text for look, text in plain)


def report_parts(body: dict[str, Any], work: Work, screen: Screen, url: str) -> list[Part]:
    """Return what a report says: points, and for each cause the lines, and what to try."""
    text = screen.text
    report: Any = body.get("report")
    grade: Any = body.get("grade")
    if report is None:
        return [("title", text("cancelled"))]
    parts: list[Part] = []
    remarks = [("text", advisory["message"]) for advisory in report["advisories"]]
    if report["status"] == "internal_error":
        parts.append(("title", text("no_grade")))
    elif report["points"] is None:
        parts.append(remarks.pop(0))  # It says that this is a check.
    else:
        late = grade["penalty_percent"] if grade else 0
        shown = {"points": grade["points"] if late else report["points"], "most": report["max_points"], "percent": late}
        numbers = {
            name: f"{value:.10g}".replace(".", "," if screen.language == "ru" else ".") for name, value in shown.items()
        }
        parts.append(("title", text("late" if late else "points", **numbers)))
        parts.append(("text", text("attempt", number=body["attempt"])))
        if report["status"] == "invalid_submission":
            parts.append(("text", text("not_used")))
    failed = [
        check for check in report["checks"] if check["status"] == "failed" and "follows_from" not in check["params"]
    ]
    causes = report["diagnoses"] or failed
    if not causes and report["status"] == "passed":
        parts.append(("text", text("right")))
    for cause in causes:
        parts.append(("cause", cause["message"]))
        for place in report["source"]["places"] if report.get("source") else ():
            # A file that is not a notebook has places, and no code.
            if place["code"] == cause["code"] and work.code:
                parts.append(("line", line_at(place, work, screen)))
        if cause["hint"]:
            parts.append(("text", text("try", hint=cause["hint"])))
    return parts + remarks + page_parts(body, url, text("page"))


def page_parts(body: dict[str, Any], url: str, words: str) -> list[Part]:
    page = body.get("links", {}).get("page", "")
    return [("text", words), ("link", url.rstrip("/") + page)] if page.startswith("/") else []


def line_at(place: dict[str, Any], work: Work, screen: Screen) -> str:
    """Return the lines of a place as they were handed in, with their place."""
    cell = place["file"][5:] if place["file"].startswith("cell ") else ""
    where = screen.text("cell" if cell else "line", cell=cell, line=place["line"])
    lines = work.code.get(place["file"], "").splitlines()[place["line"] - 1 : place["last_line"]]
    return "\n".join([f"{where}:", *lines])


# --- The notebook


def shell() -> Any:
    """Return IPython's shell; None: this is not run by IPython."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def work_here(screen: Screen) -> Work:
    """Find the notebook that runs this. Raises: Stop: there is none, or it is not saved."""
    here = shell()
    if here is None:
        screen.stop("no_notebook")
    if "google.colab" in sys.modules:
        message = importlib.import_module("google.colab._message")
        try:
            notebook = message.blocking_request("get_ipynb", timeout_sec=ANSWER_SECONDS)["ipynb"]
            return as_work("notebook.ipynb", as_json(notebook), "Colab")
        except Exception as error:  # Colab does not say which errors of its own there are.
            screen.stop("unreadable", reason=type(error).__name__)
    inputs = [str(text) for text in here.history_manager.input_hist_raw]
    in_vs_code = here.user_ns.get("__vsc_ipynb_file__")
    file = Path(in_vs_code or os.environ.get("JPY_SESSION_NAME") or "")
    if not (file.suffix == ".ipynb" and file.is_file()):
        return work_of_history(inputs, here.user_ns["In"], screen)
    try:
        work = as_work(file.name, file.read_bytes(), "VS Code" if in_vs_code else "Jupyter")
        number = unsaved(json.loads(work.content)["cells"], inputs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        screen.stop("unreadable", reason=getattr(error, "strerror", None) or type(error).__name__)
    if number:
        screen.stop("unsaved", number=number)
    return work


def as_work(name: str, content: bytes, where: str = "") -> Work:
    """Return a file as work. Raises: ValueError, KeyError, TypeError, AttributeError: it is not a notebook."""
    if not name.endswith(".ipynb"):
        return Work(name, content, {name: content.decode("utf-8", "replace")})
    cells = json.loads(content)["cells"]
    return Work(name, content, {f"cell {place}": source_of(cell) for place, cell in enumerate(cells, 1)}, where)


def as_json(notebook: Any) -> bytes:
    # An output may hold half of an emoji, which no encoding takes.
    return json.dumps(notebook, ensure_ascii=False).encode("utf-8", "replace")


def source_of(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def plain(source: str) -> str:
    """Return a source for comparisons: a file of Windows may end its lines in another way than what ran."""
    return "\n".join(source.splitlines()).strip()


def unsaved(cells: list[dict[str, Any]], inputs: list[str]) -> int:
    """Return the number of an input that ran after the file was saved, and is not in it; 0: there is none.

    The file says what ran as which input. From the first of these that is not so, or that it does not know yet, every
    input has to stand in it, unless a later one does that begins with the same line: then it was changed and ran again.
    """
    ran = [plain(source) for source in inputs]
    in_file = {plain(source_of(cell)) for cell in cells if cell.get("cell_type") == "code"}
    last = 0
    counted = [(cell["execution_count"], plain(source_of(cell))) for cell in cells if cell.get("execution_count")]
    for number, source in sorted(counted):
        if number >= len(ran) or (ran[number] != source and not HANDS_IN.search(source)):
            break
        last = number
    of_class = max((number for number, source in enumerate(ran) if CLASS.search(source)), default=0)
    # The last input is this cell, whose text does not matter.
    later = [number for number in range(last + 1, len(ran) - 1) if not HANDS_IN.search(ran[number])]
    newest = {ran[number].partition("\n")[0]: ran[number] in in_file for number in later}
    missing = [number for number in later if not newest[ran[number].partition("\n")[0]]]
    return next((number for number in [of_class, *missing] if ran[number] and ran[number] not in in_file), 0)


def work_of_history(inputs: list[str], python: list[str], screen: Screen) -> Work:
    """Return the class and what it needs: the last inputs that bind the names they read.

    `python`: the same inputs, with IPython's own commands turned into Python.
    """
    reads: dict[int, set[str]] = {}
    binder: dict[str, int] = {}
    for number, source in enumerate(python):
        # A magic of the whole cell, such as %%time, hides its Python in a string.
        body = inputs[number].partition("\n")[2] if inputs[number].startswith("%%") else source
        try:
            tree = ast.parse(body)
        except (SyntaxError, ValueError):
            continue
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        reads[number] = {node.id for node in names if isinstance(node.ctx, ast.Load)}
        for node in tree.body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                binder[node.name] = number
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                binder.update((alias.asname or alias.name.split(".")[0], number) for alias in node.names)
            else:
                inner = [each for each in ast.walk(node) if isinstance(each, ast.Name)]
                binder.update((each.id, number) for each in inner if isinstance(each.ctx, ast.Store))
    if "LSTM" not in binder:
        screen.stop("no_class")
    needs, names_to_find = set(), ["LSTM"]
    while names_to_find:
        need = binder.get(names_to_find.pop())
        if need is not None and need not in needs:
            needs.add(need)
            names_to_find += reads[need]
    cells = [{"cell_type": "code", "source": inputs[number], "metadata": {}, "outputs": []} for number in sorted(needs)]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    note = screen.text("history", inputs=", ".join(f"In[{number}]" for number in sorted(needs)))
    work = as_work("notebook.ipynb", as_json(notebook), "IPython")
    return work._replace(is_history=True, notes=(("text", note),))


def fit(work: Work, limit: int, screen: Screen) -> Work:
    """Return work that the service takes. Raises: Stop: it is too large without its outputs, too."""
    if len(work.content) <= limit:
        return work
    notebook = json.loads(work.content)
    for cell in notebook["cells"]:
        if cell.get("outputs"):
            cell["outputs"] = []
    content = as_json(notebook)
    size = f"{limit / 1e6:.3g}"
    if len(content) > limit:
        screen.stop("too_large", limit=size)
    return work._replace(content=content, notes=(*work.notes, ("text", screen.text("stripped", limit=size))))


# --- The service


def address_of(url: str) -> Any:
    """Return the host of an address: an IP address, or its name."""
    host = ""
    try:
        host = urllib.parse.urlsplit(url).hostname or ""
        return ipaddress.ip_address(host)
    except ValueError:
        return host


def in_ascii(url: str) -> str:
    """Return an address with its host as DNS writes it. Raises: ValueError: there is no such host."""
    site = urllib.parse.urlsplit(url).netloc
    host = site.partition(":")[0]
    return url if host.isascii() else url.replace(site, site.replace(host, host.encode("idna").decode()), 1)


def is_nearby(url: str) -> bool:
    """Return whether only the computer or the network of the service can reach it, so that Colab cannot."""
    host = address_of(url)
    if isinstance(host, str):
        return "." not in host or host.endswith((".local", ".localhost", ".internal", ".lan", ".home.arpa"))
    return not host.is_global


def memory() -> dict[Any, Any]:
    """Return what stays in this runtime: the cell makes all else in this file anew each time."""
    name = "_lstm_grader_memory"
    kept: dict[Any, Any] = sys.modules.setdefault(name, types.ModuleType(name)).__dict__
    return kept


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token goes to the address in the cell alone."""

    def redirect_request(self, *_parts: Any) -> None:
        return None


class Service:
    """The service at an address. Raises: Stop: others could read what is sent there."""

    def __init__(self, url: str, screen: Screen, token: str = "") -> None:
        host = address_of(url)
        is_own = host == "localhost" or (not isinstance(host, str) and host.is_loopback)
        if not url.startswith("https:") and not (is_own and url.startswith("http:")):
            screen.stop("plain_http", url=url)
        # Notebooks like to switch the checks of certificates off for all; and this computer needs no proxy for itself.
        handlers = [NoRedirects(), urllib.request.HTTPSHandler(context=ssl.create_default_context())]
        own = [urllib.request.ProxyHandler({})] if is_own else []
        self._open = urllib.request.build_opener(*handlers, *own).open
        self._url, self._screen, self._token = url.rstrip("/"), screen, Secret(token)

    def sign_in(self, assignment: str, where: str) -> dict[str, Any]:
        """Return the rules of the assignment; ask for a code unless this runtime has a token."""
        rules = memory().get((self._url, assignment))
        if rules is None:
            try:
                code = getpass.getpass(self._screen.text("code")).strip()
            except (EOFError, NotImplementedError):
                self._screen.stop("no_input")
            except KeyboardInterrupt:
                self._screen.stop("stopped")
            if not code:
                self._screen.stop("no_code")
            exchange = json.dumps({"code": code, "where": where}).encode()
            # A code works once, so it is not sent again.
            kind = {"Content-Type": "application/json"}
            rules = self._ask("/api/v1/notebook/tokens", exchange, kind, holds="token", once=True)
            if rules["assignment"] != assignment:
                self._screen.stop("other_assignment", other=rules["assignment"], assignment=assignment)
            rules["token"] = Secret(rules["token"])
            memory()[self._url, assignment] = rules
        self._token, self._screen.language = rules["token"], rules["language"]
        return dict(rules)

    def forget(self, assignment: str) -> None:
        memory().pop((self._url, assignment), None)

    def deliver(self, work: Work, assignment: str, check_only: bool) -> dict[str, Any]:
        """Send the work, wait, and return the service's answer with the report."""
        path = "/api/v1/checks" if check_only else "/api/v1/submissions"
        body: dict[str, Any] = {}
        slot = (self._url, assignment, path, "sent")
        # The same code goes as the same bytes, whatever its outputs are by now, so that the service knows it again.
        # Where it is not known whether these have arrived it is the same request, too, so that it counts once.
        earlier, key = memory().get(slot, (work, ""))
        work, key = (earlier, key or uuid.uuid4().hex) if earlier.code == work.code else (work, uuid.uuid4().hex)
        memory()[slot] = work, key
        form, kind = multipart(work, assignment)
        headers = {"Content-Type": kind, "Idempotency-Key": key}
        try:
            self._screen.progress("sending")
            try:
                body = self._ask(path if check_only else f"{path}?again=false", form, headers)
            except Stop as refusal:
                if not refusal.attempt:
                    raise
                if not self._screen.is_wanted("same_asked", attempt=refusal.attempt):
                    self._screen.stop("same", attempt=refusal.attempt)
                body = self._ask(path, form, headers)
            memory()[slot] = work, ""
            while body["job_status"] in ("queued", "running"):
                waits = body["job_status"] == "queued" and body.get("position")
                self._screen.progress("queued" if waits else "running", position=body.get("position"))
                body = self._ask(f"{path}/{urllib.parse.quote(body['id'])}?wait={WAIT_SECONDS}")
        except (KeyboardInterrupt, Stop) as end:
            if isinstance(end, Stop) and not end.in_doubt and not body:
                memory()[slot] = work, ""
                raise
            why = end.parts if isinstance(end, Stop) else ()
            text = self._screen.text("stopped" if check_only else "arrived" if body else "maybe")
            raise Stop(*why, *(page_parts(body, self._url, text) or [("text", text)]), in_doubt=True) from None
        return body

    def _ask(
        self, path: str, data: bytes | None = None, headers: Any = (), holds: str = "job_status", once: bool = False
    ) -> dict[str, Any]:
        """Send a request, again while the service is away or asks to wait. Return its answer, with the key `holds`.

        Raises: Stop.
        """
        every = {"Accept-Language": self._screen.language, "Accept": "application/json", **dict(headers)}
        until, pause = time.monotonic() + (0 if once else PATIENCE_SECONDS), 1
        while True:
            status = ""
            try:
                request = urllib.request.Request(in_ascii(self._url) + path, data, every)  # noqa: S310
                if self._token:
                    request.add_unredirected_header("Authorization", f"Bearer {self._token}")
                with self._open(request, timeout=ANSWER_SECONDS) as answer:
                    status = f"HTTP {answer.status}"
                    body = json.loads(answer.read())
                if isinstance(body, dict) and holds in body:
                    return body
                raise ValueError
            except urllib.error.HTTPError as error:
                if error.code < 400:
                    self._screen.stop("moved", url=self._url)
                failure = self._refusal(error)
                after = error.headers.get("Retry-After", "")
                pause = int(after) if after.isdigit() else pause
                is_over = error.code not in (429, 502, 503, 504)
            except (ValueError, RecursionError) as error:  # An address may be none, too.
                self._screen.stop("no_service" if status else "offline", url=self._url, reason=status or error)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", error)
                is_over = isinstance(reason, ssl.SSLCertVerificationError)
                words = getattr(reason, "verify_message", "") or getattr(reason, "strerror", "") or str(reason)
                text = self._screen.text("certificate" if is_over else "offline", url=self._url, reason=words)
                failure = Stop(("text", text), in_doubt=not is_over)
            if is_over or time.monotonic() + pause > until:
                raise failure
            self._screen.progress("again", seconds=pause)
            time.sleep(pause)
            pause = min(2 * pause, 15)

    def _refusal(self, error: urllib.error.HTTPError) -> Stop:
        """Put a refusal into the service's own words; a proxy on the way has none."""
        is_fault = error.code >= http.client.INTERNAL_SERVER_ERROR
        try:
            problem = json.loads(error.read())
            parts = [("cause", str(problem["title"])), ("text", str(problem["detail"]))]
            attempt = int(problem.get("attempt", 0))
        except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
            reason = f"HTTP {error.code} {error.reason}"
            parts = [("text", self._screen.text("offline" if is_fault else "no_service", url=self._url, reason=reason))]
            attempt = 0
        return Stop(*parts, status=error.code, in_doubt=is_fault, attempt=attempt)


def multipart(work: Work, assignment: str) -> tuple[bytes, str]:
    """Return the form with the file, and its type."""
    name = re.sub(r'[\r\n"\\\ud800-\udfff]', "_", work.name)
    border = uuid.uuid4().hex
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="assignment"\r\n\r\n{assignment}\r\n'.encode(),
        f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode(),
        work.content,
        f"\r\n--{border}--\r\n".encode(),
    ]
    return b"".join(parts), f"multipart/form-data; boundary={border}"
