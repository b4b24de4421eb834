"""`phantom search` and its servers find each other, by a registry and by the house's beacons."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from storagebox import installation
from storagebox.cli.commands import app as commands
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


def query(place: str, state: Path) -> tuple[int, str]:
    arguments = ["search", "query", "songs", "--explain", "--url", place, "--app", APP]
    done = CliRunner().invoke(
        commands,
        [*arguments, "--state", str(state)],
        prog_name="phantom",
        env={"PHANTOM_SEARCH_KEY": ADMIN_KEY},
    )
    return done.exit_code, done.stdout + done.stderr


def test_a_server_that_is_announced_is_found_by_whoever_is_of_the_house(tmp_path: Path):
    place = "house://127.98.0.2/search"
    told = {"id": secrets.token_hex(8), "key": secrets.token_hex(32), "name": "test"}
    for state in ("box", "other-box"):
        installation.found(tmp_path / state, told)
    installation.found(tmp_path / "neighbour", {**told, "key": secrets.token_hex(32)})
    announcing = ("--announce", "--advertise", "127.0.0.1", "--state", str(tmp_path / "box"))
    with search_process(tmp_path / "a", *announcing) as server:
        with SearchClient(server.url, APP, ADMIN_KEY) as api:
            task = api.call("POST", "/1/indexes/songs", {"title": "Heroes"})["taskID"]
            api.call("GET", f"/1/indexes/songs/task/{task}")
        code, said = query(place, tmp_path / "other-box")
        assert (code, said.splitlines()[-1]) == (
            0,
            f"answered by 127.0.0.1:{server.port} (policy)",
        )
        code, said = query(place, tmp_path / "neighbour")
        assert code == 1
        assert f"{place}: nobody in this house offers it" in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--announce"], "other machines don't reach 127.0.0.1: listen at --host 0.0.0.0"),
        (["--announce", "--host", "here"], "here is no address: give one by --advertise"),
        (["--announce", "--host", "0.0.0.0"], "start a box with this --state first"),
    ],
)
def test_what_nobody_could_find_is_not_announced(options: list[str], says: str, tmp_path: Path):
    folders = ["--folder", str(tmp_path / "search"), "--state", str(tmp_path)]
    done = CliRunner().invoke(
        commands, ["search", "serve", *options, *folders], prog_name="phantom"
    )
    assert done.exit_code == 2
    assert says in done.stderr
    assert not (tmp_path / "search").exists()


@pytest.mark.parametrize("place", ["house://", "house:///", "house://here/search"])
def test_what_names_no_service_of_the_house_is_refused(place: str, tmp_path: Path):
    code, said = query(place, tmp_path)
    assert code == 2
    assert f"{place}: give house://SERVICE" in said
