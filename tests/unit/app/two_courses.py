"""Calls of a service with two courses, the fixture `two`."""

from typing import Any

import httpx

from tests.unit.app.calls import SUBMISSIONS
from tests.unit.app.conftest import OTHER_COURSE as OTHER
from tests.unit.app.conftest import Service

__all__ = ["OTHER", "get", "submit"]


async def submit(service: Service, token: str, student: str = "ivanov", **params: Any) -> httpx.Response:
    async with service.client(token) as client:
        return await client.post(
            SUBMISSIONS,
            params={"wait": 120, **params},
            files={"file": ("LSTM.py", b"class LSTM: ...")},
            data={"student": student, "assignment": params.pop("assignment", "lstm-layer")},
        )


async def get(service: Service, token: str, path: str, **params: Any) -> httpx.Response:
    async with service.client(token) as client:
        return await client.get(path, params=params)
