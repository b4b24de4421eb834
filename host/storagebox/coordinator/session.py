"""A session: what a group of devices plays, from the command to the last chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from phantom.rpc import RpcError
from storagebox.journal import Journal
from storagebox.sources.events import Ended, Event, Failed, Skipped, Track
from storagebox.streamer import formats
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.stream import Output, Pcm, Stream

from .device import Device

# A disk that has to spin up, or a file on a slow network share.
SOURCE_TIMEOUT_S = 15.0
# How often the ring is looked at until the first frames are in it: part of command to sound.
FIRST_PCM_POLL_S = 0.002
# Wired rooms: what a board without PSRAM holds as PCM16 stereo in 48 KiB. Wi-Fi wants 700 to 1000.
DEFAULT_LEAD_MS = 240
MIN_LEAD_MS = 50
MAX_LEAD_MS = 10_000


class Source(Protocol):
    """The part of `storagebox.sources.process.SourceProcess` that a session uses."""

    @property
    def ring(self) -> Pcm:
        """Where its frames come out."""
        ...

    async def play(self, items: Sequence[str]) -> object:
        """Start a new generation. Raises SourceError."""
        ...

    async def stop(self) -> object:
        """Give up the present one."""
        ...


class NoSoundError(Exception):
    """The source gave no sound; the message says why."""


class Session:
    """States: starting, playing, ended, stopped, failed."""

    def __init__(
        self,
        name: str,
        number: int,
        devices: Iterable[Device],
        source: Source,
        house: HouseTime,
        journal: Journal,
        *,
        lead_ms: int = DEFAULT_LEAD_MS,
        codec: str | None = None,
        pcm_dump: Path | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises OSError where `pcm_dump` can't be written."""
        self.name = name
        self.number = number
        self.devices = tuple(devices)
        self.state = "starting"
        self.reason: str | None = None
        self.lead_ms = lead_ms
        self.codec = codec
        self.tracks: list[Track] = []
        self.stream: Stream | None = None
        self._complaint: str | None = None  # the latest of the source's
        self._failure: str | None = None
        self._over = asyncio.Event()  # the source has said its last
        self._source = source
        self._house = house
        self._journal = journal
        self._on_change = on_change
        self._outputs: dict[Device, Output] = {}
        self._totals: dict[Device, list[int]] = {device: [0, 0] for device in self.devices}
        self._closed: set[Output] = set()  # outputs that were told their last chunk
        self._tasks: set[asyncio.Task[Any]] = set()
        # Unbuffered: whoever measures reads the file while it grows.
        self._dump = pcm_dump.open("wb", buffering=0) if pcm_dump else None

    # Life

    async def start(self, paths: Sequence[str]) -> None:
        """Order the music and start the stream with its first chunk.

        Raises SourceError if the source refuses, NoSoundError if it gives no sound.
        """
        await self._source.play(paths)
        ring = self._source.ring
        async with asyncio.timeout(SOURCE_TIMEOUT_S):
            while ring.available == 0 and not ring.ended:
                self._still_wanted()
                await asyncio.sleep(FIRST_PCM_POLL_S)
            if ring.ended:
                await self._over.wait()  # its complaints are on their way
                raise NoSoundError(self._complaint or "none of it could be played")
        self._still_wanted()
        now_us = self._house.now_us()
        keep = self._keep if self._dump else None
        start_us = now_us + self.lead_ms * 1000
        self.stream = Stream(self.number, start_us, self.lead_ms, ring, keep)
        self.state = "playing"
        for device in self.devices:
            if device.ready:
                self.attach(device)
        self._journal.emit(
            "session.start",
            session=self.name,
            stream=self.number,
            start_us=self.stream.start_us,
            lead_ms=self.lead_ms,
            devices=len(self._outputs),
        )
        self.pump(now_us)

    def _still_wanted(self) -> None:
        if self.state != "starting":
            raise NoSoundError("stopped before the music began")

    async def stop(self) -> None:
        """Fade out at once and let the source go."""
        if self.state in ("starting", "playing"):
            self._finish("stopped", None)
            await self._source.stop()

    def fail(self, reason: str) -> None:
        """Give up; `reason` is shown to people."""
        self._finish("failed", reason)

    def _finish(self, state: str, reason: str | None) -> None:
        if self.state not in ("starting", "playing"):
            return
        self.state = state
        self.reason = reason or self._failure
        for device, output in list(self._outputs.items()):
            if state != "ended" and device.ready:
                output.sent_chunks -= device.link.forget_audio()
                self._tell(device, "renderer.close", {"stream": self.number, "at_chunk": None})
            self.detach(device)
        if self._dump:
            self._dump.close()
        self._journal.emit(f"session.{state}", session=self.name, reason=self.reason)
        self._on_change()

    # Devices

    def attach(self, device: Device) -> None:
        """A device of this session is there, or there again: it plays from now on.

        One that only changed connections still has what it had buffered, and gets the rest.
        """
        info = device.info
        if self.stream is None or self.state != "playing" or info is None:
            return
        pick = device.pick
        try:
            codec = formats.choose_codec(
                self.codec, info.codecs, info.ring_bytes, _channels(pick), self.lead_ms
            )
        except formats.FormatError as fault:
            self._journal.emit("device.unplayable", device=device.id, reason=str(fault))
            return
        variant = formats.Variant(pick, codec)
        output = self.stream.add(device.link, variant, self._house.now_us())
        self._outputs[device] = output
        opening = {
            "stream": self.number,
            "start_us": self.stream.start_us,
            "codec": variant.codec_name,
            "pick": pick,
            "channels": variant.channels,
            "first_chunk": output.next_chunk,
        }
        self._spawn(self._open(device, output, opening))

    async def _open(self, device: Device, output: Output, opening: dict[str, Any]) -> None:
        answer = await self._call(device, "renderer.open", opening)
        if self.stream is None or not isinstance(answer, dict):
            return
        wants: Any = cast("dict[str, Any]", answer).get("wants")
        first = wants if isinstance(wants, int) else output.next_chunk
        self.stream.ready(output, first, self._house.now_us())

    def detach(self, device: Device) -> None:
        """Stop serving a device."""
        output = self._outputs.pop(device, None)
        if output is None or self.stream is None:
            return
        self.stream.remove(output)
        self._closed.discard(output)
        totals = self._totals[device]
        totals[0] += output.sent_chunks
        totals[1] += output.skipped_chunks

    def _tell(self, device: Device, method: str, params: dict[str, Any]) -> None:
        self._spawn(self._call(device, method, params))

    async def _call(self, device: Device, method: str, params: dict[str, Any]) -> Any:
        """The device's answer; None if it refused, which is noted."""
        try:
            return await device.link.call(method, params)
        except RpcError as fault:
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
                self._tell(device, "renderer.close", closing)
        end_us = stream.end_us
        if end_us is not None and now_us >= end_us:
            self._finish("ended", None)

    def _keep(self, frames: formats.Frames) -> None:
        if self._dump:
            self._dump.write(frames.tobytes())

    # Events and status

    def heard(self, event: Event) -> None:
        """Something the source said."""
        if isinstance(event, Track):
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
        if self.stream is None or not self.tracks:
            return None
        silence = self.stream.counters.underflow_chunks
        frame = (self.stream.chunk_at(self._house.now_us()) - silence) * 256
        heard = self.tracks[0]
        for track in self.tracks:
            if track.first_frame <= frame:
                heard = track
        return heard

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
        stream = self.stream
        return {
            "id": self.name,
            "state": self.state,
            "reason": self.reason,
            "stream": self.number,
            "start_us": stream.start_us if stream else None,
            "lead_ms": self.lead_ms,
            "last_chunk": stream.last_chunk if stream else None,
            "underflow_chunks": stream.counters.underflow_chunks if stream else 0,
            "tick_late_max_us": stream.counters.tick_late_max_us if stream else 0,
        }


def _channels(pick: str) -> int:
    return formats.Variant(pick, 0).channels
