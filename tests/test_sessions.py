"""Groups and sessions on a whole box: many at once, and nobody disturbed by the others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phantom.rpc import INVALID_PARAMS, RpcError
from phantom.wire import CHUNK_FRAMES, audio
from tests.running_box import Running, running, write_music
from tests.standins import until

FOUR = {"kitchen": audio.BOTH, "bath": audio.BOTH, "attic": audio.BOTH, "den": audio.BOTH}
PAIR = {"kitchen": audio.BOTH, "one": audio.BOTH, "two": audio.BOTH}


def unbroken(run: Running, name: str) -> bool:
    """A device has every chunk from its first to its last, once."""
    got, arrivals = run.got[name], run.devices.sinks[name].arrivals
    whole = sorted(got) == list(range(min(got), max(got) + 1))
    return whole and (arrivals.missing, arrivals.repeated) == (0, 0)


def sound(run: Running, name: str) -> bytes:
    got = run.got[name]
    return b"".join(got[n] for n in sorted(got))


def group_of(run: Running, room: str) -> dict[str, Any]:
    groups = run.box.status()["groups"]
    return next(group for group in groups if room in group["rooms"])


def session_of(run: Running, room: str) -> dict[str, Any]:
    name = group_of(run, room)["session"]
    return next(s for s in run.box.status()["sessions"] if s["id"] == name)


async def plays(run: Running, name: str, chunks: int = 50) -> None:
    await until(lambda: len(run.got[name]) >= chunks, f"{name} plays")


def test_rooms_play_different_things_at_once(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            songs = {name: tmp_path / f"{name}.wav" for name in ("kitchen", "bath", "attic")}
            music = {
                name: write_music(path, 0.8, seed)
                for seed, (name, path) in enumerate(songs.items(), 1)
            }
            for name, path in songs.items():
                await run.play(path, rooms=[f"room {name}"])
            assert len({group_of(run, name)["session"] for name in songs}) == 3
            await run.end()
            for name in songs:
                assert unbroken(run, name)
                assert sound(run, name).startswith(music[name].tobytes())
            assert run.got["den"] == {}

    asyncio.run(story())


def test_a_room_that_joins_mid_song_gets_the_same_sound_within_a_second(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            music = write_music(tmp_path / "a.wav", 3.0)
            answer = await run.play(tmp_path / "a.wav", rooms=["room kitchen"])
            await plays(run, "kitchen", 120)
            joined_us = run.box.house.now_us()
            told = await run.coordinator.playing.group(["room kitchen", "room bath"])
            assert told == {"group": answer["group"], "rooms": ["kitchen", "bath"]}
            await plays(run, "bath")
            first = min(run.got["bath"])
            stream = run.coordinator.playing.session_of("bath").stream  # pyright: ignore
            assert stream is not None
            assert stream.play_us(first) - joined_us < 1_000_000
            await run.end()
            at = first * CHUNK_FRAMES
            assert sound(run, "bath").startswith(music[at:].tobytes())
            assert unbroken(run, "kitchen")

    asyncio.run(story())


def test_leaving_silences_the_one_and_leaves_the_others_alone(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            write_music(tmp_path / "a.wav", 2.0)
            await run.play(tmp_path / "a.wav")
            await plays(run, "bath", 120)
            await run.coordinator.playing.ungroup(["room bath"])
            bath = run.devices.sinks["bath"]
            await until(lambda: bath.closed, "the bath is told")
            assert bath.closed[0]["at_chunk"] is None
            assert bath.closed[0]["reason"] == "left the group"
            assert group_of(run, "bath")["session"] is None
            await run.end()
            last = max(run.got["kitchen"])
            for name in ("kitchen", "attic", "den"):
                assert unbroken(run, name)
                assert max(run.got[name]) == last
                assert len(run.devices.sinks[name].opened) == 1
            assert max(run.got["bath"]) < last

    asyncio.run(story())


def test_a_room_moves_from_one_song_to_another_and_neither_skips(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            write_music(tmp_path / "a.wav", 2.5, seed=1)
            other = write_music(tmp_path / "b.wav", 2.5, seed=2)
            await run.play(tmp_path / "a.wav", rooms=["room kitchen", "room bath"])
            await run.play(tmp_path / "b.wav", rooms=["room attic"])
            await plays(run, "bath", 120)
            run.record("bath")
            await run.coordinator.playing.group(["room attic", "room bath"])
            bath = run.devices.sinks["bath"]
            await until(lambda: len(bath.opened) == 2, "the bath is given the other song")
            run.record("bath")
            await run.end()
            assert bath.closed[0]["at_chunk"] is not None  # nothing but the end of the other song
            at = min(run.got["bath"]) * CHUNK_FRAMES
            assert sound(run, "bath").startswith(other[at:].tobytes())
            assert unbroken(run, "kitchen")
            assert unbroken(run, "attic")

    asyncio.run(story())


def test_when_all_rooms_have_left_the_session_is_over(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            write_music(tmp_path / "a.wav", 20.0)
            await run.play(tmp_path / "a.wav", rooms=["room kitchen"])
            await plays(run, "kitchen")
            session = session_of(run, "kitchen")["id"]
            await run.coordinator.playing.group(["room bath", "room kitchen"])
            kitchen = run.devices.sinks["kitchen"]
            await until(lambda: kitchen.closed, "the kitchen is silent")
            assert session not in [s["id"] for s in run.box.status()["sessions"]]
            await run.coordinator.wait("end", 5.0)

    asyncio.run(story())


def test_pausing_keeps_the_place_to_the_frame(tmp_path: Path):
    async def story():
        async with running(tmp_path, {"kitchen": audio.BOTH}) as run:
            music = write_music(tmp_path / "a.wav", 3.0)
            await run.play(tmp_path / "a.wav")
            await plays(run, "kitchen", 120)
            assert await run.coordinator.playing.pause()
            assert not await run.coordinator.playing.pause()
            paused = run.session
            assert paused["state"] == "paused"
            sink = run.devices.sinks["kitchen"]
            await until(lambda: sink.closed, "it is silent")
            await asyncio.sleep(0.3)
            assert run.session["session_s"] == paused["session_s"] > 0
            run.record("kitchen")
            assert await run.coordinator.playing.resume()
            await run.end()
            assert len(sink.opened) == 2
            assert sink.opened[1]["stream"] != sink.opened[0]["stream"]
            assert min(run.got["kitchen"]) == 0
            at = round(paused["session_s"] * 48_000)
            wanted = music[at - 48 : at + 48 + len(music)].tobytes()
            heard = sound(run, "kitchen")
            assert heard[: 4 * CHUNK_FRAMES] in wanted  # times are told in milliseconds
            rest = wanted[wanted.index(heard[: 4 * CHUNK_FRAMES]) :]
            assert heard.startswith(rest)
            assert run.session["state"] == "ended"

    asyncio.run(story())


def test_a_paused_song_is_no_hindrance_to_another(tmp_path: Path):
    async def story():
        async with running(tmp_path, {"kitchen": audio.BOTH}) as run:
            write_music(tmp_path / "a.wav", 3.0, seed=1)
            other = write_music(tmp_path / "b.wav", 0.5, seed=2)
            await run.play(tmp_path / "a.wav")
            await plays(run, "kitchen")
            await run.coordinator.playing.pause()
            run.record("kitchen")
            await run.play(tmp_path / "b.wav")
            await run.end()
            assert sound(run, "kitchen").startswith(other.tobytes())
            assert not await run.coordinator.playing.resume()

    asyncio.run(story())


def test_the_volume_of_a_group_keeps_its_balance_on_the_devices(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            volume, mute = run.coordinator.volumes.volume, run.coordinator.volumes.mute
            await volume(["room kitchen"], value=80)
            await volume(["room bath"], value=40)
            both = ["room kitchen", "room bath"]
            assert await volume(both) == {"volume": 60, "rooms": {"kitchen": 80, "bath": 40}}
            assert await volume(both, value=90) == {
                "volume": 90,
                "rooms": {"kitchen": 100, "bath": 80},
            }
            steps = {n: run.devices.sinks[n].properties.get("renderer.volume") for n in FOUR}
            assert steps == {"kitchen": 10000, "bath": 8000, "attic": 10000, "den": 10000}
            assert (await volume(both, delta=-20))["rooms"] == {"kitchen": 80, "bath": 60}
            await mute(True, both)
            assert run.devices.sinks["bath"].properties.get("renderer.mute") is True
            assert run.status_of("bath")["volume"] == 60
            await run.coordinator.playing.group([*both, "room attic"])
            assert group_of(run, "bath")["mute"] is False
            await mute(True, ["room attic"])
            assert group_of(run, "bath")["mute"] is True
            assert group_of(run, "bath")["volume"] == 80

    asyncio.run(story())


@pytest.mark.parametrize(
    ("method", "params", "fault"),
    [
        ("volume", {"value": 101}, "value 101 is not within 0 to 100"),
        ("volume", {"value": "loud"}, "'loud' is not a number"),
        ("volume", {"value": True}, "True is not a number"),
        ("volume", {"value": 1, "delta": 1}, "not both"),
        ("volume", {"rooms": ["Attic"], "value": 1}, "no room 'Attic'"),
        ("volume", {"device": "attic", "value": 1}, "no device 'attic'"),
        ("volume", {"rooms": [], "value": 1}, "at least one"),
        ("mute", {"on": 1}, "neither true nor false"),
    ],
)
def test_a_senseless_volume_is_refused_in_words(
    tmp_path: Path, method: str, params: dict[str, Any], fault: str
):
    async def story():
        async with running(tmp_path, {"solo": audio.BOTH}) as run:
            with pytest.raises(RpcError, match=fault) as caught:
                await getattr(run.coordinator.volumes, method)(**params)
            assert caught.value.code == INVALID_PARAMS

    asyncio.run(story())


def test_rooms_are_found_by_the_start_of_their_names_in_any_case(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            rooms = run.coordinator.rooms
            assert rooms.one("ROOM K").id == "kitchen"
            assert rooms.one("bath").name == "room bath"
            with pytest.raises(RpcError, match="could be room attic, room bath"):
                rooms.one("room")
            group = (await run.coordinator.playing.group(["room den", "room bath"]))["group"]
            assert {room.id for room in rooms.named([group])} == {"den", "bath"}

    asyncio.run(story())


async def paired(run: Running) -> str:
    room = (await run.coordinator.arranging.pair("one", "two", "Living room"))["room"]
    digest = run.coordinator.keeper.digest
    halves = [run.devices.sinks[name] for name in ("one", "two")]
    await until(lambda: all(half.topology.digest == digest for half in halves), "both are told")
    return room


def test_the_halves_of_a_pair_get_a_side_each_also_when_paired_mid_song(tmp_path: Path):
    async def story():
        async with running(tmp_path, PAIR) as run:
            music = write_music(tmp_path / "a.wav", 2.5)
            await run.play(tmp_path / "a.wav")
            await plays(run, "one", 60)
            room = await paired(run)
            assert group_of(run, room)["rooms"] == ["kitchen", room]
            run.record("one")
            run.record("two")
            await run.end()
            for column, name in enumerate(("one", "two")):
                got = run.got[name]
                number = max(got) - 60
                at = number * CHUNK_FRAMES
                part = np.ascontiguousarray(music[at : at + CHUNK_FRAMES, column])
                assert got[number] == part.tobytes()
            assert unbroken(run, "kitchen")

    asyncio.run(story())


def test_a_half_that_dies_is_replaced_by_the_mono_mix_within_a_second_and_comes_back(
    tmp_path: Path,
):
    async def story():
        async with running(tmp_path, PAIR) as run:
            music = write_music(tmp_path / "a.wav", 8.0)
            await paired(run)
            await run.play(tmp_path / "a.wav", rooms=["Living room"])
            await plays(run, "one", 120)
            two = run.devices.sinks["two"]
            died_us = run.box.house.now_us()
            two.freeze(True)
            await until(lambda: run.events("half.lost"), "the loss is seen")
            assert run.box.house.now_us() - died_us < 800_000
            await until(lambda: run.status_of("one")["pick"] == "mono", "the other takes over")
            living = next(r for r in run.box.status()["rooms"] if r["kind"] == "pair")
            assert living["health"] == "poor"
            assert living["reason"] == "the right half is gone, the other plays mono"
            await asyncio.sleep(0.5)
            got, mono = run.got["one"], (music.astype(np.int32).sum(axis=1) >> 1).astype("<i2")
            number = max(got)
            at = number * CHUNK_FRAMES
            assert got[number] == mono[at : at + CHUNK_FRAMES].tobytes()
            two.freeze(False)
            await until(lambda: run.events("half.back"), "it is back")
            await until(lambda: run.status_of("one")["pick"] == "left", "stereo is back")
            assert run.status_of("two")["pick"] == "right"

    asyncio.run(story())


def test_a_device_that_plays_nothing_is_dropped_told_why_and_restarted_once(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            write_music(tmp_path / "a.wav", 20.0)
            await run.play(tmp_path / "a.wav")
            await plays(run, "bath")
            bath = run.devices.sinks["bath"]
            bath.wedged = True
            await until(lambda: bath.closed, "it is dropped")
            assert bath.closed[0]["reason"] == "answers but plays nothing"
            await until(lambda: bath.restarts == 1, "it is restarted")
            rooms = {room["id"]: room for room in run.box.status()["rooms"]}
            assert rooms["bath"]["health"] == "silent"
            assert rooms["bath"]["reason"] == "answers but plays nothing"
            assert rooms["kitchen"]["health"] in ("good", "fair")  # a busy machine is fair at best
            health = run.box.status()["health"]
            assert health == {"level": "poor", "reason": "room bath: answers but plays nothing"}
            bath.wedged = False
            bath.restart()
            await until(lambda: len(bath.opened) == 2, "it is given another chance")
            await until(lambda: run.status_of("bath")["health"] == "good", "it is well")

    asyncio.run(story())


def test_gaps_on_one_link_change_the_groups_terms_without_a_gap_elsewhere(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            write_music(tmp_path / "a.wav", 12.0)
            await run.play(tmp_path / "a.wav")
            await plays(run, "bath")
            assert run.session["codec"] is None
            await asyncio.sleep(1.0)
            run.devices.sinks["bath"].troubles = {"underruns": 3}
            await until(lambda: run.events("group.terms"), "the terms change")
            assert run.session["lead_ms"] == 500
            assert run.session["codec"] == "ima-adpcm"
            assert run.session["terms_reason"] == "3 gaps"
            await plays(run, "kitchen", max(run.got["kitchen"]) + 100)
            assert len(run.got["kitchen"][max(run.got["kitchen"])]) == 2 * 132
            assert unbroken(run, "kitchen")

    asyncio.run(story())


class Watcher:
    """What a client of the control socket is told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.close = lambda: None

    def notify(self, method: str, params: Any) -> None:
        assert method == "changed"
        self.told.append(dict(params))

    def on_close(self, callback: Any) -> None:
        self.close = callback

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [change for change in self.told if change["kind"] == kind]


def test_who_watches_is_told_each_change_once(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            write_music(tmp_path / "a.wav", 0.6)
            watcher = Watcher()
            run.coordinator.watch(watcher)
            await run.coordinator.volumes.volume(["room bath"], value=30)
            await until(lambda: watcher.of("room"), "the volume is told")
            assert watcher.told == [
                {"kind": "room", "room": "bath", "volume": 30},
                {"kind": "device", "device": "bath", "volume": 30},
            ]
            watcher.told.clear()
            await run.play(tmp_path / "a.wav", rooms=["room bath"])
            await run.end()
            await until(lambda: any(c.get("state") == "ended" for c in watcher.told), "the end")
            states = [change["state"] for change in watcher.of("session") if "state" in change]
            assert states in (["playing", "ended"], ["starting", "playing", "ended"])
            assert {change["device"] for change in watcher.of("device")} == {"bath"}
            watcher.close()
            watcher.told.clear()
            await run.coordinator.volumes.volume(["room bath"], value=40)
            await asyncio.sleep(0.3)
            assert watcher.told == []

    asyncio.run(story())


def test_who_watches_a_device_is_told_its_properties(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            watcher = Watcher()
            run.coordinator.watch(watcher, "bath")
            first = {change["name"]: change["value"] for change in watcher.of("property")}
            assert first["renderer.volume"] == 10000
            watcher.told.clear()
            await run.coordinator.volumes.volume(value=30)
            await until(lambda: watcher.of("property"), "a property is told")
            assert watcher.of("property") == [
                {"kind": "property", "device": "bath", "name": "renderer.volume", "value": 3000}
            ]
            with pytest.raises(RpcError, match="no device 'cellar'"):
                run.coordinator.watch(watcher, "cellar")

    asyncio.run(story())


def test_rooms_chime_together_but_where_music_plays(tmp_path: Path):
    async def story():
        async with running(tmp_path, FOUR) as run:
            write_music(tmp_path / "a.wav", 5.0)
            sinks = run.devices.sinks
            answer = await run.coordinator.identify()
            assert sorted(answer["chiming"]) == sorted(FOUR)
            assert len({sink.chimes[0] for sink in sinks.values()}) == 1
            await run.play(tmp_path / "a.wav", rooms=["room den"])
            await plays(run, "den")
            answer = await run.coordinator.identify(["room den", "bath"])
            assert answer["chiming"] == ["bath"]
            assert answer["refused"] == {"den": "music plays here: pause it first"}
            with pytest.raises(RpcError, match="den: music plays here"):
                await run.coordinator.identify(["den"])

    asyncio.run(story())
