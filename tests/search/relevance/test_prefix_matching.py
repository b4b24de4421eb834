"""Which words of a query may be the beginning of one in a record: queryType,
disablePrefixOnAttributes.
"""

from __future__ import annotations

from tests.search.relevance.conftest import Build

HEROES = {"heroes": "heroes david bowie"}


def test_the_last_word_may_be_a_beginning(corpus: Build) -> None:
    bench = corpus(HEROES)
    assert bench.ids("david bow") == ["heroes"]
    assert bench.ids("dav bowie") == []


def test_a_space_behind_the_last_word_changes_nothing(corpus: Build) -> None:
    # Only queryType says which words are prefixes.
    assert corpus(HEROES).ids("david bow ") == ["heroes"]


def test_one_letter_finds_all_that_begin_with_it(corpus: Build) -> None:
    bench = corpus({"no": "abc", "c": "xb b", "b": "bx", "a": "b"})
    assert sorted(bench.ids("b")) == ["a", "b", "c"]


def test_prefix_all_lets_every_word_be_a_beginning(corpus: Build) -> None:
    assert corpus(HEROES).ids("dav bow", queryType="prefixAll") == ["heroes"]


def test_prefix_none_wants_whole_words(corpus: Build) -> None:
    bench = corpus(HEROES)
    assert bench.ids("david bow", queryType="prefixNone") == []
    assert bench.ids("david bowie", queryType="prefixNone") == ["heroes"]


def test_no_word_is_found_by_its_middle_or_end(corpus: Build) -> None:
    bench = corpus(HEROES)
    assert bench.ids("eroes") == []
    assert bench.ids("owie") == []


def test_attributes_can_want_whole_words(corpus: Build) -> None:
    bench = corpus(
        {"code": {"code": "ab12cd"}, "name": {"name": "ab12cd"}},
        searchableAttributes=["name", "code"],
        disablePrefixOnAttributes=["code"],
    )
    assert bench.ids("ab12") == ["name"]
    assert bench.ids("ab12cd") == ["name", "code"]


def test_a_prefix_without_words_behind_it_finds_nothing(corpus: Build) -> None:
    assert corpus(HEROES).ids("x") == []


def test_an_empty_query_finds_everything(corpus: Build) -> None:
    assert sorted(corpus({"a": "x", "b": "y"}).ids("")) == ["a", "b"]
    assert sorted(corpus({"a": "x", "b": "y"}).ids(" ,.- ")) == ["a", "b"]
