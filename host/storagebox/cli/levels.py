"""How loud: `volume`, `mute`, `unmute`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import MUSIC, app
from .ask import ask, show_json
from .ending import fail
from .options import Control, DeviceOption, Json, RoomNames, State


@app.command(rich_help_panel=MUSIC, context_settings={"ignore_unknown_options": True})
def volume(
    level: Annotated[
        str | None, typer.Argument(help="0 to 100, or by how much: +5, -5. Default: only show.")
    ] = None,
    room: RoomNames = None,
    device: DeviceOption = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Set the volume, or change it and keep the balance of a group's rooms."""
    if level is None and device is None:
        _show(ask(control, state, "rooms"), room, as_json)
        return
    value, delta = read_level(level or "")
    answer = ask(control, state, "volume", rooms=room, device=device, value=value, delta=delta)
    if as_json:
        show_json(answer)
    elif device is not None:
        print(f"{device} {f'at {value:g}' if value is not None else f'changed by {delta:+g}'}")
    else:
        _show(ask(control, state, "rooms"), room, as_json=False)


def read_level(text: str) -> tuple[float | None, float | None]:
    """(value, None) for 40, (None, delta) for +5; ends the command at anything else."""
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = float("nan")
    change = text.startswith(("+", "-"))
    if not (-100 if change else 0) <= number <= 100:
        fail(f"volume: {text or 'nothing'} is no level: give 0 to 100, or a change as +5 or -5")
    return (None, number) if change else (number, None)


def _show(rooms: list[dict[str, object]], names: list[str] | None, as_json: bool) -> None:
    if as_json:
        show_json({"rooms": rooms})
        return
    from . import tables

    tables.show(tables.levels(tables.named(rooms, names)))


@app.command(rich_help_panel=MUSIC)
def mute(
    room: RoomNames = None,
    device: DeviceOption = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Silence rooms; the volume stays what it is."""
    _mute(True, room, device, as_json, state, control)


@app.command(rich_help_panel=MUSIC)
def unmute(
    room: RoomNames = None,
    device: DeviceOption = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Let rooms sound again."""
    _mute(False, room, device, as_json, state, control)


def _mute(
    on: bool,
    rooms: list[str] | None,
    device: str | None,
    as_json: bool,
    state: Path | None,
    control: Path | None,
) -> None:
    answer = ask(control, state, "mute", rooms=rooms, device=device, on=on)
    if as_json:
        show_json(answer)
    else:
        where = device or (", ".join(rooms) if rooms else "every room")
        print(f"{where}: {'muted' if on else 'sounds again'}")
