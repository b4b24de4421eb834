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
async def kept(folder: Path) -> AsyncIterator[tuple[Library, Journal]]:
    (folder / "state").mkdir(exist_ok=True)
    library, journal = Library(folder / "music", folder / "state"), Journal(None)
    async with library.beside(journal, restart_s=0.01):
        await until(lambda: library.where()["complete"], "all is read")
        yield library, journal


def found(where: dict[str, Any], query: str) -> list[str]:
    with SearchClient(Path(where["socket"]), where["application"], where["key"]) as api:
        answers = _search(api, query, None, 10, marks=False)
    return [hit["title"] for hit in answers["tracks"]["hits"]]


def process_of(state: Path) -> int:
    """The pid of the library's process of this box."""
    for folder in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = folder.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"storagebox.library" in words and os.fsencode(state / "library.sock") in words:
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
            pid = process_of(tmp_path / "state")
            assert os.getpriority(os.PRIO_PROCESS, pid) > 0
            os.kill(pid, signal.SIGKILL)
            await until(lambda: not library.where()["key"], "the crash is noticed")
            await until(lambda: library.where()["key"], "it is there again")
            assert library.where()["key"] == where["key"]
            assert (await asyncio.to_thread(found, where, "bowi her"))[0] == '"Heroes"'
        assert not Path(where["socket"]).exists()

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
