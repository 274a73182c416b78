"""Names the use of built-in recurrent code."""

from __future__ import annotations

from grader.execution.execution import Execution
from grader.report.finding import Finding, Params


def conviction(execution: Execution) -> Finding:
    """Choose the best code for the use of built-in code, with the layer asked for and the line that asked."""
    first = next((noted for noted in execution.built_in if noted.line is not None), execution.built_in[0])
    params: Params = {"functions": names_of(execution)}
    params |= {key: value for key in ("layer", "line") if (value := getattr(first, key)) is not None}
    if any(noted.is_global for noted in execution.built_in):
        return Finding.of("uses_global_keras_layer", params)
    only_loop = {noted.name for noted in execution.built_in} <= {"backend.rnn"}
    return Finding.of("uses_builtin_rnn" if only_loop else "uses_builtin_lstm", params)


def names_of(execution: Execution) -> list[str]:
    layers = {noted.layer for noted in execution.built_in if noted.layer is not None}
    return sorted(layers | {noted.name for noted in execution.built_in})
