"""The ways that beacons take from this machine: one for each address, found anew as they change.

A way has two sockets. One is bound to our own address: it sends, and gets what is sent to us
alone. The other is bound to the broadcast (or multicast) address, so that a box, a client and a
test's devices on one machine all hear what is meant for everybody.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import ifaddr

from phantom.wire import DISCOVERY_PORT

# All nodes of a link (RFC 4291): nobody need join it, so no router has to know of it.
ALL_NODES = "ff02::1"
ANYWHERE = ("", "0.0.0.0", "::")

Address = tuple[str, int]


@dataclass(frozen=True)
class Place:
    """One address of ours, and how everybody on its link is reached."""

    host: str  # as peers know it, without an interface
    everybody: str
    interface: str
    index: int
    prefix: int

    @property
    def is_ipv6(self) -> bool:
        """Whether it is a link-local IPv6 address; all others are IPv4."""
        return ":" in self.host

    def reaches(self, host: str) -> bool:
        """Whether a host (with its interface, if it is link-local) is on this link."""
        bare, _, interface = host.partition("%")
        if self.is_ipv6 or ":" in bare:
            return self.is_ipv6 and ":" in bare and interface == self.interface
        network = ipaddress.IPv4Network((self.host, self.prefix), strict=False)
        return ipaddress.IPv4Address(bare) in network


def places(only: str | None = None) -> list[Place]:
    """Where this machine is: IPv4 first. With `only`, that IPv4 address and its interface's IPv6.

    Loopback counts only if it is asked for.
    """
    wanted = None if only is None or only in ANYWHERE else ipaddress.ip_address(only)
    if wanted is not None and wanted.is_loopback and wanted.version == 4:
        # All of 127.0.0.0/8 is ours, listed or not.
        return [Place(str(wanted), "127.255.255.255", "lo", 0, 8)]
    found: list[Place] = []
    for adapter in ifaddr.get_adapters():
        index = adapter.index or 0
        here = list(_places_of(adapter, index))
        if wanted is not None and all(place.host != str(wanted) for place in here):
            continue
        found += [p for p in here if p.is_ipv6 or wanted is None or p.host == str(wanted)]
    return sorted(found, key=lambda place: (place.is_ipv6, place.index, place.host))


def _places_of(adapter: ifaddr.Adapter, index: int) -> Iterator[Place]:
    for ip in adapter.ips:
        if isinstance(ip.ip, str):
            interface = ipaddress.IPv4Interface((ip.ip, ip.network_prefix))
            # A tunnel's single address has nobody to broadcast to.
            if not interface.is_loopback and ip.network_prefix <= 30:
                everybody = str(interface.network.broadcast_address)
                yield Place(ip.ip, everybody, adapter.name, index, ip.network_prefix)
        else:
            host = ip.ip[0].partition("%")[0]
            if ipaddress.IPv6Address(host).is_link_local:
                yield Place(host, ALL_NODES, adapter.name, index, ip.network_prefix)


class Way:
    """The sockets of one place. Raises OSError if they can't be had (yet)."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._family = socket.AF_INET6 if place.is_ipv6 else socket.AF_INET
        self.sockets: list[socket.socket] = []
        try:
            self._own = self._socket()
            if not place.is_ipv6:
                self._own.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            else:
                index = struct.pack("@I", place.index)
                self._own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            try:
                self._own.bind(self._full(place.host, DISCOVERY_PORT))
            except OSError:  # another program of this machine was first: any port will do
                self._own.bind(self._full(place.host, 0))
            everybody = self._socket()
            everybody.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            everybody.bind(self._full(place.everybody, DISCOVERY_PORT))
        except BaseException:
            self.close()
            raise

    def _socket(self) -> socket.socket:
        made = socket.socket(self._family, socket.SOCK_DGRAM)
        self.sockets.append(made)
        made.setblocking(False)
        return made

    def _full(self, host: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
        return (host, port, 0, self.place.index) if self.place.is_ipv6 else (host, port)

    def send(self, datagram: bytes | bytearray, address: Address | None) -> None:
        """To one, or to everybody. Raises OSError if the kernel can't just now."""
        host, port = (self.place.everybody, DISCOVERY_PORT) if address is None else address
        self._own.sendto(datagram, self._full(host.partition("%")[0], port))

    def sender(self, address: tuple[str, int]) -> Address:
        """Who sent, as `recvfrom` of one of the sockets tells it; link-local with interface."""
        host, port = address[:2]
        if self.place.is_ipv6:
            host = f"{host.partition('%')[0]}%{self.place.interface}"
        return host, port

    def close(self) -> None:
        """Close the sockets."""
        for made in self.sockets:
            with suppress(OSError):
                made.close()
        self.sockets.clear()
