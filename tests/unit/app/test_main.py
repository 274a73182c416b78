"""The application as it is put together: what it imports, and that nothing starts or is written."""

import subprocess
import sys

import pytest

from app.main import create_app, greeting


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("app.main, app.worker, app.cli", {"tensorflow", "keras", "tf_keras", "IPython"}),
        # A command, and the sandbox of a service, start before these are imported.
        ("app.cli", {"fastapi", "sqlalchemy", "uvicorn"}),
        ("app.operations.sandbox", {"fastapi"}),
    ],
)
def test_modules_are_imported_without_what_they_need_not_load(modules, absent):
    code = f"import sys, {modules}; sys.exit(bool({absent} & {{name.split('.')[0] for name in sys.modules}}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_creating_the_application_starts_and_writes_nothing(settings, tmp_path):
    create_app(settings)
    assert list(tmp_path.iterdir()) == []


def test_greeting_shows_a_token_of_this_start_and_none_of_the_settings():
    assert greeting("http://localhost", "secret").count("secret") == 2
    given = greeting("http://localhost", None)
    assert "Bearer $LSTM_GRADER_OWNER_TOKEN" in given
    assert "None" not in given
