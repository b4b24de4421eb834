"""The two transistors by which a serial adapter's DTR and RTS reset a board.

EN is low while RTS is asserted and DTR is not; IO0 is low while DTR is asserted and RTS is not.
With both or neither asserted, both are high. A capacitor holds EN back when it rises, so that IO0
may follow late: adapters and networks change the two lines one after the other.
"""

from __future__ import annotations

from typing import Literal

Start = Literal["download", "run"]

# How long after EN's rise IO0 is still heeded.
EN_RISE_SECONDS = 0.3


class AutoReset:
    """DTR and RTS in, resets out. `now`: any clock's seconds."""

    def __init__(self) -> None:
        self._dtr = False
        self._rts = False
        self._rising_since: float | None = None

    @property
    def held(self) -> bool:
        """Whether the chip is held in reset."""
        return self._rts and not self._dtr

    def lines(self, dtr: bool, rts: bool, now: float) -> Start | None:
        """Set the lines. What the chip starts into, if it starts now."""
        was_held = self.held
        self._dtr, self._rts = dtr, rts
        if self.held:
            self._rising_since = None
        elif was_held:
            self._rising_since = now
        return self.due(now)

    def due(self, now: float) -> Start | None:
        """What the chip starts into, if it starts now: to be asked again while time passes."""
        if self._rising_since is None:
            return None
        if self._dtr and not self._rts:
            self._rising_since = None
            return "download"
        if now < self._rising_since + EN_RISE_SECONDS:
            return None
        self._rising_since = None
        return "run"
