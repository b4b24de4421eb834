"""The library follows the music folder: tags, changes, deletions, what can't be read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from storagebox.library import records, updating
from storagebox.library.updating import NoMusic, Stopped
from tests.library.recordings import bowie, flac
from tests.library.shelves import Library, library


@pytest.fixture(name="kept")
def _kept(tmp_path: Path) -> Iterator[Library]:
    """Mr Bowie's collection, read."""
    bowie(tmp_path / "music")
    with library(tmp_path) as made:
        assert made.update() == (6, 0, 0)
        yield made


@pytest.fixture(name="music")
def _music(tmp_path: Path) -> Path:
    return tmp_path / "music"


def test_what_one_remembers_of_artist_and_title_finds_the_track(kept: Library):
    assert kept.titles("bowi her")[0] == '"Heroes"'
    assert kept.titles("watermelon hancok") == ["Watermelon Man"]
    assert [album["title"] for album in kept.search("albums", "bowi her")] == ['"Heroes"']
    assert [artist["name"] for artist in kept.search("artists", "herb")] == ["Herbie Hancock"]


def test_albums_and_artists_say_what_their_tracks_have_in_common(kept: Library):
    (heroes,) = kept.search("albums", "heroes")
    assert heroes | {"objectID": "", "artist_ids": []} == {
        "objectID": "",
        "title": '"Heroes"',
        "artist": "David Bowie",
        "artist_ids": [],
        "genre": ["Rock"],
        "year": 1977,
        "tracks": 3,
        "duration_s": 0.3,
    }
    (artist,) = kept.search("artists", "bowie")
    assert (artist["albums"], artist["tracks"]) == (2, 4)
    tracks = kept.search("tracks", filters=f"album_id:{heroes['objectID']}")
    assert [track["track"] for track in tracks] == [1, 2, 3]


def test_a_file_without_tags_is_found_by_its_name_and_its_folder(kept: Library):
    (track,) = kept.search("tracks", "bowling her")
    assert track["title"] == "Her"
    assert "album_id" not in track


def test_only_what_has_changed_is_read_again(kept: Library, music: Path, monkeypatch):
    read: list[str] = []
    real = updating.read_tags
    monkeypatch.setattr(
        updating, "read_tags", lambda path: (read.append(path.name), real(path))[1]
    )
    assert kept.update() == (0, 0, 0)
    flac(music / "David Bowie" / "Low" / "01.flac", title="Speed of Death", artist="David Bowie")
    flac(music / "David Bowie" / "Low" / "02.flac", title="Breaking Glass", artist="David Bowie")
    assert kept.update() == (1, 1, 0)
    assert read == ["01.flac", "02.flac"]
    assert kept.titles("speed") == ["Speed of Death"]


def test_a_change_that_keeps_the_size_is_seen_by_its_time(kept: Library, music: Path):
    path = music / "David Bowie" / "Low" / "01.flac"
    text = path.read_bytes().replace(b"Speed of Life", b"Speed of Lice")
    path.write_bytes(text)
    os.utime(path, ns=(0, 1_000_000_000))
    assert kept.update() == (0, 1, 0)
    assert kept.titles("lice") == ["Speed of Lice"]


def test_that_files_have_come_or_gone_shows_without_looking_at_each(kept: Library, music: Path):
    assert not kept.updating.stirred()
    path = flac(music / "David Bowie" / "Low" / "02.flac", title="Breaking Glass")
    assert kept.updating.stirred()
    assert kept.update() == (1, 0, 0)
    assert not kept.updating.stirred()
    path.unlink()
    assert kept.updating.stirred()
    assert kept.update() == (0, 0, 1)
    shutil.rmtree(music / "Bowling")
    assert kept.updating.stirred()
    music.rename(music.with_name("away"))
    assert kept.updating.stirred()


def test_what_is_deleted_disappears_and_its_album_and_artist_with_the_last_track(
    kept: Library, music: Path
):
    heroes = music / "David Bowie" / "Heroes"
    (heroes / "01 Beauty and the Beast.flac").unlink()
    assert kept.update() == (0, 0, 1)
    assert [album["tracks"] for album in kept.search("albums", "heroes")] == [2]
    shutil.rmtree(heroes)
    shutil.rmtree(music / "Herbie Hancock")
    assert kept.update() == (0, 0, 3)
    assert kept.search("albums", "heroes") == []
    assert kept.titles("heroes") == []
    assert [artist["name"] for artist in kept.search("artists")] == ["David Bowie"]
    assert kept.search("artists")[0]["tracks"] == 1


def test_a_track_that_moves_to_another_album_leaves_the_first(kept: Library, music: Path):
    flac(
        music / "David Bowie" / "Low" / "01.flac",
        title="Speed of Life", album="Stage", artist="David Bowie", tracknumber=1,
    )  # fmt: skip
    assert kept.update() == (0, 1, 0)
    assert {album["title"] for album in kept.search("albums")} == {
        '"Heroes"', "Stage", "Head Hunters",
    }  # fmt: skip


def test_after_a_restart_nothing_is_read_that_is_known(kept: Library, tmp_path: Path, monkeypatch):
    kept.application.close()
    monkeypatch.setattr(updating, "read_tags", lambda path: pytest.fail(f"read {path}"))
    with library(tmp_path) as again:
        assert again.update() == (0, 0, 0)
        assert again.titles("bowi her")[0] == '"Heroes"'


def test_another_version_reads_all_again(kept: Library, tmp_path: Path, monkeypatch):
    kept.application.close()
    newer = {**records.SETTINGS["tracks"], "userData": {"version": records.VERSION + 1}}
    monkeypatch.setitem(records.SETTINGS, "tracks", newer)
    with library(tmp_path) as again:
        assert again.titles() == []
        assert again.update() == (6, 0, 0)


def test_a_folder_that_is_not_there_or_suddenly_empty_is_not_taken_for_deleted(
    kept: Library, music: Path
):
    away = music.rename(music.with_name("away"))
    with pytest.raises(NoMusic, match="no such file"):
        kept.update()
    music.mkdir()
    with pytest.raises(NoMusic, match="is its disk mounted"):
        kept.update()
    assert kept.titles("bowi her")
    music.rmdir()
    away.rename(music)
    assert kept.update() == (0, 0, 0)


def test_a_folder_that_may_not_be_read_keeps_its_tracks(kept: Library, music: Path, monkeypatch):
    real = updating.contents

    def refusing(folder: Path, seen: set[tuple[int, int]]) -> object:
        if folder.name == "Low":
            raise PermissionError(13, "Permission denied")
        return real(folder, seen)

    monkeypatch.setattr(updating, "contents", refusing)
    (music / "Bowling" / "07 Her.flac").unlink()
    outcome = kept.updating.update()
    assert outcome.unreadable == ["David Bowie/Low"]
    assert outcome.gone == 1
    assert kept.titles("speed") == ["Speed of Life"]


def test_links_that_lead_back_end_and_what_is_no_music_is_left_out(kept: Library, music: Path):
    (music / "again").symlink_to(music)
    (music / "cover.jpg").write_bytes(b"x")
    (music / "odd.xyz").write_bytes(b"x")
    (music / ".hidden.flac").write_bytes(b"x")
    assert kept.update() == (0, 0, 0)
    (music / "damaged.mp3").write_bytes(b"x")
    assert kept.update() == (1, 0, 0)


def test_names_that_are_not_unicode_can_be_found_and_played(kept: Library, music: Path):
    name = os.fsdecode(b"Fran\xe7oise.flac")
    flac(music / "plain.flac").rename(music / name)
    assert kept.update() == (1, 0, 0)
    (track,) = kept.search("tracks", "oise", queryType="prefixAll") or kept.search(
        "tracks", "fran"
    )
    assert (music / records.path_of(track["uri"])).exists()


def test_many_files_go_on_the_shelf_in_batches_and_albums_across_them_are_whole(
    tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(updating, "BATCH", 2)
    bowie(tmp_path / "music")
    with library(tmp_path) as made:
        assert made.update() == (6, 0, 0)
        assert {a["title"]: a["tracks"] for a in made.search("albums")} == {
            '"Heroes"': 3, "Low": 1, "Head Hunters": 1,
        }  # fmt: skip
        assert {a["name"]: a["tracks"] for a in made.search("artists")} == {
            "David Bowie": 4, "Herbie Hancock": 1,
        }  # fmt: skip
        shutil.rmtree(tmp_path / "music" / "David Bowie")
        assert made.update() == (0, 0, 4)
        assert [a["title"] for a in made.search("albums")] == ["Head Hunters"]


def test_it_stops_amid_a_pass_and_goes_on_from_there(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(updating, "BATCH", 2)
    bowie(tmp_path / "music")
    with library(tmp_path) as made:
        made.updating._stopped = lambda: len(made.titles()) >= 2
        with pytest.raises(Stopped):
            made.update()
        assert len(made.titles()) == 2
        made.updating._stopped = lambda: False
        assert made.update() == (4, 0, 0)
