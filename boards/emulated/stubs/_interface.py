"""The board's one network interface: which address it has now.

In a network namespace of its own that is the station's device, whose address may change; on
loopback, where all boards share 127.0.0.0/8, it is the address that the board was given.
"""

import socket as _socket

import ffi
from _board import facts

_SIOCGIFADDR = 0x8915
_SIOCGIFNETMASK = 0x891B
_DEVICES = ("wlan0", "eth0")

_ioctl = ffi.open("libc.so.6").func("i", "ioctl", "iLP")


def on_loopback():
    """Whether this board shares its network namespace with others."""
    return facts["address"].startswith("127.")


def address():
    """(address, netmask); 0.0.0.0 while there is none."""
    if on_loopback():
        return facts["address"], "255.0.0.0"
    probe = _socket._host.socket(_socket.AF_INET, _socket.SOCK_DGRAM)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        for device in _DEVICES:
            found = _ask(probe, _SIOCGIFADDR, device)
            if found is not None:
                return found, _ask(probe, _SIOCGIFNETMASK, device) or "255.255.255.0"
    finally:
        probe.close()
    return "0.0.0.0", "0.0.0.0"


def _ask(probe, request, device):
    # struct ifreq: 16 bytes of name, then a sockaddr_in.
    packed = bytearray(40)
    packed[: len(device)] = device.encode()
    if _ioctl(probe.fileno(), request, packed) < 0:
        return None
    return ".".join(str(octet) for octet in packed[20:24])
