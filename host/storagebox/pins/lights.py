"""What each light shows, as a rhythm that can be told across a room. Pure: time is a parameter.

Lights are on or off; what looks dim is a short blink. A light has one job (`music`, `trouble`,
`pair`), or is the only one of its box (`status`) and shows whatever matters most.
"""

from __future__ import annotations

from dataclasses import dataclass

MUSIC, TROUBLE, PAIR, STATUS = LIGHTS = ("music", "trouble", "pair", "status")

# A press that could not be done is shown for so long.
REFUSED_MS = 720


@dataclass(frozen=True)
class Pattern:
    """Milliseconds on, off, on, off, …, over and over; a single number is always on, none off."""

    name: str
    steps_ms: tuple[int, ...]

    def lit(self, since_ms: int, now_ms: int) -> bool:
        """Whether it is on, having begun at `since_ms`."""
        if len(self.steps_ms) < 2:
            return bool(self.steps_ms)
        left_ms = (now_ms - since_ms) % sum(self.steps_ms)
        for number, step_ms in enumerate(self.steps_ms):
            if left_ms < step_ms:
                return number % 2 == 0
            left_ms -= step_ms
        return False


OFF = Pattern("off", ())
STEADY = Pattern("steady", (1,))
BREATH = Pattern("a short blink every 4 s", (40, 3960))
SLOW = Pattern("1 s on, 1 s off", (1000, 1000))
TWICE = Pattern("two blinks, again and again", (120, 200, 120, 1560))
THRICE = Pattern("three blinks, again and again", (120, 200, 120, 200, 120, 1240))
EVEN = Pattern("4 blinks a second", (125, 125))
FLICKER = Pattern("flickers", (60, 60))


@dataclass(frozen=True)
class Scene:
    """What there is to be shown."""

    music: str = "idle"  # "playing", "paused" or "idle"
    trouble: bool = False  # a room is heard badly or not at all
    waiting: bool = False  # a board waits to be adopted
    pairing: bool = False  # an order of the button `pair` is underway
    refused: bool = False  # a press could not be done, just now
    away: bool = False  # no box answers


_MUSIC = {"playing": STEADY, "paused": SLOW}


def pattern(light: str, scene: Scene) -> Pattern:
    """What a light of LIGHTS shows."""
    if light == MUSIC:
        return OFF if scene.away else _MUSIC.get(scene.music, OFF)
    if light == TROUBLE:
        return _trouble(scene) or OFF
    if light == PAIR:
        return OFF if scene.away else _pair(scene) or OFF
    return _trouble(scene) or _pair(scene) or _MUSIC.get(scene.music, BREATH)


def _trouble(scene: Scene) -> Pattern | None:
    if scene.refused:
        return FLICKER
    if scene.away:
        return EVEN
    return TWICE if scene.trouble else None


def _pair(scene: Scene) -> Pattern | None:
    if scene.pairing:
        return FLICKER
    return THRICE if scene.waiting else None


class Light:
    """One light: keeps the beat of its pattern until that changes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pattern = OFF
        self._since_ms = 0

    def lit(self, scene: Scene, now_ms: int) -> bool:
        """Whether it is on now."""
        wanted = pattern(self.name, scene)
        if wanted is not self.pattern:
            self.pattern, self._since_ms = wanted, now_ms
        return wanted.lit(self._since_ms, now_ms)
