"""Addresses of both families, link-local ones included, and connections by them."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from storagebox.streamer import tcp

_LOCAL = 0x20  # an address's scope in /proc/net/if_inet6


def _link_local() -> list[str]:
    """This machine's own, each with its interface."""
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return []
    found: list[str] = []
    for line in lines:
        digits, _, _, scope, _, interface = line.split()
        if int(scope, 16) == _LOCAL:
            address = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))
            found.append(f"{address}%{interface}")
    return found


def test_an_address_says_its_family_and_its_interface():
    index = socket.if_nametoindex("lo")
    assert tcp.endpoint("10.0.0.5", 4770) == (socket.AF_INET, ("10.0.0.5", 4770))
    assert tcp.endpoint("::1", 4770) == (socket.AF_INET6, ("::1", 4770, 0, 0))
    assert tcp.endpoint("fe80::1%lo", 1) == (socket.AF_INET6, ("fe80::1", 1, 0, index))
    assert tcp.endpoint("fe80::1%7", 1) == (socket.AF_INET6, ("fe80::1", 1, 0, 7))
    with pytest.raises(OSError):
        tcp.endpoint("fe80::1%nowhere0", 1)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", *_link_local()])
def test_a_connection_goes_by_any_of_them(address: str):
    async def story() -> None:
        with tcp.listen(address, 0) as listener:
            port = listener.getsockname()[1]
            loop = asyncio.get_running_loop()
            with await tcp.connect(address, port, None) as ours:
                theirs, _ = await loop.sock_accept(listener)
                with theirs:
                    await loop.sock_sendall(ours, b"hello")
                    assert await loop.sock_recv(theirs, 10) == b"hello"

    asyncio.run(story())


def test_a_local_address_of_the_other_family_is_left_to_the_routes():
    async def story() -> None:
        with tcp.listen("::1", 0) as listener:
            sock = await tcp.connect("::1", listener.getsockname()[1], "127.0.0.1")
            sock.close()

    asyncio.run(story())
