"""The application as it is put together: what is imported, and that nothing starts, is written or stays behind."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.settings import Settings


def test_importing_the_service_loads_no_tensorflow() -> None:
    code = (
        "import sys, app.main, app.server, app.cli; "
        "sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras', 'tf_keras', 'IPython') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_the_command_line_loads_no_web_framework() -> None:
    code = "import sys, app.cli; sys.exit(any(name in sys.modules for name in ('fastapi', 'sqlalchemy', 'uvicorn')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_sandbox_starts_before_the_web_framework_is_imported() -> None:
    code = "import sys, app.cli, app.operations.sandbox; sys.exit('fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_creating_the_application_starts_and_writes_nothing(settings: Settings, tmp_path: Path) -> None:
    create_app(settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.anyio
async def test_application_that_nobody_holds_leaves_its_memory(settings: Settings) -> None:
    app = create_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://grader.test") as client:
        assert (await client.get("/static/course.css")).status_code == 200
    gone = weakref.ref(app)
    del app, client
    gc.collect()
    assert gone() is None
