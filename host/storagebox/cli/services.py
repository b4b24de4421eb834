"""What runs until it is told to end: `box`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .app import INTERRUPTED, RUN, Control, State, app, default_state, fail


@app.command(rich_help_panel=RUN)
def box(
    rooms: Annotated[Path, typer.Option(help="The rooms file: which devices form which rooms.")],
    address: Annotated[
        str, typer.Option(help="This machine's address, where devices find house time.")
    ] = "0.0.0.0",
    state: State = None,
    music: Annotated[Path | None, typer.Option(help="What to play when nothing is named.")] = None,
    control: Control = None,
) -> None:
    """Run the storage box until it is told to end."""
    import asyncio

    from storagebox import box as storage
    from storagebox.coordinator.rooms import RoomsError, load

    try:
        installation = load(rooms)
        asyncio.run(
            storage.serve(
                storage.Box(
                    installation,
                    address=address,
                    state=state or default_state(),
                    control=control,
                    music=music,
                )
            )
        )
    except (RoomsError, storage.BoxError) as fault:
        fail(str(fault))
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
