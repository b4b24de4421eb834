"""What a session's source has said: titles as they come, complaints, and that it is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from storagebox.journal import Journal
from storagebox.sources.events import Ended, Event, Failed, Skipped, Track


class Programme:
    """Hears a source's events until `close`."""

    def __init__(self, events: AsyncIterator[Event], journal: Journal) -> None:
        self.complaint: str | None = None  # the latest
        self.failure: str | None = None  # why there was no more
        self.over = asyncio.Event()  # the source has said its last
        self._tracks: list[Track] = []
        self._journal = journal
        self._hearing = asyncio.ensure_future(self._hear(events))

    def close(self) -> None:
        """Hear no more."""
        self._hearing.cancel()

    def again(self) -> None:
        """The source has been ordered anew: it will say its last again."""
        self.over.clear()

    def at(self, frame: int) -> Track | None:
        """What is heard at a frame of the session, or will be heard first."""
        heard = self._tracks[0] if self._tracks else None
        for track in self._tracks:
            if track.first_frame <= frame:
                heard = track
        return heard

    async def _hear(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Track):
            # One that was ordered anew, after a pause, is told of again.
            self._tracks = [t for t in self._tracks if t.first_frame < event.first_frame]
            self._tracks.append(event)
            self._journal.emit(
                "source.track", path=event.path, title=event.title, first_frame=event.first_frame
            )
        elif isinstance(event, Ended):
            self.over.set()
            self._journal.emit("source.end", frames=event.frames)
        elif isinstance(event, Failed):
            self.complaint = self.failure = event.reason
            self.over.set()
            self._journal.emit("source.failed", reason=event.reason)
        else:
            kind = "skipped" if isinstance(event, Skipped) else "truncated"
            self.complaint = f"{event.path}: {event.reason}"
            self._journal.emit(f"source.{kind}", path=event.path, reason=event.reason)
