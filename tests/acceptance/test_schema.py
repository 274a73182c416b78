"""The service does what its OpenAPI document says, whatever is asked of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.conftest import serving
from tests.waiting import wait_until

SECONDS = 45


def narrowed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what a schema cannot say, so that what is made out of it ought to be accepted."""
    upload = document["paths"]["/api/v1/submissions"]["post"]
    form = upload["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    # Which assignments there are here.
    form["assignment"]["enum"] = form["assignment"]["examples"]
    # Which of them a course uses: the course Default all of them, a new one none.
    upload["parameters"] = [each for each in upload["parameters"] if each["name"] != "course"]
    # Which time zones there are.
    for body in ("CourseRequest", "CourseChangeRequest"):
        zone = document["components"]["schemas"][body]["properties"]["time_zone"]
        zone["enum"] = zone["examples"]
    # Which order dates have, and that lateness needs one of them.
    for name in ("opens", "closes", "late_percent_per_day"):
        del document["components"]["schemas"]["RulesRequest"]["properties"][name]
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


def test_every_request_that_the_document_allows_or_forbids_is_answered_as_it_says(
    tmp_path: Path, cache_dir: Path
) -> None:
    """Thousands of requests, made by schemathesis out of the document: examples, edges, nonsense, chains."""
    limits = {f"LSTM_GRADER_{name}_PER_MINUTE": "1000000" for name in ("TOKEN_REQUESTS", "STUDENT_UPLOADS")}
    document = tmp_path / "openapi.json"
    with serving(tmp_path / "data", cache_dir, **limits) as server:
        # While it starts, /readyz answers 503, which is right and is no fault.
        wait_until(lambda: httpx.get(f"{server.url}/readyz").status_code == 200)
        document.write_text(json.dumps(narrowed(httpx.get(f"{server.url}/openapi.json").json())))
        ended = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                str(document),
                f"--url={server.url}",
                f"--header=Authorization: Bearer {server.token}",
                "--checks=all",
                "--continue-on-failure",
                "--generation-deterministic",
                f"--max-time={SECONDS}",
                "--request-timeout=30",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS + 120,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr
