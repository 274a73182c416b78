"""A Jupyter server with a real kernel, driven as the browser of a student drives it.

It runs in the environment of `make peers`:

    .venv-peers/bin/python tests/peers/jupyter.py FOLDER

FOLDER holds the notebooks. The first line of the output is the address that takes orders, as JSON by POST:

* ``/open {"notebook": NAME}`` starts a kernel for a notebook, as opening it does; it becomes the current one.
* ``/run {"code": CODE, "typed": [TEXT, ...]}`` runs a cell in the kernel, and types into the fields that it shows. The
  answer has ``asked``, what the fields said, and ``shown``, the messages with its output.
"""

import contextlib
import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import websocket

FOLDER, TOKEN = Path(sys.argv[1]).resolve(), secrets.token_hex()
SECONDS = 400.0
PR_SET_PDEATHSIG = 1  # prctl(2)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Jupyter:
    """The server, and the kernel of the notebook that is open."""

    def __init__(self) -> None:
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": "0",
            "ServerApp.root_dir": FOLDER,
            "ServerApp.allow_root": "True",
            "ServerApp.open_browser": "False",
            "IdentityProvider.token": TOKEN,
        }
        command = [sys.executable, "-m", "jupyter_server", *(f"--{name}={value}" for name, value in options.items())]
        # Nothing of the machine's own Jupyter is read or written.
        own = {f"{name}_DIR": str(FOLDER / ".own") for name in ("JUPYTER_RUNTIME", "JUPYTER_CONFIG", "JUPYTER_DATA")}
        environment = {**os.environ, **own, "IPYTHONDIR": str(FOLDER / ".own")}
        with (FOLDER / ".log").open("wb") as log:
            process = subprocess.Popen(command, stderr=log, cwd=FOLDER, env=environment, preexec_fn=_end_with_parent)
        self.site = ""
        while not self.site:
            assert process.poll() is None, (FOLDER / ".log").read_text()
            time.sleep(0.1)  # Sleeps: the server tells nobody that it listens.
            for file in (FOLDER / ".own").glob("jpserver-*.json"):
                with contextlib.suppress(ValueError):  # It is being written.
                    self.site = json.loads(file.read_text())["url"].rstrip("/")

    def open(self, notebook: str) -> dict[str, Any]:
        body = {"path": notebook, "name": Path(notebook).name, "type": "notebook", "kernel": {"name": "python3"}}
        headers = {"Authorization": f"token {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.site}/api/sessions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            kernel = json.load(answer)["kernel"]["id"]
        address = f"{self.site.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
        self.channels = websocket.create_connection(
            address, header=[f"Authorization: token {TOKEN}"], timeout=SECONDS, suppress_origin=True
        )
        return {}

    def run(self, code: str, typed: list[str]) -> dict[str, Any]:
        asking = {"code": code, "silent": False, "store_history": True, "allow_stdin": True}
        id = self._send("shell", "execute_request", asking, {})
        shown: list[dict[str, Any]] = []
        asked: list[str] = []
        ended: set[str] = set()
        while ended != {"execute_reply", "idle"}:
            message = json.loads(self.channels.recv())
            if message["parent_header"].get("msg_id") != id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "input_request":
                asked.append(content["prompt"])
                self._send("stdin", "input_reply", {"value": typed.pop(0)}, message["header"])
            elif kind == "execute_reply":
                ended.add(kind)
            elif kind == "status" and content["execution_state"] == "idle":
                ended.add("idle")
            elif kind in ("display_data", "update_display_data", "stream", "error", "execute_result"):
                shown.append({"kind": kind, **content})
        return {"asked": asked, "shown": shown}

    def _send(self, channel: str, kind: str, content: dict[str, Any], parent: dict[str, Any]) -> str:
        id = uuid.uuid4().hex
        header = {"msg_id": id, "msg_type": kind, "username": "", "session": TOKEN[:32], "version": "5.3", "date": ""}
        message = {"channel": channel, "header": header, "parent_header": parent, "metadata": {}, "content": content}
        self.channels.send(json.dumps({**message, "buffers": []}))
        return id


class Orders(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"/open": jupyter.open, "/run": jupyter.run}[self.path](**order)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *parts: object) -> None: ...


jupyter = Jupyter()
with HTTPServer(("127.0.0.1", 0), Orders) as server:
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
