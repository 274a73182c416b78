"""Mistakes in the loop around the cell: the outputs collected, the states passed on; and other cells altogether."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from reference.lstm.misconceptions.computation import Array, Moment
from reference.lstm.misconceptions.inputs import letters
from reference.lstm.misconceptions.mistake import RECURRENCE, Mistake

#: Maps the moment and the first h and c to the h, or the c, of the next step.
Pass = Callable[[Moment, Array, Array], Array]


def loop_mistakes() -> Iterator[Mistake]:
    yield from _passed_on()
    yield from _collected()
    yield from _cell_called_twice()
    yield from _other_cells()


PASSED: dict[str, Pass] = {
    "first h": lambda m, h, c: h,
    "first c": lambda m, h, c: c,
    "old h": lambda m, h, c: m.h,
    "old c": lambda m, h, c: m.c,
    "h": lambda m, h, c: m.h_new,
    "c": lambda m, h, c: m.c_new,
    "h + old h": lambda m, h, c: m.h_new + m.h,
    "c + old c": lambda m, h, c: m.c_new + m.c,
    "-h": lambda m, h, c: -m.h_new,
    "h of the row before": lambda m, h, c: np.roll(m.h_new, 1, -2),
    "c of the row before": lambda m, h, c: np.roll(m.c_new, 1, -2),
    "h of the first row": lambda m, h, c: np.broadcast_to(m.h_new[..., :1, :], m.h.shape),
    "c of the first row": lambda m, h, c: np.broadcast_to(m.c_new[..., :1, :], m.c.shape),
}

#: The values in a formula of h.
PARTS_OF_H: dict[str, Pass] = {
    "tanh(c)": lambda m, h, c: np.tanh(m.c_new),
    "o*c": lambda m, h, c: m.o * m.c_new,
    "o": lambda m, h, c: m.o,
}


def _passed_on() -> Iterator[Mistake]:
    for code, name, h, c in (
        ("hc_swapped", "cell(x, c, h)", "c", "h"),
        ("hc_swapped", "c = h from step to step", "h", "h"),
        ("hc_swapped", "h = c from step to step", "c", "c"),
        ("h_not_updated", "h stays", "old h", "c"),
        ("c_not_updated", "c stays", "h", "old c"),
        ("state_reset_each_step", "h and c stay", "first h", "first c"),
        ("residual", "h + old h from step to step", "h + old h", "c"),
        ("residual", "c + old c from step to step", "h", "c + old c"),
        ("c_sign", "-h from step to step", "-h", "c"),
        ("batch_mixed", "rows moved on", "h of the row before", "c of the row before"),
        ("batch_zero_only", "states of the first row", "h of the first row", "c of the first row"),
    ):
        changes = {f"pass_{slot}": PASSED[passed] for slot, passed in (("h", h), ("c", c)) if passed != slot}
        yield Mistake(code, name, changes, RECURRENCE)
    for shown, passed_h in PARTS_OF_H.items():
        params = {"heard": shown, "variant": "passed_on"}
        yield Mistake("gate_hears_other", f"{shown} from step to step", {"pass_h": passed_h}, RECURRENCE, params)
    returned = {"pass_h": PASSED["c"], "pass_c": PASSED["h"], "collect": PASSED["c"]}
    yield Mistake("hc_swapped", "c, h = cell(x, h, c)", returned, RECURRENCE)
    added = {"pass_h": PASSED["h + old h"], "collect": PASSED["h + old h"]}
    yield Mistake("residual", "h = h + old h", added, RECURRENCE)


def _collected() -> Iterator[Mistake]:
    for code, name, formula in (
        ("returns_c", "c collected", lambda m, h, c: m.c_new),
        ("returns_c", "tanh(c) collected", lambda m, h, c: np.tanh(m.c_new)),
        ("returns_c", "o collected", lambda m, h, c: m.o),
        ("off_by_one", "old h collected", lambda m, h, c: m.h),
        ("residual", "h + c collected", lambda m, h, c: m.h_new + m.c_new),
        ("residual", "h + old h collected", PASSED["h + old h"]),
    ):
        yield Mistake(code, name, {"collect": formula}, RECURRENCE)


def _cell_called_twice() -> Iterator[Mistake]:
    for name, call in (
        ("h first, then c with the new h", _h_then_c),
        ("c first, then h with the new c", _c_then_h),
        ("twice in a row", _twice),
        ("twice, the first one collected", _twice_first_collected),
    ):
        yield Mistake("cell_called_twice", name, {"calls": call}, RECURRENCE)
    changes = {"calls": _h_of_old_c, "update": None, "show": None}
    params = {"gates": letters("ifg"), "variant": "order"}
    yield Mistake("gate_from_new_h", "h = o*tanh(old c), then i, f, g", changes, RECURRENCE | frozenset("o"), params)


def _h_then_c(step: Any, z: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, h, c)
    first.c_new = step(z, first.h_new, c).c_new
    return first


def _h_of_old_c(step: Any, z: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, h, c)
    new_h = first.o * np.tanh(c)
    second: Moment = replace(step(z, new_h, c), o=first.o, h=h, h_new=new_h)
    return second


def _c_then_h(step: Any, z: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, h, c)
    first.h_new = step(z, h, first.c_new).h_new
    return first


def _twice(step: Any, z: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, h, c)
    second: Moment = step(z, first.h_new, first.c_new)
    second.h, second.c = h, c
    return second


def _twice_first_collected(step: Any, z: Array, h: Array, c: Array) -> Moment:
    first: Moment = step(z, h, c)
    first.c_new = step(z, first.h_new, first.c_new).c_new
    return first


def _other_cells() -> Iterator[Mistake]:
    """Yield other cells that go by the name of an LSTM."""

    def gru(update: str, reset: str, keeps_old: bool, reset_inside: bool) -> Any:
        def call(step: Any, z: Array, h: Array, c: Array) -> Moment:
            moment: Moment = step(z, h, c)
            share, scaled = getattr(moment, update), getattr(moment, reset)
            columns = step.columns("g")
            kernel = step.recurrent[..., columns]
            through = (scaled * h) @ kernel if reset_inside else scaled * (h @ kernel)
            candidate = np.tanh(z[..., columns] + through)
            old = share if keeps_old else 1 - share
            moment.h_new, moment.c_new = old * h + (1 - old) * candidate, c
            return moment

        return call

    everything = frozenset({"o", "recurrence", "f", "i", "g"})
    for update, reset in (("i", "f"), ("f", "i"), ("i", "o"), ("f", "o"), ("o", "f"), ("o", "i")):
        for keeps_old in (True, False):
            for inside in (True, False):
                name = f"GRU: update {update}, reset {reset}, z{'' if keeps_old else '-'}, r{'' if inside else '+'}"
                yield _cell("gru", name, gru(update, reset, keeps_old, inside), everything)
    yield _cell("simple_rnn", "h = tanh(g)", lambda step, z, h, c: _simple(step(z, h, c)), everything)
    for code, name, formula in (
        ("simple_rnn", "h = g", lambda m: m.g),
        # A GRU without a reset.
        ("gru", "h = f*h + (1 - f)*g", lambda m: m.f * m.h + (1 - m.f) * m.g),
        ("gru", "h = (1 - f)*h + f*g", lambda m: (1 - m.f) * m.h + m.f * m.g),
        ("gru", "h = i*h + (1 - i)*g", lambda m: m.i * m.h + (1 - m.i) * m.g),
        ("gru", "h = (1 - i)*h + i*g", lambda m: (1 - m.i) * m.h + m.i * m.g),
    ):
        yield Mistake(code, name, {"update": _old_c, "show": formula}, everything - {"g"})


def _old_c(moment: Moment) -> Array:
    return moment.c


def _simple(moment: Moment) -> Moment:
    moment.h_new, moment.c_new = np.tanh(moment.g), moment.c
    return moment


def _cell(code: str, name: str, call: Any, wrong: frozenset[str]) -> Mistake:
    return Mistake(code, name, {"calls": call, "update": None, "show": None, "hold": None}, wrong)
