"""Programs on hosts find each other over IPv6 alone: two machines without an IPv4 address."""

from __future__ import annotations

import os
import sys
import time

import pytest

from boards.emulated.network import NetworkUnavailable, Station, VirtualNetwork
from phantom.wire import mux
from tools.bench.watcher import Watcher

# IPv6 is off in stations, as boards have none; the station's IPv4 address is taken from it.
_IPV6_ONLY = """
import fcntl, os, socket, struct, sys
for key, value in (("accept_dad", "0"), ("disable_ipv6", "0")):
    for scope in ("all", "eth0"):
        open(f"/proc/sys/net/ipv6/conf/{scope}/{key}", "w").write(value)
settings = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
none = struct.pack("16s16s8x", b"eth0", struct.pack("HH4s8x", socket.AF_INET, 0, bytes(4)))
fcntl.ioctl(settings, 0x8916, none)
os.execv(sys.argv[1], sys.argv[1:])
"""


def _ipv6_only(station: Station):
    def popen(argv: list[str], **options: object):
        return station.popen([sys.executable, "-c", _IPV6_ONLY, *argv], **options)

    return popen


def test_boxes_and_clients_find_each_other_over_ipv6_link_local_alone() -> None:
    try:
        network = VirtualNetwork("wired")
        network.open()
    except NetworkUnavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    try:
        box = Watcher(_ipv6_only(network.station("box", "10.77.0.2")), id="box", role=mux.ROLE_BOX)
        box.wait("started", "box")
        client = Watcher(
            _ipv6_only(network.station("client", "10.77.0.3")), id="client", role=mux.ROLE_CLIENT
        )
        for watcher, other in ((box, "client"), (client, "box")):
            addresses = watcher.wait("added", other)["addresses"]
            assert addresses[0].startswith("fe80::")
            assert addresses[0].endswith("%eth0")
        left_ns = time.monotonic_ns()
        client.stop()
        assert box.wait("removed", "client", left_ns)["reason"] == "goodbye"
    finally:
        network.close()
