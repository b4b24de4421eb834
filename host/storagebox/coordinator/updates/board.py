"""One board's update: send what it lacks, start it, and see that it plays.

What a board says of itself (update.state, see phantom.updates) is all there is to know, so a box
that has started anew finds a board in whatever state and goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

from phantom.rpc import CLOSED, REFUSED, TIMED_OUT, RpcError
from storagebox.streamer.transfer import Patience

from .bundle import Bundle

# A link that is lost comes back within seconds, or the board has lost power.
TRIES = 3
BACK_S = 60.0
# Writing takes some 130 ms a sector; a board that is silent and gets no further is stuck.
STUCK_S = 60.0
# Three starts that each wait three minutes for a chance to play in time; and some to join Wi-Fi.
TRIAL_S = 660.0
_POLL_S = 0.1
_ASK_S = 0.25
STATE = "update.state"


class Host(Protocol):
    """A board as this needs it: what it last said of itself, and how to reach it."""

    @property
    def connected(self) -> bool: ...
    @property
    def boot(self) -> int: ...
    @property
    def version(self) -> str: ...
    @property
    def idle(self) -> bool:
        """Nothing plays there, nor is about to."""
        ...

    @property
    def safe(self) -> bool:
        """It is in safe mode."""
        ...

    @property
    def update(self) -> Mapping[str, Any]:
        """Its property update.state, empty if it has none."""
        ...

    @property
    def failed(self) -> list[str]:
        """Versions that did not work there."""
        ...

    async def call(self, method: str, params: dict[str, Any]) -> Any: ...
    async def upload(self, data: bytes, purpose: str, patience: Patience) -> None: ...


class UpdateFailed(Exception):
    """A board did not get its new code; `left` is what it runs or does now."""

    def __init__(self, why: str, left: str) -> None:
        super().__init__(why)
        self.why = why
        self.left = left


# told(state, done, of) hears how far it is.
Told = Callable[[str, int, int], None]


class BoardUpdate:
    """`run` it once. `sleep` passes time, `now_s` is a monotonic clock."""

    def __init__(
        self,
        board: Host,
        bundle: Bundle,
        key: bytes,
        *,
        force: bool,
        told: Told,
        now_s: Callable[[], float],
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._board = board
        self._bundle = bundle
        self._key = key
        self._force = force
        self._told = told
        self._now_s = now_s
        self._sleep = sleep
        self._before = board.version
        self._why = "it did not play in time"  # it was rolled back, unless the board tells more

    async def run(self) -> None:
        """Until the board has confirmed the new code. Raises UpdateFailed."""
        if self._state != "trial" or self._board.version != self._bundle.version:
            boot = await self._send_and_start()
        else:
            boot = self._board.boot - 1  # a box before this one has sent and started it
        await self._confirmed(boot)

    @property
    def _state(self) -> str:
        return str(self._board.update.get("state", ""))

    # Sending

    async def _send_and_start(self) -> int:
        """The boot in which the board was before."""
        before = self._before
        for attempt in range(1, TRIES + 1):
            try:
                await self._send()
                await self._written()
                return await self._apply()
            except RpcError as fault:
                lost = fault.code in (CLOSED, TIMED_OUT)
                if not lost or attempt == TRIES:
                    raise UpdateFailed(fault.message, f"runs {before} as before") from None
            self._told("lost", 0, 0)
            await self._until(
                lambda: self._board.connected, BACK_S, "it is not back", f"away, with {before}"
            )
        raise AssertionError  # the last attempt returns or raises

    async def _send(self) -> None:
        board, bundle = self._board, self._bundle
        self._told("asking", 0, 0)
        begun = _fields(await board.call("update.begin", {}))
        nonce = begun.get("nonce")
        if not isinstance(nonce, str):
            raise RpcError(TIMED_OUT, "its answer makes no sense")
        signed = bundle.signed(self._key, nonce, force=self._force)
        await board.upload(signed, "manifest", self._waits)
        wanted = _fields(await board.call("update.wanted", {})).get("files")
        if not isinstance(wanted, list):
            raise RpcError(TIMED_OUT, "its answer makes no sense")
        numbers = [n for n in cast("list[Any]", wanted) if isinstance(n, int)]
        try:
            data = bundle.content(numbers)
        except IndexError:
            raise RpcError(TIMED_OUT, "its answer makes no sense") from None
        self._told("receiving", 0, len(data))
        if data:
            await board.upload(data, "update", self._waits)

    def _waits(self) -> bool:
        """Whether it takes nothing because music plays, which may last for hours."""
        self._tell()
        return self._state == "waiting"

    def _tell(self) -> None:
        said = self._board.update
        done, of = said.get("done"), said.get("of")
        self._told(
            self._state, done if isinstance(done, int) else 0, of if isinstance(of, int) else 0
        )

    async def _written(self) -> None:
        """Until all is in flash, which waits for silence. Raises RpcError."""
        board = self._board
        since_s = self._now_s()
        # What it has told without being asked may be of before.
        while (said := _fields(await self._ask_state())).get("state") != "ready":
            if said.get("state") == "failed":
                raise RpcError(REFUSED, str(said.get("reason") or "it does not say why"))
            if not board.idle:
                since_s = self._now_s()
            elif self._now_s() - since_s > STUCK_S:
                raise RpcError(REFUSED, f"it has written nothing for {STUCK_S:g} s")
            self._tell()
            await self._sleep(_ASK_S)

    async def _ask_state(self) -> Any:
        answer = await self._board.call("properties.read", {"names": [STATE]})
        return _fields(_fields(answer).get("values")).get(STATE)

    async def _apply(self) -> int:
        """Start the new code, in the first silence. Returns the boot before."""
        board = self._board
        while True:
            while not board.idle:
                if not board.connected:
                    raise RpcError(CLOSED, "the link was lost")
                self._told("waiting", 0, 0)
                await self._sleep(_POLL_S)
            boot = board.boot
            try:
                await board.call("update.apply", {})
                return boot
            except RpcError as fault:
                if fault.code in (CLOSED, TIMED_OUT) or board.idle:
                    raise
            await self._sleep(_POLL_S)  # music has begun a moment before

    # The trial

    async def _confirmed(self, boot: int) -> None:
        board, wanted = self._board, self._bundle.version

        def back() -> bool:
            if not board.connected or board.boot == boot or not board.update:
                self._told("restarting", 0, 0)
                return False
            on_trial = self._state in ("trial", "proven")
            self._tell()
            if self._state == "rolled-back" or wanted in board.failed:
                self._why = str(board.update.get("reason") or self._why)
                if board.version == wanted != self._before and not board.safe:
                    return False  # it is about to start what it had before
                self._rolled_back()
            if not on_trial and (board.safe or board.version != wanted):
                self._rolled_back()
            return not on_trial

        left = f"on trial with {wanted}, or away"
        await self._until(back, TRIAL_S, f"{wanted} has not shown that it plays in time", left)

    def _rolled_back(self) -> None:
        board, wanted = self._board, self._bundle.version
        left = "in safe mode" if board.safe else f"back on {board.version}"
        if wanted in board.failed:
            raise UpdateFailed(f"{wanted} did not work: {self._why}", left)
        raise UpdateFailed(f"it has started {board.version}, not {wanted}", left)

    async def _until(self, done: Callable[[], bool], within_s: float, why: str, left: str) -> None:
        end_s = self._now_s() + within_s
        while not done():
            if self._now_s() >= end_s:
                raise UpdateFailed(why, left)
            await self._sleep(_POLL_S)


def _fields(answer: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
