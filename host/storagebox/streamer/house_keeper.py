"""A box among those who keep house time: it follows, it is followed, and it carries on.

A box that starts takes over what time it is (`follow`), but its crystal is not the one that the
house has run by. So it goes on asking whoever kept time before, as boards do and with the same
clock and election, and says that it keeps time itself once it knows the rate as well. Of several
boxes the lowest id is master and the others follow; when it is gone the next carries on from its
own estimate. House time is slewed, never stepped, for as long as the timeline is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from phantom.clock import HouseClock
from phantom.timekeeper import ALONE, ASK, SERVICE, Timekeeper
from phantom.wire import mux

from .follow import Asker, Exchange, TimePeer
from .house_clock import HouseTime, Timeline

TURN_S = 0.125
# As on boards: how many questions at once to a new server.
BURST = 12
# 500 ppm: the largest error of a follower is gone within seconds, and nobody hears it.
SLEW_US = 62  # a turn
_FIT_TURNS = 8
_SETTLED_SAMPLES = 32
_TICKS_MASK = 0x3FFFFFFF


class Asking(Protocol):
    """What is wanted of `follow.Asker`."""

    def ask(self) -> None: ...
    def close(self) -> None: ...


Ask = Callable[[str, int, Callable[[Exchange], object]], Asking]


class _LoopAsker(Asker):
    """An Asker that the running loop reads."""

    def __init__(self, address: str, port: int, heard: Callable[[Exchange], object]) -> None:
        super().__init__(address, port, heard)
        asyncio.get_running_loop().add_reader(self.socket, self.readable)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        super().close()


class HouseKeeper:
    """Keeps `house` for the box `me`. `peers` are the registrar's; `say(keeps)` is called when
    others may rely on this box, or may not any more."""

    def __init__(
        self,
        house: HouseTime,
        me: str,
        peers: Callable[[], Iterable[TimePeer]],
        say: Callable[[bool], object],
        ask: Ask = _LoopAsker,
    ) -> None:
        self.house = house
        self._peers = peers
        self._say = say
        self._ask = ask
        self._clock = HouseClock()
        self._keeper = Timekeeper(me, self._now_ms(), mux.ROLE_BOX)
        self._keeps = False
        self._asker: Asking | None = None
        self._place: tuple[str, int] | None = None
        self._fed = 0
        self._turns = 0

    @property
    def server(self) -> str | None:
        """Id of the peer that is asked, None while this box asks nobody."""
        return self._keeper.server.id if self._keeper.server is not None else None

    @property
    def keeps(self) -> bool:
        """Whether others may rely on this box, and are told so."""
        return self._keeps

    def begin(self, *, founded: bool) -> None:
        """House time is known now: founded here, or carried on from others."""
        now_us = self._now_us()
        ticks = now_us & _TICKS_MASK
        self._clock.adopt(ticks, self.house.generation, now_us + self.house.offset_us)
        self._clock.founded = founded

    async def run(self) -> None:
        """Keep it until cancelled."""
        try:
            while True:
                self.turn()
                await asyncio.sleep(TURN_S)
        finally:
            self._close()

    def turn(self) -> None:
        """Eight times a second: elect, ask, draw the line, and move house time toward it."""
        ticks = self._now_us() & _TICKS_MASK
        self._turns += 1
        if self._turns % 2:
            self._elect(ticks)
        if self._asker is not None:
            self._asker.ask()
        clock = self._clock
        soon = clock.samples < _SETTLED_SAMPLES or not clock.synced
        if self._asker is not None and (soon or not self._turns % _FIT_TURNS):
            clock.fit(ticks)
        clock.carry(ticks)
        self._slew()

    def _elect(self, ticks: int) -> None:
        clock = self._clock
        heard, self._fed = bool(self._fed), 0
        verdict = self._keeper.turn(
            list(self._peers()), clock.synced, clock.settled(), heard, self._now_ms()
        )
        server = self._keeper.server
        place = None
        if server is not None and server.addresses:
            place = (server.addresses[0], server.services[SERVICE])
        if verdict == ALONE:
            self._close()
        elif place is not None and (verdict == ASK or place != self._place):
            self._follow(place, ticks)
        self._place = place
        if self._keeper.keeps != self._keeps:
            self._keeps = self._keeper.keeps
            self._say(self._keeps)

    def _follow(self, place: tuple[str, int], ticks: int) -> None:
        self._close()
        self._clock.switch(ticks)
        try:
            self._asker = self._ask(*place, self._take)
        except OSError:
            return  # it will be found mute, and passed over
        for _ in range(BURST):
            self._asker.ask()

    def _take(self, exchange: Exchange) -> None:
        self._fed += self._clock.sample(
            exchange.sent_us & _TICKS_MASK,
            exchange.came_us & _TICKS_MASK,
            exchange.house_us,
            exchange.hold_us,
            exchange.generation,
        )

    def _slew(self) -> None:
        clock, house = self._clock, self.house
        if not clock.synced:
            return
        now_us = self._now_us()
        offset_us = clock.house_us(now_us & _TICKS_MASK) - now_us
        if clock.generation != house.generation:
            house.adopt(Timeline(clock.generation, offset_us))
            return
        house.offset_us += max(-SLEW_US, min(SLEW_US, offset_us - house.offset_us))

    def _close(self) -> None:
        if self._asker is not None:
            self._asker.close()
            self._asker = None

    def _now_us(self) -> int:
        return self.house.monotonic_ns() // 1000

    def _now_ms(self) -> int:
        return self.house.monotonic_ns() // 1_000_000 & _TICKS_MASK
