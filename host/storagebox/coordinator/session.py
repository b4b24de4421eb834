"""A session: what a group plays, from the command to the last chunk.

It knows devices only as those it is told to `attach`; who belongs to the group is decided in
`playing`. Frames are counted from the session's beginning, through pauses and a box's restart:

    frame = chunk of the present stream * 256 + shift
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast

from phantom.rpc import CLOSED, RpcError
from phantom.wire import CHUNK_FRAMES, RATE
from storagebox.journal import Journal
from storagebox.sources.events import Ended, Event, Failed, Skipped, Track
from storagebox.sources.process import Place
from storagebox.streamer import formats
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.stream import Output, Pcm, Stream

from . import memo
from .device import Device
from .memo import Memo
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
        self.tracks: list[Track] = []
        self.stream: Stream | None = None
        self.number = 0  # of the stream
        self._memo: Memo | None = None  # what devices hold
        self._origin = 0  # the session's frame with which chunk 0 begins
        self._held: tuple[int, Place | None] | None = None  # paused: the frame to go on with
        self._complaint: str | None = None  # the latest of the source's
        self._failure: str | None = None
        self._over = asyncio.Event()  # the source has said its last
        self._house = house
        self._journal = journal
        self._on_change = on_change
        self._outputs: dict[Device, Output] = {}
        self._systems: dict[Device, str] = {}
        self._totals: dict[Device, list[int]] = {}
        self._closed: set[Output] = set()  # outputs that were told their last chunk
        self._tasks: set[asyncio.Task[Any]] = set()
        # Unbuffered: whoever measures reads the file while it grows.
        self._dump = pcm_dump.open("wb", buffering=0) if pcm_dump else None
        self._hearing = asyncio.ensure_future(self._hear())

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
        self.stream = None
        self._set_state("paused")
        self._journal.emit("session.paused", session=self.name, frame=frame)
        # Ready to go on in an instant, whenever that is.
        self._over.clear()
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
                await self._over.wait()  # its complaints are on their way
                raise NoSoundError(self._complaint or "none of it could be played")
        self._still_wanted()

    async def _caught_up(self, written: Memo, chunk: int) -> None:
        """Until the source, which decodes faster than sound, has what is due by now.

        Else what it owes for a moment would be given up, for silence in its place.
        """
        ring = self.source.ring
        async with asyncio.timeout(SOURCE_TIMEOUT_S):
            while not self._over.is_set():
                due = _chunk_at(self._house.now_us() - written.start_us) - chunk
                wanted = due * CHUNK_FRAMES + written.lead_ms * RATE // 1000
                if ring.available >= min(wanted, CAUGHT_UP_FRAMES):
                    break
                await asyncio.sleep(FIRST_PCM_POLL_S)
        self._still_wanted()

    def _run(self, stream: Stream) -> None:
        self.stream = stream
        self.number = stream.number
        self._set_state("playing")
        self._journal.emit(
            "session.start",
            session=self.name,
            stream=stream.number,
            start_us=stream.start_us,
            lead_ms=self.terms.lead_ms,
            devices=len(self._outputs),
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
        self.reason = reason or self._failure
        self._let_go(None if state == "ended" else self.reason or "stopped")
        self._hearing.cancel()
        if self._dump:
            self._dump.close()
        self._journal.emit(f"session.{state}", session=self.name, reason=self.reason)
        self._set_state(state)

    def _set_state(self, state: str) -> None:
        self.state = state
        self._on_change(self)

    def _let_go(self, reason: str | None) -> None:
        for device in list(self._outputs):
            self.detach(device, reason)

    # Devices

    def attach(self, device: Device, pick: str, own: str) -> None:
        """A device is to play from now on; `own` is its system. It must be ready.

        One that only changed connections still has what it had buffered, and gets the rest.
        """
        variant = self._variant(device, pick)
        if self.stream is None or self.state != "playing" or variant is None:
            return
        output = self.stream.add(device.link, variant, self._house.now_us())
        self._outputs[device] = output
        self._systems[device] = own
        self._totals.setdefault(device, [0, 0])
        device.session = self
        opening = {
            "stream": self.number,
            "start_us": self.stream.start_us,
            "codec": variant.codec_name,
            "pick": pick,
            "channels": variant.channels,
            "first_chunk": output.next_chunk,
            "session": self._memo.dumps(own) if self._memo else "",
        }
        self._spawn(self._open(device, output, opening))

    async def _open(self, device: Device, output: Output, opening: dict[str, Any]) -> None:
        answer = await self._call(device, "renderer.open", opening)
        if self.stream is None or not isinstance(answer, dict):
            return
        wants: Any = cast("dict[str, Any]", answer).get("wants")
        first = wants if isinstance(wants, int) else output.next_chunk
        self.stream.ready(output, first, self._house.now_us())

    def _variant(self, device: Device, pick: str) -> formats.Variant | None:
        info = device.info
        if info is None:
            return None
        wanted = self.terms.codec
        channels = formats.Variant(pick, 0).channels
        try:
            codec = formats.choose_codec(
                wanted, info.codecs, info.ring_bytes, channels, self.terms.lead_ms
            )
        except formats.FormatError as fault:
            self._journal.emit("device.unplayable", device=device.id, reason=str(fault))
            return None
        return formats.Variant(pick, codec)

    def repick(self, device: Device, pick: str) -> None:
        """Send a device another part of the sound, without a gap."""
        output = self._outputs.get(device)
        variant = self._variant(device, pick)
        if self.stream is None or output is None or variant is None or variant == output.variant:
            return
        self.stream.change(output, variant, self._house.now_us())

    def set_terms(self, terms: Terms) -> None:
        """Another lead and codec, without a gap."""
        self.terms = terms
        if self.stream is None:
            return
        self.stream.set_lead(terms.lead_ms)
        for device, output in self._outputs.items():
            self.repick(device, output.variant.pick)

    def detach(self, device: Device, reason: str | None = None) -> None:
        """Stop serving a device; with a `reason` it is told to fade out, and why."""
        output = self._outputs.pop(device, None)
        if device.session is self:
            device.session = None
        if output is None or self.stream is None:
            return
        if reason is not None and device.ready:
            output.sent_chunks -= device.link.forget_audio()
            closing = {"stream": self.number, "at_chunk": None, "reason": reason}
            self._spawn(self._call(device, "renderer.close", closing))
        self.stream.remove(output)
        self._closed.discard(output)
        totals = self._totals[device]
        totals[0] += output.sent_chunks
        totals[1] += output.skipped_chunks

    @property
    def draining(self) -> bool:
        """All of it has been read: buffers run dry because they must."""
        return self.stream is not None and self.stream.last_chunk is not None

    @property
    def devices(self) -> list[Device]:
        """Those attached."""
        return list(self._outputs)

    def pick_of(self, device: Device) -> str | None:
        """What a device is sent now."""
        output = self._outputs.get(device)
        return output.variant.pick if output else None

    async def _call(self, device: Device, method: str, params: dict[str, Any]) -> Any:
        """The device's answer; None if it refused, which is noted."""
        try:
            return await device.link.call(method, params)
        except RpcError as fault:
            if fault.code != CLOSED:  # it has gone, which is told elsewhere
                self._journal.emit(
                    "device.refused", device=device.id, method=method, reason=str(fault)
                )

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        for device, output in self._outputs.items():
            if stream.finished(output) and output not in self._closed:
                self._closed.add(output)
                closing = {"stream": self.number, "at_chunk": last + 1}
                self._spawn(self._call(device, "renderer.close", closing))
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
        for device in self._outputs:
            text = self._memo.dumps(self._systems[device])
            params = {"stream": self.number, "session": text}
            self._spawn(self._call(device, "renderer.session", params))

    async def _hear(self) -> None:
        async for event in self.source.events():
            self.heard(event)

    def heard(self, event: Event) -> None:
        """Something the source said."""
        if isinstance(event, Track):
            # One that was ordered anew, after a pause, is told of again.
            self.tracks = [t for t in self.tracks if t.first_frame < event.first_frame]
            self.tracks.append(event)
            self._journal.emit(
                "source.track", path=event.path, title=event.title, first_frame=event.first_frame
            )
        elif isinstance(event, Ended):
            self._over.set()
            self._journal.emit("source.end", frames=event.frames)
        elif isinstance(event, Failed):
            self._complaint = self._failure = event.reason
            self._over.set()
            self._journal.emit("source.failed", reason=event.reason)
        else:
            kind = "skipped" if isinstance(event, Skipped) else "truncated"
            self._complaint = f"{event.path}: {event.reason}"
            self._journal.emit(f"source.{kind}", path=event.path, reason=event.reason)

    def track(self) -> Track | None:
        """What is heard now, or will be heard first."""
        heard = self.tracks[0] if self.tracks else None
        for track in self.tracks:
            if track.first_frame <= self.frame:
                heard = track
        return heard

    # Status

    def counts(self, device: Device) -> dict[str, int]:
        """Chunks sent to a device and skipped for it in this session."""
        sent, skipped = self._totals.get(device, (0, 0))
        output = self._outputs.get(device)
        if output:
            sent += output.sent_chunks
            skipped += output.skipped_chunks
        return {"sent_chunks": sent, "skipped_chunks": skipped}

    def status(self) -> dict[str, Any]:
        """For the control socket."""
        stream, track = self.stream, self.track()
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
            "devices": sorted(device.id for device in self._outputs),
        }


def _chunk_at(span_us: int) -> int:
    return span_us * RATE // (CHUNK_FRAMES * 1_000_000)
