"""The engine orders as if it ranked every record: same first hits, same count."""

from pathlib import Path
from typing import Any

import pytest

from storagebox.search.engine import candidates, tiebreak
from storagebox.search.engine.changes import Meta, Put
from storagebox.search.engine.index import Index
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings
from tests.search.relevance.reference import Reference
from tools.bench.search_corpus import queries, tracks

SETTINGS = {
    "searchableAttributes": ["title", "artist", "album"],
    "customRanking": ["desc(plays)"],
}
RECORDS = 1300
QUERIES = 40


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An index of made-up tracks, some of them behind the base that is built at first."""
    folder: Path = tmp_path_factory.mktemp("relevance")
    index = Index.open(folder)
    records = list(tracks(RECORDS, seed=5))
    puts = [Put(str(each["objectID"]), each) for each in records]
    index.apply([Meta("settings", SETTINGS), *puts[:1100]], 1)
    index.settle()
    index.apply(puts[1100:], 2)
    yield index, records
    index.close()


@pytest.fixture(params=["as it is", "all spread", "few at once"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, index: Any) -> str:
    """Ways that only large indices go: this one is made to go them too."""
    engine, _ = index
    if request.param == "all spread":
        monkeypatch.setattr(candidates, "_DENSE", 1 << 30)
        monkeypatch.setattr(tiebreak, "_AT_ONCE", 16)
    elif request.param == "few at once":
        monkeypatch.setattr(candidates, "_TOKENS_WORTH", 0)
        monkeypatch.setattr(tiebreak, "_AT_ONCE", 4)
    engine.forget()
    return str(request.param)


def test_every_query_has_the_first_hits_of_the_reference(index: Any, way: str) -> None:
    engine, records = index
    reference = Reference(records, SETTINGS)
    settings = Settings.from_json(SETTINGS)
    for text in queries(records, QUERIES, seed=5 + len(way), typos=0.3):
        answer = engine.search(Query.parse({"query": text, "hitsPerPage": 10}, settings))
        expected = reference.search(text)
        assert answer.nb_hits == len(expected), text
        assert [hit.object_id for hit in answer.hits] == [
            each.object_id for each in expected[:10]
        ], text
