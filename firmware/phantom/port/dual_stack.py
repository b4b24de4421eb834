"""`socket` and `select` of MicroPython on a PC, for IPv4 and IPv6 at once.

A board's sockets know IPv4 only, and firmware is written for those. Here the same calls reach
both: "0.0.0.0" is any address of either family, and a link-local address carries its interface,
"fe80::1%eth0". Without IPv6 in the kernel it is IPv4 alone.
"""

import select as host_select
import socket as host_socket
from collections.abc import Iterator
from typing import Any

_MAPPED = "::ffff:"  # IPv4 in IPv6 (RFC 4291)
_ANY = "0.0.0.0"

Address = tuple[str, int]


class Sockets:
    """Stands where a module has `socket`. `local` is where it listens, if not anywhere."""

    AF_INET = host_socket.AF_INET
    SOCK_DGRAM = host_socket.SOCK_DGRAM
    SOCK_STREAM = host_socket.SOCK_STREAM
    SO_BROADCAST = host_socket.SO_BROADCAST
    SO_REUSEADDR = host_socket.SO_REUSEADDR

    def __init__(self, local: str = _ANY) -> None:
        self._local = local

    def socket(self, _family: int, kind: int) -> "DualSocket":
        """A socket of both families."""
        return DualSocket(kind, self._local)


class Select:
    """Stands where a module has `select`."""

    POLLIN = host_select.POLLIN

    def poll(self) -> "Poll":
        """A poll object with MicroPython's `ipoll`."""
        return Poll()


class Poll:
    """select.poll as MicroPython has it, as far as it is used."""

    def __init__(self) -> None:
        self._poll = host_select.poll()
        self.register = self._poll.register
        self.unregister = self._poll.unregister

    def ipoll(self, timeout_ms: int) -> Iterator[tuple[int, int]]:
        """What is ready, one by one."""
        return iter(self._poll.poll(timeout_ms))


class DualSocket(host_socket.socket):
    """One socket; what would block returns None from `readinto` and `write`, as on a board."""

    def __init__(self, kind: int = -1, local: str = _ANY, fileno: int | None = None) -> None:
        self._local = local
        if fileno is not None:
            super().__init__(fileno=fileno)
            return
        try:
            super().__init__(host_socket.AF_INET6, kind)
            self.setsockopt(host_socket.IPPROTO_IPV6, host_socket.IPV6_V6ONLY, 0)
        except OSError:
            super().__init__(host_socket.AF_INET, kind)

    def bind(self, address: Address) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        host, port = address
        super().bind(self._full((self._local if host == _ANY else host, port)))

    def connect(self, address: Address) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connect(self._full(address))

    def sendto(self, data: Any, address: Address) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().sendto(data, self._full(address))

    def recvfrom(self, size: int) -> tuple[bytes, Address]:  # pyright: ignore[reportIncompatibleMethodOverride]
        data, address = super().recvfrom(size)
        return data, plain(address)

    def accept(self) -> tuple["DualSocket", Address]:
        descriptor, address = self._accept()  # pyright: ignore[reportAttributeAccessIssue]
        return DualSocket(fileno=descriptor), plain(address)

    def readinto(self, buffer: bytearray) -> int | None:
        try:
            return self.recv_into(buffer)
        except BlockingIOError:
            return None

    def write(self, data: bytearray, at: int, size: int) -> int | None:
        try:
            return self.send(memoryview(data)[at : at + size])
        except BlockingIOError:
            return None

    def _full(self, address: Address) -> tuple[Any, ...]:
        host, port = address
        if self.family == host_socket.AF_INET:
            return host, port
        if host == _ANY:
            return "::", port
        if ":" not in host:
            return _MAPPED + host, port
        host, _, interface = host.partition("%")
        return host, port, 0, host_socket.if_nametoindex(interface) if interface else 0


def plain(address: tuple[Any, ...]) -> Address:
    """A socket address as firmware knows it: IPv4 as such, link-local IPv6 with its interface."""
    host, port = address[:2]
    if host.startswith(_MAPPED):
        return host[len(_MAPPED) :], port
    if len(address) == 4 and address[3]:
        return f"{host.partition('%')[0]}%{host_socket.if_indextoname(address[3])}", port
    return host, port
