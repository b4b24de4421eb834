"""Files that cannot be played, or not to their end: named with a reason, and the music goes on."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from storagebox.sources.events import Skipped, Track, Truncated
from tests.sources.recordings import listen, recording
from tools.album import encoding as kinds
from tools.album.encoding import encode

GOOD_FRAMES = 9600


@pytest.fixture(name="album")
def _album(tmp_path) -> Path:
    """A folder with a good file before and one after whatever a test puts between."""
    for name in ("a.flac", "z.flac"):
        encode(tmp_path / name, recording(48000, GOOD_FRAMES), 48000, kinds.FLAC_16)
    return tmp_path


def skipped_between(album: Path, name: str) -> str:
    """Plays the album; the reason why the file between was skipped, which must not disturb."""
    got, events = listen(album)
    good = recording(48000, GOOD_FRAMES)
    assert np.array_equal(got, np.concatenate([kinds.quantise(good, kinds.WAV_16)] * 2))
    kinds_of_events = [type(event) for _, event in events]
    assert kinds_of_events == [Track, Skipped, Track]
    skipped = events[1][1]
    assert skipped.path == str(album / name)
    return skipped.reason


def random_bytes(count: int) -> bytes:
    return np.random.default_rng(5).bytes(count)


def one_hertz_wav() -> bytes:
    data = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 2, 1, 4, 4, 16)
    data += struct.pack("<4sI", b"data", 40_000) + bytes(40_000)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(data), b"WAVE") + data


NOT_AUDIO = "not an audio file, or damaged at its very beginning"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("m.mp3", b"", "the file is empty"),
        ("m.mp3", b"Dear diary,\n" * 1000, NOT_AUDIO),
        ("m.wav", random_bytes(100_000), NOT_AUDIO),
        ("m.flac", random_bytes(100_000), "damaged, or in a format that nothing here decodes"),
        ("m.flac", b"fLaC", None),
        ("m.flac", b"fLaC\0\0\0\x22" + bytes(34), None),
        ("m.mp3", b"ID3\x04\0\0\0\0\x0f\x7f" + bytes(100), None),
        ("m.m4a", b"\0\0\0\x20ftypM4A " + bytes(20), None),
        ("m.ogg", b"OggS" + bytes(200), None),
        ("m.mp3", b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/x.mp3\n#EXT-X-ENDLIST\n", NOT_AUDIO),
        ("m.wav", one_hertz_wav(), "damaged: it claims 1 samples a second"),
    ],
)
def test_what_is_no_music_is_skipped_and_the_music_goes_on(album, name, content, reason):
    (album / name).write_bytes(content)
    said = skipped_between(album, name)
    assert said == reason if reason else 0 < len(said) < 80


def test_a_picture_called_flac_is_skipped(album):
    matplotlib = pytest.importorskip("matplotlib.image")
    matplotlib.imsave(album / "m.png", np.zeros((8, 8)))
    (album / "m.png").rename(album / "m.flac")
    assert skipped_between(album, "m.flac") == "no sound in it, only pictures"


def test_a_flac_cut_in_its_header_is_skipped(album):
    data = (album / "a.flac").read_bytes()
    (album / "m.flac").write_bytes(data[:60])
    assert len(skipped_between(album, "m.flac")) < 80


def test_a_file_that_vanishes_before_its_turn_is_skipped(album):
    gone = album / "m.flac"
    gone.write_bytes((album / "a.flac").read_bytes())
    items = iter([str(album / "a.flac"), str(gone), str(album / "z.flac")])

    def vanishing():
        for item in items:
            if item == str(gone):
                gone.unlink()
            yield item

    from storagebox.sources.library import LibrarySource

    said = [each for each in LibrarySource().render(vanishing()) if isinstance(each, Skipped)]
    assert said == [Skipped(str(gone), "it is not there any more")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_skipped(album):
    (album / "m.flac").write_bytes(b"x")
    (album / "m.flac").chmod(0)
    assert skipped_between(album, "m.flac") == "not readable: permission denied"


@pytest.mark.parametrize(
    ("name", "rate", "encoding"),
    [
        ("m.flac", 48000, kinds.FLAC_16),
        ("m.flac", 96000, kinds.FLAC_24),
        ("m.mp3", 44100, kinds.MP3),
        ("m.wav", 48000, kinds.WAV_16),
        ("m.wav", 44100, kinds.WAV_24),
        ("m.opus", 48000, kinds.OPUS),
    ],
)
def test_what_is_there_of_a_truncated_file_plays_and_is_reported(album, name, rate, encoding):
    sound = recording(rate, 2 * rate)
    encode(album / name, sound, rate, encoding)
    whole, _ = listen(album / name)
    data = (album / name).read_bytes()
    (album / name).write_bytes(data[: len(data) // 2])
    got, events = listen(album)
    assert [type(event) for _, event in events] == [Track, Track, Truncated, Track]
    ended_at, truncated = events[2]
    assert truncated.path == str(album / name)
    assert truncated.reason.startswith("breaks off")
    played = ended_at - GOOD_FRAMES
    assert 0.7 * 48000 < played < 1.3 * 48000
    # All but the last packet's worth is what the whole file gives.
    sure = played - 9600
    assert np.array_equal(got[GOOD_FRAMES : GOOD_FRAMES + sure], whole[:sure])


@pytest.mark.parametrize(("name", "encoding"), [("m.flac", kinds.FLAC_16), ("m.mp3", kinds.MP3)])
def test_a_file_damaged_in_the_middle_plays_around_the_damage(album, name, encoding):
    encode(album / name, recording(48000, 96_000), 48000, encoding)
    data = bytearray((album / name).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 6000] = random_bytes(6000)
    (album / name).write_bytes(data)
    got, events = listen(album)
    assert [type(event) for _, event in events] == [Track, Track, Truncated, Track]
    assert "damaged" in events[2][1].reason or "breaks off" in events[2][1].reason
    assert 96_000 * 0.7 < len(got) - 2 * GOOD_FRAMES < 96_000


def test_whole_files_are_not_called_truncated(tmp_path):
    for name, rate, encoding in (
        ("a.mp3", 44100, kinds.MP3),
        ("b.opus", 48000, kinds.OPUS),
        ("c.wav", 44100, kinds.WAV_16),
        ("d.flac", 44100, kinds.FLAC_16),
    ):
        encode(tmp_path / name, recording(rate, rate), rate, encoding)
    _, events = listen(tmp_path)
    assert [type(event) for _, event in events] == [Track] * 4


def test_random_damage_anywhere_never_stops_the_music(tmp_path):
    """A hundred damaged files in a row; the good one at the end must sound."""
    random = np.random.default_rng(11)
    originals = []
    for name, rate, encoding in (
        ("a.mp3", 44100, kinds.MP3),
        ("b.opus", 48000, kinds.OPUS),
        ("c.wav", 44100, kinds.WAV_16),
        ("d.flac", 96000, kinds.FLAC_24),
    ):
        encode(tmp_path / name, recording(rate, rate // 4), rate, encoding)
        originals.append((name, (tmp_path / name).read_bytes()))
        (tmp_path / name).unlink()
    for number in range(100):
        name, original = originals[number % len(originals)]
        data = bytearray(original)
        for _ in range(int(random.integers(1, 8))):
            at = int(random.integers(0, len(data)) ** (1 if number % 2 else 0.5))
            data[at : at + 4] = random.bytes(int(random.integers(0, 9)))
        (tmp_path / f"{number:03} {name}").write_bytes(data)
    encode(tmp_path / "zz.flac", recording(48000, GOOD_FRAMES), 48000, kinds.FLAC_16)
    got, events = listen(tmp_path)
    good = kinds.quantise(recording(48000, GOOD_FRAMES), kinds.WAV_16)
    assert np.array_equal(got[-GOOD_FRAMES:], good)
    told = {Path(event.path).name for _, event in events}
    assert len(told) == 101
