"""What buttons and lights need of a machine's pins, whichever library drives them.

An implementation knows nothing of what a pin means: levels are electrical, high or low.
"""

from __future__ import annotations

from typing import Protocol


class GpioError(Exception):
    """The pins can't be used; one line that names the pin, the fault and the remedy."""


class Input(Protocol):
    """A pin that is read."""

    def read(self) -> bool:
        """Whether it is high. Raises GpioError."""
        ...


class Output(Protocol):
    """A pin that is driven."""

    def write(self, high: bool) -> None:
        """Drive it high or low. Raises GpioError."""
        ...


class Gpio(Protocol):
    """A machine's pins, by the names that its board has for them."""

    def input(self, pin: str, pull: str) -> Input:
        """Take a pin for reading; `pull` is "up", "down" or "none". Raises GpioError."""
        ...

    def output(self, pin: str, high: bool) -> Output:
        """Take a pin for driving, from this level on. Raises GpioError."""
        ...

    def close(self) -> None:
        """Give all pins back. Never raises."""
        ...
