"""MicroPython's sockets on a PC: one socket for both families, with a board's manners."""

from __future__ import annotations

import socket

import pytest

from phantom.port.dual_stack import Select, Sockets, plain
from tests import loopback


def _listener(local: str = "0.0.0.0"):
    listener = Sockets(local).socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("0.0.0.0", 0))
    listener.listen(2)
    return listener, listener.getsockname()[1]


def test_whoever_comes_by_ipv4_is_known_by_an_ipv4_address() -> None:
    listener, port = _listener()
    with listener, socket.create_connection(("127.0.0.1", port)) as caller:
        accepted, peer = listener.accept()
        with accepted:
            assert peer == ("127.0.0.1", caller.getsockname()[1])


def test_whoever_comes_by_ipv6_reaches_the_same_socket() -> None:
    listener, port = _listener()
    with listener:
        try:
            caller = socket.create_connection(("::1", port), 2)
        except OSError:
            pytest.skip("no IPv6 on this machine")
        with caller:
            accepted, peer = listener.accept()
            accepted.close()
            assert peer[0] == "::1"


def test_a_local_address_is_all_that_is_listened_on() -> None:
    own, other = loopback.address(), loopback.address()
    listener, port = _listener(own)
    with listener:
        socket.create_connection((own, port)).close()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((other, port))


def test_a_read_and_a_write_that_would_block_return_none_as_on_a_board() -> None:
    listener, port = _listener()
    with listener, socket.create_connection(("127.0.0.1", port)) as caller:
        accepted, _ = listener.accept()
        with accepted:
            accepted.setblocking(False)
            buffer = bytearray(8)
            assert accepted.readinto(buffer) is None
            assert accepted.write(bytearray(b"__abc__"), 2, 3) == 3
            assert caller.recv(8) == b"abc"
            caller.sendall(b"xy")
            poller = Select().poll()
            poller.register(accepted, Select.POLLIN)
            assert len(list(poller.ipoll(2000))) == 1
            assert (accepted.readinto(buffer), bytes(buffer[:2])) == (2, b"xy")
            while accepted.write(bytearray(65536), 0, 65536) is not None:
                pass


def test_datagrams_go_to_and_come_from_ipv4_addresses() -> None:
    sockets = Sockets("127.0.0.1")
    asker = sockets.socket(socket.AF_INET, socket.SOCK_DGRAM)
    answerer = sockets.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with asker, answerer:
        answerer.bind(("0.0.0.0", 0))
        asker.connect(("127.0.0.1", answerer.getsockname()[1]))
        asker.send(b"question")
        data, who = answerer.recvfrom(64)
        assert (data, who[0]) == (b"question", "127.0.0.1")
        answerer.sendto(b"answer", who)
        assert asker.recvfrom(64)[0] == b"answer"


def test_a_link_local_address_carries_its_interface() -> None:
    index, name = socket.if_nameindex()[0]
    assert plain(("fe80::1", 4770, 0, index)) == (f"fe80::1%{name}", 4770)
    assert plain(("2001:db8::1", 4770, 0, 0)) == ("2001:db8::1", 4770)
    assert plain(("::ffff:192.0.2.1", 4770, 0, 0)) == ("192.0.2.1", 4770)
