"""advancedSyntax: "words in quotes" and words with a -dash."""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build, Corpus

CASES = {
    "case": "sparkly blue iPhone case",
    "turned": "sparkly blue case for an iPhone",
    "cases": "sparkly blue iPhone cases",
    "typo": "sparkly blue iPhune case",
}


@pytest.fixture
def cases(corpus: Build) -> Corpus:
    return corpus(CASES, advancedSyntax=True)


def test_words_in_quotes_are_found_as_they_stand(cases: Corpus) -> None:
    # "sparkly blue "iPhone case" only returns records with the exact string iPhone case."
    assert cases.ids('sparkly blue "iPhone case"') == ["case"]
    assert cases.ids('"iphone case" blue') == ["case"]


def test_words_in_quotes_have_neither_typos_nor_beginnings(cases: Corpus) -> None:
    assert cases.ids('"iphone cas"') == []
    assert cases.ids('"iphne case"') == []


def test_words_outside_the_quotes_are_found_as_ever(cases: Corpus) -> None:
    assert cases.ids('"iphone case" sparkli') == ["case"]


def test_a_single_word_in_quotes_stands_as_it_is(cases: Corpus) -> None:
    assert sorted(cases.ids('"iphone"')) == ["case", "cases", "turned"]
    assert cases.ids('"iphon"') == []


def test_a_quote_that_is_not_closed_yet_is_none(cases: Corpus) -> None:
    # So that results don't jump while someone types.
    assert set(cases.ids('"iphone cas')) == {*CASES}


def test_words_with_a_dash_are_not_in_what_is_found(corpus: Build) -> None:
    # "search -engine matches records that contain search but not engine."
    bench = corpus({"both": "search engine", "one": "search", "typo": "search engin"})
    assert bench.ids("search -engine", advancedSyntax=True) == ["one", "typo"]


def test_a_phrase_can_be_excluded(cases: Corpus) -> None:
    assert sorted(cases.ids('sparkly -"iphone case"')) == ["cases", "turned", "typo"]


def test_a_dash_within_a_word_excludes_nothing(corpus: Build) -> None:
    assert corpus({"a": "wi-fi"}).ids("wi-fi", advancedSyntax=True) == ["a"]


def test_an_exclusion_alone_finds_everything_else(corpus: Build) -> None:
    bench = corpus({"a": "search engine", "b": "search"})
    assert bench.ids("-engine", advancedSyntax=True) == ["b"]


def test_each_feature_can_be_had_alone(cases: Corpus) -> None:
    phrases = {"advancedSyntaxFeatures": ["exactPhrase"]}
    assert cases.ids('"iphone case" -blue', **phrases) == ["case"]
    words = {"advancedSyntaxFeatures": ["excludeWords"]}
    assert sorted(cases.ids('"iphone case" -blue', **words)) == []
    assert set(cases.ids('"iphone case"', **words)) == {*CASES}


def test_without_the_syntax_quotes_and_dashes_are_signs(cases: Corpus) -> None:
    assert set(cases.ids('"iphone case" -blue', advancedSyntax=False)) == {*CASES}


def test_a_phrase_is_one_attributes(corpus: Build) -> None:
    bench = corpus(
        {"apart": {"a": "new", "b": "york"}, "one": {"b": "new york"}},
        searchableAttributes=["a", "b"],
        advancedSyntax=True,
    )
    assert bench.ids('"new york"') == ["one"]


def test_a_phrase_is_one_element_of_an_array(corpus: Build) -> None:
    records = {"apart": {"text": ["new", "york"]}, "one": {"text": ["x", "new york"]}}
    assert corpus(records, advancedSyntax=True).ids('"new york"') == ["one"]
