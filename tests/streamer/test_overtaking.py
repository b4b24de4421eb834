"""A connection that stands still amid music is overtaken by another."""

from __future__ import annotations

import asyncio

import pytest

from phantom.wire import audio, mux
from storagebox.streamer import endings, heartbeat
from storagebox.streamer.overtaking import STUCK_S, Progress
from tests.standins import standins, until
from tests.streamer.linked import linked


class Silent(asyncio.Protocol):
    """A relay's end towards the device, or the box: hands on what it hears while it is told to."""

    def __init__(self) -> None:
        self.peer: asyncio.Transport | None = None
        self.early = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.peer is None:
            self.early += data
        else:
            self.peer.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.peer is not None:
            self.peer.close()


@pytest.mark.parametrize("ping_after_s", [heartbeat.PING_AFTER_S, 0.0])
def test_a_connection_that_gets_stuck_amid_music_is_overtaken_by_another(
    ping_after_s: float, monkeypatch: pytest.MonkeyPatch
):
    # It is raced even after nothing could be said for so long that a ping is owed.
    monkeypatch.setattr(heartbeat, "PING_AFTER_S", ping_after_s)

    async def story():
        loop = asyncio.get_running_loop()
        async with standins({"kitchen": audio.BOTH}, ring_bytes=1 << 22) as devices:
            sink = devices.sinks["kitchen"]
            inward: list[Silent] = []

            def accept() -> Silent:
                """A relay between box and device, so that a connection can be made to stall."""
                end = Silent()
                inward.append(end)
                loop.call_soon(lambda: tasks.append(asyncio.ensure_future(join(end))))
                return end

            async def join(end: Silent) -> None:
                _, outward = await loop.create_connection(Silent, "127.0.0.1", sink.port)
                outward.peer, end.peer = end.transport, outward.transport
                outward.transport.write(end.early)

            tasks: list[asyncio.Task[None]] = []
            relay = await loop.create_server(accept, "127.0.0.1", 0)
            port = relay.sockets[0].getsockname()[1]
            async with linked(port, belongs=devices.installation) as made:
                await until(lambda: made.link.up, "the link is up")
                opening = {"stream": 1, "start_us": 0, "codec": "pcm16", "pick": "both"}
                await made.link.call("renderer.open", {**opening, "channels": 2, "first_chunk": 0})
                await until(lambda: made.link.audio_room(1 << 20), "the window is open")
                inward[0].transport.pause_reading()  # the relay's kernel takes some, then no more
                frame = mux.frame(mux.AUDIO, audio.header(1, 1, 2, 0) + bytes(1024))
                made.link.send_audio([frame] * 4000, 4000 * len(frame))
                stood_still = loop.time()
                await until(lambda: len(made.ups) == 2, "another connection takes over")
                assert loop.time() - stood_still < heartbeat.DEAD_S
                assert made.downs == [endings.OVERTAKEN]
                assert (await made.link.call("device.info", {}))["id"] == "kitchen"
            relay.close()
            await asyncio.gather(*tasks)

    asyncio.run(story())


def test_a_connection_is_stuck_only_when_bytes_are_out_and_none_is_acknowledged():
    progress = Progress(0, 100.0)
    assert not progress.stuck(100.2, written=1000, outstanding=1000)
    assert not progress.stuck(100.4, written=2000, outstanding=900)
    assert not progress.stuck(100.6, written=3000, outstanding=1900)
    assert progress.stuck(100.4 + STUCK_S, written=9000, outstanding=7900)
    assert not progress.stuck(101.0, written=9000, outstanding=0)
    assert not progress.stuck(105.0, written=9000, outstanding=0)
