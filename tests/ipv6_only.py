"""Stations of the virtual network that have IPv6 link-local addresses and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from boards.emulated.network import Station

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


def ipv6_only(station: Station) -> Callable[..., subprocess.Popen[str]]:
    """The station's popen, for programs that are to have IPv6 alone."""

    def popen(argv: list[str], **options: object) -> subprocess.Popen[str]:
        return station.popen([sys.executable, "-c", _IPV6_ONLY, *argv], **options)

    return popen
