"""Records over HTTP: single ones, batches, and what is answered when something is wrong."""

from __future__ import annotations

from typing import Any

import orjson

from tests.search.server.conftest import ADMIN, APP, TRACKS, Api


def test_a_record_without_an_id_gets_one(api: Api) -> None:
    answer = api("POST", "/1/indexes/given", {"title": "Heroes"})
    assert answer.status_code == 201
    made = answer.json()
    assert made.keys() == {"createdAt", "taskID", "objectID"}
    assert api.applications[APP].wait(made["taskID"], 10)
    assert api.ok("GET", f"/1/indexes/given/{made['objectID']}")["title"] == "Heroes"


def test_an_id_may_hold_whatever_an_address_can_carry(api: Api) -> None:
    for object_id, path in (("a/b", "a%2Fb"), ("ü ?&#", "%C3%BC%20%3F%26%23"), ("*", "%2A")):
        api.done("PUT", f"/1/indexes/odd/{path}", {"title": object_id})
        assert api.ok("GET", f"/1/indexes/odd/{path}")["objectID"] == object_id
    api.done("DELETE", "/1/indexes/odd/a%2Fb")
    assert api.refused("GET", "/1/indexes/odd/a%2Fb") == (404, "ObjectID does not exist")


def test_records_are_got_with_the_attributes_asked_for(api: Api) -> None:
    api.save("got")
    one = api.ok("GET", "/1/indexes/got/heroes?attributesToRetrieve=title%2Cyear")
    assert one == {"objectID": "heroes", "title": "Heroes", "year": 1977}
    requests = [
        {"indexName": "got", "objectID": "ashes", "attributesToRetrieve": ["artist"]},
        {"indexName": "got", "objectID": "nobody"},
    ]
    many = api.ok("POST", "/1/indexes/*/objects", {"requests": requests})
    assert many == {"results": [{"objectID": "ashes", "artist": "David Bowie"}, None]}


def test_partial_updates_change_what_they_name(api: Api) -> None:
    api.save("updated")
    change = {"plays": {"_operation": "Increment", "value": 2}, "year": 1978}
    api.done("POST", "/1/indexes/updated/heroes/partial", change)
    api.done("POST", "/1/indexes/updated/none/partial?createIfNotExists=false", change)
    assert api.ok("GET", "/1/indexes/updated/heroes") == {**TRACKS[0], "plays": 2, "year": 1978}
    assert api("GET", "/1/indexes/updated/none").status_code == 404


def test_a_batch_on_several_indices_tells_a_task_for_each(api: Api) -> None:
    requests = [
        {"action": "addObject", "indexName": "one", "body": {"objectID": "1"}},
        {"action": "addObject", "indexName": "two", "body": {"objectID": "2"}},
        {"action": "deleteObject", "indexName": "one", "body": {"objectID": "1"}},
    ]
    answer = api.done("POST", "/1/indexes/*/batch", {"requests": requests})
    assert answer["taskID"].keys() == {"one", "two"}
    assert answer["objectIDs"] == ["1", "2", "1"]
    assert api.found("one") == []
    assert api.found("two") == ["2"]


def test_what_matches_filters_is_deleted(api: Api) -> None:
    api.save("cut")
    api.done("POST", "/1/indexes/cut/deleteByQuery", {"filters": "year < 1978"})
    assert api.found("cut") == ["ashes"]
    status, message = api.refused("POST", "/1/indexes/cut/deleteByQuery", {})
    assert status == 400
    assert "deleteBy" in message


def test_a_try_that_follows_another_is_the_same_write(api: Api) -> None:
    """The Request-ID is one for a whole call: a new connection tells a try from a request."""
    api.save("counted", [{"objectID": "n", "plays": 0}])
    more = {"plays": {"_operation": "Increment", "value": 1}}
    headers = {"request-id": "Abcdefghij1"}

    async def send(port: int) -> Any:
        import httpx

        transport = httpx.ASGITransport(api.app, client=("10.0.0.1", port))
        async with httpx.AsyncClient(transport=transport, base_url="http://search") as http:
            about = {"x-algolia-application-id": APP, "x-algolia-api-key": ADMIN, **headers}
            return await http.post("/1/indexes/counted/n/partial", json=more, headers=about)

    first = api.run(send(1)).json()
    again = api.run(send(2)).json()
    assert again["taskID"] == first["taskID"]
    another = api.run(send(2)).json()
    assert another["taskID"] > first["taskID"]
    assert api.applications[APP].wait(another["taskID"], 10)
    assert api.ok("GET", "/1/indexes/counted/n")["plays"] == 2


def test_what_is_wrong_with_a_write_is_told(api: Api) -> None:
    batch = "/1/indexes/wrong/batch"
    for body, part in (
        (b"", "No content"),
        (b"{", "Invalid JSON"),
        (b"[]", "JSON object"),
        (b'{"requests": 1}', "requests"),
        (b'{"requests": [{"action": "fly", "body": {}}]}', "fly"),
        (b'{"requests": [{"action": "updateObject", "body": {}}]}', "objectID"),
        (b'{"requests": [{"action": "addObject", "body": 1}]}', "JSON object"),
    ):
        status, message = api.refused("POST", batch, content=body)
        assert status == 400, body
        assert part in message
    record = {"objectID": "x", "text": "y" * 100_001}
    status, message = api.refused("PUT", "/1/indexes/wrong/x", record)
    assert status == 400
    assert "size=" in message


def test_deep_nesting_is_an_error_like_any_other(api: Api) -> None:
    for depth in (200, 260, 900, 100_000):
        body = b'{"a":' * depth + b"1" + b"}" * depth
        answer = api("PUT", "/1/indexes/deep/x", content=body)
        assert answer.status_code in (200, 400), depth
        if answer.status_code == 200:
            assert api.applications[APP].wait(answer.json()["taskID"], 10)
            assert api("GET", "/1/indexes/deep/x").status_code == 200
            assert api("POST", "/1/indexes/deep/query", {"query": "1"}).status_code == 200


def test_a_body_that_is_too_long_is_refused_once_it_was_read(api: Api) -> None:
    large = orjson.dumps({"query": "x" * (5 << 20)})
    assert api.refused("POST", "/1/indexes/deep/query", content=large)[0] == 413
