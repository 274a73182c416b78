"""The steps of a sequence that an answer has: all, some, too many, or those of a loop that skips some."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reference.lstm.misconceptions import RECURRENCE

NOTHING: frozenset[str] = frozenset()
#: Marks a step of an answer that belongs to no step of the sequence.
NO_STEP = -1


@dataclass(frozen=True)
class Steps:
    """The steps that an answer has.

    Args:
        there: number of timesteps, and of steps in the answer -> the step that each of these is, or `NO_STEP`; None: an
            answer with this number of steps has another form.
        code: the code of the form; None for all steps, and where a code of its own names it.
        wrong: the `PARTS` that such an answer has wrong or does not show.
        implied: a mistake of the bank that gives these steps; then it is not a further mistake.
        complete: all steps are there.
        loop: for a loop that skips steps, its first step and its stride: the answer is to these steps alone.
    """

    there: Callable[[int, int], Sequence[int] | None]
    code: str | None = None
    wrong: frozenset[str] = NOTHING
    implied: str | None = None
    complete: bool = False
    loop: tuple[int, int] | None = None

    @property
    def may_be_joined(self) -> bool:
        """Return whether fewer axes are enough to suspect these steps: any number of entries may be too many."""
        return self.complete and self.code in (None, "extra_first_step", "extra_last_step")


ALL = Steps(lambda n, k: range(n) if k == n else None, complete=True)
LAST = Steps(lambda n, k: [n - 1] if k == 1 else None, "last_step")
# Before the first step h and c are 0: neither f shows, nor the states that are passed on.
FIRST = Steps(lambda n, k: [0] if k == 1 else None, "first_step", RECURRENCE | {"f"})


def _looped(start: int, stride: int) -> Steps:
    """Make the steps of a loop over ``range(start, timesteps, stride)``, which skips the other steps of x."""

    def there(n: int, k: int) -> Sequence[int] | None:
        return range(k) if 1 < k == len(range(start, n, stride)) else None

    return Steps(there, wrong=RECURRENCE, loop=(start, stride))


def _among_others(each: int, at: int) -> Steps:
    """Make the steps of an answer with `each` entries for each step; the entry at place `at` is the step's own."""

    def there(n: int, k: int) -> Sequence[int] | None:
        return [place // each if place % each == at else NO_STEP for place in range(k)] if k == each * n else None

    return Steps(there, "among_others", complete=True)


# Loops over steps, `loop`, that the bank of mistakes does not have.
LOOPED = (*(_looped(start, 1) for start in range(2, 11)), *(_looped(start, 2) for start in (1, 2)))
LOOPED = (*LOOPED, *(_looped(start, stride) for stride in (3, 4, 5) for start in (0, 1)))
MOST_ENTRIES = 4

STEPS = (
    ALL,
    LAST,
    FIRST,
    Steps(lambda n, k: range(k) if 1 < k == n - 1 else None, "all_but_last"),
    Steps(lambda n, k: range(1, n) if 1 < k == n - 1 else None, "all_but_first"),
    # The loop starts with the second step, and its answer there comes first.
    Steps(lambda n, k: range(k) if 1 < k == n - 1 else None, wrong=RECURRENCE, implied="next x, the last twice"),
    Steps(lambda n, k: range(0, n, 2) if 1 < k == -(-n // 2) else None, "every_second_step"),
    Steps(
        lambda n, k: range(0, n, 2) if 1 < k == -(-n // 2) else None,
        wrong=RECURRENCE,
        implied="every second step, each twice",
    ),
    Steps(lambda n, k: range(k) if 1 < k < n else None, "first_steps"),
    Steps(lambda n, k: range(n - k, n) if 1 < k < n else None, "last_steps"),
    Steps(lambda n, k: [NO_STEP, *range(n)] if k == n + 1 else None, "extra_first_step", complete=True),
    Steps(lambda n, k: [*range(n), NO_STEP] if k == n + 1 else None, "extra_last_step", complete=True),
    Steps(lambda n, k: [NO_STEP, *range(n), NO_STEP] if k == n + 2 else None, "extra_steps", complete=True),
    Steps(lambda n, k: [NO_STEP] * (k - n) + [*range(n)] if n + 1 < k else None, "extra_first_steps", complete=True),
    Steps(lambda n, k: [*range(n)] + [NO_STEP] * (k - n) if n + 1 < k else None, "extra_last_steps", complete=True),
    *(_among_others(each, at) for each in range(2, MOST_ENTRIES + 1) for at in (0, each - 1)),
    *LOOPED,
)
