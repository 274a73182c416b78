"""Addresses that secrets may be sent to."""

from __future__ import annotations

import re
from ipaddress import ip_address

SAFE = re.compile(r"(https?)://(\[[0-9a-fA-F:]+\]|[^/\s?#@:\[\]\\]+)(:\d{1,5})?(/[^\s#]*)?")


def is_safe_url(url: str) -> bool:
    """Tell whether secrets may be sent there: by HTTPS, or by HTTP to this machine."""
    parts = SAFE.fullmatch(url)
    return parts is not None and (parts[1] == "https" or is_loopback(parts[2].strip("[]")))


def is_loopback(host: str) -> bool:
    """Tell whether it is this machine, written as an address or as localhost."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
