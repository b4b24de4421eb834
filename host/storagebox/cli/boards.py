"""The boards of the house: `adopt`, `forget`, `trim`."""

from __future__ import annotations

from typing import Annotated

import typer

from .app import BOARDS, app
from .ask import ask, show_json
from .completion import complete_boards
from .ending import fail
from .options import Control, Device, Json, State


@app.command(rich_help_panel=BOARDS)
def adopt(
    board: Annotated[
        str | None,
        typer.Argument(
            help="A board by its id. Default: list those that wait.",
            autocompletion=complete_boards,
        ),
    ] = None,
    code: Annotated[
        str | None, typer.Argument(help="The code on its serial console, XXXX-XXXX-XXXX.")
    ] = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Take a new board into this house."""
    if board is None:
        waiting = ask(control, state, "status").get("unadopted", [])
        if as_json:
            show_json({"unadopted": waiting})
            return
        from . import tables

        tables.show(*tables.unadopted(waiting))
        return
    if code is None:
        fail(
            f"adopt: the code of {board} is missing: read it on the board's serial console: "
            f"phantom adopt {board} XXXX-XXXX-XXXX"
        )
    answer = ask(control, state, "adopt", device=board, code=code)
    if as_json:
        show_json(answer)
    else:
        print(f"{board} is ours: name its room by `phantom name {board} NAME`")


@app.command(rich_help_panel=BOARDS)
def forget(
    device: Device, as_json: Json = False, state: State = None, control: Control = None
) -> None:
    """Drop a device for good: one that is here leaves the house, and may be adopted by another."""
    answer = ask(control, state, "forget", device=device)
    if as_json:
        show_json(answer)
    else:
        print(f"{device} is forgotten")


@app.command(rich_help_panel=BOARDS)
def trim(
    device: Device,
    delay_us: Annotated[
        int | None,
        typer.Option(help="Play later (or earlier, below 0), in us.", min=-200_000, max=200_000),
    ] = None,
    level_db: Annotated[
        float | None, typer.Option(help="Play softer, in dB.", min=-24.0, max=0.0)
    ] = None,
    max_volume: Annotated[
        float | None, typer.Option(help="Never louder than this.", min=0.0, max=100.0)
    ] = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Fit a device to its place: latency of its amplifier, loudness, a limit."""
    if delay_us is None and level_db is None and max_volume is None:
        fail(f"trim: nothing to change on {device}: give --delay-us, --level-db or --max-volume")
    answer = ask(
        control,
        state,
        "trim",
        device=device,
        trim_us=delay_us,
        level_db=level_db,
        max_volume=max_volume,
    )
    if as_json:
        show_json(answer)
    else:
        print(f"{device} is trimmed")
