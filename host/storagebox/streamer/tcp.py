"""TCP as a link wants it: little buffered in the kernel, and known what is on its way."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios
from contextlib import suppress

# A lost SYN is repeated after 1 s; two losses are as good as a device that is off.
CONNECT_TIMEOUT_S = 2.0
# Unsent bytes the kernel takes before it says "full": about 40 ms of PCM16 stereo. What is in
# there can't be overtaken by a volume change any more.
NOTSENT_BYTES = 8192
# Sent and unacknowledged: enough for 1 Mbyte/s at a round trip of 30 ms. The kernel doubles it.
SEND_BUFFER_BYTES = 32768
# After a stall, retransmit within a second instead of backing off further (Linux 6.15 on;
# include/uapi/linux/tcp.h, Python has no name for it).
TCP_RTO_MAX_MS = 44
RTO_MAX_MS = 1000
# Loss on Wi-Fi is no sign of congestion; BBR doesn't take it for one.
CONGESTION = b"bbr"


def endpoint(address: str, port: int) -> tuple[socket.AddressFamily, tuple[str | int, ...]]:
    """Family and socket address of a numeric address: IPv4, IPv6, or fe80::1%eth0 with the
    interface that a link-local one is of. Raises OSError if there is no such interface."""
    if ":" not in address:
        return socket.AF_INET, (address, port)
    host, _, scope = address.partition("%")
    index = 0
    if scope:
        index = int(scope) if scope.isdigit() else socket.if_nametoindex(scope)
    return socket.AF_INET6, (host, port, 0, index)


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens at `address`, for stand-ins and devices on this machine."""
    family, where = endpoint(address, port)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(where)
        sock.listen(8)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock


async def connect(address: str, port: int, local_address: str | None) -> socket.socket:
    """A connected socket; addresses as in `endpoint`. Raises TimeoutError or another OSError."""
    family, where = endpoint(address, port)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_BYTES)
        with suppress(OSError):  # an older kernel backs off for longer
            sock.setsockopt(socket.IPPROTO_TCP, TCP_RTO_MAX_MS, RTO_MAX_MS)
        with suppress(OSError):  # not every kernel has it, or lets everybody have it
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, CONGESTION)
        if local_address:
            local_family, here = endpoint(local_address, 0)
            if local_family == family:  # the box's other family goes by the routes
                sock.bind(here)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


def unacknowledged(sock: socket.socket) -> int:
    """Bytes written to a socket that its peer has not acknowledged (SIOCOUTQ, tcp(7))."""
    return struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]


def abort(sock: socket.socket) -> None:
    """Close at once and send nothing of what waits: a hello that the kernel repeats after another
    connection's would take over from that."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    sock.close()


def retransmission_timeout_s(sock: socket.socket) -> float:
    """What the kernel would wait for an acknowledgement now (tcpi_rto of struct tcp_info)."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 16)
    return struct.unpack_from("=I", info, 8)[0] / 1e6
