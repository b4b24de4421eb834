"""A source's process as the box sees it: orders, events, crashes, hangs."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from storagebox.sources.events import Ended, Event, Failed, Skipped, Track
from storagebox.sources.process import SourceProcess
from storagebox.sources.source import SourceError
from tests.sources.odd_source import counting
from tests.sources.recordings import listen, recording
from tools.album import encoding as kinds
from tools.album.encoding import encode

ROOT = Path(__file__).resolve().parent.parent.parent
ODD = "tests.sources.odd_source"
# No frame for so long is a hang: long enough that a source on a busy machine has none by itself.
HANG_S = 1.0


@pytest.fixture(autouse=True)
def _import_path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@contextlib.asynccontextmanager
async def running(module: str = ODD, **options: float) -> AsyncIterator[SourceProcess]:
    source = SourceProcess(module, **options)
    try:
        await source.start()
        yield source
    finally:
        await source.close()


async def until(condition: Callable[[], object], timeout_s: float = 15) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.002)


async def hear(source: SourceProcess, frames: int | None = None) -> np.ndarray:
    """Reads so many frames, or all up to the end."""
    blocks: list[np.ndarray] = [np.empty((0, 2), np.int16)]
    left = 10**9 if frames is None else frames
    async with asyncio.timeout(20):
        while left and not source.ring.ended:
            block = source.ring.read(min(left, 5000))
            blocks.append(block)
            left -= len(block)
            await asyncio.sleep(0 if len(block) else 0.002)
    return np.concatenate(blocks)


async def said(source: SourceProcess) -> list[Event]:
    """The events up to the end."""
    events: list[Event] = []
    async with asyncio.timeout(10):
        async for event in source.events():
            events.append(event)
            if isinstance(event, Ended | Failed):
                break
    return events


def open_files() -> set[str]:
    return {entry.name for entry in Path("/proc/self/fd").iterdir()}


def run_async(test):
    """Runs an async test in a loop of its own."""

    def synchronous(**fixtures):
        asyncio.run(test(**fixtures))

    synchronous.__name__ = test.__name__
    synchronous.__signature__ = __import__("inspect").signature(test)
    return synchronous


@run_async
async def test_files_sound_as_they_do_without_a_process(tmp_path):
    encode(tmp_path / "1.flac", recording(44100, 100_000), 44100, kinds.FLAC_16)
    encode(tmp_path / "2.wav", recording(48000, 100_000), 48000, kinds.WAV_16)
    (tmp_path / "3.mp3").write_bytes(b"")
    want, _ = listen(tmp_path)
    async with running("storagebox.sources.library", ring_s=0.5) as source:
        generation = await source.play([str(tmp_path)])
        assert generation == source.ring.wanted
        got = await hear(source)
        events = await said(source)
    assert np.array_equal(got, want)
    joint = (2 * 100_000 * 48000 + 44100) // (2 * 44100)
    assert events == [
        Track(str(tmp_path / "1.flac"), "1", frames=joint),
        Track(str(tmp_path / "2.wav"), "2", frames=100_000, first_frame=joint),
        Skipped(str(tmp_path / "3.mp3"), "the file is empty"),
        Ended(len(want)),
    ]


@run_async
async def test_a_new_play_replaces_what_played_from_its_first_frame_on():
    async with running() as source:
        await source.play(["tone:400000"])
        await hear(source, 1000)
        await source.play(["tone:3000"])
        got = await hear(source)
        events = await said(source)
    assert np.array_equal(got, counting(0, 3000))
    assert events == [Track("tone:3000", "tone"), Ended(3000)]


@run_async
async def test_stop_empties_the_ring_and_a_play_follows():
    async with running() as source:
        await source.play(["tone:400000"])
        await hear(source, 1000)
        await source.stop()
        assert source.ring.available == 0
        await source.play(["tone:10"])
        assert len(await hear(source)) == 10


@run_async
async def test_a_session_starts_at_any_frame():
    async with running() as source:
        await source.play(["tone:1000", "tone:5000"], start_frame=2500)
        got = await hear(source)
        events = await said(source)
    assert np.array_equal(got, counting(2500, 3500))
    assert events == [
        Track("tone:1000", "tone"),
        Track("tone:5000", "tone", first_frame=1000),
        Ended(6000),
    ]


@run_async
async def test_a_refused_order_says_why_and_the_source_stays_ready():
    async with running() as source:
        with pytest.raises(SourceError, match=r"^nothing to play: here is why$"):
            await source.play(["nothing"])
        with pytest.raises(SourceError, match="ValueError: oops"):
            await source.play(["broken"])
        await source.play(["bad", "tone:5"])
        assert len(await hear(source)) == 5
        assert (await said(source))[0] == Skipped("bad", "is bad")
        assert source.restarts == 0


@run_async
async def test_a_missing_folder_is_one_clear_line(tmp_path):
    async with running("storagebox.sources.library") as source:
        with pytest.raises(SourceError) as error:
            await source.play([str(tmp_path / "gone")])
    assert str(error.value) == f"nothing to play: {tmp_path}/gone: no such file or folder"


@run_async
async def test_a_process_that_is_killed_is_replaced_without_a_frame_missing(tmp_path):
    for name in ("1", "2", "3"):
        encode(tmp_path / f"{name}.flac", recording(48000, 60_000), 48000, kinds.FLAC_16)
    want, _ = listen(tmp_path)
    async with running("storagebox.sources.library", ring_s=0.5) as source:
        await source.play([str(tmp_path)])
        got = [await hear(source, 70_000)]
        first = source.pid
        os.kill(first, signal.SIGKILL)
        got.append(await hear(source))
        events = await said(source)
        assert source.restarts == 1
        assert source.pid != first
    assert np.array_equal(np.concatenate(got), want)
    assert [type(event) for event in events] == [Track, Track, Track, Ended]
    assert [event.first_frame for event in events[:3]] == [0, 60_000, 120_000]


@run_async
async def test_an_item_that_crashes_the_source_twice_is_skipped_and_the_music_goes_on():
    async with running() as source:
        await source.play(["tone:1000", "crash:700", "tone:2000"])
        got = await hear(source)
        events = await said(source)
        assert source.restarts == 2
    assert np.array_equal(got[:1700], counting(0, 1700))
    assert len(got) == 3700
    assert Skipped("crash:700", "the decoder fails on it (SIGSEGV)") in events
    assert Track("tone:2000", "tone", first_frame=1700) in events
    assert events[-1] == Ended(3700)


@run_async
async def test_a_source_that_hangs_is_restarted_and_the_item_skipped():
    async with running(stall_s=HANG_S) as source:
        await source.play(["tone:1000", "hang:500", "tone:2000"])
        got = await hear(source)
        events = await said(source)
    assert len(got) == 3500
    assert Skipped("hang:500", "the decoder fails on it (SIGKILL)") in events


@run_async
async def test_a_source_that_takes_long_to_start_anew_is_not_taken_for_one_that_hangs(
    tmp_path, monkeypatch
):
    marker = tmp_path / "marker"
    monkeypatch.setenv("ODD_SOURCE_STARTS_SLOWLY", str(marker))
    async with running(ring_s=0.02, stall_s=HANG_S) as source:
        await source.play(["tone:9000"])
        got = [await hear(source, 100)]
        marker.write_text(str(HANG_S + 0.7))  # the watch looks every 0.25 s
        assert source.pid is not None
        os.kill(source.pid, signal.SIGKILL)
        got.append(await hear(source))
        events = await said(source)
    assert np.array_equal(np.concatenate(got), counting(0, 9000))
    assert events[-1] == Ended(9000)


@run_async
async def test_a_listener_who_pauses_is_not_taken_for_a_hang():
    async with running(ring_s=0.02, stall_s=0.3) as source:
        await source.play(["tone:20000"])
        await asyncio.sleep(0.9)
        assert np.array_equal(await hear(source), counting(0, 20000))
        assert source.restarts == 0


@run_async
async def test_an_exception_costs_one_item_and_no_process():
    async with running() as source:
        await source.play(["tone:100", "raise:50", "print", "tone:200"])
        got = await hear(source)
        events = await said(source)
        assert source.restarts == 0
    assert len(got) == 350
    reason = "the source has a fault (ZeroDivisionError: by nothing)"
    assert Skipped("raise:50", reason) in events
    assert Track("tone:200", "tone", first_frame=150) in events


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("give-up", "the station is gone"),
        ("shape", "the source rendered float64 of shape (5,): yield int16 of shape (frames, 2)"),
    ],
)
def test_a_source_that_gives_up_ends_the_session_with_a_reason(item, reason):
    async def give_up() -> tuple[np.ndarray, list[Event]]:
        async with running() as source:
            await source.play(["tone:100", item, "tone:200"])
            return await hear(source), await said(source)

    got, events = asyncio.run(give_up())
    assert len(got) == 100
    assert events[-1] == Failed(reason)


@run_async
async def test_a_source_that_cannot_start_says_what_it_said(tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    marker.touch()
    monkeypatch.setenv("ODD_SOURCE_FAILS_TO_START", str(marker))
    source = SourceProcess(ODD)
    with pytest.raises(SourceError, match=r"does not start: .*no sound card"):
        await source.start()
    with pytest.raises(SourceError, match=r"does not start: .*no sound card"):
        await source.play(["tone:1"])
    marker.unlink()
    await source.play(["tone:7"])
    assert len(await hear(source)) == 7
    await source.close()


@run_async
async def test_a_module_that_is_not_there_is_named():
    source = SourceProcess("storagebox.sources.gramophone")
    with pytest.raises(SourceError, match=r"gramophone does not start.*No module named"):
        await source.start()
    await source.close()


@run_async
async def test_a_source_that_no_longer_starts_ends_the_session(tmp_path, monkeypatch):
    marker = tmp_path / "marker"
    monkeypatch.setenv("ODD_SOURCE_FAILS_TO_START", str(marker))
    async with running() as source:
        await source.play(["hang:1000"])
        await until(lambda: source.ring.available == 1000)
        marker.touch()
        os.kill(source.pid, signal.SIGKILL)
        assert len(await hear(source)) == 1000
        assert source.ring.ended
        events = await said(source)
    assert isinstance(events[-1], Failed)
    assert "no sound card" in events[-1].reason


@run_async
async def test_a_play_that_another_replaces_is_told_so():
    async with running() as source:
        first = asyncio.create_task(source.play(["mute"]))
        await asyncio.sleep(0)
        await source.stop()
        with pytest.raises(SourceError, match="something else"):
            await first


@run_async
async def test_closing_leaves_no_process_and_no_descriptor():
    before = open_files()
    async with running() as source:
        pid = source.pid
        await source.play(["mute:1"])
        await source.play(["hang:5"])
        await until(lambda: source.ring.available == 5)
    assert not Path(f"/proc/{pid}").exists()
    assert open_files() == before


BOX = """
import asyncio, sys
from storagebox.sources.process import SourceProcess

async def main():
    source = SourceProcess(sys.argv[1])
    await source.play([sys.argv[2]])
    print(source.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.parametrize("item", ["tone:999999", "hang:10"])
def test_a_source_dies_with_its_box(item):
    path = os.pathsep.join([str(ROOT / "host"), str(ROOT / "firmware"), str(ROOT)])
    box = subprocess.Popen(
        [sys.executable, "-c", BOX, ODD, item],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert box.stdout is not None
    source = Path("/proc") / box.stdout.readline().strip()
    assert source.exists()
    box.kill()
    box.wait()
    box.stdout.close()
    deadline = time.monotonic() + 10
    while source.exists() and "zombie" not in (source / "status").read_text():
        assert time.monotonic() < deadline, "the source still runs"
        time.sleep(0.01)
