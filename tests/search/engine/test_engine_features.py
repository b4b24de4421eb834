"""What a query can ask for beside words: facets, places, groups, snippets, synonyms, browsing."""

from typing import Any

import pytest

from storagebox.search.engine.changes import Meta, Put
from storagebox.search.language.errors import LanguageError
from storagebox.search.language.filters import Facet
from storagebox.search.language.query import Query
from storagebox.search.language.settings import Settings


def test_facets_are_counted_in_what_matches(music: Any) -> None:
    answer = music.answer("heroes", facets=["*"])
    assert answer.facets == {"artist": {"David Bowie": 1, "The Beach Boys": 1}}
    assert music.answer(facets=["artist"], maxValuesPerFacet=1).facets == {
        "artist": {"David Bowie": 2}
    }


def test_numbers_of_a_facet_are_summed_up(filled: Any) -> None:
    bench = filled(
        {"a": {"text": "x", "year": 1977}, "b": {"text": "x", "year": [1967, 1968]}},
        attributesForFaceting=["year"],
    )
    answer = bench.answer("x", facets=["year"])
    assert answer.facets_stats == {
        "year": {"min": 1967, "max": 1977, "avg": 5912 / 3, "sum": 5912}
    }
    assert answer.facets == {"year": {"1967": 1, "1968": 1, "1977": 1}}


def test_values_of_a_facet_are_searched_with_prefixes_and_typos(filled: Any) -> None:
    artists = {"a": "David Bowie", "b": "The Beatles", "c": "Davy Jones", "d": "David Bowie"}
    bench = filled(
        {name: {"text": "x", "artist": artist} for name, artist in artists.items()},
        attributesForFaceting=["searchable(artist)"],
    )
    found = bench.index.facet_search("artist", "dav", bench.query("x"))
    assert [(hit.value, hit.highlighted, hit.count) for hit in found.hits] == [
        ("David Bowie", "<em>Dav</em>id Bowie", 2),
        ("Davy Jones", "<em>Dav</em>y Jones", 1),
    ]
    found = bench.index.facet_search("artist", "beatels", bench.query())
    assert [hit.value for hit in found.hits] == ["The Beatles"]


def test_a_facet_that_is_not_searchable_is_refused(music: Any) -> None:
    with pytest.raises(LanguageError, match="searchable"):
        music.index.facet_search("artist", "x", music.query())


def test_settings_that_the_tables_do_not_know_yet_find_what_there_is(filled: Any) -> None:
    bench = filled({"a": {"text": "x", "kind": "k"}, "b": {"text": "x", "kind": "k"}})
    newer = Settings.from_json(
        {"attributeForDistinct": "kind", "attributesForFaceting": ["searchable(kind)"]}
    )
    query = Query.parse({"query": "x", "distinct": 1, "facets": ["*"]}, newer)
    answer = bench.index.search(query)
    assert [hit.object_id for hit in answer.hits] == ["a", "b"]
    assert answer.facets == {}
    with pytest.raises(LanguageError, match="kind"):
        bench.index.facet_search("kind", "k", query)


def test_distinct_shows_the_best_of_each_group(filled: Any) -> None:
    bench = filled(
        {
            name: {"text": "song", "album": album, "plays": plays}
            for name, album, plays in (
                ("a1", "A", 9),
                ("b1", "B", 8),
                ("a2", "A", 7),
                ("none", None, 6),
                ("b2", "B", 5),
                ("other", None, 4),
                ("a3", "A", 3),
            )
        },
        attributeForDistinct="album",
        customRanking=["desc(plays)"],
    )
    assert bench.ids("song", distinct=1) == ["a1", "b1", "none", "other"]
    assert bench.answer("song", distinct=1).nb_hits == 4
    assert bench.ids("song", distinct=2) == ["a1", "a2", "b1", "b2", "none", "other"]
    assert bench.ids("song", distinct=2, hitsPerPage=1, page=1) == ["b1", "b2"]


CITIES = {
    "paris": {"text": "city", "_geoloc": {"lat": 48.8566, "lng": 2.3522}},
    "berlin": {"text": "city", "_geoloc": {"lat": 52.52, "lng": 13.405}},
    "auckland": {"text": "city", "_geoloc": {"lat": -36.8485, "lng": 174.7633}},
    "two": {"text": "city", "_geoloc": [{"lat": 0, "lng": -150}, {"lat": 51.5, "lng": -0.1}]},
    "nowhere": {"text": "city"},
}


def test_the_nearest_comes_first(filled: Any) -> None:
    bench = filled(CITIES)
    around = {"aroundLatLng": "48.86,2.35", "aroundRadius": "all", "getRankingInfo": True}
    hits = bench.answer("city", **around).hits
    assert [hit.object_id for hit in hits] == ["paris", "two", "berlin", "auckland", "nowhere"]
    place = hits[1].ranking_info["matchedGeoLocation"]
    assert place["distance"] == pytest.approx(342_000, rel=0.02)
    assert place["lat"] == 51.5


def test_a_radius_leaves_out_what_is_further(filled: Any) -> None:
    bench = filled(CITIES)
    assert bench.ids(aroundLatLng="48.86,2.35", aroundRadius=400_000) == ["paris", "two"]
    automatic = bench.answer(aroundLatLng="48.86,2.35")
    assert [hit.object_id for hit in automatic.hits] == ["paris", "two", "berlin", "auckland"]
    assert automatic.automatic_radius > 10_000_000


def test_equal_steps_of_distance_are_equal(filled: Any) -> None:
    near, nearer = {"lat": 0, "lng": 0.02}, {"lat": 0, "lng": 0.01}
    bench = filled(
        {"near": {"n": 2, "_geoloc": near}, "nearer": {"n": 1, "_geoloc": nearer}},
        customRanking=["desc(n)"],
    )
    around = {"aroundLatLng": "0,0"}
    assert bench.ids(**around) == ["nearer", "near"]
    assert bench.ids(**around, aroundPrecision=5000) == ["near", "nearer"]


def test_boxes_reach_over_the_date_line(filled: Any) -> None:
    bench = filled(CITIES)
    assert bench.ids(insideBoundingBox=[[-40, 170, 10, -140]]) == ["auckland", "two"]
    triangle = [[47, 0, 47, 5, 50, 2.35]]
    assert bench.ids(insidePolygon=triangle) == ["paris"]


def test_a_snippet_shows_the_words_around_what_matched(filled: Any) -> None:
    text = " ".join(f"w{n}" for n in range(30)) + " needle " + " ".join(f"v{n}" for n in range(9))
    bench = filled({"a": text})
    [hit] = bench.answer("needle", attributesToSnippet=["text:5"]).hits
    assert hit.snippet == {
        "text": {"value": "…w28 w29 <em>needle</em> v0 v1…", "matchLevel": "full"}
    }


def test_synonyms_find_what_means_the_same(filled: Any) -> None:
    bench = filled({"t": "television", "tv": "tv set", "ny": "new york city", "nyc": "nyc"})
    kinds = (
        {"type": "synonym", "synonyms": ["tv", "television"]},
        {"type": "oneWaySynonym", "input": "nyc", "synonyms": ["new york city"]},
        {"type": "altCorrection1", "word": "set", "corrections": ["television"]},
    )
    synonyms = [{"objectID": str(number), **each} for number, each in enumerate(kinds)]
    bench.index.apply([Meta("synonyms", synonyms)], 2)
    assert sorted(bench.ids("tv")) == ["t", "tv"]
    assert sorted(bench.ids("nyc")) == ["ny", "nyc"]
    assert bench.ids("new york city") == ["ny"]
    assert bench.ids("set") == ["tv", "t"]
    assert bench.ids("tv", synonyms=False) == ["tv"]


def test_optional_words_may_miss_but_count(filled: Any) -> None:
    bench = filled({"both": "red shoes", "one": "shoes", "other": "red hat"})
    assert bench.ids("red shoes") == ["both"]
    assert bench.ids("red shoes", optionalWords=["red"]) == ["both", "one"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("lastWords", "red <em>hat</em>"), ("firstWords", "<em>red</em> hat")],
)
def test_words_are_taken_away_when_nothing_matches(filled: Any, mode: str, expected: str) -> None:
    bench = filled({"a": "red shoes", "b": "blue hat"})
    answer = bench.answer("red hat", removeWordsIfNoResults=mode)
    assert answer.query_after_removal == expected
    assert len(answer.hits) == 1
    assert bench.answer("red hat").hits == []


def test_all_words_become_optional_when_nothing_matches(filled: Any) -> None:
    bench = filled({"a": "red shoes", "b": "blue hat"})
    assert sorted(bench.ids("red hat", removeWordsIfNoResults="allOptional")) == ["a", "b"]


def test_stop_words_are_dropped_and_plurals_are_one(filled: Any) -> None:
    bench = filled({"a": "best shoe ever", "b": "shoes"})
    assert bench.ids("the best shoe", removeStopWords=["en"]) == ["a"]
    assert bench.ids("the best shoe") == []
    assert sorted(bench.ids("shoes ", ignorePlurals=["en"], queryType="prefixNone")) == ["a", "b"]


def test_phrases_stand_together_and_excluded_words_nowhere(filled: Any) -> None:
    bench = filled({"a": "new york city", "b": "york is new", "c": "new york bowie"})
    assert sorted(bench.ids('"new york"', advancedSyntax=True)) == ["a", "c"]
    assert bench.ids("new york -bowie", advancedSyntax=True) == ["a", "b"]


def test_fewest_typos_are_all_that_min_leaves(filled: Any) -> None:
    bench = filled({"right": "heroes", "one": "herpes", "two": "herpex"})
    assert bench.ids("heroes", typoTolerance="min") == ["right"]
    assert bench.ids("heroes") == ["right", "one"]
    assert bench.ids("heroes", typoTolerance=False) == ["right"]


def test_attributes_can_forbid_typos_and_prefixes(filled: Any) -> None:
    bench = filled(
        {"a": {"title": "heroes", "code": "xyzzy1"}},
        searchableAttributes=["title", "code"],
        disableTypoToleranceOnAttributes=["code"],
        disablePrefixOnAttributes=["code"],
    )
    assert bench.ids("herpes") == ["a"]
    assert bench.ids("xyzzy2") == []
    assert bench.ids("xyz") == []
    assert bench.ids("xyzzy1") == ["a"]
    assert bench.ids("heroes", restrictSearchableAttributes=["code"]) == []


def test_browsing_gives_every_record_once_though_some_are_written_meanwhile(filled: Any) -> None:
    bench = filled(
        {f"n{n}": {"text": "x", "rank": n % 7} for n in range(50)}, customRanking=["desc(rank)"]
    )
    seen: list[str] = []
    cursor = None
    while True:
        hits, cursor = bench.index.browse(bench.query("x"), cursor, 11)
        seen += [hit["objectID"] for hit in hits]
        if cursor is None:
            break
        bench.index.apply([Put(f"late{len(seen)}", {"text": "x", "rank": 9})], 3)
    assert sorted(seen) == sorted(f"n{n}" for n in range(50))
    assert set(seen[:7]) == {f"n{n}" for n in range(50) if n % 7 == 6}


def test_a_cursor_that_is_none_is_refused(music: Any) -> None:
    for cursor in ("x", "////", "W10=", "eyJhIjogMX0=", "W1sxMDBdLCBbMSwgMl1d"):
        with pytest.raises(LanguageError, match="cursor"):
            music.index.browse(music.query(), cursor, 5)


def test_what_matches_can_be_named_by_a_query_or_a_filter(music: Any) -> None:
    assert sorted(music.index.matching(music.query("heroes"))) == ["heroes", "villains"]
    assert sorted(music.index.matching(Facet("artist", "David Bowie"))) == ["ashes", "heroes"]


def test_what_may_not_be_retrieved_is_shown_nowhere(filled: Any) -> None:
    record = {"text": "heroes", "secret": {"a": ["heroes"], "b": "heroes"}}
    bench = filled({"a": record}, searchableAttributes=[], unretrievableAttributes=["secret.a"])
    query = bench.query("heroes", attributesToHighlight=["*"], attributesToSnippet=["*:3"])
    [hit] = bench.index.search(query).to_json(query)["hits"]
    assert hit["secret"] == {"b": "heroes"}
    assert set(hit["_highlightResult"]["secret"]) == {"b"}
    assert set(hit["_snippetResult"]["secret"]) == {"b"}


def test_attributes_of_objects_in_arrays_are_retrieved_or_hidden_by_their_paths(
    filled: Any,
) -> None:
    record = {
        "offers": [{"price": 1, "cost": 2}, {"cost": 3}, "none"],
        "deep": [[{"a": 1, "b": 2}]],
    }
    bench = filled({"a": record}, searchableAttributes=[])

    def shown(**params: Any) -> dict[str, Any]:
        query = bench.query(**params)
        [hit] = bench.index.search(query).hits
        return {k: v for k, v in hit.to_json(query).items() if not k.startswith("_")}

    assert shown(attributesToRetrieve=["offers.price"]) == {
        "objectID": "a",
        "offers": [{"price": 1}],
    }
    assert shown(attributesToRetrieve=["deep.b"]) == {"objectID": "a", "deep": [[{"b": 2}]]}
    assert shown(attributesToRetrieve=["*", "-offers.cost", "-deep"]) == {
        "objectID": "a",
        "offers": [{"price": 1}, "none"],
    }
    bench.index.apply([Meta("settings", {"unretrievableAttributes": ["offers.cost"]})], 9)
    assert shown(attributesToRetrieve=["offers"])["offers"] == [{"price": 1}, "none"]
    assert "cost" not in str(shown())
