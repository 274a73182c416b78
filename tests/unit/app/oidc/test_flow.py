"""A sign-in belongs to one browser for ten minutes, and leads to an address of this service."""

import re
import time
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.oidc.flow import LIFETIME_SECONDS, begin, resume
from app.onward import is_local


def test_cookie_brings_the_same_sign_in_back():
    flow = begin("/submissions/x?lang=ru")
    assert resume(flow.cookie) == flow
    assert flow.next == "/submissions/x?lang=ru"
    assert flow.fits(flow.state)


def test_state_nonce_and_verifier_differ_and_do_not_tell_the_cookie():
    one, other = begin("/"), begin("/")
    derived = [*(getattr(flow, name) for flow in (one, other) for name in ("state", "nonce", "verifier"))]
    assert len(set(derived)) == 6
    assert all(value not in one.cookie and re.fullmatch("[0-9a-f]{64}", value) for value in derived)
    assert not one.fits(other.state)
    assert not one.fits("")
    assert not one.fits("\ud800")


def test_sign_in_ends_after_ten_minutes(monkeypatch):
    flow, now = begin("/"), time.time()
    monkeypatch.setattr(time, "time", lambda: now + LIFETIME_SECONDS + 1)
    assert resume(flow.cookie) is None


@pytest.mark.parametrize("next", ["//evil.example.org", "/\\evil.example.org", "https://evil.example.org", "evil", ""])
def test_cookie_that_leads_elsewhere_is_none_of_ours(next):
    until, secret, _ = begin("/").cookie.split(".")
    assert resume(f"{until}.{secret}.{urlsafe_b64encode(next.encode()).decode()}") is None
    assert begin(next).next == "/"


@given(st.text(max_size=100))
def test_any_text_is_a_cookie_or_none(text):
    flow = resume(text)
    assert flow is None or is_local(flow.next)
