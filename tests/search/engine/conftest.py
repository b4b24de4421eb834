from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from storagebox.search.engine.answer import Answer
from storagebox.search.engine.changes import Meta, Put
from storagebox.search.engine.index import Index
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings

MUSIC = (
    {
        "objectID": "heroes",
        "title": '"Heroes"',
        "artist": "David Bowie",
        "album": '"Heroes"',
        "year": 1977,
        "plays": 100,
    },
    {
        "objectID": "villains",
        "title": "Heroes and Villains",
        "artist": "The Beach Boys",
        "album": "Smiley Smile",
        "year": 1967,
        "plays": 50,
    },
    {
        "objectID": "ashes",
        "title": "Ashes to Ashes",
        "artist": "David Bowie",
        "album": "Scary Monsters",
        "year": 1980,
        "plays": 70,
    },
    {
        "objectID": "sun",
        "title": "Here Comes the Sun",
        "artist": "The Beatles",
        "album": "Abbey Road",
        "year": 1969,
        "plays": 500,
    },
    {
        "objectID": "spider",
        "title": "Spiderman",
        "artist": "Ramones",
        "album": "Greatest Hits",
        "year": 1995,
        "plays": 5,
    },
)
MUSIC_SETTINGS = {
    "searchableAttributes": ["title", "artist", "album"],
    "attributesForFaceting": ["artist"],
    "customRanking": ["desc(plays)"],
}


class Bench:
    """An index and short ways to ask it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = Index.open(folder)

    def fill(self, records: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> None:
        changes = [Put(str(each["objectID"]), each) for each in records]
        self.index.apply([Meta("settings", settings), *changes], self.index.applied + 1)

    def answer(self, query: str = "", **params: Any) -> Answer:
        return self.index.search(self.query(query, **params))

    def query(self, query: str = "", **params: Any) -> Query:
        given = self.index.meta("settings") or {}
        assert isinstance(given, dict)
        return Query.parse({"query": query, **params}, Settings.from_json(given))

    def ids(self, query: str = "", **params: Any) -> list[str]:
        return [hit.object_id for hit in self.answer(query, **params).hits]

    def reopen(self) -> None:
        self.index.close()
        self.index = Index.open(self.folder)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Bench]:
    """An index without records."""
    bench = Bench(tmp_path / "index")
    yield bench
    bench.index.close()


@pytest.fixture
def music(empty: Bench) -> Bench:
    """Five tracks: title before artist before album, most played first."""
    empty.fill(MUSIC, MUSIC_SETTINGS)
    return empty


@pytest.fixture
def filled(empty: Bench) -> Callable[..., Bench]:
    """Fills the index: texts by objectID in the attribute `text`, or whole records."""

    def fill(records: Mapping[str, Any], **settings: Any) -> Bench:
        settings.setdefault("searchableAttributes", ["text"])
        whole = [
            {"objectID": name, **(value if isinstance(value, dict) else {"text": value})}
            for name, value in records.items()
        ]
        empty.fill(whole, settings)
        return empty

    return fill
