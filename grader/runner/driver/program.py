"""The program of a process that runs submissions: what it loads beforehand, and what a child does with its request."""

import lockdown
import safetensors.numpy
from box_requests import ClassRequest, NotebookRequest
from channel import Channel
from frames import read_request

from driver import warming
from driver.asking import Driver
from driver.notebook import notebook_run
from driver.short_ways import plain_dense, variable_names
from driver.student import own_warnings

preload = warming.preload


def main(request_fd: int, lockdown_seconds: float) -> None:
    """Answer the request on `request_fd`. Runs in the child, behind the lockdown, which took `lockdown_seconds`."""
    request: ClassRequest | NotebookRequest
    request, block = read_request(request_fd)
    arrays = safetensors.numpy.load(block) if block else {}
    own_warnings.show_only_own()
    if not request["prepared"]:
        plain_dense.uninstall()
        variable_names.uninstall()
    if request["task"] == "notebook":
        notebook_run.run(request, arrays, Channel(lockdown.RESULT))
    else:
        Driver(request, arrays, Channel(lockdown.RESULT), lockdown_seconds).run()
