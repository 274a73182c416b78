"""Things that a submission reaches for though the exercise does not need it, and how to report that.

The box reports each reach and its line (`grader/runner/driver/reaches/noticing.py`). By itself a reach costs
nothing: reading a data set or installing a package is honest. If the class fails *because of it*, it is the diagnosis.
So it is if the answer is wrong and nothing else explains that. Beside a right answer, it is for the teacher to see.
"""

import re
from collections.abc import Iterator, Sequence

from grader.execution.execution import Execution
from grader.report.finding import Finding, Params, Remark
from grader.report.model import HELD
from grader.report.server_paths import without_server_paths
from grader.sandbox.events import BuiltIn, Raised, Reach

#: During these phases only the class itself runs.
OF_THE_CLASS = frozenset({"build", "inject", "trial", "call", "repeat", "gradients"})
#: No honest code needs these, in any phase.
NEVER_NEEDED = frozenset({"frame_walk", "gc_reference"})
#: Reaches for the grader itself; they are reported as such and as nothing else.
OF_THE_GRADER = frozenset({"result_pipe", "grader_module"})
#: These raise nothing themselves: what the line raised has another reason.
NO_REASON = OF_THE_GRADER | {"frame_walk"}
#: Keras' own recurrent code, written into the submission. The teacher decides who may copy it.
COPIED = "copied_source"
# Logging reads a caller's name and line, and helpers that print a variable's name read the caller's variables. Looking
# into frames further up, or at objects that only the grader has, is different.
INTO_FRAMES = re.compile(r"\b(?:f_locals|f_globals|f_builtins|_current_frames)\b")
FURTHER_UP = re.compile(
    r"\bf_back\s*\.\s*f_back\b|\b(\w+)\s*=\s*\1\.f_back\b|\b_getframe\(\s*[2-9]|['\"](?:f_back|self)['\"]"
    r"|\b(?:_current_frames|f_builtins)\b"
)
# Names that show knowledge of the grader's objects in memory.
OUR_OBJECTS = re.compile(
    r"['\"](?:Driver|Channel|StudentModule|Phases|Watch)['\"]"
    r"|\b(?:_channel|_phases|_spoils|no_recurrence|recurrent_stubs|student_module|lockdown)\b"
)
INTO_CLOSURES = re.compile(r"\b(?:__closure__|cell_contents)\b")
# Ways to ask for a module by its name.
ASKED_FOR = (
    r"^[ \t]*import\b[^\n#]{{0,200}}\b{0}\b|\bfrom\s+{0}\s+import\b"
    r"|\bmodules\s*(?:\[|\.\w+\()\s*['\"]{0}['\"]|\b(?:import_module|__import__)\(\s*['\"]{0}['\"]"
)
# Keras makes this folder before any download.
DOWNLOADS = "/.keras"


def behind(raised: Raised, execution: Execution) -> Finding | None:
    """Find the reach on the very line that raised; a library reads settings before it does its real work."""
    tried = [
        reach
        for reach, phase in execution.reaches
        if phase == raised.phase and reach.line in raised.lines[-1:] and reach.code not in NO_REASON
    ]
    return _problem(min(tried, key=lambda reach: reach.code == "env_read")) if tried else None


def at_import(line: int, execution: Execution) -> Finding | None:
    """Find the reach by the failed statement that begins on `line`."""
    failed = [statement.line for statement in execution.statements_failed]
    for reach, phase in execution.reaches:
        begun = [start for start in failed if start <= reach.line]
        if phase == "import" and begun and max(begun) == line and reach.code not in NO_REASON:
            return _problem(reach)
    return None


def reached_for(execution: Execution, source: str) -> Iterator[Finding]:
    """Yield what the class tried, in order, and the library functions that were replaced."""
    if execution.patched:
        yield Finding.of("monkeypatch", functions=list(execution.patched))
    for reach, phase in _needless(execution, source):
        if reach.code != COPIED and (phase in OF_THE_CLASS or reach.code in NEVER_NEEDED):
            yield _problem(reach)


def attacks(execution: Execution, source: str, in_notebook: Sequence[Reach] = ()) -> Iterator[Remark]:
    """Find signs of an attack on the grader itself. The numbers and a teacher decide.

    Args:
        source: the submission's code. A reach may be honest; the code shows its purpose.
        in_notebook: the reaches of the notebook's own run.
    """
    reaches = [*(reach for reach, _ in execution.reaches), *in_notebook]
    if execution.forged:
        yield Remark(code=HELD, params={"variant": "forged"})
    walked = next((reach for reach in reaches if reach.code == "frame_walk"), None)
    if walked is not None and _looks_into_others(source):
        yield _attack("frames", walked)
    for variant, code in (("pipe", "result_pipe"), ("modules", "grader_module"), ("memory", "gc_reference")):
        found = [reach for reach in reaches if reach.code == code]
        aimed = next((reach for reach in found if _means_us(reach, source)), None)
        if aimed is not None:
            yield _attack(variant, aimed)
    closure = INTO_CLOSURES.search(source)
    if closure is not None and OUR_OBJECTS.search(source):
        line = source.count("\n", 0, closure.start()) + 1
        yield _attack("memory", Reach(event="reach", code="gc_reference", what=closure[0], line=line))


def _attack(variant: str, reach: Reach) -> Remark:
    params = {"variant": variant, "what": without_server_paths(reach.what), "line": reach.line}
    return Remark(code=HELD, params=params, line=reach.line)


def _looks_into_others(source: str) -> bool:
    further = FURTHER_UP.search(source) or OUR_OBJECTS.search(source)
    return INTO_FRAMES.search(source) is not None and further is not None


def _means_us(reach: Reach, source: str) -> bool:
    """Return whether the source itself names our objects: a look at all modules, or all objects, meets ours too."""
    if reach.code == "grader_module":
        return re.search(ASKED_FOR.format(re.escape(reach.what)), source, re.MULTILINE) is not None
    return reach.code == "result_pipe" or OUR_OBJECTS.search(source) is not None


def worth_a_look(execution: Execution, source: str) -> Iterator[Remark]:
    """Yield reaches for the teacher, no diagnoses. Asking for a setting is honest."""
    if execution.patched:
        yield Remark(code="monkeypatch", params={"functions": list(execution.patched)})
    for reach, phase in _needless(execution, source):
        tells = phase in OF_THE_CLASS and reach.code != "env_read"
        if reach.code == COPIED:
            params = {"evidence": reach.what, "variant": "copied"}
            yield Remark(code="review_suggested", params=params, line=reach.line)
        elif tells or reach.code in NEVER_NEEDED or reach.code == "write_outside":
            found = _problem(reach)
            yield Remark(code=found.code, params=found.params, line=reach.line)


def _needless(execution: Execution, source: str) -> Iterator[tuple[Reach, str | None]]:
    """Yield what was reached for beside the grader, and the phase. A frame's name and line are there to be logged."""
    for reach, phase in execution.reaches:
        if reach.code not in OF_THE_GRADER and (reach.code != "frame_walk" or INTO_FRAMES.search(source)):
            yield reach, phase


def _problem(reach: Reach) -> Finding:
    if DOWNLOADS in reach.what:
        return Finding.of("network", line=reach.line)
    return Finding.of(reach.code, what=without_server_paths(reach.what), line=reach.line)


def conviction(built_in: Sequence[BuiltIn]) -> Finding:
    """Choose the best code for the use of built-in code, with the layer asked for and the line that asked."""
    first = next((noted for noted in built_in if noted.line is not None), built_in[0])
    params: Params = {"functions": names_of(built_in)}
    params |= {key: value for key in ("layer", "line") if (value := getattr(first, key)) is not None}
    if any(noted.is_global for noted in built_in):
        return Finding.of("uses_global_keras_layer", params)
    only_loop = {noted.name for noted in built_in} <= {"backend.rnn"}
    return Finding.of("uses_builtin_rnn" if only_loop else "uses_builtin_lstm", params)


def names_of(built_in: Sequence[BuiltIn]) -> list[str]:
    layers = {noted.layer for noted in built_in if noted.layer is not None}
    return sorted(layers | {noted.name for noted in built_in})
