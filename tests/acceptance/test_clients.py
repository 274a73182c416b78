"""A client that is generated out of the OpenAPI document works: every name below is what the generator made of it."""

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

from tests.acceptance.conftest import CORPUS, Server
from tests.waiting import SECONDS, wait_until

pytestmark = pytest.mark.thorough

RIGHT = CORPUS / "notebook_magics" / "submission.ipynb"
SETTINGS = {"LSTM_GRADER_WEBHOOK_PRIVATE_TARGETS": "true"}
PACKAGE = "lstm_grader_client"
# A picture is bytes to a client.
CONFIG = "content_type_overrides:\n  image/svg+xml: application/octet-stream\n"


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
        client = Client(server)
        with client.connection:
            yield client
    finally:
        sys.path.remove(str(folder))


def test_answers_bodies_and_refusals_have_their_types(client):
    models = client.models
    submission = client.upload(RIGHT, "ivanov", assignment="lstm-layer")
    assert isinstance(submission, models.SubmissionBody)
    assert submission.report.status is models.Status.PASSED
    assert {check.id: check.points for check in submission.report.checks}["equivalence"] == 50
    assert (submission.report.error, submission.grade.counts) == (None, True)
    wrong = client.upload(CORPUS / "wrong_swap_if" / "submission.py", "petrov")
    (diagnosis,) = wrong.report.diagnoses
    assert (diagnosis.code, diagnosis.confidence) == ("gates_swapped_if", models.DiagnosisConfidence.EXACT)
    assert wrong.report.cases[0].first_divergence.timestep == 0

    refused = client.upload(RIGHT, "ivanov", assignment="an-assignment-of-somebody-else")
    assert (type(refused), refused.status) == (models.Problem, 422)
    assert "lstm-layer" in refused.additional_properties["known"]
    key = str(uuid.uuid4())
    first, again = (client.upload(RIGHT, "sidorov", key) for _ in range(2))
    assert (first.id, first.attempt) == (again.id, again.attempt)

    # Pages of lists, files, texts, pictures and streams.
    newest = client("submissions.list_submissions", limit=1)
    before = client("submissions.list_submissions", limit=1, cursor=newest.next_cursor)
    assert [each.items[0].id for each in (newest, before)] == [first.id, wrong.id]
    assert client("submissions.read_submission_file", submission.id).payload.read() == RIGHT.read_bytes()
    assert "<testsuite" in client("reports.read_report", submission.id, format_=models.ReadReportFormat.JUNIT)
    assert "event: done" in client("submissions.watch_submission", submission.id)
    (report,) = client("reports.list_reports", wrong.id).items
    (picture, *_) = client("reports.list_pictures", wrong.id, report.id).items
    assert b"<svg" in client("reports.read_picture", wrong.id, report.id, picture.name)

    # A body of one of three forms.
    filtered = models.BeginRegrade(filter_=models.SubmissionFilter(student="nobody"))
    assert client("regrades.create_regrade", body=filtered).total == 0
    everything = client("regrades.create_regrade", body=models.BeginRegrade(all_=True))
    assert everything.total == 3
    wait_until(lambda: client("regrades.read_regrade", everything.id).done == 3, pause=0.2)
    assert client("regrades.create_regrade", body=models.BeginRegrade()).status == 422


def test_messages_to_a_webhook_have_a_type(client, receiver):
    models = client.models
    webhook = client("webhooks.create_webhook", body=models.MakeWebhook(url=receiver.url))
    client("webhooks.ping_webhook", webhook.id)
    submission = client.upload(RIGHT, "webhook")
    wait_until(lambda: len(receiver.came) >= 2)
    ping, graded = (json.loads(message.body) for message in receiver.came)
    assert models.PingMessage.from_dict(ping).type_ == "ping"
    message = models.GradedMessage.from_dict(graded)
    assert (message.data.submission.id, message.data.report.status) == (submission.id, models.Status.PASSED)
    deliveries = client("webhooks.list_webhook_deliveries", webhook.id).items
    assert {delivery.event for delivery in deliveries} == {"ping", "submission.graded"}
    client("webhooks.delete_webhook", webhook.id)
