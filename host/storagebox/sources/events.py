"""What a source tells the box, as objects here and as lines of JSON between the processes.

    {"event": "track", "path": …, "title": …, "artist": …, "album": …,
     "first_frame": 0, "frames": 720000, "generation": 3}
    {"event": "skipped", "path": …, "reason": …, "generation": 3}
    {"event": "truncated", "path": …, "reason": …, "generation": 3}
    {"event": "end", "frames": 720000, "generation": 3}
    {"event": "failed", "reason": …, "generation": 3}

Events come as soon as the source knows, which is up to the length of the ring before the sound:
whoever shows a title compares `first_frame` with the frame that is heard.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Track:
    """From frame `first_frame` of the session on, this is what sounds.

    `frames` is how many frames of 48 kHz its file promises, None where nobody knows; lossy files
    may promise a few thousand more than they hold. A source leaves `first_frame` alone: it is
    filled in as the track's first frame goes into the ring.
    """

    path: str
    title: str = ""
    artist: str = ""
    album: str = ""
    frames: int | None = None
    first_frame: int = 0


@dataclass(frozen=True)
class Skipped:
    """This could not be played, for a reason that fits after a colon; the next one plays."""

    path: str
    reason: str


@dataclass(frozen=True)
class Truncated:
    """This was played in part: all that is there, but less than it promised."""

    path: str
    reason: str


@dataclass(frozen=True)
class Ended:
    """All that was asked for is in the ring: the session is `frames` long."""

    frames: int


@dataclass(frozen=True)
class Failed:
    """The source gave up: what is in the ring plays to its end and nothing follows."""

    reason: str


Event = Track | Skipped | Truncated | Ended | Failed

_KINDS: dict[str, type[Event]] = {
    "track": Track,
    "skipped": Skipped,
    "truncated": Truncated,
    "end": Ended,
    "failed": Failed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_message(event: Event) -> dict[str, Any]:
    """The event as it travels."""
    return {"event": _NAMES[type(event)], **asdict(event)}


def from_message(message: dict[str, Any]) -> Event | None:
    """The event in a message, None if the message is of another kind.

    Raises TypeError where a field is missing: a source is not trusted to be right.
    """
    kind = _KINDS.get(message.get("event", ""))
    if kind is None:
        return None
    names = kind.__dataclass_fields__
    return kind(**{name: value for name, value in message.items() if name in names})
