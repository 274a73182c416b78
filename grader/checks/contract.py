"""`contract`: a class LSTM, derived from tf.keras.Model, that can be constructed and returns a float32 tensor of shape
``(batch, timesteps, units)``.
"""

from grader.diagnosis.evidence import Evidence
from grader.diagnosis.outcomes import structural_problem
from grader.diagnosis.returned import answer_problem
from grader.report.finding import Verdict


def contract(evidence: Evidence) -> Verdict:
    problem = structural_problem(evidence.execution, evidence.reading)
    if problem is not None:
        return Verdict.failed(problem)
    found = evidence.execution.class_found
    answer = evidence.execution.answers.get(evidence.exercise)
    if found is None or answer is None:
        return Verdict.skipped("not_run")
    exercise, form = evidence.assignment.cases[0], evidence.understanding.form
    problem = answer_problem(evidence.execution, evidence.reading, exercise, form)
    if problem is not None:
        return Verdict.failed(problem)
    return Verdict.passed(shape=answer.output.shape, dtype=answer.output.dtype)
