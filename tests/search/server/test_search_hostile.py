"""Whatever a client sends, it is told what is wrong, and never anything of another's."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest

from storagebox.search.engine import highlight
from storagebox.search.server import routes
from storagebox.search.server.resources import objects, searching
from storagebox.search.server.secured import sign
from tests.search.server.conftest import ADMIN, APP, Api

NO_JSON = (
    b"{",
    b"{} {}",
    b'{"query": "\\ud800"}',
    b'{"n": 1e400}',
    b'{"n": -1e400}',
    b'{"n": NaN}',
    b"\xff\xfe{}",
    b"\xef\xbb\xbf{}",
    b"[" * 5000,
    b'{"a":' * 5000,
)
BODIES = (
    b"null",
    b'["x", {}, null]',
    b'{"requests": [null]}',
    b'{"params": 5, "cursor": [], "acl": [[]], "destination": {}}',
    b'{"query": "\\u0000", "objectID": "\\u0000", "a": 1, "a": 2}',
)
NAMES = ("a%2Fb", "%00", "%ff", "%", "*", "..", "%2e%2e", "x" * 300, "%F0%9F%98%80", "%20")
RESTRICTIONS = {"restrictIndices": "", "restrictSources": "", "validUntil": ""}


def raw(api: Api, method: str, path: str, **more: Any) -> httpx.Response:
    """A request whose path is sent as it is."""

    async def ask() -> httpx.Response:
        url = httpx.URL("http://search").copy_with(raw_path=path.encode())
        headers = {"x-algolia-application-id": APP, "x-algolia-api-key": ADMIN}
        return await api.http.request(method, url, headers=headers, **more)

    return api.run(ask())


def check(answer: httpx.Response, what: object) -> None:
    """An answer, or a documented error in its shape."""
    assert answer.status_code < 500, (what, answer.text)
    told = answer.json()
    if answer.status_code >= 400:
        assert told["status"] == answer.status_code, what
        assert told["message"], what


def test_every_route_tells_what_is_wrong_with_any_body(api: Api) -> None:
    api.save("t")
    named = {"{index}": "t", "{id}": "x", "{facet}": "title", "{task}": "1", "{key}": "k"}
    named |= {"{dictionary}": "stopwords", "{source}": "s"}
    for rule in routes.RULES:
        path = rule.path
        for variable, value in named.items():
            path = path.replace(variable, value)
        if rule.method in ("GET", "DELETE"):
            continue
        for body in BODIES:
            check(raw(api, rule.method, path, content=body), (rule.method, path, body))
    assert not [fields for event, fields in api.events if event == "fault"]


@pytest.mark.parametrize("body", NO_JSON)
def test_what_is_no_json_is_told_with_its_place(api: Api, body: bytes) -> None:
    for method, path in (("POST", "/1/indexes/t/query"), ("PUT", "/1/indexes/t/x")):
        status, message = api.refused(method, path, content=body)
        assert status == 400
        assert message.startswith("Invalid JSON: ")
        assert " near line:1 column:" in message


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_index_has_is_told_of_on_every_route(api: Api, name: str) -> None:
    for rule in routes.RULES:
        if "{index}" not in rule.path:
            continue
        path = rule.path.replace("{index}", name)
        for variable in ("{id}", "{facet}", "{task}"):
            path = path.replace(variable, name)
        content = {} if rule.method in ("GET", "DELETE") else {"content": b"{}"}
        check(raw(api, rule.method, path, **content), (rule.method, path))
    assert not [fields for event, fields in api.events if event == "fault"]


@pytest.mark.parametrize(
    "path", ["/1/indexes/kept/", "/1/indexes/kept//", "/1/indexes/kept/rules/"]
)
def test_who_deletes_what_has_an_empty_name_deletes_nothing_else(api: Api, path: str) -> None:
    api.save("kept")
    assert raw(api, "DELETE", path).status_code == 404
    assert len(api.found("kept")) == 3


def test_records_that_are_asked_for_are_bounded_and_read_beside_searches(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.save("many")
    one = {"indexName": "many", "objectID": "sun"}
    path = "/1/indexes/*/objects"
    got = api.ok("POST", path, {"requests": [one] * 1000})["results"]
    assert {each["objectID"] for each in got} == {"sun"}
    status, message = api.refused("POST", path, {"requests": [one] * 1001})
    assert (status, message) == (400, "requests: 1001 in one request are over 1000")
    threads: list[bool] = []
    read = objects._record  # pyright: ignore[reportPrivateUsage]

    def record(*arguments: Any) -> Any:
        try:
            asyncio.get_running_loop()
            threads.append(False)
        except RuntimeError:
            threads.append(True)
        return read(*arguments)

    monkeypatch.setattr(objects, "_record", record)
    api.ok("POST", path, {"requests": [one]})
    assert threads == [True]


def test_a_batch_with_something_wrong_in_it_does_nothing(api: Api) -> None:
    good = {"action": "addObject", "body": {"objectID": "good"}}
    api.save("mixed")
    for bad in ({"action": "fly"}, {"action": "updateObject", "body": {}}, 5):
        body = {"requests": [good, bad]}
        assert api.refused("POST", "/1/indexes/mixed/batch", body)[0] == 400
    assert api.refused("GET", "/1/indexes/mixed/good")[0] == 404


@pytest.mark.parametrize("name", RESTRICTIONS)
def test_a_restriction_that_is_empty_opens_nothing(api: Api, name: str) -> None:
    api.save("t")
    key = sign(api.key("search"), {name: ""})
    status, _ = api.refused("POST", "/1/indexes/t/query", {}, key=key)
    assert status == (400 if name == "validUntil" else 403)


def test_a_secured_key_widens_no_restriction_of_its_parent(api: Api) -> None:
    api.save("t")
    parent = api.key("search", queryParameters="restrictSources=10.0.0.0%2F8")
    key = sign(parent, {"restrictSources": "127.0.0.0/8"})
    status, message = api.refused("POST", "/1/indexes/t/query", {}, key=key)
    assert (status, message) == (403, "Source not allowed with this API key")
    both = api.key("search", queryParameters="restrictSources=127.0.0.0%2F8")
    assert api.found("t", key=sign(both, {"restrictSources": "127.0.0.1/32"}))


def test_logs_tell_who_may_see_some_indices_nothing_of_others(api: Api) -> None:
    api.save("open")
    api.save("closed")
    requests = [{"indexName": name, "query": "secret words"} for name in ("open", "closed")]
    api.ok("POST", "/1/indexes/*/queries", {"requests": requests})
    api.ok("GET", "/1/keys")
    api.found("open", "plain words")
    key = api.key("logs", indexes=["open"])
    told = api.ok("GET", "/1/logs?length=1000", key=key)["logs"]
    assert any("plain words" in entry["query_body"] for entry in told)
    assert {entry["index"] for entry in told} == {"open"}
    assert not any("secret words" in entry["query_body"] for entry in told)
    assert api.refused("GET", "/1/logs", key=api.key("search"))[0] == 403


def test_a_cursor_and_a_task_of_another_application_tell_nothing(
    serve: Callable[..., Api],
) -> None:
    api = serve(apps=("MUSIC", "BOOKS"))
    api.save("t")
    api.save("t", [{"objectID": f"book{n}", "title": "b"} for n in range(3)], app="BOOKS")
    cursor = api.ok("POST", "/1/indexes/t/browse", {"hitsPerPage": 1})["cursor"]
    page = api.ok("POST", "/1/indexes/t/browse", {"cursor": cursor}, app="BOOKS")
    assert all(hit["objectID"].startswith("book") for hit in page["hits"])
    api.done("PUT", "/1/indexes/t/settings", {"customRanking": ["asc(year)"]})
    cursor = api.ok("POST", "/1/indexes/t/browse", {"hitsPerPage": 1})["cursor"]
    assert api.refused("POST", "/1/indexes/t/browse", {"cursor": cursor}, app="BOOKS")[0] == 400
    task = api.applications["MUSIC"].last
    path = f"/1/indexes/t/task/{task}"
    assert api.ok("GET", path)["status"] == "published"
    assert api.refused("GET", path, app="BOOKS")[0] == 404


@pytest.mark.parametrize(
    "content",
    [
        [[], "x", 0],
        [{"filters": 1}, "x", 0],
        [{"filters": "year > 1979"}, "", -5],
        [{}, base64.urlsafe_b64encode(orjson.dumps([["asc(x)"], ["y"], 1])).decode(), 0],
        [{}, base64.urlsafe_b64encode(orjson.dumps([[], [], "z"])).decode(), 0],
    ],
)
def test_a_cursor_that_somebody_made_opens_nothing(api: Api, content: Any) -> None:
    api.save("forged")
    key = api.key("browse", queryParameters="filters=" + quote("year<1970"))
    cursor = base64.urlsafe_b64encode(orjson.dumps(content)).decode()
    answer = api("POST", "/1/indexes/forged/browse", {"cursor": cursor}, key=key)
    assert answer.status_code in (200, 400)
    assert all(hit["year"] < 1970 for hit in answer.json().get("hits", ()))


def test_a_page_beyond_all_numbers_is_empty(api: Api) -> None:
    api.save("paged")
    asked = {"page": (1 << 63) - 1, "hitsPerPage": 1000}
    assert api.ok("POST", "/1/indexes/paged/query", asked)["hits"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"highlightPreTag": "x" * 513},
        {"snippetEllipsisText": "x" * 513},
        {"attributesToHighlight": [str(number) for number in range(1001)]},
        {"attributesToSnippet": ["title:5"] * 1001},
        {"facets": ["artist"] * 1001},
    ],
)
def test_what_each_hit_would_be_gone_through_for_is_bounded(
    api: Api, asked: dict[str, Any]
) -> None:
    api.save("shown")
    status, message = api.refused("POST", "/1/indexes/shown/query", asked)
    assert (status, message[:17]) == (400, "Invalid value for")


def test_as_many_replicas_as_a_body_holds_are_refused_at_once(api: Api) -> None:
    replicas = {"replicas": [f"replica{number}" for number in range(200_000)]}
    status, message = api.refused("PUT", "/1/indexes/many/settings", replicas)
    assert status == 400
    assert message.endswith("expected an array of at most 1000 strings")


def test_answers_to_several_searches_are_bounded_together(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.save("large", [{"objectID": str(number), "text": "x" * 1000} for number in range(10)])
    asked = {"requests": [{"indexName": "large", "attributesToHighlight": []}] * 5}
    assert len(api.ok("POST", "/1/indexes/*/queries", asked)["results"]) == 5
    monkeypatch.setattr(searching, "_MAX_BYTES", 25_000)
    status, message = api.refused("POST", "/1/indexes/*/queries", asked)
    assert status == 400
    assert message.startswith("requests: the answers to the first 3 take more than")


def test_marks_do_not_make_an_answer_many_times_as_long(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.save("marked", [{"objectID": str(number), "text": f"a {number} " * 9} for number in "123"])
    monkeypatch.setattr(highlight, "_MAX_ADDED", 100)
    hits = api.ok("POST", "/1/indexes/marked/query", {"query": "a", "highlightPreTag": "<" * 10})
    marks = [hit["_highlightResult"]["text"]["value"].count("<" * 10) for hit in hits["hits"]]
    assert marks == [9, 0, 0]


def test_no_more_words_are_looked_at_for_marks_than_is_quick(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.save("looked", [{"objectID": each, "text": "one two three " * 9 + each} for each in "ab"])
    monkeypatch.setattr(highlight, "_MAX_LOOKED_AT", 20)
    asked = {"query": "three", "attributesToHighlight": [], "attributesToSnippet": ["text:4"]}
    hits = api.ok("POST", "/1/indexes/looked/query", asked)["hits"]
    assert [hit["_snippetResult"]["text"] for hit in hits] == [
        {"value": "…<em>three</em> one two <em>three</em>…", "matchLevel": "full"},
        {"value": "one two three one…", "matchLevel": "none"},
    ]


def test_settings_that_many_change_at_once_are_all_merged(api: Api) -> None:
    api.save("busy")
    patches = [
        {"hitsPerPage": 7},
        {"customRanking": ["desc(year)"]},
        {"attributesForFaceting": ["artist"]},
        {"userData": {"a": 1}},
        {"minProximity": 3},
    ]

    async def change() -> list[httpx.Response]:
        path = "/1/indexes/busy/settings"
        sends = [api.send("PUT", path, patch) for patch in patches for _ in range(5)]
        return await asyncio.gather(*sends)

    tasks = [answer.json()["taskID"] for answer in api.run(change())]
    assert api.applications[APP].wait(max(tasks), 30)
    told = api.ok("GET", "/1/indexes/busy/settings")
    for patch in patches:
        for name, value in patch.items():
            assert told[name] == value
