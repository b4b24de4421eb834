"""Formats, rates and layouts; gapless joints; what is said about tracks."""

import av
import mutagen.flac
import numpy as np
import pytest
import soxr

from storagebox.sources.decode import downmix
from storagebox.sources.events import Track
from tests.sources.recordings import listen, noise_db, recording
from tools.album import encoding as kinds
from tools.album.encoding import Encoding, encode, quantise

AAC = Encoding("aac", "fltp", bit_rate=192_000)
ALAC = Encoding("alac", "s16p", 16)
WAVPACK = Encoding("wavpack", "s16p", 16)
AIFF = Encoding("pcm_s16be", "s16", 16)


@pytest.mark.parametrize(
    ("extension", "encoding"),
    [
        ("flac", kinds.FLAC_16),
        ("wav", kinds.WAV_16),
        ("m4a", ALAC),
        ("wv", WAVPACK),
        ("aiff", AIFF),
    ],
)
def test_sixteen_bits_at_48_khz_pass_bit_for_bit(tmp_path, extension, encoding):
    sound = recording(48000, 30_123)
    encode(tmp_path / f"a.{extension}", sound, 48000, encoding)
    got, _ = listen(tmp_path)
    assert np.array_equal(got, quantise(sound, kinds.WAV_16))


@pytest.mark.parametrize(
    ("extension", "rate", "encoding", "at_least_db"),
    [
        ("flac", 96000, kinds.FLAC_24, 70),
        ("flac", 192000, kinds.FLAC_24, 70),
        ("flac", 44100, kinds.FLAC_16, 68),
        ("wav", 44100, kinds.WAV_24, 70),
        ("wav", 48000, kinds.WAV_FLOAT, 70),
        ("wav", 22050, kinds.WAV_8, 28),
        ("mp3", 44100, kinds.MP3, 20),
        ("mp3", 48000, kinds.MP3, 20),
        ("opus", 48000, kinds.OPUS, 15),
    ],
)
def test_every_format_gives_its_own_sound_frame_for_frame(
    tmp_path, extension, rate, encoding, at_least_db
):
    frames = rate + 123
    sound = recording(rate, frames)
    encode(tmp_path / f"a.{extension}", sound, rate, encoding)
    got, events = listen(tmp_path)
    want = soxr.resample(sound * 32768, rate, 48000, "VHQ")
    assert len(got) == (2 * frames * 48000 + rate) // (2 * rate)
    assert noise_db(got, want[: len(got)]) > at_least_db
    assert [type(event) for _, event in events] == [Track]


def test_aac_starts_and_ends_with_the_recording(tmp_path):
    sound = recording(48000, 48_123)
    encode(tmp_path / "a.m4a", sound, 48000, AAC)
    got, _ = listen(tmp_path)
    assert len(got) == len(sound)
    assert noise_db(got, sound * 32768) > 20


def test_ogg_vorbis_plays(tmp_path):
    """By FFmpeg's own encoder, which spoils the difference between the channels: left only."""
    sound = recording(44100, 44_100)
    with av.open(str(tmp_path / "a.ogg"), "w") as container:
        options = {"strict": "experimental"}
        stream = container.add_stream("vorbis", rate=44100, options=options)
        stream.codec_context.options = options
        for start in range(0, len(sound), 1024):
            samples = np.ascontiguousarray(sound[start : start + 1024].T, np.float32)
            frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
            frame.sample_rate = 44100
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    got, events = listen(tmp_path)
    want = soxr.resample(sound * 32768, 44100, 48000, "VHQ")
    assert abs(len(got) - len(want)) < 1200  # its encoder fills the last block
    assert np.corrcoef(got[: len(want), 0], want[:, 0])[0, 1] > 0.999
    assert [type(event) for _, event in events] == [Track]


def test_mono_sounds_on_both_sides(tmp_path):
    sound = recording(48000, 10_000, channels=1)
    encoding = Encoding("flac", "s16", 16, layout="mono")
    encode(tmp_path / "a.flac", sound, 48000, encoding)
    got, _ = listen(tmp_path)
    assert np.array_equal(got, np.repeat(quantise(sound, encoding), 2, axis=1))


def test_eight_bits_become_sixteen_exactly(tmp_path):
    sound = recording(48000, 10_000)
    encode(tmp_path / "a.wav", sound, 48000, kinds.WAV_8)
    got, _ = listen(tmp_path)
    eight = quantise(sound, kinds.WAV_8).astype(np.int16) - 128
    assert np.array_equal(got, eight * 256)


def test_twenty_four_bits_that_are_sixteen_stay_as_they_are(tmp_path):
    sixteen = np.rint(recording(48000, 10_000) * 32768) / 32768
    encode(tmp_path / "a.wav", sixteen, 48000, kinds.WAV_24)
    got, _ = listen(tmp_path)
    assert np.array_equal(got, (sixteen * 32768).astype(np.int16))


def test_five_point_one_is_mixed_by_the_book_and_cannot_clip(tmp_path):
    frames = 6000
    loudspeakers = np.zeros((6 * frames, 6))
    for channel in range(6):  # one after another, each at full scale
        loudspeakers[channel * frames : (channel + 1) * frames, channel] = 0.999
    encode(tmp_path / "a.flac", loudspeakers, 48000, Encoding("flac", "s16", 16, layout="5.1"))
    got, _ = listen(tmp_path)
    levels = got[frames // 2 :: frames] / 32768
    # Front left, front right, centre, LFE, left and right surround: ITU-R BS.775, scaled to 1.
    half_power = 0.5**0.5
    want = np.array([(1, 0), (0, 1), (half_power,) * 2, (0, 0), (half_power, 0), (0, half_power)])
    assert levels == pytest.approx(0.999 * want / (1 + 2 * half_power), abs=1e-4)


@pytest.mark.parametrize("layout", ["2.1", "quad", "5.0", "5.1(side)", "6.1", "7.1", "7.1.4"])
def test_no_layout_clips_or_leans_to_a_side(layout):
    matrix = downmix(av.AudioLayout(layout))
    assert matrix.sum(axis=0).max() <= 1 + 1e-9
    assert matrix[:, 0].sum() == pytest.approx(matrix[:, 1].sum())
    assert matrix[0].tolist() == [matrix[0, 0], 0]  # front left


def test_a_float_file_with_holes_and_spikes_stays_within_bounds(tmp_path):
    sound = recording(44100, 20_000)
    sound[5000:5010] = np.nan
    sound[6000] = np.inf
    sound[7000] = -1e30
    encode(tmp_path / "a.wav", sound, 44100, kinds.WAV_FLOAT)
    got, _ = listen(tmp_path)
    clean = soxr.resample(sound[80 * 147 :] * 32768, 44100, 48000, "VHQ")
    assert noise_db(got[-5000:], clean[-5000:]) > 60


@pytest.mark.parametrize(
    ("rate", "encoding"), [(48000, kinds.FLAC_16), (44100, kinds.FLAC_16), (96000, kinds.FLAC_24)]
)
def test_two_halves_of_a_recording_play_as_the_whole(tmp_path, rate, encoding):
    t = np.arange(rate)[:, None] / rate
    sine = 0.5 * np.sin(2 * np.pi * np.array([[441.7, 997.3]]) * t)
    cut = rate // 2 + 17
    encode(tmp_path / "1.flac", sine[:cut], rate, encoding)
    encode(tmp_path / "2.flac", sine[cut:], rate, encoding)
    encode(tmp_path / "whole.flac", sine, rate, encoding)
    got, events = listen(tmp_path / "1.flac", tmp_path / "2.flac")
    whole, _ = listen(tmp_path / "whole.flac")
    joint = (2 * cut * 48000 + rate) // (2 * rate)
    assert [frame for frame, _ in events] == [0, joint]
    assert np.array_equal(got[:joint], whole[:joint])
    # The dither of the second half begins anew with its file; nothing else may differ.
    steps = 0 if encoding is kinds.FLAC_16 and rate == 48000 else 3
    assert np.abs(got.astype(int) - whole).max() <= steps
    assert noise_db(got, 32768 * 0.5 * np.sin(
        2 * np.pi * np.array([[441.7, 997.3]]) * np.arange(48000)[:, None] / 48000
    )) > 80  # fmt: skip


def test_mp3s_join_without_the_silence_that_encoders_add(tmp_path):
    sound = recording(44100, 88_200)
    encode(tmp_path / "1.mp3", sound[:44_100], 44100, kinds.MP3)
    encode(tmp_path / "2.mp3", sound[44_100:], 44100, kinds.MP3)
    got, _ = listen(tmp_path)
    want = soxr.resample(sound * 32768, 44100, 48000, "VHQ")
    joint = slice(48000 - 2000, 48000 + 2000)
    assert len(got) == 96000
    assert noise_db(got[joint], want[joint]) > 15


def test_tracks_of_different_rates_follow_each_other_exactly(tmp_path):
    for name, rate in (("1", 48000), ("2", 44100), ("3", 96000), ("4", 96000), ("5", 44100)):
        encode(tmp_path / f"{name}.flac", recording(rate, rate // 2), rate, kinds.FLAC_16)
    got, events = listen(tmp_path)
    assert [frame for frame, _ in events] == [0, 24000, 48000, 72000, 96000]
    assert len(got) == 120_000


def test_tracks_shorter_than_the_resampler_s_memory_keep_their_order(tmp_path):
    for name in "123456":
        encode(tmp_path / f"{name}.flac", recording(44100, 147), 44100, kinds.FLAC_16)
    got, events = listen(tmp_path)
    assert [frame for frame, _ in events] == [0, 160, 320, 480, 640, 800]
    assert len(got) == 960


def test_the_same_files_give_the_same_frames_each_time(tmp_path):
    encode(tmp_path / "1.flac", recording(44100, 30_000), 44100, kinds.FLAC_16)
    encode(tmp_path / "2.flac", recording(96000, 30_000), 96000, kinds.FLAC_24)
    assert np.array_equal(listen(tmp_path)[0], listen(tmp_path)[0])


def test_a_track_is_announced_with_its_tags_and_length(tmp_path):
    encode(tmp_path / "x.flac", recording(44100, 44_100), 44100, kinds.FLAC_16)
    file = mutagen.flac.FLAC(tmp_path / "x.flac")
    file.update({"title": "Tïtle\n two", "artist": ["One", "Two"], "album": "Album"})
    file.save()
    _, events = listen(tmp_path)
    path = str(tmp_path / "x.flac")
    assert events == [(0, Track(path, "Tïtle two", "One; Two", "Album", 48000))]


def test_a_file_without_tags_is_called_by_its_name(tmp_path):
    encode(tmp_path / "My Song.wav", recording(48000, 4800), 48000, kinds.WAV_16)
    _, [(_, track)] = listen(tmp_path)
    assert track == Track(str(tmp_path / "My Song.wav"), "My Song", "", "", 4800)


def test_names_that_are_not_utf8_or_look_like_addresses_are_played(tmp_path):
    sound = recording(48000, 4800)
    encode(tmp_path / "a.flac", sound, 48000, kinds.FLAC_16)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").unlink()
    for name in (
        "caf\udce9.flac",
        "http:x.flac",
        "a%20b?c#d.flac",
        "50%d.flac",
        "line\nbreak.flac",
    ):
        (tmp_path / name).write_bytes(data)
    got, events = listen(tmp_path)
    assert [type(event) for _, event in events] == [Track] * 5
    assert len(got) == 5 * 4800
