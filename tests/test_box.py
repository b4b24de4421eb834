"""A whole box in the test's own loop: real source process, real sockets, stand-in devices."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phantom.rpc import INVALID_PARAMS, REFUSED, TIMED_OUT, RpcError
from phantom.wire import CHUNK_FRAMES, audio
from storagebox.box import Box, BoxError
from storagebox.control import ControlClient
from storagebox.coordinator import rebuilding
from storagebox.journal import Journal
from tests.running_box import PATIENCE_S, running, write_music
from tests.standins import standins, until


def test_each_device_gets_every_frame_of_its_own_part(tmp_path: Path):
    async def story():
        async with running(tmp_path) as run:
            music = write_music(tmp_path / "a.wav", 1.0)
            dump_path = str(tmp_path / "dump")
            answer = await run.play(tmp_path / "a.wav", pcm_dump=dump_path, lead_ms=240)
            assert answer["start_us"] >= answer["command_us"] + 240_000
            await run.end()
            dump = np.fromfile(tmp_path / "dump", "<i2").reshape(-1, 2)
            assert np.array_equal(dump[: len(music)], music)
            assert not dump[len(music) :].any()
            assert len(dump) % CHUNK_FRAMES == 0
            for name, part in (("solo", dump), ("west", dump[:, 0]), ("east", dump[:, 1])):
                got = run.got[name]
                assert sorted(got) == list(range(len(dump) // CHUNK_FRAMES))
                assert b"".join(got[n] for n in sorted(got)) == part.tobytes()
                sink = run.devices.sinks[name]
                assert sink.opened[0]["start_us"] == answer["start_us"]
                assert sink.opened[0]["stream"] == answer["stream"]
                assert sink.closed == [{"stream": answer["stream"], "at_chunk": max(got) + 1}]
                assert run.status_of(name)["sent_chunks"] == len(got)
                assert run.status_of(name)["skipped_chunks"] == 0
            assert run.session["state"] == "ended"

    asyncio.run(story())


def test_files_follow_each_other_without_a_gap_and_their_titles_are_told(tmp_path: Path):
    async def story():
        async with running(tmp_path) as run:
            first = write_music(tmp_path / "1.wav", 0.3, seed=1)
            second = write_music(tmp_path / "2.wav", 0.3, seed=2)
            await run.play(tmp_path / "1.wav", tmp_path / "2.wav")
            await until(lambda: run.session["track"], "its title is known")
            assert run.session["track"]["path"].endswith("1.wav")
            await run.end()
            got = run.got["solo"]
            sound = b"".join(got[n] for n in sorted(got))
            whole = first.tobytes() + second.tobytes()
            assert sound[: len(whole)] == whole
            assert run.session["track"]["path"].endswith("2.wav")

    asyncio.run(story())


def test_the_status_tells_which_rooms_this_box_sends_to(tmp_path: Path):
    async def story():
        async with running(tmp_path, {"solo": audio.BOTH, "west": audio.LEFT}) as run:
            write_music(tmp_path / "a.wav", 0.3)
            await run.play(tmp_path / "a.wav", rooms=["room solo"])
            sink = run.devices.sinks["solo"]
            await until(lambda: sink.opened, "it is opened")
            status = run.box.status()
            sent = {"for": "sound", "chosen": status["box"], "by": ["room solo"]}
            assert {**sent, "because": "asked to play there"} in status["chosen"]
            assert status["services"] == []
            await run.end()
            assert all(choice["for"] != "sound" for choice in run.box.status()["chosen"])

    asyncio.run(story())


def test_a_device_with_a_small_ring_is_sent_adpcm(tmp_path: Path):
    async def story():
        async with running(tmp_path, {"small": audio.BOTH}, ring_bytes=16384) as run:
            write_music(tmp_path / "a.wav", 0.3)
            await run.play(tmp_path / "a.wav")
            sink = run.devices.sinks["small"]
            await until(lambda: sink.opened, "it is opened")
            assert sink.opened[0]["codec"] == "ima-adpcm"
            await run.play(tmp_path / "a.wav", codec="pcm16")
            await until(lambda: len(sink.opened) == 2, "it is opened again")
            assert sink.opened[1]["codec"] == "pcm16"
            await run.end()

    asyncio.run(story())


def test_a_device_with_one_dac_channel_is_sent_a_mono_mix(tmp_path: Path):
    async def story():
        async with running(tmp_path, {"radio": audio.BOTH}, dac_channels=1) as run:
            write_music(tmp_path / "a.wav", 0.2)
            await run.play(tmp_path / "a.wav")
            opened = run.devices.sinks["radio"].opened
            await until(lambda: opened, "it is opened")
            assert (opened[0]["pick"], opened[0]["channels"]) == ("mono", 1)

    asyncio.run(story())


def test_a_device_that_restarts_mid_song_joins_in_time(tmp_path: Path):
    async def story():
        async with running(tmp_path) as run:
            music = write_music(tmp_path / "a.wav", 3.0)
            await run.play(tmp_path / "a.wav")
            await until(lambda: len(run.got["solo"]) > 100, "it plays")
            sink = run.devices.sinks["solo"]
            run.record("solo")
            sink.restart()
            await until(lambda: len(sink.opened) == 2, "it is opened again")
            assert sink.opened[1]["start_us"] == sink.opened[0]["start_us"]
            begins = sink.opened[1]["first_chunk"]
            assert begins > 0
            await run.end()
            got = run.got["solo"]
            last = max(run.got["west"])
            assert min(got) < begins + 20
            assert sorted(got) == list(range(min(got), last + 1))
            at = min(got) * CHUNK_FRAMES
            assert got[min(got)] == music[at : at + CHUNK_FRAMES].tobytes()
            assert sorted(run.got["west"]) == list(range(last + 1))

    asyncio.run(story())


def test_a_device_that_only_lost_its_connection_misses_nothing(tmp_path: Path):
    async def story():
        async with running(tmp_path) as run:
            write_music(tmp_path / "a.wav", 2.0)
            await run.play(tmp_path / "a.wav")
            await until(lambda: len(run.got["solo"]) > 100, "it plays")
            sink = run.devices.sinks["solo"]
            sink.hang_up()
            await until(lambda: len(sink.opened) == 2, "it is opened again")
            await run.end()
            assert sorted(run.got["solo"]) == list(range(max(run.got["west"]) + 1))
            assert (sink.arrivals.missing, sink.arrivals.repeated) == (0, 0)
            assert run.status_of("solo")["skipped_chunks"] == 0

    asyncio.run(story())


def test_a_volume_reaches_a_room_and_comes_back_with_the_device(tmp_path: Path):
    async def story():
        async with running(tmp_path) as run:
            answer = await run.coordinator.volumes.volume(["room west"], value=12.34)
            assert answer == {"volume": 12.34, "rooms": {"west": 12.34}}
            west, solo = run.devices.sinks["west"], run.devices.sinks["solo"]
            assert west.levels[-1]["volume"] == 1234
            assert solo.levels == []
            west.restart()
            assert west.properties.get("renderer.volume") == 10000
            await until(lambda: len(west.levels) == 2, "the volume is set again")
            assert west.levels[1]["volume"] == 1234
            assert run.status_of("west")["volume"] == 12.34

    asyncio.run(story())


def test_stop_fades_out_at_once_and_sends_no_more(tmp_path: Path):
    async def story():
        async with running(tmp_path) as run:
            write_music(tmp_path / "a.wav", 5.0)
            answer = await run.play(tmp_path / "a.wav")
            await until(lambda: run.got["solo"], "it plays")
            assert await run.coordinator.playing.stop()
            sink = run.devices.sinks["solo"]
            await until(lambda: sink.closed, "it is told to stop")
            closing = {"stream": answer["stream"], "at_chunk": None, "reason": "stopped"}
            assert sink.closed == [closing]
            count = len(run.got["solo"])
            await asyncio.sleep(0.1)
            assert len(run.got["solo"]) == count
            assert not await run.coordinator.playing.stop()
            assert run.session["state"] == "stopped"

    asyncio.run(story())


def test_what_is_stopped_while_a_new_box_still_asks_around_stays_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("GATHER_S", "GATHER_MOST_S"):
        monkeypatch.setattr(rebuilding, name, 1000.0)

    async def story():
        async with running(tmp_path) as run:
            write_music(tmp_path / "a.wav", 60.0)
            await run.play(tmp_path / "a.wav")
            device = run.coordinator.roster.get("solo")
            assert device is not None
            await until(lambda: device.memos, "the device tells what it was left")
            assert await run.coordinator.playing.stop()
            monkeypatch.setattr(rebuilding, "GATHER_MOST_S", 0.0)
            await until(lambda: run.coordinator._rebuilding._gathered, "the box has asked around")
            await asyncio.sleep(0.1)
            assert run.session["state"] == "stopped"

    asyncio.run(story())


def test_only_the_rooms_that_are_named_play(tmp_path: Path):
    async def story():
        async with running(tmp_path) as run:
            write_music(tmp_path / "a.wav", 0.2)
            await run.play(tmp_path / "a.wav", rooms=["room east"])
            await run.end()
            assert run.got["east"]
            assert not run.got["west"]
            assert run.devices.sinks["solo"].opened == []

    asyncio.run(story())


def test_what_cannot_be_played_is_named_with_its_reason(tmp_path: Path):
    async def story():
        async with running(tmp_path, {"solo": audio.BOTH}) as run:
            noise = tmp_path / "noise.flac"
            noise.write_bytes(bytes(1000))
            write_music(tmp_path / "z.wav", 0.2)
            await run.play(noise, tmp_path / "z.wav")
            await run.end()
            skipped = run.events("source.skipped")
            assert [event["path"] for event in skipped] == [str(noise)]
            assert skipped[0]["reason"]
            assert run.got["solo"]
            with pytest.raises(RpcError, match=r"noise\.flac") as caught:
                await run.play(noise)
            assert caught.value.code == REFUSED
            assert run.session["state"] == "failed"
            (tmp_path / "empty").mkdir()
            with pytest.raises(RpcError, match="empty"):
                await run.play(tmp_path / "empty")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"paths": ["/nowhere/at/all"]}, "/nowhere/at/all: no such file or folder"),
        ({"paths": []}, "nothing to play"),
        ({"paths": "a.wav"}, "list of texts"),
        ({"paths": ["/"], "rooms": ["Attic"]}, "no room 'Attic'; there are room solo"),
        ({"paths": ["/"], "lead_ms": 5}, "lead_ms 5 is not within"),
        ({"paths": ["/"], "lead_ms": "long"}, "lead_ms 'long'"),
        ({"paths": ["/"], "codec": "mp3"}, "codec 'mp3' is none of"),
        ({"paths": ["/"], "pcm_dump": "/nowhere/dump"}, "pcm_dump /nowhere/dump"),
    ],
)
def test_a_senseless_command_is_refused_in_words(
    tmp_path: Path, params: dict[str, Any], fault: str
):
    async def story():
        async with running(tmp_path, {"solo": audio.BOTH}) as run:
            with pytest.raises(RpcError, match=fault) as caught:
                await run.coordinator.playing.play(**params)
            assert caught.value.code == INVALID_PARAMS

    asyncio.run(story())


def test_the_control_socket_serves_every_command(tmp_path: Path):
    async def story():
        async with running(tmp_path, {"solo": audio.BOTH}) as run:
            write_music(tmp_path / "a.wav", 0.2)

            def talk() -> dict[str, Any]:
                with ControlClient(run.box.control_path) as control:
                    assert control.call("wait", what="devices") is True
                    control.call("volume", value=50)
                    answer = control.call("play", paths=[str(tmp_path / "a.wav")])
                    assert answer["start_us"] > answer["command_us"]
                    assert control.call("wait", what="end", timeout_s=PATIENCE_S) is True
                    control.call("stop")
                    status = control.call("status")
                    control.call("quit")
                    return status

            status = await asyncio.to_thread(talk)
            await run.box.finished()
            assert status["rooms"][0]["devices"][0]["connected"] is True
            assert status["rooms"][0]["devices"][0]["state"] in ("idle", "playing")
            assert status["sessions"][0]["state"] == "ended"

    asyncio.run(story())


def test_waiting_for_a_device_that_is_off_says_which_and_why(tmp_path: Path):
    async def story():
        async with running(tmp_path) as run:
            run.devices.sinks["west"].close()
            await until(lambda: not run.status_of("west")["connected"], "its loss is seen")
            with pytest.raises(RpcError, match=r"still missing: west \(.+\)$") as caught:
                await run.coordinator.wait("devices", 0.2)
            assert caught.value.code == TIMED_OUT

    asyncio.run(story())


def test_a_device_with_another_id_than_the_file_says_is_not_played_to(tmp_path: Path):
    async def story():
        async with standins({"solo": audio.BOTH}) as devices:
            devices.sinks["solo"].identity = "stranger"
            box = Box(
                address="127.0.0.1",
                state=devices.admit(tmp_path / "state"),
                clock_port=0,
                journal=Journal(None),
            )
            async with box:
                await until(
                    lambda: [e for e in box.journal.latest if e["event"] == "device.mismatch"],
                    "the mismatch is noticed",
                )
                event = next(e for e in box.journal.latest if e["event"] == "device.mismatch")
                assert (event["device"], event["says"]) == ("solo", "stranger")

    asyncio.run(story())


def test_a_port_that_is_busy_is_one_line(tmp_path: Path):
    async def story():
        async with running(tmp_path, {"solo": audio.BOTH}) as run:
            assert run.box.clock is not None
            port = run.box.clock.port
            again = Box(
                address="127.0.0.1",
                state=run.devices.admit(tmp_path / "other"),
                clock_port=port,
                journal=Journal(None),
            )
            with pytest.raises(BoxError, match=f"UDP port {port} of 127.0.0.1 is busy"):
                async with again:
                    pass

    asyncio.run(story())
