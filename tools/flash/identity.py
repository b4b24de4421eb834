"""Who a board is to be: its id and name, its Wi-Fi, and the installation it belongs to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from phantom.keys import KEY_BYTES
from phantom.membership import INSTALLATION_BYTES
from storagebox import installation
from tools.flash.faults import FlashFault
from tools.flash.wifi import Wifi

# As the board checks them (phantom.provision).
_ID_BYTES = 32
_NAME_BYTES = 64
_ID_SIGNS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@dataclass(frozen=True)
class Identity:
    """What an owner decides; None leaves it to the board (its id is then its chip's).

    installation: {"id", "key", "name"} as in a board's installation.json; None: it is new, and
    waits to be adopted.
    """

    id: str | None = None
    name: str | None = None
    wifi: Wifi | None = None
    installation: dict[str, str] | None = field(default=None, repr=False)

    def of(self, installation: dict[str, str] | None) -> Identity:
        """The same in an installation."""
        return replace(self, installation=installation)

    def device(self) -> dict[str, Any]:
        """The board's device.json."""
        fields: dict[str, Any] = {}
        if self.id is not None:
            fields["id"] = self.id
        if self.name is not None:
            fields["name"] = self.name
        if self.wifi is not None:
            fields["wifi"] = self.wifi.as_json()
        return fields

    def files(self) -> dict[str, object]:
        """What of it lies in the board's file system, by absolute name."""
        files: dict[str, object] = {"/device.json": self.device()}
        if self.installation is not None:
            files["/installation.json"] = self.installation
        return files


def check(identity: str | None, name: str | None) -> None:
    """Raise FlashFault for an id or a name that a board would refuse."""
    if identity is not None and not (
        0 < len(identity.encode()) <= _ID_BYTES and set(identity) <= _ID_SIGNS
    ):
        raise FlashFault(f"--id {identity!r}: 1 to {_ID_BYTES} letters, digits, '-', '_' and '.'")
    if name is not None and not (0 < len(name.encode()) <= _NAME_BYTES and name.isprintable()):
        raise FlashFault(f"--name {name!r}: 1 to {_NAME_BYTES} bytes of text in one line")


def of_state(state: Path) -> dict[str, str] | None:
    """The installation of the box whose folder this is; None if there is no box here.

    Raises FlashFault if the folder holds a damaged one.
    """
    if not (state / installation.FILE).exists():
        return None
    return _of_folder(state)


def of_file(path: Path) -> dict[str, str]:
    """The installation in a file: a box's STATE/installation.json, or a board's.

    Raises FlashFault.
    """
    if path.is_dir():
        path = path / installation.FILE
    if path.name == installation.FILE:
        try:
            return _of_folder(path.parent)
        except FlashFault:
            pass  # a board's own file has the same name
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        wanted = {name: fields[name] for name in ("id", "key", "name")}
        identity, key = bytes.fromhex(wanted["id"]), bytes.fromhex(wanted["key"])
        if len(identity) != INSTALLATION_BYTES or len(key) != KEY_BYTES:
            raise ValueError
    except OSError as fault:
        raise FlashFault(f"--installation {path}: {fault.strerror}: give another file") from None
    except (KeyError, TypeError, ValueError):
        raise FlashFault(
            f"--installation {path}: no installation in it: give a box's STATE/installation.json"
        ) from None
    return wanted


def _of_folder(state: Path) -> dict[str, str]:
    try:
        member = installation.client(state)
    except installation.InstallationError as fault:
        raise FlashFault(f"{fault}; or flash the board as a new one: --new") from None
    return {"id": member.installation.hex(), "key": member.key.hex(), "name": member.name}
