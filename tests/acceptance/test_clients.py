"""A client that is generated out of the OpenAPI document works: every name below is what the generator made of it."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import CORPUS, Server, serving
from tests.receiver import Receiver
from tests.waiting import SECONDS, wait_until

pytestmark = pytest.mark.thorough

RIGHT = CORPUS / "notebook_magics" / "submission.ipynb"
PACKAGE = "lstm_grader_client"
# A picture is bytes to a client.
CONFIG = "content_type_overrides:\n  image/svg+xml: application/octet-stream\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("data"), cache_dir, LSTM_GRADER_WEBHOOK_PRIVATE_TARGETS="true") as server:
        yield server


class Client:
    """A generated client, and its connection."""

    def __init__(self, server: Server) -> None:
        self.connection = self._module("client").AuthenticatedClient(
            base_url=server.url, token=server.token, timeout=httpx.Timeout(SECONDS)
        )
        self.models = self._module("models")
        self.types = self._module("types")

    def _module(self, name: str) -> ModuleType:
        return importlib.import_module(f"{PACKAGE}.{name}")

    def __call__(self, operation: str, *path: Any, **parameters: Any) -> Any:
        """The parsed answer to an operation, named ``tag.operation_id``."""
        return self._module(f"api.{operation}").sync(*path, client=self.connection, **parameters)

    def upload(self, path: Path, student: str, key: str | None = None, **fields: Any) -> Any:
        file = self.types.File(payload=io.BytesIO(path.read_bytes()), file_name=path.name)
        body = self.models.CreateSubmissionBody(file=file, student=student, **fields)
        headers = {"idempotency_key": key} if key else {}
        return self("submissions.create_submission", body=body, wait=120, lang=self.models.Language.EN, **headers)


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("client")
    document, config = folder / "openapi.json", folder / "config.yml"
    server.wait_until_ready()
    document.write_bytes(httpx.get(f"{server.url}/openapi.json", timeout=SECONDS).content)
    config.write_text(CONFIG)
    ended = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("openapi-python-client")), "generate"),
            *("--meta=none", "--fail-on-warning", f"--config={config}"),
            *(f"--path={document}", f"--output-path={folder / PACKAGE}"),
        ],
        capture_output=True,
        text=True,
        check=False,
        # Its last step formats with ruff, which is beside it.
        env={"PATH": str(Path(sys.executable).parent)},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    sys.path.insert(0, str(folder))
    try:
        made = Client(server)
        with made.connection:
            yield made
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def submission(client: Client) -> Any:
    return client.upload(RIGHT, "ivanov", assignment="lstm-layer")


def test_a_report_has_types_down_to_its_parts(client: Client, submission: Any) -> None:
    models = client.models
    assert isinstance(submission, models.SubmissionBody)
    assert isinstance(submission.report, models.Report)
    assert submission.report.status is models.Status.PASSED
    assert submission.report.points == 100
    assert {check.id: check.points for check in submission.report.checks}["equivalence"] == 50
    assert all(isinstance(check, models.Check) and check.title for check in submission.report.checks)
    assert submission.report.error is None
    assert submission.grade.counts is True
    wrong = client.upload(CORPUS / "wrong_swap_if" / "submission.py", "petrov")
    (diagnosis,) = wrong.report.diagnoses
    assert (diagnosis.code, diagnosis.confidence) == ("gates_swapped_if", models.DiagnosisConfidence.EXACT)
    assert wrong.report.cases[0].first_divergence.timestep == 0
    reports = client("reports.list_reports", wrong.id)
    (picture, *_) = client("reports.list_pictures", wrong.id, reports.items[0].id).items
    drawn = client("reports.read_picture", wrong.id, reports.items[0].id, picture.name)
    assert b"<svg" in drawn


@pytest.mark.parametrize("form", ["TEXT", "JSON", "HTML", "JUNIT"])
def test_a_report_comes_in_any_form(client: Client, submission: Any, form: str) -> None:
    text = client("reports.read_report", submission.id, format_=client.models.ReadReportFormat[form])
    assert submission.filename in text or "100" in text


def test_an_upload_sent_twice_is_one_submission(client: Client) -> None:
    key = str(uuid.uuid4())
    first, again = (client.upload(RIGHT, "sidorov", key) for _ in range(2))
    assert (first.id, first.attempt) == (again.id, again.attempt)
    other = client.upload(RIGHT, "kuznetsov", key)
    assert isinstance(other, client.models.Problem)
    assert (other.status, other.type_) == (422, "urn:lstm-grader:problem:idempotency-key-reused")
    assert client.upload(RIGHT, "sidorov", str(uuid.uuid4())).attempt == first.attempt + 1


def test_a_refusal_is_a_problem_document(client: Client) -> None:
    refused = client.upload(RIGHT, "ivanov", assignment="an-assignment-of-somebody-else")
    assert isinstance(refused, client.models.Problem)
    assert refused.type_ == "urn:lstm-grader:problem:unknown-assignment"
    assert "lstm-layer" in refused.additional_properties["known"]
    missing = client("submissions.read_submission", "01ksvh1y8gk3v0q4m2z7c9x5ab")
    assert isinstance(missing, client.models.Problem)
    assert missing.title


def test_lists_are_read_page_by_page(client: Client, submission: Any) -> None:
    for student in ("page-a", "page-b"):
        client.upload(RIGHT, student)
    everything = [item.id for item in client("submissions.list_submissions").items]
    found: list[str] = []
    more: dict[str, Any] = {}
    while not found or more["cursor"] is not None:
        page = client("submissions.list_submissions", limit=2, **more)
        assert isinstance(page, client.models.SubmissionList)
        found += [item.id for item in page.items]
        more = {"cursor": page.next_cursor}
    assert found == everything
    assert submission.id in found
    passed = client("submissions.list_submissions", student="ivanov", status=client.models.Status.PASSED)
    assert [item.points for item in passed.items] == [100]


def test_files_and_events_come_as_they_are(client: Client, submission: Any) -> None:
    assert client("submissions.read_submission_file", submission.id).payload.read() == RIGHT.read_bytes()
    events = client("submissions.watch_submission", submission.id)
    assert "event: queued" in events
    assert "event: done" in events


def test_regrades_say_what_they_mean(client: Client, submission: Any) -> None:
    models = client.models
    for nothing in (models.RegradeRequest(), models.RegradeRequest(filter_=models.SelectionBody())):
        refused = client("regrades.create_regrade", body=nothing)
        assert isinstance(refused, models.Problem)
        assert refused.status == 422
    assert client("regrades.list_regrades").items == []
    chosen = models.RegradeRequest(submissions=[submission.id])
    regrade = client("regrades.create_regrade", body=chosen)
    assert (regrade.total, regrade.selection.additional_properties) == (1, {"submissions": [submission.id]})
    wait_until(lambda: client("regrades.read_regrade", regrade.id).done, pause=0.2)
    (item,) = client("regrades.list_regrade_submissions", regrade.id).items
    assert (item.before.points, item.after.points, item.student) == (100, 100, "ivanov")
    filtered = models.RegradeRequest(filter_=models.SelectionBody(student="nobody"))
    assert client("regrades.create_regrade", body=filtered).total == 0
    everything = client("regrades.create_regrade", body=models.RegradeRequest(all_=True))
    assert everything.total == len(client("submissions.list_submissions").items)
    wait_until(lambda: client("regrades.read_regrade", everything.id).done == everything.total, pause=0.2)


def test_tokens_are_made_and_ended(client: Client, server: Server) -> None:
    models = client.models
    made = client("tokens.create_token", body=models.TokenRequest(name="For Ivanov", student="ivanov"))
    assert (made.role, made.student, made.expires_at) == (models.Role.SUBMITTER, "ivanov", None)
    with httpx.Client(follow_redirects=True, timeout=SECONDS) as browser:
        assert browser.get(made.link).status_code == 200
        assert browser.post(f"{server.url}/enter", data={"token": made.token}).status_code == 200
        assert made.id in [token.id for token in client("tokens.list_tokens").items]
        client("tokens.revoke_token", made.id)
        assert browser.get(f"{server.url}/").status_code == 401


def test_messages_to_a_webhook_have_a_type(client: Client, receiver: Receiver) -> None:
    models = client.models
    webhook = client("webhooks.create_webhook", body=models.WebhookRequest(url=receiver.url))
    client("webhooks.ping_webhook", webhook.id)
    submission = client.upload(RIGHT, "webhook")
    wait_until(lambda: len(receiver.came) >= 2)
    ping, graded = (json.loads(message.body) for message in receiver.came)
    assert models.PingMessage.from_dict(ping).type_ == "ping"
    told = models.GradedMessage.from_dict(graded)
    assert (told.data.submission.id, told.data.report.status) == (submission.id, models.Status.PASSED)
    deliveries = client("webhooks.list_webhook_deliveries", webhook.id).items
    assert {delivery.event for delivery in deliveries} == {"ping", "submission.graded"}
    client("webhooks.delete_webhook", webhook.id)


def test_the_rest_has_types_too(client: Client) -> None:
    models = client.models
    layer = client("assignments.read_assignment", "lstm-layer")
    assert layer.points.additional_properties["equivalence"] == 50
    assert {case.visibility for case in layer.cases} == set(models.AssignmentCaseVisibility)
    statistics = client("assignments.read_statistics", "lstm-layer")
    assert sum(statistics.statuses.additional_properties.values()) == statistics.attempts.count
    assert client("operations.healthz").status == "ok"
    wait_until(lambda: client("operations.readyz").status is models.ReadinessStatus.READY, pause=0.2)
    assert "lstm_grader_grades_total" in client("operations.metrics")
    assert client("students.delete_student", student="nobody").submissions == 0
