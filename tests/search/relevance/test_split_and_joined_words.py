"""Words run together or torn apart: Algolia's guide to splitting and concatenation."""

from __future__ import annotations

from tests.search.relevance.conftest import Build


def test_a_word_is_found_as_two_that_stand_in_the_record(corpus: Build) -> None:
    bench = corpus({"k": "Katherine Johnson", "other": "Katherine the Great"})
    assert bench.ids("katherinejohnson") == ["k"]


def test_a_word_is_split_in_two_parts_and_no_more(corpus: Build) -> None:
    bench = corpus({"j": "James Earl Jones"})
    assert bench.ids("jamesearljones") == []


def test_the_first_part_has_at_most_twelve_characters(corpus: Build) -> None:
    # "The first part can be up to 12 characters, while the second part can be of any length."
    bench = corpus({"twelve": "abcdefghijkl xyz", "thirteen": "abcdefghijklm xyz"})
    assert bench.ids("abcdefghijklxyz") == ["twelve"]
    assert bench.ids("abcdefghijklmxyz", queryType="prefixNone") == []


def test_both_parts_must_be_known_words(corpus: Build) -> None:
    bench = corpus({"k": "Katherine"})
    assert bench.ids("katherinejohnson") == []


def test_of_several_ways_to_split_the_one_with_most_matches_is_taken(corpus: Build) -> None:
    # "Nowhere" could be "no where" or "now here": whichever is more frequent.
    records = {"a": "no where", "b": "now here", "c": "now here again"}
    assert sorted(corpus(records).ids("nowhere")) == ["b", "c"]


def test_splitting_starts_where_one_typo_is_forgiven(corpus: Build) -> None:
    # "Splitting starts with queries with at least as many characters as minWordSizefor1Typo."
    bench = corpus({"a": "to go", "b": "by night"})
    assert bench.ids("togo") == ["a"]
    assert bench.ids("byni", minWordSizefor1Typo=5) == []
    assert bench.ids("togo", minWordSizefor1Typo=5) == []


def test_neighbouring_words_are_found_as_one(corpus: Build) -> None:
    bench = corpus({"s": "Spiderman returns"})
    assert bench.ids("spider man") == ["s"]
    assert bench.ids("spider man returns") == ["s"]


def test_all_words_together_are_found_as_one(corpus: Build) -> None:
    # "awonderfuldayintheneighborhood": the whole query is one of the concatenations.
    bench = corpus({"t": "tictactoe"})
    assert bench.ids("tic tac toe") == ["t"]


def test_what_was_split_or_joined_comes_after_what_was_not(corpus: Build) -> None:
    bench = corpus({"apart": "note book", "one": "notebook"})
    assert bench.ids("notebook") == ["one", "apart"]
    assert bench.ids("note book") == ["apart", "one"]


def test_without_typo_tolerance_nothing_is_split_or_joined(corpus: Build) -> None:
    bench = corpus({"apart": "note book", "one": "notebook"})
    assert bench.ids("notebook", typoTolerance=False) == ["one"]
    assert bench.ids("note book", typoTolerance=False) == ["apart"]


def test_words_that_forgive_no_typos_are_not_split_or_joined(corpus: Build) -> None:
    # disableTypoToleranceOnWords "also turns off word splitting and concatenation".
    records = {"apart": "note book", "one": "notebook"}
    bench = corpus(records, disableTypoToleranceOnWords=["notebook", "note"])
    assert bench.ids("notebook") == ["one"]
    assert bench.ids("note book") == ["apart"]


def test_letters_with_dots_between_are_one_word(corpus: Build) -> None:
    # "B.C.E. creates the tokens B, C, E and BCE; only BCE is indexed."
    bench = corpus({"a": "300 B.C.E."})
    assert bench.ids("bce") == ["a"]
    assert bench.ids("B.C.E.") == ["a"]
    assert bench.ids("e", queryType="prefixNone") == []
