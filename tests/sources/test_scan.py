"""Which files a person means by a folder, and in which order."""

import os
from pathlib import Path

import mutagen.flac
import numpy as np
import pytest

from storagebox.sources import scan
from storagebox.sources.events import Skipped
from storagebox.sources.source import SourceError
from tools.album.encoding import FLAC_16, encode


@pytest.fixture(name="flac", scope="module")
def _flac(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("flac") / "a.flac"
    encode(path, np.zeros((100, 2)), 48000, FLAC_16)
    return path.read_bytes()


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def names(folder: Path) -> list[str]:
    items = scan.expand([str(folder)])
    return [str(Path(item).relative_to(folder)) for item in items if isinstance(item, str)]


def test_files_play_in_the_order_in_which_a_person_would_count_them(tmp_path):
    touch(tmp_path, "10 Ten.mp3", "2 two.mp3", "Hidden.mp3", "1 One.mp3")
    touch(tmp_path, "Disc 10/a.mp3", "Disc 9/b.mp3")
    assert names(tmp_path) == [
        "1 One.mp3", "2 two.mp3", "10 Ten.mp3", "Hidden.mp3", "Disc 9/b.mp3", "Disc 10/a.mp3",
    ]  # fmt: skip


def test_tags_outrank_names(tmp_path, flac):
    tracks = {
        "a.flac": ("Later", "1", "1/2"),
        "b.flac": ("Earlier", "2/2", "1"),
        "c.flac": ("Earlier", "1/2", "10"),
        "d.flac": ("Earlier", "1/2", "9"),
    }
    for name, (album, disc, track) in tracks.items():
        (tmp_path / name).write_bytes(flac)
        file = mutagen.flac.FLAC(tmp_path / name)
        file.update({"album": album, "discnumber": disc, "tracknumber": track})
        file.save()
    assert names(tmp_path) == ["d.flac", "c.flac", "b.flac", "a.flac"]


def test_hidden_files_and_what_lies_beside_music_are_passed_over_in_silence(tmp_path):
    touch(tmp_path, ".hidden.mp3", "cover.JPG", "album.cue", ".git/x.mp3", "song.mp3", "odd.xyz")
    assert list(scan.expand([str(tmp_path)])) == [
        str(tmp_path / "odd.xyz"), str(tmp_path / "song.mp3"),
    ]  # fmt: skip


def test_symbolic_links_that_lead_back_are_followed_once(tmp_path):
    touch(tmp_path, "a/1.mp3", "b/2.mp3")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    found = names(tmp_path)
    assert sorted(Path(name).name for name in found) == ["1.mp3", "2.mp3"]


def test_files_and_folders_are_played_as_asked_for(tmp_path):
    touch(tmp_path, "b/2.mp3", "b/1.mp3", "a.mp3", "cover.jpg")
    asked = [str(tmp_path / name) for name in ("b", "a.mp3", "cover.jpg")]
    assert list(scan.expand(asked)) == [
        str(tmp_path / name) for name in ("b/1.mp3", "b/2.mp3", "a.mp3", "cover.jpg")
    ]


def test_a_folder_called_like_a_file_is_a_folder(tmp_path):
    touch(tmp_path, "x.flac/1.mp3")
    assert names(tmp_path) == ["x.flac/1.mp3"]


def test_pipes_and_sockets_are_passed_over(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp3")
    touch(tmp_path, "song.mp3")
    assert names(tmp_path) == ["song.mp3"]


def test_what_is_missing_is_named_and_the_rest_plays(tmp_path):
    touch(tmp_path, "a.mp3")
    asked = [str(tmp_path / "gone.mp3"), str(tmp_path / "a.mp3")]
    assert list(scan.expand(asked)) == [
        Skipped(asked[0], "no such file or folder"),
        asked[1],
    ]


def test_nothing_to_play_is_one_clear_line(tmp_path):
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "covers/front.jpg")
    cases = {
        "gone": "no such file or folder",
        "empty": "no audio files in this folder",
        "covers": "no audio files in this folder",
    }
    for name, reason in cases.items():
        path = str(tmp_path / name)
        with pytest.raises(SourceError) as error:
            scan.check([path])
        assert str(error.value) == f"nothing to play: {path}: {reason}"
    with pytest.raises(SourceError, match="name a file or a folder"):
        scan.check([])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path):
    touch(tmp_path, "closed/1.mp3", "open/2.mp3")
    (tmp_path / "closed").chmod(0)
    try:
        items = list(scan.expand([str(tmp_path)]))
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert items == [
        Skipped(str(tmp_path / "closed"), "not readable: permission denied"),
        str(tmp_path / "open" / "2.mp3"),
    ]
