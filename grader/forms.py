"""Answers of another form than the one asked for, read as what they were meant to be.

One tensor ``(batch, timesteps, units)`` is asked for. An answer may have its axes in another order, an axis too many,
fewer steps, or be a container that holds the sequence, or its steps one by one. The form is a mistake by itself; the
numbers, put where they belong, may be right all the same or show another one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reference.misconceptions import PARTS, RECURRENCE

Array = NDArray[np.floating]
Shape = tuple[int, ...]
NOTHING: frozenset[str] = frozenset()
# Of a container with more items of one shape, no single one is taken for the whole answer.
MOST_ELEMENTS = 10
#: Types with fewer digits than float32 -> the largest relative error of a number rounded to them.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}


@dataclass(frozen=True)
class Items:
    """Items of one shape that a container holds.

    Args:
        array: ``(n, *shape)``.
        places: where each of them lies in the container, such as ``[0]`` or ``[3][1]``.
    """

    array: Array
    places: tuple[str, ...]


#: What a model returned: one array, or what a container held.
Content = Array | tuple[Items, ...]


@dataclass(frozen=True)
class Steps:
    """Which steps an answer has.

    Args:
        there: number of timesteps -> the steps, in order.
        code: how the form is called; None for all steps, and where a code of its own says it.
        wrong: the `PARTS` that such an answer has wrong, or does not show.
        implied: a mistake of the bank that gives these steps, and is no other mistake then.
    """

    there: Callable[[int], Sequence[int]]
    code: str | None = None
    wrong: frozenset[str] = NOTHING
    implied: str | None = None


ALL = Steps(range)
LAST = Steps(lambda n: [n - 1], "last_step")
STEPS = (
    ALL,
    LAST,
    Steps(lambda n: [0], "first_step", frozenset(PARTS)),
    Steps(lambda n: range(n - 1), wrong=RECURRENCE),
    Steps(lambda n: range(1, n), wrong=RECURRENCE),
    # The loop begins with the second step, and what it answers there is the first answer.
    Steps(lambda n: range(n - 1), wrong=RECURRENCE, implied="next x, the last twice"),
    Steps(lambda n: range(0, n, 2), wrong=RECURRENCE),
    Steps(lambda n: range(0, n, 2), wrong=RECURRENCE, implied="every second step, each twice"),
)
IN_ORDER = (0, 1, 2)


@dataclass(frozen=True)
class Layout:
    """One way in which the numbers of an answer may stand in an array.

    Args:
        order: of the axes batch, time and unit, as the answer has them.
        joined: axes were joined, or cut at other places.
        without_time: there is one step and no axis for it.
        bare: axes of length 1 are too many.
    """

    order: tuple[int, ...] = IN_ORDER
    steps: Steps = ALL
    joined: bool = False
    without_time: bool = False
    bare: bool = False

    def read(self, answer: Array, shape: Shape) -> Array | None:
        """The answer as ``(batch, timesteps, units)``, NaN where there is none; None when it does not stand so."""
        if self.bare:
            if 1 not in answer.shape:
                return None
            answer = answer.reshape([length for length in answer.shape if length != 1])
        batch, timesteps, units = shape
        steps = list(self.steps.there(timesteps))
        sizes = (batch, len(steps), units)
        stands = tuple(sizes[axis] for axis in self.order)
        here = tuple(sizes[axis] for axis in self.order if axis != 1) if self.without_time else stands
        fits = sorted(answer.shape) != sorted(sizes) if self.joined else answer.shape == here
        if not fits or answer.size != np.prod(sizes):
            return None
        ordered = answer.reshape(stands).transpose(np.argsort(self.order))
        if len(steps) == timesteps:
            return ordered
        filled = np.full(shape, np.nan, answer.dtype)
        filled[:, steps] = ordered
        return filled

    @property
    def codes(self) -> list[str]:
        """What is to be changed, in words of the catalogue."""
        order = None if self.order == IN_ORDER else "time_major" if self.order == (1, 0, 2) else "axes"
        named = ("extra_axis" if self.bare else None, "joined" if self.joined else order, self.steps.code)
        return [code for code in named if code]


def _layouts() -> Iterator[Layout]:
    orders = sorted(itertools.permutations(range(3)), key=lambda order: (order != IN_ORDER, order != (1, 0, 2)))
    for bare in (False, True):
        for steps in STEPS:
            yield from (Layout(order, steps, bare=bare) for order in orders)
            one = len(steps.there(2)) == len(steps.there(9)) == 1
            if one:
                yield from (Layout(order, steps, bare=bare, without_time=True) for order in (IN_ORDER, (2, 1, 0)))
    yield from (Layout(order, joined=True) for order in orders)


LAYOUTS = tuple(_layouts())


@dataclass(frozen=True)
class Form:
    """How an answer is read.

    Args:
        place: where in a container the sequence lies, or the first of its steps or rows; None: it is no container.
        each: so many items of the container make one step or row; 0: the sequence is one item.
        rows: the items are the rows of the batch, not the steps.
    """

    layout: Layout = Layout()
    place: str | None = None
    each: int = 0
    rows: bool = False

    def read(self, content: Content, shape: Shape) -> Array | None:
        """As `Layout.read`."""
        array = self._taken(content, shape)
        return None if array is None else self.layout.read(array, shape)

    def _taken(self, content: Content, shape: Shape) -> Array | None:
        if isinstance(content, np.ndarray):
            return content if self.place is None else None
        for items in content:
            if self.place in items.places:
                first = items.places.index(self.place)
                if not self.each:
                    return np.asarray(items.array[first])
                count = shape[0] if self.rows else shape[1]
                taken = items.array[first :: self.each][:count]
                return taken if len(taken) == count else None
        return None

    def known(self, shape: Shape) -> NDArray[np.bool_]:
        """Where an answer of this form has numbers."""
        known = np.zeros(shape, bool)
        known[:, list(self.layout.steps.there(shape[1]))] = True
        return known

    @property
    def is_whole(self) -> bool:
        """Whether all steps are there."""
        return self.layout.steps is ALL

    @property
    def implied(self) -> str | None:
        return self.layout.steps.implied

    @property
    def wrong(self) -> frozenset[str]:
        return self.layout.steps.wrong

    @property
    def codes(self) -> list[str]:
        """What is to be changed, in words of the catalogue."""
        layout = self.layout.codes
        if self.place is None:
            return layout
        if not self.each:
            return [*(["element"] if self.place else []), *layout]
        kind = "rows_apart" if self.rows else "steps_apart"
        # Steps that nobody has stacked have no axis of time that could stand at the wrong place.
        return [kind, *(code for code in layout if code != "time_major")]


PLAIN = Form()


def forms_of(content: Content, shape: Shape) -> Iterator[tuple[Form, Array]]:
    """Every form in which a content can be read as an answer of this shape, the plainest first, and what it reads."""
    if isinstance(content, np.ndarray):
        # What has the right shape has the right form: numbers at wrong places are another kind of mistake.
        layouts = LAYOUTS[:1] if _is_plain(content, shape) else LAYOUTS
        yield from _read(content, shape, [Form(layout) for layout in layouts])
        return
    for picked in _picks(content, shape):
        array = picked._taken(content, shape)
        if array is not None:
            layouts = LAYOUTS[:1] if array.shape == shape else LAYOUTS
            yield from _read(content, shape, [replace(picked, layout=layout) for layout in layouts])


def _is_plain(content: Content, shape: Shape) -> bool:
    return isinstance(content, np.ndarray) and content.shape == shape


def _read(content: Content, shape: Shape, forms: Sequence[Form]) -> Iterator[tuple[Form, Array]]:
    for form in forms:
        array = form.read(content, shape)
        if array is not None:
            yield form, array


def _picks(content: tuple[Items, ...], shape: Shape) -> Iterator[Form]:
    """What of a container may be the answer: whole sequences first, then steps and rows, then whatever there is."""
    batch, timesteps, _ = shape
    elements = [(items, Form(place=place)) for items in content for place in items.places[:MOST_ELEMENTS]]
    yield from (form for items, form in elements if items.array[0].size >= np.prod(shape))
    for (rows, count), items in itertools.product(((False, timesteps), (True, batch)), content):
        # One of each pair and so on, all items being used; or as many in a row as are needed.
        for each in sorted({1, len(items.places) // count} - {0}, reverse=True):
            starts = range(len(items.places) - (count - 1) * each)
            likely = [*starts[:1], *starts[1:][-1:], *starts[1:-1][:MOST_ELEMENTS]]
            yield from (Form(place=items.places[start], each=each, rows=rows) for start in likely)
    yield from (form for items, form in elements if items.array[0].size < np.prod(shape))


@dataclass(frozen=True)
class Reading:
    """All answers in one form.

    Args:
        numbers: case id -> ``(batch, timesteps, units)``, NaN where there is no answer. Cases whose answers have
            another form are not among them.
    """

    form: Form
    numbers: Mapping[str, Array]


def readings(contents: Mapping[str, Content], shapes: Mapping[str, Shape]) -> Iterator[Reading]:
    """Every way to read the answers, which is a way to read the first of them.

    Args:
        contents: case id -> what the model returned; the exercise's own case first.
        shapes: case id -> ``(batch, timesteps, units)``.
    """
    first = next(iter(contents), None)
    if first is None:
        return
    plain = {PLAIN} if any(_is_plain(content, shapes[case]) for case, content in contents.items()) else ()
    for form in dict.fromkeys((*plain, *(form for form, _ in forms_of(contents[first], shapes[first])))):
        read = ((case, form.read(content, shapes[case])) for case, content in contents.items())
        yield Reading(form, {case: array for case, array in read if array is not None})
