"""The level that a device is to have, over connections that come and go."""

import asyncio

from storagebox.journal import Journal
from tests.coordinator.linked_device import LinkedDevice
from tests.standins import until


def asked_steps(linked: LinkedDevice) -> list[int]:
    return [level["volume"] for level in linked.was_asked("renderer.level")]


def test_a_volume_that_was_wanted_while_a_device_was_away_is_told_when_it_is_there_again():
    async def story():
        linked = LinkedDevice("hall", Journal(None), renderer_volume=10000)
        await linked.come()
        linked.go()
        await linked.device.set_level(volume=60)
        await linked.come()
        await until(lambda: asked_steps(linked)[-1] == 6000, "it is told")
        assert linked.device.volume == 60
        linked.tell("renderer.volume", 6000)
        linked.tell("renderer.volume", 3000)  # somebody turns its knob
        await until(lambda: linked.device.volume == 30, "the knob counts")
        told = len(asked_steps(linked))
        linked.go()
        await linked.come()
        await asyncio.sleep(0)
        assert len(asked_steps(linked)) == told
        assert linked.device.volume == 30

    asyncio.run(story())
