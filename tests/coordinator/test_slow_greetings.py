"""How long a box waits for what a device says of itself, once they are connected."""

from __future__ import annotations

import asyncio
import time

import pytest

from storagebox.coordinator import device
from storagebox.journal import Journal
from tests.coordinator.linked_device import LinkedDevice

_PATIENCE_S = 0.2


class _Delayed(LinkedDevice):
    """Hears nothing until `deliver`; notes why the box hangs up."""

    def __init__(self) -> None:
        super().__init__("kitchen", Journal())
        self.under_way: list[bytes] = []
        self.ended: list[str] = []

    def _to_it(self, message: bytes) -> None:
        self.under_way.append(message)

    def deliver(self) -> None:
        """Let it hear what it was told so far."""
        heard, self.under_way = self.under_way, []
        for message in heard:
            self._far.receive(message)

    def disconnect(self, reason: str) -> None:
        self.ended.append(reason)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "SNAPSHOT_S", _PATIENCE_S)


async def _turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0.006)


def test_a_box_that_stood_still_itself_blames_no_device_for_it():
    async def story() -> None:
        slow = _Delayed()
        coming = asyncio.ensure_future(slow.come())
        await _turns(2)
        time.sleep(_PATIENCE_S * 1.5)  # the box itself, with its loop
        slow.now_s += _PATIENCE_S * 1.5
        await _turns(2)
        assert slow.ended == []
        slow.deliver()
        await coming

    asyncio.run(story())


def test_a_device_that_does_not_tell_its_properties_is_given_up():
    async def story() -> None:
        slow = _Delayed()
        coming = asyncio.ensure_future(slow.come())
        while not slow.ended:
            await _turns(2)
            slow.now_s += _PATIENCE_S / 5
        assert slow.ended == ["no answer"]
        coming.cancel()

    asyncio.run(story())
