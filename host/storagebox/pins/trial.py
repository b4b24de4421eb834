"""Trying a wiring by hand: which button is pressed, and each light in turn. No box is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from . import buttons as gestures
from .gpio import Gpio
from .panel import TICK_S, WiredButton, WiredLight
from .wiring import Wiring

LIT_S = 0.6

Say = Callable[[str], object]


async def walk(lights: list[WiredLight], say: Say, lit_s: float = LIT_S) -> None:
    """Light each one alone. Raises GpioError."""
    for light in lights:
        say(f"light {light.light.name} is lit")
        light.show(True)
        await asyncio.sleep(lit_s)
        light.show(False)


async def listen(buttons: list[WiredButton], say: Say, seconds: float | None) -> None:
    """Say what is pressed, for so long or until cancelled. Raises GpioError."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    pressed_s: dict[str, float] = {}
    stuck: set[str] = set()
    while seconds is None or loop.time() - began_s < seconds:
        now_s = loop.time()
        for each in buttons:
            for gesture in each.sample(round(now_s * 1000)):
                if gesture == gestures.PRESSED:
                    pressed_s[each.name] = now_s
                    say(f"button {each.name} is down")
                elif gesture == gestures.HELD:
                    say(f"button {each.name} is held: a long press")
                elif gesture == gestures.RELEASED:
                    say(f"button {each.name} is up after {now_s - pressed_s[each.name]:.1f} s")
            if each.button.stuck and each.name not in stuck:
                stuck.add(each.name)
                say(f"button {each.name} is down from the start: let it go, or turn its `active`")
        await asyncio.sleep(TICK_S)


async def attempt(
    wiring: Wiring, gpio: Gpio, say: Say, seconds: float | None = None, lit_s: float = LIT_S
) -> None:
    """Walk the lights, then listen to the buttons. Raises GpioError."""
    buttons = [WiredButton(pin, gpio, wiring) for pin in wiring.buttons]
    await walk([WiredLight(pin, gpio) for pin in wiring.lights], say, lit_s)
    if buttons:
        await listen(buttons, say, seconds)
