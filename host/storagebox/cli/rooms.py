"""Rooms and what they share: `group`, `ungroup`, `pair`, `unpair`, `name`, `identify`."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import ROOMS, Control, Device, Json, Room, Rooms, State, app, fail
from .ask import ask, show_json
from .completion import complete_rooms_and_devices


@app.command(rich_help_panel=ROOMS)
def group(
    rooms: Rooms, as_json: Json = False, state: State = None, control: Control = None
) -> None:
    """Let rooms share their music: the others join what the first one plays."""
    if len(rooms) < 2:
        fail(f"group: {rooms[0]} alone is no group: name two rooms or more")
    answer = ask(control, state, "group", rooms=rooms)
    if as_json:
        show_json(answer)
    else:
        others = ", ".join(rooms[1:])
        print(f"{others} {'joins' if len(rooms) == 2 else 'join'} {rooms[0]}")


@app.command(rich_help_panel=ROOMS)
def ungroup(
    rooms: Rooms, as_json: Json = False, state: State = None, control: Control = None
) -> None:
    """Take rooms out of their group, silent; the others play on."""
    answer = ask(control, state, "ungroup", rooms=rooms)
    if as_json:
        show_json(answer)
    else:
        print(f"{', '.join(rooms)}: on {'its' if len(rooms) == 1 else 'their'} own")


@app.command(rich_help_panel=ROOMS)
def pair(
    left: Device,
    right: Device,
    name: Annotated[str | None, typer.Option(help="What to call the room.")] = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Make two devices one room in stereo."""
    answer = ask(control, state, "pair", left=left, right=right, name=name)
    if as_json:
        show_json(answer)
    else:
        print(f"{left} and {right} are a stereo pair{f' in {name}' if name else ''}")


@app.command(rich_help_panel=ROOMS)
def unpair(
    room: Room, as_json: Json = False, state: State = None, control: Control = None
) -> None:
    """Make a stereo pair two rooms again."""
    answer = ask(control, state, "unpair", room=room)
    if as_json:
        show_json(answer)
    else:
        print(f"{room} is two rooms again: see `phantom rooms`")


@app.command("name", rich_help_panel=ROOMS)
def rename(
    room: Annotated[
        str,
        typer.Argument(
            help="A room by name, or a device by its id.",
            autocompletion=complete_rooms_and_devices,
        ),
    ],
    name: Annotated[str, typer.Argument(help="What it is called from now on.")],
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Name a room or a device."""
    answer = ask(control, state, "name", room=room, name=name)
    if as_json:
        show_json(answer)
    else:
        print(f"{room} is now {name}")


@app.command(rich_help_panel=ROOMS)
def identify(
    rooms: Annotated[
        list[str] | None,
        typer.Argument(
            help="Rooms by name, or devices by id. Default: all.",
            autocompletion=complete_rooms_and_devices,
        ),
    ] = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Let rooms chime, to tell which is which."""
    answer = ask(control, state, "identify", rooms=rooms or None)
    if as_json:
        show_json(answer)
    else:
        print(f"{', '.join(rooms) if rooms else 'every room'}: chiming")
