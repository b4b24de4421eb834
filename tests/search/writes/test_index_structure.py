"""Copies, moves and replicas: names that mean other indices, and indices that follow others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from storagebox.search.writes.catalog import Catalog
from storagebox.search.writes.operations import (
    ClearIndex,
    CopyIndex,
    DeleteIndex,
    MoveIndex,
    SaveItems,
)
from storagebox.search.writes.refused import Refused
from tests.search.writes.tenant import Tenant

RULE = {"objectID": "r1", "consequence": {"params": {"query": "x"}}}
SYNONYM = {"objectID": "s1", "type": "synonym", "synonyms": ["a", "b"]}


def fill(tenant: Tenant, name: str, *ids: str) -> None:
    tenant.settings(name, {"hitsPerPage": 7})
    tenant.do(SaveItems(name, "rules", (RULE,)))
    tenant.do(SaveItems(name, "synonyms", (SYNONYM,)))
    tenant.add(name, *({"objectID": each, "title": f"{name} {each}"} for each in ids))


def refusal(tenant: Tenant, operation: Any) -> str:
    with pytest.raises(Refused) as caught:
        tenant.app.submit(operation)
    return caught.value.message


def test_a_copy_has_all_and_goes_its_own_way(tenant: Tenant) -> None:
    fill(tenant, "a", "1", "2")
    tenant.add("b", {"objectID": "old"})
    tenant.do(CopyIndex("a", "b"))
    tenant.add("a", {"objectID": "3"})
    tenant.batch("b", ("deleteObject", {"objectID": "1"}))
    assert (tenant.records("a") or {}).keys() == {"1", "2", "3"}
    assert (tenant.records("b") or {}).keys() == {"2"}
    assert tenant.app.meta("b", "settings") == {"hitsPerPage": 7}
    assert tenant.app.meta("b", "rules") == [RULE]
    assert tenant.app.meta("b", "synonyms") == [SYNONYM]


def test_a_copy_of_nothing_is_an_empty_index(tenant: Tenant) -> None:
    fill(tenant, "b", "1")
    tenant.do(CopyIndex("nothing", "b"))
    tenant.do(CopyIndex("nothing", "c"))
    assert tenant.records("b") == {}
    assert tenant.app.meta("b", "settings") is None
    assert tenant.names() == ["b", "c"]


def test_a_copy_with_a_scope_leaves_the_rest(tenant: Tenant) -> None:
    fill(tenant, "a", "1")
    tenant.add("b", {"objectID": "kept"})
    tenant.settings("b", {"hitsPerPage": 3, "replicas": ["c"]})
    tenant.do(CopyIndex("a", "b", ("settings", "rules")))
    assert (tenant.records("b") or {}).keys() == {"kept"}
    assert tenant.app.meta("b", "settings") == {"hitsPerPage": 7, "replicas": ["c"]}
    assert tenant.app.meta("b", "rules") == [RULE]
    assert tenant.app.meta("b", "synonyms") is None
    tenant.do(CopyIndex("nothing", "b", ("rules",)))
    assert tenant.app.meta("b", "rules") is None
    tenant.do(CopyIndex("a", "new", ("rules",)))
    assert tenant.records("new") == {}


def test_a_moved_index_has_another_name_and_replaces_what_had_it(tenant: Tenant) -> None:
    fill(tenant, "tmp", "1")
    fill(tenant, "live", "old")
    tenant.do(MoveIndex("tmp", "live"))
    assert (tenant.records("live") or {}).keys() == {"1"}
    assert tenant.names() == ["live"]
    tenant.do(MoveIndex("tmp", "live"))  # nothing to move: nothing happens
    assert (tenant.records("live") or {}).keys() == {"1"}
    tenant.add("tmp", {"objectID": "another"})
    tenant.reopen()
    assert (tenant.records("live") or {}).keys() == {"1"}
    assert len(list((tenant.folder / "indices").iterdir())) == 2


def test_a_move_to_a_primary_gives_its_replicas_the_records(tenant: Tenant) -> None:
    tenant.add("live", {"objectID": "old"})
    tenant.settings("live", {"replicas": ["by_year", "virtual(by_name)"]})
    tenant.settings("by_year", {"customRanking": ["desc(year)"]})
    fill(tenant, "tmp", "1", "2")
    tenant.do(MoveIndex("tmp", "live"))
    assert (tenant.records("by_year") or {}).keys() == {"1", "2"}
    assert (tenant.records("by_name") or {}).keys() == {"1", "2"}
    assert tenant.app.meta("by_year", "settings")["customRanking"] == ["desc(year)"]
    settings = tenant.app.meta("live", "settings")
    assert settings == {"hitsPerPage": 7, "replicas": ["by_year", "virtual(by_name)"]}
    tenant.add("live", {"objectID": "3"})
    assert (tenant.records("by_year") or {}).keys() == {"1", "2", "3"}


def test_replicas_have_the_records_and_their_own_settings(tenant: Tenant) -> None:
    fill(tenant, "a", "1")
    tenant.settings("a", {"replicas": ["b", "virtual(c)"]})
    assert tenant.app.meta("b", "settings") == {"hitsPerPage": 7}
    assert tenant.app.meta("b", "rules") == [RULE]
    tenant.add("a", {"objectID": "2"})
    tenant.batch("a", ("deleteObject", {"objectID": "1"}))
    assert (tenant.records("b") or {}).keys() == (tenant.records("c") or {}).keys() == {"2"}
    tenant.settings("b", {"hitsPerPage": 3})
    tenant.settings("c", {"customRanking": ["asc(title)"]})
    tenant.settings("a", {"distinct": 1})
    assert tenant.app.meta("b", "settings") == {"hitsPerPage": 3}
    tenant.settings("a", {"distinct": 2}, forward=True)
    assert tenant.app.meta("b", "settings") == {"hitsPerPage": 3, "distinct": 2}
    inherited = {"hitsPerPage": 7, "customRanking": ["asc(title)"], "distinct": 2}
    assert tenant.app.meta("c", "settings") == inherited
    tenant.do(ClearIndex("a"))
    assert tenant.records("b") == tenant.records("c") == {}
    assert tenant.app.index("c") is tenant.app.index("a")


def test_synonyms_and_rules_are_forwarded_if_asked(tenant: Tenant) -> None:
    tenant.settings("a", {"replicas": ["b"]})
    tenant.do(SaveItems("a", "rules", (RULE,)))
    assert tenant.app.meta("b", "rules") is None
    tenant.do(SaveItems("a", "rules", (RULE,), forward=True))
    assert tenant.app.meta("b", "rules") == [RULE]


def test_settings_with_replicas_are_forwarded_to_those_that_were_there(tenant: Tenant) -> None:
    tenant.settings("a", {"replicas": ["b"]})
    tenant.settings("a", {"replicas": ["b", "c"], "distinct": 1}, forward=True)
    assert tenant.app.meta("b", "settings") == {"distinct": 1}
    assert tenant.app.meta("c", "settings") == {"distinct": 1}  # born with its primary's


def test_an_index_that_becomes_a_replica_keeps_its_settings_only(tenant: Tenant) -> None:
    tenant.add("a", {"objectID": "1"})
    tenant.add("b", {"objectID": "own"})
    tenant.settings("b", {"hitsPerPage": 3})
    tenant.settings("a", {"replicas": ["b"]})
    assert (tenant.records("b") or {}).keys() == {"1"}
    assert tenant.app.meta("b", "settings") == {"hitsPerPage": 3}


def test_a_replica_let_go_is_an_index_of_its_own(tenant: Tenant) -> None:
    tenant.add("a", {"objectID": "1"})
    tenant.settings("a", {"replicas": ["b", "virtual(c)", "d"]})
    tenant.settings("a", {"replicas": ["virtual(d)"]})
    tenant.add("a", {"objectID": "2"})
    assert (tenant.records("b") or {}).keys() == {"1"}
    assert tenant.records("c") == {}
    assert (tenant.records("d") or {}).keys() == {"1", "2"}
    tenant.add("b", {"objectID": "own"})
    tenant.do(DeleteIndex("a"))
    assert tenant.records("d") == {}
    assert tenant.names() == ["b", "c", "d"]
    tenant.add("e", {"objectID": "1"})
    tenant.settings("e", {"replicas": ["f"]})
    tenant.settings("e", {"replicas": None})
    tenant.add("f", {"objectID": "own"})
    assert (tenant.records("f") or {}).keys() == {"1", "own"}


def test_a_replica_takes_no_records_of_its_own(tenant: Tenant) -> None:
    tenant.settings("a", {"replicas": ["b"]})
    wanted = "cannot apply the batch operation on a replica index"
    with pytest.raises(Refused, match=wanted) as caught:
        tenant.add("b", {"objectID": "1"})
    assert caught.value.status == 403
    assert "replica" in refusal(tenant, ClearIndex("b"))
    assert "take it out of the replicas" in refusal(tenant, DeleteIndex("b"))
    assert "cannot copy to a primary/replica" in refusal(tenant, CopyIndex("x", "a"))
    assert "cannot copy to a primary/replica" in refusal(tenant, CopyIndex("x", "b"))
    assert "cannot move a primary/replica" in refusal(tenant, MoveIndex("a", "x"))
    assert "cannot move to a replica" in refusal(tenant, _and_add(tenant, MoveIndex("x", "b")))


def _and_add(tenant: Tenant, operation: MoveIndex) -> MoveIndex:
    tenant.add(operation.index, {"objectID": "1"})
    return operation


def test_replicas_have_no_replicas_and_one_primary(tenant: Tenant) -> None:
    tenant.settings("a", {"replicas": ["b"]})
    for index, replicas, message in (
        ("b", ["c"], "can't have replicas"),
        ("c", ["c"], "replica of itself"),
        ("c", ["b"], "A replica index is already replica of another index"),
        ("c", ["a"], "has replicas itself"),
    ):
        with pytest.raises(Refused, match=message):
            tenant.settings(index, {"replicas": replicas})


def test_what_became_impossible_in_the_queue_is_told_and_does_nothing(tenant: Tenant) -> None:
    app = tenant.app
    from storagebox.search.writes import accepting

    tenant.add("b", {"objectID": "own"})
    app.submit(accepting.set_settings("a", {"replicas": ["b"]}, False))
    late = app.submit(CopyIndex("x", "b"))  # accepted while b was none, or refused
    assert app.wait(late, 60)
    assert tenant.told("task.failed")[0]["task"] == late
    assert tenant.records("b") == {}


def test_an_index_that_is_being_made_is_not_there_yet_and_not_damaged(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    save = Catalog.save

    def saving(catalog: Catalog, folder: Path) -> None:
        try:
            seen.append(tenant.app.view("new"))
        except Refused as fault:
            seen.append(fault)
        save(catalog, folder)

    tenant.add("old", {"objectID": "1"})
    monkeypatch.setattr(Catalog, "save", saving)
    tenant.add("new", {"objectID": "1"})
    assert seen
    assert seen == [None] * len(seen)
    assert tenant.app.view("new") is not None
