"""What runs until it is told to end: `box` and `renderer`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import RUN, app
from .ending import fail
from .options import Control, State
from .state_folder import default_state


@app.command(rich_help_panel=RUN)
def box(
    name: Annotated[
        str, typer.Option(help="What a new installation is called, on the first start.")
    ] = "home",
    address: Annotated[
        str, typer.Option(help="This machine's address, where devices find house time.")
    ] = "0.0.0.0",
    state: State = None,
    music: Annotated[Path | None, typer.Option(help="What to play when nothing is named.")] = None,
    control: Control = None,
    pins: Annotated[
        Path | None,
        typer.Option(help="Buttons and lights on this machine's pins: see `phantom pins`."),
    ] = None,
    consul_http: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS:PORT",
            help="Serve Consul's API there, for everybody who can reach it.",
            show_default="nowhere",
        ),
    ] = "",
    consul_dns: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS:PORT",
            help="Serve names below .consul there.",
            show_default="nowhere",
        ),
    ] = "",
) -> None:
    """Run the storage box until it is told to end."""
    import asyncio

    from storagebox import box as storage
    from storagebox.pins import wiring
    from storagebox.registrar.consul.address import AddressFault, parse

    for text in filter(None, (consul_http, consul_dns)):
        try:
            parse(text)
        except AddressFault as fault:
            fail(str(fault))
    if pins is not None:
        try:
            wiring.read(pins)
        except wiring.WiringError as fault:
            fail(str(fault))
    try:
        asyncio.run(
            storage.serve(
                storage.Box(
                    name=name,
                    address=address,
                    state=state or default_state(),
                    control=control,
                    music=music,
                ),
                pins,
                consul_http=consul_http,
                consul_dns=consul_dns,
            )
        )
    except storage.BoxError as fault:
        fail(str(fault))


@app.command(rich_help_panel=RUN)
def renderer(
    name: Annotated[
        str | None, typer.Option(help="What it is called.", show_default="this machine's name")
    ] = None,
    output: Annotated[
        str, typer.Option(help="A WAV file for all that is played, or `null`.")
    ] = "null",
    address: Annotated[
        str, typer.Option(help="The one IPv4 address of this machine to use.")
    ] = "0.0.0.0",
    state: State = None,
) -> None:
    """Play on this machine as a board would, until told to end."""
    import asyncio

    from storagebox.renderer import service

    try:
        asyncio.run(service.serve(state or default_state(), name, output, address))
    except service.RendererError as fault:
        fail(str(fault))
