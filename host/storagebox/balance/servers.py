"""Servers as a program names them: addresses, endpoints, or a resolver that finds them."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from storagebox.balance.endpoint import Endpoint
from storagebox.balance.resolver import Resolver
from storagebox.balance.resolver.static import Static

Servers = str | Sequence[str | Endpoint] | Resolver
"""`["10.0.0.1:80", Endpoint(...)]`, where they can be found (`found_at`), or a resolver."""

_PORTS = {"http": 80, "https": 443}
PLACES = ("consul", "srv", "dns", "etcd")
"""The schemes of places where servers can be found."""


def resolver_of(servers: Servers) -> Resolver:
    """The resolver that tells of these servers.

    Raises:
        ValueError: an address can't be read.
    """
    if isinstance(servers, str):
        return found_at(servers)
    if isinstance(servers, Sequence):
        return Static(
            [
                endpoint if isinstance(endpoint, Endpoint) else parsed(endpoint)
                for endpoint in servers
            ]
        )
    return servers


def found_at(place: str) -> Resolver:
    """The resolver that a URL names.

        consul://127.0.0.1:8500/search   instances of a service; consul:///search: the usual agent
        srv://_search._tcp.example.org   SRV records
        dns://search.example.org:7700    addresses of a name
        etcd://127.0.0.1:2379/search/    keys under a prefix

    Raises:
        ValueError: it is none of these.
    """
    url = urlsplit(place)
    name = url.path.lstrip("/")
    if url.scheme == "consul" and name:
        from storagebox.balance.resolver.consul import Consul

        return Consul(name, url.netloc or None)
    if url.scheme == "srv" and url.hostname:
        from storagebox.balance.resolver.dns import Services

        return Services(url.netloc)
    if url.scheme == "dns" and url.hostname:
        from storagebox.balance.resolver.dns import Addresses

        at = parsed(url.netloc)
        return Addresses(at.host, at.port)
    if url.scheme == "etcd" and url.netloc and name:
        from storagebox.balance.resolver.etcd import Etcd

        return Etcd(name, [f"http://{url.netloc}"])
    raise ValueError(
        f"servers {place!r}: give a list of addresses, or where they can be found:"
        " consul://AGENT/SERVICE, srv://NAME, dns://NAME:PORT or etcd://HOST:PORT/PREFIX"
    )


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
