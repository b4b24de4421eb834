"""A virtual home network: every station in a network namespace of its own, one access point.

    with VirtualNetwork("wifi", seed=1) as net:
        box = net.station("box", "10.77.0.2", profile="wired")
        kitchen = net.station("kitchen", "10.77.0.11")
        process = kitchen.popen(["ping", "10.77.0.2"])
        net.stall(kitchen, 0.3)

Needs Linux, /dev/net/tun, and either root or user namespaces; `NetworkUnavailable` says what is
missing and what to do. See docs/network.md.
"""

from .house import Station, VirtualNetwork
from .namespace import NetworkUnavailable
from .profiles import PROFILES, Profile, Spread, profile_named

__all__ = [
    "PROFILES",
    "NetworkUnavailable",
    "Profile",
    "Spread",
    "Station",
    "VirtualNetwork",
    "profile_named",
]
