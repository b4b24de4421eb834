"""The library's own process beside a box: found by `phantom find`, killed, and there again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from storagebox.cli.commands import app
from storagebox.cli.find import _search
from storagebox.cli.search_client import SearchClient
from storagebox.journal import Journal
from storagebox.library.beside import Library
from tests.cli.standin_box import standin_box
from tests.library.recordings import bowie
from tests.standins import until


@asynccontextmanager
async def kept(
    folder: Path, *, state: Path | None = None, control: Path | None = None
) -> AsyncIterator[tuple[Library, Journal]]:
    state = state or folder / "state"
    state.mkdir(exist_ok=True)
    library = Library(folder / "music", state, control or state / "box.sock")
    journal = Journal(None)
    async with library.beside(journal, restart_s=0.01):
        await until(lambda: library.where()["complete"], "all is read")
        yield library, journal


def found(where: dict[str, Any], query: str) -> list[str]:
    with SearchClient(Path(where["socket"]), where["application"], where["key"]) as api:
        answers = _search(api, query, None, 10, marks=False)
    return [hit["title"] for hit in answers["tracks"]["hits"]]


def process_of(socket: str) -> int:
    """The pid of the library's process that is searched there."""
    for folder in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = folder.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"storagebox.library" in words and os.fsencode(socket) in words:
            return int(folder.parent.name)
    raise AssertionError("no library runs")


def test_it_is_searched_over_its_socket_and_comes_back_after_a_crash(tmp_path: Path):
    bowie(tmp_path / "music")

    async def story():
        async with kept(tmp_path) as (library, journal):
            where = library.where()
            assert where["tracks"] == 6
            assert (await asyncio.to_thread(found, where, "bowi her"))[0] == '"Heroes"'
            assert where["key"] not in json.dumps(list(journal.latest))
            pid = process_of(where["socket"])
            assert os.getpriority(os.PRIO_PROCESS, pid) > 0
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not library.where()["key"], "the crash is noticed")
            await until(lambda: library.where()["key"], "it is there again")
            assert library.where()["key"] == where["key"]
            assert (await asyncio.to_thread(found, where, "bowi her"))[0] == '"Heroes"'
        assert not Path(where["socket"]).exists()

    asyncio.run(story())


def test_a_box_whose_folder_lies_too_deep_for_a_socket_has_its_library_beside_the_control_socket(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
):
    bowie(tmp_path / "music")
    control = tmp_path_factory.mktemp("c") / "control"

    async def story():
        async with kept(tmp_path, state=tmp_path / ("deep" * 40), control=control) as (library, _):
            where = library.where()
            assert where["socket"] == f"{control}.library"
            assert (await asyncio.to_thread(found, where, "bowi her"))[0] == '"Heroes"'

    asyncio.run(story())


def test_a_library_that_has_no_place_for_its_socket_says_so_and_comes_once_it_has(
    tmp_path: Path,
):
    bowie(tmp_path / "music")
    taken = tmp_path / "state" / "library.sock"
    (taken / "in the way").mkdir(parents=True)

    async def story():
        library, journal = Library(tmp_path / "music", tmp_path / "state", taken), Journal(None)
        async with library.beside(journal, restart_s=0.01):
            await until(lambda: "library.ended" in events(journal), "it has ended")
            assert str(taken) in library.where()["trouble"]
            (taken / "in the way").rmdir()
            taken.rmdir()
            await until(lambda: library.where()["complete"], "all is read")
            assert library.where()["trouble"] == ""

    def events(journal: Journal) -> list[str]:
        return [each["event"] for each in journal.latest]

    asyncio.run(story())


def test_find_shows_what_was_found_and_plays_the_one_with_the_number(tmp_path: Path):
    bowie(tmp_path / "music")

    def phantom(*arguments: str) -> str:
        result = CliRunner().invoke(
            app,
            [*arguments, "--state", str(tmp_path)],
            prog_name="phantom",
            catch_exceptions=False,
        )
        return result.stdout or result.stderr

    def story(where: dict[str, Any]) -> None:
        with standin_box(tmp_path / "box.sock", library=lambda: where) as box:
            lines = phantom("find", "bowi", "her").splitlines()
            assert len(lines) == 7, lines
            assert lines[1].split("  ")[:2] == ["1", '"Heroes"']
            assert lines[6].split("  ")[:2] == ["4", '"Heroes"']
            answer = json.loads(phantom("find", "bowi her", "--only", "tracks", "--json"))
            assert answer["tracks"][0]["title"] == '"Heroes"'
            assert Path(answer["tracks"][0]["path"]).exists()
            assert answer["found"] == {"tracks": 3}
            assert phantom("find", "zzz") == "nothing found\n"
            assert "--play 9: only 4 were found" in phantom("find", "bowi her", "--play", "9")
            phantom("find", "bowi her", "--play", "1", "--room", "Kitchen")
            assert box.calls[-1] == (
                "play", {"paths": [answer["tracks"][0]["path"]], "rooms": ["Kitchen"]},
            )  # fmt: skip
            said = phantom("find", "bowi her", "--play", "4")
            assert said == 'playing "Heroes" in every room\n'
            names = [Path(path).name for path in box.calls[-1][1]["paths"]]
            assert names == [
                "01 Beauty and the Beast.flac",
                "02 Joe the Lion.flac",
                "03 Heroes.flac",
            ]

    async def beside():
        async with kept(tmp_path) as (library, _):
            await asyncio.to_thread(story, library.where())

    asyncio.run(beside())
