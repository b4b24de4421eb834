"""A station's one network interface: a TAP device, set up with ioctls (netdevice(7), tun.rst)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from contextlib import suppress
from ipaddress import IPv4Interface
from pathlib import Path

from .namespace import TUN_DEVICE, refused

MTU = 1500

_TUNSETIFF = 0x400454CA
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_SIOCADDRT = 0x890B
_SIOCSIFFLAGS = 0x8914
_SIOCSIFADDR = 0x8916
_SIOCSIFNETMASK = 0x891C
_SIOCSIFHWADDR = 0x8924
_IFF_UP_RUNNING = 0x41
_IFF_MULTICAST = 0x1000
_ARPHRD_ETHER = 1
_RTF_UP = 0x0001


class Tap:
    """A TAP device in the network namespace that the process is in when it is made.

    `descriptor` gives and takes Ethernet frames, without blocking. The device goes with it. What
    configures it is a socket of that namespace, so that can happen from anywhere, later.
    """

    def __init__(self, name: str, mac: bytes, address: IPv4Interface) -> None:
        self._name = name.encode()
        self._settings = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        _quiet_ipv6()
        self._flags(b"lo", _IFF_UP_RUNNING)
        self.descriptor = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        request = struct.pack("16sH22x", self._name, _IFF_TAP | _IFF_NO_PI)
        fcntl.ioctl(self.descriptor, _TUNSETIFF, request)
        hardware = struct.pack("16sH6s16x", self._name, _ARPHRD_ETHER, mac)
        fcntl.ioctl(self._settings, _SIOCSIFHWADDR, hardware)
        self._flags(self._name, _IFF_UP_RUNNING | _IFF_MULTICAST)
        self.set_address(address)

    def set_address(self, address: IPv4Interface) -> None:
        """Give the device this IPv4 address instead of the one it has."""
        self._address(_SIOCSIFADDR, str(address.ip))
        self._address(_SIOCSIFNETMASK, str(address.netmask))
        self._default_route()

    def close(self) -> None:
        """Remove the device."""
        os.close(self.descriptor)
        self._settings.close()

    def _flags(self, name: bytes, flags: int) -> None:
        fcntl.ioctl(self._settings, _SIOCSIFFLAGS, struct.pack("16sH22x", name, flags))

    def _address(self, request: int, address: str) -> None:
        packed = struct.pack("16s16s8x", self._name, bytes(_sockaddr(address)))
        fcntl.ioctl(self._settings, request, packed)

    def _default_route(self) -> None:
        """Everything else is on the link too: multicast and 255.255.255.255 need a route."""
        anywhere = _sockaddr("0.0.0.0")
        route = _RouteEntry(
            destination=anywhere, gateway=anywhere, mask=anywhere, flags=_RTF_UP, device=self._name
        )
        with suppress(FileExistsError):
            fcntl.ioctl(self._settings, _SIOCADDRT, route)


def try_tap() -> None:
    """Make a device and remove it. Raises NetworkUnavailable if that is not allowed here.

    A container may let a process have namespaces and no device, and AppArmor may take the rights
    that a user namespace should have given.
    """
    try:
        Tap("try0", b"\x02\0\0\0\0\0", IPv4Interface("10.77.0.1/24")).close()
    except OSError as error:
        raise refused(error) from error


class _RouteEntry(ctypes.Structure):
    """struct rtentry of <linux/route.h>."""

    _fields_ = (
        ("_pad1", ctypes.c_ulong),
        ("destination", ctypes.c_ubyte * 16),
        ("gateway", ctypes.c_ubyte * 16),
        ("mask", ctypes.c_ubyte * 16),
        ("flags", ctypes.c_ushort),
        ("_pad2", ctypes.c_short),
        ("_pad3", ctypes.c_ulong),
        ("_pad4", ctypes.c_void_p),
        ("metric", ctypes.c_short),
        ("device", ctypes.c_char_p),
        ("mtu", ctypes.c_ulong),
        ("window", ctypes.c_ulong),
        ("initial_rtt", ctypes.c_ushort),
    )


def _sockaddr(address: str) -> ctypes.Array[ctypes.c_ubyte]:
    packed = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
    return (ctypes.c_ubyte * 16).from_buffer_copy(packed)


def _quiet_ipv6() -> None:
    """Boards speak IPv4 only; without this every interface chats by multicast for itself."""
    for scope in ("all", "default"):
        with suppress(OSError):  # no IPv6, or a container's read-only /proc/sys: then it may chat
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
