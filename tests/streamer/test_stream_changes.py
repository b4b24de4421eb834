"""Changes in mid-song: of pick, of codec, of lead. No chunk is lost, and no play time moves."""

from phantom.wire import CHUNK_FRAMES, audio
from storagebox.streamer.formats import Variant
from storagebox.streamer.stream import CHANGE_US, TICK_US
from tests.streamer.playing import CHUNK_US, START_US, STEREO, Listener, Music, Played

MONO_ADPCM = Variant(audio.MONO, audio.IMA_ADPCM)
LEFT = Variant(audio.LEFT, audio.PCM16)


def test_a_change_takes_effect_at_once_for_all_that_can_still_be_exchanged():
    music, link, other = Music(500), Listener(), Listener()
    played = Played(music, link, other)
    played.run_until(200)
    played.stream.change(played.outputs[0], LEFT, played.now_us)
    (first,) = link.marks
    ahead_us = played.stream.play_us(first) - played.now_us
    assert CHANGE_US < ahead_us <= CHANGE_US + CHUNK_US
    played.run_until(300)
    played.stream.change(played.outputs[0], STEREO, played.now_us)
    again = link.marks[1]
    played.run_until(510)
    assert sorted(link.sent) == list(range(500))
    stereo = music.frames
    at, end = first * CHUNK_FRAMES, again * CHUNK_FRAMES
    assert link.pcm == stereo[:at].tobytes() + stereo[at:end, 0].tobytes() + stereo[end:].tobytes()
    assert played.outputs[0].sent_chunks == 500
    assert played.outputs[0].skipped_chunks == 0
    assert other.pcm == stereo.tobytes()
    assert not other.marks


def test_another_codec_keeps_every_number():
    music, link = Music(400), Listener()
    played = Played(music, link)
    played.run_until(150)
    played.stream.change(played.outputs[0], MONO_ADPCM, played.now_us)
    played.run_until(410)
    assert sorted(link.sent) == list(range(400))
    codecs = [link.forms[number][0] for number in range(400)]
    assert codecs == sorted(codecs)
    assert codecs[-1] == audio.IMA_ADPCM


def test_a_full_device_can_be_told_of_a_change():
    music = Music(500)
    link = Listener(window=200 * STEREO.payload_bytes + audio.HEADER_BYTES + 5)
    played = Played(music, link)
    played.run_until(130)
    assert link.window == audio.HEADER_BYTES + 5
    played.stream.change(played.outputs[0], LEFT, played.now_us)
    assert len(link.marks) == 1
    played.run_until(180)
    assert sorted(link.sent)[-1] > 220
    assert link.forms[max(link.sent)] == (audio.PCM16, 1)


def test_a_change_waits_for_a_link_that_takes_nothing():
    music, link = Music(500), Listener()
    played = Played(music, link)
    played.run_until(100)
    room, link.window = link.window, 0
    played.stream.change(played.outputs[0], LEFT, played.now_us)
    played.run_until(120)
    assert not link.marks
    link.window = room
    played.run_until(510)
    assert len(link.marks) == 1
    assert played.stream.play_us(link.marks[0]) > START_US + 120 * CHUNK_US + CHANGE_US
    assert sorted(link.sent) == list(range(500))


def test_what_waits_in_the_link_is_not_sent_in_the_old_form():
    music, link = Music(500), Listener()
    played = Played(music, link)
    played.run_until(1)
    link.waiting = len(link.sent) - 10  # nothing later than 50 ms has left yet
    played.stream.change(played.outputs[0], LEFT, played.now_us)
    played.run_until(510)
    assert sorted(link.sent) == list(range(500))
    assert [link.forms[number][1] for number in range(12)] == [2] * 10 + [1] * 2
    assert played.outputs[0].sent_chunks == 500


def test_a_change_before_the_device_is_ready_is_only_another_beginning():
    link = Listener()
    played = Played(Music(100))
    played.links.append(link)
    output = played.stream.add(link, STEREO, played.now_us)
    played.stream.change(output, LEFT, played.now_us)
    assert not link.marks
    played.stream.ready(output, 0, played.now_us)
    played.run_until(110)
    assert {link.forms[number] for number in link.sent} == {(audio.PCM16, 1)}


def test_a_longer_lead_sends_further_ahead_at_once_and_moves_no_play_time():
    music, link = Music(2000), Listener()
    played = Played(music, link)
    played.run_until(50)
    start = played.stream.play_us(0)
    played.stream.set_lead(4000)
    played.pump()
    assert played.stream.play_us(0) == start
    assert played.stream.play_us(max(link.sent)) - played.now_us > 3_900_000
    played.stream.set_lead(100)
    before = max(link.sent)
    played.run_until(60)
    assert max(link.sent) == before
    played.now_us += TICK_US
    played.run_until(2010)
    assert sorted(link.sent) == list(range(2000))
    assert link.pcm == music.frames.tobytes()
