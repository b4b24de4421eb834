"""Names for the shell to complete, from the box that runs: quickly or not at all, never a word."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

# A person waits for the shell meanwhile.
PATIENCE_S = 0.5
_BASH_SPECIAL = re.compile(r"([^\w@%+=:,./-])")


def complete_rooms(context: typer.Context, incomplete: str) -> list[str]:
    """Names of rooms."""
    return _fitting((room["name"] for room in _rooms(context)), incomplete)


def complete_devices(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of devices."""
    devices = (device["id"] for room in _rooms(context) for device in room["devices"])
    return _fitting(devices, incomplete)


def complete_rooms_and_devices(context: typer.Context, incomplete: str) -> list[str]:
    """Names of rooms, then ids of devices."""
    return complete_rooms(context, incomplete) + complete_devices(context, incomplete)


def complete_boards(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of boards that wait to be adopted."""
    status = _ask(context, "status") or {}
    return _fitting((board["id"] for board in status.get("unadopted", [])), incomplete)


def complete_codecs(incomplete: str) -> list[str]:
    """How sound can be packed."""
    return _fitting(("pcm16", "ima-adpcm"), incomplete)


def complete_kinds(incomplete: str) -> list[str]:
    """Kinds of boards."""
    try:
        from tools.flash import catalogue
    except ModuleNotFoundError:
        return []
    return _fitting(catalogue.names(), incomplete)


def complete_ports(incomplete: str) -> list[str]:
    """Serial ports."""
    try:
        from tools.flash import ports

        return _fitting((port.path for port in ports.found()), incomplete)
    except Exception:  # whatever it is, a person at a prompt can't use it
        return []


def _rooms(context: typer.Context) -> list[dict[str, Any]]:
    return _ask(context, "rooms") or []


def _ask(context: typer.Context, method: str) -> Any:
    from .state_folder import socket_of

    try:
        from storagebox.control import ControlClient

        control, state = (context.params.get(name) for name in ("control", "state"))
        path = socket_of(control and Path(control), state and Path(state))
        with ControlClient(path, answer_s=PATIENCE_S) as client:
            return client.call(method)
    except Exception:  # whatever it is, a person at a prompt can't use it
        return None


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    found = sorted({name for name in names if name.startswith(incomplete)})
    # Of the shells, bash alone takes what it gets as typed.
    bash = any(
        name.endswith("_COMPLETE") and how == "complete_bash" for name, how in os.environ.items()
    )
    return [_BASH_SPECIAL.sub(r"\\\1", name) for name in found] if bash else found
