"""What a submission reached for that the exercise has no use for, and what is to be said about it.

The box says what was tried and where (`grader/runner/attempts.py`). Alone it costs nobody anything: reading a data set
or installing a package is honest. Where the class fails *because of it*, it is the diagnosis; where the answer is wrong
and nothing else explains it, likewise; beside a right answer it is for the teacher to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from grader.execution.run import Execution
from grader.report.model import Params
from grader.report.server_paths import without_server_paths
from grader.sandbox.protocol import Attempt, Raised

Problem = tuple[str, Params]

#: While these run, nothing is at work but the class itself.
OF_THE_CLASS = frozenset({"build", "inject", "trial", "call", "repeat", "gradients"})
#: Nothing honest needs these, whenever they are tried.
NEVER_NEEDED = frozenset({"frame_walk", "gc_reference"})
#: What touches the grader itself; it is told as that and as nothing else.
OF_THE_GRADER = frozenset({"result_pipe", "grader_module"})
#: Keras' own recurrent code, written into the submission. Who may copy what is for the teacher to say.
COPIED = "copied_source"
# Logging looks at a caller's name and line, and helpers that print a variable's name at the caller's variables. Looking
# into frames further up, or at what only the grader has, is something else.
INTO_FRAMES = re.compile(r"\bf_(?:locals|globals)\b")
FURTHER_UP = re.compile(
    r"\bf_back\s*\.\s*f_back\b|\b(\w+)\s*=\s*\1\.f_back\b|\b_getframe\(\s*[2-9]|['\"](?:f_back|self)['\"]"
)
ALL_FRAMES = re.compile(r"\b(?:_current_frames|f_builtins)\b")
# Names by which somebody knows the grader's objects in memory.
OUR_OBJECTS = re.compile(
    r"['\"](?:Driver|Channel|StudentModule|Phases)['\"]"
    r"|\b(?:_channel|_phases|no_recurrence|recurrent_stubs|student_module|lockdown)\b"
)
# How somebody asks for a module by its name.
ASKED_FOR = (
    r"^[ \t]*import\b[^\n#]{{0,200}}\b{0}\b|\bfrom\s+{0}\s+import\b"
    r"|\bmodules\s*(?:\[|\.\w+\()\s*['\"]{0}['\"]|\b(?:import_module|__import__)\(\s*['\"]{0}['\"]"
)
# Keras makes this folder before it downloads anything.
DOWNLOADS = "/.keras"


def behind(raised: Raised, execution: Execution) -> Problem | None:
    """What was tried on the very line that raised; a library asks for settings before it does what it was told to."""
    tried = [
        attempt
        for attempt, phase in execution.attempts
        if phase == raised.phase and attempt.line in raised.lines[-1:] and attempt.code not in OF_THE_GRADER
    ]
    return _problem(min(tried, key=lambda attempt: attempt.code == "env_read")) if tried else None


def at_import(line: int, execution: Execution) -> Problem | None:
    """What was tried by the statement that begins on `line` and failed."""
    failed = [statement.line for statement in execution.statements_failed]
    for attempt, phase in execution.attempts:
        begun = [start for start in failed if start <= attempt.line]
        if phase == "import" and begun and max(begun) == line and attempt.code not in OF_THE_GRADER:
            return _problem(attempt)
    return None


def reached_for(execution: Execution) -> Iterator[Problem]:
    """What the class tried, in order, and the functions of libraries that were replaced."""
    if execution.patched:
        yield "monkeypatch", {"functions": list(execution.patched)}
    for attempt, phase in execution.attempts:
        if attempt.code not in (COPIED, *OF_THE_GRADER) and (phase in OF_THE_CLASS or attempt.code in NEVER_NEEDED):
            yield _problem(attempt)


def attacks(execution: Execution, source: str) -> Iterator[tuple[Params, int | None]]:
    """Find signs of an attack on the grader itself: parameters and line. Numbers decide, and a teacher.

    Args:
        source: of the submission. What was done may be honest; what it was done for stands there.
    """
    if execution.forged:
        yield {"variant": "forged"}, None
    walked = next((attempt for attempt, _ in execution.attempts if attempt.code == "frame_walk"), None)
    if walked is not None and _looks_into_others(source):
        yield {"variant": "frames", "what": without_server_paths(walked.what), "line": walked.line}, walked.line
    for variant, code in (("pipe", "result_pipe"), ("modules", "grader_module"), ("memory", "gc_reference")):
        found = [attempt for attempt, _ in execution.attempts if attempt.code == code]
        meant = next((attempt for attempt in found if _means_us(attempt, source)), None)
        if meant is not None:
            yield {"variant": variant, "what": without_server_paths(meant.what), "line": meant.line}, meant.line


def _looks_into_others(source: str) -> bool:
    if ALL_FRAMES.search(source):
        return True
    further = FURTHER_UP.search(source) or OUR_OBJECTS.search(source)
    return INTO_FRAMES.search(source) is not None and further is not None


def _means_us(attempt: Attempt, source: str) -> bool:
    """Whether the source itself says so: a look at all modules, or at all objects, meets ours too."""
    if attempt.code == "grader_module":
        return re.search(ASKED_FOR.format(re.escape(attempt.what)), source, re.MULTILINE) is not None
    return attempt.code == "result_pipe" or OUR_OBJECTS.search(source) is not None


def worth_a_look(execution: Execution) -> Iterator[tuple[str, Params, int | None]]:
    """What a teacher is told where it is no diagnosis: code, parameters and line. Asking for a setting is honest."""
    if execution.patched:
        yield "monkeypatch", {"functions": list(execution.patched)}, None
    for attempt, phase in execution.attempts:
        if attempt.code in OF_THE_GRADER:
            continue
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
