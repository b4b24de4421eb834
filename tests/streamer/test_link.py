"""The box's link to a stand-in device, over loopback."""

from __future__ import annotations

import asyncio
import random
import resource
import socket
from typing import Any

import pytest

from phantom.handshake import Handshake
from phantom.rpc import CLOSED, METHOD_NOT_FOUND, RpcError
from phantom.wire import PROTOCOL, audio, mux
from storagebox.streamer import endings, tcp
from storagebox.streamer.endings import LinkCounters
from storagebox.streamer.sweep import Sweep
from tests.standins import standins, until
from tests.streamer.linked import Linked, linked, pair
from tools.demo.installation import member


def test_both_ends_learn_who_the_other_is():
    async def story():
        async with pair() as (made, sink):
            assert made.ups[0].identity == "kitchen"
            assert made.ups[0].role == mux.ROLE_DEVICE
            assert sink.box is not None
            assert sink.box.role == mux.ROLE_BOX

    asyncio.run(story())


def test_calls_go_both_ways_and_errors_come_back():
    async def story():
        async with pair() as (made, sink):
            info = await made.link.call("device.info", {})
            assert info["id"] == "kitchen"
            with pytest.raises(RpcError) as caught:
                await made.link.call("device.explode", {})
            assert caught.value.code == METHOD_NOT_FOUND
            heard: list[dict[str, object]] = []
            made.link.rpc.serve("renderer.report", lambda **fields: heard.append(fields))
            sink.report()
            await until(lambda: heard, "a report arrives")
            assert heard[0]["state"] == "idle"

    asyncio.run(story())


def test_a_device_that_comes_back_is_found_within_a_second():
    async def story():
        async with pair() as (made, sink):
            loop = asyncio.get_running_loop()
            sink.hang_up()
            await until(lambda: made.downs, "the loss is noticed")
            with pytest.raises(RpcError) as caught:
                await made.link.call("device.info", {})
            assert caught.value.code == CLOSED
            lost = loop.time()
            await until(lambda: len(made.ups) == 2, "the device is back")
            assert loop.time() - lost < 1 + endings.RETRY_MAX_S
            assert made.link.counters.connections == 2
            assert (await made.link.call("device.info", {}))["id"] == "kitchen"

    asyncio.run(story())


def test_a_device_that_moves_is_met_at_its_new_address_at_once():
    async def story():
        async with standins({"kitchen": audio.BOTH}) as devices:
            sink = devices.sinks["kitchen"]
            with socket.create_server(("127.0.0.1", 0), backlog=1) as dead:
                port = dead.getsockname()[1]
                async with linked(port, belongs=devices.installation) as made:
                    await asyncio.sleep(0.05)
                    made.link.move("127.0.0.1", sink.port)
                    await until(lambda: made.link.up, "the link is up")
                    assert made.link.counters.closed.keys() == {endings.MOVED}
                    sink.restart()
                    other = devices.add("bath", audio.BOTH)
                    made.link.move("127.0.0.1", other.port)
                    await until(lambda: made.link.up and other.box, "it is met elsewhere")

    asyncio.run(story())


def test_an_attempt_to_connect_is_given_up_when_the_device_is_heard_of(
    monkeypatch: pytest.MonkeyPatch,
):
    async def story():
        async with standins({"kitchen": audio.BOTH}) as devices:
            sink = devices.sinks["kitchen"]
            connect, attempts = tcp.connect, 0

            async def lost_at_first(*where: Any) -> socket.socket:
                nonlocal attempts
                attempts += 1
                if attempts == 1:
                    await asyncio.Event().wait()  # its SYN went nowhere
                return await connect(*where)

            monkeypatch.setattr(tcp, "connect", lost_at_first)
            async with linked(sink.port, belongs=devices.installation) as made:
                await until(lambda: attempts == 1, "it tries")
                made.link.hurry()
                await until(lambda: made.link.up, "the link is up")
                assert attempts == 2

    asyncio.run(story())


def test_a_link_that_is_ended_while_it_connects_ends(monkeypatch: pytest.MonkeyPatch):
    async def story():
        async def never(*_: Any) -> socket.socket:
            await asyncio.Event().wait()
            raise AssertionError

        monkeypatch.setattr(tcp, "connect", never)
        sweep = Sweep(asyncio.get_running_loop())
        made = Linked(1, sweep)
        running = asyncio.ensure_future(made.link.run())
        await asyncio.sleep(0)
        made.link.hurry()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        sweep.close()

    asyncio.run(story())


def test_calls_that_wait_fail_when_the_connection_goes():
    async def story():
        async with pair() as (made, sink):
            sink.rpc.serve("device.info", sink.hang_up)
            with pytest.raises(RpcError) as caught:
                await made.link.call("device.info", {})
            assert caught.value.code == CLOSED

    asyncio.run(story())


def test_retries_back_off_to_a_bound_with_jitter():
    counters, rng = LinkCounters(), random.Random(1)
    pauses = [counters.pause_s("connection refused", failures, rng) for failures in range(50)]
    assert pauses[0] <= endings.RETRY_FIRST_S * 1.25
    assert max(pauses) <= endings.RETRY_MAX_S * 1.25
    assert min(pauses[5:]) >= endings.RETRY_MAX_S * 0.75
    assert len(set(pauses[5:])) > 40
    assert counters.pause_s("protocol", 0, rng) >= endings.RETRY_REFUSED_S * 0.75


def test_who_was_replaced_by_an_earlier_connection_of_its_own_does_not_wait_long():
    counters, rng = LinkCounters(), random.Random(1)
    replaced = "goodbye: replaced"
    assert counters.pause_s(replaced, 0, rng) >= endings.RETRY_REFUSED_S * 0.75
    counters.end(endings.OVERTAKEN)
    assert counters.pause_s(endings.OVERTAKEN, 0, rng) == 0
    assert counters.pause_s(replaced, 0, rng) <= endings.RETRY_FIRST_S * 1.25


def test_a_device_of_another_protocol_is_refused_and_told_why():
    async def story():
        server = await asyncio.start_server(speak_another_protocol, "127.0.0.1", 0)
        async with linked(server.sockets[0].getsockname()[1]) as made:
            await until(lambda: made.link.counters.closed["protocol"], "it is refused")
            assert made.ups == []
            await until(lambda: heard, "it is told")
            assert heard[0].endswith(mux.frame(mux.LINK, mux.goodbye(mux.REASON_PROTOCOL)))
        server.close()

    heard: list[bytes] = []

    async def speak_another_protocol(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        hello = bytearray(mux.hello(mux.ROLE_DEVICE, "kitchen", 1))
        hello[1] = PROTOCOL + 1
        writer.write(mux.frame(mux.LINK, bytes(hello)))
        heard.append(await reader.read())
        writer.close()

    asyncio.run(story())


def test_a_full_kernel_takes_little_so_a_call_is_not_stuck_behind_audio():
    async def story():
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            async with linked(server.getsockname()[1]) as made:
                loop = asyncio.get_running_loop()
                device, _ = await loop.sock_accept(server)
                server.close()  # nobody overtakes it, however slowly it reads
                device.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                window = mux.window(mux.AUDIO, 1 << 30)
                door = Handshake(member("kitchen"), mux.ROLE_DEVICE, False, bytes(16))
                for take in (door.take_hello, door.verify):
                    answer = take((await loop.sock_recv(device, 4096))[mux.HEADER_BYTES :])
                    await loop.sock_sendall(device, mux.frame(mux.LINK, answer))
                await loop.sock_sendall(device, mux.frame(mux.LINK, window))
                await until(lambda: made.link.audio_room(1 << 20), "the window is open")
                frame = mux.frame(mux.AUDIO, audio.header(1, 1, 2, 0) + bytes(1024))
                made.link.send_audio([frame] * 1000, 1000 * len(frame))
                call = asyncio.ensure_future(made.link.call("renderer.level", {}))
                await asyncio.sleep(0.05)
                data = b""
                while b"renderer.level" not in data:
                    data += await loop.sock_recv(device, 4096)
                assert data.index(b"renderer.level") < 300_000
                assert made.link.forget_audio() > 500
                call.cancel()
                assert made.downs == []
                device.close()

    asyncio.run(story())


def garbage(rng: random.Random) -> bytes:
    """What a broken device may send after its HELLO: frames, mutated frames and noise."""
    good = [
        mux.frame(mux.LINK, mux.ping(7)),
        mux.frame(mux.LINK, mux.window(mux.AUDIO, 1 << 20)),
        mux.frame(mux.RPC, b'{"jsonrpc":"2.0","method":"renderer.report","params":{"state":1}}'),
        mux.frame(mux.RPC, b"[" * 2000),
        mux.frame(mux.RPC, b""),
        mux.frame(mux.BULK, b""),
    ]
    data = bytearray(rng.choice(good))
    for _ in range(rng.randrange(3)):
        if data and rng.random() < 0.7:
            data[rng.randrange(len(data))] = rng.randrange(256)
        else:
            data += rng.randbytes(rng.randrange(50))
    return bytes(data)


def test_ten_thousand_mutated_frames_cost_connections_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(endings, "RETRY_FIRST_S", 0.0)
    monkeypatch.setattr(endings, "RETRY_MAX_S", 0.0)
    monkeypatch.setattr(endings, "RETRY_REFUSED_S", 0.0)

    async def story():
        rng = random.Random(17)
        async with pair() as (made, sink):
            before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            for round_ in range(200):
                sink.send_raw(b"".join(garbage(rng) for _ in range(50)))
                sink.finish()
                await until(lambda: len(made.downs) > round_, "the connection ends")  # noqa: B023
                await until(lambda: made.link.up and sink.box, "the link is up again")
            assert (await made.link.call("device.info", {}))["id"] == "kitchen"
            assert made.link.counters.closed["malformed"] > 100
            assert len(made.link.counters.closed) < 12
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 20_000

    asyncio.run(story())
