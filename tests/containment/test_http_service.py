"""Hostile files, uploaded to a real service while others use it: it lives, and nobody else's work is touched."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Server, serving
from tests.processes import children, command_line

SUBMISSIONS = "/api/v1/submissions"
WITNESS = "<script>alert('from a submission')</script>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Iterator[Server]:
    """Without the outer ring: the wall must hold alone."""
    with serving(tmp_path_factory.mktemp("data"), cache_dir, LSTM_GRADER_ACCEPT_MISSING="namespaces") as server:
        yield server


def _submit(client: httpx.Client, content: bytes, *, student: str, name: str = "submission.py") -> dict[str, Any]:
    response = client.post(
        SUBMISSIONS,
        params={"wait": 120, "lang": "en"},
        files={"file": (name, content)},
        data={"student": student},
    )
    assert response.status_code in (200, 202), response.text
    submission: dict[str, Any] = response.json()
    assert submission["job_status"] == "done"
    return submission


def _warm_processes(server: Server) -> list[int]:
    """Not their runs, which are called the same and end."""
    return [pid for pid in children(server.process.pid) if "zygote.py" in command_line(pid)]


def _attacks(server: Server) -> dict[str, dict[str, str]]:
    """Attacks with the addresses that an attacker would have to find out first."""
    data, port = server.log.parent, httpx.URL(server.url).port
    pids = [server.process.pid, *server.children()]
    everything = f"""
        import socket, urllib.request
        def everything():
            reached = []
            def tried(action):
                try:
                    reached.append(action())
                except Exception:
                    reached.append('refused')
            for pid in {pids}:
                tried(lambda: os.kill(pid, 9))
                for name in ('environ', 'mem', 'maps', 'cmdline', 'fd'):
                    tried(lambda: os.open(f'/proc/{{pid}}/{{name}}', 0))
            for path in {[str(data), *_files(data)]}:
                tried(lambda: os.open(path, os.O_RDONLY))
                tried(lambda: os.open(path, os.O_WRONLY | os.O_TRUNC))
            tried(lambda: socket.create_connection(('127.0.0.1', {port})))
            tried(lambda: urllib.request.urlopen('http://127.0.0.1:{port}/healthz'))
            tried(os.fork)
            return len(reached), set(reached)
        # Not as it is: the report shows this source.
        token = bytes.fromhex({server.token.encode().hex()!r}).decode()
        print({WITNESS!r}, '\x1b[2J', *everything(), token in repr(dict(os.environ)))
        """
    return {
        "everything": {"class_body": everything},
        "memory": {"call": "junk = np.ones(10 * 2**30 // 8)"},
        "crash": {"call": "ctypes.string_at(0)"},
        "flood": {"call": "while True: os.write(1, b'<b>' * 20000)"},
        "garbage": {"class_body": "os.write(3, b'\\xff' * 10**6)"},
        "disk": {"class_body": "for n in range(10 ** 9): open(f'{n}', 'w').close()"},
        "message": {"call": f"raise ValueError({WITNESS!r} + '\\x1b[2J' + '/a' * 10**6)"},
    }


def _files(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file()]


def test_hostile_uploads_harm_neither_the_service_nor_anybody_elses_submission(server, written) -> None:
    with server.client() as client:
        before = _submit(client, written().content, student="an honest student")
        assert before["report"]["points"] == 100
        warm = _warm_processes(server)
        assert warm
        attacks = _attacks(server)

        def upload(name: str) -> dict[str, Any]:
            return _submit(client, written(**attacks[name]).content, student=name, name=f"{WITNESS}.py")

        with ThreadPoolExecutor(4) as pool:
            uploads = pool.map(upload, attacks)
            meanwhile = pool.submit(_submit, client, written().content, student="an honest student").result()
            hostile = dict(zip(attacks, uploads, strict=True))

        assert {name: done["report"]["status"] for name, done in hostile.items()} == {
            "everything": "passed",
            "memory": "memory_limit",
            "crash": "runtime_error",
            "flood": "output_limit",
            "garbage": "invalid_output",
            "disk": "output_limit",
            "message": "runtime_error",
        }
        *_, count, reached, token_found = hostile["everything"]["report"]["output"]["stdout"].split()
        assert int(count) > 20
        assert (reached, token_found) == ("{'refused'}", "False")

        # Nobody's process has gone, and honest work during the attacks and after them gets what it deserves.
        assert server.process.poll() is None
        assert set(warm) <= set(_warm_processes(server))
        after = _submit(client, written().content, student="an honest student")
        assert [meanwhile["report"]["points"], after["report"]["points"]] == [100, 100]
        again = client.get(f"{SUBMISSIONS}/{before['id']}", params={"lang": "en"}).json()
        assert again["report"] == before["report"]

        server.sign_in(client)
        for done in hostile.values():
            page = client.get(f"/submissions/{done['id']}", headers={"Accept": "text/html"})
            assert page.status_code == 200, page.text
            assert WITNESS not in page.text
            assert "\x1b" not in page.text
            assert server.token not in page.text
        log = server.log.read_text()
        assert WITNESS not in log
        assert "\x1b" not in log
    assert all(os.path.exists(path) for path in _files(server.log.parent))
