"""The report on a submission, made from the evidence."""

from collections.abc import Sequence
from datetime import UTC, datetime

from grader.assignment import Assignment
from grader.checks.registry import not_run
from grader.diagnosis.diagnosis import diagnose
from grader.diagnosis.evidence import Evidence, Judgement
from grader.diagnosis.exceptions import is_out_of_memory, once, syntax_variant
from grader.diagnosis.outcomes import LIMITS_AT_IMPORT, ending_problem, missing_class
from grader.execution.reading import Reading
from grader.execution.stages import Stages
from grader.report import model
from grader.report.artefacts import Sink, pack
from grader.report.finding import CheckStatus, Finding
from grader.report.reproduction import reproduction
from grader.report.server_paths import clean_message, without_server_paths
from grader.reporting.advisories import advisories_of, advisories_on
from grader.reporting.consequences import with_causes
from grader.reporting.extraction import extraction, extraction_of_unreadable
from grader.reporting.marks import causes_of, marks_of, marks_on, source_of
from grader.reporting.places import Places
from grader.reporting.proof import proof_of
from grader.submission import Submission
from grader.version import grader_version
from reference import Case


def _status(judgement: Judgement) -> model.Status:
    execution = judgement.evidence.execution
    if ending := ending_problem(execution):
        return ending[0]
    entry_class = execution.class_found
    if entry_class is None or not entry_class.found:
        return LIMITS_AT_IMPORT.get(
            missing_class(execution, judgement.evidence.reading).code, model.Status.INVALID_SUBMISSION
        )
    if not entry_class.is_class:
        return model.Status.INVALID_SUBMISSION
    if any(is_out_of_memory(raised) for raised in execution.raised):
        return model.Status.MEMORY_LIMIT
    if judgement.evidence.exercise not in execution.answers:
        return model.Status.RUNTIME_ERROR
    passed = all(verdict.status == CheckStatus.PASSED for verdict in judgement.verdicts.values())
    return model.Status.PASSED if passed else model.Status.FAILED


def report_on(
    submission: Submission, judgement: Judgement, stages: Stages, artefacts: Sink | None, questions: str
) -> model.Report:
    """Return the report on a submission that was run.

    Args:
        questions: the name of their seed.
    """
    evidence = judgement.evidence
    reading, execution, assignment = evidence.reading, evidence.execution, evidence.assignment
    outcome = execution.outcome
    diagnoses = diagnose(judgement)
    checks = with_causes(judgement, diagnoses)
    places = Places(reading, submission.filename)
    return _sealed(
        submission,
        assignment,
        status=_status(judgement),
        points=judgement.points,
        checks=places.findings(checks),
        format=reading.format,
        cases=_case_results(judgement, artefacts),
        diagnoses=places.findings(diagnoses),
        advisories=places.advisories(advisories_on(judgement, diagnoses)),
        extraction=extraction(evidence, diagnoses, places),
        source=source_of(reading, marks_on(reading, causes_of(diagnoses, checks)), places, artefacts),
        environment=model.Environment(**outcome.facts, wall=outcome.wall),
        timing=stages.timing(outcome.cpu_seconds, execution.phases),
        output=model.Output(
            stdout=without_server_paths(outcome.stdout.decode("utf-8", "replace")),
            stderr=without_server_paths(outcome.stderr.decode("utf-8", "replace")),
            truncated=outcome.truncated,
        ),
        error=_error(evidence, places),
        questions=questions,
        reproduction=reproduction(assignment, execution.generation, execution.parts.roles if execution.parts else {}),
        fingerprint=reading.fingerprint,
    )


def _case_results(judgement: Judgement, artefacts: Sink | None) -> list[model.CaseResult]:
    evidence = judgement.evidence
    tolerance = evidence.assignment.tolerance
    verdict = judgement.verdicts.get("equivalence")
    # Without the weights of Keras, no comparison means anything.
    comparable = verdict is None or verdict.code != "parts_not_found"
    results = []
    # More cases are asked than reported.
    for entry, case in zip(evidence.assignment.cases, evidence.execution.cases, strict=False):
        comparison = evidence.comparison(entry.id)
        result = (comparison if comparable else comparison.without_numbers()).result(
            id=entry.id, visibility=entry.visibility, category=entry.category, atol=tolerance.atol, rtol=tolerance.rtol
        )
        arrays = _stored_arrays(evidence, case, artefacts) if artefacts and comparable else None
        results.append(result.model_copy(update={"arrays": arrays}))
    return results


def _stored_arrays(evidence: Evidence, case: Case, artefacts: Sink) -> str | None:
    """Store the arrays of a public case and return their name; arrays of another shape make no picture."""
    answer = evidence.execution.answers.get(case.spec.id)
    array = answer.array if answer is not None and case.spec.visibility == "public" else None
    if array is None or array.shape != case.expected.shape:
        return None
    proof = proof_of(array, case, evidence.understanding.explanation, evidence.assignment.tolerance)
    name, content = pack(array, case.expected, *proof)
    artefacts(name, content)
    return name


def _error(evidence: Evidence, places: Places) -> model.ErrorInfo | None:
    """Return the exception that kept the exercise's own case from an answer, else the first one of another case."""
    # A gradient is our own question. If it fails, a check says so.
    raised = [event for event in evidence.execution.raised if event.lines or event.phase != "gradients"]
    first = next((event for event in raised if event.case == evidence.exercise), raised[0] if raised else None)
    if first is None:
        return None
    frames = [places.frame(line) for line in once(first.lines)]
    return model.ErrorInfo(type=first.type, message=clean_message(first.message)[:4000], traceback=frames)


def unreadable(
    submission: Submission, assignment: Assignment, reading: Reading, stages: Stages, artefacts: Sink | None = None
) -> model.Report:
    """Return the report on a submission without any runnable code: `reading.error` gives the reason."""
    error = reading.error
    assert error is not None
    params = {**error.params, **({"line": error.line} if error.line is not None else {})}
    if error.code == "syntax_error":
        params = syntax_variant(str(error.params.get("message"))) | params
    places, finding = Places(reading, submission.filename), Finding.of(error.code, params)
    return _sealed(
        submission,
        assignment,
        status=model.Status.INVALID_SUBMISSION,
        points=0.0,
        checks=not_run(assignment.points, "not_run"),
        format=reading.format,
        diagnoses=places.findings([model.Diagnosis.exact(finding)]),
        advisories=places.advisories(advisories_of(reading)),
        extraction=extraction_of_unreadable(reading),
        source=source_of(reading, marks_of([finding]), places, artefacts),
        timing=stages.timing(),
        fingerprint=reading.fingerprint,
    )


def internal_error(
    submission: Submission, assignment_id: str, assignment: Assignment | None, exc: Exception
) -> model.Report:
    """Return the report on our own failure: it has no points, so nobody can mistake it for the student's zero.

    It names the class of `exc` and nothing else: a message may contain paths and settings of the server. The log has
    the full message.

    Args:
        assignment: None when the failure is that the assignment no longer exists.
    """
    variant = {"variant": "beforehand"} if assignment and assignment.is_beforehand else {}
    return _sealed(
        submission,
        assignment,
        assignment_id=assignment_id,
        status=model.Status.INTERNAL_ERROR,
        points=None,
        checks=not_run(assignment.points, "internal_error", **variant) if assignment else [],
        format=None,
        error=model.ErrorInfo(type=type(exc).__name__, message=""),
    )


def _sealed(
    submission: Submission,
    assignment: Assignment | None,
    *,
    assignment_id: str | None = None,
    status: model.Status,
    points: float | None,
    format: str | None,
    questions: str | None = None,
    advisories: Sequence[model.Advisory] = (),
    **parts: object,
) -> model.Report:
    max_points = assignment.max_points if assignment else 0.0
    digest = assignment.digest if assignment else ""
    if assignment and assignment.is_beforehand:
        points, advisories = None, [model.Advisory(code="check_only"), *advisories]
    return model.Report.model_validate(
        {
            "status": status,
            "points": points,
            "max_points": max_points,
            "score": None if points is None else round(points / max_points, 6),
            "assignment": model.AssignmentRef(id=assignment.id if assignment else assignment_id or "", digest=digest),
            "submission": model.SubmissionRef.model_validate(
                {"filename": submission.filename, "sha256": submission.sha256, "format": format}
            ),
            "advisories": advisories,
            "receipt": model.Receipt(
                submission_sha256=submission.sha256,
                assignment_digest=digest,
                grader_version=grader_version(),
                created_at=datetime.now(UTC),
                questions=questions,
            ),
            **parts,
        }
    ).sealed()
