"""`phantom search` and its servers find each other by a registry: from joining to draining."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storagebox.cli.search_client import SearchClient, SearchFault
from storagebox.journal import Journal
from storagebox.registrar.consul.agent import own_node
from storagebox.registrar.consul.serving import Serving
from tests.running_search import ADMIN_KEY, APP, search_process

TIMED = False


@pytest.fixture
def registry() -> Iterator[str]:
    """The address of a registry that runs on a thread of its own."""
    loop = asyncio.new_event_loop()
    at: list[int] = []
    ready, ended = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with Serving(own_node("here", "127.0.0.1"), Journal()) as serving:
            at.append(await serving.http("127.0.0.1", 0))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield f"127.0.0.1:{at[0]}"
    loop.call_soon_threadsafe(ended.set)
    thread.join(20)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_server_that_joins_is_asked_and_one_that_drains_is_not(registry: str, tmp_path: Path):
    place = f"consul://{registry}/search"
    with (
        search_process(tmp_path / "a", "--register", place) as first,
        SearchClient(place, APP, ADMIN_KEY) as api,
    ):

        def ask() -> int:
            try:
                api.call("GET", "/1/keys")
            except SearchFault as fault:
                if "the membership is empty" not in str(fault):
                    raise
                return 0
            assert api.chosen is not None
            return api.chosen.endpoint.port

        until(lambda: ask() == first.port)
        options = ("--register", place, "--drain", "3")
        with search_process(tmp_path / "b", *options) as second:
            until(lambda: ask() == second.port)
            second.process.terminate()
            until(lambda: all(ask() == first.port for _ in range(20)))
            assert second.process.poll() is None, "it hasn't ended yet, and nobody asks it"
        assert ask() == first.port
