"""Builds the student's model by the plan that fits. Where names leave a choice, the resulting model decides."""

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from driver.construction.class_signature import own_codes
from driver.construction.construct import Constructor
from driver.construction.plans import Plan
from driver.construction.settings_objects import Sizes
from driver.short_ways.untraced_build import untraced
from driver.student.contents import drain
from driver.student.observations import MAX_NAME, describe, text_of
from driver.weights.weight_shapes import count_gates

# CPU seconds for trying other plans. The likeliest one is not limited.
SECONDS = 2.0
MOST_TOLD = 40
# Numbers from the student's code that are tried as a size.
MOST_TRIED, LARGEST_TRIED = 8, 256
SUPPLIED_SIZES = ("BATCH_SIZE", "SEQ_LEN", "EMB_SIZE", "H_SIZE")
# A model that fits has the right width, and the gates of one cell. Where these part, its weights show the size that
# the constructor got, for an answer may hold more than h.
WIDTH, GATES = 1, 2
FITS = WIDTH + GATES
# Parts of error messages: Python and TensorFlow name a number that was indexed, unpacked or asked for its shape, or
# settings of ours that should be text. The last comes from opening a number as a file.
NOT_MEANT = re.compile(r"\bint\b|\bConfiguration\b|must be a string|Bad file descriptor")


class NoOther(Exception):
    """Every plan that fits was passed over."""


class Builder:
    """Builds models of one class. The plan that fitted one case is tried first for the next.

    Args:
        names: the module's namespace.
        passed_over: skip this many plans that fit: their numbers were wrong.
        only_computes: whether calls of the class leave nothing behind, so that Keras 3 need not trace them first.
    """

    def __init__(
        self,
        definition: Any,
        constructor: Constructor,
        names: dict[str, Any],
        passed_over: int = 0,
        *,
        only_computes: bool = False,
    ) -> None:
        self._definition = definition
        self._constructor = constructor
        self._names = names
        self._key: tuple[int, ...] | None = None
        self._passed_over = passed_over
        self._only_computes = only_computes
        # True when other plans were as likely as the chosen one.
        self.is_open = False
        self.constructed = False
        # True while the last attempt was still in the constructor.
        self.constructing = False
        self.plan: Plan | None = None
        # The last model that was constructed and raised when it was called.
        self.unfinished: Any = None

    def build(self, sizes: Sizes, x: tf.Tensor) -> Any:
        """Return a model of these sizes that has been called on `x`, ``(batch, timesteps, features)``.

        Functions run eagerly meanwhile: a graph traced now would keep today's weights or length.

        Raises:
            BaseException: an exception of the student's code, when no plan gives a model that answers.
        """
        best: tuple[int, Plan, Any] | None = None
        failed: list[tuple[bool, Exception]] = []
        likeliest_raised = False
        started = time.process_time()
        for plan in self._plans(sizes):
            if best is not None and best[0] & WIDTH and plan.unlikely:
                break
            if (best or failed) and time.process_time() - started > SECONDS:
                break
            if plan.other_kind and (best is not None or any(map(_takes_numbers, failed))):
                continue
            model = None
            try:
                self.constructing = True
                model = self._definition(*plan.positional, **plan.keywords)
                self.constructing, self.constructed = False, True
                fit = self._fit(model, self._first_call(model, x), sizes)
            except (MemoryError, tf.errors.ResourceExhaustedError, RecursionError):
                raise
            except Exception as exc:
                likeliest_raised = likeliest_raised or (model is not None and best is None and not failed)
                failed.append((model is not None, exc))
                self.unfinished = model if model is not None and self.unfinished is None else self.unfinished
                continue
            if fit & WIDTH and self._passed_over:
                self._passed_over -= 1
                failed.append((True, NoOther("no other plan gives a model of the right width")))
                continue
            if best is None or fit > best[0]:
                best = fit, plan, model
            if fit == FITS:
                break
        # A model that fits in no way says less than the exception of the likeliest one.
        if best is None or (likeliest_raised and not best[0]):
            raise self._telling(sizes, failed)
        _, self.plan, model = best
        if self._key != self.plan.key:
            self._key = self.plan.key
            likely = [plan.key for plan in self._constructor.plans(sizes, other_kind=False) if not plan.unlikely]
            self.is_open = self.plan.key != likely[-1] if likely else False
        return model

    def size_that_works(self, sizes: Sizes, x: tf.Tensor) -> dict[str, int]:
        """Find a batch size or number of units for which a class that failed for the case gives an answer.

        Tries the numbers in the student's code and constants. Empty when none works.
        """
        numbers = [n for n in _numbers(self._names) if 1 < n <= LARGEST_TRIED]
        started = time.process_time()
        for name, beside in (("batch", "units"), ("units", "batch")):
            taken = {sizes[each] for each in sizes if each != beside}
            for number in [n for n in numbers if n not in taken][:MOST_TRIED]:
                if time.process_time() - started > SECONDS:
                    return {}
                other = sizes | {name: number}
                if number == sizes[beside]:
                    other[beside] += 1  # Equal sizes fit where none is fixed, too.
                try:
                    plan = next(self._plans(other))
                    like_x = tf.zeros((other["batch"], other["timesteps"], other["features"])) + x[:1, :1]
                    output = self._first_call(self._definition(*plan.positional, **plan.keywords), like_x)
                except Exception:  # noqa: S112  # this number does not work
                    continue
                if describe(output)[1]["shape"] == [other["batch"], other["timesteps"], other["units"]]:
                    return {name: number}
        return {}

    def _first_call(self, model: Any, x: tf.Tensor) -> Any:
        with untraced() if self._only_computes else contextlib.nullcontext():
            return call_eagerly(model, x)

    def _plans(self, sizes: Sizes) -> Iterator[Plan]:
        """Yield the plan that was right before, then numbers for sizes, then other kinds of values."""
        if self._key is not None:
            yield from self._constructor.plans(sizes, only=self._key)
        for other_kind in (False, True):
            plans = self._constructor.plans(sizes, other_kind=other_kind)
            yield from (plan for plan in plans if plan.key != self._key)

    def _fit(self, model: Any, output: Any, sizes: Sizes) -> int:
        _, description = describe(output)
        shapes = description["parts"] or [description["shape"] or []]
        fit = WIDTH if any(shape[-1:] == [sizes["units"]] for shape in shapes) else 0
        counted = count_gates(model, self._names, sizes["features"], sizes["units"])
        return fit + (GATES if set(counted.values()) == {4} else 0)

    def _telling(self, sizes: Sizes, failed: list[tuple[bool, Exception]]) -> BaseException:
        """Return the first exception of the plans that came furthest."""
        self.constructing = not any(constructed for constructed, _ in failed)
        no_numbers = all(NOT_MEANT.search(text_of(exc)) for _, exc in failed[:1])
        if self.constructing and (no_numbers or self._constructor.unexplained()):
            plan = self._constructor.without_unexplained(sizes, no_numbers=no_numbers)
            try:
                self._definition(*plan.positional, **plan.keywords)
            except TypeError as exc:
                return exc
        return max(failed, key=lambda each: each[0])[1]

    def description(self) -> dict[str, Any]:
        """Return the arguments that built the last model, as texts, and defaults that are numbers."""
        positional = [("", value) for value in self.plan.positional] if self.plan else []
        keywords = list(self.plan.keywords.items()) if self.plan else []
        return {
            "arguments": [
                (f"{name}=" if name else "") + _as_text(value) for name, value in [*positional, *keywords][:MOST_TOLD]
            ],
            "open": self.is_open,
            "defaults": dict(list(self._constructor.defaults().items())[:MOST_TOLD]),
        }


def _takes_numbers(failed: tuple[bool, Exception]) -> bool:
    """Return whether a plan failed for a reason other than being given a number."""
    constructed, exc = failed
    return constructed and not NOT_MEANT.search(text_of(exc))


def _numbers(names: dict[str, Any]) -> list[int]:
    """List whole numbers in the module's functions, classes and constants."""
    found = [value for name, value in names.items() if name not in SUPPLIED_SIZES]
    for code in own_codes(names):
        for constant in code.co_consts:
            found += constant if isinstance(constant, tuple) else [constant]
    return list(dict.fromkeys(number for number in found if type(number) is int))


def call_eagerly(model: Any, x: tf.Tensor) -> Any:
    tf.config.run_functions_eagerly(True)
    try:
        return drain(model(x))
    finally:
        tf.config.run_functions_eagerly(False)


def _as_text(value: Any) -> str:
    plain = type(value) in (int, float, str, bool, tuple)
    return (repr(value) if plain else type(value).__name__)[:MAX_NAME]
