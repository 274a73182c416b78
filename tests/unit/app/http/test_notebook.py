"""The cell that hands a notebook in, and the file that it fetches."""

import ast
import contextlib
import io
import json
import urllib.request
from typing import Any

import pytest

from app.http.notebook import CLIENT_PATH, client_sha256, client_source, notebook_cell
from app.texts import client_texts
from tests.unit.app.calls import PAGE

URL = "https://grader.example"


def run_cell(answer: bytes | OSError, monkeypatch: pytest.MonkeyPatch, url: str = URL) -> str:
    """Run the cell where the service sends this. Returns: what it printed."""

    def urlopen(address: str, *, timeout: float) -> Any:
        assert address == url + CLIENT_PATH
        if isinstance(answer, OSError):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(notebook_cell(url, "lstm-layer"), "cell", "exec"), {"x": "the student's"})
    return printed.getvalue()


def test_cell_runs_the_file_that_it_was_made_for_and_no_other(monkeypatch):
    # Outside of IPython, the file says that there is no notebook.
    assert run_cell(client_source(), monkeypatch) == client_texts()["en"]["no_notebook"] + "\n"
    assert "newer file" in run_cell(client_source() + b"\n", monkeypatch)


def test_cell_that_cannot_reach_the_service_says_what_to_do(monkeypatch):
    refused = ConnectionRefusedError("refused")
    assert "Try again later" in run_cell(refused, monkeypatch)
    assert "From Colab it never answers" in run_cell(refused, monkeypatch, "http://127.0.0.1:8000")


@pytest.mark.parametrize("language", ["en", "ru"])
def test_values_stay_values(language):
    strange = 'https://a"\\$url\n{x}/é'
    tree = ast.parse(notebook_cell(strange, 'b")#', language).replace("# ", "#"))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {strange, 'b")#', language, client_sha256()} <= strings


async def test_file_is_public_and_asked_for_again_only_when_it_has_changed(nobody):
    sent = await nobody.get(CLIENT_PATH)
    assert (sent.status_code, sent.content) == (200, client_source())
    assert sent.headers["content-type"] == "text/x-python; charset=utf-8"
    again = await nobody.get(CLIENT_PATH, headers={"If-None-Match": sent.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await nobody.get(CLIENT_PATH, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_template_ends_with_the_cell_in_the_reader_s_language(browser):
    template = await browser.get(f"{PAGE}/template.ipynb", params={"lang": "ru"})
    cells = json.loads(template.content)["cells"]
    assert "".join(cells[-1]["source"]) == notebook_cell(str(browser.base_url).rstrip("/"), "lstm-layer", "ru")
