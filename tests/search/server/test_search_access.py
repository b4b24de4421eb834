"""Who may do what: keys, secured keys, their restrictions, applications apart from each other."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest

from tests.search.server.conftest import ADMIN, APP, NOW_S, Api

INVALID = (403, "Invalid Application-ID or API key")
NOT_ALLOWED = (403, "Method not allowed with this API key")
INDEX_NOT_ALLOWED = (403, "Index not allowed with this API key")


def secured(parent: str, **restrictions: object) -> str:
    encoded = urlencode(sorted(restrictions.items()), quote_via=quote)
    signature = hmac.new(parent.encode(), encoded.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode((signature + encoded).encode()).decode()


@pytest.fixture(scope="module", autouse=True)
def _tracks(api: Api) -> None:
    api.save("tracks")
    api.save("secret")


def test_application_and_key_come_in_headers_or_in_the_address(api: Api) -> None:
    async def post(address: str, **headers: str) -> int:
        answer = await api.http.post(address, content=b'{"query":""}', headers=headers)
        return answer.status_code

    path = "/1/indexes/tracks/query"
    assert api.run(post(f"{path}?x-algolia-application-id={APP}&X-Algolia-API-Key={ADMIN}")) == 200
    assert api.run(post(path)) == 403
    assert api.run(post(path, **{"x-algolia-application-id": APP})) == 403
    body = f'{{"apiKey": "{ADMIN}", "query": ""}}'
    moved = api.run(api.http.post(f"{path}?x-algolia-application-id={APP}", content=body.encode()))
    assert moved.status_code == 200


@pytest.mark.parametrize("key", ["", "nonsense", "ü", "x" * 10_000, ADMIN[:-1], ADMIN + "0"])
def test_a_wrong_key_opens_nothing(api: Api, key: str) -> None:
    headers = {"x-algolia-api-key": key.encode()}
    assert api.refused("POST", "/1/indexes/tracks/query", {}, headers=headers) == INVALID


def test_an_application_that_is_not_there_looks_like_a_wrong_key(api: Api) -> None:
    assert api.refused("GET", "/1/indexes", app="OTHER") == INVALID


def test_a_key_does_what_its_acl_says_and_no_more(api: Api) -> None:
    key = api.key("search")
    assert api.found("tracks", "heroes", key=key) == ["heroes"]
    for method, path, body in (
        ("PUT", "/1/indexes/tracks/x", {}),
        ("DELETE", "/1/indexes/tracks", None),
        ("POST", "/1/indexes/tracks/browse", {}),
        ("POST", "/1/indexes/tracks/batch", {"requests": []}),
        ("GET", "/1/indexes/tracks/settings", None),
        ("GET", "/1/indexes/tracks/task/1", None),
        ("GET", "/1/indexes", None),
        ("GET", "/1/keys", None),
        ("GET", "/1/logs", None),
        ("POST", "/1/keys", {"acl": ["search"]}),
    ):
        assert api.refused(method, path, body, key=key) == NOT_ALLOWED, path


def test_each_action_of_a_batch_needs_its_permission(api: Api) -> None:
    key = api.key("addObject")

    def batch(action: str) -> dict[str, object]:
        return {"requests": [{"action": action, "body": {"objectID": "x"}}]}

    assert api("POST", "/1/indexes/parts/batch", batch("addObject"), key=key).status_code == 200
    for action in ("deleteObject", "clear", "delete"):
        refused = api.refused("POST", "/1/indexes/parts/batch", batch(action), key=key)
        assert refused == NOT_ALLOWED


def test_a_key_opens_only_the_indices_that_it_names(api: Api) -> None:
    key = api.key("search", "listIndexes", "addObject", indexes=["tr*", "*_public"])
    assert api.found("tracks", key=key)
    assert api.refused("POST", "/1/indexes/secret/query", {}, key=key) == INDEX_NOT_ALLOWED
    requests = [{"indexName": "tracks"}, {"indexName": "secret"}]
    several = api.refused("POST", "/1/indexes/*/queries", {"requests": requests}, key=key)
    assert several == INDEX_NOT_ALLOWED
    objects = {"requests": [{"indexName": "secret", "objectID": "heroes"}]}
    assert api.refused("POST", "/1/indexes/*/objects", objects, key=key) == INDEX_NOT_ALLOWED
    moved = {"operation": "copy", "destination": "secret"}
    assert api.refused("POST", "/1/indexes/tracks/operation", moved, key=key) == INDEX_NOT_ALLOWED
    listed = {item["name"] for item in api.ok("GET", "/1/indexes", key=key)["items"]}
    assert "tracks" in listed
    assert "secret" not in listed


def test_a_key_ends_when_it_says(api: Api) -> None:
    key = api.key("search", validity=60)
    assert api.found("tracks", key=key)
    api.now_s = NOW_S + 61
    try:
        assert api.refused("POST", "/1/indexes/tracks/query", {}, key=key) == INVALID
    finally:
        api.now_s = NOW_S


def test_a_key_is_for_the_pages_that_it_names(api: Api) -> None:
    key = api.key("search", referers=["https://music.example/*"])
    path = "/1/indexes/tracks/query"
    refused = (403, "Method not allowed with this referer")
    assert api.refused("POST", path, {}, key=key) == refused
    elsewhere = {"referer": "https://other.example/music.example/"}
    assert api.refused("POST", path, {}, key=key, headers=elsewhere) == refused
    here = {"referer": "https://music.example/player"}
    assert api("POST", path, {}, key=key, headers=here).status_code == 200


def test_the_calls_of_a_key_are_counted_by_address_and_user(api: Api) -> None:
    key = api.key("search", maxQueriesPerIPPerHour=2)
    path = "/1/indexes/tracks/query"
    for _ in range(2):
        assert api("POST", path, {}, key=key).status_code == 200
    answer = api("POST", path, {}, key=key)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    somebody = {"x-algolia-usertoken": "somebody"}
    assert api("POST", path, {}, key=key, headers=somebody).status_code == 200
    api.now_s = NOW_S + 2 * 3600
    try:
        assert api("POST", path, {}, key=key).status_code == 200
    finally:
        api.now_s = NOW_S


def test_a_key_gives_no_more_hits_at_once_than_it_says(api: Api) -> None:
    key = api.key("search", "browse", maxHitsPerQuery=2)
    answer = api.ok("POST", "/1/indexes/tracks/query", {"hitsPerPage": 50}, key=key)
    assert len(answer["hits"]) == answer["hitsPerPage"] == 2
    length = api.ok("POST", "/1/indexes/tracks/query", {"offset": 0, "length": 50}, key=key)
    assert len(length["hits"]) == 2
    assert len(api.ok("POST", "/1/indexes/tracks/browse", {}, key=key)["hits"]) == 2


def test_what_a_key_leaves_out_can_not_be_got_by_its_id_either(api: Api) -> None:
    parent = api.key("search")
    mine = secured(parent, filters="year > 1970", attributesToRetrieve="title")
    assert api.ok("GET", "/1/indexes/tracks/heroes", key=mine) == {
        "objectID": "heroes",
        "title": "Heroes",
    }
    missing = (404, "ObjectID does not exist")
    assert api.refused("GET", "/1/indexes/tracks/sun", key=mine) == missing
    path = "/1/indexes/tracks/heroes?attributesToRetrieve=year"
    assert api.ok("GET", path, key=mine) == {"objectID": "heroes", "title": "Heroes"}
    requests = [{"indexName": "tracks", "objectID": each} for each in ("sun", "ashes")]
    results = api.ok("POST", "/1/indexes/*/objects", {"requests": requests}, key=mine)["results"]
    assert [each and each["objectID"] for each in results] == [None, "ashes"]
    assert api.ok("GET", "/1/indexes/tracks/sun", key=parent)["artist"] == "The Beatles"


def test_what_a_key_adds_can_not_be_taken_away_by_a_request(api: Api) -> None:
    key = api.key("search", queryParameters="filters=year%3C1978&hitsPerPage=1")
    body = {"filters": "year > 1900", "hitsPerPage": 20}
    answer = api.ok("POST", "/1/indexes/tracks/query", body, key=key)
    assert (answer["nbHits"], answer["hitsPerPage"]) == (2, 1)
    for nonsense in ("filters=a%3A(", "nonsense=1", "restrictSources=here"):
        body = {"acl": ["search"], "queryParameters": nonsense}
        assert api.refused("POST", "/1/keys", body)[0] == 400


class TestSecuredKeys:
    def test_restrict_what_their_parent_may(self, api: Api) -> None:
        parent = api.key("search")
        key = secured(parent, filters="artist:'David Bowie' AND year<1978")
        api.done("PUT", "/1/indexes/tracks/settings", {"attributesForFaceting": ["artist"]})
        assert api.found("tracks", key=key) == ["heroes"]
        assert api.refused("PUT", "/1/indexes/tracks/x", {}, key=key) == NOT_ALLOWED

    def test_are_verified_over_the_bytes_that_came(self, api: Api) -> None:
        parent = api.key("search")
        encoded = "restrictIndices=tracks&filters=year%3c1978"  # unsorted, lower-case hex
        signature = hmac.new(parent.encode(), encoded.encode(), hashlib.sha256).hexdigest()
        key = base64.b64encode((signature + encoded).encode()).decode()
        assert sorted(api.found("tracks", key=key)) == ["heroes", "sun"]

    def test_that_are_forged_open_nothing(self, api: Api) -> None:
        parent = api.key("search")
        path = "/1/indexes/tracks/query"
        genuine = base64.b64decode(secured(parent, filters="year<1978"))
        widened = base64.b64encode(genuine.replace(b"1978", b"2978")).decode()
        assert api.refused("POST", path, {}, key=widened) == INVALID
        for key in (
            secured("f" * 32, filters="year<1978"),
            secured(ADMIN, filters="year<1978"),
            secured(secured(parent, filters="year<1978"), filters="year<1978"),
            base64.b64encode(b"x" * 80).decode(),
            base64.b64encode(b"\xff" * 80).decode(),
        ):
            assert api.refused("POST", path, {}, key=key) == INVALID

    def test_end_with_their_time_and_with_their_parent(self, api: Api) -> None:
        parent = api.key("search")
        path = "/1/indexes/tracks/query"
        key = secured(parent, validUntil=int(NOW_S) + 10)
        assert api("POST", path, {}, key=key).status_code == 200
        api.now_s = NOW_S + 11
        try:
            status, message = api.refused("POST", path, {}, key=key)
        finally:
            api.now_s = NOW_S
        assert status == 400
        assert "validUntil" in message
        api.done("DELETE", f"/1/keys/{parent}")
        assert api.refused("POST", path, {}, key=key) == INVALID

    def test_name_indices_and_addresses(self, api: Api) -> None:
        parent = api.key("search", indexes=["tracks", "secret"])
        one = secured(parent, restrictIndices="secret,other")
        assert api.found("secret", key=one)
        assert api.refused("POST", "/1/indexes/tracks/query", {}, key=one) == INDEX_NOT_ALLOWED
        away = secured(parent, restrictSources="10.0.0.0/8")
        assert api.refused("POST", "/1/indexes/tracks/query", {}, key=away)[0] == 403
        here = secured(parent, restrictSources="127.0.0.1/32")
        assert api.found("tracks", key=here)


class TestKeys:
    def test_are_given_out_changed_taken_back_and_given_out_again(self, api: Api) -> None:
        key = api.key("search", description="page")
        shown = api.ok("GET", f"/1/keys/{key}")
        assert shown["value"] == key
        assert shown["createdAt"] == int(NOW_S * 1000)
        assert shown["description"] == "page"
        own = api.ok("GET", f"/1/keys/{key}", key=key)
        assert own["description"] == "<redacted>"
        api.done("PUT", f"/1/keys/{key}", {"acl": ["browse"]})
        changed = api.ok("GET", f"/1/keys/{key}")
        assert (changed["acl"], changed["description"]) == (["browse"], "")
        api.done("DELETE", f"/1/keys/{key}")
        assert api.refused("GET", f"/1/keys/{key}") == (404, "Key does not exist")
        api.done("POST", f"/1/keys/{key}/restore")
        assert key in {each["value"] for each in api.ok("GET", "/1/keys")["keys"]}

    def test_do_not_show_each_other(self, api: Api) -> None:
        one, other = api.key("search"), api.key("search")
        assert api.refused("GET", f"/1/keys/{other}", key=one) == NOT_ALLOWED

    def test_need_an_acl_that_there_is(self, api: Api) -> None:
        for body in ({}, {"acl": ["fly"]}, {"acl": "search"}, {"acl": ["admin"]}):
            assert api.refused("POST", "/1/keys", body)[0] == 400


def test_applications_see_nothing_of_each_other(serve: Callable[..., Api]) -> None:
    api = serve(apps=("MUSIC", "BOOKS"))
    api.save("mine", app="MUSIC")
    key = api.key("search")
    assert api.refused("POST", "/1/indexes/mine/query", {}, app="BOOKS")[0] == 404
    assert api.refused("POST", "/1/indexes/mine/query", {}, app="BOOKS", key=key) == INVALID
    assert api.ok("GET", "/1/indexes", app="BOOKS")["items"] == []
    logs = api.ok("GET", "/1/logs?length=100", app="BOOKS")["logs"]
    assert not any("mine" in entry["url"] and entry["answer_code"] == "200" for entry in logs)
