"""Programs on hosts find each other over IPv6 alone: two machines without an IPv4 address."""

from __future__ import annotations

import time

from phantom.wire import mux
from tests.ipv6_only import ipv6_only
from tests.networks import open_network
from tools.bench.watcher import Watcher


def test_boxes_and_clients_find_each_other_over_ipv6_link_local_alone() -> None:
    with open_network() as network:
        box = Watcher(ipv6_only(network.station("box", "10.77.0.2")), id="box", role=mux.ROLE_BOX)
        box.wait("started", "box")
        client = Watcher(
            ipv6_only(network.station("client", "10.77.0.3")), id="client", role=mux.ROLE_CLIENT
        )
        for watcher, other in ((box, "client"), (client, "box")):
            addresses = watcher.wait("added", other)["addresses"]
            assert addresses[0].startswith("fe80::")
            assert addresses[0].endswith("%eth0")
        left_ns = time.monotonic_ns()
        client.stop()
        assert box.wait("removed", "client", left_ns)["reason"] == "goodbye"
