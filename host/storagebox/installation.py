"""The installation that this machine's box belongs to: its id, its key, and the box's own id.

They live in STATE/installation.json, which only its owner may read: whoever has the key controls
the house. The first start of a box founds an installation; a second box of the same home is given
a copy of the file's `installation`, `key` and `name`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phantom.keys import KEY_BYTES
from phantom.membership import INSTALLATION_BYTES

FILE = "installation.json"
DEFAULT_NAME = "home"


class InstallationError(Exception):
    """The file can't be used; one line that names it, the fault and the remedy."""


@dataclass
class Membership:
    """What `phantom.membership.Membership` is on a device, for programs of the house's own.

    id: of the box or client. boot: how often it has started, from 1.
    """

    id: str
    installation: bytes
    key: bytes
    name: str
    boot: int = 1
    adopted: bool = True
    code: str | None = None

    def watch(self, callback: Callable[[], None]) -> None:
        """A box does not change its installation while it runs."""

    def code_key(self) -> bytes | None:
        """Nobody adopts a box."""
        return None


def start(state: Path, name: str = DEFAULT_NAME) -> Membership:
    """The membership of the box whose folder is `state`, which starts now and is counted.

    Founds an installation called `name` if the folder holds none. Raises InstallationError.
    """
    path = state / FILE
    fields = _read(path)
    if fields is None:
        fields = _founded(name)
    fields.setdefault("box", f"box-{secrets.token_hex(4)}")
    boots = fields.get("boots", 0)
    fields["boots"] = boots + 1 if isinstance(boots, int) else None
    membership = _membership(path, fields, fields["box"])
    _write(path, fields)
    return membership


def _founded(name: str) -> dict[str, Any]:
    return {
        "installation": secrets.token_hex(INSTALLATION_BYTES),
        "key": secrets.token_hex(KEY_BYTES),
        "name": name,
    }


def found(state: Path, installation: Mapping[str, str]) -> None:
    """Give `state` an installation that exists elsewhere: {"id", "key", "name"}, as on devices."""
    fields = {"installation": installation["id"], **installation}
    del fields["id"]
    _write(state / FILE, {**(_read(state / FILE) or {}), **fields})


def client(state: Path, kind: str = "client") -> Membership:
    """A membership for a program that does not stay; its id is its own and begins with `kind`.

    Raises InstallationError if no box has founded an installation in `state`.
    """
    path = state / FILE
    fields = _read(path)
    if fields is None:
        raise InstallationError(f"{path}: missing; start a box with this --state first")
    return _membership(path, {**fields, "boots": 1}, f"{kind}-{secrets.token_hex(4)}")


def _write(path: Path, fields: dict[str, Any]) -> None:
    """Whole or not at all, for its owner's eyes only."""
    state = path.parent
    partial = path.with_suffix(".new")
    try:
        state.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(fields, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(state, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as fault:
        raise InstallationError(f"{path}: {fault.strerror}: give another --state") from None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise InstallationError(f"{path}: {fault.strerror}: give another --state") from None
    except ValueError:
        raise InstallationError(f"{path}: not JSON; restore it from a copy") from None
    if not isinstance(fields, dict):
        raise InstallationError(f"{path}: holds no object; restore it from a copy")
    return fields  # pyright: ignore[reportUnknownVariableType]


def _membership(path: Path, fields: dict[str, Any], identity: Any) -> Membership:
    try:
        installation = bytes.fromhex(fields["installation"])
        key = bytes.fromhex(fields["key"])
        name, boots = fields["name"], fields["boots"]
        right = len(installation) == INSTALLATION_BYTES and len(key) == KEY_BYTES
        right = right and any(installation) and any(key)
        texts = isinstance(name, str) and isinstance(identity, str) and 0 < len(identity) <= 32
        if not right or not texts or not isinstance(boots, int) or not 0 < boots < 1 << 32:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise InstallationError(f"{path}: no installation in it; restore it from a copy") from None
    return Membership(identity, installation, key, name, boots)
