"""`phantom renderer`: a renderer with its folder, its membership and its output."""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import signal
import socket
from pathlib import Path

from phantom import config, membership
from phantom.port import pc
from storagebox import installation
from storagebox.installation import InstallationError
from storagebox.journal import Journal

from .device import ANYWHERE, Renderer

NOWHERE = "null"
_FOLDERS = "renderers"  # in the state folder, one a name
_NAME_BYTES = 64


class RendererError(Exception):
    """The renderer can't start; the message is one line that says why and what to do."""


async def serve(state: Path, name: str | None, output: str, address: str = ANYWHERE) -> None:
    """Run a renderer until SIGTERM or SIGINT. Raises RendererError if it can't start.

    It belongs to the installation of the box whose folder is `state`, if there is one; otherwise
    it waits to be adopted, as a board does.
    """
    name = name or socket.gethostname()
    if not 0 < len(name.encode()) <= _NAME_BYTES or "/" in name or name.startswith("."):
        raise RendererError(
            f"--name {name!r}: give 1 to {_NAME_BYTES} bytes, without / and no . in front"
        )
    journal = Journal()
    folder = _folder(state / _FOLDERS / name)
    _join(folder, state)
    sink = _sink(output)
    try:
        renderer = Renderer(_identity(folder), name, str(folder), sink, journal, address)
        gc.collect()
        gc.freeze()  # what lives now lives for ever: each collection is as short as a board's
        journal.emit("renderer.ready", id=renderer.id, output=output, began_ns=renderer.began_ns)
        await _until_told(renderer)
    finally:
        sink.close()
    journal.emit("renderer.end")


async def _until_told(renderer: Renderer) -> None:
    running = asyncio.ensure_future(renderer.serve())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    await asyncio.wait({running})
    if not running.cancelled():
        running.result()


def _folder(folder: Path) -> Path:
    os.umask(0o077)  # whoever has the installation's key controls the house
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise RendererError(f"{folder}: {fault.strerror}: give another --state") from None
    return folder


def _sink(output: str) -> pc.Sink:
    if output == NOWHERE:
        return pc.Nowhere()
    try:
        return pc.Recording(Path(output))
    except OSError as fault:
        raise RendererError(
            f"--output {output}: {fault.strerror}: give another file, or {NOWHERE}"
        ) from None


def _identity(folder: Path) -> str:
    """Of this renderer, the same in every start."""
    path = str(folder) + config.DEVICE
    identity = config.load_or(path, {}).get("id")
    if isinstance(identity, str) and 0 < len(identity.encode()) <= 32:
        return identity
    identity = f"pc-{secrets.token_hex(4)}"
    config.save(path, {"id": identity})
    return identity


def _join(folder: Path, state: Path) -> None:
    """Who may read the box's folder may have its key: then nobody need adopt us."""
    if not (state / installation.FILE).exists():
        return
    path = str(folder) + membership.INSTALLATION
    try:
        config.load(path)
    except config.Missing:
        pass
    except config.ConfigError:
        return  # the membership tells what is wrong with it
    else:
        return
    try:
        box = installation.client(state)
    except InstallationError as fault:
        raise RendererError(str(fault)) from None
    joined = {"id": box.installation.hex(), "key": box.key.hex(), "name": box.name}
    config.save(path, joined)
