"""Groups: attributeForDistinct and distinct."""

from __future__ import annotations

import pytest

from tests.search.relevance.conftest import Build, Corpus

SONGS = {
    "b2": {"text": "song", "album": "B", "n": 1},
    "a3": {"text": "song", "album": "A", "n": 3},
    "a2": {"text": "song", "album": "A", "n": 5},
    "none2": {"text": "song", "n": 2},
    "b1": {"text": "song", "album": "B", "n": 6},
    "none1": {"text": "song", "n": 4},
    "a1": {"text": "song live", "album": "A", "n": 9},
}


@pytest.fixture
def songs(corpus: Build) -> Corpus:
    return corpus(SONGS, attributeForDistinct="album", customRanking=["desc(n)"])


def test_one_of_each_group_is_shown_where_its_best_stands(songs: Corpus) -> None:
    # "If true, only one member of a group is shown."
    assert songs.ids("", distinct=True) == ["a1", "b1", "none1", "none2"]
    assert songs.ids("", distinct=1) == ["a1", "b1", "none1", "none2"]


def test_the_one_that_is_shown_is_the_best_of_those_that_match(songs: Corpus) -> None:
    # "song" is the whole value of the others: exact counts before what n says.
    assert songs.ids("song", distinct=1)[:2] == ["b1", "a2"]


def test_several_of_each_group_stand_together(songs: Corpus) -> None:
    assert songs.ids("", distinct=2) == ["a1", "a2", "b1", "b2", "none1", "none2"]


def test_what_lacks_the_attribute_is_a_group_of_its_own(songs: Corpus) -> None:
    assert {"none1", "none2"} <= {*songs.ids("", distinct=1)}


def test_hits_and_pages_count_groups(songs: Corpus) -> None:
    # "hitsPerPage controls the number of returned groups; nbHits contains their number."
    found = songs.json("", distinct=2, hitsPerPage=2)
    assert [hit["objectID"] for hit in found["hits"]] == ["a1", "a2", "b1", "b2"]
    assert (found["nbHits"], found["nbPages"]) == (4, 2)


def test_without_distinct_nothing_is_grouped(songs: Corpus) -> None:
    assert len(songs.ids("")) == len(SONGS)
    assert len(songs.ids("", distinct=0)) == len(SONGS)
    assert len(songs.ids("", distinct=False)) == len(SONGS)


def test_distinct_is_ignored_without_an_attribute(corpus: Build) -> None:
    # "The distinct setting is ignored if attributeForDistinct is not set."
    assert len(corpus(SONGS).ids("", distinct=1)) == len(SONGS)
