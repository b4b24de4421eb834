"""The control socket, from both ends."""

import asyncio
import json
import random
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from phantom.rpc import INVALID_PARAMS, METHOD_NOT_FOUND, REFUSED, RpcError
from storagebox.control import (
    ControlClient,
    ControlError,
    ControlServer,
    NoBoxError,
    Notification,
    Subscriber,
)


async def slow_double(number: int) -> int:
    await asyncio.sleep(0.01)
    return 2 * number


async def refuse() -> None:
    raise RpcError(REFUSED, "not today")


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[list[str]]:
    """A server of the methods above; gives the faults it reports."""
    faults: list[str] = []
    server = ControlServer(
        path,
        {"double": slow_double, "refuse": refuse, "name": lambda: "box"},
        lambda where, _: faults.append(where),
    )
    await server.start()
    try:
        yield faults
    finally:
        await server.close()


async def ask(path: Path, method: str, **params: Any) -> Any:
    """One call by the blocking client, beside the server's loop."""

    def call() -> Any:
        with ControlClient(path) as client:
            return client.call(method, **params)

    return await asyncio.to_thread(call)


def test_methods_answer_at_once_or_later(tmp_path: Path):
    async def story():
        async with served(tmp_path / "s") as faults:
            assert await ask(tmp_path / "s", "name") == "box"
            assert await ask(tmp_path / "s", "double", number=21) == 42
            assert faults == []

    asyncio.run(story())


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("refuse", {}, REFUSED),
        ("double", {"nimber": 1}, INVALID_PARAMS),
        ("nothing", {}, METHOD_NOT_FOUND),
    ],
)
def test_refusals_come_with_their_code(
    tmp_path: Path, method: str, params: dict[str, Any], code: int
):
    async def story():
        async with served(tmp_path / "s"):
            with pytest.raises(RpcError) as caught:
                await ask(tmp_path / "s", method, **params)
            assert caught.value.code == code

    asyncio.run(story())


def test_only_the_owner_may_open_the_socket(tmp_path: Path):
    async def story():
        async with served(tmp_path / "s"):
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        assert not (tmp_path / "s").exists()

    asyncio.run(story())


def test_a_socket_left_by_a_crash_is_taken_over_and_a_living_one_is_not(tmp_path: Path):
    async def story():
        path = tmp_path / "s"
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
        async with served(path):
            assert await ask(path, "name") == "box"
            with pytest.raises(ControlError, match="another box serves here"):
                await ControlServer(path, {}, lambda *_: None).start()
            assert await ask(path, "name") == "box"

    asyncio.run(story())


def test_a_path_too_long_for_a_socket_is_said_in_one_line(tmp_path: Path):
    long = tmp_path / ("x" * 120)
    with pytest.raises(ControlError, match="at most 107 bytes: give --control"):
        asyncio.run(ControlServer(long, {}, lambda *_: None).start())
    with pytest.raises(ControlError, match="at most 107 bytes"):
        ControlClient(long)


def test_no_box_is_said_in_one_line(tmp_path: Path):
    with pytest.raises(NoBoxError, match="no box serves here: start `phantom box`"):
        ControlClient(tmp_path / "s")


def test_garbage_lines_are_answered_or_hung_up_on_and_the_next_client_is_served(tmp_path: Path):
    async def story():
        path = tmp_path / "s"
        rng = random.Random(3)
        good = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "name"}).encode()
        async with served(path) as faults:
            for _ in range(50):
                reader, writer = await asyncio.open_unix_connection(path)
                for _ in range(20):
                    line = bytearray(good)
                    line[rng.randrange(len(line))] = rng.randrange(256)
                    writer.write(bytes(line) + b"\n")
                writer.write(b"[" * 2000 + b"\n" + good + b"\n")
                writer.write_eof()
                answers = (await reader.read()).splitlines()
                assert json.loads(answers[-1])["result"] == "box"
                writer.close()
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(b"x" * (3 << 20))
            writer.close()
            assert await ask(path, "name") == "box"
            assert faults == []

    asyncio.run(story())


@asynccontextmanager
async def telling(path: Path) -> AsyncIterator[list[Subscriber]]:
    """A server with a subscription `watch`; gives those who watch now."""
    subscribers: list[Subscriber] = []

    async def watch(subscriber: Subscriber, device: str | None = None) -> bool:
        subscriber.notify("changed", {"kind": "began", "device": device})
        subscribers.append(subscriber)
        subscriber.on_close(lambda: subscribers.remove(subscriber))
        return True

    def fault(where: str, what: BaseException) -> None:
        raise AssertionError(where) from what

    server = ControlServer(path, {"name": lambda: "box"}, fault, {"watch": watch})
    await server.start()
    try:
        yield subscribers
    finally:
        await server.close()


def test_subscribers_are_told_and_may_call_between(tmp_path: Path):
    async def story():
        async with telling(tmp_path / "s") as subscribers:

            def watching() -> list[Notification]:
                with ControlClient(tmp_path / "s") as client:
                    assert client.call("watch", device="kitchen") is True
                    loop.call_soon_threadsafe(subscribers[0].notify, "changed", {"kind": "next"})
                    told = client.notifications(5.0)
                    heard = [next(told), next(told)]
                    assert client.call("name") == "box"
                    assert list(client.notifications(0.01)) == []
                    return heard

            loop = asyncio.get_running_loop()
            assert await asyncio.to_thread(watching) == [
                ("changed", {"kind": "began", "device": "kitchen"}),
                ("changed", {"kind": "next"}),
            ]
            while subscribers:  # until the server has seen it go
                await asyncio.sleep(0.001)

    asyncio.run(story())


def test_a_subscriber_that_does_not_read_is_told_how_much_it_missed(tmp_path: Path):
    async def story():
        async with telling(tmp_path / "s") as subscribers:
            with ControlClient(tmp_path / "s") as client:
                await asyncio.to_thread(client.call, "watch")
                for number in range(3000):
                    subscribers[0].notify("changed", {"number": number, "text": "x" * 1000})
                heard: list[Notification] = []

                def read() -> None:
                    heard.extend(client.notifications(0.2))

                await asyncio.to_thread(read)
                subscribers[0].notify("changed", {"number": 3000})
                await asyncio.to_thread(read)
        numbers = [params["number"] for method, params in heard[1:] if method == "changed"]
        missed = [params["count"] for method, params in heard if method == "missed"]
        assert len(numbers) + missed[0] == 3001
        assert heard[-2].method == "missed"
        assert numbers[-1] == 3000

    asyncio.run(story())


def test_a_box_that_gives_no_answer_is_not_waited_for_longer_than_said(tmp_path: Path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        with (
            ControlClient(tmp_path / "s", answer_s=0.01) as client,
            pytest.raises(ControlError, match=r"no answer to status within 0\.01 s"),
        ):
            client.call("status")
