"""What a client sends is refused before the log, with the words that clients know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storagebox.search.writes import accepting
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.operations import (
    Batch,
    CopyIndex,
    DictionaryBatch,
    MoveIndex,
    Request,
)
from storagebox.search.writes.refused import Refused

LIMITS = Limits(record_bytes=1000)


def batch(*requests: Any, index: str | None = "tracks") -> Batch:
    return accepting.batch(index, {"requests": list(requests)}, "seed", LIMITS)


def refusal(work: Callable[..., object], *arguments: Any) -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        work(*arguments)
    return caught.value.to_json()


def test_every_action_is_taken_in_order() -> None:
    made = batch(
        {"action": "addObject", "body": {"objectID": "1", "a": 1}},
        {"action": "updateObject", "body": {"objectID": "2"}},
        {"action": "partialUpdateObject", "body": {"objectID": "3", "a": 2}},
        {"action": "partialUpdateObjectNoCreate", "body": {"objectID": "4"}},
        {"action": "deleteObject", "body": {"objectID": "5"}},
        {"action": "clear"},
        {"action": "delete", "body": {}},
    )
    assert [request.object_id for request in made.requests] == ["1", "2", "3", "4", "5", "", ""]
    assert made.requests[0] == Request("tracks", "addObject", "1", {"objectID": "1", "a": 1})


def test_an_object_id_may_be_a_number_and_is_made_where_it_may_be_missing() -> None:
    made = batch({"action": "updateObject", "body": {"objectID": 7}})
    assert made.requests[0].body == {"objectID": "7"}
    added = {"action": "addObject", "body": {"title": "x"}}
    first, second = batch(added, added).requests
    assert first.object_id != second.object_id
    assert first.body == {"title": "x", "objectID": first.object_id}
    assert batch(added, added).requests == (first, second)  # tried again, the same records
    assert accepting.batch("i", {"requests": [added]}, "other", LIMITS).requests[0] != first


@pytest.mark.parametrize(
    "action",
    ["updateObject", "partialUpdateObject", "partialUpdateObjectNoCreate", "deleteObject"],
)
@pytest.mark.parametrize("object_id", [None, "", True, 1.5, ["1"]])
def test_an_object_id_that_is_missing_is_said_as_algolia_says_it(
    action: str, object_id: Any
) -> None:
    said = refusal(batch, {"action": action, "body": {"objectID": object_id}})
    wanted = f"The 'objectID' attribute is required to use action={action}"
    assert said["message"].startswith(wanted)
    assert said["status"] == 400


def test_a_record_too_big_is_named_with_its_place_and_size() -> None:
    small = {"action": "addObject", "body": {"objectID": "1"}}
    big = {"action": "addObject", "body": {"objectID": "big", "text": "x" * 1000}}
    said = refusal(batch, small, big)
    assert said["message"].startswith(
        "Record at the position 1 objectID=big is too big size=1028/1000 bytes"
    )
    assert (said["position"], said["objectID"], said["status"]) == (1, "big", 400)


def test_what_is_no_json_of_an_index_is_refused() -> None:
    deep: dict[str, Any] = {}
    for _ in range(400):
        deep = {"a": deep}
    for value in (1 << 70, "\ud800", deep):
        said = refusal(batch, {"action": "addObject", "body": {"objectID": "1", "a": value}})
        assert "can't be kept" in said["message"]


@pytest.mark.parametrize(
    "name", ["", "a/b", "a*", "a?b", "a%2Fb", "a&b", "a#b", "x" * 257, "a\nb", ".", "..", 5, None]
)
def test_a_bad_index_name_is_said_as_algolia_says_it(name: Any) -> None:
    said = {"message": "indexName is not valid", "status": 400}
    assert refusal(accepting.index_name, name) == said


@pytest.mark.parametrize("name", ["tracks", "Füße 1", "a.b:c", "$tmp", "x" * 256])
def test_a_good_index_name_is_taken(name: str) -> None:
    assert accepting.index_name(name) == name


def test_a_batch_on_several_indices_names_one_in_each_request() -> None:
    requests = [{"action": "clear", "indexName": "a"}, {"action": "clear", "indexName": "b"}]
    made = batch(*requests, index=None)
    assert [request.index for request in made.requests] == ["a", "b"]
    with pytest.raises(Refused, match="indexName is not valid"):
        batch({"action": "clear"}, index=None)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"requests": {}},
        {"requests": ["x"]},
        {"requests": [{"action": "explode", "body": {}}]},
        {"requests": [{"action": "addObject"}]},
        {"requests": [{"action": "addObject", "body": "text"}]},
        {"requests": [{"action": "updateObject", "body": {"objectID": "x" * 3000}}]},
        {
            "requests": [
                {
                    "action": "partialUpdateObject",
                    "body": {"objectID": "1", "a": {"_operation": "Increment", "value": "x"}},
                }
            ]
        },
    ],
)
def test_a_batch_that_is_none_is_refused(body: Any) -> None:
    assert refusal(accepting.batch, "tracks", body, "seed", LIMITS)["status"] == 400


def test_a_deletion_by_filters_needs_one_that_can_be_understood() -> None:
    wanted = {"filters": "year < 1970"}
    assert accepting.delete_by("tracks", wanted).params == wanted
    for body in ({}, {"filters": ""}, {"filters": "year <"}, {"query": "abc"}, []):
        assert refusal(accepting.delete_by, "tracks", body)["status"] == 400


def test_copies_and_moves() -> None:
    make = accepting.copy_or_move
    assert make("a", {"operation": "move", "destination": "b"}) == MoveIndex("a", "b")
    copied = make("a", {"operation": "copy", "destination": "b", "scope": ["rules", "settings"]})
    assert copied == CopyIndex("a", "b", ("rules", "settings"))
    for body in (
        {},
        {"operation": "copy", "destination": "a"},
        {"operation": "swap", "destination": "b"},
        {"operation": "copy", "destination": "b", "scope": ["records"]},
        {"operation": "move", "destination": "b", "scope": ["rules"]},
        {"operation": "copy"},
    ):
        assert refusal(make, "a", body)["status"] == 400


def test_settings_are_checked_as_the_language_checks_them() -> None:
    made = accepting.set_settings("a", {"hitsPerPage": 5, "distinct": None}, True)
    assert made.settings == {"hitsPerPage": 5, "distinct": None}
    for patch in ({"hitsPerPages": 5}, {"hitsPerPage": "many"}, {"nonsense": None}, []):
        assert refusal(accepting.set_settings, "a", patch, False)["status"] == 400


def test_keys_are_checked_field_by_field() -> None:
    made = accepting.add_key({"acl": ["search"], "validity": 60, "createdAt": 5}, "secret")
    assert made.fields == {"acl": ["search"], "validity": 60}
    for body in (
        {},
        {"acl": "search"},
        {"acl": ["fly"]},
        {"acl": [], "validity": -1},
        {"acl": [], "validity": True},
        {"acl": [], "indexes": [1]},
        {"acl": [], "color": "red"},
    ):
        assert refusal(accepting.add_key, body, "secret")["status"] == 400


def test_synonyms_and_rules_are_checked_as_the_language_checks_them() -> None:
    rule = {"objectID": "1", "consequence": {"params": {"query": "x"}}}
    made = accepting.save_items("a", "rules", [rule], True, False)
    assert made.items == (rule,)
    synonym = {"objectID": "1", "type": "synonym", "synonyms": ["a", "b"]}
    assert accepting.save_items("a", "synonyms", [synonym], True, False).items == (synonym,)
    for items in ({}, [{}], [{"objectID": ""}], ["x"], [{"objectID": "1"}]):
        for scope in ("synonyms", "rules"):
            assert refusal(accepting.save_items, "a", scope, items, False, False)["status"] == 400


def test_dictionaries_have_three_names_and_two_actions() -> None:
    entry = {"objectID": "1", "language": "en", "word": "the"}
    requests = [
        {"action": "addEntry", "body": entry},
        {"action": "deleteEntry", "body": {"objectID": "2"}},
    ]
    body = {"clearExistingDictionaryEntries": True, "requests": requests}
    made = accepting.dictionary_batch("stopwords", body)
    assert made == DictionaryBatch("stopwords", (entry,), ("2",), True)
    for name, wrong in (
        ("slang", body),
        ("plurals", {}),
        ("plurals", {"requests": [{"action": "addEntry", "body": {}}]}),
        ("plurals", {"requests": [{"action": "swap", "body": entry}]}),
        ("plurals", {"requests": [{"action": "addEntry", "body": {**entry, "language": []}}]}),
    ):
        assert refusal(accepting.dictionary_batch, name, wrong)["status"] == 400
    off = {"disableStandardEntries": {"plurals": {"fr": True}, "stopwords": None}}
    assert accepting.dictionary_settings(off).settings == off
    for wrong in ({}, {"disableStandardEntries": {"slang": {}}}):
        assert refusal(accepting.dictionary_settings, wrong)["status"] == 400
