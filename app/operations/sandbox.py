"""The sandbox of a process that grades, started before the rest of the service is imported.

Its warm process takes as long to import TensorFlow as we need for the web framework and the database, so both run side
by side. Keep this module's own imports few.
"""

import logging

from app.settings import Settings
from grader.sandbox import ForkSandbox, Kind

logger = logging.getLogger(__name__)

# The process for Keras 2 starts when a submission needs it.
WARM = (Kind.READER, Kind.KERAS3)


def start_sandbox(settings: Settings) -> ForkSandbox:
    """Start a sandbox and its warm processes without waiting for them. The caller closes it.

    Raises:
        SandboxUnavailable: this host lacks the device in the settings.
        SandboxStartFailed: a warm process cannot be started.
    """
    # One more for the spare slot of the queue, but not on a GPU: one run may take all of its memory.
    slots = settings.slots + (settings.device == "cpu")
    sandbox = ForkSandbox(slots, accept_missing=settings.missing_parts, device=settings.device)
    logger.info("device_chosen", extra={"device": str(sandbox.device), "reason": sandbox.device.reason})
    sandbox.start(*WARM)
    return sandbox
