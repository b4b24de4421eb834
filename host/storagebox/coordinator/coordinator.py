"""The coordinator of one box: its devices, the session they play, and the commands of people."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from phantom.rpc import INVALID_PARAMS, REFUSED, TIMED_OUT, RpcError
from phantom.wire import audio
from storagebox.journal import Journal
from storagebox.sources.events import Event
from storagebox.sources.source import SourceError
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.sweep import Sweep

from .device import Device
from .rooms import Installation
from .session import (
    DEFAULT_LEAD_MS,
    MAX_LEAD_MS,
    MIN_LEAD_MS,
    NoSoundError,
    Session,
    Source,
)

FULL_VOLUME = 10000


class Coordinator:
    """Commands raise RpcError with a message for people."""

    def __init__(
        self,
        installation: Installation,
        source: Source,
        house: HouseTime,
        journal: Journal,
        sweep: Sweep,
        *,
        clock_port: int,
        local_address: str | None,
        music: Path | None,
        rng: random.Random,
    ) -> None:
        self.installation = installation
        self.session: Session | None = None
        self._source = source
        self._house = house
        self._journal = journal
        self._music = music
        self._number = rng.randrange(1, 65536)
        self._changed = asyncio.Event()
        self.playing = asyncio.Event()  # a session wants to be pumped
        self._links: list[asyncio.Task[None]] = []
        self.devices = [
            Device(
                room,
                entry,
                identity=f"box:{installation.name}"[:32],
                boot=house.generation,
                clock_port=clock_port,
                sweep=sweep,
                rng=random.Random(rng.random()),
                local_address=local_address,
                journal=journal,
                on_ready=self._ready,
                on_gone=self._gone,
                on_change=self._notify,
            )
            for room, entry in installation.devices
        ]

    # Life

    def start(self) -> None:
        """Begin to look for the devices."""
        self._links = [asyncio.ensure_future(device.link.run()) for device in self.devices]

    async def close(self) -> None:
        """Stop the music and say goodbye to every device."""
        if self.session:
            await self.session.stop()
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def tick(self, now_s: float) -> None:
        """A few times a second: time-outs and pings."""
        for device in self.devices:
            device.link.tick(now_s)

    def pump(self, now_us: int) -> None:
        """Send what is due."""
        session = self.session
        if session is None:
            return
        try:
            session.pump(now_us)
        except Exception as fault:  # of ours: this session pays, the next one plays
            self._journal.fault("pump", fault)
            session.fail("a fault of the box")

    def heard(self, event: Event) -> None:
        """Something the source said."""
        if self.session:
            self.session.heard(event)

    # Commands

    async def play(
        self,
        paths: Sequence[str] | None = None,
        rooms: Sequence[str] | None = None,
        lead_ms: int | None = None,
        codec: str | None = None,
        pcm_dump: str | None = None,
    ) -> dict[str, Any]:
        """Play files and folders, in order and without gaps, in all rooms or those named.

        Replaces what plays. Returns the session, its stream number, the house time of its first
        frame and that of the command.
        """
        command_us = self._house.now_us()
        items = self._checked_paths(paths)
        devices = [device for room in self._rooms(rooms) for device in room]
        lead_ms = DEFAULT_LEAD_MS if lead_ms is None else lead_ms
        if type(lead_ms) is not int or not MIN_LEAD_MS <= lead_ms <= MAX_LEAD_MS:
            raise _invalid(f"lead_ms {lead_ms!r} is not within {MIN_LEAD_MS} to {MAX_LEAD_MS}")
        if codec is not None and codec not in audio.CODECS:
            raise _invalid(f"codec {codec!r} is none of {', '.join(audio.CODECS)}")
        self._number = self._number % 65535 + 1
        try:
            session = Session(
                f"session-{self._number}",
                self._number,
                devices,
                self._source,
                self._house,
                self._journal,
                lead_ms=lead_ms,
                codec=codec,
                pcm_dump=Path(pcm_dump) if pcm_dump else None,
                on_change=self._notify,
            )
        except OSError as fault:
            raise _invalid(f"pcm_dump {pcm_dump}: {fault.strerror}") from None
        await self.stop()
        self.session = session
        try:
            await session.start(items)
        except (SourceError, NoSoundError) as fault:
            session.fail(str(fault))
            raise RpcError(REFUSED, str(fault)) from None
        except TimeoutError:
            session.fail("the source gave no sound in time")
            raise RpcError(REFUSED, "the source gave no sound in time") from None
        except Exception:
            session.fail("a fault of the box")
            raise
        self.playing.set()
        self._notify()
        assert session.stream is not None
        return {
            "session": session.name,
            "stream": session.number,
            "start_us": session.stream.start_us,
            "command_us": command_us,
        }

    async def stop(self) -> bool:
        """Fade out what plays. True if something did."""
        session = self.session
        if session is None or session.state not in ("starting", "playing"):
            return False
        await session.stop()
        return True

    async def level(self, volume: int, room: str | None = None, ramp_ms: int = 50) -> bool:
        """Set the volume of a room, or of all, in hundredths of a percent, over `ramp_ms`."""
        if type(volume) is not int or not 0 <= volume <= FULL_VOLUME:
            raise _invalid(f"volume {volume!r} is not within 0 to {FULL_VOLUME}")
        if type(ramp_ms) is not int or not 0 <= ramp_ms <= 10_000:
            raise _invalid(f"ramp_ms {ramp_ms!r} is not within 0 to 10000")
        devices = [d for group in self._rooms(None if room is None else [room]) for d in group]
        await asyncio.gather(*(device.set_level(volume, ramp_ms) for device in devices))
        return True

    async def wait(self, what: str, timeout_s: float | None = None) -> bool:
        """Wait for "devices" (all connected and synchronised) or the "end" of the session."""
        if what == "devices":
            done = self._all_synchronised
        elif what == "end":
            done = self._nothing_plays
        else:
            raise _invalid(f"can wait for devices or end, not {what!r}")
        try:
            async with asyncio.timeout(timeout_s):
                while not done():
                    await self._changed.wait()
        except TimeoutError:
            raise RpcError(TIMED_OUT, self._why_not(what)) from None
        return True

    def status(self) -> dict[str, Any]:
        """What plays, where, and how well."""
        session = self.session
        track = session.track() if session else None
        rooms: dict[str, list[dict[str, Any]]] = {}
        for device in self.devices:
            counts = session.counts(device) if session else {"sent_chunks": 0, "skipped_chunks": 0}
            rooms.setdefault(device.room.name, []).append({**device.status(), **counts})
        return {
            "installation": self.installation.name,
            "house_us": self._house.now_us(),
            "generation": self._house.generation,
            "session": session.status() if session else None,
            "track": track and {"title": track.title, "artist": track.artist, "path": track.path},
            "rooms": [{"name": name, "devices": devices} for name, devices in rooms.items()],
            "events": list(self._journal.latest),
        }

    # What they rest on

    def _checked_paths(self, paths: Sequence[str] | None) -> list[str]:
        if not paths:
            if self._music is None:
                raise _invalid("nothing to play: name files or folders, or start with --music")
            return [str(self._music)]
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise _invalid("paths must be a list of texts")
        for path in paths:
            if not Path(path).exists():
                raise _invalid(f"{path}: no such file or folder")
        return list(paths)

    def _rooms(self, names: Sequence[str] | None) -> list[list[Device]]:
        by_name: dict[str, list[Device]] = {}
        for device in self.devices:
            by_name.setdefault(device.room.name, []).append(device)
        if names is None:
            return list(by_name.values())
        for name in names:
            if name not in by_name:
                raise _invalid(f"no room {name!r}; there are {', '.join(by_name)}")
        return [by_name[name] for name in names]

    def _all_synchronised(self) -> bool:
        return all(device.synchronised for device in self.devices)

    def _nothing_plays(self) -> bool:
        return self.session is None or self.session.state not in ("starting", "playing")

    def _why_not(self, what: str) -> str:
        if what == "end":
            return "still playing"
        missing = [
            f"{d.id} ({'not in time yet' if d.ready else d.link.counters.last_reason or 'silent'})"
            for d in self.devices
            if not d.synchronised
        ]
        return f"still missing: {', '.join(missing)}"

    def _ready(self, device: Device) -> None:
        session = self.session
        if session and device in session.devices:
            session.attach(device)

    def _gone(self, device: Device) -> None:
        if self.session:
            self.session.detach(device)

    def _notify(self) -> None:
        """Wake whoever waits for a change."""
        if self._nothing_plays():
            self.playing.clear()
        self._changed.set()
        self._changed = asyncio.Event()


def _invalid(text: str) -> RpcError:
    return RpcError(INVALID_PARAMS, text)
