"""Records with more attributes than the tables number: every one is searched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.search.engine.conftest import Bench

ATTRIBUTES = [f"a{at}" for at in range(200)]
EVERYWHERE = {name: f"word{at} other{at}" for at, name in enumerate(ATTRIBUTES)}


@pytest.fixture(params=["none named", "all named"])
def many(request: pytest.FixtureRequest, filled: Callable[..., Bench]) -> Bench:
    """One record with 200 attributes, one with their first words in one attribute."""
    named = ATTRIBUTES if request.param == "all named" else []
    return filled(
        {"wide": EVERYWHERE, "narrow": {"a0": "word150 other150 word151"}},
        searchableAttributes=named,
    )


def test_each_of_two_hundred_attributes_is_searched(many: Bench) -> None:
    for at in range(200):
        assert "wide" in many.ids(f"word{at} other{at}", typoTolerance=False), at


def test_words_of_different_attributes_are_far_apart(many: Bench) -> None:
    # Side by side in the one record, in two attributes beyond the 64th in the other.
    assert many.ids("word150 word151", typoTolerance=False) == ["narrow", "wide"]
    info = [
        hit.ranking_info["proximityDistance"]
        for hit in many.answer("word150 word151", typoTolerance=False, getRankingInfo=True).hits
        if hit.ranking_info
    ]
    assert info == [2, 8]


def test_a_word_that_is_all_of_its_attribute_is_exact_wherever(filled: Any) -> None:
    short = dict.fromkeys(ATTRIBUTES, "")
    bench = filled(
        {
            "part": {**short, "a150": "red shoe"},
            "whole": {**short, "a150": "red", "a151": "shoe"},
        },
        searchableAttributes=[],
    )
    assert bench.ids("red") == ["whole", "part"]


def test_what_has_hundreds_of_attributes_is_whole_after_a_restart(many: Bench) -> None:
    many.reopen()
    assert many.ids("word199 other199") == ["wide"]
    [hit] = many.answer("word199", attributesToHighlight=["a199"]).hits
    assert hit.record["a199"] == "word199 other199"
    assert hit.highlight is not None
    assert hit.highlight["a199"]["value"] == "<em>word199</em> other199"
