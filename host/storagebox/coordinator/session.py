"""A session: what a group plays, from the command to the last chunk.

It knows devices only as those it is told to `attach`; who belongs to the group is decided in
`playing`. Frames are counted from the session's beginning, through pauses and a box's restart:

    frame = chunk of the present stream * 256 + shift
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from phantom.wire import CHUNK_FRAMES, RATE
from storagebox.journal import Journal
from storagebox.sources.events import Event
from storagebox.sources.progress import Place
from storagebox.streamer import formats
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.stream import Pcm, Stream

from . import memo
from .device import Device
from .feeding import Feeding
from .memo import Memo
from .programme import Programme
from .terms import Terms

# A disk that has to spin up, or a file on a slow network share.
SOURCE_TIMEOUT_S = 15.0
# How often the ring is looked at until the first frames are in it: part of command to sound.
FIRST_PCM_POLL_S = 0.002
# A ring holds more; a source that falls behind further than this is no faster than sound.
CAUGHT_UP_FRAMES = 4 * RATE
MIN_LEAD_MS = 50
MAX_LEAD_MS = 10_000

ALIVE = ("starting", "playing", "paused")


class Source(Protocol):
    """The part of `storagebox.sources.process.SourceProcess` that a session uses."""

    @property
    def ring(self) -> Pcm:
        """Where its frames come out."""
        ...

    async def play(
        self, items: Sequence[str], start_frame: int = 0, place: Place | None = None
    ) -> object:
        """Start a new generation. Raises SourceError."""
        ...

    def place_at(self, frame: int) -> Place | None:
        """The item in which a frame lies."""
        ...

    def events(self) -> AsyncIterator[Event]:
        """What it says."""
        ...


class NoSoundError(Exception):
    """The source gave no sound; the message says why."""


class Session:
    """States: starting, playing, paused, ended, stopped, failed."""

    def __init__(
        self,
        name: str,
        source: Source,
        items: Sequence[str],
        house: HouseTime,
        journal: Journal,
        *,
        terms: Terms,
        pcm_dump: Path | None = None,
        on_change: Callable[[Session], None],
    ) -> None:
        """`terms` hold until `set_terms`. Raises OSError where `pcm_dump` can't be written."""
        self.name = name
        self.items = tuple(items)
        self.source = source
        self.terms = terms
        self.state = "starting"
        self.reason: str | None = None
        self.number = 0  # of the stream
        self.feeding = Feeding(house, journal)
        self._memo: Memo | None = None  # what devices hold
        self._origin = 0  # the session's frame with which chunk 0 begins
        self._held: tuple[int, Place | None] | None = None  # paused: the frame to go on with
        self._programme = Programme(source.events(), journal)
        self._house = house
        self._journal = journal
        self._on_change = on_change
        # Unbuffered: whoever measures reads the file while it grows.
        self._dump = pcm_dump.open("wb", buffering=0) if pcm_dump else None

    # Life

    async def start(self, number: int) -> None:
        """Order the music and start stream `number` with its first chunk.

        Raises SourceError if the source refuses, NoSoundError if it gives no sound.
        """
        await self.source.play(self.items)
        await self._begin(number)

    async def restore(self, written: Memo) -> None:
        """Go on with the stream that devices tell of, at the chunk that is due now."""
        chunk = max(0, _chunk_at(self._house.now_us() - written.start_us))
        frame = max(0, written.frame_of(chunk))
        await self.source.play(self.items, frame, written.place)
        await self._first_frames()
        await self._caught_up(written, chunk)
        self._origin = written.shift
        self._run(
            Stream(
                written.stream,
                written.start_us,
                written.lead_ms,
                self.source.ring,
                self._keep if self._dump else None,
                first_chunk=chunk,
            )
        )

    async def restore_paused(self, written: Memo) -> None:
        """Be paused where devices tell that it was."""
        self._held = (written.shift, written.place)
        self._set_state("paused")
        await self.source.play(self.items, *self._held)

    async def pause(self) -> None:
        """Fade out, and keep the place."""
        if self.state != "playing":
            return
        frame = max(0, self.frame)
        self._held = (frame, self.source.place_at(frame))
        self._let_go("paused")
        self.feeding.stream = None
        self._set_state("paused")
        self._journal.emit("session.paused", session=self.name, frame=frame)
        # Ready to go on in an instant, whenever that is.
        self._programme.again()
        await self.source.play(self.items, *self._held)

    async def resume(self, number: int) -> None:
        """Go on where `pause` was, as stream `number`. Raises like `start`."""
        if self.state != "paused" or self._held is None:
            return
        self.state = "starting"
        await self._begin(number)

    async def _begin(self, number: int) -> None:
        await self._first_frames()
        self._origin = self._held[0] if self._held else 0
        self._held = None
        now_us = self._house.now_us()
        keep = self._keep if self._dump else None
        start_us = now_us + self.terms.lead_ms * 1000
        self._run(Stream(number, start_us, self.terms.lead_ms, self.source.ring, keep))

    async def _first_frames(self) -> None:
        ring = self.source.ring
        async with asyncio.timeout(SOURCE_TIMEOUT_S):
            while ring.available == 0 and not ring.ended:
                self._still_wanted()
                await asyncio.sleep(FIRST_PCM_POLL_S)
            if ring.ended:
                await self._programme.over.wait()  # its complaints are on their way
                raise NoSoundError(self._programme.complaint or "none of it could be played")
        self._still_wanted()

    async def _caught_up(self, written: Memo, chunk: int) -> None:
        """Until the source, which decodes faster than sound, has what is due by now.

        Else what it owes for a moment would be given up, for silence in its place.
        """
        ring = self.source.ring
        async with asyncio.timeout(SOURCE_TIMEOUT_S):
            while not self._programme.over.is_set():
                due = _chunk_at(self._house.now_us() - written.start_us) - chunk
                wanted = due * CHUNK_FRAMES + written.lead_ms * RATE // 1000
                if ring.available >= min(wanted, CAUGHT_UP_FRAMES):
                    break
                await asyncio.sleep(FIRST_PCM_POLL_S)
        self._still_wanted()

    def _run(self, stream: Stream) -> None:
        self.feeding.stream = stream
        self.number = stream.number
        self._set_state("playing")
        self._journal.emit(
            "session.start",
            session=self.name,
            stream=stream.number,
            start_us=stream.start_us,
            lead_ms=self.terms.lead_ms,
            devices=len(self.feeding.devices),
        )
        self.pump(self._house.now_us())

    def _still_wanted(self) -> None:
        if self.state != "starting":
            raise NoSoundError("stopped before the music began")

    def stop(self, reason: str | None = None) -> None:
        """Fade out at once and let the source go."""
        self._finish("stopped", reason)

    def fail(self, reason: str) -> None:
        """Give up; `reason` is shown to people."""
        self._finish("failed", reason)

    def _finish(self, state: str, reason: str | None) -> None:
        if self.state not in ALIVE:
            return
        self.reason = reason or self._programme.failure
        self._let_go(None if state == "ended" else self.reason or "stopped")
        self._programme.close()
        if self._dump:
            self._dump.close()
        self._journal.emit(f"session.{state}", session=self.name, reason=self.reason)
        self._set_state(state)

    def _set_state(self, state: str) -> None:
        self.state = state
        self._on_change(self)

    def _let_go(self, reason: str | None) -> None:
        for device in self.feeding.devices:
            self.detach(device, reason)

    # Devices

    def attach(self, device: Device, pick: str, own: str) -> None:
        """A device is to play from now on; `own` is its system. It must be ready."""
        if self.state == "playing" and self.feeding.add(device, pick, own, self.terms):
            device.session = self

    def repick(self, device: Device, pick: str) -> None:
        """Send a device another part of the sound, without a gap."""
        self.feeding.change(device, pick, self.terms)

    def set_terms(self, terms: Terms) -> None:
        """Another lead and codec, without a gap."""
        self.terms = terms
        self.feeding.set_terms(terms)

    def detach(self, device: Device, reason: str | None = None) -> None:
        """Stop serving a device; with a `reason` it is told to fade out, and why."""
        if device.session is self:
            device.session = None
            device.keeping_up.starved()
        self.feeding.remove(device, reason)

    @property
    def stream(self) -> Stream | None:
        """What devices are fed."""
        return self.feeding.stream

    @property
    def draining(self) -> bool:
        """All of it has been read: buffers run dry because they must."""
        return self.stream is not None and self.stream.last_chunk is not None

    # Sound

    def pump(self, now_us: int) -> None:
        """Send what is due; end the session when all has sounded."""
        stream = self.stream
        if stream is None or self.state != "playing":
            return
        try:
            stream.pump(now_us)
        except OSError as fault:  # the dump's disk is full; the music goes on without it
            self._journal.fault("pcm_dump", fault)
            self._dump = None
        last = stream.last_chunk
        if last is None:
            return
        self.feeding.end_at(last)
        end_us = stream.end_us
        if end_us is not None and now_us >= end_us:
            self._finish("ended", None)

    def _keep(self, frames: formats.Frames) -> None:
        if self._dump:
            self._dump.write(frames.tobytes())

    # What is heard

    @property
    def shift(self) -> int:
        """See the module's text."""
        silence = self.stream.counters.underflow_chunks if self.stream else 0
        return self._origin - silence * CHUNK_FRAMES

    @property
    def frame(self) -> int:
        """The session's frame that is heard now; where it will go on, while paused."""
        if self._held is not None:
            return self._held[0]
        if self.stream is None:
            return 0
        heard_us = self._house.now_us() - self.stream.start_us
        return heard_us * RATE // 1_000_000 + self.shift

    def memo(self, group: str, systems: Sequence[str], box: str, *, fixed: bool) -> Memo:
        """What devices are to keep, without the time."""
        frame = max(0, self.frame)
        place = self._held[1] if self._held else self.source.place_at(frame)
        items, first = self.items, 0
        if place is not None:
            items, first = memo.remaining(self.items, place.item)
        paused = self.state == "paused"
        return Memo(
            0,
            box,
            group,
            tuple(systems),
            memo.PAUSED if paused else memo.PLAYING,
            self.name,
            self.number,
            self.stream.start_us if self.stream else 0,
            self.terms.lead_ms,
            self.terms.codec,
            fixed,
            items,
            first,
            place.frame if place else 0,
            frame if paused else self.shift,
        )

    def leave_memo(self, written: Memo, now_us: int) -> None:
        """Have devices keep this, unless they have it already."""
        if self._memo is not None and written == replace(self._memo, at_us=written.at_us):
            return
        self._memo = replace(written, at_us=now_us)
        self.feeding.leave_memo(self._memo)

    # Status

    def status(self) -> dict[str, Any]:
        """For the control socket."""
        stream, track = self.stream, self._programme.at(max(0, self.frame))
        frame = max(0, self.frame)
        return {
            "id": self.name,
            "state": self.state,
            "reason": self.reason,
            "stream": self.number,
            "start_us": stream.start_us if stream else None,
            "lead_ms": self.terms.lead_ms,
            "codec": self.terms.codec,
            "last_chunk": stream.last_chunk if stream else None,
            "underflow_chunks": stream.counters.underflow_chunks if stream else 0,
            "tick_late_max_us": stream.counters.tick_late_max_us if stream else 0,
            "track": track and {"title": track.title, "artist": track.artist, "path": track.path},
            "position_s": round((frame - track.first_frame if track else frame) / RATE, 3),
            "session_s": round(frame / RATE, 3),
            "devices": sorted(device.id for device in self.feeding.devices),
        }


def _chunk_at(span_us: int) -> int:
    return span_us * RATE // (CHUNK_FRAMES * 1_000_000)
