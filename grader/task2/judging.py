"""Runs the notebook and judges both halves of Task 2."""

from dataclasses import dataclass

from grader.execution.limits import limit_status
from grader.report.finding import Verdict
from grader.sandbox.events import BuiltIn, Reach
from grader.task2.comparing import judge_comparison
from grader.task2.copying import best_pair, judge_copying
from grader.task2.runs import NotebookRun, NotebookRunner

# A smaller change of an answer, as a share of its largest number, shows no work of the weights.
LEAST_REACTION = 1e-3


@dataclass(frozen=True)
class Notebook:
    """Both halves of Task 2.

    `raised`: something is wrong, and a statement that uses the models failed or ran out of time. The Keras generation
    may be the reason.
    `is_own`: the class computes its answer, from its weights. `built_in`: recurrent code of Keras that it asked for
    instead. `reaches`: things that the notebook reached for though the exercise does not need them.
    """

    copying: Verdict
    comparison: Verdict
    raised: bool = False
    is_own: bool = True
    built_in: tuple[BuiltIn, ...] = ()
    reaches: tuple[Reach, ...] = ()


def run_notebook(runner: NotebookRunner, *, is_own: bool) -> Notebook:
    """Run the notebook, and judge its own copying and comparison.

    Args:
        is_own: the class has shown elsewhere that it computes something of the layer itself.

    Raises:
        SandboxError: the box failed.
    """
    clean = runner.run()
    raised = any((use := clean.use(statement)) is not None and use.sides for statement in clean.failed)
    killed = clean.outcome.killed_for is not None
    copying = judge_copying(clean)
    comparison = judge_comparison(clean, best_pair(clean), runner.run)
    if limit := limit_status(clean.outcome):
        # A part that the notebook did not reach is not wrong.
        copying, comparison = (half if half.earned else Verdict.failed(limit[1]) for half in (copying, comparison))
    right = bool(copying.earned and comparison.earned)
    built_in: tuple[BuiltIn, ...] = ()
    if not is_own:
        built_in = tuple(dict.fromkeys(noted for call in clean.calls for noted in call.built_in))
        is_own = not built_in and bool(copying.earned or comparison.earned) and _reacts(clean, runner)
    return Notebook(copying, comparison, (raised or killed) and not right, is_own, built_in, clean.reaches)


def _reacts(clean: NotebookRun, runner: NotebookRunner) -> bool:
    """Return whether the last answer of the student's model depends on its weights."""
    last = max(call.call for call in clean.calls if call.side == "student")
    again = runner.run({last: {"by": "weights", "amount": 1.0}})
    return any(call.reacts is not None and call.reacts > LEAST_REACTION for call in again.calls)
