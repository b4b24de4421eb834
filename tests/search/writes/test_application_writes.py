"""Writes to one index: records, settings, synonyms, rules, keys and dictionaries; tasks."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from concurrent.futures import CancelledError
from typing import Any

import pytest

from storagebox.search.engine.changes import Change
from storagebox.search.engine.index import Index
from storagebox.search.writes import accepting, admission
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.application import Application, Unavailable
from storagebox.search.writes.operations import (
    AddKey,
    ClearIndex,
    CopyIndex,
    DeleteIndex,
    DeleteItem,
    DeleteKey,
    DictionaryBatch,
    MoveIndex,
    RestoreKey,
    SaveItems,
    SetDictionarySettings,
    UpdateKey,
)
from storagebox.search.writes.quotas import Quota
from storagebox.search.writes.refused import Refused
from tests.search.writes.tenant import PATIENCE_S, Tenant


def increment(object_id: str, by: int = 1) -> tuple[str, dict[str, Any]]:
    value = {"_operation": "Increment", "value": by}
    return "partialUpdateObject", {"objectID": object_id, "plays": value}


def test_each_action_does_what_it_says_in_its_order(tenant: Tenant) -> None:
    tenant.batch(
        "tracks",
        ("addObject", {"objectID": "1", "title": "Heroes", "year": 1977}),
        ("updateObject", {"objectID": "2", "title": "Low"}),
        ("partialUpdateObject", {"objectID": "1", "year": 1978}),
        ("partialUpdateObject", {"objectID": "3", "title": "Lodger"}),
        ("partialUpdateObjectNoCreate", {"objectID": "4", "title": "nobody"}),
        ("deleteObject", {"objectID": "2"}),
        increment("1"),
        increment("1", 4),
    )
    assert tenant.records("tracks") == {
        "1": {"objectID": "1", "title": "Heroes", "year": 1978, "plays": 5},
        "3": {"objectID": "3", "title": "Lodger"},
    }
    tenant.batch("tracks", ("addObject", {"objectID": "5"}), ("clear", None), increment("1"))
    assert tenant.records("tracks") == {"1": {"objectID": "1", "plays": 1}}
    tenant.reopen()
    assert tenant.records("tracks") == {"1": {"objectID": "1", "plays": 1}}


def test_updates_that_come_at_once_see_each_other(tenant: Tenant) -> None:
    made = accepting.batch("t", {"requests": [_request(increment("1"))]}, "", Limits())
    tasks = [tenant.app.accept(made) for _ in range(200)]
    ids = [task.result(PATIENCE_S) for task in tasks]
    assert sorted(ids) == list(range(1, 201))
    assert tenant.app.wait(200, PATIENCE_S)
    assert tenant.records("t") == {"1": {"objectID": "1", "plays": 200}}


def _request(pair: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return {"action": pair[0], "body": pair[1]}


def test_the_same_operation_again_is_the_same_task_and_done_once(tenant: Tenant) -> None:
    made = accepting.batch("t", {"requests": [_request(increment("1"))]}, "", Limits())
    task = tenant.do(made, "once")
    assert tenant.app.submit(made, "once") == task
    tenant.reopen()
    assert tenant.app.submit(made, "once") == task
    assert tenant.do(made, "twice") == task + 1
    assert tenant.records("t") == {"1": {"objectID": "1", "plays": 2}}


def test_a_batch_on_several_indices_is_one_task(tenant: Tenant) -> None:
    body = {
        "requests": [
            {"action": "addObject", "indexName": "a", "body": {"objectID": "1"}},
            {"action": "addObject", "indexName": "b", "body": {"objectID": "2"}},
            {"action": "deleteObject", "indexName": "c", "body": {"objectID": "3"}},
        ]
    }
    tenant.do(accepting.batch(None, body, "", Limits()))
    assert tenant.names() == ["a", "b"]  # a deletion brings no index into being
    assert tenant.records("b") == {"2": {"objectID": "2"}}


def test_a_large_batch_goes_through_the_log_in_pieces(tenant: Tenant) -> None:
    rng = random.Random(1)
    noise = [rng.randbytes(150).hex() for _ in range(3000)]
    task = tenant.add("t", *({"objectID": str(n), "t": text} for n, text in enumerate(noise)))
    assert task > 1  # the id is that of the last piece
    records = tenant.records("t")
    assert records is not None
    assert [records[str(n)]["t"] for n in range(3000)] == noise


def test_what_can_not_be_applied_is_told_and_harms_nothing_else(tenant: Tenant) -> None:
    tenant.add("t", {"objectID": "1", "plays": "many", "x": 1}, {"objectID": "2"})
    task = tenant.batch("t", increment("1"), increment("2"), ("deleteObject", {"objectID": "3"}))
    assert tenant.records("t") == {
        "1": {"objectID": "1", "plays": "many", "x": 1},
        "2": {"objectID": "2", "plays": 1},
    }
    (failure,) = tenant.app.failures
    assert failure["task"] == task
    assert (failure["index"], failure["object"]) == ("t", "1")
    assert "plays" in failure["reason"]
    assert tenant.app.task("t", task) == "published"


def test_a_record_that_an_update_makes_too_big_stays_as_it_is(tenant: Tenant) -> None:
    tenant.add("t", {"objectID": "1", "text": "x" * 60_000})
    tenant.batch("t", ("partialUpdateObject", {"objectID": "1", "more": "y" * 60_000}))
    assert "more" not in (tenant.records("t") or {})["1"]
    assert "too big" in tenant.app.failures[-1]["reason"]


def test_settings_are_merged_and_reset(tenant: Tenant) -> None:
    tenant.settings("t", {"hitsPerPage": 7, "searchableAttributes": ["title"]})
    tenant.settings("t", {"hitsPerPage": None, "customRanking": ["desc(year)"]})
    wanted = {"searchableAttributes": ["title"], "customRanking": ["desc(year)"]}
    assert tenant.app.meta("t", "settings") == wanted
    tenant.reopen()
    assert tenant.app.meta("t", "settings") == wanted
    assert tenant.app.meta("nothing", "settings") is None


def test_synonyms_and_rules_are_saved_replaced_and_forgotten(tenant: Tenant) -> None:
    def synonym(object_id: str, *words: str) -> dict[str, Any]:
        return {"objectID": object_id, "type": "synonym", "synonyms": list(words)}

    def rule(object_id: str, *words: str) -> dict[str, Any]:
        return {"objectID": object_id, "consequence": {"params": {"query": words[0]}}}

    for scope, make in (("synonyms", synonym), ("rules", rule)):
        one, two = make("1", "a", "b"), make("2", "c", "d")
        tenant.do(SaveItems("t", scope, (one, two)))
        changed = make("1", "x", "y")
        tenant.do(SaveItems("t", scope, (changed,)))
        assert tenant.app.meta("t", scope) == [changed, two]
        tenant.do(DeleteItem("t", scope, "1"))
        assert tenant.app.meta("t", scope) == [two]
        tenant.do(SaveItems("t", scope, (one,), replace=True))
        assert tenant.app.meta("t", scope) == [one]
        tenant.do(SaveItems("t", scope, (), replace=True))
        assert tenant.app.meta("t", scope) is None
    assert tenant.records("t") == {}
    assert not tenant.app.failures


def test_what_matches_filters_is_deleted_from_an_index_and_its_replicas(tenant: Tenant) -> None:
    tenant.settings("t", {"replicas": ["r"], "attributesForFaceting": ["artist"]})
    tenant.add(
        "t", *({"objectID": str(n), "year": 1970 + n, "artist": "ab"[n % 2]} for n in range(9))
    )
    tenant.do(accepting.delete_by("t", {"filters": "year < 1975"}))
    assert (tenant.records("t") or {}).keys() == (tenant.records("r") or {}).keys() == set("5678")
    made = accepting.batch(
        "t",
        {"requests": [_request(("addObject", {"objectID": "9", "artist": "b"}))]},
        "",
        Limits(),
    )
    tenant.app.submit(made)  # not applied yet when the deletion is accepted, and deleted by it
    tenant.do(accepting.delete_by("t", {"facetFilters": ["artist:b"]}))
    assert (tenant.records("t") or {}).keys() == set("68")
    tenant.do(accepting.delete_by("nothing", {"filters": "year < 1975"}))
    assert tenant.names() == ["r", "t"]
    assert not tenant.app.failures


def test_a_cleared_index_keeps_its_settings_and_a_deleted_one_nothing(tenant: Tenant) -> None:
    tenant.settings("t", {"hitsPerPage": 7})
    tenant.add("t", {"objectID": "1"})
    tenant.do(ClearIndex("t"))
    assert tenant.records("t") == {}
    assert tenant.app.meta("t", "settings") == {"hitsPerPage": 7}
    tenant.do(DeleteIndex("t"))
    assert tenant.app.index("t") is None
    for missing in (ClearIndex("t"), DeleteIndex("t"), DeleteItem("t", "rules", "1")):
        tenant.do(missing)
    assert tenant.names() == []
    tenant.add("t", {"objectID": "2"})
    assert tenant.app.meta("t", "settings") is None


def test_a_batch_may_delete_its_index_and_go_on(tenant: Tenant) -> None:
    tenant.settings("t", {"hitsPerPage": 7})
    tenant.add("t", {"objectID": "1", "plays": 5})
    tenant.batch("t", ("addObject", {"objectID": "2"}), ("delete", None), increment("1"))
    assert tenant.records("t") == {"1": {"objectID": "1", "plays": 1}}
    assert tenant.app.meta("t", "settings") is None
    tenant.batch("t", increment("1"), ("delete", None))
    assert tenant.names() == []


def test_keys_are_given_changed_taken_and_given_again(tenant: Tenant) -> None:
    app = tenant.app
    tenant.do(AddKey("secret", {"acl": ["search"], "validity": 3600}))
    found = app.keys.get("secret", 0)
    assert found is not None
    now_ms = found.created_ms
    assert found.to_json()["description"] == ""
    tenant.do(UpdateKey("secret", {"acl": ["browse"], "description": "x"}))
    changed = app.keys.get("secret", now_ms)
    assert changed is not None
    assert (changed.acl, changed.fields["validity"]) == (("browse",), 0)
    tenant.do(DeleteKey("secret"))
    assert app.keys.get("secret", now_ms) is None
    for refused in (UpdateKey("secret", {"acl": []}), DeleteKey("secret"), DeleteKey("other")):
        with pytest.raises(Refused, match="Key does not exist") as caught:
            app.submit(refused)
        assert caught.value.status == 404
    tenant.do(RestoreKey("secret"))
    tenant.reopen()
    assert [key.value for key in tenant.app.keys.all(now_ms)] == ["secret"]
    with pytest.raises(Refused):
        tenant.app.submit(RestoreKey("secret"))
    with pytest.raises(Refused, match="admin"):
        tenant.app.submit(DeleteKey(tenant.app.admin_key))


def test_dictionaries_are_the_applications(tenant: Tenant) -> None:
    entry = {"objectID": "1", "language": "en", "word": "the"}
    tenant.do(DictionaryBatch("stopwords", (entry, {"objectID": "2"}), ()))
    tenant.do(DictionaryBatch("stopwords", (), ("2",)))
    tenant.do(SetDictionarySettings({"disableStandardEntries": {"stopwords": {"en": True}}}))
    tenant.reopen()
    assert tenant.app.dictionaries == {"stopwords": {"1": entry}}
    assert tenant.app.dictionary_settings["disableStandardEntries"]["stopwords"] == {"en": True}
    tenant.do(DictionaryBatch("stopwords", (), (), clear=True))
    assert tenant.app.dictionaries["stopwords"] == {}


def test_a_task_is_published_once_it_is_visible_whatever_became_of_its_index(
    tenant: Tenant,
) -> None:
    app = tenant.app
    task = tenant.add("t", {"objectID": "1"})
    tenant.do(DeleteIndex("t"))
    assert app.task("t", task) == "published"
    assert app.task("nothing", task) == "published"
    assert app.task("t", task + 100) == "notPublished"
    assert not app.wait(task + 100, 0.01)
    never = app.when(task + 100)
    waiting = threading.Thread(target=lambda: app.wait(task + 2, PATIENCE_S))
    waiting.start()
    tenant.add("t", {"objectID": "1"})
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    app.close()
    with pytest.raises(CancelledError):
        never.result(0)
    with pytest.raises(Refused, match="closed"):
        app.submit(ClearIndex("t"))


def test_a_list_of_indices_has_what_the_api_has(tenant: Tenant) -> None:
    tenant.add("b", {"objectID": "1"})
    tenant.settings("a", {"replicas": ["c", "virtual(d)"]})
    listed = {item["name"]: item for item in tenant.app.indices()}
    assert list(listed) == ["a", "b", "c", "d"]
    assert (listed["b"]["entries"], listed["b"]["pendingTask"]) == (1, False)
    assert listed["a"]["replicas"] == ["c", "d"]
    assert (listed["c"]["primary"], listed["d"]["virtual"]) == ("a", True)
    for item in listed.values():
        assert item["fileSize"] > 0
        assert item["createdAt"].endswith("Z")
        assert item["createdAt"] <= item["updatedAt"]


def test_an_application_is_open_once_and_is_nobody_elses(tenant: Tenant) -> None:
    with pytest.raises(Unavailable, match="another process"):
        Application.open(tenant.folder, "TEST")
    tenant.app.close()
    with pytest.raises(Unavailable, match="it is the application TEST"):
        Application.open(tenant.folder, "OTHER")
    tenant.reopen()
    (tenant.folder.parent / "file").write_text("")
    with pytest.raises(Unavailable, match="writable"):
        Application.open(tenant.folder.parent / "file", "TEST")


def test_who_has_used_up_a_quota_may_delete_and_no_more(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_MEASURE_S", 0.0)
    tenant.app.quota = Quota(records=4)
    tenant.settings("t", {"replicas": ["r", "virtual(v)"]})
    tenant.add("t", {"objectID": "1"}, {"objectID": "2"})  # and as many in the replica
    for write in (
        lambda: tenant.add("t", {"objectID": "3"}),
        lambda: tenant.do(CopyIndex("t", "u")),
    ):
        with pytest.raises(Refused, match="Record quota exceeded") as caught:
            write()
        assert caught.value.status == 403
    tenant.settings("t", {"hitsPerPage": 5})
    tenant.batch("t", ("deleteObject", {"objectID": "1"}))
    tenant.add("t", {"objectID": "3"})
    tenant.app.quota = Quota(bytes=1)
    with pytest.raises(Refused, match="Storage quota exceeded"):
        tenant.add("t", {"objectID": "4"})


def test_who_has_as_many_indices_as_may_be_may_write_to_them_and_make_no_more(
    tenant: Tenant,
) -> None:
    tenant.add("a", {"objectID": "1"})
    tenant.app.quota = Quota(indices=2)
    tenant.add("b", {"objectID": "1"})
    rule = {"objectID": "1", "consequence": {"params": {"query": "x"}}}
    for write in (
        lambda: tenant.add("c", {"objectID": "1"}),
        lambda: tenant.do(CopyIndex("a", "c")),
        lambda: tenant.settings("c", {"hitsPerPage": 5}),
        lambda: tenant.settings("a", {"replicas": ["c"]}),
        lambda: tenant.do(accepting.save_items("c", "rules", [rule], False, False)),
    ):
        with pytest.raises(Refused, match="Index quota exceeded: 2 of 2") as caught:
            write()
        assert caught.value.status == 403
    tenant.add("a", {"objectID": "2"})
    tenant.do(CopyIndex("a", "b"))
    tenant.do(MoveIndex("b", "c"))
    tenant.do(DeleteIndex("c"))
    tenant.add("d", {"objectID": "1"})
    assert tenant.names() == ["a", "d"]


def test_a_quota_counts_what_was_let_in_and_is_not_applied_yet(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.add("a", {"objectID": "0"})
    tenant.app.quota = Quota(records=10)
    held, apply = threading.Event(), Index.apply

    def slow(index: Index, changes: Iterable[Change], position: int) -> None:
        held.wait(PATIENCE_S)
        apply(index, changes, position)

    monkeypatch.setattr(Index, "apply", slow)
    monkeypatch.setattr(admission, "_MEASURE_S", 0.0)
    write = lambda n: tenant.app.submit(  # noqa: E731
        accepting.put("a", None, {"objectID": str(n)}, "", Limits())
    )
    try:
        tasks = [write(0) for _ in range(9)]  # the same record: there are none more
        with pytest.raises(Refused, match="wait for what was written before") as caught:
            write(0)
        assert (caught.value.status, caught.value.retry_after_s) == (429, 1)
    finally:
        held.set()
    assert tenant.app.wait(tasks[-1], PATIENCE_S)
    assert tenant.app.wait(write(1), PATIENCE_S)
