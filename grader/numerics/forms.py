"""Answers of another form than the one asked for, read as what they were meant to be.

One tensor ``(batch, timesteps, units)`` is asked for. An answer may have its axes in another order, an axis too many,
fewer steps, or be a container that holds the sequence, or its steps one by one. The form is a mistake by itself; the
numbers, put where they belong, may be right all the same or show another one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grader.numerics.form_steps import ALL, FIRST, LAST, NO_STEP, STEPS, Steps

Array = NDArray[np.floating]
Shape = tuple[int, ...]
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


IN_ORDER = (0, 1, 2)
# Of so many things that are stacked, such as h and c, the answer may be one.
MOST_STACKED = 4


@dataclass(frozen=True)
class Cut:
    """Where in an array the answer stands among other numbers, as h beside c.

    Args:
        axis: of the array.
        at: 0: the answer stands first; -1: last.
        stacked: the axis is one of its own; else it is longer than it should be.
    """

    axis: int
    at: int
    stacked: bool

    def taken(self, answer: Array, axes: Sequence[int], sizes: Sequence[int]) -> Array | None:
        """The answer, whose axes then are those of these `sizes`; None when it does not stand so."""
        if answer.ndim != len(axes) + self.stacked or self.axis >= answer.ndim:
            return None
        there = answer.shape[self.axis]
        if self.stacked:
            return np.take(answer, self.at, self.axis) if 1 < there <= MOST_STACKED else None
        size = sizes[axes[self.axis]]
        # Steps too many are another matter.
        if axes[self.axis] == 1 or not size < there <= MOST_STACKED * size:
            return None
        return np.take(answer, np.arange(size) if self.at == 0 else np.arange(there - size, there), self.axis)


CUTS = tuple(Cut(axis, at, stacked) for stacked in (True, False) for axis in range(3 + stacked) for at in (0, -1))


@dataclass(frozen=True)
class Layout:
    """One way in which the numbers of an answer may stand in an array.

    Args:
        order: of the axes batch, time and unit, as the answer has them.
        joined: axes were joined, or cut at other places.
        without_time: there is one step and no axis for it.
        bare: axes of length 1 are too many.
        cut: where it stands among other numbers.
    """

    order: tuple[int, ...] = IN_ORDER
    steps: Steps = ALL
    joined: bool = False
    without_time: bool = False
    bare: bool = False
    cut: Cut | None = None

    def read(self, answer: Array, shape: Shape) -> Array | None:
        """The answer as ``(batch, timesteps, units)``, NaN where there is none; None when it does not stand so."""
        found = self._found(answer, shape)
        if found is None:
            return None
        ordered, steps = found
        if steps == list(range(shape[1])):
            return ordered
        filled = np.full(shape, np.nan, answer.dtype)
        filled[:, [step for step in steps if step != NO_STEP]] = ordered[:, [step != NO_STEP for step in steps]]
        return filled

    def steps_of(self, answer: Array, shape: Shape) -> list[int]:
        """Which step each step of an answer is that stands so."""
        found = self._found(answer, shape)
        return [] if found is None else found[1]

    def _found(self, answer: Array, shape: Shape) -> tuple[Array, list[int]] | None:
        if self.bare:
            if 1 not in answer.shape:
                return None
            answer = answer.reshape([length for length in answer.shape if length != 1])
        batch, timesteps, units = shape
        axes = [axis for axis in self.order if axis != 1 or not self.without_time]
        if self.cut is not None:
            taken = self.cut.taken(answer, axes, shape)
            if taken is None:
                return None
            answer = taken
        if answer.ndim != len(axes) and not self.joined:
            return None
        count = answer.size // (batch * units)
        steps = self.steps.there(timesteps, count)
        if steps is None:
            return None
        sizes = (batch, count, units)
        fits = sorted(answer.shape) != sorted(sizes) if self.joined else answer.shape == tuple(sizes[a] for a in axes)
        if not fits or answer.size != np.prod(sizes):
            return None
        ordered = answer.reshape([sizes[axis] for axis in self.order]).transpose(np.argsort(self.order))
        return ordered, list(steps)

    @property
    def codes(self) -> list[str]:
        """What is to be changed, in words of the catalogue."""
        order = None if self.order == IN_ORDER else "time_major" if self.order == (1, 0, 2) else "axes"
        cut = None if self.cut is None else "stacked" if self.cut.stacked else "beside"
        named = ("extra_axis" if self.bare else None, cut, "joined" if self.joined else order, self.steps.code)
        return [code for code in named if code]


def _layouts() -> Iterator[Layout]:
    orders = sorted(itertools.permutations(range(3)), key=lambda order: (order != IN_ORDER, order != (1, 0, 2)))
    for bare in (False, True):
        for steps in STEPS:
            yield from (Layout(order, steps, bare=bare) for order in orders)
            if steps in (LAST, FIRST):
                yield from (Layout(order, steps, bare=bare, without_time=True) for order in (IN_ORDER, (2, 1, 0)))
    yield from (Layout(order, steps, joined=True) for steps in STEPS if steps.may_be_joined for order in orders)
    for steps, cut in itertools.product((ALL, LAST), CUTS):
        yield from (Layout(order, steps, cut=cut) for order in orders)
        if steps is LAST:
            yield Layout(steps=steps, without_time=True, cut=cut)


LAYOUTS = tuple(_layouts())


@dataclass(frozen=True)
class Form:
    """How an answer is read.

    Args:
        place: where in a container the sequence lies, or the first of its steps or rows; None: it is no container.
        each: so many items of the container make one step or row; 0: the sequence is one item.
        rows: the items are the rows of the batch, not the steps.
        all: all items are used, however many there are.
    """

    layout: Layout = Layout()
    place: str | None = None
    each: int = 0
    rows: bool = False
    all: bool = False

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
                if self.all:
                    return items.array[first :: self.each]
                taken = items.array[first :: self.each][:count]
                return taken if len(taken) == count else None
        return None

    def known(self, content: Content, shape: Shape) -> NDArray[np.bool_]:
        """Where an answer of this form has numbers."""
        known = np.zeros(shape, bool)
        known[:, [step for step in self.steps_of(content, shape) if step != NO_STEP]] = True
        return known

    def steps_of(self, content: Content, shape: Shape) -> list[int]:
        """As `Layout.steps_of`."""
        array = self._taken(content, shape)
        return [] if array is None else self.layout.steps_of(array, shape)

    @property
    def is_whole(self) -> bool:
        """Whether all steps are there."""
        return self.layout.steps.whole

    @property
    def is_plain(self) -> bool:
        """Whether a shape alone shows that an answer has this form: beside other numbers, any may stand."""
        return self.layout.cut is None or self.layout.cut.stacked

    @property
    def implied(self) -> str | None:
        return self.layout.steps.implied

    @property
    def wrong(self) -> frozenset[str]:
        return self.layout.steps.wrong

    @property
    def taken(self) -> tuple[int, int] | None:
        """With which step the loop begins, and its stride, where it skips some."""
        return self.layout.steps.taken

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
            if any(picked.place in items.places and len(items.places) > 2 for items in content):
                # A list of steps has the first one, whatever else is in it.
                layouts = tuple(layout for layout in layouts if layout.steps is not FIRST)
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
    batch, timesteps, units = shape
    lists = [items for items in content if _is_list_of_steps(items, timesteps)]
    every = [(items, Form(place=items.places[0], each=1, all=True)) for items in lists]
    elements = [(items, Form(place=place)) for items in content for place in items.places[:MOST_ELEMENTS]]
    yield from (form for items, form in elements if items.array[0].size >= np.prod(shape))
    for (rows, count), items in itertools.product(((False, timesteps), (True, batch)), content):
        if rows and items.array[0].size < timesteps * units:
            continue
        # One of each pair and so on, all items being used; or as many in a row as are needed.
        for each in sorted({1, len(items.places) // count} - {0}, reverse=True):
            starts = range(len(items.places) - (count - 1) * each)
            likely = [*starts[:1], *starts[1:][-1:], *starts[1:-1][:MOST_ELEMENTS]]
            yield from (Form(place=items.places[start], each=each, rows=rows) for start in likely)
    # Two of a shape may be h and c of the last step as well.
    yield from (form for items, form in every if len(items.places) > 2)
    yield from (form for items, form in elements if items.array[0].size < np.prod(shape))
    yield from (form for items, form in every if len(items.places) == 2)


def _is_list_of_steps(items: Items, timesteps: int) -> bool:
    """Whether items may be steps, more or fewer than there should be: all lie in one list and have no axis of time."""
    together = len({place.rpartition("[")[0] for place in items.places}) == 1
    number_fits = len(items.places) > 1 and len(items.places) != timesteps
    return together and number_fits and timesteps not in items.array.shape[1:]


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
