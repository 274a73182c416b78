"""What every mistake and every pair of mistakes answers on one case, so that an answer can be looked up.

Replaying tens of thousands of pairs takes seconds, so it is done once per case: of every answer the table keeps the
numbers in a few fixed places, and looking up is a comparison with one column and then with the others. What is found is
a suspicion; replaying it on all cases confirms it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from reference.cases import Case
from reference.misconceptions.bank import bank, pairs
from reference.misconceptions.computation import AFTER, BEFORE, STEP, Array, Inputs, finished, forward
from reference.misconceptions.mistake import Mistake, merged

PLACES = 16
# At least so many places must be comparable, or nothing is said.
FEWEST_PLACES = 4
CHUNK = 512
NOBODY = -1


@dataclass(frozen=True, eq=False)
class Table:
    """Answers in a few places each.

    Args:
        entries: ``(n, 2)`` indices into the bank; `NOBODY` in the place of a second mistake.
        keys: ``(n, PLACES)``; NaN where a place cannot be compared.
        quanta: ``(n,)``: what an entry that rounds may be off, besides the tolerance for everybody.
        sharp: so many rows, sorted by the last column, do not round and have a number there. The others come after.
    """

    entries: NDArray[np.int16]
    keys: NDArray[np.float32]
    quanta: NDArray[np.float32]
    sharp: int

    def lookup(self, answer: Array, tolerance: float) -> list[tuple[int, ...]]:
        """Entries that fit an answer ``(batch, timesteps, units)`` in the places that the table knows, nearest first.

        Args:
            tolerance: for values up to 1; it grows with larger ones. A NaN in `answer` fits only a NaN in the key.
        """
        places = answer.ravel()[places_of(answer.shape)].astype(np.float64)
        places[np.isinf(places)] = np.nan
        allowed = tolerance * np.maximum(1.0, np.abs(places))
        found = []
        for rows in self._worth_comparing(places[-1], allowed[-1]):
            with np.errstate(invalid="ignore"):
                differences = np.abs(self.keys[rows] - places)
            compared = ~np.isnan(self.keys[rows])
            fits = ~compared | (
                differences <= allowed + 1.5 * self.quanta[rows, None] * np.maximum(1.0, np.abs(places))
            )
            for index in np.flatnonzero(fits.all(axis=1) & (compared.sum(axis=1) >= FEWEST_PLACES)):
                worst = float(differences[index][compared[index]].max())
                entry = tuple(int(i) for i in self.entries[rows][index] if i != NOBODY)
                found.append((len(entry), worst, entry))
        return [entry for _, _, entry in sorted(found)]

    def nearest_single(self, answer: Array, besides: set[str]) -> tuple[str, float] | None:
        """The nearest single mistake with a code that is not among `besides`, and its largest difference."""
        singles = bank()
        rows = np.flatnonzero(self.entries[:, 1] == NOBODY)
        with np.errstate(invalid="ignore"):
            differences = np.abs(self.keys[rows] - answer.ravel()[places_of(answer.shape)])
        for row in np.argsort(np.where(np.isnan(differences).any(axis=1), np.inf, differences.max(axis=1))):
            distance, code = float(differences[row].max()), singles[int(self.entries[rows[row], 0])].code
            if code not in besides:
                return (code, distance) if np.isfinite(distance) else None
        return None

    def _worth_comparing(self, value: float, allowed: float) -> Iterator[slice]:
        """Rows whose last column may fit: those near `value`, and those behind, which have NaN or round."""
        column = self.keys[: self.sharp, -1]
        low, high = (int(np.searchsorted(column, np.float32(bound))) for bound in (value - allowed, value + allowed))
        yield slice(low, min(high + 1, self.sharp))
        yield slice(self.sharp, len(self.keys))


def places_of(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Flat indices of `PLACES` elements of an answer, spread over steps, rows and units; the last in the last step."""
    batch, timesteps, units = shape
    index = np.arange(PLACES)
    steps = np.linspace(0, timesteps - 1, PLACES).round().astype(np.int64)
    return np.ravel_multi_index((index % batch, steps, (index * 3 + 1) % units), shape)


def build_table(case: Case) -> Table:
    """Replay the whole bank, singles and pairs, on one case."""
    singles = bank()
    rows: list[tuple[int, int]] = [(index, NOBODY) for index in range(len(singles))]
    rows += pairs()
    entries = np.array(rows, np.int16)
    keys = np.empty((len(rows), PLACES), np.float32)
    with np.errstate(all="ignore"):
        for at, key in _replayed(case, singles, rows):
            keys[at] = key
    quanta = np.array([max(singles[i].quantum for i in row if i != NOBODY) for row in rows], np.float32)
    # Rows that lookups by value cannot find come last: lexsort's last key is its first.
    behind = np.isnan(keys[:, -1]) | (quanta > 0)
    order = np.lexsort((keys[:, -1], behind))
    return Table(entries[order], keys[order], quanta[order], sharp=int((~behind).sum()))


def _replayed(
    case: Case, singles: Sequence[Mistake], rows: Sequence[tuple[int, int]]
) -> Iterator[tuple[list[int], Array]]:
    """Row numbers and their keys. What is alike is computed together: one kind of step with many inputs."""
    touches = [[bool(mistake.changes.keys() & set(stage)) for stage in (BEFORE, STEP, AFTER)] for mistake in singles]

    def at_stage(row: tuple[int, int], stage: int) -> tuple[int, ...]:
        return tuple(i for i in row if i != NOBODY and touches[i][stage])

    groups: dict[tuple[int, ...], dict[tuple[int, ...], list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, row in enumerate(rows):
        groups[at_stage(row, 1)][at_stage(row, 0)].append(number)

    def changes(indices: Iterable[int]) -> dict[str, object]:
        return merged([singles[i] for i in indices])

    question = Inputs.of(case)
    prepared: dict[tuple[int, ...], Inputs] = {}
    places = places_of(case.expected.shape)
    for step, by_input in groups.items():
        for indices in by_input:
            if indices not in prepared:
                prepared[indices] = question.changed(changes(indices))
        for chunk in _chunks(list(by_input), prepared):
            outputs = forward(changes(step), [prepared[indices] for indices in chunk])
            by_output: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
            for position, indices in enumerate(chunk):
                for number in by_input[indices]:
                    by_output[at_stage(rows[number], 2)].append((position, number))
            for indices, members in by_output.items():
                answers = finished(changes(indices), outputs[[position for position, _ in members]], case.x)
                yield [number for _, number in members], answers.reshape(len(members), -1)[:, places]


def _chunks(keys: Sequence[tuple[int, ...]], inputs: dict[tuple[int, ...], Inputs]) -> Iterator[list[tuple[int, ...]]]:
    """`keys` in lists of inputs with equal shapes."""
    by_shape = defaultdict(list)
    for key in keys:
        by_shape[inputs[key].x.shape].append(key)
    for alike in by_shape.values():
        for start in range(0, len(alike), CHUNK):
            yield alike[start : start + CHUNK]


def table_name(case: Case) -> str:
    """Names the table of a case: another case, or another bank, has another name."""
    digest = hashlib.sha256(_recipe())
    for array in (case.x, case.weights.kernel, case.weights.recurrent_kernel, case.weights.bias):
        digest.update(json.dumps(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return f"mistakes-{digest.hexdigest()[:32]}"


@cache
def _recipe() -> bytes:
    """Everything that the numbers of a table come from."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()


def write_table(table: Table, path: Path) -> None:
    """Raises: OSError: the file cannot be written."""
    arrays: dict[str, Array] = {"entries": table.entries, "keys": table.keys, "quanta": table.quanta}
    unfinished = path.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(safetensors.numpy.save(arrays, {"sharp": str(table.sharp)}))
    unfinished.replace(path)


def read_table(path: Path) -> Table | None:
    """The table in a file; None when there is none, or something else."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in ("entries", "keys", "quanta")}
            table = Table(**arrays, sharp=int(file.metadata()["sharp"]))
    except (FileNotFoundError, safetensors.SafetensorError, KeyError, TypeError, ValueError):
        return None
    count = len(table.entries)
    fits = table.keys.shape == (count, PLACES) and table.quanta.shape == (count,) and 0 <= table.sharp <= count
    return table if fits and int(table.entries.max(initial=0)) < len(bank()) else None
