"""Upload an LSTM, get a score and a report: the real service with the real box."""

import contextlib
import itertools
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.conftest import (
    COMMAND,
    CORPUS,
    Server,
    graded,
    hand_in,
    service_environment,
    serving,
    without_times,
)
from tests.acceptance.installation import lasting
from tests.processes import command_line, ended
from tests.waiting import SECONDS, wait_until

SUBMISSIONS = "/api/v1/submissions"
SETTINGS = {"LSTM_GRADER_SLOTS": "1", "LSTM_GRADER_SHUTDOWN_SECONDS": "4"}
ALERTS_TEST = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts_test.yml"
#: Prometheus adds these, and the series `up`.
ADDED_LABELS = {"job", "instance"}
# Its reader stops it before the first line of the greeting has left the process.
SERVICE_STOPPED_AT_ITS_GREETING = """
import os, signal, sys
import app.main
from app.cli import main

def stop(*arguments):
    os.kill(os.getpid(), signal.SIGTERM)
    return greeting(*arguments)

greeting, app.main.greeting = app.main.greeting, stop
sys.exit(main())
"""


def submit(client: httpx.Client, case: str) -> str:
    """Hand in a file of the corpus. Returns: the id of the submission."""
    (path,) = (CORPUS / case).glob("submission.*")
    return send(client, path.read_bytes(), path.name)


def send(client: httpx.Client, content: bytes, name: str = "LSTM.py") -> str:
    sent = client.post(SUBMISSIONS, files={"file": (name, content)}, data={"student": "ivanov"})
    return str(sent.raise_for_status().json()["id"])


def wait_for_running(client: httpx.Client, submission_id: str) -> None:
    wait_until(lambda: client.get(f"{SUBMISSIONS}/{submission_id}").json()["job_status"] == "running", pause=0.2)


def expect_no_process(processes: list[int]) -> None:
    wait_until(lambda: all(map(ended, processes)), pause=0.2)


@contextlib.contextmanager
def asking(server: Server, location: str) -> Iterator[Future[httpx.Response]]:
    """A request that the service has read, and does not answer yet."""
    sent = threading.Event()

    def trace(event: str, _: object) -> None:
        if event == "http11.receive_response_headers.started":
            sent.set()

    with server.client() as client, ThreadPoolExecutor(1) as threads:
        future = threads.submit(client.get, location, params={"wait": 60}, extensions={"trace": trace})
        assert sent.wait(SECONDS)
        client.get("/healthz")  # What came before this on another connection was read before.
        yield future


def test_service_has_every_series_of_the_alerts_before_anything_has_happened(server):
    """`alerts_test.yml` shows that the alerts work on its series; here is that a service has these very series."""
    with server.client() as client:
        families = text_string_to_metric_families(client.get("/metrics").text)
    exposed = {(each.name, frozenset(each.labels.items())) for family in families for each in family.samples}
    assumed = set()
    for test in yaml.safe_load(ALERTS_TEST.read_text())["tests"]:
        for series in test["input_series"]:
            name, _, labels = series["series"].partition("{")
            own = {label: value for label, value in re.findall(r'(\w+)="([^"]*)"', labels) if label not in ADDED_LABELS}
            # Ordinary answers are counted from their first case on.
            if own.get("status") not in ("202", "422"):
                assumed.add((name, frozenset(own.items())))
    assert len(assumed) > 10
    assert assumed - exposed == {("up", frozenset())}


@pytest.mark.thorough
def test_service_that_warms_up_answers_and_ends_without_waiting_and_in_silence(tmp_path):
    """Without any cache, so that the first answers of Keras are being made."""
    with serving(tmp_path, tmp_path / "cache") as server, server.client() as client:
        wait_until(lambda: any("keras_layer" in command_line(pid) for pid in server.children()), pause=0.2)
        assert client.get("/healthz").json()["status"] == "ok"
        assert client.get("/readyz").status_code == 503
        children = server.children()
        assert server.stop() == 0, server.log.read_text()
        assert list((tmp_path / "cache").rglob("*.safetensors")) == []
        expect_no_process(children)
        log = server.log.read_text()
    assert "stopping" in log
    assert not [line for line in log.splitlines() if "Traceback" in line or '"error"' in line]


@pytest.mark.thorough
def test_service_that_is_stopped_as_soon_as_it_says_where_it_is_ends_in_order(tmp_path, cache_dir):
    command = [sys.executable, "-c", SERVICE_STOPPED_AT_ITS_GREETING]
    with serving(tmp_path, cache_dir, command=command) as server:
        assert server.process.wait(SECONDS) == 0
        assert "stopping" in server.log.read_text()


def test_service_is_ready_when_a_known_answer_has_gone_through_the_box(server):
    def is_ready() -> bool:
        answer = httpx.get(f"{server.url}/readyz", timeout=SECONDS)
        assert answer.json()["checks"]["database"] == answer.json()["checks"]["queue"] == "ok"
        return answer.status_code == 200

    wait_until(is_ready, pause=0.2)
    with server.client() as client:
        graded(client, submit(client, "broken_memory_call"))
        metrics = client.get("/metrics").text
    for line in ("lstm_grader_self_test_up 1.0", 'lstm_grader_box_kills_total{reason="memory"} 1.0'):
        assert line in metrics
    assert 'lstm_grader_grades_total{status="memory_limit"} 1.0' in metrics


def test_printed_curl_line_works_as_it_stands(server, tmp_path):
    """Read as curl would; curl itself need not be installed. It waits for the grade, for a minute."""
    server.wait_until_ready()
    words = shlex.split(server.curl_line)
    options = list(itertools.pairwise(words))
    header = next(value for option, value in options if option == "-H")
    fields = dict(value.split("=", 1) for option, value in options if option == "-F")
    assert fields.pop("file") == "@LSTM.ipynb"
    name, value = header.split(": ")
    with (CORPUS / "notebook_magics" / "submission.ipynb").open("rb") as file:
        response = httpx.post(words[-1], headers={name: value}, files={"file": file}, data=fields, timeout=SECONDS)
    assert response.status_code == 200
    assert response.json()["report"]["points"] == 100


def test_stages_of_a_grade_arrive_as_they_begin(server):
    with server.client() as client:
        location = f"{SUBMISSIONS}/{submit(client, 'wrong_swap_if')}"
        events = []
        with client.stream("GET", f"{location}/events") as stream:
            for line in stream.iter_lines():
                if line.startswith("event: "):
                    events.append(line.removeprefix("event: "))
                    if events[-1] == "reading":  # It arrives while it is so, and not when all is over.
                        assert client.get(location).json()["job_status"] == "running"
    stages = [event for event in events if event != "position"]
    assert stages[:4] == ["queued", "reading", "reference", "running"]
    assert stages[-2:] == ["checking", "done"]


def test_a_regrade_gives_the_same_report_and_another_attempt_is_asked_other_numbers(server):
    with server.client() as client:
        ids = [submit(client, "wrong_swap_if") for _ in range(2)]
        first, other = (graded(client, id)["report"] for id in ids)
        begun = client.post("/api/v1/regrades", json={"submissions": ids[:1]}).raise_for_status().json()
        wait_until(lambda: client.get(f"/api/v1/regrades/{begun['id']}").json()["done"] == 1, pause=0.2)
        again = graded(client, ids[0])["report"]
    assert again["receipt"]["created_at"] > first["receipt"]["created_at"]
    assert without_times(again) == without_times(first)
    assert other["receipt"]["questions"] != first["receipt"]["questions"]
    codes, others_codes = ([each["code"] for each in report["diagnoses"]] for report in (first, other))
    assert (other["points"], others_codes) == (first["points"], codes)


@pytest.mark.thorough
def test_copied_code_is_pointed_out_to_the_teacher_under_other_names_too(server):
    original = (CORPUS / "correct_activation_layers" / "submission.py").read_text(encoding="utf-8")
    renamed = re.sub(r"#.*", "# mine", original)
    for name, other in (("h_all", "states"), ("lstm_cell", "step"), ("LSTMCell", "Step"), ("fcX", "gate"), ("ch", "g")):
        renamed = re.sub(rf"\b{name}", other, renamed)
    own = (CORPUS / "correct_gates_dict" / "submission.py").read_text(encoding="utf-8")
    with server.client() as client:
        for student, code in {"c1": original, "c2": original, "c3": renamed, "own": own}.items():
            reported = hand_in(client, code.encode(), student)["report"]
            assert reported["points"] == 100
        course = client.get("/api/v1/courses").json()["items"][0]["id"]
        found = client.get(f"/api/v1/courses/{course}/assignments/lstm-layer/same-code").json()["items"]
    (group,) = (group for group in found if group["students"][0]["student"] == "c1")
    assert [holder["student"] for holder in group["students"]] == ["c1", "c2", "c3"]
    assert (group["word_for_word"], group["says_little"]) == (2, False)


@pytest.mark.thorough
def test_new_start_ends_the_printed_token_and_keeps_the_browser_signed_in(tmp_path, cache_dir):
    printed = []
    with httpx.Client(timeout=SECONDS) as browser:
        for _ in range(2):
            with serving(tmp_path, cache_dir) as server:
                if not printed:
                    assert browser.head(f"{server.url}/").status_code == 401
                    server.sign_in(browser)
                printed.append(server.token)
                answers = [
                    browser.get(f"{server.url}/api/v1/assignments", headers={"Authorization": f"Bearer {token}"})
                    for token in printed
                ]
                assert browser.get(f"{server.url}/").status_code == 200
                assert browser.head(f"{server.url}/").status_code == 200
        assert [answer.status_code for answer in answers] == [401, 200]
        # One that is set says that no earlier one is trusted.
        with serving(tmp_path, cache_dir, LSTM_GRADER_OWNER_TOKEN="another-token-0123456789") as server:
            assert browser.get(f"{server.url}/").status_code == 401


def start(tmp_path: Path, cache_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "serve"],
        env=service_environment(tmp_path, cache_dir, **environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_port_that_is_taken_is_named(tmp_path, cache_dir):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = start(tmp_path, cache_dir, LSTM_GRADER_PORT=port)
    assert answer.returncode == 2
    assert f"port {port}" in answer.stderr
    assert "LSTM_GRADER_PORT" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_data_that_another_service_uses_is_named(server, cache_dir):
    answer = start(server.log.parent, cache_dir)
    assert answer.returncode == 2
    assert str(server.log.parent) in answer.stderr
    assert "Traceback" not in answer.stderr


def test_stop_and_kill_lose_nothing_and_leave_no_process(server, cache_dir):
    """An upload answered 202 before a stop or a kill in the middle of a grade is graded after the next start.

    It comes last, because it ends the service of the tests above.
    """
    again = {**SETTINGS, "LSTM_GRADER_OWNER_TOKEN": "owner-token-for-this-test"}
    folder = server.log.parent
    with server.client() as client:
        unhurried = send(client, lasting(1))
        waiting = submit(client, "notebook_magics")
        wait_for_running(client, unhurried)
        children = server.children()
        assert children
        location = f"{SUBMISSIONS}/{unhurried}"
        with asking(server, location) as answer, client.stream("GET", f"{location}/events") as stream:
            assert server.stop() == 0, server.log.read_text()
            assert answer.result().json()["job_status"] != "done"  # It was not waited for.
            assert "event: queued" in stream.iter_lines()
        expect_no_process(children)

    with serving(folder, cache_dir, **again) as server, server.client() as client:
        assert again["LSTM_GRADER_OWNER_TOKEN"] not in server.printed
        wait_for_running(client, unhurried)
        children = server.children()
        server.stop(signal.SIGKILL)
    expect_no_process(children)

    with serving(folder, cache_dir, **again) as server, server.client() as client:
        for submission in (unhurried, waiting):
            assert graded(client, submission)["report"]["points"] == 100
