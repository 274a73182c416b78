"""`contract`: a class LSTM, derived from tf.keras.Model, that can be constructed and returns a float32 tensor of shape
``(batch, timesteps, units)``.
"""

from __future__ import annotations

from grader.diagnosis.evidence import Evidence
from grader.diagnosis.outcomes import structural_problem
from grader.diagnosis.returned import default_as_width, output_problem
from grader.report.finding import Finding, Verdict


def contract(evidence: Evidence) -> Verdict:
    problem = structural_problem(evidence.execution, evidence.reading)
    if problem is not None:
        return Verdict.failed(problem)
    found = evidence.execution.class_found
    answer = evidence.execution.answers.get(evidence.exercise)
    if found is None or answer is None:
        return Verdict.skipped("not_run")
    case = evidence.assignment.cases[0]
    expected = case.batch, case.timesteps, case.units
    problem = output_problem(answer.output, expected, evidence.understanding.form, case.features)
    if problem is not None:
        width = default_as_width(evidence.execution, answer.output, case.units)
        return Verdict.failed(Finding.of(problem.code, {**problem.params, **width}))
    return Verdict.passed(shape=answer.output.shape, dtype=answer.output.dtype)
