"""Searches over HTTP: one, several, facet values, and what their answers tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.search.server.conftest import APP, Api


@pytest.fixture(scope="module", autouse=True)
def _tracks(api: Api) -> None:
    facets = {"attributesForFaceting": ["searchable(artist)", "year"]}
    api.done("PUT", "/1/indexes/tracks/settings", facets)
    api.save("tracks")


def queries(api: Api, *requests: dict[str, Any], **more: Any) -> list[Any]:
    body = {"requests": [{"indexName": "tracks", **request} for request in requests], **more}
    return list(api.ok("POST", "/1/indexes/*/queries", body)["results"])


def test_parameters_come_as_json_in_params_or_in_the_address(api: Api) -> None:
    for answer in (
        api.ok("POST", "/1/indexes/tracks/query", {"query": "ashes", "hitsPerPage": 1}),
        api.ok("POST", "/1/indexes/tracks/query", {"params": "query=ashes&hitsPerPage=1"}),
        api.ok("GET", "/1/indexes/tracks/query?query=ashes&hitsPerPage=1"),
        api.ok("GET", "/1/indexes/tracks?query=ashes&hitsPerPage=1"),
    ):
        assert [hit["objectID"] for hit in answer["hits"]] == ["ashes"]
        assert answer["index"] == "tracks"
        assert answer["params"] == "query=ashes&hitsPerPage=1"
        assert answer["query"] == "ashes"
        assert isinstance(answer["processingTimeMS"], int)


def test_bodies_are_json_whatever_they_are_called(api: Api) -> None:
    body = json.dumps({"requests": [{"indexName": "tracks", "query": "heroes"}]}).encode()
    plain = {"content-type": "text/plain"}
    answer = api.ok("POST", "/1/indexes/*/queries", content=body, headers=plain)
    assert answer["results"][0]["nbHits"] == 1
    assert api("POST", "/1/indexes/tracks/query").status_code == 200  # no body is no parameters


def test_several_searches_are_answered_in_order(api: Api) -> None:
    results = queries(
        api,
        {"query": "heroes"},
        {"type": "facet", "facet": "artist", "facetQuery": "bea"},
        {"params": "query=sun", "facets": "artist", "hitsPerPage": 0},
    )
    assert results[0]["hits"][0]["objectID"] == "heroes"
    assert results[1]["facetHits"] == [
        {"value": "The Beatles", "highlighted": "The <em>Bea</em>tles", "count": 1}
    ]
    assert results[2]["hits"] == []
    assert results[2]["facets"] == {"artist": {"The Beatles": 1}}


def test_searches_stop_where_enough_was_found(api: Api) -> None:
    wanted = {"hitsPerPage": 1}
    results = queries(
        api,
        {"query": "nothing at all", **wanted},
        {"query": "ashes", **wanted},
        {"query": "sun", **wanted},
        strategy="stopIfEnoughMatches",
    )
    assert [len(result["hits"]) for result in results] == [0, 1, 0]
    assert results[2]["processed"] is False


def test_values_of_a_facet_are_searched(api: Api) -> None:
    path = "/1/indexes/tracks/facets/artist/query"
    found = api.ok("POST", path, {"facetQuery": "bow", "filters": "year < 1980"})
    assert [(hit["value"], hit["count"]) for hit in found["facetHits"]] == [("David Bowie", 1)]
    assert found["exhaustiveFacetsCount"] is True
    status, message = api.refused("POST", "/1/indexes/tracks/facets/year/query", {})
    assert status == 400
    assert "searchable(year)" in message


def test_only_the_fields_asked_for_are_answered(api: Api) -> None:
    body = {"query": "sun", "responseFields": ["hits", "nbHits", "index"]}
    answer = api.ok("POST", "/1/indexes/tracks/query", body)
    assert answer.keys() == {"hits", "nbHits", "index"}


def test_clicks_are_told_by_a_query_id(api: Api) -> None:
    answer = api.ok("POST", "/1/indexes/tracks/query", {"clickAnalytics": True})
    assert len(answer["queryID"]) == 32


def test_what_is_wrong_with_a_search_is_told(api: Api) -> None:
    path = "/1/indexes/tracks/query"
    for body, part in (
        ({"hitsPerPage": 1001}, "hitsPerPage"),
        ({"filters": "year >"}, "at col"),
        ({"nonsense": 1}, "Unknown parameter: nonsense"),
        ({"query": "x" * 100_000}, "query"),
        ({"query": 1}, "query"),
        ({"facetFilters": [[[["a:b"]]]]}, "facetFilters"),
    ):
        status, message = api.refused("POST", path, body)
        assert status == 400, body
        assert part in message
    assert api.refused("POST", path, content=b'"x"')[0] == 400
    assert api.refused("POST", path, content=b"\xff{")[0] == 400
    for body in (
        {},
        {"requests": 1},
        {"requests": [1]},
        {"requests": [{"query": "x"}]},
        {"requests": [{"indexName": "tracks"}] * 51},
        {"requests": [{"indexName": "tracks", "type": "facet"}]},
        {"requests": [{"indexName": "tracks"}], "strategy": "guess"},
        {"requests": [{"indexName": "tracks", "query": "x", "nonsense": 1}]},
    ):
        assert api.refused("POST", "/1/indexes/*/queries", body)[0] == 400, body
    missing = {"requests": [{"indexName": "tracks"}, {"indexName": "none"}]}
    assert api.refused("POST", "/1/indexes/*/queries", missing)[0] == 404


def test_a_fault_of_ours_is_told_to_the_operator_and_not_to_the_client(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        raise RuntimeError("the wires are crossed")

    monkeypatch.setattr(api.applications[APP], "view", broken)
    status, message = api.refused("POST", "/1/indexes/tracks/query", {})
    assert status == 500
    assert "wires" not in message
    assert "wires are crossed" in str(api.events)
    api.events.clear()


def test_synonyms_are_found_too(api: Api) -> None:
    api.save("alike")
    same = [{"objectID": "1", "type": "synonym", "synonyms": ["ziggy", "bowie"]}]
    api.done("POST", "/1/indexes/alike/synonyms/batch", same)
    assert sorted(api.found("alike", "ziggy")) == ["ashes", "heroes"]
    answer = api.ok("POST", "/1/indexes/alike/query", {"query": "ziggy", "synonyms": False})
    assert answer["hits"] == []


class TestRules:
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def _rules(cls, api: Api) -> None:
        api.done("PUT", "/1/indexes/ruled/settings", {"attributesForFaceting": ["artist"]})
        api.save("ruled")
        rules = [
            {
                "objectID": "best",
                "conditions": [{"pattern": "best", "anchoring": "contains"}],
                "consequence": {
                    "params": {"query": {"remove": ["best"]}, "hitsPerPage": 1},
                    "promote": [{"objectID": "sun", "position": 0}],
                    "userData": {"banner": "the best"},
                },
            },
            {
                "objectID": "artist",
                "conditions": [{"pattern": "{facet:artist}", "anchoring": "is"}],
                "consequence": {
                    "params": {"query": "", "automaticFacetFilters": ["artist"]},
                    "hide": [{"objectID": "ashes"}],
                },
            },
        ]
        api.done("POST", "/1/indexes/ruled/rules/batch", rules)

    def test_change_what_is_asked_and_say_so(self, api: Api) -> None:
        body = {"query": "best bowie", "getRankingInfo": True}
        answer = api.ok("POST", "/1/indexes/ruled/query", body)
        assert [hit["objectID"] for hit in answer["hits"]] == ["sun"]
        assert answer["userData"] == [{"banner": "the best"}]
        assert answer["appliedRules"] == [{"objectID": "best"}]
        assert answer["query"] == "best bowie"

    def test_turn_words_into_filters_and_hide_records(self, api: Api) -> None:
        assert api.found("ruled", "david bowie") == ["heroes"]

    def test_are_off_where_they_are_not_wanted(self, api: Api) -> None:
        body = {"query": "best bowie", "enableRules": False}
        assert api.ok("POST", "/1/indexes/ruled/query", body)["nbHits"] == 0

    def test_stay_beneath_what_a_key_says(self, api: Api) -> None:
        key = api.key("search", queryParameters="filters=year%3C1970", maxHitsPerQuery=2)
        answer = api.ok("POST", "/1/indexes/ruled/query", {"query": "david bowie"}, key=key)
        assert answer["hits"] == []

    def test_are_in_force_as_soon_as_they_are_written(self, api: Api) -> None:
        rule = {
            "objectID": "later",
            "conditions": [{"pattern": "later", "anchoring": "is"}],
            "consequence": {"params": {"query": "heroes"}},
        }
        assert api.found("ruled", "later") == []
        api.done("PUT", "/1/indexes/ruled/rules/later", rule)
        assert api.found("ruled", "later") == ["heroes"]
        api.done("DELETE", "/1/indexes/ruled/rules/later")
        assert api.found("ruled", "later") == []
