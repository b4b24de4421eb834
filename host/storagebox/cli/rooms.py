"""Rooms and what they share: `group`, `ungroup`, `pair`, `unpair`, `name`, `identify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .app import ROOMS, app
from .ask import ask, ask_if_there, show_json
from .completion import complete_rooms_and_devices
from .ending import FAILED, NO_BOX, fail
from .options import Control, Device, Json, Room, Rooms, State
from .state_folder import default_state


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
    """Let rooms chime, to tell which is which. Where no box runs, devices do, by name or id."""
    answer = ask_if_there(control, state, "identify", rooms=rooms or None)
    if answer is None:
        answer = _without_box(rooms or None, state or default_state())
    if as_json:
        show_json(answer)
    else:
        for device in answer["chiming"]:
            print(f"{device}: chiming")
        for device, why in answer["refused"].items():
            print(f"{device}: {why}")
        for device in answer["away"]:
            print(f"{device}: away")
    if not answer["chiming"]:
        raise typer.Exit(FAILED)


def _without_box(devices: list[str] | None, state: Path) -> dict[str, Any]:
    import asyncio

    from storagebox.identify import NobodyError, identify
    from storagebox.installation import InstallationError

    try:
        return asyncio.run(identify(state, devices)).as_dict()
    except InstallationError as fault:
        fail(str(fault), NO_BOX)
    except NobodyError as fault:
        fail(str(fault), FAILED)
