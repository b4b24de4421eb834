"""Straight to a device: `call`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from .app import LOOK, app
from .ask import ask, show_json
from .ending import fail
from .options import Control, Device, Json, State


@app.command(rich_help_panel=LOOK)
def call(
    device: Device,
    method: Annotated[str, typer.Argument(help="As device.info; see docs/protocol.md.")],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="JSON values; what is none is a text."),
    ] = None,
    as_json: Json = False,
    state: State = None,
    control: Control = None,
) -> None:
    """Call a method of a device and print what it answers."""
    params = dict(_parameter(text) for text in parameters or [])
    answer = ask(control, state, "call", device=device, method=method, params=params)
    if as_json:
        show_json({"result": answer})
    else:
        print(answer if isinstance(answer, str) else json.dumps(answer, indent=2))


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        fail(f"call: {text!r} is no parameter: give it as KEY=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
