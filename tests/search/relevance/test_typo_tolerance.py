"""Which mistakes are forgiven, and what each costs: Algolia's guide to typo tolerance, and the
parameters typoTolerance, minWordSizefor1Typo, minWordSizefor2Typos, allowTyposOnNumericTokens,
disableTypoToleranceOnWords and disableTypoToleranceOnAttributes.
"""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build


@pytest.mark.parametrize(
    ("typed", "typos"),
    [
        ("michael", 0),
        ("mickael", 1),  # a letter replaced
        ("micael", 1),  # left out
        ("mickhael", 1),  # put in
        ("micheal", 1),  # two swapped
        ("mickaell", 2),  # replaced and put in: eight letters may have two
    ],
)
def test_a_letter_replaced_left_out_put_in_or_two_swapped_is_one_typo(
    corpus: Build, typed: str, typos: int
) -> None:
    # The guide's own examples, on a record that holds "michael".
    bench = corpus({"m": "michael"})
    assert bench.scores("nbTypos", typed, queryType="prefixNone") == {"m": typos}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("bax", False),  # three letters: none
        ("baxk", True),  # four: one
        ("paxkagd", False),  # seven: no two
        ("packagex", True),  # eight: two
        ("paxkagdx", False),  # and no three
    ],
)
def test_words_of_four_letters_may_have_one_typo_and_of_eight_two(
    corpus: Build, typed: str, found: bool
) -> None:
    # minWordSizefor1Typo and minWordSizefor2Typos: 4 and 8 by default.
    bench = corpus({"a": "bag", "b": "back", "c": "package"})
    assert bool(bench.ids(typed)) is found


def test_it_is_the_length_of_the_word_that_is_typed_that_counts(corpus: Build) -> None:
    # "Minimum number of characters a word in the query must contain".
    bench = corpus({"four": "door"})
    assert bench.ids("dor", queryType="prefixNone") == []
    assert bench.ids("dooor", queryType="prefixNone") == ["four"]


def test_the_lengths_from_which_typos_are_forgiven_can_be_set(corpus: Build) -> None:
    bench = corpus({"a": "cat", "b": "garden"})
    assert bench.ids("cxt") == []
    assert bench.ids("cxt", minWordSizefor1Typo=3) == ["a"]
    assert bench.ids("gaxdxn") == []
    assert bench.ids("gaxdxn", minWordSizefor2Typos=6) == ["b"]
    assert bench.ids("gaxden", minWordSizefor1Typo=7) == []


def test_a_typo_in_the_first_letter_counts_as_two(corpus: Build) -> None:
    # "Tichael" is two typos away from "Michael".
    bench = corpus({"m": "michaelson"})
    assert bench.scores("nbTypos", "tichaelson") == {"m": 2}


def test_a_typo_in_the_first_letter_is_not_forgiven_where_only_one_typo_is(corpus: Build) -> None:
    # It costs two, and seven letters may have one.
    bench = corpus({"m": "michael"})
    assert bench.ids("tichael") == []
    assert bench.ids("tichael", minWordSizefor2Typos=7) == ["m"]


def test_three_typos_are_forgiven_only_if_one_of_them_is_in_the_first_letter(
    corpus: Build,
) -> None:
    # "You might see records with three typos, if the first letter of a word is mistyped."
    bench = corpus({"m": "michaelson"})
    assert bench.scores("nbTypos", "tickaelson") == {"m": 3}
    assert bench.ids("mickaelsxn") == ["m"]
    assert bench.ids("mickaxlsxn") == []


@pytest.mark.parametrize("typed", ["BEYONCE", "beyonce", "Beyoncé"])
def test_case_and_accents_are_no_typos(corpus: Build, typed: str) -> None:
    # "Uppercase/lowercase, accents and other special characters are always ignored."
    bench = corpus({"a": "Beyoncé"})
    assert bench.scores("nbTypos", typed) == {"a": 0}


def test_the_beginning_of_a_word_costs_nothing(corpus: Build) -> None:
    bench = corpus({"whole": "michaelson", "part": "mich"})
    assert bench.scores("nbTypos", "mich") == {"part": 0, "whole": 0}


def test_a_beginning_may_have_typos_of_its_own(corpus: Build) -> None:
    bench = corpus({"m": "michaelson"})
    assert bench.scores("nbTypos", "mickae") == {"m": 1}
    assert bench.ids("mxckxe") == []


def test_typos_of_all_words_add_up(corpus: Build) -> None:
    bench = corpus({"two": "michael jackson", "one": "mickael jackson"})
    assert bench.scores("nbTypos", "mickael jakson") == {"one": 1, "two": 2}


def test_min_keeps_only_what_has_the_fewest_typos(corpus: Build) -> None:
    # "Returns only the records with the fewest typos."
    bench = corpus({"two": "packagxs", "one": "packagxng", "none": "packaging"})
    assert bench.ids("packaging") == ["none", "one"]
    assert bench.ids("packaging", typoTolerance="min") == ["none"]
    assert bench.ids("packagixg", typoTolerance="min") == ["none"]


def test_strict_keeps_the_fewest_and_the_second_fewest_typos(corpus: Build) -> None:
    # "Like min, but includes results with the fewest and second fewest typos."
    records = {"two": "paxkagxng", "one": "packagxng", "none": "packaging"}
    bench = corpus(records)
    assert bench.ids("packaging") == ["none", "one", "two"]
    assert bench.ids("packaging", typoTolerance="strict") == ["none", "one"]


@pytest.mark.parametrize("tolerance", ["min", "strict"])
def test_min_and_strict_put_typos_before_everything_else(corpus: Build, tolerance: str) -> None:
    # "Also forces the Typo ranking criterion to be evaluated first in the ranking formula."
    bench = corpus(
        {
            "one": {"text": "heroes herpes", "rank": 2},
            "none": {"text": "heroes", "rank": 1},
            "typo": {"text": "herpes", "rank": 3},
        },
        ranking=["desc(rank)", "typo", "words", "proximity", "attribute", "exact", "custom"],
    )
    assert bench.ids("heroes") == ["typo", "one", "none"]
    expected = {"min": ["one", "none"], "strict": ["one", "none", "typo"]}
    assert bench.ids("heroes", typoTolerance=tolerance) == expected[tolerance]


def test_false_forgives_no_typo_but_still_takes_beginnings(corpus: Build) -> None:
    bench = corpus({"typo": "herpes", "begins": "heroesque", "is": "heroes"})
    assert bench.ids("heroes", typoTolerance=False) == ["is", "begins"]
    assert bench.ids("heroes", typoTolerance="false") == ["is", "begins"]
    assert bench.ids("spider man", typoTolerance=False) == []


def test_words_that_forgive_no_typos_can_be_named(corpus: Build) -> None:
    # disableTypoToleranceOnWords: "Words for which you want to turn off typo tolerance."
    records = {"near": "heroes", "is": "herpes"}
    bench = corpus(records, disableTypoToleranceOnWords=["Herpes"])
    assert bench.ids("herpes") == ["is"]
    assert bench.ids("heroes") == ["near", "is"]


def test_attributes_that_forgive_no_typos_can_be_named(corpus: Build) -> None:
    bench = corpus(
        {"code": {"code": "abcd1234"}, "title": {"title": "abcd1234"}},
        searchableAttributes=["title", "code"],
    )
    assert bench.ids("abcd1243") == ["title", "code"]
    assert bench.ids("abcd1243", disableTypoToleranceOnAttributes=["code"]) == ["title"]
    assert bench.ids("abcd1234", disableTypoToleranceOnAttributes=["code"]) == ["title", "code"]


def test_numbers_forgive_typos_unless_told_otherwise(corpus: Build) -> None:
    # allowTyposOnNumericTokens: "If false, ... '304' is a typo of '30450'": whole words of digits.
    bench = corpus({"near": "model 55345", "is": "model 54345"})
    assert bench.ids("54345") == ["is", "near"]
    assert bench.ids("54345", allowTyposOnNumericTokens=False) == ["is"]
    # Words with letters in them are no numbers.
    assert bench.ids("modle", allowTyposOnNumericTokens=False) == ["near", "is"]
