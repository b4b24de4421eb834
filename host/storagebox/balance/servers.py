"""Servers as a program names them: addresses, endpoints, or a resolver that finds them."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver import Resolver
from storagebox.balance.resolver.static import Static

Servers = Sequence[str | Endpoint] | Resolver
"""`["10.0.0.1:80", Endpoint(...)]`, or a resolver."""

_PORTS = {"http": 80, "https": 443}


def resolver_of(servers: Servers) -> Resolver:
    """The resolver that tells of these servers.

    Raises:
        ValueError: an address can't be read.
        TypeError: it is one text, and not a list of them.
    """
    if isinstance(servers, str):
        raise TypeError(f"servers: {servers!r} is one address: put it into a list, [{servers!r}]")
    if isinstance(servers, Sequence):
        return Static(
            [
                endpoint if isinstance(endpoint, Endpoint) else parsed(endpoint)
                for endpoint in servers
            ]
        )
    return servers


def parsed(address: str) -> Endpoint:
    """The endpoint at `host:port`, `[::1]:port` or `http://host[:port]`.

    Raises:
        ValueError: it is none of these.
    """
    url = urlsplit(address if "://" in address else f"//{address}")
    try:
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        port = None
    if not url.hostname or port is None:
        raise ValueError(
            f"address {address!r} lacks host or port: write host:port, or [address]:port"
        )
    return Endpoint(url.hostname, port)
