"""Compounds: Algolia's descriptions of `decompoundQuery` and `decompoundedAttributes`.

What it has dictionaries for, words that the index knows stand for here.
"""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build

CHAIRS = {
    "garden": "Gartenstühle",
    "office": "Bürostühle",
    "chairs": "Stühle aus Holz",
    "words": "Garten und Büro",
}
GERMAN = {"decompoundedAttributes": {"de": ["text"]}}


def test_a_compound_of_a_record_is_found_by_each_of_its_parts(corpus: Build) -> None:
    bench = corpus(CHAIRS, **GERMAN)
    # Words of their own come first where they count as exact.
    assert bench.ids("stühle", exactOnSingleWordQuery="word") == ["chairs", "garden", "office"]
    assert bench.ids("garten", queryType="prefixNone") == ["garden", "words"]
    assert bench.ids("stüh") == ["garden", "office", "chairs"]


def test_only_named_attributes_are_taken_apart(corpus: Build) -> None:
    bench = corpus(CHAIRS)
    assert bench.ids("stühle") == ["chairs"]
    records = {
        "title": {"title": "Gartenstühle", "about": "Garten"},
        "about": {"title": "Garten", "about": "Gartenstühle"},
    }
    names = ["title", "about"]
    bench = corpus(records, searchableAttributes=names, decompoundedAttributes={"de": ["title"]})
    assert bench.ids("stühle") == ["title"]


def test_what_else_is_in_a_compound_has_to_be_words(corpus: Build) -> None:
    # "Erstgestühle" holds "stühle", but nobody knows "Erstge".
    bench = corpus({**CHAIRS, "pew": "Erstgestühle"}, **GERMAN)
    assert "pew" not in bench.ids("stühle")


@pytest.mark.parametrize(
    ("language", "compound", "words", "part"),
    [
        ("de", "Geburtstagskuchen", "Geburt Tag Kuchen", "kuchen"),
        ("nl", "schoolboeken", "school boeken", "boeken"),
        ("fi", "autonovi", "auto ovi", "ovi"),
        ("sv", "arbetsplats", "arbete arbet plats", "plats"),
        ("da", "arbejdsplads", "arbejd plads", "plads"),
        ("no", "fjellstue", "fjell stue", "stue"),
        ("nb", "fjellstue", "fjell stue", "stue"),
    ],
)
def test_six_languages_are_taken_apart_with_what_they_link_words_by(
    corpus: Build, language: str, compound: str, words: str, part: str
) -> None:
    records = {"compound": compound, "words": words}
    bench = corpus(records, decompoundedAttributes={language: ["text"]})
    assert sorted(bench.ids(part)) == ["compound", "words"]
    assert bench.ids(compound, queryLanguages=[language]) == ["compound", "words"]


def test_a_compound_of_a_query_finds_its_parts(corpus: Build) -> None:
    # "schoolboeken" matches "school", "boeken" and "schoolboeken".
    records = {"whole": "schoolboeken", "parts": "boeken voor school", "one": "school"}
    bench = corpus(records)
    assert bench.ids("schoolboeken", queryLanguages=["nl"]) == ["whole", "parts"]
    assert bench.info("schoolboeken", queryLanguages=["nl"])["parts"]["nbTypos"] == 0
    # As it is typed, too.
    assert bench.ids("schoolboe", queryLanguages=["nl"]) == ["whole", "parts"]


def test_without_such_a_language_or_where_it_is_off_words_stay_whole(corpus: Build) -> None:
    bench = corpus({"parts": "boeken voor de school"}, typoTolerance=False)
    assert bench.ids("schoolboeken", queryLanguages=["en"]) == []
    assert bench.ids("schoolboeken") == []
    assert bench.ids("schoolboeken", queryLanguages=["nl"], decompoundQuery=False) == []
    assert bench.ids("schoolboeken", queryLanguages=["nl"]) == ["parts"]


def test_words_in_quotes_are_not_taken_apart(corpus: Build) -> None:
    bench = corpus({"parts": "school boeken"})
    asked = {"queryLanguages": ["nl"], "advancedSyntax": True}
    assert bench.ids('"schoolboeken"', **asked) == []


def test_several_compounds_of_a_query_are_taken_apart_at_once(corpus: Build) -> None:
    bench = corpus({"parts": "Holz Tisch und Garten Haus"}, queryLanguages=["de"])
    assert bench.ids("holztisch gartenhaus") == ["parts"]


def test_parts_of_a_query_are_found_as_parts_of_a_record(corpus: Build) -> None:
    records = {"both": "Gartenstühle aus Holz", "known": "Garten Stühle"}
    bench = corpus(records, queryLanguages=["de"], **GERMAN)
    assert bench.ids("holzstühle") == ["both"]


def test_of_several_ways_the_one_whose_words_are_more_frequent_is_taken(corpus: Build) -> None:
    # "Staubecken" is "Stau" and "Becken", or "Staub" and "Ecken".
    records = {"a": "Stau Becken", "b": "Staub Ecken", "c": "Staub in Ecken"}
    bench = corpus(records, queryLanguages=["de"], typoTolerance=False)
    assert sorted(bench.ids("staubecken")) == ["b", "c"]


def test_the_forms_of_a_word_are_found_in_compounds(corpus: Build) -> None:
    bench = corpus(CHAIRS, ignorePlurals=["de"], **GERMAN)
    assert sorted(bench.ids("stuhl", queryType="prefixNone")) == ["chairs", "garden", "office"]


def test_a_compound_is_marked_whole(corpus: Build) -> None:
    found = corpus(CHAIRS, **GERMAN).hit("stühle", "garden").highlight or {}
    assert found["text"]["value"] == "<em>Gartenstühle</em>"
    assert found["text"]["matchLevel"] == "full"


def test_a_part_is_no_whole_value(corpus: Build) -> None:
    # Equal values but for the words behind; a compound's double must not hide a neighbour.
    bench = corpus({"two": "Gartenstühle blau", "one": "Gartenstühle"}, **GERMAN)
    assert bench.scores("nbExactWords", "gartenstühle") == {"one": 1, "two": 0}


def test_compounds_are_found_after_tables_are_built_and_opened_again(corpus: Build) -> None:
    records = {str(number): f"Gartenstühle {number}" for number in range(1100)}
    bench = corpus({**records, "words": "Garten Stühle"}, **GERMAN)
    bench.index.settle()
    assert bench.answer("stühle").nb_hits == 1101
    bench.reopen()
    assert bench.answer("stühle").nb_hits == 1101
