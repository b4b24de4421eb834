"""What is there and how it fares: `status`, `rooms`, `watch`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated

import typer

from .app import LOOK, app
from .ask import ask, ask_of, connect, show_json
from .completion import complete_devices
from .ending import FAILED, fail
from .options import Control, Json, State


@app.command(rich_help_panel=LOOK)
def status(as_json: Json = False, state: State = None, control: Control = None) -> None:
    """Show what plays, where, and how well."""
    answer = ask(control, state, "status")
    if as_json:
        show_json(answer)
        return
    from . import tables

    tables.show(*tables.status(answer))


@app.command(rich_help_panel=LOOK)
def rooms(as_json: Json = False, state: State = None, control: Control = None) -> None:
    """List the rooms and their devices."""
    answer = ask(control, state, "rooms")
    if as_json:
        show_json({"rooms": answer})
        return
    from . import tables

    tables.show(*tables.rooms(answer))


@app.command(rich_help_panel=LOOK)
def watch(
    device: Annotated[
        str | None,
        typer.Argument(help="Only this device.", autocompletion=complete_devices),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line, for programs.")
    ] = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Tell every change as it happens, until Ctrl-C."""
    from storagebox.control import ControlError

    from . import tables

    with connect(control, state) as client:
        ask_of(client, "watch", device=device)
        try:
            for method, change in client.notifications():
                told = change if method == "changed" else {"kind": method, **change}
                if as_json:
                    print(json.dumps(told), flush=True)
                else:
                    clock = datetime.now().astimezone().strftime("%H:%M:%S")
                    print(f"{clock}  {tables.change(told)}", flush=True)
        except ControlError as fault:
            fail(str(fault), FAILED)
        except KeyboardInterrupt:
            return  # that is how watching ends
