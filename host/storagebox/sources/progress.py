"""How far a source has come with what it plays: enough to take it up again in another process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from phantom.wire import RATE

from .events import Ended, Event, Failed, Track
from .source import SourceError


@dataclass
class Place:
    """Where an item of a session begins: its number, its path, and the session's frame."""

    item: int
    path: str
    frame: int


@dataclass
class Progress:
    """Of one session, by the frames that its ring has held. `accepted` is done when the source
    has found the first item, or fails with the reason why nothing is played."""

    items: list[str]
    generation: int  # of the ring
    start_frame: int
    accepted: asyncio.Future[None]
    ended: bool = False
    # The item being rendered, and the number of its first frame
    item: int = 0
    path: str = ""
    item_frame: int = 0
    # The item that was taken up again after a crash, and how many frames there were then
    retried: int = -1
    retried_frames: int = 0
    places: list[Place] = field(default_factory=list[Place])  # in order, as items are opened

    @property
    def idle(self) -> bool:
        """Nothing is to be expected of the source."""
        return self.ended or not self.accepted.done()

    def order(self, next_frame: int) -> dict[str, Any]:
        """What to tell a source so that it plays from `next_frame` of the session on."""
        return {
            "play": self.items,
            "generation": self.generation,
            "first_item": self.item,
            "first_frame": self.item_frame,
            "start_frame": next_frame,
        }

    def refuse(self, reason: str) -> None:
        """Tell whoever waits for the first item that there is none."""
        self.accepted.set_exception(SourceError(reason))
        self.accepted.exception()  # whether or not anybody waits for it

    def opening(self, item: int, path: str, frame: int) -> None:
        """The source opens an item, whose sound begins at `frame`."""
        self.item, self.path, self.item_frame = item, path, frame
        self.places.append(Place(item, path, frame))

    def place_at(self, frame: int) -> Place | None:
        """The item in which a frame lies; None before anything has been opened."""
        found = None
        for place in self.places:
            if found is None or place.frame <= frame:
                found = place
        return found

    def is_news(self, event: Event) -> bool:
        """Take in what the source says; False if it has been told before a crash."""
        if isinstance(event, Track):
            self.item_frame = event.first_frame
            if self.places:
                self.places[-1].frame = event.first_frame
            if self.retried == self.item and event.first_frame < self.retried_frames:
                return False  # taken up again in the middle: its beginning has been told
        if isinstance(event, Ended | Failed):
            self.ended = True
        return True

    def crashed(self, frames: int) -> bool:
        """The process has died at so many frames; True if the item is to blame: it was taken up
        again already, and has got no further than a second since."""
        again = self.retried == self.item and frames - self.retried_frames < RATE
        self.retried, self.retried_frames = self.item, frames
        return again

    def skip(self, frames: int) -> None:
        """Go on with the next item instead, at so many frames."""
        self.item += 1
        self.path = ""
        if frames > self.start_frame:
            self.item_frame = frames
