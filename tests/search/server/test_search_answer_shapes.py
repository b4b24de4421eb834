"""Answers have the fields of Algolia's OpenAPI description, as its client's models carry them.

Every answer is read strictly by its model, and holds no field that the model doesn't know, but for
those named here. The models' required fields are thereby all there.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from algoliasearch.search import models
from pydantic import BaseModel

from tests.search.server.conftest import Api

# What clients that are older than the description read, or only other clients do.
BEYOND = {
    "GetTaskResponse": {"pendingTask"},
    "SettingsResponse": {"version"},
    "UpdatedAtResponse": {"id"},
    "Hit": {"title", "artist", "year"},
}


def check(model: type[BaseModel], answer: Mapping[str, Any]) -> None:
    """Read an answer by its model; raises AssertionError for a field too many."""
    read: Any = model.from_dict(deepcopy(answer))  # type: ignore[attr-defined]
    assert read is not None
    known = {field.alias or name for name, field in model.model_fields.items()}
    beyond = answer.keys() - known - BEYOND.get(model.__name__, set())
    assert not beyond, f"{model.__name__}: {beyond}"
    for name, field in model.model_fields.items():
        alias = field.alias or name
        if field.is_required():
            assert alias in answer, f"{model.__name__}: {alias} is missing"


@pytest.fixture(scope="module", autouse=True)
def _tracks(api: Api) -> None:
    settings = {"attributesForFaceting": ["searchable(artist)", "year"], "replicas": ["sorted"]}
    api.done("PUT", "/1/indexes/tracks/settings", settings)
    api.save("tracks")


def test_a_search(api: Api) -> None:
    asked = {
        "query": "heroes bowie",
        "facets": ["*"],
        "getRankingInfo": True,
        "clickAnalytics": True,
        "attributesToSnippet": ["title:2"],
        "removeWordsIfNoResults": "allOptional",
    }
    answer = api.ok("POST", "/1/indexes/tracks/query", asked)
    check(models.SearchResponse, answer)
    check(models.Exhaustive, answer["exhaustive"])
    for name in ("nbHits", "typo", "facetsCount"):
        legacy = f"exhaustive{name[0].upper()}{name[1:]}"
        assert answer["exhaustive"][name] is answer[legacy], name
    (hit,) = answer["hits"]
    check(models.Hit, hit)
    check(models.RankingInfo, hit["_rankingInfo"])
    for result in hit["_highlightResult"].values():
        check(models.HighlightResultOption, result)
    check(models.SnippetResultOption, hit["_snippetResult"]["title"])
    check(models.FacetStats, answer["facets_stats"]["year"])


def test_several_searches(api: Api) -> None:
    requests = [
        {"indexName": "tracks", "query": "a"},
        {"indexName": "tracks", "type": "facet", "facet": "artist", "facetQuery": "b"},
    ]
    answer = api.ok("POST", "/1/indexes/*/queries", {"requests": requests})
    assert answer.keys() == {"results"}
    check(models.SearchResponse, answer["results"][0])
    check(models.SearchForFacetValuesResponse, answer["results"][1])
    check(models.FacetHits, answer["results"][1]["facetHits"][0])


def test_browsing_and_records(api: Api) -> None:
    page = api.ok("POST", "/1/indexes/tracks/browse", {"hitsPerPage": 2})
    check(models.BrowseResponse, page)
    requests = [{"indexName": "tracks", "objectID": "heroes"}]
    check(
        models.GetObjectsResponse,
        api.ok("POST", "/1/indexes/*/objects", {"requests": requests}),
    )


def test_writes(api: Api) -> None:
    ask = api.done
    check(models.SaveObjectResponse, ask("POST", "/1/indexes/written", {"x": 1}))
    put = ask("PUT", "/1/indexes/written/1", {"x": 1})
    check(models.UpdatedAtWithObjectIdResponse, put)
    partial = ask("POST", "/1/indexes/written/1/partial", {"x": 2})
    check(models.UpdatedAtWithObjectIdResponse, partial)
    check(models.DeletedAtResponse, ask("DELETE", "/1/indexes/written/1"))
    batch = {"requests": [{"action": "deleteObject", "body": {"objectID": "1"}}]}
    check(models.BatchResponse, ask("POST", "/1/indexes/written/batch", batch))
    batch["requests"][0]["indexName"] = "written"
    check(models.MultipleBatchResponse, ask("POST", "/1/indexes/*/batch", batch))
    for path, body in (
        ("deleteByQuery", {"filters": "x > 1"}),
        ("clear", None),
        ("operation", {"operation": "copy", "destination": "copied"}),
        ("rules/clear", None),
        ("synonyms/batch", [{"objectID": "1", "type": "synonym", "synonyms": ["a", "b"]}]),
    ):
        answer = ask("POST", f"/1/indexes/written/{path}", body)
        check(models.UpdatedAtResponse, answer)
    task = api.ok("GET", f"/1/indexes/written/task/{answer['taskID']}")
    check(models.GetTaskResponse, task)
    rule = ask("PUT", "/1/indexes/written/rules/r", {"consequence": {"userData": 1}})
    check(models.UpdatedAtResponse, rule)
    check(models.UpdatedAtResponse, ask("DELETE", "/1/indexes/written/rules/r"))
    synonym = ask("PUT", "/1/indexes/written/synonyms/1", {"type": "synonym", "synonyms": ["a"]})
    check(models.SaveSynonymResponse, synonym)
    check(models.DeletedAtResponse, ask("DELETE", "/1/indexes/written/synonyms/1"))
    check(models.DeletedAtResponse, ask("DELETE", "/1/indexes/written"))


def test_what_an_index_has_beside_its_records(api: Api) -> None:
    synonym = {"objectID": "1", "type": "synonym", "synonyms": ["a", "b"]}
    rule = {
        "objectID": "1",
        "conditions": [{"pattern": "a", "anchoring": "is"}],
        "consequence": {"params": {"query": "b"}},
    }
    api.done("POST", "/1/indexes/tracks/synonyms/batch", [synonym])
    api.done("POST", "/1/indexes/tracks/rules/batch", [rule])
    check(models.SettingsResponse, api.ok("GET", "/1/indexes/tracks/settings"))
    check(models.SettingsResponse, api.ok("GET", "/1/indexes/sorted/settings"))
    check(models.SynonymHit, api.ok("GET", "/1/indexes/tracks/synonyms/1"))
    check(models.Rule, api.ok("GET", "/1/indexes/tracks/rules/1"))
    found = api.ok("POST", "/1/indexes/tracks/synonyms/search", {})
    check(models.SearchSynonymsResponse, found)
    rules = api.ok("POST", "/1/indexes/tracks/rules/search", {})
    check(models.SearchRulesResponse, rules)
    listed = api.ok("GET", "/1/indexes?page=0")
    check(models.ListIndicesResponse, listed)
    for item in listed["items"]:
        check(models.FetchedIndex, item)


def test_keys(api: Api) -> None:
    made = api.done("POST", "/1/keys", {"acl": ["search"]})
    check(models.AddApiKeyResponse, made)
    path = f"/1/keys/{made['key']}"
    check(models.GetApiKeyResponse, api.ok("GET", path))
    check(models.ListApiKeysResponse, api.ok("GET", "/1/keys"))
    check(models.UpdateApiKeyResponse, api.done("PUT", path, {"acl": ["browse"]}))
    check(models.DeleteApiKeyResponse, api.done("DELETE", path))
    check(models.AddApiKeyResponse, api.done("POST", path + "/restore"))


def test_an_application_as_a_whole(api: Api) -> None:
    logs = api.ok("GET", "/1/logs")
    check(models.GetLogsResponse, logs)
    for entry in logs["logs"]:
        check(models.Log, entry)
    entry = {"objectID": "1", "language": "en", "word": "the", "state": "enabled"}
    requests = [{"action": "addEntry", "body": entry}]
    saved = api.done("POST", "/1/dictionaries/stopwords/batch", {"requests": requests})
    check(models.UpdatedAtResponse, saved)
    found = api.ok("POST", "/1/dictionaries/stopwords/search", {"query": ""})
    check(models.SearchDictionaryEntriesResponse, found)
    check(models.DictionaryEntry, found["hits"][0])
    settings = api.ok("GET", "/1/dictionaries/*/settings")
    check(models.GetDictionarySettingsResponse, settings)
    languages = api.ok("GET", "/1/dictionaries/*/languages")
    check(models.Languages, languages["en"])
