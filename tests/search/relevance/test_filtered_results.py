"""What filters let through: the parameters filters, facetFilters, numericFilters, tagFilters and
optionalFilters with their scores.
"""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build

BOOKS = {
    "a": {
        "text": "x",
        "kind": "Book",
        "genre": ["Fiction", "Crime"],
        "price": 9.99,
        "sizes": [1, 5],
        "sold": True,
        "_tags": ["new"],
        "author": {"name": "John Doe"},
    },
    "b": {"text": "x", "kind": "eBook", "genre": "Fiction", "price": 5, "_tags": "old"},
    "c": {"text": "x", "kind": "Film", "price": 20, "sold": False, "sizes": [3]},
}
FACETS = ["kind", "genre", "sold", "author.name"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("kind:Book", "a"),
        ("kind:Book OR kind:eBook", "ab"),
        ("genre:Crime", "a"),  # one element of an array is enough
        ("genre:Fiction AND kind:eBook", "b"),
        ("NOT kind:Film", "ab"),
        ("NOT genre:Crime", "bc"),  # what has no genre hasn't that one
        ("genre:Fiction AND (kind:Book OR kind:Film)", "a"),
        ("genre:Fiction AND NOT kind:Book", "b"),
        ("price > 5", "ac"),
        ("price >= 5 AND price <= 9.99", "ab"),
        ("price < 9.99", "b"),
        ("price = 20", "c"),
        ("price != 20", "ab"),
        ("price:5 TO 10", "ab"),  # both ends are in it
        ("NOT price:5 TO 10", "c"),
        ("price = 9.9904", "a"),  # precise up to three decimals
        ("price = 9.991", ""),
        ("sizes > 4", "a"),
        ("sold:true", "a"),
        ("sold:false", "c"),
        ("_tags:new", "a"),
        ("new OR old", "ab"),
        ("author.name:'John Doe'", "a"),
        ('"author.name":"John Doe"', "a"),
        ("unknown:x", ""),
        ("NOT unknown:x", "abc"),
        ("kind:Bo", ""),  # whole values
    ],
)
def test_filters_let_through_what_they_describe(
    corpus: Build, filters: str, expected: str
) -> None:
    bench = corpus(BOOKS, attributesForFaceting=FACETS)
    assert bench.ids("x", filters=filters) == [*expected]


def test_an_attribute_that_is_not_for_faceting_filters_nothing_in(corpus: Build) -> None:
    # attributesForFaceting: only attributes listed there can be filtered by.
    assert corpus(BOOKS).ids("x", filters="kind:Book") == []


@pytest.mark.parametrize(
    ("facet_filters", "expected"),
    [
        (["kind:Book"], "a"),
        ("kind:Book", "a"),
        (["genre:Fiction", "kind:eBook"], "b"),  # the outer list is ANDed
        ([["kind:Book", "kind:Film"]], "ac"),  # an inner one is ORed
        ([["kind:Book", "kind:Film"], "genre:Crime"], "a"),
        (["kind:-Book"], "bc"),  # a dash negates
        ([["kind:-Book", "genre:Crime"]], "abc"),
        ('[["kind:Book", "kind:Film"], "genre:Crime"]', "a"),  # JSON may come as a string
    ],
)
def test_lists_of_facet_filters_are_ands_of_ors(
    corpus: Build, facet_filters: object, expected: str
) -> None:
    bench = corpus(BOOKS, attributesForFaceting=FACETS)
    assert bench.ids("x", facetFilters=facet_filters) == [*expected]


def test_a_value_that_begins_with_a_dash_is_escaped(corpus: Build) -> None:
    records = {"dash": {"text": "x", "kind": "-a"}, "other": {"text": "x", "kind": "a"}}
    bench = corpus(records, attributesForFaceting=["kind"])
    assert bench.ids("x", facetFilters=["kind:\\-a"]) == ["dash"]
    assert bench.ids("x", facetFilters=["kind:-a"]) == ["dash"]


@pytest.mark.parametrize(
    ("numeric_filters", "expected"),
    [
        (["price>5"], "ac"),
        (["price >= 5", "price<10"], "ab"),
        ([["price<6", "price = 20"]], "bc"),
        (["price:5 TO 10"], "ab"),
        ("price>5,price<10", "a"),
    ],
)
def test_lists_of_numeric_filters_are_ands_of_ors(
    corpus: Build, numeric_filters: object, expected: str
) -> None:
    assert corpus(BOOKS).ids("x", numericFilters=numeric_filters) == [*expected]


def test_tag_filters_are_of_the_records_tags(corpus: Build) -> None:
    bench = corpus(BOOKS)
    assert bench.ids("x", tagFilters=["new"]) == ["a"]
    assert bench.ids("x", tagFilters=[["new", "old"]]) == ["a", "b"]
    assert bench.ids("x", tagFilters=["-new"]) == ["b", "c"]


def test_filters_of_all_kinds_hold_together(corpus: Build) -> None:
    bench = corpus(BOOKS, attributesForFaceting=FACETS)
    assert bench.ids("x", filters="genre:Fiction", numericFilters=["price<6"]) == ["b"]
    assert bench.ids("x", facetFilters=["genre:Fiction"], tagFilters=["new"]) == ["a"]


def test_numbers_can_be_kept_from_filtering(corpus: Build) -> None:
    # "To turn off filtering, specify an attribute that doesn't exist in your index."
    assert corpus(BOOKS, numericAttributesForFiltering=["none"]).ids("x", filters="price>5") == []
    bench = corpus(BOOKS, numericAttributesForFiltering=["price"])
    assert bench.ids("x", filters="price>5") == ["a", "c"]
    assert bench.ids("x", filters="sizes>0") == []


def test_optional_filters_exclude_nothing_and_rank_first(corpus: Build) -> None:
    bench = corpus(BOOKS, attributesForFaceting=FACETS)
    assert bench.ids("x", optionalFilters=["kind:Film"]) == ["c", "a", "b"]
    # "With a negative filter, matching records rank after records that don't match."
    assert bench.ids("x", optionalFilters=["kind:-Book"]) == ["b", "c", "a"]


def test_scores_of_optional_filters_add_up(corpus: Build) -> None:
    bench = corpus(BOOKS, attributesForFaceting=FACETS)
    optional = ["kind:Film<score=3>", "genre:Fiction<score=2>", "genre:Crime<score=2>"]
    assert bench.scores("filters", "x", optionalFilters=optional) == {"a": 4, "c": 3, "b": 2}


def test_of_ored_optional_filters_the_best_counts_unless_they_are_to_be_summed(
    corpus: Build,
) -> None:
    # sumOrFiltersScores: "If true, all filter scores are summed. Otherwise, the maximum is kept."
    bench = corpus(BOOKS, attributesForFaceting=FACETS)
    optional = [["genre:Fiction<score=2>", "genre:Crime<score=3>"]]
    assert bench.scores("filters", "x", optionalFilters=optional) == {"a": 3, "b": 2, "c": 0}
    summed = bench.scores("filters", "x", optionalFilters=optional, sumOrFiltersScores=True)
    assert summed == {"a": 5, "b": 2, "c": 0}


def test_ored_filters_may_have_scores_too(corpus: Build) -> None:
    bench = corpus(BOOKS, attributesForFaceting=FACETS)
    filters = "kind:Book<score=1> OR kind:Film<score=5>"
    assert bench.scores("filters", "x", filters=filters) == {"c": 5, "a": 1}


def test_optional_filters_count_before_custom_ranking_and_after_typos(corpus: Build) -> None:
    bench = corpus(
        {
            "typo": {"text": "herpes", "kind": "a", "n": 9},
            "no": {"text": "heroes", "kind": "b", "n": 9},
            "yes": {"text": "heroes", "kind": "a", "n": 1},
        },
        attributesForFaceting=["kind"],
        customRanking=["desc(n)"],
    )
    assert bench.ids("heroes", optionalFilters=["kind:a"]) == ["yes", "no", "typo"]


def test_nothing_is_promoted_where_the_ranking_lacks_the_criterion(corpus: Build) -> None:
    # "This parameter must be present in the ranking if you want to use optionalFilters."
    bench = corpus(BOOKS, attributesForFaceting=FACETS, ranking=["typo", "custom"])
    assert bench.ids("x", optionalFilters=["kind:Film"]) == ["a", "b", "c"]


def test_records_can_be_filtered_by_objectid_which_is_not_declared(corpus: Build) -> None:
    bench = corpus({"a": "red", "b": "red", "A": "red"}, attributesForFaceting=["objectID"])
    assert bench.ids("red", filters="objectID:a") == ["a"]  # its case matters
    assert bench.ids("red", facetFilters=["objectID:-a"]) == ["b", "A"]
    assert bench.ids("red", filters="objectID:b OR objectID:A") == ["b", "A"]
    assert bench.ids("red", filters="objectID:nobody") == []
    assert bench.ids("red", optionalFilters=["objectID:A"]) == ["A", "a", "b"]


def test_objectids_are_never_counted(corpus: Build) -> None:
    # "The engine ignores it if you declare it in attributesForFaceting."
    bench = corpus({"a": "red"}, attributesForFaceting=["objectID"])
    assert bench.json("red", facets=["*", "objectID"])["facets"] == {}
