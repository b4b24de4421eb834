"""Stop words and plurals: removeStopWords, ignorePlurals, queryLanguages, naturalLanguages; and
what a word is: accents, apostrophes, signs.
"""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build


def test_stop_words_are_taken_out_of_the_query(corpus: Build) -> None:
    # "In English, 'the', 'a', or 'and' are stop words."
    bench = corpus({"a": "rolling stones"})
    assert bench.ids("the rolling stones", removeStopWords=["en"]) == ["a"]
    assert bench.ids("the rolling stones", removeStopWords=True, queryLanguages=["en"]) == ["a"]
    assert bench.ids("the rolling stones") == []


def test_languages_of_stop_words_overrule_those_of_the_query(corpus: Build) -> None:
    bench = corpus({"a": "rolling stones"})
    asked = {"removeStopWords": ["fr"], "queryLanguages": ["en"]}
    assert bench.ids("the rolling stones", **asked) == []
    assert bench.ids("les rolling stones", **asked) == ["a"]


def test_a_query_of_stop_words_alone_keeps_them(corpus: Build) -> None:
    bench = corpus({"who": "the who", "the": "the band"})
    assert bench.ids("the who", removeStopWords=["en"], queryType="prefixNone") == ["who"]


def test_the_last_word_may_be_the_beginning_of_one_that_is_no_stop_word(corpus: Build) -> None:
    bench = corpus({"a": "royal theatre"})
    assert bench.ids("royal the", removeStopWords=["en"]) == ["a"]


@pytest.mark.parametrize(
    ("one", "many"),
    [("shoe", "shoes"), ("box", "boxes"), ("city", "cities"), ("child", "children")],
)
def test_singular_and_plural_find_each_other(corpus: Build, one: str, many: str) -> None:
    bench = corpus({"one": f"{one} x", "many": f"{many} x"})
    asked = {"ignorePlurals": ["en"], "queryType": "prefixNone", "typoTolerance": False}
    assert sorted(bench.ids(one, **asked)) == ["many", "one"]
    assert sorted(bench.ids(many, **asked)) == ["many", "one"]
    assert bench.ids(one, queryType="prefixNone", typoTolerance=False) == ["one"]


def test_plurals_cost_no_typo_and_count_as_exact(corpus: Build) -> None:
    bench = corpus({"many": "red shoes", "one": "red shoe"})
    asked = {"ignorePlurals": True, "queryLanguages": ["en"]}
    assert bench.scores("nbTypos", "red shoes", **asked) == {"many": 0, "one": 0}
    assert bench.scores("nbExactWords", "red shoes", **asked) == {"many": 2, "one": 2}


def test_natural_languages_stand_for_several_parameters(corpus: Build) -> None:
    # Stop words and plurals of these languages, and all words optional if nothing matches.
    bench = corpus({"a": "red shoe", "b": "blue hat"})
    asked = {"naturalLanguages": ["en"], "queryType": "prefixNone", "typoTolerance": False}
    assert bench.ids("the red shoes", **asked) == ["a"]
    assert sorted(bench.ids("red hat", **asked)) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Motörhead", "motorhead"),
        ("Motorhead", "motörhead"),
        ("Straße", "strasse"),
        ("Ærø", "aero"),
        ("don't", "dont"),  # a contraction is one word
        ("don't", "don't"),
        ("Disney+", "disney"),
        ("AC/DC", "ac dc"),
        ("hello.world", "helloworld"),  # joined over the sign
        ("東京", "東京"),
    ],
)
def test_case_accents_and_signs_do_not_matter(corpus: Build, text: str, query: str) -> None:
    assert corpus({"a": text}).ids(query) == ["a"]


def test_accents_can_be_kept(corpus: Build) -> None:
    # keepDiacriticsOnCharacters: "characters that should keep their diacritics".
    bench = corpus({"o": "ol", "oe": "øl"}, keepDiacriticsOnCharacters="ø")
    assert bench.ids("øl") == ["oe"]
    assert bench.ids("ol") == ["o"]


def test_signs_can_be_made_words(corpus: Build) -> None:
    # separatorsToIndex: "In a search for 'Disney+', 'Disney' and '+' are two separate words."
    bench = corpus({"disney": "disney", "plus": "disney+"}, separatorsToIndex="+")
    assert bench.ids("disney+") == ["plus"]
    assert sorted(bench.ids("disney")) == ["disney", "plus"]


def test_words_in_camel_case_can_be_taken_apart(corpus: Build) -> None:
    bench = corpus({"a": "HTTPServerError"}, camelCaseAttributes=["text"])
    assert bench.ids("server") == ["a"]
    assert bench.ids("error") == ["a"]


def test_characters_can_be_replaced(corpus: Build) -> None:
    bench = corpus({"a": "Müller"}, customNormalization={"default": {"ü": "ue"}})
    assert bench.ids("mueller") == ["a"]
