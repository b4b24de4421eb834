"""ADDRESS:PORT as a person writes it: an IPv6 address stands in brackets."""

from __future__ import annotations

import ipaddress


class AddressFault(ValueError):
    """What is wrong with it, in one line."""


def parse(text: str) -> tuple[str, int]:
    """The IP address and the port. Raises AddressFault."""
    host, colon, port = text.rpartition(":")
    try:
        if not colon or (":" in host) != (host.startswith("[") and host.endswith("]")):
            raise ValueError
        address = ipaddress.ip_address(host.strip("[]"))
        if not (port.isascii() and port.isdigit()) or int(port) > 65535:
            raise ValueError
    except ValueError:
        raise AddressFault(
            f"{text}: no ADDRESS:PORT: give an IP address and a port, as 127.0.0.1:8500"
        ) from None
    return str(address), int(port)
