"""The installation that boards, boxes and stand-ins of emulated houses share, unless told."""

from __future__ import annotations

from collections.abc import Mapping

from storagebox.installation import Membership

INSTALLATION = {"id": "70686e746f6d0001", "key": "5a" * 32, "name": "emulated"}  # no secret


def member(identity: str, boot: int = 1, belongs: Mapping[str, str] = INSTALLATION) -> Membership:
    """A membership of it, or of another installation."""
    installation, key = bytes.fromhex(belongs["id"]), bytes.fromhex(belongs["key"])
    return Membership(identity, installation, key, belongs["name"], boot)
