"""`contract`: a class LSTM, derived from tf.keras.Model, that can be constructed and returns a float32 tensor of shape
``(batch, timesteps, units)``.
"""

from __future__ import annotations

from grader.diagnosis.evidence import Evidence, Verdict
from grader.diagnosis.outcomes import structural_problem
from grader.diagnosis.returned import default_as_width, output_problem


def contract(evidence: Evidence) -> Verdict:
    problem = structural_problem(evidence.execution, evidence.reading)
    if problem is not None:
        return Verdict.failed(*problem)
    found = evidence.execution.class_found
    answer = evidence.execution.answers.get(evidence.exercise)
    if found is None or answer is None:
        return Verdict.skipped("not_run")
    case = evidence.assignment.cases[0]
    expected = case.batch, case.timesteps, case.units
    problem = output_problem(answer.output, expected, evidence.understanding.form, case.features)
    if problem is not None:
        code, params = problem
        return Verdict.failed(code, {**params, **default_as_width(evidence.execution, answer.output, case.units)})
    return Verdict.passed(shape=answer.output.shape, dtype=answer.output.dtype)
