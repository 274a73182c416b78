"""Lets variables share a kernel of TensorFlow, though each has a name of its own.

An eager variable is made by an operation that carries the variable's name, for messages. TensorFlow keeps a kernel for
each set of attributes, so it would prepare one for each name, which takes longer than all else about a variable. The
variable itself, and messages that Python makes, keep the name.
"""

from typing import Any

from tensorflow.python.eager import context
from tensorflow.python.ops import gen_resource_variable_ops

_shared = True


def install() -> None:
    """Leave the name out of the operation. Called once, in the warm process."""
    var_handle_op = gen_resource_variable_ops.var_handle_op
    anonymous = context.anonymous_name()

    def nameless(*args: Any, **kwargs: Any) -> Any:
        if _shared and kwargs.get("shared_name") == anonymous:  # so it is eager
            kwargs["debug_name"] = ""
        return var_handle_op(*args, **kwargs)

    gen_resource_variable_ops.var_handle_op = nameless


def uninstall() -> None:
    """Restore TensorFlow's own way in this process: for runs that are compared with it."""
    global _shared
    _shared = False
