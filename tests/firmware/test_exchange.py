"""The asking side of the four-stamp exchange, with a server that says nothing."""

import socket
from time import ticks_add, ticks_us
from types import SimpleNamespace

import pytest

from phantom import exchange
from phantom.clock import HouseClock


class _Socket(socket.socket):
    """With what MicroPython's sockets have."""

    def readinto(self, buffer: bytearray) -> int | None:
        try:
            return self.recv_into(buffer)
        except BlockingIOError:
            return None


def test_a_server_that_stays_silent_is_asked_by_another_socket(monkeypatch: pytest.MonkeyPatch):
    made = SimpleNamespace(socket=_Socket, AF_INET=socket.AF_INET, SOCK_DGRAM=socket.SOCK_DGRAM)
    monkeypatch.setattr(exchange, "socket", made)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        asking = exchange.Exchange(HouseClock(), 7)
        began = ticks_us()

        def asked_from(after_us: int) -> object:
            asking.poll(ticks_add(began, after_us))
            return server.recvfrom(64)[1]

        asking.start(*server.getsockname(), began)
        first = asked_from(0)
        assert asked_from(1_000_000) == first
        assert asked_from(1_600_000) != first
        asking.stop()
