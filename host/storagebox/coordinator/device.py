"""A device as the box knows it: its link, what it says of itself, its volume, its reports."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from phantom.rpc import CLOSED, REFUSED, TIMED_OUT, RpcError
from phantom.wire import RATE, audio, discovery
from storagebox.journal import Journal
from storagebox.streamer.channels import Hello
from storagebox.streamer.link import Link

from . import levels
from .halves import Half
from .keeping_up import KeepingUp
from .memo import Memo, loads
from .readings import Readings, Window

if TYPE_CHECKING:
    from .session import Session

# A report is a state and whole numbers (docs/protocol.md); nothing else of it is kept.
MAX_REPORT_FIELDS = 40
MAX_FIELD_CHARS = 24
NOTE = "renderer.note"
# A volume that jumps clicks; one that creeps seems broken.
RAMP_MS = 60
# Where the group's other members are may be told a little later than that one is there.
SNAPSHOT_S = 2.0
_SNAPSHOT_POLL_S = 0.005
# A box that starts may itself stand still for seconds, and has heard nobody meanwhile: of what is
# longer than this between two looks, no more counts.
_SNAPSHOT_LOOK_S = 0.05
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
    codec: str | None = None  # what suits its board while the network is good
    lead_ms: int | None = None  # the most that is worth sending it ahead of its time

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
        suited, lead_ms = fields.get("codec"), fields.get("lead_ms")
        return cls(
            str(fields.get("board", ""))[:64],
            str(fields.get("version", ""))[:64],
            fields["boot"],
            fields["ring_bytes"],
            fields["dac_channels"],
            tuple(codec for codec in audio.CODECS if codec in cast("list[Any]", codecs)),
            suited if isinstance(suited, str) and suited in audio.CODECS else None,
            lead_ms if type(lead_ms) is int and lead_ms > 0 else None,
        )


class Listener(Protocol):
    """Who wants to know what happens to devices."""

    def ready(self, device: Device) -> None:
        """It has connected and said what it is; `device.restarted` tells if it is another boot."""
        ...

    def gone(self, device: Device) -> None:
        """One that was ready has lost its connection."""
        ...

    def changed(self, device: Device) -> None:
        """Anything else: a report, a volume, a property."""
        ...

    def told(self, device: Device, name: str, value: Any) -> None:
        """It has told a property."""
        ...


# link(on_up, on_down) makes the link to a device.
MakeLink = Callable[[Callable[[Hello], None], Callable[[str], None]], Link]


class Device:
    """One device of the house, connected or not."""

    def __init__(
        self,
        identity: str,
        name: str,
        make_link: MakeLink,
        journal: Journal,
        listener: Listener,
        now_s: Callable[[], float],
    ) -> None:
        """`now_s` is a monotonic clock."""
        self.id = identity
        self.name = name
        self.info: DeviceInfo | None = None
        self.report: dict[str, Any] | None = None
        self.flags = 0  # of its latest beacon
        self.restarted = False  # the boot it is in now began since it was last met
        self.session: Session | None = None  # whose stream it is given
        self.keeping_up = KeepingUp()
        self.half = Half()
        self.volume: float | None = None  # 0 to 100, as it says; None: never heard of
        self.mute = False
        self._wanted: dict[str, Any] = {}  # the level it is to have in any boot
        self._telling = 0  # levels on their way to it
        self._untold = False  # there is one that was wanted while it was away
        self._readings = Readings()
        self._met: tuple[int, DeviceInfo] | None = None  # the boot it was last met in
        self._journal = journal
        self._listener = listener
        self._now_s = now_s
        self._greeting: asyncio.Task[None] | None = None
        self._noting: asyncio.Task[None] | None = None
        self.link = make_link(self._up, self._down)
        self.link.rpc.serve("renderer.report", self._reported)
        self.properties = self.link.rpc.observe(self._property)

    @property
    def ready(self) -> bool:
        """Connected, and known for what it is: it can be given a stream."""
        return self.info is not None and self.link.up

    @property
    def synchronised(self) -> bool:
        """Ready, and its latest report says that it knows house time."""
        return self.ready and self.report is not None and self.report.get("state") != "syncing"

    @property
    def address(self) -> str:
        """Where it is looked for."""
        return self.link.address

    def quiet_s(self, now_s: float) -> float | None:
        """How long it has given no sign of life, amid music; None if it is not connected."""
        return self.link.quiet_s(now_s) if self.ready else None

    # Reports

    @property
    def window(self) -> Window:
        """What its latest reports say."""
        return self._readings.window(self._now_s()) if self.ready else Window()

    def begin_anew(self) -> None:
        """It is given a stream now: what it reported before says nothing of that."""
        self._readings.clear()

    def forgive(self) -> None:
        """What its reports have counted so far has been acted upon."""
        self._readings.forgive()

    def _reported(self, **fields: Any) -> None:
        report: dict[str, Any] = {
            key: value
            for key, value in list(fields.items())[:MAX_REPORT_FIELDS]
            if isinstance(value, int) and len(key) <= MAX_FIELD_CHARS
        }
        state: Any = fields.get("state")
        report["state"] = state if state in STATES else None
        self.report = report
        if self.session is None or self.session.draining:
            report = {key: value for key, value in report.items() if key != "buffer_ms"}
        self._readings.take(report, self._now_s())
        self._listener.changed(self)

    # Volume

    async def set_level(
        self, volume: float | None = None, mute: bool | None = None, ramp_ms: int = RAMP_MS
    ) -> None:
        """Set volume (0 to 100) or mute, now and whenever it comes back. Raises RpcError."""
        if volume is not None:
            self.volume = volume
            self._wanted["volume"] = levels.to_steps(volume)
        if mute is not None:
            self.mute = self._wanted["mute"] = mute
        self._listener.changed(self)
        self._untold = True
        if self.ready:
            await self._tell_level(ramp_ms)

    async def _tell_level(self, ramp_ms: int) -> None:
        self._telling += 1
        try:
            await self.link.call("renderer.level", {**self._wanted, "ramp_ms": ramp_ms})
            self._untold = False
        except RpcError as fault:
            self._untold = fault.code in (TIMED_OUT, CLOSED)
            raise
        finally:
            self._telling -= 1

    def _property(self, name: str, value: Any) -> None:
        self._listener.told(self, name, value)
        if name == "renderer.volume" and type(value) is int:
            if self._holds("volume"):
                self.volume = levels.from_steps(value)
                self._wanted["volume"] = value
        elif name == "renderer.mute" and isinstance(value, bool):
            if self._holds("mute"):
                self.mute = self._wanted["mute"] = value
        elif name == "device.name" and isinstance(value, str) and value:
            self.name = value[:64]
        self._listener.changed(self)

    def _holds(self, level: str) -> bool:
        """Whether what the device says of its level is to be believed.

        Until it has answered, what it says is of before it was told. One that has restarted says
        what it begins with, which won't last if it is to have another.
        """
        if self._telling or self._untold:
            return False
        return level not in self._wanted or self.ready or not self.restarted

    # Notes that a box leaves with it

    @property
    def memos(self) -> list[Memo]:
        """What it was left: of the session that it plays, and of its group when nothing did."""
        found = [loads(self.properties.values.get("renderer.session")), loads(self.note)]
        return [memo for memo in found if memo is not None]

    @property
    def note(self) -> str:
        """What it keeps while nothing plays; see `notes`."""
        note = self.properties.values.get(NOTE)
        return note if isinstance(note, str) else ""

    @property
    def fed_by(self) -> str | None:
        """The box whose stream is open there, as it says; None if none is."""
        memo = loads(self.properties.values.get("renderer.session"))
        return memo.box if self.open_stream is not None and memo is not None else None

    def leave_note(self, text: str) -> None:
        """Have it keep this, unless it does."""
        known = self.properties.values.get(NOTE)
        if self.ready and known is not None and known != text and self._noting is None:
            self._noting = asyncio.ensure_future(self._leave(text))

    async def _leave(self, text: str) -> None:
        with suppress(RpcError):  # it is tried again
            await self.link.call("properties.set", {"name": NOTE, "value": text})
        self._noting = None

    @property
    def open_stream(self) -> int | None:
        """The stream that is open there, as it says."""
        stream = self.properties.values.get("renderer.stream")
        return stream if type(stream) is int and stream > 0 else None

    # Connections

    def _up(self, hello: Hello) -> None:
        if hello.identity != self.id:
            self._journal.emit(
                "device.mismatch", device=self.id, address=self.address, says=hello.identity
            )
            self.link.disconnect("another device")
            return
        self._journal.emit("link.up", device=self.id, boot=hello.boot)
        self.restarted = self._met is None or self._met[0] != hello.boot
        if self._met and not self.restarted:
            self._present(self._met[1])  # it only changed connections: lose no round trip
            if self._untold:
                self._greeting = asyncio.ensure_future(self._catch_up())
        else:
            self._greeting = asyncio.ensure_future(self._greet(hello.boot))

    def _down(self, reason: str) -> None:
        if self._greeting:
            self._greeting.cancel()
            self._greeting = None
        self._journal.emit("link.down", device=self.id, reason=reason)
        was_ready, self.info, self.report = self.info is not None, None, None
        if was_ready:
            self._listener.gone(self)
        self._listener.changed(self)

    def _present(self, info: DeviceInfo) -> None:
        self.info = info
        if self.restarted:
            self._readings.clear()
            self.keeping_up.restarted(self._now_s())
        self._listener.ready(self)
        self._listener.changed(self)

    async def _greet(self, boot: int) -> None:
        try:
            calls = [self.link.call("device.info", {}), self._snapshot()]
            if self._wanted:
                calls.append(self._level_again())
            body, *_ = await asyncio.gather(*calls)
            self._met = (boot, DeviceInfo.parse(body))
            self._present(self._met[1])
        except (RpcError, ValueError) as fault:
            lost = isinstance(fault, RpcError) and fault.code in (TIMED_OUT, CLOSED)
            self._journal.emit("device.unusable", device=self.id, reason=str(fault))
            self.link.disconnect("no answer" if lost else "unusable")

    async def _catch_up(self) -> None:
        with suppress(RpcError):  # the next time it comes
            await self._level_again()

    async def _level_again(self) -> None:
        try:
            await self._tell_level(0)
        except RpcError as fault:
            if fault.code != REFUSED:  # it has no sound: in safe mode, say, and can be helped
                raise

    async def _snapshot(self) -> None:
        """Wait until its properties are known. Raises RpcError."""
        left_s, looked_s = SNAPSHOT_S, self._now_s()
        while not self.properties.current:
            if left_s <= 0:
                raise RpcError(TIMED_OUT, "no properties in time")
            await asyncio.sleep(_SNAPSHOT_POLL_S)
            before_s, looked_s = looked_s, self._now_s()
            left_s -= min(looked_s - before_s, _SNAPSHOT_LOOK_S)

    def status(self) -> dict[str, Any]:
        """What the control socket shows: the latest report's fields among the box's own."""
        counters = self.link.counters
        return {
            **(self.report or {"state": None}),
            "id": self.id,
            "name": self.name,
            "address": self.address,
            "connected": self.ready,
            "safe_mode": bool(self.flags & discovery.SAFE_MODE),
            "fault": discovery.reason_of(self.flags) or None,
            "volume": None if self.volume is None else round(self.volume, 2),
            "mute": self.mute,
            "board": self.info.board if self.info else None,
            "version": self.info.version if self.info else None,
            "boot": self.info.boot if self.info else None,
            "ring_bytes": self.info.ring_bytes if self.info else None,
            "connections": counters.connections,
            "last_close": counters.last_reason,
            "closed": dict(counters.closed),
            "malformed_rpc": self.link.rpc.malformed,
        }
