"""Values for a parameter that a number does not fit: a list of sizes, an input to look at, a layer of Keras.

``LSTM(hidden_dims)`` may read ``hidden_dims[0]``, ``LSTM(x, units)`` the shape of x, and ``LSTM(keras_lstm)`` the units
of the layer that it shall equal.
"""

from collections.abc import Callable
from typing import Any

from driver.construction.settings_objects import Sizes


def other_kinds(size: int, sizes: Sizes, tf: Any) -> list[Callable[[], Any]]:
    """List values that may replace an expected number, the likeliest first. Each call makes a new object.

    Args:
        size: the number that the parameter would be given.
        tf: the module, as the submission sees it.
    """
    shape = (sizes["batch"], sizes["timesteps"], sizes["features"])

    def layer() -> Any:
        reference = tf.keras.layers.LSTM(sizes["units"], return_sequences=True, recurrent_activation="sigmoid")
        reference.build(shape)
        return reference

    return [
        lambda: [size],
        lambda: tf.zeros(shape),
        lambda: [sizes["features"], sizes["units"]],
        lambda: [sizes["units"], sizes["features"]],
        layer,
        lambda: shape,
    ]


def in_kind_of(default: Any, size: int) -> Any:
    """Return a size in the type of a default such as ``32.0`` or ``"32"``; None where the default is not a size.

    >>> in_kind_of("32", 8), in_kind_of(32.0, 8), in_kind_of(0.5, 8)
    ('8', 8.0, None)
    """
    if isinstance(default, str):
        return str(size) if default.isdecimal() else None
    is_size = isinstance(default, int | float) and not isinstance(default, bool) and default > 1 and default % 1 == 0
    return type(default)(size) if is_size else None
