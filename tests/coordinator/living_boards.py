"""Boards that run their own side of an update (`phantom.updates`, `loader`) inside a test.

Two slots in a folder, power, a link that can be cut, and a clock that stands unless somebody
sleeps. What a version does is told by `nature`; nothing is compiled or executed from the slots.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import loader
from phantom import updates
from phantom.rpc import CLOSED, TIMED_OUT, RpcError
from phantom.wire import bulk
from storagebox.coordinator.updates.bundle import Bundle, read
from storagebox.streamer.transfer import STALLED_S, Patience
from tests.firmware.updating import KEY, Board, flash, text_of

OLD_VERSION, NEW_VERSION = "0.1.0", "0.2.0"
OLD = {"phantom/device.mpy": b"old device" * 900, "phantom/wire/mux.mpy": b"mux" * 50}
NEW = {"phantom/device.mpy": b"new device" * 901, "phantom/wire/mux.mpy": b"mux" * 50}
DIFFERENT = len(NEW["phantom/device.mpy"])  # bytes that an update from OLD to NEW has to send
WELL, CRASHES, MUTE = "well", "crashes", "never plays"
_RESTART_S = 2.0
_CHORE_MS = 50  # of tests.firmware.updating
_HARD_RESET = 2


def write_bundle(
    path: Path, version: str = NEW_VERSION, files: Mapping[str, bytes] = NEW, **head: str
) -> Path:
    """A bundle as `phantom bundle` writes it; head: board, arch."""
    text = text_of(files, version, **head)
    path.write_bytes(text + b"".join(files[name] for name in sorted(files)))
    return path


def bundle_of(folder: Path, version: str = NEW_VERSION, **head: str) -> Bundle:
    """The same, read."""
    return read(write_bundle(folder / "x.phantom", version, **head))


@contextmanager
def lives() -> Generator[None]:
    """Where boards live: no chip keeps their counts of attempts."""
    keep, loader._keep = loader._keep, id
    try:
        yield
    finally:
        loader._keep = keep


class Clock:
    """Seconds that pass when somebody sleeps; the boards live on, and what was planned happens."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.boards: list[LivingBoard] = []
        self._plans: list[tuple[Callable[[], bool], Callable[[], object]]] = []

    def when(self, condition: Callable[[], bool], happens: Callable[[], object]) -> None:
        """Once, as soon as it holds."""
        self._plans.append((condition, happens))

    def after(self, seconds: float, happens: Callable[[], object]) -> None:
        """Once, so long from now."""
        due_s = self.now_s + seconds
        self.when(lambda: self.now_s >= due_s, happens)

    def look(self) -> None:
        """Let happen what is due."""
        for plan in [plan for plan in self._plans if plan[0]()]:
            self._plans.remove(plan)
            plan[1]()

    async def sleep(self, seconds: float) -> None:
        """As asyncio.sleep."""
        self.now_s += seconds
        for board in self.boards:
            board.live(seconds)
        self.look()
        await asyncio.sleep(0)


class LivingBoard:
    """A Candidate. `nature` tells what versions do other than well."""

    kind, arch, room = "testboard", "bytecode", "Kitchen"

    def __init__(
        self, clock: Clock, folder: Path, identity: str = "kitchen", key: bytes = KEY
    ) -> None:
        self.id = identity
        self.nature: dict[str, str] = {}
        self.music = False
        self.holds_much = True  # of the music
        self.says_idle = False  # whatever it plays
        self.plugged_in = True  # to the network
        self.boot = 0
        self.calls: list[str] = []
        self.sent: list[tuple[str, int]] = []  # purpose and bytes of uploads that came whole
        self.answers: dict[str, Any] = {}  # by method, in place of the board's own
        self.after_call: dict[str, Callable[[], object]] = {}  # before its answer is on its way
        self.halfway: dict[str, Callable[[], object]] = {}  # by purpose, amid the next upload
        self._key = key
        self._clock = clock
        self._root = str(folder / identity)
        self._record = loader.unpack_record(b"")
        self._inner: Board | None = None
        self._away_s = 0.0
        self._version = ""
        self.slot = "a"
        Path(self._root).mkdir(parents=True)
        flash(self._root, "a", OLD, OLD_VERSION)
        clock.boards.append(self)
        self._start()

    # As a Candidate

    @property
    def connected(self) -> bool:
        return self._inner is not None and self.plugged_in and self._away_s <= 0

    why_away = "no sign of life: has it power and Wi-Fi?"

    @property
    def board(self) -> str:
        return self.kind

    @property
    def version(self) -> str:
        return self._version

    @property
    def safe(self) -> bool:
        return self.slot == "safe"

    @property
    def idle(self) -> bool:
        return self.connected and (self.says_idle or not self.music)

    @property
    def unhurried(self) -> bool:
        return self.idle or (self.connected and self.holds_much)

    @property
    def update(self) -> dict[str, Any]:
        return self._inner.properties.get("update.state") if self._inner else {}

    @property
    def state(self) -> str:
        return str(self.update.get("state"))

    @property
    def failed(self) -> list[str]:
        return self._inner.properties.get("update.failed") if self._inner else []

    async def call(self, method: str, params: dict[str, Any]) -> Any:
        board = self._reached()
        self.calls.append(method)
        if method in self.answers:
            return self.answers[method]
        with self._itself():
            answer = board.ask(method, **params)
        if method in self.after_call:
            self.after_call.pop(method)()
            self._reached()
        return answer

    async def upload(self, data: bytes, purpose: str, patience: Patience) -> None:
        board = self._reached()
        with self._itself():
            board.ask("transfer.begin", id=7, size=len(data), purpose=purpose)
        try:
            for offset in range(0, len(data), bulk.DATA_BYTES):
                piece = bulk.header(7, offset) + data[offset : offset + bulk.DATA_BYTES]
                await self._room(board, len(piece), patience)
                with self._itself():
                    board.bulk.frame(board, len(piece))
                    board.bulk.piece(board, piece, 0, len(piece), board.now_ms)
                if purpose in self.halfway and offset >= len(data) // 2:
                    self.halfway.pop(purpose)()
                await self._clock.sleep(0.05)
                self._reached()
            with self._itself():
                board.ask("transfer.end", id=7)
        except asyncio.CancelledError:
            with self._itself():
                board.ask("transfer.cancel", id=7)
            raise
        self.sent.append((purpose, len(data)))

    async def _room(self, board: Board, size: int, patience: Patience) -> None:
        since_s = self._clock.now_s
        while board.bulk.room() < size:
            if self._clock.now_s - since_s >= STALLED_S:
                if not patience():
                    raise RpcError(TIMED_OUT, "the device takes nothing for 10 s")
                since_s = self._clock.now_s
            await self._clock.sleep(0.1)
            self._reached()

    def _reached(self) -> Board:
        if self._inner is None or not self.connected:
            raise RpcError(CLOSED, "the link was lost during the upload")
        return self._inner

    # What happens to it

    def has_memory(self, size: int) -> None:
        """For so many bytes of the update that has begun."""
        assert self._inner is not None
        self._inner.updates._update._stage = bytearray(size)

    def unplug(self, seconds: float | None = None) -> None:
        """Lose the network, for so long or for good."""
        self.plugged_in = False
        if self._inner is not None:
            with self._itself():
                self._inner.uploads.lost(self._inner)
        if seconds is not None:
            self._clock.after(seconds, self._plug_in)

    def _plug_in(self) -> None:
        self.plugged_in = True

    def cut_power(self, seconds: float | None = None) -> None:
        """Lose power; RTC memory forgets."""
        self._inner = None
        self._record = loader.unpack_record(b"")
        if seconds is not None:
            self._clock.after(seconds, self._start)

    # Its life

    def live(self, seconds: float) -> None:
        """So much time passes."""
        self._away_s -= seconds
        board = self._inner
        if board is None:
            return
        with self._itself():
            board.now_ms += round(seconds * 1000) - _CHORE_MS
            board.chore()
        if board.restarts:
            self._start()

    def _start(self) -> None:
        self._away_s = _RESTART_S if self.boot else 0.0
        self.boot += 1
        while True:
            slot, reason, faults, selector = self._choose()
            self.slot = slot
            if slot == "safe" or self.nature.get(self._versions()[slot]) != CRASHES:
                break
            self._record[slot] += 1
            self._record["text"] = "Traceback:\nValueError: broken on purpose"
        if slot != "safe":
            self._record[slot] += 1
            self._version = self._versions()[slot]
        state = loader.State(slot, reason, faults, selector, self._record)
        with self._itself():
            self._inner = board = Board(self._root, state)
        board.updates._membership = type("Member", (), {"key": self._key, "adopted": True})
        board.properties.attach(board.rpc)

    def _versions(self) -> dict[str, str]:
        heads = {slot: loader.manifest_head(f"{self._root}/{slot}") for slot in loader.SLOTS}
        return {slot: head["version"] for slot, head in heads.items() if head is not None}

    def _choose(self) -> tuple[str, str | None, Sequence[str], Any]:
        selector = loader.read_selector(self._root)
        slot, reason, faults = loader.choose(
            selector,
            self._record,
            _HARD_RESET,
            self._versions(),
            lambda slot: loader.fault_in(f"{self._root}/{slot}"),
            lambda: False,
        )
        return slot, reason, faults, selector

    @contextmanager
    def _itself(self) -> Generator[None]:
        """The module's constant is of whichever board is at work."""
        board = self._inner
        if board is not None:
            well = self.nature.get(self._version, WELL) == WELL
            # The box's silence, which proves it where no music does.
            board.playing = self.music or (well and self.connected and self.state == "trial")
            board.fare = (well and board.playing, 0, 0)
        before, updates.VERSION = updates.VERSION, self._version
        try:
            yield
        finally:
            updates.VERSION = before

    def holds(self, slot: str) -> dict[str, bytes]:
        """The files of a slot, but for its manifest."""
        folder = Path(self._root) / slot
        files = [path for path in folder.rglob("*") if path.is_file() and path.name != "manifest"]
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
