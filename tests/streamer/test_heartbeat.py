"""Who is asked for a sign of life, and who is given up for want of one."""

from __future__ import annotations

import asyncio
import socket

import pytest

from phantom.wire import mux
from storagebox.streamer import heartbeat, tcp
from storagebox.streamer.sweep import Sweep
from tests.standins import until
from tests.streamer.linked import linked, pair
from tools.bench.sink import Sink


def test_a_peer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heartbeat, "AUTH_S", 0.2)

    async def story():
        async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
            await reader.read()
            writer.close()

        server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        async with linked(server.sockets[0].getsockname()[1]) as made:
            await until(lambda: made.link.counters.closed["no hello"] > 1, "it is given up twice")
        server.close()

    asyncio.run(story())


def test_a_link_without_traffic_is_kept_alive_by_pings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(heartbeat, "DEAD_S", 0.5)
    monkeypatch.setattr(heartbeat, "PING_AFTER_S", 0.05)

    async def story():
        sweep = Sweep(asyncio.get_running_loop())
        sink = Sink("kitchen", sweep)  # reports nothing, only answers
        async with linked(sink.port) as made:
            await until(lambda: made.link.up, "the link is up")
            await asyncio.sleep(1.2)
            assert made.downs == []
            assert made.link.counters.connections == 1
        sink.close()
        sweep.close()

    asyncio.run(story())


def test_amid_music_a_link_says_hello_and_nothing_more_until_it_is_proved():
    async def story():
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            async with linked(server.getsockname()[1]) as made:
                loop = asyncio.get_running_loop()
                made.link._heartbeat.music_until_s = loop.time() + 60
                device, _ = await loop.sock_accept(server)
                await asyncio.sleep(0.3)
                said = await loop.sock_recv(device, 4096)
                hello = mux.HELLO_BYTES + len("box")
                assert said[: mux.HEADER_BYTES + 1] == mux.frame(mux.LINK, said[4:])[:5]
                assert len(said) == mux.HEADER_BYTES + hello
                device.close()

    asyncio.run(story())


@pytest.mark.parametrize("outstanding", [1, 0])
def test_a_call_without_music_behind_it_is_followed_by_pings_until_it_is_acknowledged(
    outstanding: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(heartbeat, "PING_AFTER_S", 1e9)
    monkeypatch.setattr(tcp, "unacknowledged", lambda _: outstanding)

    async def story():
        async with pair() as (made, _):
            pings: list[int] = []
            ping = mux.ping
            monkeypatch.setattr(mux, "ping", lambda nonce: pings.append(nonce) or ping(nonce))
            await made.link.call("device.info", {})
            now_s = asyncio.get_running_loop().time()
            for passed_s in (0.0, 0.05, heartbeat.URGED_S - 0.01, heartbeat.URGED_S + 0.01):
                made.link.tick(now_s + passed_s)
            assert len(pings) >= 3 * outstanding
            assert outstanding or not pings

    asyncio.run(story())
