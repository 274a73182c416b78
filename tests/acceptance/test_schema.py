"""The service does what its OpenAPI document says, whatever is asked of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.acceptance.conftest import serving

SECONDS = 45


def test_every_request_that_the_document_allows_or_forbids_is_answered_as_it_says(
    tmp_path: Path, cache_dir: Path
) -> None:
    """Thousands of requests, made by schemathesis out of the document: examples, edges, nonsense, chains."""
    limits = {f"LSTM_GRADER_{name}_PER_MINUTE": "1000000" for name in ("TOKEN_REQUESTS", "STUDENT_UPLOADS")}
    with serving(tmp_path / "data", cache_dir, **limits) as server:
        ended = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"{server.url}/openapi.json",
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
