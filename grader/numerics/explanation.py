"""The known mistakes that explain wrong numbers.

A definite mistake gives definite numbers. One case is looked up in a table of all answers that the bank of
`reference.lstm.misconceptions` gives there, with one mistake and with two. A match is replayed on every case and
believed only if it explains all of them.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from grader.numerics.case_answers import CaseAnswer, is_constant, residual, ways_to_read
from grader.numerics.fitting import fit_mistakes
from grader.numerics.forms import PLAIN, Content, Form
from grader.numerics.formula_fitting import formula_suspects
from grader.numerics.function_fitting import function_suspects
from grader.numerics.gate_fitting import suspects
from grader.numerics.step_fitting import step_suspects
from grader.numerics.visible_parts import parts_used
from grader.numerics.written_formulas import CODE, WrittenMistake
from reference import Case, has_table, search_case
from reference.lstm.misconceptions import PARTS, Mistake, Table, bank, build_table, replay
from reference.lstm.weights import DENSE_LETTERS

FEW_STEPS = (7, 6, 5, 4, 3)
LOOKUP_TOLERANCE = 1e-4
MOST_CONFIRMED = 60
FEWEST_CASES = 2
# A wrong answer is looked up in this many forms at most; each costs some milliseconds.
MOST_READINGS = 6

#: The letters of the exercise's layers -> gates.
GATE_OF = {letter: gate for gate, letter in DENSE_LETTERS.items()}


@dataclass(frozen=True)
class Explanation:
    """One mistake or two, replayed and found equal on all cases.

    Args:
        residual: the largest difference that is left.
        right_parts: those of `PARTS` that the mistakes leave right and that the numbers show; among mistakes with equal
            numbers, the mildest decides.
        also: codes of other mistakes with the same numbers.
        runner_up: the nearest single mistake that does not fit, and its distance.
        form: the form in which the answers are read.
        cases: ids of the cases that it was found equal on.
        only_written: no mistake of the bank gives the numbers, but what is written in the code does. A grade does not
            depend on that, so it has no right parts.
        after_start: the steps begin from a state that is not known, and are explained where it has no effect any more.
    """

    mistakes: tuple[Mistake, ...]
    residual: float
    right_parts: frozenset[str]
    also: tuple[str, ...] = ()
    runner_up: tuple[str, float] | None = None
    form: Form = PLAIN
    cases: frozenset[str] = frozenset()
    only_written: bool = False
    after_start: bool = False


def explain(
    answers: Mapping[str, Content],
    cases: Sequence[Case],
    table_of: Callable[[Case], Table],
    idle: frozenset[str] = frozenset(),
    form: Form | None = None,
    written: WrittenMistake | None = None,
) -> Explanation | None:
    """Find an explanation of wrong answers.

    Args:
        answers: case id -> the answer of the student's model.
        table_of: gives the table of a case.
        idle: arrays that an answer does not depend on; see `Mistake.idle`.
        form: how to read them, if known.
        written: what stands in the code.
    Returns:
        None when no known mistake, and no two of them, explain every answer. An explanation without mistakes when only
        the form is wrong, in a way that a mistake of its own gives.
    """
    candidates = [(each, case_answers) for each, case_answers in ways_to_read(answers, cases) if form in (None, each)]
    # A form that fits fewer answers than another one fits by chance. To look it up would take seconds.
    most = max((len(case_answers) for _, case_answers in candidates), default=0)
    looked_up = [each for each in candidates if each[0].loop is None and len(each[1]) == most][:MOST_READINGS]
    # Loops that skip steps are not looked up, and leave the shortest cases without an answer.
    candidates = [*looked_up, *[each for each in candidates if each[0].loop is not None][:MOST_READINGS]]
    if any(residual((), case_answers) is not None for _, case_answers in candidates):
        return None
    found = [
        replace(explanation, form=each, mistakes=tuple(m for m in explanation.mistakes if m.name != each.implied))
        for each, case_answers in candidates
        if (explanation := _explain_form(each, case_answers, table_of, idle, written)) is not None
    ]
    # Where a form has several possible causes, believe the one that needs the fewest other mistakes.
    best = min(found, key=lambda each: (len(each.mistakes), bool(each.form.wrong)), default=None)
    return best if written is None else _with_written(written, best, candidates)


def _with_written(
    written: WrittenMistake, found: Explanation | None, candidates: Iterable[tuple[Form, Sequence[CaseAnswer]]]
) -> Explanation | None:
    """Prefer what is written to mistakes that leave it right, and to those that are fitted to the numbers.

    The explanation by numbers alone decides everything but the name.
    """
    # A few values of a function say more than its formula.
    is_known = found is not None and all(each in bank() or "values" in each.params for each in found.mistakes)
    if found is not None and is_known and not written.unexplained_by(found.mistakes):
        return found
    for form, case_answers in candidates:
        if form.loop is not None or (found is not None and form != found.form) or not _varies(case_answers):
            continue
        # A formula in the code need not show where its values outgrow all bounds.
        case_answers = [each for each in case_answers if each.shows((written.mistake,))]
        left = residual((written.mistake,), case_answers)
        if len(case_answers) < FEWEST_CASES or left is None:
            continue
        if not any(_hears_its_weights((written.mistake,), each.case) for each in case_answers):
            continue
        if found is None:
            ids = _ids(case_answers)
            return Explanation((written.mistake,), left, frozenset(), form=form, cases=ids, only_written=True)
        also = {mistake.code for mistake in found.mistakes} | set(found.also)
        # Other parts may be right in equal numbers; how many does not depend on the code.
        told = _parts_left_right([(written.mistake,)], case_answers)
        parts = told if len(told) == len(found.right_parts) else found.right_parts
        others = tuple(sorted(also - {CODE}))
        return replace(found, mistakes=(written.mistake,), residual=left, right_parts=parts, also=others)
    return found


def _varies(case_answers: Sequence[CaseAnswer]) -> bool:
    return not all(is_constant(each.answer[each.known]) for each in case_answers)


def idle_arrays(reach: Mapping[str, float | None]) -> frozenset[str]:
    """Find the arrays, by gate, that no gradient can reach, in the form of `Mistake.idle`.

    Args:
        reach: ``path (array GATES)``, with the letters of the exercise's layers -> the largest gradient; None where the
            output does not depend on the array at all.
    """
    idle = set()
    for name, largest in reach.items():
        array, _, gates = name.rpartition("(")[2].rstrip(")").partition(" ")
        if largest is None:
            idle |= {f"{array} {GATE_OF[letter]}" for letter in gates}
    return frozenset(idle)


def _explain_answers(
    case_answers: Sequence[CaseAnswer],
    table_of: Callable[[Case], Table],
    idle: frozenset[str],
    written: WrittenMistake | None,
) -> Explanation | None:
    case_answers = sorted(case_answers, key=lambda each: each.case.expected.size)
    if residual((), case_answers) is not None:
        return None
    searched = search_case([each.case for each in case_answers])
    if not has_table(searched):
        return confirm(_singles(case_answers[0]), case_answers, idle, written)
    table, question = table_of(searched), next(each for each in case_answers if each.case is searched)
    entries = table.lookup(question.answer, question.known, LOOKUP_TOLERANCE)
    known = [tuple(bank()[index] for index in entry) for entry in entries]
    found = confirm(known, case_answers, idle, written)
    # One case alone, or a part of an answer, could be matched by some number or other.
    varied = [each for each in case_answers if not each.is_constant]
    whole = len(varied) >= FEWEST_CASES and all(each.known.all() for each in case_answers)
    if whole and (found is None or len(found.mistakes) > 1):
        # One mistake inside a gate or a formula is more likely than two known ones with the same numbers.
        longest = max(case_answers, key=lambda each: each.case.expected.size)
        read_off = itertools.chain(*(each(longest.case, longest.answer) for each in (suspects, formula_suspects)))
        found = _first_fit(found, read_off, case_answers, idle)
    if whole and found is None:
        found = _first_fit(found, _fitted(case_answers, searched, table), case_answers, idle)
    if found is None:
        return None
    named = {mistake.code for mistake in found.mistakes} | set(found.also)
    return replace(found, runner_up=table.nearest_single(question.answer, question.known, named))


def _first_fit(
    found: Explanation | None,
    read_off: Iterable[tuple[Mistake, ...]],
    case_answers: Sequence[CaseAnswer],
    idle: frozenset[str],
) -> Explanation | None:
    """Return the first that holds: fits hold on all cases or not at all, so it is as good as any other."""
    fits = (confirm([suspect], case_answers, idle) for suspect in read_off)
    fit = next((fit for fit in fits if fit is not None), None)
    return found if fit is None else fit


def _fitted(case_answers: Sequence[CaseAnswer], searched: Case, table: Table) -> Iterator[tuple[Mistake, ...]]:
    """Yield mistakes with a number or a function of the student's own, and those of some steps; likelier first."""
    cases, longest = [each.case for each in case_answers], max(case_answers, key=lambda each: each.case.expected.size)
    yield from fit_mistakes(cases, {each.case.spec.id: each.answer for each in case_answers}, searched, table)
    of_functions = [longest, *(each for each in case_answers if each.case is searched)]
    yield from ((each,) for each in step_suspects(case_answers))
    found = function_suspects([each.case for each in of_functions], [each.answer for each in of_functions])
    yield from ((each,) for each in found)


def _explain_form(
    form: Form,
    case_answers: Sequence[CaseAnswer],
    table_of: Callable[[Case], Table],
    idle: frozenset[str],
    written: WrittenMistake | None,
) -> Explanation | None:
    if form.loop is None:
        return _explain_answers(case_answers, table_of, idle, written) if _varies(case_answers) else None
    skipping = [each for each in (each.without_skipped(form.loop) for each in case_answers) if each is not None]
    if not skipping:
        return None
    left = residual((), skipping)
    if left is not None:
        return Explanation((), left, frozenset(PARTS) - form.wrong, cases=_ids(skipping))
    # To replay every mistake on a hundred steps takes seconds; on a few, and together, hundredths of one.
    few = next((found for each in skipping for n in FEW_STEPS if (found := each.first_steps(n)) is not None), None)
    if few is None:
        return None
    return confirm(_singles(few), skipping, idle)


def _singles(case_answer: CaseAnswer) -> list[tuple[Mistake, ...]]:
    """List the single mistakes that may explain an answer to a case without a table of its own."""
    entries = _table_of_singles(case_answer.case).lookup(case_answer.answer, case_answer.known, LOOKUP_TOLERANCE)
    return [tuple(bank()[index] for index in entry) for entry in entries]


@lru_cache(maxsize=4)
def _table_of_singles(case: Case) -> Table:
    return build_table(case, with_pairs=False)


def confirm(
    candidates: Iterable[tuple[Mistake, ...]],
    case_answers: Sequence[CaseAnswer],
    idle: frozenset[str],
    written: WrittenMistake | None = None,
) -> Explanation | None:
    """Return the best suspect that holds on all cases. A single mistake is believed before any pair.

    Args:
        written: of mistakes with the same numbers, those that touch what is written otherwise are believed first.
    """
    matching: list[tuple[float, tuple[Mistake, ...]]] = []
    for mistakes in candidates:
        if matching and (len(mistakes) > len(matching[0][1]) or len(matching) >= MOST_CONFIRMED):
            break
        left = residual(mistakes, case_answers)
        if left is not None:
            matching.append((left, mistakes))
    if not matching:
        return None
    order = {mistake.name: index for index, mistake in enumerate(bank())}

    def rank(match: tuple[float, tuple[Mistake, ...]]) -> tuple[int, int, int, int, list[int]]:
        # One mistake made twice is likelier than two mistakes, and two in one place each than two all over the cell.
        codes = {mistake.code for mistake in match[1]}
        spoilt = len(frozenset().union(*(mistake.wrong for mistake in match[1]))) if len(match[1]) > 1 else 0
        claimed = frozenset().union(*(mistake.idle for mistake in match[1]))
        places = [order.get(mistake.name, -1) for mistake in match[1]]
        return len(codes), len(claimed - idle), -len(claimed & idle), spoilt, places

    matching.sort(key=rank)
    parts = _parts_left_right([mistakes for _, mistakes in matching], case_answers)
    # Sorting keeps the order of what the code does not tell apart.
    matching.sort(key=lambda match: written.unexplained_by(match[1]) if written else 0)
    left, mistakes = matching[0]
    if not any(_hears_its_weights(mistakes, each.case) for each in case_answers):
        return None
    codes = {mistake.code for _, equal in matching for mistake in equal}
    also = sorted(codes - {mistake.code for mistake in mistakes})
    return Explanation(mistakes, left, parts, tuple(also), cases=_ids(case_answers))


def _parts_left_right(matching: Sequence[tuple[Mistake, ...]], case_answers: Sequence[CaseAnswer]) -> frozenset[str]:
    """Return the right parts of the mildest of mistakes with equal numbers, the most likely of them first."""
    # Drawn numbers, above all few of them, may leave too little of a part to be seen.
    case = search_case([each.case for each in case_answers])
    used = [_unspoiled_parts(mistakes) & parts_used(mistakes, case) for mistakes in matching]
    return max(used, key=len) & parts_used(matching[0], case)


def _ids(case_answers: Sequence[CaseAnswer]) -> frozenset[str]:
    return frozenset(each.case.spec.id for each in case_answers)


def _hears_its_weights(mistakes: Sequence[Mistake], case: Case) -> bool:
    """Return whether the weights matter. A cell without g that adds its input to h is better called an echo."""
    other = replace(case, weights=case.weights.scaled(0.5))
    return not np.array_equal(replay(mistakes, case), replay(mistakes, other), equal_nan=True)


def _unspoiled_parts(mistakes: Sequence[Mistake]) -> frozenset[str]:
    return frozenset(PARTS).difference(*(mistake.wrong for mistake in mistakes))
