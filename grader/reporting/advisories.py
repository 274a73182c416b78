"""The remarks of a report: facts for the student or the teacher that cost no points."""

import re
from collections.abc import Sequence

from grader.diagnosis.evidence import Evidence, Judgement
from grader.diagnosis.missing_names import cause_of
from grader.diagnosis.reaching import attacks, worth_a_look
from grader.execution.reading import Reading
from grader.report.finding import Params, Remark
from grader.report.model import Diagnosis
from grader.report.server_paths import in_brief
from grader.sandbox.events import Parts
from reference.lstm.weights import DENSE_LETTERS

# Honest files come nowhere near. Without a limit, the report of a hostile file would be a hundred times its size.
MOST_ADVISORIES = 50
# Code that makes the name of the exercise's cell.
MAKES_CELL = re.compile(
    r"^[ \t]*class[ \t]+LSTMCell\b|^LSTMCell[ \t]*=|\bimport[ \t][^\n]{0,200}\bLSTMCell\b", re.MULTILINE
)
# TensorFlow's phrase for a tensor left over from a call; the rest of the message means nothing to a student.
OUT_OF_SCOPE = "is out of scope and cannot be used here"
# The package that is always Keras 2, whatever TensorFlow's own Keras is.
KERAS2_BY_NAME = "tf_keras"
# The exercise's names of layers -> those of the same gate's other layer.
CROSSED = {f"fc{one}{gate}": f"fc{other}{gate}" for one, other in ("XH", "HX") for gate in DENSE_LETTERS.values()}
# Share of a run's CPU limit: a run beyond it may hit the limit on another machine.
SLOW_SHARE = 0.5


def advisories_of(reading: Reading) -> list[Remark]:
    """Return the remarks on a submission of which nothing ran."""
    return reading.advisories[:MOST_ADVISORIES]


def advisories_on(judgement: Judgement, diagnoses: Sequence[Diagnosis]) -> list[Remark]:
    """Return the remarks on a submission that was run."""
    evidence = judgement.evidence
    reading, execution = evidence.reading, evidence.execution
    diagnosed = {diagnosis.code for diagnosis in diagnoses}
    remarks = [
        *attacks(execution, reading.source, evidence.notebook.reaches if evidence.notebook is not None else ()),
        *reading.advisories,
        *(Remark(code="global_x_shape", line=use.line) for use in reading.global_x if use.shape_only),
        *(remark for remark in worth_a_look(execution, reading.source) if remark.code not in diagnosed),
    ][:MOST_ADVISORIES]
    limit, spent = evidence.assignment.limits.cpu_seconds, execution.outcome.cpu_seconds
    if execution.complete and spent > SLOW_SHARE * limit:
        remarks.append(Remark(code="slow", params={"seconds": round(spent, 1), "limit_seconds": limit}))
    if judgement.instead_of is not None:
        params = {"generation": execution.generation, **_stopped_by(judgement.instead_of)}
        remarks.append(Remark(code="keras_generation_used", params=params))
    if execution.parts is not None and execution.answers and (unknown := _by_kind(execution.parts)):
        remarks.append(Remark(code="untracked_weights", params=unknown))
    if execution.parts is not None and (crossed := _crossed(execution.parts)):
        remarks.append(Remark(code="layers_crossed", params={"layers": crossed}))
    if execution.answers and (lost := _replaced_cell(evidence)) is not None:
        remarks.append(lost)
    if execution.fresh_only:
        remarks.append(Remark(code="not_fresh_instance"))
    return remarks


def _crossed(parts: Parts) -> list[str]:
    """Return the layers for x that are all named as those for h are in the exercise, and the other way round."""
    roles = {role: path.rpartition(".")[2] for role, path in parts.roles.items()}
    if len(roles) == len(CROSSED) and all(roles.get(role) == name for role, name in CROSSED.items()):
        return [name for role, name in CROSSED.items() if role.startswith("fcX")]
    return []


def _replaced_cell(evidence: Evidence) -> Remark | None:
    """Explain why the exercise's own cell replaced the student's, None where it did not."""
    source = evidence.reading.source
    if not re.search(r"\bLSTMCell\(", source):
        return None
    definitions = len(MAKES_CELL.findall(source))
    makes = {"LSTMCell"} if definitions else {"LSTMCell", "*"}
    failed = [each for each in evidence.execution.statements_failed if not makes.isdisjoint(each.binds)]
    if failed and definitions <= len(failed):
        last = failed[-1]
        params = {"variant": "failed", "type": last.type, "message": in_brief(last.message)}
        return Remark(code="supplied_cell", params=params, line=last.line)
    unread = any(skipped.code in ("syntax_error", "too_complex") for skipped in evidence.reading.skipped)
    return Remark(code="supplied_cell", params={"variant": "unread"}) if unread and not definitions else None


def _stopped_by(evidence: Evidence) -> Params:
    """Name the problem under the other generation of Keras."""
    for lost in evidence.execution.lost_imports()[:1]:
        if KERAS2_BY_NAME in lost.message:
            return {"variant": "by_name"}
        return {"type": lost.type, "message": in_brief(lost.message)}
    for raised in evidence.execution.raised[:1]:
        if OUT_OF_SCOPE in raised.message:
            return {"variant": "scope"}
        cause = cause_of(raised, evidence.execution)
        return {"type": cause.type, "message": in_brief(cause.message)}
    if evidence.execution.outcome.killed_for in ("cpu", "wall", "budget"):
        return {"variant": "slow"}
    return {"variant": "notebook"}


def _by_kind(parts: Parts) -> Params:
    """Group the variables that Keras does not know of by how they are held."""
    by_kind = {f"{kind}s": parts.untracked_of(kind) for kind in ("holder", "variable")}
    params = {kind: names for kind, names in by_kind.items() if names}
    return {"variant": "all", **params} if params and parts.knows_none else params
