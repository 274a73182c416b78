"""A service on PostgreSQL whose workers are elsewhere needs only what `requirements/web.txt` locks."""

import subprocess
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import CORPUS, hand_in, service_environment, serving
from tests.acceptance.installation import CORRECT, TOKEN, Installation
from tests.locked import make_environment, unpack
from tests.waiting import SECONDS

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str | Path]:
    """The command line in an environment that has what the lock names, and ourselves."""
    folder = tmp_path_factory.mktemp("web")
    packages = make_environment(folder, "web.txt")
    unpack("lstm-grader", packages)
    for link in packages.glob("_editable*"):
        link.unlink()
    (packages / "ours.pth").write_text(f"{ROOT}\n")
    return [folder / "bin" / "python", "-c", "from app.cli import main; main()"]


def test_a_service_accepts_and_shows_what_workers_elsewhere_grade(command, postgresql, tmp_path, cache_dir):
    installation = Installation(tmp_path, cache_dir, postgresql)
    settings = {"LSTM_GRADER_DATABASE_URL": installation.database_url, "LSTM_GRADER_OWNER_TOKEN": TOKEN}
    serves = serving(tmp_path, cache_dir, command=command, **settings)
    with installation, serves as server, server.client() as client:
        assert client.get("/readyz").json()["checks"]["box"] == "elsewhere"
        installation.start_worker()
        submission = hand_in(client, CORRECT, "ivanov")
        report = submission["report"]
        assert report["status"] == "passed"
        with httpx.Client(base_url=server.url, timeout=SECONDS) as browser:
            server.sign_in(browser)
            for page in ("/docs", "/courses/new"):
                assert browser.get(page).status_code == 200
            # The same as the worker's: otherwise each of its reports would look outdated here.
            assert report["receipt"]["grader_version"] in browser.get("/status").text
        page = client.get(f"/api/v1/submissions/{submission['id']}/report", params={"format": "html"})
        assert "<svg" in page.text


@pytest.mark.parametrize("arguments", [["serve"], ["grade", str(CORPUS / "wrong_swap_if" / "submission.py")]])
def test_commands_that_grade_name_the_missing_tensorflow(command, arguments, tmp_path, cache_dir):
    environment = service_environment(tmp_path, cache_dir)
    ended = subprocess.run([*command, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert "TensorFlow is not installed" in ended.stderr
    assert "Traceback" not in ended.stderr
