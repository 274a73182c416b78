"""Answers in an unexpected form, read as they were intended.

The exercise asks for one tensor ``(batch, timesteps, units)``. An answer may have its axes in another order, an axis
too many or fewer steps. It may be a container that holds the sequence, or its steps one by one. The form is a mistake
by itself; the numbers, put where they belong, may still be right, or show another mistake.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grader.numerics.form_steps import ALL, FIRST, LAST, NO_STEP, STEPS, Steps

Array = NDArray[np.floating]
Shape = tuple[int, ...]
# If a container has more items of one shape, no single one is taken for the whole answer.
MOST_ELEMENTS = 10
#: Types with fewer digits than float32 -> the largest relative error of a number rounded to them.
ROUNDING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}


@dataclass(frozen=True)
class Items:
    """Items of one shape that a container holds.

    Args:
        array: ``(n, *shape)``.
        places: the position of each item in the container, such as ``[0]`` or ``[3][1]``.
    """

    array: Array
    places: tuple[str, ...]


#: A model's answer: one array, or the content of a container.
Content = Array | tuple[Items, ...]


IN_ORDER = (0, 1, 2)
# If this many things are stacked, such as h and c, the answer may be one of them.
MOST_STACKED = 4


@dataclass(frozen=True)
class Cut:
    """The position of the answer in an array that holds other numbers too, such as h beside c.

    Args:
        axis: the axis of the array that is cut.
        at: 0: the answer stands first; -1: last.
        stacked: the axis is an additional one; otherwise it is longer than it should be.
    """

    axis: int
    at: int
    stacked: bool

    def apply(self, answer: Array, axes: Sequence[int], sizes: Sequence[int]) -> Array | None:
        """Cut out the answer, with these `sizes` along `axes`; None when this cut does not fit."""
        if answer.ndim != len(axes) + self.stacked or self.axis >= answer.ndim:
            return None
        there = answer.shape[self.axis]
        if self.stacked:
            # Rows that meet rows of one more axis make an axis as long as the batch.
            is_cut = 1 < there <= MOST_STACKED or 1 < there == sizes[0]
            return np.take(answer, self.at, self.axis) if is_cut else None
        size = sizes[axes[self.axis]]
        # Too many steps are another case.
        if axes[self.axis] == 1 or not size < there <= MOST_STACKED * size:
            return None
        return np.take(answer, np.arange(size) if self.at == 0 else np.arange(there - size, there), self.axis)


CUTS = tuple(Cut(axis, at, stacked) for stacked in (True, False) for axis in range(3 + stacked) for at in (0, -1))


@dataclass(frozen=True)
class Layout:
    """One order in which the numbers of an answer may lie in an array.

    Args:
        order: the axes batch, time and unit, in the order of the answer.
        joined: axes were joined, or split at other places.
        without_time: there is one step and no axis for it.
        bare: there are additional axes of length 1.
        cut: the position of the answer among other numbers.
    """

    order: tuple[int, ...] = IN_ORDER
    steps: Steps = ALL
    joined: bool = False
    without_time: bool = False
    bare: bool = False
    cut: Cut | None = None

    def read(self, answer: Array, shape: Shape) -> Array | None:
        """Return the answer as ``(batch, timesteps, units)``, NaN where there is none; None if it does not fit."""
        found = self._read_with_steps(answer, shape)
        if found is None:
            return None
        ordered, steps = found
        if steps == list(range(shape[1])):
            return ordered
        filled = np.full(shape, np.nan, answer.dtype)
        filled[:, [step for step in steps if step != NO_STEP]] = ordered[:, [step != NO_STEP for step in steps]]
        return filled

    def steps_of(self, answer: Array, shape: Shape) -> list[int]:
        """Return the step of the sequence that each step of an answer in this layout is."""
        found = self._read_with_steps(answer, shape)
        return [] if found is None else found[1]

    def _read_with_steps(self, answer: Array, shape: Shape) -> tuple[Array, list[int]] | None:
        if self.bare:
            if 1 not in answer.shape:
                return None
            answer = answer.reshape([length for length in answer.shape if length != 1])
        batch, timesteps, units = shape
        axes = [axis for axis in self.order if axis != 1 or not self.without_time]
        if self.cut is not None:
            taken = self.cut.apply(answer, axes, shape)
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
        """Return the codes of the changes to make, as in the catalogue."""
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
    """A way to read an answer.

    Args:
        place: the position in a container of the sequence, or of its first step or row; None: it is no container.
        each: number of items of the container that make one step or row; 0: the sequence is one item.
        rows: the items are the rows of the batch, not the steps.
        all: all items are used, however many there are.
    """

    layout: Layout = Layout()
    place: str | None = None
    each: int = 0
    rows: bool = False
    all: bool = False

    def read(self, content: Content, shape: Shape) -> Array | None:
        """Read an answer in this form, as `Layout.read` does."""
        array = self._pick(content, shape)
        return None if array is None else self.layout.read(array, shape)

    def _pick(self, content: Content, shape: Shape) -> Array | None:
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

    def mask(self, content: Content, shape: Shape) -> NDArray[np.bool_]:
        """Return where an answer of this form has numbers."""
        mask = np.zeros(shape, bool)
        mask[:, [step for step in self.steps_of(content, shape) if step != NO_STEP]] = True
        return mask

    def steps_of(self, content: Content, shape: Shape) -> list[int]:
        """Return the steps of an answer in this form, as `Layout.steps_of` does."""
        array = self._pick(content, shape)
        return [] if array is None else self.layout.steps_of(array, shape)

    @property
    def is_complete(self) -> bool:
        """Return whether all steps are there."""
        return self.layout.steps.complete

    @property
    def reaches_the_end(self) -> bool:
        """Return whether all steps are there, or the last one, which depends on all."""
        return self.is_complete or self.layout.steps is LAST

    @property
    def is_first_step(self) -> bool:
        """Return whether the first step is there alone."""
        return self.layout.steps is FIRST

    @property
    def is_plain(self) -> bool:
        """Return whether a shape alone proves this form. It does not where the answer lies among other numbers."""
        return self.layout.cut is None or self.layout.cut.stacked

    @property
    def implied(self) -> str | None:
        return self.layout.steps.implied

    @property
    def wrong(self) -> frozenset[str]:
        return self.layout.steps.wrong

    @property
    def loop(self) -> tuple[int, int] | None:
        """Return the first step of a loop that skips steps, and its stride; None for other forms."""
        return self.layout.steps.loop

    @property
    def codes(self) -> list[str]:
        """Return the codes of the changes to make, as in the catalogue."""
        layout = self.layout.codes
        if self.place is None:
            return layout
        if not self.each:
            return [*(["element"] if self.place else []), *layout]
        kind = "rows_apart" if self.rows else "steps_apart"
        # Steps that were never stacked have no axis of time that could be in the wrong place.
        return [kind, *(code for code in layout if code != "time_major")]


PLAIN = Form()


def forms_of(content: Content, shape: Shape) -> Iterator[tuple[Form, Array]]:
    """Yield every form in which a content can be an answer of this shape, the plainest first, with the numbers read."""
    if isinstance(content, np.ndarray):
        yield from ((Form(layout), read) for layout, read in _read(content, shape, LAYOUTS))
        return
    # A layout fits one shape or not, and many picks have the same.
    fitting: dict[Shape, list[Layout]] = {}
    for picked in _picks(content, shape):
        array = picked._pick(content, shape)
        if array is None:
            continue
        found = list(_read(array, shape, fitting.get(array.shape, LAYOUTS)))
        fitting[array.shape] = [layout for layout, _ in found]
        # A list of steps contains the first one, whatever else is in it.
        is_list = any(picked.place in items.places and len(items.places) > 2 for items in content)
        for layout, read in found:
            if not is_list or layout.steps is not FIRST:
                yield replace(picked, layout=layout), read


def _is_plain(content: Content, shape: Shape) -> bool:
    return isinstance(content, np.ndarray) and content.shape == shape


def _read(answer: Array, shape: Shape, layouts: Sequence[Layout]) -> Iterator[tuple[Layout, Array]]:
    # The right shape is the right form: numbers in wrong places are another kind of mistake.
    for layout in layouts[:1] if answer.shape == shape else layouts:
        array = layout.read(answer, shape)
        if array is not None:
            yield layout, array


def _picks(content: tuple[Items, ...], shape: Shape) -> Iterator[Form]:
    """Yield parts of a container that may be the answer: whole sequences first, then steps and rows, then the rest."""
    batch, timesteps, units = shape
    lists = [items for items in content if _is_list_of_steps(items, timesteps)]
    every = [(items, Form(place=items.places[0], each=1, all=True)) for items in lists]
    elements = [(items, Form(place=place)) for items in content for place in items.places[:MOST_ELEMENTS]]
    yield from (form for items, form in elements if items.array[0].size >= np.prod(shape))
    for (rows, count), items in itertools.product(((False, timesteps), (True, batch)), content):
        if rows and items.array[0].size < timesteps * units:
            continue
        # One of each pair and so on, if all items are used; or as many in a row as are needed.
        for each in sorted({1, len(items.places) // count} - {0}, reverse=True):
            starts = range(len(items.places) - (count - 1) * each)
            likely = [*starts[:1], *starts[1:][-1:], *starts[1:-1][:MOST_ELEMENTS]]
            yield from (Form(place=items.places[start], each=each, rows=rows) for start in likely)
    # Two items of a shape may also be h and c of the last step.
    yield from (form for items, form in every if len(items.places) > 2)
    yield from (form for items, form in elements if items.array[0].size < np.prod(shape))
    yield from (form for items, form in every if len(items.places) == 2)


def _is_list_of_steps(items: Items, timesteps: int) -> bool:
    """Return whether items may be steps, too many or too few: all lie in one list and have no axis of time."""
    together = len({place.rpartition("[")[0] for place in items.places}) == 1
    number_fits = len(items.places) > 1 and len(items.places) != timesteps
    return together and number_fits and timesteps not in items.array.shape[1:]


@dataclass(frozen=True)
class Reading:
    """All answers in one form.

    Args:
        numbers: case id -> ``(batch, timesteps, units)``, NaN where there is no answer. Cases whose answers have
            another form are missing.
    """

    form: Form
    numbers: Mapping[str, Array]


def readings(contents: Mapping[str, Content], shapes: Mapping[str, Shape]) -> Iterator[Reading]:
    """Yield every way to read the answers that is a way to read the first of them.

    Args:
        contents: case id -> the answer of the model; the exercise's own case first.
        shapes: case id -> ``(batch, timesteps, units)``.
    """
    first = next(iter(contents), None)
    if first is None:
        return
    plain = {PLAIN} if any(_is_plain(content, shapes[case]) for case, content in contents.items()) else ()
    for form in dict.fromkeys((*plain, *(form for form, _ in forms_of(contents[first], shapes[first])))):
        read = ((case, form.read(content, shapes[case])) for case, content in contents.items())
        yield Reading(form, {case: array for case, array in read if array is not None})
