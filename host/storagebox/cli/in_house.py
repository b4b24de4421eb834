"""`house://SERVICE` on command lines: servers of this box's house, found by their beacons."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from .ending import fail
from .state_folder import default_state

if TYPE_CHECKING:
    from storagebox.registrar.services import InHouse

SCHEME: Final = "house"


def found(place: str, state: Path | None) -> InHouse | None:
    """The resolver that the URL names, None for one of another scheme, or the end of this command.

    house://search            servers that announce a service called search
    house://10.0.0.7/search   the same, but by one address of this machine only
    """
    if not place.startswith(f"{SCHEME}:"):
        return None
    from storagebox import installation
    from storagebox.registrar.services import InHouse

    url = urlsplit(place)
    address, service = (url.netloc, url.path.strip("/")) if url.path else ("", url.netloc)
    try:
        if address:
            ipaddress.ip_address(address)
    except ValueError:
        service = ""
    if not service:
        fail(f"{place}: give house://SERVICE, or house://ADDRESS/SERVICE with this machine's own")
    try:
        return InHouse(installation.client(state or default_state()), service, address or None)
    except installation.InstallationError as fault:
        fail(f"{place}: {fault}")
