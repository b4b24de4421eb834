"""Indices over HTTP: settings, synonyms, rules, copies, tasks, browsing, dictionaries, logs."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.search.server.conftest import ADMIN, APP, TRACKS, Api


def test_settings_are_merged_reset_and_told_with_defaults(api: Api) -> None:
    path = "/1/indexes/set/settings"
    api.done("PUT", path, {"hitsPerPage": 3, "attributesForFaceting": ["artist"]})
    api.done("PUT", path, {"hitsPerPage": None, "customRanking": ["desc(year)"]})
    told = api.ok("GET", path + "?getVersion=2")
    assert told["hitsPerPage"] == 20
    assert told["attributesForFaceting"] == ["artist"]
    assert told["customRanking"] == ["desc(year)"]
    assert api.refused("PUT", path, {"hitsPerPages": 3})[0] == 400
    assert api.refused("PUT", path + "?forwardToReplicas=maybe", {})[0] == 400
    assert api.refused("GET", "/1/indexes/no/settings") == (404, "Index no does not exist")


def test_a_search_obeys_the_settings_of_its_index(api: Api) -> None:
    api.save("obeyed")
    settings = {
        "hitsPerPage": 1,
        "customRanking": ["asc(year)"],
        "unretrievableAttributes": ["year"],
    }
    api.done("PUT", "/1/indexes/obeyed/settings", settings)
    answer = api.ok("POST", "/1/indexes/obeyed/query", {"query": ""}, key=api.key("search"))
    assert [hit["objectID"] for hit in answer["hits"]] == ["sun"]
    assert "year" not in answer["hits"][0]
    assert (answer["nbHits"], answer["nbPages"]) == (3, 3)
    seen = api.ok("POST", "/1/indexes/obeyed/query", {"query": ""})
    assert seen["hits"][0]["year"] == 1969
    assert "year" not in api.ok("GET", "/1/indexes/obeyed/sun", key=api.key("search"))


@pytest.mark.parametrize(
    ("path", "one", "two", "missing"),
    [
        (
            "synonyms",
            {"type": "synonym", "synonyms": ["song", "track"]},
            {"type": "oneWaySynonym", "input": "phone", "synonyms": ["handset"]},
            "Synonym set does not exist",
        ),
        (
            "rules",
            {
                "conditions": [{"pattern": "song", "anchoring": "is"}],
                "consequence": {"params": {}},
            },
            {
                "conditions": [{"context": "mobile"}],
                "consequence": {"params": {}},
                "enabled": False,
            },
            "ObjectID does not exist",
        ),
    ],
)
def test_synonyms_and_rules_are_kept_found_and_forgotten(
    api: Api, path: str, one: dict[str, Any], two: dict[str, Any], missing: str
) -> None:
    base = f"/1/indexes/with_{path}/{path}"
    made = api.done("PUT", base + "/one", one)
    assert made["taskID"] > 0
    api.done("POST", base + "/batch", [{"objectID": "two", **two}])
    assert api.ok("GET", base + "/one") == {**one, "objectID": "one"}
    found = api.ok("POST", base + "/search", {"query": "song"})
    assert (found["nbHits"], found["hits"][0]["objectID"]) == (1, "one")
    assert api.ok("POST", base + "/search")["nbHits"] == 2
    page = api.ok("POST", base + "/search", {"page": 1, "hitsPerPage": 1})
    assert [hit["objectID"] for hit in page["hits"]] == ["two"]
    api.done("DELETE", base + "/one")
    assert api.refused("GET", base + "/one") == (404, missing)
    replaced = {"synonyms": "replaceExistingSynonyms", "rules": "clearExistingRules"}[path]
    api.done("POST", f"{base}/batch?{replaced}=true", [{"objectID": "one", **one}])
    assert api.ok("POST", base + "/search")["nbHits"] == 1
    api.done("POST", base + "/clear")
    assert api.ok("POST", base + "/search")["nbHits"] == 0
    assert api.refused("PUT", base + "/bad", {"type": "nonsense", "conditions": 1})[0] == 400


def test_synonyms_are_filtered_by_type_and_rules_by_their_conditions(api: Api) -> None:
    base = "/1/indexes/filtered"
    plain = {"objectID": "1", "type": "synonym", "synonyms": ["a", "b"]}
    one_way = {"objectID": "2", "type": "oneWaySynonym", "input": "c", "synonyms": ["d"]}
    api.done("POST", base + "/synonyms/batch", [plain, one_way])
    found = api.ok("POST", base + "/synonyms/search", {"type": "onewaysynonym"})
    assert [hit["objectID"] for hit in found["hits"]] == ["2"]
    rule = {
        "objectID": "1",
        "conditions": [{"pattern": "x", "anchoring": "contains", "context": "home"}],
        "consequence": {"userData": 1},
    }
    api.done("POST", base + "/rules/batch", [rule])
    for asked, count in (
        ({"anchoring": "contains"}, 1),
        ({"anchoring": "is"}, 0),
        ({"context": "home"}, 1),
        ({"enabled": False}, 0),
        ({"enabled": True}, 1),
    ):
        assert api.ok("POST", base + "/rules/search", asked)["nbHits"] == count, asked


def test_indices_are_copied_moved_cleared_deleted_and_listed(api: Api) -> None:
    api.save("origin")
    api.done("PUT", "/1/indexes/origin/settings", {"hitsPerPage": 2})
    copy = {"operation": "copy", "destination": "copied"}
    api.done("POST", "/1/indexes/origin/operation", copy)
    assert len(api.found("copied")) == 2
    only = {"operation": "copy", "destination": "settled", "scope": ["settings"]}
    api.done("POST", "/1/indexes/origin/operation", only)
    assert api.found("settled") == []
    assert api.ok("GET", "/1/indexes/settled/settings")["hitsPerPage"] == 2
    moved = api.done(
        "POST", "/1/indexes/copied/operation", {"operation": "move", "destination": "moved"}
    )
    assert api.refused("POST", "/1/indexes/copied/query", {})[0] == 404
    task = api.ok("GET", f"/1/indexes/copied/task/{moved['taskID']}")
    assert task["status"] == "published"  # though its index is gone
    api.done("POST", "/1/indexes/moved/clear")
    assert api.found("moved") == []
    items = {item["name"]: item for item in api.ok("GET", "/1/indexes")["items"]}
    assert items["origin"]["entries"] == 3
    assert items["moved"]["entries"] == 0
    api.done("DELETE", "/1/indexes/moved")
    assert api("DELETE", "/1/indexes/never").status_code == 200
    page = api.ok("GET", "/1/indexes?page=0&hitsPerPage=1")
    assert len(page["items"]) == 1
    assert page["nbPages"] == len(api.ok("GET", "/1/indexes")["items"])


def test_the_same_copy_twice_in_one_call_is_made_twice(api: Api) -> None:
    """As replaceAllObjects does, with one Request-ID: what was written between comes along."""
    api.save("live", TRACKS[:1])
    copy = {"operation": "copy", "destination": "live_tmp"}
    headers = {"request-id": "Abcdefghij2"}
    api.done("POST", "/1/indexes/live/operation", copy, headers=headers)
    api.save("live", TRACKS[1:])
    api.done("POST", "/1/indexes/live/operation", copy, headers=headers)
    assert len(api.found("live_tmp")) == len(TRACKS)


def test_a_task_is_waited_for_a_moment(api: Api) -> None:
    task = api.ok("PUT", "/1/indexes/tasked/1", {"title": "x"})["taskID"]
    assert api.ok("GET", f"/1/indexes/tasked/task/{task}")["status"] == "published"
    assert api.ok("GET", f"/1/task/{task}")["status"] == "published"
    assert api.refused("GET", "/1/indexes/tasked/task/x")[0] == 400


def test_everything_is_browsed_page_by_page(api: Api) -> None:
    api.save("browsed", [{"objectID": str(n), "n": n} for n in range(25)])
    seen: list[str] = []
    body: dict[str, Any] = {"hitsPerPage": 10, "filters": "n < 21"}
    while True:
        page = api.ok("POST", "/1/indexes/browsed/browse", body)
        seen += [hit["objectID"] for hit in page["hits"]]
        if "cursor" not in page:
            break
        body = {"cursor": page["cursor"]}  # which says what was asked
    assert sorted(map(int, seen)) == list(range(21))
    for cursor in ("nonsense", "bm9uc2Vuc2U=", "W10="):
        assert api.refused("POST", "/1/indexes/browsed/browse", {"cursor": cursor})[0] == 400
    assert len(api.ok("GET", "/1/indexes/browsed/browse?hitsPerPage=3")["hits"]) == 3


def test_a_cursor_opens_nothing_that_its_user_may_not_see(api: Api) -> None:
    api.save("fenced", [{"objectID": str(n), "n": n} for n in range(9)])
    cursor = api.ok("POST", "/1/indexes/fenced/browse", {"hitsPerPage": 1})["cursor"]
    key = api.key("browse", queryParameters="filters=n%3C3")
    rest = api.ok("POST", "/1/indexes/fenced/browse", {"cursor": cursor}, key=key)
    assert all(hit["n"] < 3 for hit in rest["hits"])


def test_an_applications_own_dictionaries_are_kept(api: Api) -> None:
    entry = {"objectID": "1", "language": "en", "word": "the", "state": "enabled"}
    requests = [{"action": "addEntry", "body": entry}]
    api.done("POST", "/1/dictionaries/stopwords/batch", {"requests": requests})
    found = api.ok("POST", "/1/dictionaries/stopwords/search", {"query": "the"})
    assert (found["nbHits"], found["hits"][0]["word"]) == (1, "the")
    languages = api.ok("GET", "/1/dictionaries/*/languages")
    assert languages["en"]["stopwords"] == {"nbCustomEntries": 1}
    assert languages["fr"]["stopwords"] is None
    disabled = {"disableStandardEntries": {"stopwords": {"fr": True}}}
    api.done("PUT", "/1/dictionaries/*/settings", disabled)
    told = api.ok("GET", "/1/dictionaries/*/settings")
    assert told["disableStandardEntries"]["stopwords"] == {"fr": True}
    assert api.refused("POST", "/1/dictionaries/colours/batch", {"requests": []})[0] == 400


def test_own_stop_words_and_plurals_count_in_the_next_search(api: Api) -> None:
    api.save("sea", [{"objectID": "o", "text": "octopodes"}, {"objectID": "w", "text": "what"}])

    def found(query: str) -> list[str]:
        asked = {"query": query, "removeStopWords": ["en"], "ignorePlurals": ["en"]}
        hits = api.ok("POST", "/1/indexes/sea/query", {**asked, "typoTolerance": False})["hits"]
        return [hit["objectID"] for hit in hits]

    assert found("foo octopus ") == []
    stop_word = {"objectID": "1", "language": "en", "word": "foo", "state": "enabled"}
    plural = {"objectID": "2", "language": "en", "words": ["octopus", "octopodes"]}
    for dictionary, entry in (("stopwords", stop_word), ("plurals", plural)):
        requests = [{"action": "addEntry", "body": entry}]
        api.done("POST", f"/1/dictionaries/{dictionary}/batch", {"requests": requests})
    assert found("foo octopus") == ["o"]
    # "what" is a stop word of English until the application does without ours.
    assert found("what octopus") == ["o"]
    disabled = {"disableStandardEntries": {"stopwords": {"en": True}}}
    api.done("PUT", "/1/dictionaries/*/settings", disabled)
    assert found("what octopus") == []
    assert found("foo octopus") == ["o"]


def test_own_compounds_count_in_queries_and_records(api: Api) -> None:
    settings = {
        "searchableAttributes": ["text"],
        "queryLanguages": ["de"],
        "decompoundedAttributes": {"de": ["text"]},
        "typoTolerance": False,
    }
    api.done("PUT", "/1/indexes/salads/settings", settings)
    texts = {
        "head": "Kopfsalat",
        "parts": "Salat mit Kopf",
        "tide": "Hochzeit",
        "two": "hoch Zeit",
    }
    api.save("salads", [{"objectID": each, "text": text} for each, text in texts.items()])
    assert sorted(api.found("salads", "salat")) == ["head", "parts"]
    # A wedding is no high time.
    assert sorted(api.found("salads", "hochzeit")) == ["tide", "two"]
    own = {"Hochzeit": [], "Kopfsalat": ["Kopf", "Sala"]}
    requests = [
        {
            "action": "addEntry",
            "body": {"objectID": word, "language": "de", "word": word, "decomposition": parts},
        }
        for word, parts in own.items()
    ]
    api.done("POST", "/1/dictionaries/compounds/batch", {"requests": requests})
    assert api.found("salads", "hochzeit") == ["tide"]
    assert api.found("salads", "zeit") == ["two"]
    assert sorted(api.found("salads", "sala")) == ["head", "parts"]
    assert api.found("salads", "salat") == ["parts"]
    english = {"decompoundedAttributes": {"en": ["text"]}}
    status, message = api.refused("PUT", "/1/indexes/salads/settings", english)
    assert status == 400
    assert message.endswith("of the languages da, de, fi, nb, nl, no, sv")


def test_logs_tell_the_latest_requests_without_keys(api: Api) -> None:
    api.save("logged")
    api.found("logged", "heroes")
    api.refused("POST", "/1/indexes/logged/query", {"nonsense": 1})
    entries = api.ok("GET", "/1/logs?length=3&indexName=logged")["logs"]
    wrong, search, _ = entries
    assert (wrong["answer_code"], search["answer_code"]) == ("400", "200")
    assert (search["method"], search["url"]) == ("POST", "/1/indexes/logged/query")
    assert (search["query_nb_hits"], search["index"]) == ("1", "logged")
    assert "heroes" in search["query_body"]
    errors = api.ok("GET", "/1/logs?type=error&length=1")["logs"]
    assert errors[0]["answer_code"] >= "400"
    secret = api.key("search")
    api.found("logged", key=secret)
    api("GET", f"/1/keys/{secret}")
    api("GET", f"/1/indexes?x-algolia-api-key={secret}")
    told = str(api.ok("GET", "/1/logs?length=1000"))
    assert ADMIN not in told
    assert secret not in told


def test_logs_are_asked_for_in_known_ways(api: Api) -> None:
    assert api.refused("GET", "/1/logs?length=1001")[0] == 400
    assert api.refused("GET", "/1/logs?type=nonsense")[0] == 400


def test_allowed_sources_are_refused_rather_than_forgotten(api: Api) -> None:
    assert api.ok("GET", "/1/security/sources") == []
    body = [{"source": "10.0.0.0/8", "description": "home"}]
    assert api.refused("PUT", "/1/security/sources", body)[0] == 402


def test_replicas_have_what_their_primary_has(api: Api) -> None:
    api.save("sorted")
    replicas = {"replicas": ["sorted_year", "virtual(sorted_relevance)"]}
    api.done("PUT", "/1/indexes/sorted/settings", replicas)
    ranking = {"ranking": ["desc(year)", "typo", "words"]}
    api.done("PUT", "/1/indexes/sorted_year/settings", ranking)
    assert api.found("sorted_year") == ["ashes", "heroes", "sun"]
    assert len(api.found("sorted_relevance")) == 3
    told = api.ok("GET", "/1/indexes/sorted_year/settings")
    assert told["primary"] == "sorted"
    status, message = api.refused("PUT", "/1/indexes/sorted_year/x", {})
    assert status == 403
    assert "replica" in message


def test_what_is_no_path_or_method_is_told_as_json(api: Api) -> None:
    assert api.refused("GET", "/2/indexes") == (404, "Path not found")
    assert api.refused("GET", "/") == (404, "Path not found")
    assert api.refused("PATCH", "/1/indexes/a/b")[0] == 405
    assert api("GET", "/1/indexes/").status_code == 200


def test_browsers_of_any_page_may_ask(api: Api) -> None:
    async def preflight() -> Any:
        return await api.http.options(
            "/1/indexes/*/queries",
            headers={
                "origin": "https://page.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "content-type,x-algolia-api-key",
            },
        )

    answer = api.run(preflight())
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-algolia-api-key" in answer.headers["access-control-allow-headers"]
    origin = {"origin": "https://page.example"}
    for path in ("/1/indexes", "/nowhere"):
        assert api("GET", path, headers=origin).headers["access-control-allow-origin"] == "*"


def test_a_call_is_known_by_the_id_that_its_client_gave(api: Api) -> None:
    answer = api("GET", "/1/indexes", headers={"request-id": "Abcdefghij3"})
    assert answer.headers["correlation-id"] == "Abcdefghij3"
    odd = api("GET", "/1/indexes", headers={"request-id": "a b"})
    assert odd.headers["correlation-id"].isalnum()
    assert api.applications[APP].fault is None


def test_sizes_are_those_of_the_records_and_of_the_files(api: Api) -> None:
    def listed() -> dict[str, Any]:
        items = api.ok("GET", "/1/indexes")["items"]
        (item,) = [item for item in items if item["name"] == "sized"]
        return item

    records = [{"objectID": str(n), "title": f"ü{n}", "n": [n, None]} for n in range(30)]
    api.save("sized", records)
    api.save("sized", [{"objectID": "1", "title": "another"}])
    api.done("DELETE", "/1/indexes/sized/2")
    kept = [each for each in records if each["objectID"] not in ("1", "2")]
    kept.append({"objectID": "1", "title": "another"})
    told = listed()
    assert told["dataSize"] == sum(len(orjson.dumps(record)) for record in kept)
    index = api.applications[APP].index("sized")
    assert index is not None
    assert told["fileSize"] == index.size_bytes()
    assert told["fileSize"] != told["dataSize"]
    assert told["lastBuildTimeS"] == 0  # there were no tables to build of so few
    api.done("POST", "/1/indexes/sized/clear")
    assert listed()["dataSize"] == 0
