"""Where the box of this machine keeps what it knows, and where it serves."""

from __future__ import annotations

import os
from pathlib import Path


def default_state() -> Path:
    """The box's folder where none is given."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "phantom"


def socket_of(control: Path | None, state: Path | None) -> Path:
    """Where the box serves."""
    from storagebox.control import CONTROL_SOCKET

    return control or (state or default_state()) / CONTROL_SOCKET
