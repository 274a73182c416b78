"""Shows the warnings that the submission itself gives, and no others.

Warnings of Keras and TensorFlow are mostly about the way in which we call a model. In the report they would look like
something that the student printed.
"""

import logging
import sys
import warnings
from typing import TextIO

from driver.student.student_module import FILE_NAME


def show_only_own() -> None:
    warnings.showwarning = _show
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    # `filename` is where a library places the fault, which may be the submission. The caller of `warn` is on the stack.
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename == warnings.__file__:
        frame = frame.f_back
    if frame.f_code.co_filename == FILE_NAME:
        print(warnings.formatwarning(message, category, filename, lineno, line), end="", file=file or sys.stderr)
