"""Virtual replicas: Algolia's guide to relevant sorting, and what may be set in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.search.server.conftest import Api

PHONES: tuple[dict[str, Any], ...] = (
    {"objectID": "phone", "name": "phone", "about": "red", "price": 900, "brand": "a"},
    {"objectID": "big", "name": "big phone", "about": "red", "price": 700, "brand": "a"},
    {"objectID": "case", "name": "case", "about": "for a phone", "price": 5, "brand": "b"},
    {"objectID": "cover", "name": "cover", "about": "phone cover", "price": 3, "brand": "b"},
    {"objectID": "pone", "name": "pone", "about": "a typo", "price": 1, "brand": "c"},
)


@pytest.fixture(scope="module", autouse=True)
def _phones(api: Api) -> None:
    settings = {
        "searchableAttributes": ["name", "about"],
        "attributesForFaceting": ["brand"],
        "attributeForDistinct": "brand",
        "exactOnSingleWordQuery": "none",
        "customRanking": ["desc(price)"],
        "replicas": ["virtual(phones_cheap)"],
    }
    api.save("phones", PHONES)
    api.done("PUT", "/1/indexes/phones/settings", settings)
    api.done("PUT", "/1/indexes/phones_cheap/settings", {"customRanking": ["asc(price)"]})


def ask(api: Api, **params: Any) -> dict[str, Any]:
    answer: dict[str, Any] = api.ok("POST", "/1/indexes/phones_cheap/query", params)
    return {**answer, "ids": [hit["objectID"] for hit in answer["hits"]]}


@pytest.mark.parametrize(
    ("strictness", "expected"),
    [
        (100, ["big", "phone"]),
        # Criteria are typo, words, proximity, attribute, exact; (3 + 1/2) of 5 is 70.
        (71, ["big", "phone"]),
        (70, ["cover", "case", "big", "phone"]),
        (11, ["cover", "case", "big", "phone"]),
        # A typo is the first criterion: 1/2 of 5 is 10.
        (10, ["pone", "cover", "case", "big", "phone"]),
        (0, ["pone", "cover", "case", "big", "phone"]),
    ],
)
def test_what_is_relevant_enough_is_sorted_by_the_custom_ranking(
    api: Api, strictness: int, expected: list[str]
) -> None:
    answer = ask(api, query="phone", relevancyStrictness=strictness)
    assert answer["ids"] == expected
    assert (answer["nbHits"], answer["nbSortedHits"]) == (5, len(expected))
    assert answer["appliedRelevancyStrictness"] == strictness
    assert answer["nbPages"] == 1


def test_by_default_only_the_most_relevant_are_shown(api: Api) -> None:
    assert ask(api, query="phone")["ids"] == ["big", "phone"]
    assert ask(api, query="phone", hitsPerPage=1, page=1)["ids"] == ["phone"]
    assert ask(api, query="phone", hitsPerPage=1)["nbPages"] == 2


def test_an_empty_query_shows_and_sorts_everything(api: Api) -> None:
    answer = ask(api)
    assert answer["ids"] == ["pone", "cover", "case", "big", "phone"]
    assert answer["nbSortedHits"] == 5


def test_the_primary_is_sorted_as_ever_and_tells_nothing_of_it(api: Api) -> None:
    assert api.found("phones", "phone") == ["phone", "big", "cover", "case", "pone"]
    answer = api.ok("POST", "/1/indexes/phones/query", {"query": "phone"})
    assert not {"nbSortedHits", "appliedRelevancyStrictness"} & answer.keys()


def test_facets_are_counted_in_all_that_matches(api: Api) -> None:
    answer = ask(api, query="phone", facets=["brand"])
    assert answer["facets"]["brand"] == {"a": 2, "b": 2, "c": 1}


def test_groups_are_those_of_the_primary(api: Api) -> None:
    api.done("PUT", "/1/indexes/phones_cheap/settings", {"attributeForDistinct": "about"})
    answer = ask(api, query="phone", distinct=1, relevancyStrictness=0)
    assert answer["ids"] == ["pone", "cover", "big"]
    assert (answer["nbHits"], answer["nbSortedHits"]) == (3, 3)
    strict = ask(api, query="phone", distinct=1)
    assert strict["ids"] == ["big"]
    assert (strict["nbHits"], strict["nbSortedHits"]) == (3, 1)


def test_ranking_info_tells_the_criteria_that_chose(api: Api) -> None:
    hits = ask(api, query="phone", relevancyStrictness=0, getRankingInfo=True)["hits"]
    typos = {hit["objectID"]: hit["_rankingInfo"]["nbTypos"] for hit in hits}
    assert typos == {"pone": 1, "cover": 0, "case": 0, "big": 0, "phone": 0}


def test_only_as_many_are_sorted_as_pages_reach(api: Api) -> None:
    replicas = {"paginationLimitedTo": 2, "replicas": ["virtual(few_cheap)"]}
    api.save("few", PHONES)
    api.done("PUT", "/1/indexes/few/settings", {**replicas, "customRanking": ["desc(price)"]})
    api.done("PUT", "/1/indexes/few_cheap/settings", {"customRanking": ["asc(price)"]})
    # The primary's first two, by its own ranking.
    answer = api.ok("POST", "/1/indexes/few_cheap/query", {})
    assert [hit["objectID"] for hit in answer["hits"]] == ["big", "phone"]
    assert (answer["nbHits"], answer["nbSortedHits"]) == (5, 2)


def test_how_records_are_made_ready_is_the_primarys(api: Api) -> None:
    own = {"searchableAttributes": ["about"], "ranking": ["desc(price)"], "hitsPerPage": 7}
    api.done("PUT", "/1/indexes/phones_cheap/settings", own)
    told = api.ok("GET", "/1/indexes/phones_cheap/settings")
    assert told["searchableAttributes"] == ["name", "about"]
    assert told["ranking"][0] == "typo"
    assert told["hitsPerPage"] == 7
    # What is changed there later holds here, too.
    api.done("PUT", "/1/indexes/phones/settings", {"attributesForFaceting": ["brand", "about"]})
    assert ask(api, facets=["about"])["facets"]["about"]["red"] == 2


def test_synonyms_are_its_own(api: Api) -> None:
    synonym = {"objectID": "1", "type": "oneWaySynonym", "input": "mobile", "synonyms": ["phone"]}
    api.done("PUT", "/1/indexes/phones_cheap/synonyms/1", synonym)
    assert ask(api, query="mobile")["ids"] == ["big", "phone"]
    assert api.found("phones", "mobile") == []


def test_promoted_records_stand_where_rules_put_them(api: Api) -> None:
    rule = {
        "objectID": "1",
        "conditions": [{"pattern": "phone", "anchoring": "is"}],
        "consequence": {"promote": [{"objectID": "pone", "position": 0}]},
    }
    api.done("PUT", "/1/indexes/phones_cheap/rules/1", rule)
    assert ask(api, query="phone")["ids"] == ["pone", "big", "phone"]
    api.done("POST", "/1/indexes/phones_cheap/rules/clear")
