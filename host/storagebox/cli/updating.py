"""New code for boards, over the network: `update`, and `bundle`, which makes what it sends."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .app import BOARDS, app
from .ask import ask_of, connect, show_json
from .completion import complete_rooms
from .ending import FAILED, fail, interrupted
from .options import Control, Json, State
from .state_folder import socket_of

if TYPE_CHECKING:
    from storagebox.control import ControlClient

_LOOK_EVERY_S = 0.25
# A box that is restarted in the middle is back within this.
_BOX_BACK_S = 60.0
# And its devices have found it, but for those that are switched off, within this.
_DEVICES_BACK_S = 30.0

_From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        help="A bundle, or a folder with the firmware's sources.",
        show_default="the firmware that is installed here",
    ),
]


@app.command(rich_help_panel=BOARDS)
def update(
    rooms: Annotated[
        list[str] | None,
        typer.Argument(help="Rooms by name.", autocompletion=complete_rooms),
    ] = None,
    all_rooms: Annotated[bool, typer.Option("--all", help="Every board of the house.")] = False,
    source: _From = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also go back, try again what has failed, and send what is there."
        ),
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the update that is under way, or was last.")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="End it: nothing more is sent, no further board begun.")
    ] = False,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Give boards new code over the network, one at a time; the first failure ends it.

    It is written and begun while no music plays there, and undone where it does not play in time.
    Ctrl-C ends it as --stop does; boards can't be broken by it.
    """
    if [bool(rooms), all_rooms, watch, stop].count(True) != 1:
        fail("update: name rooms, or give --all (or --watch or --stop alone)")
    with connect(control, state) as client:
        if stop:
            _stop(client, as_json)
            return
        if watch:
            _end(_watch(client, as_json), as_json)
            return
        found = ask_of(client, "updates", rooms=rooms or None)
        archs = sorted({b["arch"] for b in found["boards"] if b["arch"] and b["connected"]})
        with _bundles(source, archs) as bundles:
            order = {
                "bundles": [str(bundle) for bundle in bundles],
                "rooms": rooms or None,
                "force": force,
            }
            job = _ordered(client, socket_of(control, state), order, as_json)
    _end(job, as_json)


def _end(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(job)
    if not job["ok"]:
        raise typer.Exit(FAILED)


def _stop(client: ControlClient, as_json: bool) -> None:
    stopped = ask_of(client, "cancel_update")
    if as_json:
        show_json(stopped)
    elif stopped:
        print("stopped: no further board is begun")
    if not stopped:
        fail("update: none is under way", FAILED)


def _watch(client: ControlClient, as_json: bool) -> dict[str, Any]:
    """Show somebody else's job until it is over; Ctrl-C ends looking, and no more."""
    from .update_table import Shown

    job = ask_of(client, "updates")["job"]
    if not job["boards"] and not job["running"]:
        fail("update: none is under way, and there was none since the box has started", FAILED)
    with Shown(quiet=as_json) as shown:
        try:
            shown.show(job)
            while job["running"]:
                time.sleep(_LOOK_EVERY_S)
                job = ask_of(client, "updates")["job"]
                shown.show(job)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
    return job


@app.command(rich_help_panel=BOARDS)
def bundle(
    arch: Annotated[
        str, typer.Option(help="What the boards run: xtensawin (ESP32, S3), rv32imc (C3), …")
    ] = "xtensawin",
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A folder with the firmware's sources.",
            show_default="the firmware that is installed here",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A file, or a folder for it.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Make a bundle of the boards' code, for `phantom update --from` on another machine."""
    from tools.update import bundling

    try:
        package = None if source is None else bundling.sources(source)
        made = bundling.build(arch, output, package)
    except bundling.BundlingError as fault:
        fail(str(fault))
    if as_json:
        show_json({"bundle": str(made), "bytes": made.stat().st_size})
    else:
        print(f"{made}: {made.stat().st_size} bytes")


@contextmanager
def _bundles(source: Path | None, archs: list[str]) -> Generator[list[Path]]:
    """What to send, as files that are there until the block ends."""
    if source is not None and source.is_file():
        yield [source.absolute()]
        return
    from tools.update import bundling

    with tempfile.TemporaryDirectory(prefix="phantom-update-") as folder:
        try:
            package = None if source is None else bundling.sources(source)
            known = [arch for arch in archs if arch in bundling.ARCHITECTURES]
            made = [bundling.build(arch, Path(folder), package) for arch in known]
        except bundling.BundlingError as fault:
            fail(str(fault))
        yield made


def _ordered(
    client: ControlClient, path: Path, order: dict[str, Any], as_json: bool
) -> dict[str, Any]:
    """Order a job and show it until it is over; through a restart of the box too."""
    from storagebox.control import ControlError

    from .update_table import Shown

    box = client
    try:
        with Shown(quiet=as_json) as shown:
            try:
                ask_of(box, "update", **order)
                while True:
                    try:
                        job = box.call("updates")["job"]
                    except ControlError:
                        shown.note("the box has gone away: waiting for it")
                        box = _back(path)
                        # It has forgotten the job; the boards have not forgotten how far they are.
                        ask_of(box, "update", **order)
                        continue
                    shown.show(job)
                    if not job["running"]:
                        return job
                    time.sleep(_LOOK_EVERY_S)
            except KeyboardInterrupt:
                ask_of(box, "cancel_update")
                shown.show(ask_of(box, "updates")["job"])
                raise
    except KeyboardInterrupt:
        interrupted("update: interrupted: no further board is begun")
    finally:
        if box is not client:
            box.close()


def _back(path: Path) -> ControlClient:
    """A box that was restarted, once it has found its devices."""
    from phantom.rpc import RpcError
    from storagebox.control import ControlClient, NoBoxError

    try:
        box = ControlClient(path, _BOX_BACK_S)
    except NoBoxError as fault:
        fail(str(fault), FAILED)
    with suppress(RpcError):  # those that are not there by then are away
        box.call("wait", what="devices", timeout_s=_DEVICES_BACK_S)
    return box
