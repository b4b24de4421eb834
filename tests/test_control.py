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
from storagebox.control import ControlClient, ControlError, ControlServer


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
    with pytest.raises(ControlError, match="no box serves here: start `phantom box`"):
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
