"""Buttons and lights at work: reads the ones, asks the box, drives the others.

    panel = Panel(wiring, gpio, control_socket, tell)
    await panel.run()

`tell` hears of each press that asked for something and of what became of it, as events.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from phantom.rpc import RpcError

from . import buttons as gestures
from .buttons import Button
from .gpio import Gpio, Input, Output
from .house import House
from .lights import REFUSED_MS, Light, Scene
from .line import Line
from .orders import MAX_RISE, Orders
from .wiring import PAIR, PLAY, VOLUME_DOWN, VOLUME_UP, ButtonPin, LightPin, Wiring

# Short against a press (80 ms and more) and a bounce (some ms); long for a small machine.
TICK_S = 0.01
_TICKS_A_CHORE = 25

Tell = Callable[..., None]
"""tell(event, **fields): fields are plain JSON values."""


class WiredButton:
    """A button and the pin that it is on. Opening it raises GpioError."""

    def __init__(self, pin: ButtonPin, gpio: Gpio, wiring: Wiring) -> None:
        self.name = pin.name
        self._input: Input = gpio.input(pin.pin, pin.pull)
        self._active_high = pin.active_high
        steps = {VOLUME_UP: MAX_RISE, VOLUME_DOWN: 100}.get(pin.name, 0) // wiring.volume_step
        self.button = Button(
            debounce_ms=wiring.debounce_ms,
            hold_ms=wiring.hold_ms if pin.name in (PLAY, PAIR) else 0,
            repeats=max(steps - 1, 0),
        )

    def sample(self, now_ms: int) -> list[str]:
        """Read it. Raises GpioError."""
        return self.button.feed(self._input.read() is self._active_high, now_ms)


class WiredLight:
    """A light and the pin that it is on, dark at first. Opening it raises GpioError."""

    def __init__(self, pin: LightPin, gpio: Gpio) -> None:
        self.light = Light(pin.name)
        self._active_high = pin.active_high
        self._output: Output = gpio.output(pin.pin, not pin.active_high)
        self._lit = False

    def show(self, lit: bool) -> None:
        """Switch it, if it is not so already. Raises GpioError."""
        if lit is not self._lit:
            self._lit = lit
            self._output.write(lit is self._active_high)


class Panel:
    """Opens its pins when it is made. Raises GpioError, then and while it runs."""

    def __init__(self, wiring: Wiring, gpio: Gpio, control: Path, tell: Tell) -> None:
        self._tell = tell
        self._house = House()
        self._line = Line(control, self._house, self._fault)
        self._orders = Orders(wiring, self._house, self._line.call)
        self._rooms = wiring.rooms
        self._step = wiring.volume_step
        self._buttons = [WiredButton(pin, gpio, wiring) for pin in wiring.buttons]
        self._lights = [WiredLight(pin, gpio) for pin in wiring.lights]
        self._stuck: set[str] = set()
        self._underway: dict[str, asyncio.Task[None]] = {}
        self._adding: set[asyncio.Task[None]] = set()  # changes of volume
        self._refused_ms: int | None = None
        self._seen = -1  # the house's version that the music and trouble below are of
        self._music, self._trouble = "idle", False

    async def run(self) -> None:
        """Work until cancelled. Raises GpioError when a pin fails."""
        line = asyncio.ensure_future(self._line.run())
        try:
            await self._work()
        finally:
            tasks = [line, *self._underway.values(), *self._adding]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for light in self._lights:
                light.show(False)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        turn = 0
        while True:
            now_ms = round(loop.time() * 1000)
            self.tick(now_ms)
            if turn % _TICKS_A_CHORE == 0:
                self._line.tick(now_ms)
                self._look_for_stuck()
            turn += 1
            due = max(due + TICK_S, loop.time())  # a tick missed is not made up for
            await asyncio.sleep(due - loop.time())

    def tick(self, now_ms: int) -> None:
        """Read every button and switch every light. Raises GpioError."""
        for button in self._buttons:
            for gesture in button.sample(now_ms):
                self._meant(button.name, gesture)
        scene = self._scene(now_ms)
        for light in self._lights:
            light.show(light.light.lit(scene, now_ms))

    # Buttons

    def _meant(self, name: str, gesture: str) -> None:
        if name in (VOLUME_UP, VOLUME_DOWN):
            if gesture in (gestures.PRESSED, gestures.REPEATED):
                delta = self._step if name == VOLUME_UP else -self._step
                task = asyncio.ensure_future(self._order(name, self._orders.louder(delta)))
                self._adding.add(task)
                task.add_done_callback(self._adding.discard)
            return
        orders: dict[tuple[str, str], Callable[[], Awaitable[str]]] = {
            (PLAY, gestures.CLICKED): self._orders.play_or_pause,
            (PLAY, gestures.HELD): self._orders.stop,
            (PAIR, gestures.CLICKED): self._orders.chime,
            (PAIR, gestures.HELD): self._orders.pair_or_part,
        }
        order = orders.get((name, gesture))
        # A press while the last one's order is underway is impatience, not a second order.
        if order is not None and name not in self._underway:
            task = asyncio.ensure_future(self._order(name, order()))
            self._underway[name] = task
            task.add_done_callback(lambda _: self._underway.pop(name, None))

    async def _order(self, name: str, order: Awaitable[str]) -> None:
        try:
            done = await order
        except RpcError as fault:
            self._refused_ms = round(asyncio.get_running_loop().time() * 1000)
            self._tell("pins.refused", button=name, reason=fault.message)
        else:
            self._tell("pins.pressed", button=name, order=done)

    def _look_for_stuck(self) -> None:
        for button in self._buttons:
            if button.button.stuck and button.name not in self._stuck:
                self._stuck.add(button.name)
                self._tell(
                    "pins.stuck",
                    button=button.name,
                    reason="is down from the start: let it go, or turn `active` in the file",
                )

    # Lights

    def _scene(self, now_ms: int) -> Scene:
        if self._seen != self._house.version:
            self._seen = self._house.version
            self._music = self._house.music(self._rooms)
            self._trouble = self._house.trouble
        refused = self._refused_ms is not None and now_ms - self._refused_ms < REFUSED_MS
        return Scene(
            music=self._music,
            trouble=self._trouble,
            waiting=bool(self._house.waiting),
            pairing=PAIR in self._underway,
            refused=refused,
            away=not self._line.up,
        )

    def _fault(self, where: str, fault: BaseException) -> None:
        self._tell("pins.fault", where=where, error=f"{type(fault).__name__}: {fault}")


def as_events(write: Callable[[dict[str, Any]], object]) -> Tell:
    """A `tell` that writes each event as one object."""

    def tell(event: str, **fields: Any) -> None:
        write({"event": event, **fields})

    return tell
