"""Time that grows with the length of something, and not with its square."""

import gc
from collections.abc import Callable

#: Seconds that a larger size may cost besides. Memory that comes fresh from the kernel does not grow evenly.
SLACK = 0.1


def assert_in_proportion(seconds: Callable[[int], float], size: int) -> list[float]:
    """Fail if twice and four times as much take about 4 and 16 times as long. Returns: the seconds of all three.

    The sizes take turns, and the least of three counts: a machine with other work is slower now and then. The collector
    would go through all that earlier tests left, and each time at the same size.
    """
    gc.disable()
    try:
        rounds = [[seconds(factor * size) for factor in (1, 2, 4)] for _ in range(3)]
    finally:
        gc.enable()
    once, twice, four_times = least = [min(taken) for taken in zip(*rounds, strict=True)]
    assert twice < 3 * once + SLACK, least
    assert four_times < 6 * once + SLACK, least
    return least
