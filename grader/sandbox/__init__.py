"""The trusted half of the wall: starts the warm processes, sends them requests, and reads bytes back."""

from grader.sandbox.budget import BudgetedSandbox
from grader.sandbox.host.device import Device, DeviceChoice, choose_device
from grader.sandbox.launcher import CAN_BE_MISSING, ForkSandbox
from grader.sandbox.limits import Limits
from grader.sandbox.outcome import Outcome, Sandbox, Use
from grader.sandbox.requests import Kind
