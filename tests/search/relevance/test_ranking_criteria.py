"""One corpus for each ranking criterion: Algolia's guide to the eight ranking criteria.

Records are put in worst first, so that the order they came in never passes for the criterion.
"""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build


def test_typo_fewer_typos_come_first(corpus: Build) -> None:
    # "1. without typos, 2. with one typo, 3. with two typos."
    bench = corpus({"two": "packxgxng", "one": "packagxng", "none": "packaging"})
    assert bench.scores("nbTypos", "packaging") == {"none": 0, "one": 1, "two": 2}


def test_words_more_words_of_the_query_come_first(corpus: Build) -> None:
    # "The maximum score for this criterion is 2 - even if a record contains this word 10 times."
    bench = corpus({"one": "red red red", "both": "red shoes"})
    found = bench.scores("words", "red shoes", optionalWords=["red", "shoes"])
    assert found == {"both": 2, "one": 1}


def test_words_is_the_same_for_all_without_optional_words(corpus: Build) -> None:
    bench = corpus({"a": "red shoes", "b": "red red shoes"})
    assert bench.scores("words", "red shoes") == {"a": 2, "b": 2}


def test_filters_more_optional_filters_come_first(corpus: Build) -> None:
    # "Records that don't match a filter score 0, and records that match two filters score 2."
    bench = corpus(
        {
            "neither": {"text": "x", "brand": "c", "color": "blue"},
            "brand": {"text": "x", "brand": "a", "color": "blue"},
            "both": {"text": "x", "brand": "a", "color": "red"},
        },
        attributesForFaceting=["brand", "color"],
    )
    optional = ["brand:a", "color:red"]
    assert bench.scores("filters", "x", optionalFilters=optional) == {
        "both": 2,
        "brand": 1,
        "neither": 0,
    }


def test_proximity_words_next_to_each_other_come_first(corpus: Build) -> None:
    # "George Clooney is a better proximity match than George Timothy Clooney."
    bench = corpus({"timothy": "George Timothy Clooney", "george": "George Clooney"})
    assert bench.scores("proximityDistance", "george clooney") == {"george": 1, "timothy": 2}


def test_proximity_is_zero_for_a_single_word(corpus: Build) -> None:
    # "For single word queries, proximityDistance is 0."
    assert corpus({"a": "George Clooney"}).scores("proximityDistance", "george") == {"a": 0}


def test_proximity_adds_up_over_the_pairs_of_the_query(corpus: Build) -> None:
    bench = corpus({"a": "one x two x x three"})
    assert bench.scores("proximityDistance", "one two three") == {"a": 2 + 3}


def test_proximity_ends_at_eight(corpus: Build) -> None:
    # "8 is the cutoff for the proximity."
    bench = corpus({"far": "one a b c d e f g h i j two", "near": "one a b c d e f two"})
    assert bench.scores("proximityDistance", "one two") == {"near": 7, "far": 8}


def test_proximity_is_the_cutoff_between_attributes(corpus: Build) -> None:
    bench = corpus({"a": {"b": "one", "c": "two"}}, searchableAttributes=["b", "c"])
    assert bench.scores("proximityDistance", "one two") == {"a": 8}


def test_proximity_is_the_cutoff_between_the_elements_of_an_array(corpus: Build) -> None:
    # "That's what we are doing for all the elements of an array, to not take proximity into
    # account."
    bench = corpus({"apart": {"text": ["foo", "cat", "bar"]}, "next": {"text": ["foo", "bar"]}})
    assert bench.scores("proximityDistance", "foo bar") == {"apart": 8, "next": 8}


def test_proximity_takes_the_nearest_of_several_occurrences(corpus: Build) -> None:
    bench = corpus({"a": "george x x x clooney and george clooney"})
    assert bench.scores("proximityDistance", "george clooney") == {"a": 1}


def test_min_proximity_makes_near_words_equally_near(corpus: Build) -> None:
    # "Pairs of matching words up to this distance are considered equally relevant."
    bench = corpus({"two": "one x two", "three": "one x x two", "one": "one two"})
    assert bench.ids("one two") == ["one", "two", "three"]
    assert bench.scores("proximityDistance", "one two", minProximity=2) == {
        "two": 2,
        "one": 2,
        "three": 3,
    }


def test_attribute_a_match_in_an_earlier_attribute_comes_first(corpus: Build) -> None:
    # "Attributes at the top of the searchableAttributes list rank higher."
    bench = corpus(
        {
            "album": {"album": "heroes"},
            "artist": {"artist": "heroes"},
            "title": {"title": "heroes"},
        },
        searchableAttributes=["title", "artist", "album"],
    )
    assert bench.scores("firstMatchedWord", "heroes") == {
        "title": 0,
        "artist": 1000,
        "album": 2000,
    }


def test_attribute_a_match_nearer_to_the_beginning_comes_first(corpus: Build) -> None:
    # "By default, records with matched words closer to the beginning of an attribute rank higher."
    bench = corpus({"third": "a b heroes", "second": "a heroes", "first": "heroes b"})
    assert bench.scores("firstMatchedWord", "heroes") == {"first": 0, "second": 1, "third": 2}


def test_attribute_the_place_in_an_unordered_attribute_does_not_matter(corpus: Build) -> None:
    bench = corpus(
        {"third": "a b heroes x", "first": "heroes b c x"},
        searchableAttributes=["unordered(text)"],
    )
    assert bench.scores("firstMatchedWord", "heroes") == {"third": 0, "first": 0}


def test_attribute_names_with_a_comma_between_rank_alike(corpus: Build) -> None:
    bench = corpus(
        {
            "album": {"album": "heroes x"},
            "artist": {"artist": "x y heroes"},
            "title": {"title": "a heroes b"},
        },
        searchableAttributes=["title,artist", "album"],
    )
    found = bench.scores("firstMatchedWord", "heroes")
    assert found == {"artist": 0, "title": 0, "album": 1000}


def test_attribute_is_off_while_every_attribute_is_searched(corpus: Build) -> None:
    bench = corpus(
        {"late": {"b": "y", "a": "x heroes x"}, "early": {"b": "heroes x"}},
        searchableAttributes=[],
    )
    assert bench.scores("firstMatchedWord", "heroes") == {"late": 0, "early": 0}


TWO_PLACES = {
    # "green" alone stands first in the title, both words only together in the text.
    "apart": {"title": "green", "text": "x x green day"},
    "title": {"title": "x green day"},
}


def test_attribute_is_of_the_words_that_stand_nearest_together(corpus: Build) -> None:
    # "When Attribute comes after Proximity, which is the default order, the engine always uses the
    # minProximity strategy": the best of the attributes that form the best proximity score.
    bench = corpus(TWO_PLACES, searchableAttributes=["title", "text"])
    found = bench.info("green day")
    assert {name: info["proximityDistance"] for name, info in found.items()} == {
        "title": 1,
        "apart": 1,
    }
    assert {name: info["firstMatchedWord"] for name, info in found.items()} == {
        "title": 1,
        "apart": 1002,
    }
    assert list(found) == ["title", "apart"]
    best = bench.scores("firstMatchedWord", "green day", attributeCriteriaComputedBy="best")
    assert best == {"title": 1, "apart": 1002}


ATTRIBUTE_FIRST = ["typo", "words", "filters", "attribute", "proximity", "exact", "custom"]


def test_attribute_before_proximity_is_of_any_word(corpus: Build) -> None:
    # "To select best, move Attribute before Proximity": the best of all that match any word.
    bench = corpus(TWO_PLACES, searchableAttributes=["title", "text"], ranking=ATTRIBUTE_FIRST)
    assert bench.scores("firstMatchedWord", "green day") == {"apart": 0, "title": 1}


@pytest.mark.parametrize(
    "asked",
    [
        {"attributeCriteriaComputedByMinProximity": True},
        {"attributeCriteriaComputedBy": "minProximity"},
        # "If you set both, attributeCriteriaComputedBy takes precedence."
        {
            "attributeCriteriaComputedBy": "minProximity",
            "attributeCriteriaComputedByMinProximity": False,
        },
    ],
)
def test_attribute_before_proximity_can_be_of_the_nearest_words(
    corpus: Build, asked: dict[str, object]
) -> None:
    bench = corpus(TWO_PLACES, searchableAttributes=["title", "text"], ranking=ATTRIBUTE_FIRST)
    assert bench.scores("firstMatchedWord", "green day", **asked) == {"title": 1, "apart": 1002}


@pytest.mark.parametrize("ranking", [[], ATTRIBUTE_FIRST])
def test_attribute_can_be_the_sum_over_all_words(corpus: Build, ranking: list[str]) -> None:
    # "Add up a score for every query word instead of picking one attribute."
    bench = corpus(
        {"one": {"title": "green", "text": "x x x day"}, "two": {"title": "x x green day"}},
        searchableAttributes=["title", "text"],
        attributeCriteriaComputedBy="sum",
        **({"ranking": ranking} if ranking else {}),
    )
    assert bench.scores("firstMatchedWord", "green day") == {"two": 2 + 3, "one": 0 + 1003}


def test_exact_more_words_that_match_whole_come_first(corpus: Build) -> None:
    # "For every exact matching word in an attribute, the count increases by 1."
    bench = corpus({"one": "dog foods", "two": "dog food"})
    assert bench.scores("nbExactWords", "dog food") == {"two": 2, "one": 1}


def test_exact_counts_a_word_once_however_often_it_is_there(corpus: Build) -> None:
    # "If the same word has 10 exact matches in a record, that word still gets only 1 point."
    bench = corpus({"a": "dog dog dog food"})
    assert bench.scores("nbExactWords", "dog food") == {"a": 2}


def test_exact_does_not_count_words_with_typos(corpus: Build) -> None:
    bench = corpus({"a": "dark food"})
    assert bench.scores("nbExactWords", "darc food") == {"a": 1}


ROADS = {"trip": "road trip", "road": "road", "roads": "roads"}


def test_exact_for_a_single_word_means_the_whole_value(corpus: Build) -> None:
    # exactOnSingleWordQuery is "attribute": "Road" is exact, "Road Trip" is not.
    bench = corpus(ROADS)
    assert bench.scores("nbExactWords", "road") == {"road": 1, "trip": 0, "roads": 0}


def test_exact_for_a_single_word_can_mean_the_word(corpus: Build) -> None:
    # "word": both "Road" and "Road Trip" are considered to match exactly.
    found = corpus(ROADS).scores("nbExactWords", "road", exactOnSingleWordQuery="word")
    assert found == {"trip": 1, "road": 1, "roads": 0}


@pytest.mark.parametrize("word", ["ab", "the"])
def test_exact_for_a_single_word_is_not_for_short_or_stop_words(corpus: Build, word: str) -> None:
    # "The word must be at least three characters long and must not be a stop word."
    bench = corpus({"a": f"{word} x"})
    assert bench.scores("nbExactWords", word, exactOnSingleWordQuery="word") == {"a": 0}


def test_exact_for_a_single_word_can_be_off(corpus: Build) -> None:
    found = corpus(ROADS).scores("nbExactWords", "road", exactOnSingleWordQuery="none")
    assert found == {"trip": 0, "road": 0, "roads": 0}


def test_exact_for_a_single_word_holds_for_each_element_of_an_array(corpus: Build) -> None:
    bench = corpus({"no": {"text": ["road trip"]}, "yes": {"text": ["trip", "road"]}})
    assert bench.scores("nbExactWords", "road") == {"no": 0, "yes": 1}


def test_exact_can_be_off_in_some_attributes(corpus: Build) -> None:
    bench = corpus(
        {"text": {"text": "dog food"}, "title": {"title": "dog food"}},
        searchableAttributes=["text,title"],
    )
    found = bench.scores("nbExactWords", "dog food", disableExactOnAttributes=["text"])
    assert found == {"title": 2, "text": 0}


def test_exact_counts_plurals_and_single_word_synonyms(corpus: Build) -> None:
    # alternativesAsExact is ["ignorePlurals", "singleWordSynonym"].
    bench = corpus({"plural": "dogs food", "synonym": "hound food", "is": "dog food"})
    bench.keep("synonyms", [{"type": "synonym", "synonyms": ["dog", "hound"]}])
    asked = {"ignorePlurals": ["en"], "queryType": "prefixNone"}
    every = {"plural": 2, "synonym": 2, "is": 2}
    assert bench.scores("nbExactWords", "dog food", **asked) == every
    found = bench.scores("nbExactWords", "dog food", alternativesAsExact=[], **asked)
    assert found == {"is": 2, "plural": 1, "synonym": 1}
    found = bench.scores(
        "nbExactWords", "dog food", alternativesAsExact=["ignorePlurals"], **asked
    )
    assert found == {"plural": 2, "is": 2, "synonym": 1}


def test_exact_counts_synonyms_of_several_words_only_if_told(corpus: Build) -> None:
    bench = corpus({"ny": "new york pizza"})
    bench.keep("synonyms", [{"type": "oneWaySynonym", "input": "nyc", "synonyms": ["new york"]}])
    assert bench.scores("nbExactWords", "nyc pizza") == {"ny": 1}
    found = bench.scores("nbExactWords", "nyc pizza", alternativesAsExact=["multiWordsSynonym"])
    assert found["ny"] > 1


def test_custom_descending_and_ascending(corpus: Build) -> None:
    records = {"b": {"text": "x", "n": 2}, "a": {"text": "x", "n": 1}, "c": {"text": "x", "n": 3}}
    assert corpus(records, customRanking=["desc(n)"]).ids("x") == ["c", "b", "a"]
    assert corpus(records, customRanking=["asc(n)"]).ids("x") == ["a", "b", "c"]


def test_custom_breaks_ties_of_the_first_attribute_by_the_second(corpus: Build) -> None:
    records = {
        "c": {"text": "x", "n": 1, "m": 5},
        "b": {"text": "x", "n": 2, "m": 1},
        "a": {"text": "x", "n": 2, "m": 9},
    }
    assert corpus(records, customRanking=["desc(n)", "desc(m)"]).ids("x") == ["a", "b", "c"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_custom_a_missing_value_comes_last(corpus: Build, order: str) -> None:
    # Whichever way it is sorted.
    records = {
        "missing": {"text": "x"},
        "null": {"text": "x", "n": None},
        "n": {"text": "x", "n": 1},
    }
    assert corpus(records, customRanking=[f"{order}(n)"]).ids("x")[0] == "n"


def test_custom_true_comes_before_false_when_descending(corpus: Build) -> None:
    # Booleans sort as words do: false, then true.
    records = {"no": {"text": "x", "featured": False}, "yes": {"text": "x", "featured": True}}
    assert corpus(records, customRanking=["desc(featured)"]).ids("x") == ["yes", "no"]
    assert corpus(records, customRanking=["asc(featured)"]).ids("x") == ["no", "yes"]


def test_custom_strings_sort_by_their_first_fifty_characters(corpus: Build) -> None:
    # "Strings are ordered by the lexicographical order of their first 50 Unicode characters."
    long = "x" * 50
    names = {"2": f"{long}b", "1": f"{long}a", "lower": "alpha", "upper": "Beta"}
    records = {each: {"text": "x", "name": name} for each, name in names.items()}
    assert corpus(records, customRanking=["asc(name)"]).ids("x") == ["upper", "lower", "2", "1"]


def test_custom_orders_an_empty_query(corpus: Build) -> None:
    records = {"a": {"text": "x", "n": 1}, "b": {"text": "y", "n": 2}}
    assert corpus(records, customRanking=["desc(n)"]).ids() == ["b", "a"]


EIGHT = {
    # Each is better than the one above it in one criterion, and worse in all that follow.
    "typo": {"text": "dogs foox", "n": 9},
    "proximity": {"text": "dog x x food", "n": 8},
    "attribute": {"text": "x x x x dog food", "n": 7},
    "exact": {"text": "x dog foods", "n": 6},
    "custom": {"text": "x dog food", "n": 4},
    "best": {"text": "x dog food", "n": 5},
}


def test_a_criterion_counts_only_among_equals_in_all_before_it(corpus: Build) -> None:
    # "The engine compares on one criterion after another as long as they are equal."
    bench = corpus(EIGHT, customRanking=["desc(n)"])
    expected = ["best", "custom", "exact", "attribute", "proximity"]
    assert bench.ids("dog food") == expected


def test_the_order_of_the_criteria_can_be_changed(corpus: Build) -> None:
    bench = corpus(EIGHT, customRanking=["desc(n)"], ranking=["custom", "typo"])
    assert bench.ids("dog food") == ["proximity", "attribute", "exact", "best", "custom"]


def test_sorting_by_an_attribute_comes_before_all_that_stands_behind_it(corpus: Build) -> None:
    # "Place the modifiers at the top if you're configuring an index just for sorting."
    bench = corpus(EIGHT, ranking=["asc(n)", "typo", "proximity", "attribute", "exact", "custom"])
    assert bench.ids("dog food") == ["custom", "best", "exact", "attribute", "proximity"]
