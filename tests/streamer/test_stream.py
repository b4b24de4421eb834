"""What a stream sends, to whom and when."""

import numpy as np
import pytest

from phantom.wire import CHUNK_FRAMES, audio
from storagebox.streamer.formats import Variant
from storagebox.streamer.stream import ARRIVAL_US, ENCODE_BATCH, FULL_REACH_US, TICK_US, Stream
from tests.streamer.playing import (
    CHUNK_US,
    LEAD_MS,
    START_US,
    STEREO,
    WIDE_OPEN,
    Listener,
    Music,
    Played,
)


def test_every_frame_is_sent_once_and_in_order():
    music, link = Music(300), Listener()
    played = Played(music, link)
    played.run_until(310)
    assert sorted(link.sent) == list(range(300))
    assert link.pcm == music.frames.tobytes()
    assert played.outputs[0].sent_chunks == 300
    assert played.outputs[0].skipped_chunks == 0


def test_chunks_are_sent_one_lead_ahead_at_first_and_ever_further_as_memory_allows():
    link = Listener()
    played = Played(Music(3000), link)
    played.run_until(2500)
    for number in range(2500):
        ahead_us = played.stream.play_us(number) - link.at_us[number]
        grown_us = (link.at_us[number] - START_US + LEAD_MS * 1000) // 4
        reach_us = min(LEAD_MS * 1000 + grown_us, FULL_REACH_US)
        assert ahead_us <= reach_us + TICK_US + 6000
        if number > LEAD_MS * 1000 // CHUNK_US:
            assert ahead_us >= reach_us - TICK_US // 4


def test_a_board_is_sent_nothing_further_ahead_than_its_budget():
    played = Played(Music(3000), Listener(), lead_ms=900)
    modest, small = Listener(), Listener()
    played.join(modest, budget_ms=1200)
    played.join(small, budget_ms=400)  # less than the lead itself
    played.run_until(2000)
    for link, budget_ms in ((modest, 1200), (small, 400)):
        ahead = [played.stream.play_us(n) - at_us for n, at_us in link.at_us.items()]
        assert budget_ms * 1000 - TICK_US <= max(ahead) <= budget_ms * 1000 + TICK_US + 6000
        assert sorted(link.sent) == list(range(max(link.sent) + 1))


def test_a_live_source_is_sent_on_as_it_comes():
    music, link = Music(600), Listener()
    played = Played(music, link)
    while played.now_us < START_US + 500 * CHUNK_US:
        now_chunk = (played.now_us - START_US + LEAD_MS * 1000) / CHUNK_US
        music.delivered = min(len(music.frames), round((now_chunk + 5) * CHUNK_FRAMES))
        played.pump()
        played.now_us += TICK_US
    assert played.stream.counters.underflow_chunks == 0
    for number in range(60, 500):
        ahead_us = played.stream.play_us(number) - link.at_us[number]
        assert abs(ahead_us - LEAD_MS * 1000) < TICK_US + 5 * CHUNK_US


def test_devices_of_one_variant_share_the_same_bytes():
    frames: list[list[bytes]] = [[], []]

    class Sharing(Listener):
        def __init__(self, into: list[bytes]) -> None:
            super().__init__()
            self.into = into

        def send_audio(self, frames: list[bytes], size: int) -> None:
            self.into += frames

    played = Played(Music(100), Sharing(frames[0]), Sharing(frames[1]))
    played.run_until(100)
    assert len(frames[0]) == 100
    assert all(mine is yours for mine, yours in zip(*frames, strict=True))


def test_the_last_chunk_is_filled_up_with_silence_and_known():
    music, link = Music(10.25), Listener()
    played = Played(music, link)
    played.run_until(12)
    assert played.stream.last_chunk == 10
    assert played.stream.end_us == played.stream.play_us(11)
    assert played.stream.finished(played.outputs[0])
    last = np.frombuffer(link.sent[10], np.int16).reshape(-1, 2)
    assert np.array_equal(last[:64], music.frames[2560:])
    assert not last[64:].any()


def test_a_source_that_ends_without_a_frame_makes_a_stream_without_a_chunk():
    played = Played(Music(0), Listener())
    played.run_until(2)
    assert played.stream.last_chunk == -1
    assert played.stream.finished(played.outputs[0])
    assert not played.links[0].sent


def test_a_closed_window_holds_chunks_back_and_those_too_late_are_skipped():
    music, link = Music(400), Listener(window=20 * STEREO.payload_bytes + audio.HEADER_BYTES)
    played = Played(music, link)
    played.run_until(100)
    assert sorted(link.sent) == list(range(20))
    link.window = WIDE_OPEN
    played.run_until(400)
    output = played.outputs[0]
    resumed = min(number for number in link.sent if number >= 20)
    assert resumed == 20 + output.skipped_chunks
    assert played.stream.play_us(resumed) - link.at_us[resumed] > ARRIVAL_US
    assert played.stream.play_us(resumed) - link.at_us[resumed] < ARRIVAL_US + 2 * CHUNK_US
    assert sorted(link.sent) == [*range(20), *range(resumed, 400)]
    for number in (resumed, 399):
        at = number * CHUNK_FRAMES
        assert link.sent[number] == music.frames[at : at + CHUNK_FRAMES].tobytes()


def test_one_slow_device_holds_nobody_else_back():
    slow, well = Listener(window=0), Listener()
    played = Played(Music(200), slow, well)
    played.run_until(210)
    assert len(well.sent) == 200
    assert not slow.sent
    assert played.outputs[0].skipped_chunks == 200


def test_a_late_joiner_gets_at_once_what_can_still_be_played():
    music, first, late = Music(400), Listener(), Listener()
    played = Played(music, first)
    played.run_until(200)
    output = played.join(late)
    begins = output.next_chunk
    assert ARRIVAL_US < played.stream.play_us(begins) - played.now_us < ARRIVAL_US + 2 * CHUNK_US
    played.pump()
    assert min(late.sent) == begins
    assert played.stream.play_us(max(late.sent)) - played.now_us > LEAD_MS * 1000
    played.now_us += TICK_US
    played.run_until(400)
    assert sorted(late.sent) == list(range(begins, 400))
    assert late.pcm == music.frames[begins * CHUNK_FRAMES :].tobytes()


def test_a_device_that_changed_connections_gets_only_what_it_has_not_got():
    music, first = Music(400), Listener()
    played = Played(music, first)
    played.run_until(200)
    played.stream.remove(played.outputs[0])
    again = Listener()
    has = max(first.sent) - 5
    played.join(again, wants=has + 1)
    played.run_until(400)
    assert sorted(again.sent) == list(range(has + 1, 400))


def test_a_late_joiner_may_want_another_variant():
    music, late = Music(400), Listener()
    played = Played(music, Listener())
    played.run_until(100)
    begins = played.join(late, Variant(audio.LEFT, audio.PCM16)).next_chunk
    played.run_until(150)
    at = begins * CHUNK_FRAMES
    assert late.sent[begins] == music.frames[at : at + CHUNK_FRAMES, 0].tobytes()


def test_a_late_source_gets_silence_put_in_and_the_music_goes_on_after_it():
    music, link = Music(200), Listener()
    music.delivered = 100 * CHUNK_FRAMES + 100  # and a part of a chunk
    played = Played(music, link)
    played.run_until(120)
    music.delivered = len(music.frames)
    played.run_until(260)
    silent = played.stream.counters.underflow_chunks
    assert silent > 0
    assert played.stream.last_chunk == 199 + silent
    expected = music.frames.tobytes()
    cut = 100 * CHUNK_FRAMES * 4
    assert link.pcm[:cut] == expected[:cut]
    gap = silent * CHUNK_FRAMES * 4
    assert not any(link.pcm[cut : cut + gap])
    assert link.pcm[cut + gap :] == expected[cut:]
    assert sorted(link.sent) == list(range(200 + silent))


def test_silence_is_put_in_only_when_half_the_lead_is_gone():
    music, link = Music(200), Listener()
    music.delivered = 100 * CHUNK_FRAMES
    played = Played(music, link)
    played.run_until(99 - LEAD_MS * 1000 * 0.6 / CHUNK_US)
    assert played.stream.counters.underflow_chunks == 0
    music.delivered = len(music.frames)
    played.run_until(210)
    assert played.stream.counters.underflow_chunks == 0
    assert link.pcm == music.frames.tobytes()


def test_what_is_kept_is_what_is_sent():
    music, link = Music(150.5), Listener()
    music.delivered = 50 * CHUNK_FRAMES
    played = Played(music, link)
    played.run_until(60)
    music.delivered = len(music.frames)
    played.run_until(200)
    assert np.concatenate(played.kept).tobytes() == link.pcm


def test_a_box_that_stood_still_for_seconds_goes_on_where_the_time_is():
    music, link = Music(1000), Listener()
    played = Played(music, link)
    played.run_until(100)
    played.now_us += 2_500_000
    played.run_until(1000)
    output = played.outputs[0]
    assert output.sent_chunks + output.skipped_chunks == 1000
    assert 300 < output.skipped_chunks < 420
    assert played.stream.counters.tick_late_max_us >= 2_500_000 - TICK_US
    at = 900 * CHUNK_FRAMES
    assert link.sent[900] == music.frames[at : at + CHUNK_FRAMES].tobytes()


def test_a_device_that_has_not_opened_the_stream_yet_is_sent_nothing():
    link = Listener()
    played = Played(Music(100))
    played.links.append(link)
    output = played.stream.add(link, STEREO, played.now_us)
    played.run_until(20)
    assert not link.sent
    played.stream.ready(output, output.next_chunk, played.now_us)
    played.run_until(110)
    assert sorted(link.sent) == list(range(min(link.sent), 100))


def test_a_removed_device_is_sent_nothing_more():
    link = Listener()
    played = Played(Music(200), link)
    played.run_until(50)
    played.stream.remove(played.outputs[0])
    before = len(link.sent)
    played.run_until(100)
    assert len(link.sent) == before


@pytest.mark.parametrize("chunk", [0, 1, 2, 3, 187, 10_000_000])
def test_play_times_are_exact_and_find_their_chunk_again(chunk: int):
    stream = Stream(1, START_US, LEAD_MS, Music(0))
    assert stream.play_us(chunk) == START_US + chunk * 16000 // 3
    assert stream.chunk_at(stream.play_us(chunk) + 1) == chunk
    assert stream.chunk_at(stream.play_us(chunk) - 1) == chunk - 1


def test_what_is_held_does_not_grow_with_time():
    link = Listener()
    played = Played(Music(3000), link)
    played.run_until(100)
    held = [len(encoded.frames) for encoded in played.stream._encoded.values()]
    played.run_until(2900)
    later = [len(encoded.frames) for encoded in played.stream._encoded.values()]
    assert later[0] <= held[0] + ENCODE_BATCH
