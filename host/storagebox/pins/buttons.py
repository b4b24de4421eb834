"""A push button, from samples of its contact to what the hand meant. Pure: time is a parameter.

    button = Button(hold_ms=1500)
    for gesture in button.feed(pressed, now_ms): …

A contact bounces for some milliseconds when it closes and when it opens. A level counts once it
has been the same for `debounce_ms`; with 0 each sample counts. A button that is down at the first
sample is stuck, or wired for the other level: it means nothing until it has been let go once.
"""

from __future__ import annotations

PRESSED = "pressed"  # went down
REPEATED = "repeated"  # is down still, and again
HELD = "held"  # is down for hold_ms
CLICKED = "clicked"  # went up before it was held
RELEASED = "released"  # went up

DEBOUNCE_MS = 20
# As on keyboards: long enough that one press is one step, and then quick.
REPEAT_AFTER_MS = 450
REPEAT_EVERY_MS = 150


class Button:
    """Samples come in by `feed`, every few milliseconds; any clock that does not step will do.

    `hold_ms` 0: never HELD. `repeats`: how often at most one press is REPEATED.
    """

    def __init__(self, *, debounce_ms: int = DEBOUNCE_MS, hold_ms: int = 0, repeats: int = 0):
        self._debounce_ms = debounce_ms
        self._hold_ms = hold_ms
        self._repeats = repeats
        self._level: bool | None = None  # the last sample
        self._since_ms = 0  # when it became so
        self._down = False  # debounced
        self._armed = False  # it has been up once
        self._down_ms = 0  # when it went down
        self._repeated = 0  # of this press
        self._held = False

    @property
    def stuck(self) -> bool:
        """It has been down from the first sample on."""
        return self._level is True and not self._armed

    def feed(self, pressed: bool, now_ms: int) -> list[str]:
        """What has happened by this sample, in order."""
        if pressed is not self._level:
            self._level, self._since_ms = pressed, now_ms
        settled = now_ms - self._since_ms >= self._debounce_ms
        if not self._armed:
            self._armed = settled and not pressed
            return []
        if settled and pressed is not self._down:
            return self._pressed(now_ms) if pressed else self._released()
        return self._kept(now_ms) if self._down else []

    def _pressed(self, now_ms: int) -> list[str]:
        self._down, self._down_ms = True, now_ms
        self._repeated, self._held = 0, False
        return [PRESSED]

    def _released(self) -> list[str]:
        self._down = False
        return [RELEASED] if self._held or self._repeated else [RELEASED, CLICKED]

    def _kept(self, now_ms: int) -> list[str]:
        down_ms = now_ms - self._down_ms
        if self._hold_ms and not self._held and down_ms >= self._hold_ms:
            self._held = True
            return [HELD]
        due_ms = REPEAT_AFTER_MS + self._repeated * REPEAT_EVERY_MS
        if self._repeated < self._repeats and down_ms >= due_ms:
            self._repeated += 1
            return [REPEATED]
        return []
