"""A device as the box knows it: its link, what it says of itself, and its latest report."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from phantom.rpc import CLOSED, TIMED_OUT, RpcError
from phantom.wire import RATE, audio
from storagebox.journal import Journal
from storagebox.streamer.channels import Hello
from storagebox.streamer.link import Link
from storagebox.streamer.sweep import Sweep

from .rooms import DeviceEntry, Room

# A report is a state and whole numbers (docs/protocol.md); nothing else of it is kept.
MAX_REPORT_FIELDS = 40
MAX_FIELD_CHARS = 24
STATES = ("idle", "syncing", "waiting", "playing", "starved")


@dataclass(frozen=True)
class DeviceInfo:
    """What `device.info` answers."""

    board: str
    version: str
    boot: int
    ring_bytes: int
    dac_channels: int
    codecs: tuple[str, ...]

    @classmethod
    def parse(cls, body: Any) -> DeviceInfo:
        """Raises ValueError naming the field that is not as it should be."""
        if not isinstance(body, dict):
            raise ValueError("device.info is not an object")
        fields = cast("dict[str, Any]", body)
        for key in ("boot", "ring_bytes", "dac_channels", "rate"):
            if not isinstance(fields.get(key), int):
                raise ValueError(f"device.info: {key} is not an integer")
        codecs = fields.get("codecs")
        if not isinstance(codecs, list):
            raise ValueError("device.info: codecs is not a list")
        if fields["rate"] != RATE:
            raise ValueError(f"device.info: a rate of {fields['rate']}, not {RATE}")
        if fields["dac_channels"] not in (1, 2):
            raise ValueError(f"device.info: {fields['dac_channels']} DAC channels")
        return cls(
            str(fields.get("board", ""))[:64],
            str(fields.get("version", ""))[:64],
            fields["boot"],
            fields["ring_bytes"],
            fields["dac_channels"],
            tuple(codec for codec in audio.CODECS if codec in cast("list[Any]", codecs)),
        )


class Device:
    """One device of the rooms file, connected or not.

    on_ready(device) runs each time the device has connected and said what it is, on_gone(device)
    when a device that was ready has lost its connection, on_change() at those and at reports.
    """

    def __init__(
        self,
        room: Room,
        entry: DeviceEntry,
        *,
        identity: str,
        boot: int,
        clock_port: int,
        sweep: Sweep,
        rng: random.Random,
        local_address: str | None,
        journal: Journal,
        on_ready: Callable[[Device], None],
        on_gone: Callable[[Device], None],
        on_change: Callable[[], None],
    ) -> None:
        self.room = room
        self.entry = entry
        self.id = entry.id
        self.info: DeviceInfo | None = None
        self.report: dict[str, Any] | None = None
        self._met: tuple[int, DeviceInfo] | None = None  # the boot it was last met in
        self.level: dict[str, int] | None = None  # what it was last asked for
        self._clock_port = clock_port
        self._journal = journal
        self._on_ready = on_ready
        self._on_gone = on_gone
        self._on_change = on_change
        self._greeting: asyncio.Task[None] | None = None
        self.link = Link(
            entry.address,
            entry.port,
            identity=identity,
            boot=boot,
            sweep=sweep,
            rng=rng,
            local_address=local_address,
            on_up=self._up,
            on_down=self._down,
            on_fault=journal.fault,
        )
        self.link.rpc.serve("renderer.report", self._reported)

    @property
    def ready(self) -> bool:
        """Connected, and known for what it is: it can be given a stream."""
        return self.info is not None and self.link.up

    @property
    def synchronised(self) -> bool:
        """Ready, and its latest report says that it knows house time."""
        return self.ready and self.report is not None and self.report.get("state") != "syncing"

    @property
    def pick(self) -> str:
        """What it is to be sent: the room's wish, as far as its DAC goes."""
        if self.info and self.info.dac_channels == 1 and self.entry.pick == audio.BOTH:
            return audio.MONO
        return self.entry.pick

    async def set_level(self, volume: int, ramp_ms: int) -> None:
        """Set the volume now, and again whenever the device comes back. Raises RpcError."""
        self.level = {"volume": volume, "ramp_ms": ramp_ms}
        if self.ready:
            await self.link.call("renderer.level", self.level)

    def status(self) -> dict[str, Any]:
        """What the control socket shows: the latest report's fields among the box's own."""
        counters = self.link.counters
        return {
            **(self.report or {"state": None}),
            "id": self.id,
            "address": self.entry.address,
            "pick": self.pick,
            "connected": self.ready,
            "board": self.info.board if self.info else None,
            "version": self.info.version if self.info else None,
            "boot": self.info.boot if self.info else None,
            "ring_bytes": self.info.ring_bytes if self.info else None,
            "connections": counters.connections,
            "last_close": counters.last_reason,
            "closed": dict(counters.closed),
            "malformed_rpc": self.link.rpc.malformed,
        }

    def _up(self, hello: Hello) -> None:
        if hello.identity != self.id:
            self._journal.emit(
                "device.mismatch",
                device=self.id,
                address=self.entry.address,
                says=hello.identity,
                remedy="correct the id or the address in the rooms file",
            )
            self.link.disconnect("another device")
            return
        self._journal.emit("link.up", device=self.id, boot=hello.boot)
        if self._met and self._met[0] == hello.boot:
            self._present(self._met[1])  # it only changed connections: lose no round trip
        self._greeting = asyncio.ensure_future(self._greet(hello.boot))

    def _down(self, reason: str) -> None:
        if self._greeting:
            self._greeting.cancel()
            self._greeting = None
        self._journal.emit("link.down", device=self.id, reason=reason)
        if self.info is not None:
            self._on_gone(self)
        self.info = None
        self.report = None
        self._on_change()

    def _present(self, info: DeviceInfo) -> None:
        self.info = info
        self._on_change()
        self._on_ready(self)

    async def _greet(self, boot: int) -> None:
        try:
            calls = [self.link.call("device.clock", {"port": self._clock_port})]
            if self.level:
                calls.append(self.link.call("renderer.level", self.level))
            if self.info is None:
                calls.append(self.link.call("device.info", {}))
            *_, body = await asyncio.gather(*calls)
            if self.info is None:
                self._met = (boot, DeviceInfo.parse(body))
                self._present(self._met[1])
        except (RpcError, ValueError) as fault:
            lost = isinstance(fault, RpcError) and fault.code in (TIMED_OUT, CLOSED)
            self._journal.emit("device.unusable", device=self.id, reason=str(fault))
            self.link.disconnect("no answer" if lost else "unusable")

    def _reported(self, **fields: Any) -> None:
        report: dict[str, Any] = {
            key: value
            for key, value in list(fields.items())[:MAX_REPORT_FIELDS]
            if isinstance(value, int) and len(key) <= MAX_FIELD_CHARS
        }
        state: Any = fields.get("state")
        report["state"] = state if state in STATES else None
        self.report = report
        self._on_change()
