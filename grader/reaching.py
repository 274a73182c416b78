"""What a submission reached for that the exercise has no use for, and what is to be said about it.

The box says what was tried and where (`grader/runner/attempts.py`). Alone it costs nobody anything: reading a data set
or installing a package is honest. Where the class fails *because of it*, it is the diagnosis; where the answer is wrong
and nothing else explains it, likewise; beside a right answer it is for the teacher to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from grader.execution import Execution
from grader.report import Params
from grader.sandbox.protocol import Attempt, Raised
from grader.server_paths import without_server_paths

Problem = tuple[str, Params]

#: While these run, nothing is at work but the class itself.
OF_THE_CLASS = frozenset({"build", "inject", "trial", "call", "repeat", "gradients"})
#: Nothing honest needs these, whenever they are tried.
NEVER_NEEDED = frozenset({"frame_walk", "gc_reference"})
#: Keras' own recurrent code, written into the submission. Who may copy what is for the teacher to say.
COPIED = "copied_source"
OTHER_FRAMES = re.compile(r"\b(?:f_back|f_locals|f_globals|f_builtins|tb_frame|tb_next|_current_frames)\b")
# Keras makes this folder before it downloads anything.
DOWNLOADS = "/.keras"


def behind(raised: Raised, execution: Execution) -> Problem | None:
    """What was tried on the very line that raised; a library asks for settings before it does what it was told to."""
    tried = [
        attempt for attempt, phase in execution.attempts if phase == raised.phase and attempt.line in raised.lines[-1:]
    ]
    return _problem(min(tried, key=lambda attempt: attempt.code == "env_read")) if tried else None


def at_import(line: int, execution: Execution) -> Problem | None:
    """What was tried by the statement that begins on `line` and failed."""
    failed = [statement.line for statement in execution.statements_failed]
    for attempt, phase in execution.attempts:
        begun = [start for start in failed if start <= attempt.line]
        if phase == "import" and begun and max(begun) == line:
            return _problem(attempt)
    return None


def reached_for(execution: Execution) -> Iterator[Problem]:
    """What the class tried, in order, and the functions of libraries that were replaced."""
    if execution.patched:
        yield "monkeypatch", {"functions": list(execution.patched)}
    for attempt, phase in execution.attempts:
        if attempt.code != COPIED and (phase in OF_THE_CLASS or attempt.code in NEVER_NEEDED):
            yield _problem(attempt)


def attacks(execution: Execution, source: str) -> Iterator[tuple[Params, int | None]]:
    """Find signs of an attack on the grader itself: parameters and line. Numbers decide, and a teacher.

    Args:
        source: of the submission. A look at one's own frame is honest; who goes on to others says so there.
    """
    if execution.forged:
        yield {"variant": "forged"}, None
    walked = next((attempt for attempt, _ in execution.attempts if attempt.code == "frame_walk"), None)
    if walked is not None and OTHER_FRAMES.search(source):
        yield {"variant": "frames", "what": without_server_paths(walked.what), "line": walked.line}, walked.line


def worth_a_look(execution: Execution) -> Iterator[tuple[str, Params, int | None]]:
    """What a teacher is told where it is no diagnosis: code, parameters and line. Asking for a setting is honest."""
    if execution.patched:
        yield "monkeypatch", {"functions": list(execution.patched)}, None
    for attempt, phase in execution.attempts:
        tells = phase in OF_THE_CLASS and attempt.code != "env_read"
        if attempt.code == COPIED:
            yield "review_suggested", {"evidence": attempt.what, "variant": "copied"}, attempt.line
        elif tells or attempt.code in NEVER_NEEDED or attempt.code == "write_outside":
            code, params = _problem(attempt)
            yield code, params, attempt.line


def _problem(attempt: Attempt) -> Problem:
    if DOWNLOADS in attempt.what:
        return "network", {"line": attempt.line}
    return attempt.code, {"what": without_server_paths(attempt.what), "line": attempt.line}
