"""The client of a request, for limits on people who are not signed in."""

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import Request


def client_of(request: Request) -> str:
    """Return the client's address, and for IPv6 its network, all of whose addresses one customer has."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else host
