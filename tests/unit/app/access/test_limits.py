"""The limit on requests: how many may come, from whom, when to come again, and what is remembered."""

import pytest
from starlette.requests import Request

from app.access import limits
from app.access.limits import RateLimit
from app.errors import TooManyRequests
from app.http.auth.sessions import client_of
from tests.waiting import Clock


def test_so_many_may_come_at_once_and_the_time_to_come_again_is_true():
    clock = Clock()
    limit = RateLimit(3, clock=clock)
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TooManyRequests) as caught:
        limit.take("a")
    assert caught.value.params == {"retry_after_seconds": 20}
    limit.take("b")
    clock.now += 19
    with pytest.raises(TooManyRequests):
        limit.take("a")
    clock.now += 1
    limit.take("a")


def test_a_client_that_has_waited_is_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "REMEMBERED", 10)
    clock = Clock()
    limit = RateLimit(60, clock=clock)
    for number in range(10):
        limit.take(f"early-{number}")
    clock.now += 2
    limit.take("late")
    assert len(limit._busy_until) == 1


@pytest.mark.parametrize(
    ("host", "client"),
    [("203.0.113.9", "203.0.113.9"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("a socket", "a socket")],
)
def test_a_client_is_an_address_or_the_network_of_one_customer(host, client):
    assert client_of(Request({"type": "http", "client": (host, 1)})) == client
