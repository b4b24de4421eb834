"""`exhaustive`: what an answer says when there was no time to look at everything."""

from __future__ import annotations

from typing import Any

from tests.search.relevance.conftest import Build, Corpus

RECORDS = {"typo": "herpes", "is": "heroes", "red": "red"}


def _hurried(bench: Corpus, query: str, **params: Any) -> dict[str, Any]:
    """The answer of a search that has no time at all."""
    asked = bench.query(query, **params)
    return bench.index.search(asked, budget_ms=0).to_json(asked)


def test_with_time_everything_is_exhaustive(corpus: Build) -> None:
    found = corpus(RECORDS, attributesForFaceting=["text"]).json("heroes", facets=["text"])
    assert found["exhaustive"] == {
        "nbHits": True,
        "typo": True,
        "facetsCount": True,
        "facetValues": True,
    }
    assert found["exhaustiveNbHits"] is True
    assert found["exhaustiveTypo"] is True
    assert found["exhaustiveFacetsCount"] is True


def test_without_time_no_typos_are_looked_for_and_the_answer_says_so(corpus: Build) -> None:
    found = _hurried(corpus(RECORDS), "heroes")
    assert [hit["objectID"] for hit in found["hits"]] == ["is"]
    assert found["exhaustive"]["typo"] is False
    # "nbHits is reported as non-exhaustive whenever an approximation is made."
    assert found["exhaustive"]["nbHits"] is False
    assert found["exhaustiveTypo"] is False
    assert found["exhaustiveNbHits"] is False


def test_what_needs_no_time_stays_exhaustive(corpus: Build) -> None:
    # A word that may have no typos, and all records.
    for query in ("red", ""):
        found = _hurried(corpus(RECORDS), query)
        assert found["exhaustive"] == {"nbHits": True, "typo": True}


def test_nothing_is_said_about_typos_where_they_are_off(corpus: Build) -> None:
    # "This field will not be included when typo-tolerance is entirely disabled."
    found = corpus(RECORDS).json("heroes", typoTolerance=False)
    assert found["exhaustive"] == {"nbHits": True}
    assert "exhaustiveTypo" not in found


def test_facet_counts_of_an_approximation_are_no_exact_ones(corpus: Build) -> None:
    found = _hurried(corpus(RECORDS, attributesForFaceting=["text"]), "heroes", facets=["text"])
    assert found["exhaustive"]["facetsCount"] is False
    assert found["exhaustiveFacetsCount"] is False


def test_facet_values_are_not_exhaustive_where_there_are_more(corpus: Build) -> None:
    # "The value is false if not all facet values are retrieved."
    bench = corpus(RECORDS, attributesForFaceting=["text"])
    few = bench.json(facets=["text"], maxValuesPerFacet=2)["exhaustive"]
    assert (few["facetValues"], few["facetsCount"]) == (False, True)
    assert bench.json(facets=["text"], maxValuesPerFacet=3)["exhaustive"]["facetValues"] is True


def test_nothing_is_said_about_facets_that_were_not_asked_for(corpus: Build) -> None:
    found = corpus(RECORDS).json("heroes")
    assert "facetsCount" not in found["exhaustive"]
    assert "exhaustiveFacetsCount" not in found
