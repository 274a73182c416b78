"""The application as it is put together: what it imports, and that nothing starts or is written."""

import subprocess
import sys
from pathlib import Path

from app.main import create_app
from app.settings import Settings


def test_importing_the_service_loads_no_tensorflow() -> None:
    code = (
        "import sys, app.main, app.worker, app.cli; "
        "sys.exit(any(name.split('.')[0] in ('tensorflow', 'keras', 'tf_keras', 'IPython') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_command_line_and_sandbox_start_before_the_web_framework_is_imported() -> None:
    code = (
        "import sys, app.cli; early = {'fastapi', 'sqlalchemy', 'uvicorn'} & set(sys.modules); "
        "import app.operations.sandbox; sys.exit(bool(early) or 'fastapi' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_creating_the_application_starts_and_writes_nothing(settings: Settings, tmp_path: Path) -> None:
    create_app(settings)
    assert list(tmp_path.iterdir()) == []
