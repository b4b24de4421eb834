"""getRankingInfo: the numbers by which a record stands where it does."""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build, Corpus

RECORDS = {
    "typo": {"title": "x heroas david", "album": "bowie", "n": 3},
    "apart": {"title": "heroes x david", "album": "bowie", "n": 2},
    "best": {"title": "x heroes david", "album": "bowie", "n": 1},
}


@pytest.fixture
def heroes(corpus: Build) -> Corpus:
    return corpus(RECORDS, searchableAttributes=["title", "album"], customRanking=["asc(n)"])


def test_every_criterion_is_told(heroes: Corpus) -> None:
    found = heroes.info("heroes david")
    assert list(found) == ["best", "apart", "typo"]
    best = found["best"]
    assert best["nbTypos"] == 0
    assert best["proximityDistance"] == 1
    assert best["firstMatchedWord"] == 1
    assert best["nbExactWords"] == 2
    assert best["words"] == 2
    assert best["filters"] == 0
    assert best["promoted"] is False
    assert found["apart"]["proximityDistance"] == 2
    assert found["typo"]["nbTypos"] == 1
    assert found["typo"]["nbExactWords"] == 1


def test_the_order_of_hits_is_that_of_the_numbers(heroes: Corpus) -> None:
    keys = [
        (
            info["nbTypos"],
            info["geoDistance"],
            -info["words"],
            -info["filters"],
            info["proximityDistance"],
            info["firstMatchedWord"],
            -info["nbExactWords"],
        )
        for info in heroes.info("david heroes").values()
    ]
    assert keys == sorted(keys)


def test_criteria_are_told_where_the_ranking_does_not_compare_them(corpus: Build) -> None:
    # An index that is sorted by an attribute still says how well its hits match.
    bench = corpus(
        RECORDS, searchableAttributes=["title", "album"], ranking=["desc(n)"], customRanking=[]
    )
    found = bench.info("heroes david")
    assert list(found) == ["typo", "apart", "best"]
    assert [info["nbTypos"] for info in found.values()] == [1, 0, 0]
    assert [info["words"] for info in found.values()] == [2, 2, 2]
    assert [info["proximityDistance"] for info in found.values()] == [1, 2, 1]


def test_nothing_is_told_unless_it_is_asked_for(heroes: Corpus) -> None:
    found = heroes.json("heroes")
    assert "_rankingInfo" not in found["hits"][0]
    assert "parsedQuery" not in found


def test_the_words_that_are_searched_are_told(heroes: Corpus) -> None:
    assert heroes.json('Héroes "DAVID"!', getRankingInfo=True)["parsedQuery"] == "heroes david"
