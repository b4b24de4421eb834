"""Silence for boards on trial, so that they can show that they play in time.

A board with new code keeps it only once it has played in time. Where people play nothing, the box
opens a stream of silence, which nobody hears, and closes it when the board has seen enough. Music
that begins meanwhile takes the stream's place, and proves as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from phantom.rpc import RpcError
from phantom.wire import audio
from storagebox.coordinator.device import Device
from storagebox.coordinator.feeding import Feeding
from storagebox.coordinator.roster import Roster
from storagebox.coordinator.terms import LADDER
from storagebox.journal import Journal
from storagebox.streamer.formats import Frames
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.stream import TICK_US, Stream

LOOK_EVERY_S = 0.5
# House time takes a board seconds, a proof two; one that has not played by then never will.
PATIENCE_S = 45.0
NEVER_PLAYED = "it answers, but does not play in time"
PROVEN = "it plays in time"


class Silence:
    """Frames as a source gives them, for ever."""

    available = 1 << 20
    ended = False

    def read_into(self, out: Frames) -> int:
        """All of `out`."""
        out[:] = 0
        return len(out)


def on_trial(device: Device) -> bool:
    """Whether its code has yet to prove itself."""
    state = device.properties.values.get("update.state")
    return isinstance(state, dict) and state.get("state") == "trial"


class Proving:
    """Call `tick` twenty times a second; `number` gives the next stream's."""

    def __init__(
        self, roster: Roster, house: HouseTime, journal: Journal, number: Callable[[], int]
    ) -> None:
        self._roster = roster
        self._house = house
        self._journal = journal
        self._number = number
        self._looked_s = 0.0
        self._proofs: dict[Device, asyncio.Task[None]] = {}

    def tick(self, now_s: float) -> None:
        """Begin with who has come up with new code."""
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        for device in self._roster:
            if device in self._proofs or not self._may(device):
                continue
            proof = asyncio.ensure_future(self._prove(device))
            self._proofs[device] = proof
            proof.add_done_callback(lambda _, device=device: self._proofs.pop(device, None))

    def _may(self, device: Device) -> bool:
        return device.ready and device.session is None and on_trial(device)

    async def _prove(self, device: Device) -> None:
        self._journal.emit("update.proving", device=device.id)
        loop = asyncio.get_running_loop()
        since_s = loop.time()
        boot = device.info.boot if device.info else 0
        feeding = Feeding(self._house, self._journal)
        terms = LADDER[0]
        start_us = self._house.now_us() + terms.lead_ms * 1000
        feeding.stream = Stream(self._number(), start_us, terms.lead_ms, Silence())
        feeding.add(device, audio.BOTH, "", terms)
        while self._may(device):
            if loop.time() - since_s > PATIENCE_S:
                feeding.remove(device, NEVER_PLAYED)
                await self._reject(device, boot)
                return
            feeding.stream.pump(self._house.now_us())
            await asyncio.sleep(TICK_US / 1_000_000)
        # Music has its own stream open there by now: that one is not ours to close.
        feeding.remove(device, None if device.session is not None else PROVEN)

    async def _reject(self, device: Device, boot: int) -> None:
        self._journal.emit("update.rejected", device=device.id, reason=NEVER_PLAYED)
        if device.info is not None and device.info.boot == boot:
            with suppress(RpcError):  # it goes back by itself, later
                await device.link.call("update.reject", {"reason": NEVER_PLAYED})
