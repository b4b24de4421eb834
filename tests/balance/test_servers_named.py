"""Servers as programs name them."""

import pytest

from storagebox.balance import Endpoint
from storagebox.balance.resolver.consul import Consul
from storagebox.balance.resolver.dns import Addresses, Services
from storagebox.balance.resolver.etcd import Etcd
from storagebox.balance.resolver.static import Static
from storagebox.balance.servers import parsed, resolver_of


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("10.0.0.1:80", "10.0.0.1", 80),
        ("[::1]:80", "::1", 80),
        ("http://box", "box", 80),
        ("https://box/", "box", 443),
        ("http://box:81/path", "box", 81),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, host: str, port: int):
    assert parsed(address) == Endpoint(host, port)
    assert resolver_of([address]) == Static([Endpoint(host, port)])


@pytest.mark.parametrize(
    "address", ["", "box", ":80", "box:0x50", "box:99999", "[::1:80", "ftp://box"]
)
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(ValueError, match=r"address|IPv6|port"):
        parsed(address)


@pytest.mark.parametrize(
    ("place", "resolver"),
    [
        ("consul:///search", Consul("search")),
        ("consul://10.0.0.1:8500/search", Consul("search", "10.0.0.1:8500")),
        ("srv://_search._tcp.service.consul", Services("_search._tcp.service.consul")),
        ("dns://search.example:80", Addresses("search.example", 80)),
        (
            "etcd://10.0.0.1:2379/services/search/",
            Etcd("services/search/", ["http://10.0.0.1:2379"]),
        ),
    ],
)
def test_a_place_names_a_resolver(place: str, resolver: object):
    assert resolver_of(place) == resolver


@pytest.mark.parametrize(
    "place", ["10.0.0.1:80", "consul://agent", "etcd://h:1/", "srv://", "x://y"]
)
def test_what_is_no_place_is_refused_with_what_would_be(place: str):
    with pytest.raises(ValueError, match=r"servers .* consul://AGENT/SERVICE"):
        resolver_of(place)
