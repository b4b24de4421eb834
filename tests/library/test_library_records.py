"""What a file's tags come to."""

from __future__ import annotations

from pathlib import Path

import mutagen.id3
import pytest

from storagebox.library import records
from storagebox.library.tags import Tags, read_tags
from tests.library.recordings import flac, wav


def album_id(path: str, **tags: object) -> str:
    return records.track(path, Tags(**tags), 0, 0).get("album_id", "")  # type: ignore[arg-type]


def test_tags_of_one_meaning_are_read_whatever_the_scheme_calls_them(tmp_path: Path):
    expected = Tags(
        title="A", artist="B; C", album="D", disc=1, track=3, duration_s=0.1, artists=("B", "C"),
        album_artist="E", composer="F", genres=("G", "H"), year=1999,
    )  # fmt: skip
    comments = {
        "title": "A", "artist": ["B", "C"], "album": "D", "discnumber": "1/2", "tracknumber": "03",
        "albumartist": "E", "composer": "F", "genre": ["G", "H", "G"], "date": "31.12.1999",
    }  # fmt: skip
    assert read_tags(flac(tmp_path / "a.flac", **comments)) == expected
    frames = [
        mutagen.id3.TIT2(3, ["A"]), mutagen.id3.TPE1(3, ["B", "C"]), mutagen.id3.TALB(3, ["D"]),
        mutagen.id3.TPOS(3, ["1/2"]), mutagen.id3.TRCK(3, ["3"]), mutagen.id3.TPE2(3, ["E"]),
        mutagen.id3.TCOM(3, ["F"]), mutagen.id3.TCON(3, ["G", "H"]),
        mutagen.id3.TDRC(3, ["1999-12-31"]),
    ]  # fmt: skip
    assert read_tags(wav(tmp_path / "a.wav", *frames)) == expected


def test_the_first_release_counts_not_the_reissue(tmp_path: Path):
    path = flac(tmp_path / "a.flac", date="2017", originaldate="1977-10-14")
    assert read_tags(path).year == 1977
    assert read_tags(flac(path, date="no year")).year == 0


def test_an_album_is_its_artists_or_what_lies_together():
    assert album_id("x/1.mp3", album="Hits", album_artist="Abba") == album_id(
        "y/2.mp3", album="hits ", album_artist="ABBA"
    )
    assert album_id("x/1.mp3", album="Hits", artist="A") == album_id(
        "x/2.mp3", album="Hits", artist="B"
    )
    assert album_id("x/1.mp3", album="Hits") != album_id("y/1.mp3", album="Hits")
    assert album_id("x/CD 1/1.mp3", album="Hits") == album_id("x/disc2/1.mp3", album="Hits")
    assert album_id("x/1.mp3") == ""


def test_an_album_of_many_artists_without_a_word_about_it_is_by_various_artists():
    tracks = [
        records.track(f"x/{n}.mp3", Tags(album="Hits", artist=a, artists=(a,)), 0, 0)
        for n, a in enumerate(("A", "B"))
    ]
    assert records.album(tracks)["artist"] == "Various artists"
    assert records.album(tracks[:1])["artist"] == "A"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("01 Heroes", "Heroes"),
        ("1-03. Heroes", "Heroes"),
        ("07_Heroes", "Heroes"),
        ("99 Luftballons", "Luftballons"),  # nobody could tell
        ("1999", "1999"),
        ("22", "22"),
        ("Heroes", "Heroes"),
    ],
)
def test_a_name_stands_in_for_the_title_without_its_number(name: str, title: str):
    assert records.track(f"x/{name}.mp3", Tags(), 0, 0)["title"] == title


def test_an_artist_is_written_as_most_tracks_write_it():
    names = ("ABBA", "Abba", "ABBA")
    tracks = [
        records.track(f"{n}.mp3", Tags(artist=name, artists=(name,)), 0, 0)
        for n, name in enumerate(names)
    ]
    (artist_id,) = {one for track in tracks for one in track["artist_ids"]}
    assert records.artist(artist_id, tracks)["name"] == "ABBA"
