"""Silence for boards on trial, so that they can show that they play in time.

A board with new code keeps it only once it has played in time. Where people play nothing, the box
opens a stream of silence, which nobody hears, and closes it when the board has seen enough. Music
that begins meanwhile takes the stream's place, and proves as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from phantom.rpc import RpcError
from phantom.wire import audio
from storagebox.coordinator.device import Device
from storagebox.coordinator.feeding import Feeding
from storagebox.coordinator.terms import LADDER, Terms
from storagebox.journal import Journal
from storagebox.streamer.formats import Frames
from storagebox.streamer.house_clock import HouseTime
from storagebox.streamer.stream import Stream

from .board import STATE

LOOK_EVERY_S = 0.5
# House time takes a board seconds, a proof two; one that has not played by then never will.
PATIENCE_S = 45.0
NEVER_PLAYED = "it answers, but does not play in time"
PROVEN = "it plays in time"
# Nobody waits for silence: as far ahead as weak Wi-Fi needs, lest that is taken for bad code.
TERMS = Terms(LADDER[-1].lead_ms, None)


class Silence:
    """Frames as a source gives them, for ever."""

    available = 1 << 20
    ended = False

    def read_into(self, out: Frames) -> int:
        """All of `out`."""
        out[:] = 0
        return len(out)


def on_trial(device: Device) -> bool:
    """Whether its code has yet to prove itself, here and now, with nothing of ours playing."""
    state = device.properties.values.get(STATE)
    trial = isinstance(state, dict) and state.get("state") == "trial"
    return trial and device.ready and device.session is None


class Proving:
    """Call `tick` twenty times a second; `number` gives the next stream's."""

    def __init__(
        self,
        devices: Iterable[Device],
        house: HouseTime,
        journal: Journal,
        number: Callable[[], int],
    ) -> None:
        """`devices` are those of the house, looked through again and again."""
        self._devices = devices
        self._house = house
        self._journal = journal
        self._number = number
        self._looked_s = 0.0
        self._proofs: dict[Device, _Proof] = {}
        self._rejections: set[asyncio.Task[None]] = set()

    def tick(self, now_s: float) -> None:
        """Begin with who has come up with new code, go on, and end; `now_s` is monotonic."""
        for device, proof in list(self._proofs.items()):
            if not on_trial(device):
                del self._proofs[device]
                proof.end()
            elif now_s - proof.since_s > PATIENCE_S:
                del self._proofs[device]
                proof.give_up()
                self._reject(device)
            else:
                proof.pump()
        if now_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = now_s
        for device in self._devices:
            if device not in self._proofs and on_trial(device):
                self._journal.emit("update.proving", device=device.id)
                feeding = Feeding(self._house, self._journal)
                self._proofs[device] = _Proof(device, feeding, self._house, self._number(), now_s)

    def _reject(self, device: Device) -> None:
        self._journal.emit("update.rejected", device=device.id, reason=NEVER_PLAYED)
        task = asyncio.ensure_future(_rejected(device))
        self._rejections.add(task)
        task.add_done_callback(self._rejections.discard)


class _Proof:
    """Silence for one board."""

    def __init__(
        self, device: Device, feeding: Feeding, house: HouseTime, number: int, now_s: float
    ) -> None:
        self.since_s = now_s
        self._device = device
        self._feeding = feeding
        self._house = house
        start_us = house.now_us() + TERMS.lead_ms * 1000
        self._stream = feeding.stream = Stream(number, start_us, TERMS.lead_ms, Silence())
        feeding.add(device, audio.BOTH, "", TERMS)

    def pump(self) -> None:
        """Send what is due."""
        self._stream.pump(self._house.now_us())

    def end(self) -> None:
        """It has proved itself, or has gone, or music plays."""
        # Music has its own stream open there by now: that one is not ours to close.
        self._feeding.remove(self._device, None if self._device.session else PROVEN)

    def give_up(self) -> None:
        """It has not proved itself."""
        self._feeding.remove(self._device, NEVER_PLAYED)


async def _rejected(device: Device) -> None:
    with suppress(RpcError):  # it goes back by itself, later
        await device.link.call("update.reject", {"reason": NEVER_PLAYED})
