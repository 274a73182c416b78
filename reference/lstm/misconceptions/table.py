"""A table of the answers of every mistake and every pair of mistakes on one case, to look an answer up.

Replaying all pairs, more than a hundred thousand, takes seconds, so it is done once per case. The table keeps the
numbers of every answer in a few fixed places. A lookup compares one place after the other, each time among the entries
that still fit. A match is a suspicion; replaying it on all cases confirms it.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from reference.cases import Case
from reference.lstm.misconceptions.bank import bank, pairs
from reference.lstm.misconceptions.computation import AFTER, BEFORE, STEP, Array, Inputs, apply_after, forward
from reference.lstm.misconceptions.mistake import Mistake, merge_changes

# This many of these places are in the first step, and as many in the last: some answers have nothing else.
PLACES, AT_AN_END = 24, 6
# At least this many places must be comparable for a result.
FEWEST_PLACES = 4
# In this many places an entry that rounds may have rounded the other way, or carry on such a difference.
MOST_ROUNDED = 6
CHUNK = 2048
NOBODY = -1

#: Key of one computation: indices of the mistakes before the steps, and of those in a step.
Run = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Table:
    """Answers in a few places each.

    Args:
        entries: ``(n, 2)`` indices into the bank; `NOBODY` in place of a second mistake.
        keys: ``(PLACES, n)``; NaN where a place cannot be compared.
        quanta: ``(n,)``: the extra tolerance of an entry that rounds, besides the common one.
    """

    entries: NDArray[np.int16]
    keys: NDArray[np.float32]
    quanta: NDArray[np.float32]

    def lookup(self, answer: Array, known: NDArray[np.bool_], tolerance: float) -> list[tuple[int, ...]]:
        """Return entries that fit an answer in the places of the table, singles and nearest ones first.

        Args:
            answer: ``(batch, timesteps, units)``. A NaN that is known fits only where the entry has no number.
            known: in the same shape; False where there is no answer to compare with.
            tolerance: for values up to 1; it grows with larger ones.
        """
        places = places_of(answer.shape)
        asked = known.ravel()[places]
        values = answer.ravel()[places].astype(np.float64)
        values[np.isinf(values)] = np.nan
        scale = np.maximum(1.0, np.nan_to_num(np.abs(values)))
        rows = np.arange(len(self.entries))
        compared, rounded = np.zeros((2, len(rows)), np.int64)
        worst = np.zeros(len(rows))
        with np.errstate(invalid="ignore"):
            for place in np.flatnonzero(asked):
                keys = self.keys[place, rows]
                difference = np.abs(keys - values[place])
                nothing, near = np.isnan(keys), difference <= tolerance * scale[place]
                rounded += ~nothing & ~near
                other_side = (difference <= 1.5 * self.quanta[rows] * scale[place]) & (rounded <= MOST_ROUNDED)
                fits = nothing | near | other_side
                compared, rounded = (compared + ~nothing)[fits], rounded[fits]
                worst = np.maximum(worst, np.where(nothing, 0.0, difference))[fits]
                rows = rows[fits]
        enough = compared >= FEWEST_PLACES
        rows, worst = rows[enough], worst[enough]
        order = np.lexsort((worst, self.entries[rows, 1] != NOBODY))
        return [tuple(int(i) for i in entry if i != NOBODY) for entry in self.entries[rows[order]]]

    def nearest_single(
        self, answer: Array, known: NDArray[np.bool_], besides: Collection[str]
    ) -> tuple[str, float] | None:
        """Return the nearest single mistake with a code that is not among `besides`, and its largest difference."""
        places = places_of(answer.shape)
        singles = bank()
        rows = np.flatnonzero(self.entries[:, 1] == NOBODY)
        values = np.where(known, answer, np.nan).ravel()[places, None]
        with np.errstate(invalid="ignore"):
            differences = np.abs(self.keys[:, rows] - values)
        asked = differences[known.ravel()[places]]
        distances = np.where(np.isnan(asked).any(axis=0), np.inf, asked.max(axis=0, initial=0.0))
        for row in np.argsort(distances, kind="stable"):
            code = singles[int(self.entries[rows[row], 0])].code
            if code not in besides:
                return (code, float(distances[row])) if np.isfinite(distances[row]) else None
        return None


def places_of(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return flat indices of `PLACES` elements of an answer, spread over steps, rows and units."""
    batch, timesteps, units = shape
    index = np.arange(PLACES)
    between = np.linspace(0, timesteps - 1, PLACES - 2 * AT_AN_END).round().astype(np.int64)
    # The last step first: most entries differ there, and those that differ leave the search.
    steps = np.concatenate([np.full(AT_AN_END, timesteps - 1), between[::-1], np.zeros(AT_AN_END, np.int64)])
    return np.ravel_multi_index((index % batch, steps, (index * 3 + 1) % units), shape)


def build_table(case: Case, *, with_pairs: bool = True) -> Table:
    """Replay the whole bank, singles and pairs, on one case."""
    singles = bank()
    rows: list[tuple[int, int]] = [(index, NOBODY) for index in range(len(singles))]
    rows += pairs() if with_pairs else []
    keys = np.empty((PLACES, len(rows)), np.float32)
    with np.errstate(all="ignore"):
        for at, key in _replayed(case, singles, rows):
            keys[:, at] = key.T
    quanta = np.array([max(singles[i].quantum for i in row if i != NOBODY) for row in rows], np.float32)
    return Table(np.array(rows, np.int16), keys, quanta)


def _replayed(
    case: Case, singles: Sequence[Mistake], rows: Sequence[tuple[int, int]]
) -> Iterator[tuple[list[int], Array]]:
    """Compute row numbers and their keys. Like rows run together: one kind of step with many inputs."""
    touches = [[bool(mistake.changes.keys() & set(stage)) for stage in (BEFORE, STEP, AFTER)] for mistake in singles]

    def at_stage(row: tuple[int, int], stage: int) -> tuple[int, ...]:
        return tuple(i for i in row if i != NOBODY and touches[i][stage])

    def changes(indices: Iterable[int]) -> dict[str, object]:
        return merge_changes([singles[i] for i in indices])

    question = Inputs.of(case)
    prepared: dict[tuple[int, ...], Inputs] = {}
    # Rows that differ only after the steps share a run; runs whose arrays have equal shapes are computed together.
    runs: dict[Run, list[int]] = defaultdict(list)
    alike: dict[Hashable, list[Run]] = defaultdict(list)
    for number, row in enumerate(rows):
        run = before, step = at_stage(row, 0), at_stage(row, 1)
        if before not in prepared:
            prepared[before] = question.with_changes(changes(before))
        if run not in runs:
            alike[prepared[before].x.shape, changes(step).get("calls")].append(run)
        runs[run].append(number)
    places = places_of(case.expected.shape)
    for chunk in (batch[at : at + CHUNK] for batch in alike.values() for at in range(0, len(batch), CHUNK)):
        outputs = forward([prepared[before] for before, _ in chunk], [changes(step) for _, step in chunk])
        after: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
        for position, run in enumerate(chunk):
            for number in runs[run]:
                after[at_stage(rows[number], 2)].append((position, number))
        for indices, members in after.items():
            answers = apply_after(changes(indices), outputs[[position for position, _ in members]], case.x)
            yield [number for _, number in members], answers.reshape(len(members), -1)[:, places]


def table_name(case: Case) -> str:
    """Name the table of a case: another case, or another bank, gives another name."""
    digest = hashlib.sha256(_recipe())
    for array in (case.x, case.weights.kernel, case.weights.recurrent_kernel, case.weights.bias):
        digest.update(json.dumps(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return f"mistakes-{digest.hexdigest()[:32]}"


@cache
def _recipe() -> bytes:
    """Return everything that determines the numbers of a table."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).digest()


def write_table(table: Table, path: Path) -> None:
    """Write a table. Raises: OSError: the file cannot be written."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.touch(mode=0o600)
    unfinished.write_bytes(safetensors.numpy.save(vars(table)))
    unfinished.replace(path)


def read_table(path: Path) -> Table | None:
    """Read the table in a file; None when there is no such file, or it holds something else."""
    try:
        table = Table(**safetensors.numpy.load_file(path))
    except (FileNotFoundError, safetensors.SafetensorError, TypeError):
        return None
    count = len(table.quanta)
    fits = table.entries.shape == (count, 2) and table.keys.shape == (PLACES, count)
    return table if fits and int(table.entries.max(initial=0)) < len(bank()) else None
