"""Buttons and lights on this machine's pins: `pins`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .app import RUN, app
from .ask import show_json
from .ending import FAILED, fail
from .options import Json

if TYPE_CHECKING:
    from storagebox.pins.wiring import Wiring


@app.command(rich_help_panel=RUN)
def pins(
    file: Annotated[
        Path | None,
        typer.Argument(help="Which pin is what. Default: as in the example."),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Print a file to begin with.")
    ] = False,
    test: Annotated[
        bool, typer.Option("--test", help="Light each light, then say which button is pressed.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(help="How long --test listens.", min=0.0, show_default="until Ctrl-C"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how buttons and lights are wired to this machine, and try them."""
    from storagebox.pins import wiring as wirings

    if example:
        print(wirings.EXAMPLE, end="")
        return
    if seconds is not None and not test:
        fail("pins: --seconds is for --test: give both")
    if as_json and test:
        fail("pins: --test speaks to people: leave --json out")
    try:
        wiring = wirings.read(file) if file else wirings.parse(wirings.EXAMPLE, "the example")
    except wirings.WiringError as fault:
        fail(str(fault))
    if test:
        _test(wiring, seconds)
    elif as_json:
        show_json({"pins": [dict(row) for row in _rows(wiring)]})
    else:
        from . import tables

        tables.show(*tables.pins(_rows(wiring)))


def _test(wiring: Wiring, seconds: float | None) -> None:
    import asyncio

    from storagebox.pins import trial
    from storagebox.pins.blinka import BlinkaGpio
    from storagebox.pins.gpio import GpioError

    def say(text: str) -> None:
        print(text, flush=True)

    try:
        gpio = BlinkaGpio()
        try:
            with suppress(KeyboardInterrupt):  # that is how listening ends
                asyncio.run(trial.attempt(wiring, gpio, say, seconds))
        finally:
            gpio.close()
    except GpioError as fault:
        fail(str(fault), FAILED)


def _rows(wiring: Wiring) -> list[dict[str, Any]]:
    """A row a button and light, with its pins of the header if it has such."""
    from storagebox.pins.header import GPIO_PINS, gpio_of, nearest_ground

    rows: list[dict[str, Any]] = []
    for kind, entries in (("button", wiring.buttons), ("light", wiring.lights)):
        for each in entries:
            gpio = gpio_of(each.pin)
            pin = GPIO_PINS[gpio] if gpio is not None else None
            other = "3.3 V" if each.active_high == (kind == "button") else "ground"
            rows.append(
                {
                    "kind": kind,
                    "name": each.name,
                    "pin": each.pin,
                    "gpio": gpio,
                    "header_pin": pin,
                    "active": "high" if each.active_high else "low",
                    "pull": getattr(each, "pull", None),
                    "other_end": other,
                    "ground_pin": nearest_ground(pin) if pin and other == "ground" else None,
                }
            )
    return rows
