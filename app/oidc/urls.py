"""Checks of addresses that receive secrets."""

import re
from ipaddress import ip_address

SAFE = re.compile(r"(https?)://(\[[0-9a-fA-F:]+\]|[^/\s?#@:\[\]\\]+)(:\d{1,5})?(/[^\s#]*)?")


def is_safe_url(url: str) -> bool:
    """Tell whether secrets may be sent to this address: by HTTPS, or by HTTP to this machine."""
    parts = SAFE.fullmatch(url)
    return parts is not None and (parts[1] == "https" or is_loopback(parts[2].strip("[]")))


def is_loopback(host: str) -> bool:
    """Tell whether the host is this machine, as a loopback address or localhost."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
