"""Facets: what is counted, in which order, for which records; as InstantSearch asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from storagebox.search.language.errors import LanguageError
from tests.search.relevance.conftest import Build, Corpus

SHOES = {
    "a": {"text": "red shoe", "brand": "Ace", "color": "red", "price": 10, "tags": ["x", "y"]},
    "b": {"text": "red shoe", "brand": "Ace", "color": "red", "price": 30, "tags": ["y"]},
    "c": {"text": "blue shoe", "brand": "Bat", "color": "blue", "price": 20, "tags": []},
    "d": {"text": "red hat", "brand": "Bat", "color": "red", "price": 5},
}


@pytest.fixture
def shoes(corpus: Build) -> Corpus:
    names = ["brand", "color", "price", "tags", "filterOnly(text)"]
    return corpus(SHOES, attributesForFaceting=names)


def test_values_are_counted_among_the_records_that_match(shoes: Corpus) -> None:
    found = shoes.json("shoe", facets=["brand", "color"])["facets"]
    assert found == {"brand": {"Ace": 2, "Bat": 1}, "color": {"red": 2, "blue": 1}}


def test_elements_of_arrays_are_counted_each(shoes: Corpus) -> None:
    assert shoes.json("shoe", facets=["tags"])["facets"] == {"tags": {"y": 2, "x": 1}}


def test_a_star_stands_for_all_that_can_be_counted(shoes: Corpus) -> None:
    # filterOnly attributes can't.
    found = shoes.json("shoe", facets=["*"])["facets"]
    assert set(found) == {"brand", "color", "price", "tags"}


def test_what_is_not_for_faceting_has_no_counts(shoes: Corpus) -> None:
    assert shoes.json("shoe", facets=["objectID", "text"])["facets"] == {}


def test_values_come_by_count_or_alphabetically(shoes: Corpus) -> None:
    by_count = shoes.json(facets=["color"])["facets"]["color"]
    assert [*by_count.items()] == [("red", 3), ("blue", 1)]
    alphabetically = shoes.json(facets=["color"], sortFacetValuesBy="alpha")["facets"]["color"]
    assert [*alphabetically.items()] == [("blue", 1), ("red", 3)]


def test_as_many_values_come_as_are_asked_for(shoes: Corpus) -> None:
    assert shoes.json(facets=["color"], maxValuesPerFacet=1)["facets"] == {"color": {"red": 3}}


def test_numbers_have_statistics(shoes: Corpus) -> None:
    found = shoes.json("shoe", facets=["price"])
    assert found["facets_stats"] == {"price": {"min": 10, "max": 30, "avg": 20, "sum": 60}}
    assert found["facets"] == {"price": {"10": 1, "20": 1, "30": 1}}


def _disjunctive(shoes: Corpus, chosen: dict[str, list[str]], **params: Any) -> dict[str, Any]:
    """Counts as InstantSearch gathers them: each refined facet's without its own filter."""
    counts: dict[str, Any] = {}
    for name in ("brand", "color"):
        others = [
            [f"{other}:{value}" for value in values]
            for other, values in chosen.items()
            if other != name
        ]
        found = shoes.json(facets=name, facetFilters=others, hitsPerPage=0, **params)
        counts |= found["facets"]
    return counts


def test_a_refined_facet_shows_what_else_could_be_chosen(shoes: Corpus) -> None:
    found = _disjunctive(shoes, {"brand": ["Ace"]}, query="shoe")
    assert found == {"brand": {"Ace": 2, "Bat": 1}, "color": {"red": 2}}


def test_each_of_two_refined_facets_is_counted_under_the_other(shoes: Corpus) -> None:
    found = _disjunctive(shoes, {"brand": ["Bat"], "color": ["red"]})
    assert found == {"brand": {"Ace": 2, "Bat": 1}, "color": {"red": 1, "blue": 1}}


def test_no_hits_are_asked_for_and_none_come(shoes: Corpus) -> None:
    found = shoes.json("shoe", hitsPerPage=0, facets=["brand"])
    assert (found["hits"], found["nbHits"], found["nbPages"]) == ([], 3, 0)


def test_values_of_a_searchable_facet_can_be_searched_among_what_matches(corpus: Build) -> None:
    bench = corpus(SHOES, attributesForFaceting=["searchable(brand)", "color"])
    found = bench.index.facet_search("brand", "b", bench.query("shoe"))
    assert [(each.value, each.highlighted, each.count) for each in found.hits] == [
        ("Bat", "<em>B</em>at", 1)
    ]
    everything = bench.index.facet_search("brand", "", bench.query())
    assert [(each.value, each.count) for each in everything.hits] == [("Ace", 2), ("Bat", 2)]
    with pytest.raises(LanguageError, match="searchable"):
        bench.index.facet_search("color", "r", bench.query())


GROUPS = {
    "a1": {"text": "x", "album": "A", "color": "red", "n": 4},
    "a2": {"text": "x", "album": "A", "color": "blue", "n": 3},
    "b1": {"text": "x", "album": "B", "color": "blue", "n": 2},
}


def test_faceting_after_distinct_counts_each_group_once(corpus: Build) -> None:
    settings = {"attributeForDistinct": "album", "customRanking": ["desc(n)"], "distinct": 1}
    bench = corpus(GROUPS, attributesForFaceting=["color"], **settings)
    assert bench.json(facets=["color"])["facets"] == {"color": {"blue": 2, "red": 1}}
    after = bench.json(facets=["color"], facetingAfterDistinct=True)["facets"]
    assert after == {"color": {"blue": 1, "red": 1}}
    bench = corpus(GROUPS, attributesForFaceting=["afterDistinct(color)"], **settings)
    assert bench.json(facets=["color"])["facets"] == {"color": {"blue": 1, "red": 1}}


def test_a_tag_is_filtered_by_but_not_counted(corpus: Build) -> None:
    # "_tags can only be used for filtering. You won't get a facet count."
    bench = corpus({"a": {"text": "x", "_tags": ["new"]}}, attributesForFaceting=["text"])
    assert bench.json(facets=["_tags"])["facets"] == {}
