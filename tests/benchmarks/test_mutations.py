"""Diagnoses of wrong formulas that nobody has listed: drawn from the definition, with any seed.

`make mutations SEED=7` prints each of them. One is *named* if the diagnosis says what it is; the name is *false* if an
LSTM with it gives other numbers on cases on which it was not looked for. Each is told twice: from its numbers alone,
and with a class that computes it.
"""

import ast
import itertools
import os
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from grader import Submission, load_assignments
from grader.execution.reading import read
from grader.numerics.explanation import explain
from grader.numerics.written_formulas import WrittenMistake, written_mistake
from grader.sandbox import ForkSandbox
from reference import Case, draw, search_case
from reference.cell import Formula, Layers
from reference.drawing import random_for
from reference.lstm.definition import CELL
from reference.lstm.misconceptions import bank, build_table, replay
from tests.integration.grader.mutants.styles import DENSE

SEED = int(os.environ.get("SEED", "1"))
#: Mutations of two formulas at once, beside all of one.
PAIRS = 300
FUNCTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"relu": lambda z: np.maximum(z, 0.0)}
#: Numbers that differ by more are others; float32 and a chaotic mistake make less of it.
SAME = 1e-4
#: Where a class has the formulas that are of no gate.
SLOTS = {"c_new": "update", "h_new": "show"}


@dataclass(frozen=True)
class Mutation:
    """Formulas instead of those of the definition, by the name of what they give."""

    formulas: Mapping[str, ast.expr]

    def __str__(self) -> str:
        return ", ".join(f"{name} = {ast.unparse(node)}" for name, node in self.formulas.items())

    def source(self) -> str:
        """Write a class that computes it, as the exercise has one."""
        changes = {}
        for name, formula in CELL.formulas.items():
            text = re.sub(r"\b([xh])_([ifgo])\b", r"{\1\2}", ast.unparse(self.formulas.get(name, formula.node)))
            text = re.sub(r"\b(sigmoid|tanh|relu)\(", r"tf.nn.\1(", text)
            changes[SLOTS.get(name, f"gate_{name}")] = f"{name} = {text}"
        return DENSE.write(changes) or ""

    def answer(self, case: Case) -> np.ndarray:
        changed = {name: Formula(node, FUNCTIONS) for name, node in self.formulas.items()}
        weights = (array.astype(np.float64) for array in vars(case.weights).values())
        cell = replace(CELL, formulas={**CELL.formulas, **changed})
        with np.errstate(all="ignore"):
            return cell.forward(case.x.astype(np.float64), Layers(*weights))["h_new"].astype(np.float32)


def changes(name: str, formula: ast.expr) -> Iterator[ast.expr]:
    """Yield the formula with one place of it changed, in each way that somebody could write it."""
    names = "ifgoch" if name.endswith("_new") else ""
    others = [*names, *(["c_new"] if name == "h_new" else [])]
    for at, node in enumerate(ast.walk(formula)):
        match node:
            case ast.Name(id=known) if known[:2] in ("x_", "h_") and known != "h_new":
                yield from (_with(formula, at, f"{known[:2]}{gate}") for gate in CELL.gates if gate != known[2:])
                yield from (_with(formula, at, f"{known} {sign} {state}") for sign in "+-" for state in "hc")
                yield from (_with(formula, at, f"{function}({known})") for function in ("tanh", "sigmoid", "relu"))
            case ast.Name(id=known) if known in others:
                yield from (_with(formula, at, other) for other in others if other != known)
                yield from (_with(formula, at, f"{function}({known})") for function in ("tanh", "sigmoid", "relu"))
                yield _with(formula, at, f"(1 - {known})")
            case ast.BinOp(left=left, right=right):
                first, second = f"({ast.unparse(left)})", f"({ast.unparse(right)})"
                yield from (_with(formula, at, f"{first} {sign} {second}") for sign in "+-*")
                yield from (_with(formula, at, side) for side in (first, second))
            case ast.Call(args=[argument]):
                inner = ast.unparse(argument)
                yield _with(formula, at, f"({inner})")
                yield from (_with(formula, at, f"{function}({inner})") for function in ("tanh", "sigmoid", "relu"))
                yield _with(formula, at, f"tanh({ast.unparse(node)})")
    if name.endswith("_new"):
        yield from (ast.parse(text, mode="eval").body for text in _regrouped(formula))


def _with(formula: ast.expr, place: int, text: str) -> ast.expr:
    """Return the formula with the node at this place of a walk replaced."""
    new = ast.parse(text, mode="eval").body
    if place == 0:
        return new
    copy = deepcopy(formula)
    old = next(itertools.islice(ast.walk(copy), place, None))
    for node in ast.walk(copy):
        for field, value in ast.iter_fields(node):
            if value is old:
                setattr(node, field, new)
            elif isinstance(value, list) and old in value:
                value[value.index(old)] = new
    return copy


def _regrouped(formula: ast.expr) -> Iterator[str]:
    """Yield the formula with its signs, and with its names, in other places."""
    text = ast.unparse(formula)
    names = [node.id for node in ast.walk(formula) if isinstance(node, ast.Name) and node.id not in ("tanh", "sigmoid")]
    for one, other in itertools.combinations(dict.fromkeys(names), 2):
        yield text.replace(one, "@").replace(other, one).replace("@", other) if "_" not in one + other else text
    if isinstance(formula, ast.BinOp) and isinstance(formula.left, ast.BinOp) and isinstance(formula.right, ast.BinOp):
        a, b, c, d = map(ast.unparse, (formula.left.left, formula.left.right, formula.right.left, formula.right.right))
        yield from (f"{a}*({b} + {c}*{d})", f"({a}*{b} + {c})*{d}", f"({a} + {b})*({c} + {d})", f"{a}*{b}*{c} + {d}")


def mutations(seed: int) -> Iterator[Mutation]:
    """Yield every mutation of one formula, the same one in several gates, and as many of two as are drawn."""
    single = {name: list(changes(name, formula.node)) for name, formula in CELL.formulas.items()}
    for name, changed in single.items():
        yield from (Mutation({name: node}) for node in changed)
    for count, gates in ((n, some) for n in (2, 3) for some in itertools.combinations("ifo", n)):
        for at in range(len(single["i"])):
            yield Mutation({gate: single[gate][at] for gate in gates[:count]})
    drawn = random.Random(seed)
    for _ in range(PAIRS):
        yield Mutation({name: drawn.choice(single[name]) for name in drawn.sample(list(single), 2)})


def _numbers(answer: np.ndarray) -> bytes:
    return np.round(np.nan_to_num(answer, nan=9e9), 5).astype(np.float32).tobytes()


def unlisted(case: Case, seed: int) -> list[Mutation]:
    """Return the mutations that give other numbers than the right formulas, the bank, and each other."""
    seen = {_numbers(case.expected)}
    with np.errstate(all="ignore"):
        seen |= {_numbers(replay([mistake], case).astype(np.float32)) for mistake in bank()}
    found = []
    for mutation in mutations(seed):
        answer = mutation.answer(case)
        # A mistake that outgrows all bounds differs in every number, and by chance.
        if np.nanmax(np.abs(answer), initial=0) <= 10 and (numbers := _numbers(answer)) not in seen:
            seen.add(numbers)
            found.append(mutation)
    return found


def judged(
    mutation: Mutation, cases: Sequence[Case], others: Sequence[Case], table: object, written: WrittenMistake | None
) -> str:
    """Say what the diagnosis makes of a mutation: the names that it gives, and whether they are false."""
    answers = {case.spec.id: mutation.answer(case) for case in cases}
    with np.errstate(all="ignore"):
        found = explain(answers, cases, lambda case: table, written=written)
        if found is None or not found.mistakes:
            return "nothing"
        names = " and ".join(mistake.name for mistake in found.mistakes)
        for case in others:
            predicted, answer = replay(found.mistakes, case), mutation.answer(case)
            both = np.isfinite(predicted) & np.isfinite(answer)
            if (np.abs(predicted - answer)[both] > SAME * np.maximum(1, np.abs(answer[both]))).any():
                return f"FALSE {names}"
    return names


def test_mutations_that_the_bank_lacks_are_told_nothing_false(
    sandbox: ForkSandbox, benchmark: BenchmarkFixture, measured: Callable[..., None]
) -> None:
    assignment = load_assignments()["lstm-layer"]
    # As if they were published: those have a table of known mistakes.
    cases, others = (
        [
            replace(draw(each.spec(), random_for(bytes(32), purpose, each.id)), is_drawn=False)
            for each in assignment.cases
        ]
        for purpose in ("looked for", "predicted")
    )
    mutants = unlisted(search_case(cases), SEED)
    table = build_table(search_case(cases))
    files = [Submission("submission.py", mutation.source().encode()) for mutation in mutants]
    written = [written_mistake(read(each, assignment, sandbox).formulas) for each in files]
    said: dict[str, list[str]] = {}

    def judge() -> None:
        for by, codes in {"numbers": [None] * len(mutants), "code": written}.items():
            said[by] = [
                judged(mutation, cases, others, table, code) for mutation, code in zip(mutants, codes, strict=True)
            ]

    benchmark.pedantic(judge, rounds=1)
    for mutation, *words in zip(mutants, *said.values(), strict=True):
        if "SHOW" in os.environ or any(each.startswith("FALSE") for each in words):
            print(f"{mutation}  ->  {words[0]}; with its code {words[1]}")
    named = {
        by: sum(each != "nothing" and not each.startswith("FALSE") for each in words) for by, words in said.items()
    }
    false = sum(any(each.startswith("FALSE") for each in words) for words in zip(*said.values(), strict=True))
    print(
        f"{len(mutants)} mutations that the bank lacks: {named['numbers']} named by their numbers alone, "
        f"{named['code']} with their code, {false} told something false"
    )
    measured(
        mutations_named_percent=100 * named["numbers"] / len(mutants),
        mutations_named_with_code_percent=100 * named["code"] / len(mutants),
        mutations_false_percent=100 * false / len(mutants),
    )
