"""Tables built anew beside searches and writes, and kept in a file, hold what the records say."""

from pathlib import Path
from typing import Any

import pytest

from storagebox.search.engine import checkpoint
from storagebox.search.engine.changes import Change, Clear, Delete, Meta, Put
from storagebox.search.engine.layout import Layout
from storagebox.search.engine.tables import Tables
from storagebox.search.language.settings import Settings

SETTINGS = {
    "searchableAttributes": ["title", "artist"],
    "attributesForFaceting": ["artist", "tags"],
    "customRanking": ["desc(plays)", "asc(title)"],
    "attributeForDistinct": "artist",
}


def record(number: int) -> dict[str, Any]:
    return {
        "title": f"Song number{number} {'abcdefgh'[number % 8] * 3}",
        "artist": f"Artist {number % 37}",
        "tags": [f"t{number % 3}", f"u{number % 5}"],
        "plays": number % 11,
        "year": 1950 + number % 70,
        "_geoloc": {"lat": number % 90, "lng": number % 180},
    }


def puts(first: int, end: int) -> list[Change]:
    return [Put(f"r{number}", record(number)) for number in range(first, end)]


def state(bench: Any) -> object:
    """What a few searches of all kinds answer."""
    asked: list[dict[str, Any]] = [
        {"query": "song aaa", "facets": ["*"], "hitsPerPage": 7},
        {"query": "numbr1234", "getRankingInfo": False},
        {"query": "artist 3", "filters": "year < 1960 AND tags:t1", "hitsPerPage": 30},
        {"query": "", "distinct": 1, "hitsPerPage": 40, "facets": ["tags"]},
        {"aroundLatLng": "10,10", "aroundRadius": 400_000},
    ]
    answers: list[object] = []
    for params in asked:
        answer = bench.answer(**params)
        answers.append((answer.nb_hits, answer.facets, [hit.object_id for hit in answer.hits]))
    return answers


@pytest.fixture
def songs(empty: Any) -> Any:
    """5000 records, of which the last came one batch after the other."""
    empty.index.apply([Meta("settings", SETTINGS), *puts(0, 4500)], 1)
    empty.index.settle()
    for at in range(4500, 5000, 100):
        empty.index.apply(puts(at, at + 100), 2 + at)
    return empty


def test_a_base_built_beside_writes_holds_what_came_and_went_meanwhile() -> None:
    tables = Tables(Layout(Settings.from_json(SETTINGS)))

    def rows(first: int, end: int) -> list[Any]:
        return [(n, f"r{n}", tables.layout.row(record(n))) for n in range(first, end)]

    tables.append(rows(0, 50))
    tables.build()
    tables.append(rows(50, 60))
    tables.bury(["r3", "r55"])
    building = tables.begin_building()
    tables.append(rows(60, 70))
    tables.bury(["r4", "r56", "r66"])
    tables.append([(70, "r4", tables.layout.row(record(4)))])
    tables.end_building(building())
    snapshot = tables.snapshot(None)  # type: ignore[arg-type]
    numbers = snapshot.numbers(snapshot.all_rows).tolist()
    assert sorted(numbers) == [n for n in range(71) if n not in (3, 4, 55, 56, 66)]
    assert snapshot.numbers(snapshot.rows_of(["r4", "r5", "r60", "r66"])).tolist() == [5, 60, 70]


def test_what_is_opened_from_the_file_answers_as_before(songs: Any) -> None:
    before = state(songs)
    assert (songs.folder / "tables.bin").exists()
    songs.reopen()
    assert state(songs) == before
    (songs.folder / "tables.bin").unlink()
    songs.reopen()
    assert state(songs) == before


def test_changes_since_the_file_was_written_are_taken_in(songs: Any) -> None:
    gone = [Delete(f"r{number}") for number in (0, 4499, 4700, 77)]
    songs.index.apply([*gone, *puts(4999, 5100), Put("r12", record(9999))], 10_000)
    before = state(songs)
    assert len(songs.index) == 5096
    songs.reopen()
    assert state(songs) == before
    songs.index.apply([Clear(), *puts(10, 20)], 10_001)
    songs.reopen()
    assert len(songs.index) == 10


def test_a_file_that_is_no_good_is_made_anew(songs: Any) -> None:
    before = state(songs)
    whole = (songs.folder / "tables.bin").read_bytes()
    for damaged in (b"", b"phntab", b"x" * 10_000, whole[: len(whole) // 2]):
        songs.index.close()
        (songs.folder / "tables.bin").write_bytes(damaged)
        songs.index = type(songs.index).open(songs.folder)
        assert state(songs) == before


def test_a_file_of_another_index_is_not_taken_for_its_own(songs: Any, tmp_path: Path) -> None:
    songs.index.close()
    stolen = (songs.folder / "tables.bin").read_bytes()
    for each in songs.folder.iterdir():
        each.unlink()
    songs.index = type(songs.index).open(songs.folder)
    songs.index.apply([Meta("settings", SETTINGS), *puts(0, 5000)], 1)
    songs.index.apply([Put("r1", {"title": "something else"})], 2)
    songs.index.settle()
    (songs.folder / "tables.bin").write_bytes(stolen)
    songs.reopen()
    assert songs.ids("something else") == ["r1"]
    assert len(songs.index) == 5000


def test_searches_see_a_record_in_every_state_of_building(songs: Any) -> None:
    for at in range(5000, 7000, 500):
        songs.index.apply(puts(at, at + 500), 20_000 + at)
        assert len(songs.index) == at + 500
        assert songs.ids(f"number{at + 499}", typoTolerance=False) == [f"r{at + 499}"]
    songs.index.settle()
    assert songs.answer("song").nb_hits == 7000


def test_strings_sort_among_what_is_built_and_what_came_since(filled: Any) -> None:
    bench = filled(
        {f"n{n:04}": {"text": "x", "name": f"{n:04}"} for n in range(0, 4000, 2)},
        customRanking=["asc(name)"],
    )
    bench.index.settle()
    late = [Put(f"n{n:04}", {"text": "x", "name": f"{n:04}"}) for n in (1001, 3, 1, 2001)]
    bench.index.apply(late, 2)
    assert bench.ids("x", hitsPerPage=6) == ["n0000", "n0001", "n0002", "n0003", "n0004", "n0006"]


def test_a_search_out_of_time_says_that_it_is_approximate(songs: Any) -> None:
    query = songs.query("numbr12 son")
    answer = songs.index.search(query, budget_ms=0)
    body = answer.to_json(query)
    assert body["exhaustive"]["typo"] is body["exhaustive"]["nbHits"] is False
    assert body["exhaustiveTypo"] is body["exhaustiveNbHits"] is False
    query = songs.query("song number12")
    assert songs.index.search(query, budget_ms=60_000).to_json(query)["exhaustive"]["nbHits"]


def test_a_checkpoint_is_whole_or_none(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path) is None


def test_what_records_take_and_how_long_tables_took_is_known_after_opening_too(
    empty: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storagebox.search.engine.index._WORTH_SAVING", 100)
    empty.index.apply(puts(0, 2000), 1)
    empty.index.settle()
    empty.index.apply(puts(1990, 2010), 2)
    size = sum(map(len, empty.index.records()))
    took_s = empty.index.build_s
    assert empty.index.data_bytes() == size > 0
    assert took_s > 0
    empty.reopen()
    assert empty.index.data_bytes() == size
    assert empty.index.build_s > 0
