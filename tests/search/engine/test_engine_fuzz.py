"""Any records, settings and queries are answered, and alike by tables grown and tables anew."""

import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from storagebox.search.engine.changes import Change, Clear, Delete, Meta, Put
from storagebox.search.engine.index import Index
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings

WORDS = (
    "heroes", "Héros", "new", "york", "newyork", "x", "a", "the", "spider-man", "B.C.E.", "東京都",
    "naïve", "ﬁ", "straße", "İstanbul", "12", "1999", "12.5", "don't", "🎵", "🎵a", "\0",
    "a\u0301", "_tags", "ﷺ", "\u200b", "word" * 30, "q" * 200, "", "-", '"quoted', "ß", "สวัสดี",
    "привет",
)  # fmt: skip
NUMBERS = (0, 1, -1, 3.5, 1e300, -0.0, 2**53, 2**63 - 1, -(2**63), 1e-9)
PATHS = ("title", "artist", "tags", "n", "deep", "_tags", "_geoloc", "a.b", "é", "price")
PLACES = ({"lat": 1, "lng": 2}, [{"lat": 1, "lng": 2}, {"lat": "x"}], {"lat": 1}, [], "x", None)
SETTINGS: dict[str, tuple[Any, ...]] = {
    "searchableAttributes": (["title", "unordered(artist)"], ["tags,deep", "deep.a", "a.b"]),
    "attributesForFaceting": (["artist", "searchable(tags)"], ["filterOnly(price)", "deep.a"]),
    "customRanking": (["desc(price)", "asc(title)"], ["asc(n)", "desc(deep.a)"]),
    "ranking": (["typo", "asc(price)", "words", "proximity", "exact"], ["custom", "geo"]),
    "attributeForDistinct": ("artist", "tags", "deep"),
    "separatorsToIndex": ("-_#🎵",),
    "camelCaseAttributes": (["title"],),
    "disablePrefixOnAttributes": (["title"],),
    "disableTypoToleranceOnAttributes": (["artist"],),
    "customNormalization": ({"default": {"ä": "ae", "x": "y"}},),
    "unretrievableAttributes": (["title", "deep.a"],),
}
PARAMS: dict[str, tuple[Any, ...]] = {
    "facets": (["*"],),
    "filters": (
        "price > 1",
        "artist:heroes OR artist:new",
        "NOT tags:x",
        "price != 3 AND _tags:a",
    ),
    "optionalFilters": (["artist:heroes", "price=1<score=4>"],),
    "distinct": (1, 2, 3),
    "typoTolerance": ("min", "strict", False),
    "queryType": ("prefixAll", "prefixNone"),
    "removeWordsIfNoResults": ("lastWords", "firstWords", "allOptional"),
    "optionalWords": (["new york", "a"],),
    "advancedSyntax": (True,),
    "removeStopWords": (True,),
    "ignorePlurals": (["en"],),
    "aroundLatLng": ("10,20",),
    "aroundPrecision": (10_000, [{"from": 0, "value": 10}, {"from": 100, "value": 1000}]),
    "insidePolygon": ([[0, 0, 10, 0, 10, 10]],),
    "attributesToSnippet": (["*:3"],),
    "attributesToHighlight": (["*"], [], ["title", "deep.a.b"]),
    "attributesToRetrieve": (["title", "deep.a"], ["-title"], []),
    "restrictHighlightAndSnippetArrays": (True,),
    "hitsPerPage": (0, 1, 1000),
    "page": (1, 100),
    "offset": (3,),
    "minProximity": (4,),
    "exactOnSingleWordQuery": ("word", "none"),
    "restrictSearchableAttributes": (["title"],),
    "minWordSizefor1Typo": (0, 1),
    "minWordSizefor2Typos": (1, 3),
    "sortFacetValuesBy": ("alpha",),
    "maxValuesPerFacet": (0, 1),
    "facetingAfterDistinct": (True,),
    "ranking": (["custom"], ["exact", "typo", "asc(price)", "attribute"], ["proximity", "words"]),
}


def text(rng: random.Random) -> str:
    words = (rng.choice(WORDS) for _ in range(rng.choice((0, 1, 2, 3, 40))))
    return rng.choice((" ", "-", ".", "\n")).join(words)


def value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(10)
    if kind < 4 or depth > 3:
        return text(rng)
    if kind == 4:
        return rng.choice(NUMBERS)
    if kind == 5:
        return rng.choice((True, False, None))
    if kind < 8:
        return [value(rng, depth + 1) for _ in range(rng.randrange(4))]
    names = rng.sample(("a", "b", "x.y", "", "_geoloc", "title"), rng.randrange(4))
    return {name: value(rng, depth + 1) for name in names}


def some(rng: random.Random, choices: dict[str, tuple[Any, ...]], most: int) -> dict[str, Any]:
    names = rng.sample(sorted(choices), rng.randrange(most + 1))
    return {name: rng.choice(choices[name]) for name in names}


def change(rng: random.Random) -> Change:
    object_id = str(rng.randrange(150))
    if rng.random() < 0.15:
        return Delete(object_id)
    record = {path: value(rng) for path in rng.sample(PATHS, rng.randrange(6))}
    if rng.random() < 0.3:
        record["_geoloc"] = rng.choice(PLACES)
    return Put(object_id, record)


def params(rng: random.Random) -> dict[str, Any]:
    typed = text(rng)[:300]
    return {"query": typed[: rng.randrange(len(typed) + 1)], **some(rng, PARAMS, 6)}


def answered(index: Index, asked: dict[str, Any]) -> bytes | None:
    settings = index.meta("settings") or {}
    assert isinstance(settings, dict)
    try:
        query = Query.parse(asked, Settings.from_json(settings))
    except LanguageError:
        return None
    answer = index.search(query)
    shown = [hit.object_id for hit in answer.hits]
    assert len(shown) == len(set(shown)) <= query.count * max(1, query.distinct)
    return orjson.dumps(answer.to_json(query))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_kept_and_asked_is_answered(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    index = Index.open(tmp_path)
    alive: set[str] = set()
    for at in range(20):
        changes = [change(rng) for _ in range(rng.choice((1, 30)))]
        if rng.random() < 0.3:
            changes.append(Meta("settings", some(rng, SETTINGS, 5)))
        if rng.random() < 0.05:
            changes.append(Clear())
        for each in changes:
            if isinstance(each, Put):
                alive.add(each.object_id)
            elif isinstance(each, Delete):
                alive.discard(each.object_id)
            elif isinstance(each, Clear):
                alive.clear()
        index.apply(changes, at + 1)
        assert len(index) == len(alive)
        for _ in range(8):
            answered(index, params(rng))
    asked = [params(rng) for _ in range(30)]
    before = [answered(index, each) for each in asked]
    assert sum(each is not None for each in before) > 15
    index.close()
    index = Index.open(tmp_path)
    assert [answered(index, each) for each in asked] == before
    index.close()
