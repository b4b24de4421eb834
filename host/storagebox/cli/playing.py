"""What plays: `play`, `pause`, `resume`, `stop`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .app import MUSIC, app
from .ask import ask, show_json
from .completion import complete_codecs
from .options import Control, Json, RoomNames, State


@app.command(rich_help_panel=MUSIC)
def play(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files and folders. Default: the box's own music."),
    ] = None,
    room: RoomNames = None,
    lead_ms: Annotated[int | None, typer.Option(help="How far ahead chunks are sent.")] = None,
    codec: Annotated[
        str | None, typer.Option(help="pcm16 or ima-adpcm.", autocompletion=complete_codecs)
    ] = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Play files and folders, in order, in all rooms or some."""
    # The box may run in another folder.
    absolute = [str(path.expanduser().absolute()) for path in paths or []]
    answer = ask(control, state, "play", paths=absolute, rooms=room, lead_ms=lead_ms, codec=codec)
    if as_json:
        show_json(answer)
    else:
        print(f"playing {_where(room)}")


@app.command(rich_help_panel=MUSIC)
def pause(
    room: RoomNames = None, as_json: Json = False, state: State = None, control: Control = None
) -> None:
    """Hold the music; `resume` goes on where it was."""
    _order("pause", "paused", room, as_json, state, control)


@app.command(rich_help_panel=MUSIC)
def resume(
    room: RoomNames = None, as_json: Json = False, state: State = None, control: Control = None
) -> None:
    """Go on where the music was held."""
    _order("resume", "playing", room, as_json, state, control)


@app.command(rich_help_panel=MUSIC)
def stop(
    room: RoomNames = None, as_json: Json = False, state: State = None, control: Control = None
) -> None:
    """Stop the music."""
    _order("stop", "stopped", room, as_json, state, control)


def _order(
    method: str,
    done: str,
    rooms: list[str] | None,
    as_json: bool,
    state: Path | None,
    control: Path | None,
) -> None:
    answer: Any = ask(control, state, method, rooms=rooms)
    if as_json:
        show_json(answer)
    else:
        print(f"{done} {_where(rooms)}" if answer is not False else "nothing plays")


def _where(rooms: list[str] | None) -> str:
    return f"in {', '.join(rooms)}" if rooms else "in every room"
