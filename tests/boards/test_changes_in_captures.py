"""Changes in mid-song on real firmware, seen where it counts: in what left the DACs, and when."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from boards.emulated import capture
from boards.emulated.board import EmulatedBoard
from phantom.wire import CHUNK_FRAMES, RATE, audio, mux
from storagebox.streamer import adpcm, formats
from storagebox.streamer.formats import Variant
from storagebox.streamer.stream import TICK_US, Output, Stream
from tests.boards.driver import ClockServer, Driver, house_us, wait_for
from tools.measure.accounting import account
from tools.measure.align import align
from tools.measure.canonical import Canonical, pick_channels

MakeBoard = Callable[..., EmulatedBoard]
Frames = NDArray[np.int16]

LEAD_MS = 400
STEREO = Variant(audio.BOTH, audio.PCM16)


class Song:
    """Frames as a source gives them."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.at = 0

    @property
    def available(self) -> int:
        return len(self.frames) - self.at

    @property
    def ended(self) -> bool:
        return not self.available

    def read_into(self, out: Frames) -> int:
        count = min(self.available, len(out))
        out[:count] = self.frames[self.at : self.at + count]
        self.at += count
        return count


class Feed:
    """A driver as what a stream sends to."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def audio_room(self, backlog_bytes: int) -> int:
        return min(backlog_bytes, mux.room(self.driver.window, self.driver.sent))

    def send_audio(self, frames: list[bytes], size: int) -> None:
        for frame in frames:
            payload = frame[mux.HEADER_BYTES :]
            self.driver.send(mux.AUDIO, payload)
            self.driver.sent += len(payload)

    def forget_audio(self) -> int:
        return 0


class Room:
    """A board with a perfect crystal, in time, and the driver that talks to it."""

    def __init__(self, board: EmulatedBoard, clock: ClockServer) -> None:
        self.board = board
        board.start()
        self.driver = Driver(board.address)
        self.driver.call("device.clock", port=clock.port)

    def synchronise(self) -> None:
        reports = self.driver.reports
        wait_for("house time", lambda: reports and reports[-1]["clock_samples"] > 60)

    def join(self, stream: Stream, variant: Variant) -> Output:
        output = stream.add(Feed(self.driver), variant, house_us())
        answer = self.driver.call(
            "renderer.open",
            stream=stream.number,
            start_us=stream.start_us,
            first_chunk=output.next_chunk,
        )
        stream.ready(output, answer["result"]["wants"], house_us())
        return output

    def left(self) -> Frames:
        """The left channel from the first sound to the last, silence included."""
        segment = capture.load(self.board.captures[-1])[-1]
        first = int(segment.sound[0])
        frames = np.zeros((int(segment.sound[-1]) + 1 - first, CHUNK_FRAMES), np.int16)
        frames[segment.sound - first] = segment.pcm()[:, :, 0]
        return frames.reshape(-1)


def pump_until(us: int, *streams: Stream) -> None:
    while house_us() < us:
        for stream in streams:
            stream.pump(house_us())
        time.sleep(TICK_US / 1e6)


def noise(seconds: float) -> Frames:
    return np.random.default_rng(5).integers(-9000, 9000, (round(seconds * RATE), 2), np.int16)


def tone(seconds: float, hertz: float) -> Frames:
    wave = np.sin(np.arange(round(seconds * RATE)) * 2 * np.pi * hertz / RATE) * 8000
    return np.repeat(wave.astype(np.int16)[:, None], 2, axis=1)


def steepest(left: Frames) -> int:
    return int(np.abs(np.diff(left.astype(np.int32))).max())


def as_played(song: Frames, changes: list[tuple[int, Variant]]) -> Frames:
    """What a DAC is to put out of a song in forms that change at chunks, (frames, 2)."""
    out = np.empty_like(song)
    ends = [chunk * CHUNK_FRAMES for chunk, _ in changes[1:]] + [len(song)]
    for (chunk, variant), end in zip(changes, ends, strict=True):
        at = chunk * CHUNK_FRAMES
        part = song[at:end]
        if variant.codec == audio.IMA_ADPCM:
            skip = mux.HEADER_BYTES + audio.HEADER_BYTES
            frames = formats.encode(part, 1, chunk, [variant])[variant]
            part = adpcm.decode([frame[skip:] for frame in frames], variant.channels)
            out[at:end] = part if variant.channels == 2 else np.repeat(part, 2, axis=1)
        else:
            out[at:end] = pick_channels(part, variant.pick)
    return out


def check(room: Room, stream: Stream, expected: Frames) -> None:
    """Every frame once, in time and unchanged, but for the blocks of trims."""
    canonical = Canonical(expected)
    played = align(
        room.board.name,
        room.board.captures,
        stream.start_us,
        pick=audio.BOTH,
        canonical=canonical,
    )
    books = account(played, canonical)
    assert books.jumps == []
    assert books.dropouts == []
    assert np.abs(played.error_us).max() < 1000
    (stretch,) = played.stretches
    assert stretch.first_frame == 0
    assert int(stretch.frame[-1]) > len(expected) - 2 * CHUNK_FRAMES
    blocks = dict(zip(stretch.capture.sound.tolist(), stretch.capture.pcm(), strict=True))
    changed = sum(
        not np.array_equal(blocks[at], canonical.picked(frame, frame + CHUNK_FRAMES, audio.BOTH))
        for at, frame in zip(stretch.descriptor.tolist(), stretch.frame.tolist(), strict=True)
    )
    assert changed + stretch.unread <= books.trims + 2  # the ragged first and last block


def test_changes_of_codec_and_pick_are_heard_by_what_is_different_and_nothing_else(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    rooms = {
        name: Room(make_board(name, ppm=0), clock_server)
        for name in ("kitchen", "west", "east", "attic")
    }
    for room in rooms.values():
        room.synchronise()
    song = noise(1100 * CHUNK_FRAMES / RATE)
    start_us = house_us() + 500_000
    stream = Stream(1, start_us, LEAD_MS, Song(song))
    forms: dict[str, list[tuple[int, Variant]]] = {}
    outputs: dict[str, Output] = {}
    for name, pick in (
        ("kitchen", audio.BOTH),
        ("west", audio.LEFT),
        ("east", audio.RIGHT),
        ("attic", audio.BOTH),
    ):
        variant = Variant(pick, audio.PCM16)
        outputs[name] = rooms[name].join(stream, variant)
        forms[name] = [(0, variant)]
    for at_s, name, variant in (
        (1.2, "kitchen", Variant(audio.BOTH, audio.IMA_ADPCM)),
        (2.0, "west", Variant(audio.MONO, audio.PCM16)),
        (2.8, "kitchen", STEREO),
        (3.4, "west", Variant(audio.LEFT, audio.IMA_ADPCM)),
        (4.2, "west", Variant(audio.LEFT, audio.PCM16)),
    ):
        pump_until(start_us + round(at_s * 1e6), stream)
        now_us = house_us()
        stream.change(outputs[name], variant, now_us)
        first = outputs[name].next_chunk
        assert 0 < stream.play_us(first) - now_us < 500_000
        forms[name].append((first, variant))
    # Well before the last chunk is due: a board that is told too late has run out of sound.
    for room in rooms.values():
        assert "result" in room.driver.call("renderer.close", stream=1, at_chunk=1100)
    pump_until(start_us + 6_100_000, stream)
    for name, room in rooms.items():
        assert room.driver.reports[-1]["underruns"] == 0, name
        assert outputs[name].skipped_chunks == 0, name
        room.board.stop()
        check(room, stream, as_played(song, forms[name]))


def test_neither_another_stream_nor_a_level_nor_an_end_is_a_click(
    make_board: MakeBoard, clock_server: ClockServer
) -> None:
    room = Room(make_board(ppm=0), clock_server)
    room.synchronise()
    first = Stream(1, house_us() + 400_000, LEAD_MS, Song(tone(6, 300)))
    room.join(first, STEREO)
    at = first.start_us + 400_000
    pump_until(at, first)
    for volume, ramp_ms, wait_us in ((2000, 20, 200_000), (10000, 600, 250_000)):
        room.driver.call("renderer.level", volume=volume, ramp_ms=ramp_ms)
        at += wait_us
        pump_until(at, first)
    for mute in (True, False):  # the first in the middle of that long ramp
        room.driver.call("renderer.level", mute=mute, ramp_ms=0)
        at += 150_000
        pump_until(at, first)
    second = Stream(2, at + 500_000, LEAD_MS, Song(tone(6, 200)))
    room.join(second, STEREO)
    pump_until(at + 1_000_000, second)
    room.driver.call("renderer.close", stream=2)
    time.sleep(0.3)
    room.board.stop()
    left = room.left()
    slope = 2 * np.pi * 300 / RATE * 8000
    assert np.abs(left).max() >= 7900
    assert steepest(left) <= slope + 8000 / CHUNK_FRAMES + 2
    silent = np.flatnonzero(np.diff(np.flatnonzero(left)) > RATE // 10)
    assert len(silent) >= 1  # between the streams, and where it was muted
