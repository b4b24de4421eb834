"""One board's update: send what it lacks, start it, and see that it plays.

What a board says of itself (update.state, see phantom.updates) is all there is to know, so a box
that has started anew finds a board in whatever state and goes on from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from phantom.rpc import CLOSED, REFUSED, TIMED_OUT, RpcError

from .bundle import Bundle
from .candidate import Candidate

# How often it is sent, where the link is lost amid it.
TRIES = 3
# A link that is lost comes back within seconds, or the board has lost power.
BACK_S = 60.0
# Writing takes some 130 ms a sector; a board that is silent and gets no further is stuck.
STUCK_S = 60.0
# What a board says of itself may be behind what it is by a report or two.
LAG_S = 3.0
# Three starts that each wait three minutes for a chance to play in time; and some to join Wi-Fi.
TRIAL_S = 660.0
_POLL_S = 0.1
_ASK_S = 0.25
STATE = "update.state"
# States in which a board runs its new code, and has not written down that it keeps it.
ON_TRIAL = ("trial", "proven")
# States in which a board goes on by itself, whatever the box does.
STARTED = ("restarting", *ON_TRIAL)


class UpdateFailed(Exception):
    """A board did not get its new code; `left` is what it runs or does now."""

    def __init__(self, why: str, left: str) -> None:
        super().__init__(why)
        self.why = why
        self.left = left


class BoardAway(UpdateFailed):
    """It was not there when its turn came, nor soon after: it is as it was."""


# told(state, done, of) hears how far it is, in bytes.
Told = Callable[[str, int, int], None]


class BoardUpdate:
    """`run` it once. `sleep` passes time, `now_s` is a monotonic clock."""

    def __init__(
        self,
        board: Candidate,
        bundle: Bundle,
        key: bytes,
        *,
        force: bool,
        told: Told,
        now_s: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._board = board
        self._bundle = bundle
        self._key = key
        self._force = force
        self._told = told
        self._now_s = now_s
        self._sleep = sleep
        self._before = board.version
        self._asked_in: int | None = None  # the boot in which it was told to start the new code
        self._why = "it did not play in time"  # it was rolled back, unless the board tells more

    async def run(self) -> None:
        """Until the board has confirmed the new code. Raises UpdateFailed."""
        await self._there()
        if self._state in ON_TRIAL and self._board.version == self._bundle.version:
            boot = self._board.boot - 1  # a box before this one has sent and started it
        else:
            boot = await self._send_and_start()
        await self._confirmed(boot)

    @property
    def _state(self) -> str:
        return str(self._board.update.get("state", ""))

    async def _there(self) -> None:
        board = self._board
        if board.connected:
            return
        self._told("lost", 0, 0)
        try:
            await self._until(lambda: board.connected, BACK_S, "", f"it ran {self._before}")
        except UpdateFailed as fault:
            raise BoardAway(f"away: {board.why_away}", fault.left) from None

    # Sending

    async def _send_and_start(self) -> int:
        """The boot in which the board was before."""
        left = f"runs {self._before} as before"
        for attempt in range(1, TRIES + 1):
            try:
                await self._send()
                await self._written()
                return await self._apply()
            except RpcError as fault:
                lost = fault.code in (CLOSED, TIMED_OUT)
                if not lost or (attempt == TRIES and self._asked_in is None):
                    raise UpdateFailed(fault.message, left) from None
            self._told("lost", 0, 0)
            await self._until(
                lambda: self._board.connected,
                BACK_S,
                f"the link was lost, and it is not back within {BACK_S:g} s",
                f"away; it ran {self._before}",
            )
            if self._asked_in not in (None, self._board.boot):
                return self._asked_in  # its answer was lost, but not the order
        raise UpdateFailed("it did not restart, though it was told to", left)

    async def _send(self) -> None:
        board, bundle = self._board, self._bundle
        self._told("asking", 0, 0)
        await self._when(lambda: board.unhurried)
        nonce = _fields(await board.call("update.begin", {})).get("nonce")
        if not isinstance(nonce, str):
            raise _senseless("update.begin")
        signed = bundle.signed(self._key, nonce, force=self._force)
        await board.upload(signed, "manifest", self._waits)
        wanted = _fields(await board.call("update.wanted", {})).get("files")
        data = bundle.content(wanted)
        if data is None:
            raise _senseless("update.wanted")
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
        since_s, done = self._now_s(), None
        # What it has told without being asked may be of before.
        while (said := await self._ask_state()).get("state") != "ready":
            if said.get("state") == "failed":
                raise RpcError(REFUSED, str(said.get("reason") or "it does not say why"))
            if not board.idle or said.get("done") != done:
                since_s, done = self._now_s(), said.get("done")
            elif self._now_s() - since_s > STUCK_S:
                raise RpcError(REFUSED, f"it has written nothing for {STUCK_S:g} s")
            self._tell()
            await self._sleep(_ASK_S)

    async def _ask_state(self) -> dict[str, Any]:
        answer = await self._board.call("properties.read", {"names": [STATE]})
        return _fields(_fields(_fields(answer).get("values")).get(STATE))

    async def _apply(self) -> int:
        """Start the new code, in the first silence. Returns the boot before."""
        board = self._board
        refused_s: float | None = None  # since when, though it seems to be idle
        while True:
            if not board.idle:
                refused_s = None
                await self._when(lambda: board.idle)
            self._asked_in = board.boot
            try:
                await board.call("update.apply", {})
                return self._asked_in
            except RpcError as fault:
                if fault.code in (CLOSED, TIMED_OUT):
                    raise
                self._asked_in = None
                now_s = self._now_s()
                refused_s = now_s if refused_s is None else refused_s
                if now_s - refused_s > LAG_S:
                    raise
            await self._sleep(_POLL_S)  # music has begun a moment before

    async def _when(self, ready: Callable[[], bool]) -> None:
        """Wait for what is played there, however long. Raises RpcError where the link is lost."""
        while not ready():
            if not self._board.connected:
                raise RpcError(CLOSED, "the link was lost")
            self._told("waiting", 0, 0)
            await self._sleep(_POLL_S)

    # The trial

    async def _confirmed(self, boot: int) -> None:
        board, wanted = self._board, self._bundle.version

        def settled() -> bool:
            if not board.connected or board.boot == boot or not board.update:
                self._told("restarting", 0, 0)
                return False
            on_trial = self._state in ON_TRIAL
            self._tell()
            if self._state == "rolled-back" or wanted in board.failed:
                self._why = str(board.update.get("reason") or self._why)
                if board.version == wanted != self._before and not board.safe:
                    return False  # it is about to start what it had before
                self._rolled_back()
            if not on_trial and (board.safe or board.version != wanted):
                self._rolled_back()
            return not on_trial

        await self._until(
            settled,
            TRIAL_S,
            f"{wanted} has not shown that it plays in time",
            f"on trial with {wanted}, or away",
            # It keeps the new code, and writes that down once the music pauses.
            patience=lambda: board.connected and self._state == "proven",
        )

    def _rolled_back(self) -> None:
        board, wanted = self._board, self._bundle.version
        left = "in safe mode" if board.safe else f"back on {board.version}"
        if wanted in board.failed:
            raise UpdateFailed(f"{wanted} did not work: {self._why}", left)
        raise UpdateFailed(f"it has started {board.version}, not {wanted}", left)

    async def _until(
        self,
        done: Callable[[], bool],
        within_s: float,
        why: str,
        left: str,
        patience: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait; while there is `patience`, no time passes. Raises UpdateFailed(why, left)."""
        end_s = self._now_s() + within_s
        while not done():
            if patience():
                end_s = self._now_s() + within_s
            if self._now_s() >= end_s:
                raise UpdateFailed(why, left)
            await self._sleep(_POLL_S)


def _fields(answer: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


def _senseless(method: str) -> RpcError:
    return RpcError(REFUSED, f"its answer to {method} makes no sense")
