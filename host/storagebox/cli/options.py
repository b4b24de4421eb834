"""Options and arguments that many commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .completion import complete_devices, complete_rooms

State = Annotated[
    Path | None, typer.Option(help="The box's folder.", show_default="~/.local/state/phantom")
]
Control = Annotated[
    Path | None, typer.Option(help="The control socket.", show_default="STATE/box.sock")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]
RoomNames = Annotated[
    list[str] | None,
    typer.Option(
        "--room",
        help="A room by name; may be repeated. Default: all.",
        autocompletion=complete_rooms,
    ),
]
DeviceOption = Annotated[
    str | None,
    typer.Option("--device", help="One device instead.", autocompletion=complete_devices),
]
Room = Annotated[str, typer.Argument(help="A room by name.", autocompletion=complete_rooms)]
Rooms = Annotated[list[str], typer.Argument(help="Rooms by name.", autocompletion=complete_rooms)]
Device = Annotated[
    str, typer.Argument(help="A device by its id.", autocompletion=complete_devices)
]
