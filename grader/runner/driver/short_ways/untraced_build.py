"""Builds a model of Keras 3 in its first call, without the symbolic trace that Keras does before it.

Keras traces `call` so that the layers inside build themselves. They do so in the call that follows just as well.
Afterwards this module does the rest of Keras' work: note the path and the shapes, and lock the layer's state.
"""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

from driver.student.student_module import MODULE_NAME

_pending: list[tuple[Any, Any, str]] = []
_active = False


def install() -> None:
    """Install the short way. Called once, in the warm process. Nothing changes outside of `untraced`."""
    module = importlib.import_module("keras.src.layers.layer")
    current_path = importlib.import_module("keras.src.backend.common.name_scope").current_path
    is_default = module.utils.is_default
    keras_way = module.Layer._maybe_build

    def _maybe_build(self: Any, call_spec: Any) -> None:
        if (
            not _active
            or self.built
            or not call_spec.eager
            or type(self).__module__ != MODULE_NAME
            or not is_default(self.build)
            or not module.might_have_unbuilt_state(self)
        ):
            keras_way(self, call_spec)
            return
        shape = next(iter(module.get_shapes_dict(call_spec).values()), None)
        with self._open_name_scope():
            _pending.append((self, shape, current_path()))

    module.Layer._maybe_build = _maybe_build


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    """Let a student's layer be built by its own first call. For layers whose calls leave nothing behind."""
    global _active
    _active = True
    try:
        yield
    finally:
        _active = False
        called, _pending[:] = list(_pending), []
    for layer, shape, path in called:
        layer._path = path
        layer._build_shapes_dict = {"input_shape": shape}
        layer._post_build()
        layer._lock_state()
