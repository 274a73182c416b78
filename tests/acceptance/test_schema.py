"""The service does what its OpenAPI document says, whatever is asked of it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.waiting import SECONDS

#: Tests of the API hold the same document to what they ask.
pytestmark = pytest.mark.thorough
SETTINGS = {f"LSTM_GRADER_{name}_PER_MINUTE": "1000000" for name in ("TOKEN_REQUESTS", "STUDENT_UPLOADS")}


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what a schema cannot say, so that what is made out of it ought to be accepted."""
    upload = document["paths"]["/api/v1/submissions"]["post"]
    form = upload["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    # Which assignments there are here.
    form["assignment"]["enum"] = form["assignment"]["examples"]
    # Which of them a course uses: the course Default all of them, a new one none.
    upload["parameters"] = [each for each in upload["parameters"] if each["name"] != "course"]
    # Which time zones there are.
    for body in ("MakeCourse", "ChangeCourse"):
        zone = document["components"]["schemas"][body]["properties"]["time_zone"]
        zone["enum"] = zone["examples"]
    # Which order dates have, and that lateness needs one of them.
    for name in ("opens", "closes", "late_percent_per_day"):
        del document["components"]["schemas"]["Rules"]["properties"][name]
    for each in document["paths"]["/api/v1/courses/{course_id}/assignments/{assignment_id}"]["put"]["parameters"]:
        if each["name"] == "assignment_id":
            each["schema"] = {"enum": form["assignment"]["examples"]}
    # The form of a roster.
    roster = document["paths"]["/api/v1/courses/{course_id}/roster"]["post"]
    form = roster["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    form["file"]["enum"] = form["file"]["examples"]
    (id_column,) = (each for each in roster["parameters"] if each["name"] == "id_column")
    id_column["schema"]["enum"] = ["id"]
    # That a key names one request: another one that comes with it is refused, rightly.
    for methods in document["paths"].values():
        for operation in methods.values():
            named = operation.get("parameters", [])
            operation["parameters"] = [each for each in named if each["name"].lower() != "idempotency-key"]
    return document


@pytest.mark.parametrize(
    "options",
    [
        ["--phases=examples"],
        # The edges of every query take four minutes more; nonsense covers some of them.
        ["--phases=coverage", "--exclude-method=GET"],
        ["--phases=fuzzing,stateful", "--max-examples=3"],
    ],
    ids=["examples", "edges", "nonsense and chains"],
)
def test_every_request_that_the_document_allows_or_forbids_is_answered_as_it_says(server, tmp_path, request, options):
    """Requests made by schemathesis out of the document. The same seed asks the same, however busy the machine is."""
    server.wait_until_ready()  # While it starts, /readyz answers 503, which is right and is no fault.
    seed = request.config.option.seed
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(narrowed(httpx.get(f"{server.url}/openapi.json", timeout=SECONDS).json())))
    ended = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")),
            "run",
            str(document),
            f"--url={server.url}",
            f"--header=Authorization: Bearer {server.token}",
            "--checks=all",
            "--continue-on-failure",
            *options,
            f"--seed={seed}",
            "--generation-database=none",
            # However slowly it asks and is answered.
            "--suppress-health-check=all",
            f"--request-timeout={SECONDS}",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    failures = ended.stdout.partition("FAILURES ==")[2][:20_000] or ended.stdout[-20_000:]
    assert ended.returncode == 0, f"--seed={seed} asks the same again\n{failures}{ended.stderr}"
