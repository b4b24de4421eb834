"""Which pin is which button or light: a TOML file that people write, checked to the last key.

    rooms = ["Kitchen"]                       # what the buttons act on; left out: the whole house

    [buttons]
    play = 17                                 # a GPIO by number, to ground through the button
    volume-up = { pin = 27, active = "low", pull = "up" }

    [lights]
    music = 5                                 # to ground through resistor and LED
    trouble = { pin = 6, active = "low" }

docs/pins.md explains every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from . import lights as light
from .buttons import DEBOUNCE_MS
from .header import GPIO_PINS, PULLED_UP, gpio_of

PLAY, VOLUME_UP, VOLUME_DOWN, PAIR = BUTTONS = ("play", "volume-up", "volume-down", "pair")

HOLD_MS = 1500
VOLUME_STEP = 3


class WiringError(Exception):
    """The file can't be used; one line that names it, the key, the fault and the remedy."""


@dataclass(frozen=True)
class ButtonPin:
    """Where a button is. `pin` is the board's name for it, "D17"; `pull` is up, down or none."""

    name: str
    pin: str
    active_high: bool
    pull: str


@dataclass(frozen=True)
class LightPin:
    """Where a light is. `active_high`: it is lit while the pin is high."""

    name: str
    pin: str
    active_high: bool


@dataclass(frozen=True)
class Wiring:
    """All that a file says. `rooms` None is the whole house; of `pair` the left one is first."""

    buttons: tuple[ButtonPin, ...]
    lights: tuple[LightPin, ...]
    rooms: tuple[str, ...] | None = None
    whole_group: bool = False
    pair: tuple[str, str] | None = None
    volume_step: int = VOLUME_STEP
    debounce_ms: int = DEBOUNCE_MS
    hold_ms: int = HOLD_MS


EXAMPLE = """\
# Which pins of this machine are buttons and lights. Numbers are GPIOs, not pins of the header:
# `phantom pins FILE` shows both. Every key but one button or light may be left out.

# rooms = ["Kitchen"]       # what the buttons act on; left out: the whole house
# whole-group = true        # volume of all that plays together with these rooms, too
# pair = ["left", "right"]  # the devices that a long press on `pair` makes one room, left first
# volume-step = 3           # of 100, a press
# hold-ms = 1500            # a press this long is a long one
# debounce-ms = 20          # longer for a button that counts twice

[buttons]                   # each between its pin and ground
play = 17
volume-up = 27
volume-down = 22
pair = 23                   # active = "high" for a button to 3.3 V: { pin = 23, active = "high" }

[lights]                    # each from its pin through 330 ohms and an LED to ground
music = 5                   # active = "low" for one to 3.3 V: { pin = 5, active = "low" }
trouble = 6
pair = 13
# status = 26               # instead, one light for everything
"""


def read(path: Path) -> Wiring:
    """The wiring in a file. Raises WiringError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise WiringError(
            f"{path}: {fault.strerror}: write one by `phantom pins --example > {path}`"
        ) from None
    except UnicodeDecodeError:
        raise WiringError(f"{path}: not a text in UTF-8: write it anew") from None
    return parse(text, str(path))


def parse(text: str, file: str) -> Wiring:
    """The wiring in a text; `file` is for errors. Raises WiringError."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise WiringError(f"{file}: not TOML: {fault}: compare `phantom pins --example`") from None
    return _Reader(file).wiring(table)


class _Reader:
    """Turns a table into a Wiring, or into the first complaint."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._taken: dict[str, str] = {}  # pin → the key that has it

    def wiring(self, table: Mapping[str, Any]) -> Wiring:
        known = ("rooms", "whole-group", "pair", "volume-step", "hold-ms", "debounce-ms")
        self._only("", table, (*known, "buttons", "lights"))
        buttons = [self._button(n, v) for n, v in self._section(table, "buttons", BUTTONS)]
        lights = [self._light(n, v) for n, v in self._section(table, "lights", light.LIGHTS)]
        if not buttons and not lights:
            raise self._wrong("buttons", "no button and no light: name one, as `play = 17`")
        whole_group = table.get("whole-group", False)
        if not isinstance(whole_group, bool):
            raise self._wrong("whole-group", f"{whole_group!r} is neither true nor false")
        if whole_group and "rooms" not in table:
            raise self._wrong("whole-group", "means nothing without rooms: name them, or drop it")
        return Wiring(
            tuple(buttons),
            tuple(lights),
            self._texts(table, "rooms", "a list of rooms, with at least one"),
            whole_group,
            self._pair(table),
            self._whole(table, "volume-step", VOLUME_STEP, 1, 20),
            self._whole(table, "debounce-ms", DEBOUNCE_MS, 0, 200),
            self._whole(table, "hold-ms", HOLD_MS, 500, 10_000),
        )

    def _section(
        self, table: Mapping[str, Any], name: str, known: Sequence[str]
    ) -> list[tuple[str, Any]]:
        section = table.get(name, {})
        if not isinstance(section, dict):
            raise self._wrong(name, f"must be a table: begin it with [{name}]")
        found = cast("dict[str, Any]", section)
        self._only(f"{name}.", found, known)
        return list(found.items())

    def _button(self, name: str, value: Any) -> ButtonPin:
        key = f"buttons.{name}"
        facts = self._facts(key, value, ("pin", "active", "pull"))
        active_high = self._choice(key, facts, "active", ("low", "high"), "low") == "high"
        pull = self._choice(
            key, facts, "pull", ("up", "down", "none"), "down" if active_high else "up"
        )
        if pull == ("up" if active_high else "down"):
            raise self._wrong(
                f"{key}.pull",
                f'"{pull}" keeps a button that is active '
                f"{'high' if active_high else 'low'} pressed for ever: leave it out",
            )
        pin = self._pin(key, facts)
        if active_high and gpio_of(pin) in PULLED_UP:
            raise self._wrong(
                f"{key}.pin",
                f"GPIO {gpio_of(pin)} is pulled up on the board, so a button there must be to "
                'ground: active = "low", or take another pin',
            )
        return ButtonPin(name, pin, active_high, pull)

    def _light(self, name: str, value: Any) -> LightPin:
        key = f"lights.{name}"
        facts = self._facts(key, value, ("pin", "active"))
        active_high = self._choice(key, facts, "active", ("low", "high"), "high") == "high"
        return LightPin(name, self._pin(key, facts), active_high)

    def _facts(self, key: str, value: Any, known: Sequence[str]) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            return {"pin": value}
        facts = cast("dict[str, Any]", value)
        self._only(f"{key}.", facts, known)
        if "pin" not in facts:
            raise self._wrong(f"{key}.pin", "is missing: give the GPIO's number")
        return facts

    def _pin(self, key: str, facts: Mapping[str, Any]) -> str:
        """The board's name for a pin. A text is taken as it is: other boards have other names."""
        value = facts["pin"]
        if isinstance(value, int) and not isinstance(value, bool):
            if value not in GPIO_PINS:
                raise self._wrong(
                    key, f"GPIO {value} is not on the header: take one from 2 to 27 (docs/pins.md)"
                )
            pin = f"D{value}"
        elif isinstance(value, str) and value.isidentifier():
            pin = value
        else:
            raise self._wrong(key, f"{value!r} is no pin: give the GPIO's number, as 17")
        if pin in self._taken:
            raise self._wrong(key, f"{self._taken[pin]} has pin {pin} already: take another")
        self._taken[pin] = key
        return pin

    def _choice(
        self, key: str, facts: Mapping[str, Any], name: str, choices: Sequence[str], default: str
    ) -> str:
        value = facts.get(name, default)
        if value not in choices:
            raise self._wrong(f"{key}.{name}", f"{value!r} is none of {', '.join(choices)}")
        return value

    def _pair(self, table: Mapping[str, Any]) -> tuple[str, str] | None:
        wanted = "two devices, left and right"
        names = self._texts(table, "pair", wanted)
        if names is None:
            return None
        if len(names) != 2 or names[0] == names[1]:
            raise self._wrong("pair", f'must be {wanted}: ["living-l", "living-r"]')
        return names[0], names[1]

    def _texts(self, table: Mapping[str, Any], key: str, what: str) -> tuple[str, ...] | None:
        if key not in table:
            return None
        value: Any = table[key]
        if not isinstance(value, list) or not value:
            raise self._wrong(key, f'must be {what}: ["Kitchen"]')
        texts = cast("list[Any]", value)
        for each in texts:
            if not isinstance(each, str) or not each:
                raise self._wrong(key, f"{each!r} is no name: write it in quotes")
        return tuple(texts)

    def _whole(self, table: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
        value = table.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self._wrong(key, f"{value!r} must be a whole number from {low} to {high}")
        return value

    def _only(self, prefix: str, table: Mapping[str, Any], known: Sequence[str]) -> None:
        for key in table:
            if key not in known:
                raise self._wrong(f"{prefix}{key}", f"is unknown: there are {', '.join(known)}")

    def _wrong(self, key: str, fault: str) -> WiringError:
        return WiringError(f"{self._file}: {key}: {fault}")
