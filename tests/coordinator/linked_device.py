"""A device as the box knows it, at the end of a link without a network.

Both ends of the conversation are real; what the device answers is in `answers`, what it was asked
in `asked`, and the audio that it was sent in `chunks`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from phantom.properties import Properties
from phantom.rpc import CLOSED, RpcError
from phantom.wire import RATE, audio, mux
from storagebox.conversation import Conversation
from storagebox.coordinator.device import Device
from storagebox.journal import Journal
from storagebox.streamer.channels import Hello
from storagebox.streamer.endings import LinkCounters
from storagebox.streamer.link import Link

INFO: dict[str, Any] = {
    "board": "esp32_generic_s3",
    "version": "0.2.0",
    "boot": 7,
    "ring_bytes": 1 << 19,
    "dac_channels": 2,
    "codecs": ["ima-adpcm", "pcm16"],
    "rate": RATE,
}


class _Listener:
    """Nobody wants to know."""

    def ready(self, device: Device) -> None:
        """See device.Listener."""

    def gone(self, device: Device) -> None:
        """See device.Listener."""

    def changed(self, device: Device) -> None:
        """See device.Listener."""

    def told(self, device: Device, name: str, value: Any) -> None:
        """See device.Listener."""


class LinkedDevice:
    """`device` is the box's; `properties` are those of its far end. `come` connects it."""

    def __init__(self, identity: str, journal: Journal, **properties: Any) -> None:
        self.info = dict(INFO)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {"renderer.open": {}, "renderer.close": True}
        self.chunks: list[bytes] = []  # payloads
        # As storagebox.streamer.link.Link
        self.up = False
        self.address = "127.0.0.1"
        self.counters = LinkCounters()
        self.rpc = Conversation(self._to_it)
        self._far = Conversation(self.rpc.receive)
        self._far.serve("device.info", lambda: self.info)
        for method in ("renderer.open", "renderer.close", "renderer.level", "update.reject"):
            self._far.serve(method, self._answer(method))
        self.properties = Properties()
        for name, value in properties.items():
            self.properties.declare(name.replace("_", "."), value)
        self._far.publish(self.properties)
        self._identity = identity
        self.now_s = 0.0
        self.device = Device(
            identity, identity, self._link, journal, _Listener(), lambda: self.now_s
        )

    def _link(self, on_up: Callable[[Hello], None], on_down: Callable[[str], None]) -> Link:
        self._on_up, self._on_down = on_up, on_down
        return cast("Link", self)

    def _to_it(self, message: bytes) -> None:
        self._far.receive(message)

    def _answer(self, method: str) -> Callable[..., Any]:
        def answer(**params: Any) -> Any:
            self.asked.append((method, params))
            found = self.answers.get(method, True)
            if isinstance(found, RpcError):
                raise found
            return found

        return answer

    def was_asked(self, method: str) -> list[dict[str, Any]]:
        """The parameters of each call of a method."""
        return [params for name, params in self.asked if name == method]

    async def come(self) -> None:
        """Connect, and say what it is."""
        self.up = True
        self.counters.connections += 1
        self.rpc.opened()
        self._on_up(Hello(mux.ROLE_DEVICE, self._identity, self.info["boot"]))
        async with asyncio.timeout(10):
            while not self.device.ready:
                await asyncio.sleep(0.001)

    def go(self) -> None:
        """Lose the connection."""
        self.up = False
        self.rpc.close()
        self._far.close()
        self._on_down("unreachable")

    def tell(self, name: str, value: Any) -> None:
        """A property has a new value."""
        self.properties.set(name, value)
        self.properties.chore(0)

    def report(self, **fields: Any) -> None:
        """It says how it fares."""
        self._far.notify("renderer.report", fields)

    # As storagebox.streamer.link.Link

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        if not self.up:
            raise RpcError(CLOSED, "not connected")
        return await self.rpc.call(method, params, 1.0)

    def audio_room(self, backlog_bytes: int) -> int:
        return 1 << 20 if backlog_bytes else 0

    def send_audio(self, frames: list[bytes], size: int) -> None:
        assert size == sum(map(len, frames))
        head = mux.HEADER_BYTES + audio.HEADER_BYTES
        self.chunks += [frame[head:] for frame in frames]

    def forget_audio(self) -> int:
        return 0

    def disconnect(self, reason: str) -> None:
        raise AssertionError(reason)
