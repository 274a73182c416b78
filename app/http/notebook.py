"""The file that a notebook fetches to hand itself in, and the cell that fetches it.

The cell holds no secret. It pins the file by its hash, so it runs the file that the page linked to, and no later one.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from string import Template

from app.client import notebook
from app.texts import client_texts, text

CLIENT_PATH = "/notebook.py"

# The grader leaves this cell out, because its `exec` has a namespace of its own (`may_bind_dynamically`). A marker
# would let code hide. The names are unlikely ones: a name that the class uses would bring the cell back in.
CELL = Template("""\
# $purpose
# $read_first
import hashlib
import urllib.request

try:
    notebook_py = urllib.request.urlopen($file, timeout=30).read()
except Exception as no_answer:
    print($unreachable, no_answer)
else:
    if hashlib.sha256(notebook_py).hexdigest() == $sha256:
        exec(compile(notebook_py, "notebook.py", "exec"), lstm_grader := {})
        lstm_grader["hand_in"]($url, $assignment, check_only=False, language=$language)
    else:
        print($outdated)""")


@cache
def client_source() -> bytes:
    """Return the file with its sentences, as it is sent and as the hash counts it."""
    sentences = json.dumps(client_texts(), ensure_ascii=False, indent=4)
    return f"{Path(notebook.__file__).read_text('utf-8')}\n\nTEXTS.update({sentences})\n".encode()


@cache
def client_sha256() -> str:
    return hashlib.sha256(client_source()).hexdigest()


def notebook_cell(url: str, assignment_id: str, language: str = "en") -> str:
    """Return the cell that hands in the notebook it stands in.

    Args:
        url: of the service, without a slash at its end.
        language: of the cell, and of the file's messages until the service names the student's language.
    """
    unreachable = "cell.nearby" if notebook.is_nearby(url) else "cell.unreachable"
    strings = {
        "file": url + CLIENT_PATH,
        "url": url,
        "assignment": assignment_id,
        "language": language,
        "sha256": client_sha256(),
        "unreachable": text(unreachable, language, url=url),
        "outdated": text("cell.outdated", language),
    }
    return CELL.substitute(
        {name: json.dumps(value, ensure_ascii=False) for name, value in strings.items()},
        purpose=text("cell.purpose", language),
        read_first=text("cell.read_first", language, file=url + CLIENT_PATH),
    )
