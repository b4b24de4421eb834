"""Damage: an index is made anew, a log replaced, a full disk waited out; the rest goes on."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from storagebox.search.engine.changes import Change, Put
from storagebox.search.engine.index import Index
from storagebox.search.writes import accepting, applying, snapshots
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.application import Application, Unavailable
from storagebox.search.writes.operations import ClearIndex, DeleteIndex, MoveIndex
from storagebox.search.writes.refused import Refused
from tests.search.writes.tenant import PATIENCE_S, Tenant

RULE = {"objectID": "1", "consequence": {"params": {"query": "x"}}}


def folder_of(tenant: Tenant, index: str) -> Path:
    view = tenant.app.view(index)
    assert view is not None
    return tenant.folder / "indices" / view.place.folder


def ruin(folder: Path) -> None:
    """What a worn card does: the names are there, the contents aren't."""
    for path in folder.iterdir():
        path.write_bytes(b"\xff" * min(64, path.stat().st_size))


def test_a_damaged_index_is_made_anew_from_the_log(tenant: Tenant) -> None:
    expected = tenant.history()
    damaged = [folder_of(tenant, name) for name in ("a", "c", "r")]
    tenant.app.close()
    ruin(damaged[0])
    ruin(damaged[1])
    shutil.rmtree(damaged[2])
    tenant.reopen()
    tenant.wait_for_all()
    assert tenant.contents() == expected
    assert len(tenant.told("index.rebuilt")) == 3
    tenant.add("a", {"objectID": "new"})
    assert "new" in (tenant.records("r") or {})


def test_a_damaged_index_is_made_anew_from_a_snapshot_and_what_came_since(
    tenant: Tenant,
) -> None:
    tenant.history()
    tenant.reopen(snapshot_bytes=1)
    tenant.add("a", {"objectID": "before"})
    snapshot_done(tenant)
    assert tenant.told("snapshot.taken")
    tenant.reopen()  # without further snapshots
    tenant.add("a", {"objectID": "after"})
    tenant.do(MoveIndex("b", "d"))
    tenant.add("d", {"objectID": "late"})
    expected = tenant.contents()
    for name in ("a", "d", "r"):
        ruin(folder_of(tenant, name))
    tenant.reopen()
    tenant.wait_for_all()
    assert tenant.contents() == expected
    assert len(tenant.told("index.rebuilt")) == 3


def snapshot_done(tenant: Tenant) -> None:
    """Write until the log has been cut: a snapshot is written meanwhile."""
    for _ in range(200):
        if tenant.told("snapshot.taken"):
            return
        tenant.add("pace", {"objectID": "1"})
    raise AssertionError("no snapshot was taken")


def test_an_index_damaged_while_it_is_open_is_made_anew(tenant: Tenant) -> None:
    tenant.history()
    folder = folder_of(tenant, "a")
    shutil.rmtree(folder)
    tenant.add("a", {"objectID": "new"})
    tenant.add("b", {"objectID": "other"})
    expected = tenant.contents()
    assert "new" in expected["a"][0]
    assert "19" not in expected["a"][0]
    assert expected["a"][0]["1"]["n"] == 3
    tenant.reopen()
    assert tenant.contents() == expected


def test_an_index_that_can_not_be_had_back_says_so_until_it_is_cleared(tenant: Tenant) -> None:
    tenant.reopen(snapshot_bytes=1)
    tenant.add("a", {"objectID": "1"})
    tenant.add("b", {"objectID": "2"})
    snapshot_done(tenant)
    damaged = folder_of(tenant, "a")
    tenant.app.close()
    ruin(damaged)
    for path in (tenant.folder / snapshots.FOLDER).glob("*.gz"):
        path.write_bytes(b"nothing")
    tenant.reopen()
    tenant.wait_for_all()
    with pytest.raises(Refused, match="could not be rebuilt") as caught:
        tenant.app.index("a")
    assert caught.value.status == 503
    assert tenant.told("index.lost")[0]["index"] == "a"
    assert list((tenant.folder / "damaged").iterdir())  # whoever wants to may try
    assert tenant.records("b") == {"2": {"objectID": "2"}}
    tenant.reopen()
    with pytest.raises(Refused, match="could not be rebuilt"):
        tenant.app.view("a")
    tenant.do(ClearIndex("a"))
    tenant.add("a", {"objectID": "3"})
    assert tenant.records("a") == {"3": {"objectID": "3"}}
    tenant.do(DeleteIndex("a"))


@pytest.mark.parametrize("gone", [False, True])
def test_a_log_that_is_lost_is_begun_anew_beyond_all_it_gave_out(
    tenant: Tenant, gone: bool
) -> None:
    expected = tenant.history()
    last = tenant.app.last
    tenant.app.close()
    for path in tenant.folder.glob("log.sqlite*"):
        path.unlink() if gone else path.write_bytes(b"\xff" * 9000)
    tenant.reopen()
    assert tenant.told("log.lost")
    assert tenant.contents() == expected
    task = tenant.add("a", {"objectID": "new"})
    assert task > last + 1000
    assert "new" in (tenant.records("a") or {})
    tenant.reopen()
    assert "new" in (tenant.records("r") or {})


def test_a_damaged_catalog_is_replaced_by_the_one_before(tenant: Tenant) -> None:
    expected = tenant.history()
    tenant.app.close()
    (tenant.folder / "catalog").write_bytes(b"garbage")
    tenant.reopen()
    tenant.wait_for_all()
    assert tenant.contents() == expected
    assert tenant.told("catalog.damaged")
    tenant.app.close()
    for name in ("catalog", "catalog.previous"):
        (tenant.folder / name).write_bytes(b"garbage")
    with pytest.raises(Unavailable, match="catalog: it is damaged"):
        Application.open(tenant.folder, "TEST")
    tenant.folder = tenant.folder.with_name("OTHER")
    tenant.reopen()


def test_an_entry_that_is_garbage_is_passed_over(tenant: Tenant) -> None:
    tenant.add("a", {"objectID": "1"})
    tenant.app._log.append([b"\x01garbage"], "bad").result(PATIENCE_S)  # pyright: ignore
    tenant.app._log.append([b'\x00["Explode",1,{}]'], "worse").result(PATIENCE_S)  # pyright: ignore
    tenant.add("a", {"objectID": "2"})
    assert (tenant.records("a") or {}).keys() == {"1", "2"}
    assert [told["task"] for told in tenant.told("log.entry_damaged")] == [2, 3]


def test_a_log_damaged_while_it_is_open_stops_writes_and_nothing_else(tenant: Tenant) -> None:
    tenant.add("a", *({"objectID": str(n), "text": "x" * 500} for n in range(50)))
    store: Any = tenant.app._log._store  # pyright: ignore[reportPrivateUsage]
    thread: Any = tenant.app._log._thread  # pyright: ignore[reportPrivateUsage]
    for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA shrink_memory"):
        thread.run(store._run(lambda sql=statement: store._file.all(sql)))
    path = tenant.folder / "log.sqlite"
    path.write_bytes(b"\xff" * path.stat().st_size)
    for _ in range(2):
        with pytest.raises(Refused, match=r"log\.sqlite") as caught:
            tenant.app.submit(accepting.put("a", None, {"objectID": "1"}, "", Limits()))
        assert caught.value.status == 503
    assert len(tenant.records("a") or {}) == 50
    tenant.reopen()
    assert tenant.told("log.lost")
    tenant.add("a", {"objectID": "new"})
    assert len(tenant.records("a") or {}) == 51


def test_an_entry_that_damages_an_index_each_time_is_passed_over(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = Index.apply

    def ruinous(index: Index, changes: Iterable[Change], position: int) -> None:
        held = list(changes)
        if any(isinstance(change, Put) and change.object_id == "ruin" for change in held):
            shutil.rmtree(index._store.folder)  # pyright: ignore[reportPrivateUsage]
            raise ValueError("the index is gone")
        apply(index, held, position)

    tenant.add("a", {"objectID": "1"})
    monkeypatch.setattr(Index, "apply", ruinous)
    task = tenant.app.submit(accepting.put("a", None, {"objectID": "ruin"}, "", Limits()))
    tenant.add("a", {"objectID": "2"})
    assert (tenant.records("a") or {}).keys() == {"1", "2"}
    assert [failure["task"] for failure in tenant.app.failures] == [task]
    assert tenant.told("index.rebuilt")


def test_an_index_is_not_there_while_it_is_made_anew_and_others_are(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.add("a", {"objectID": "1"})
    tenant.add("b", {"objectID": "1"})
    damaged = folder_of(tenant, "a")
    tenant.app.close()
    ruin(damaged)
    going_on, rebuild = threading.Event(), applying.rebuild

    def slow(*arguments: Any) -> None:
        going_on.wait(PATIENCE_S)
        rebuild(*arguments)

    monkeypatch.setattr(applying, "rebuild", slow)
    tenant.reopen()
    try:
        with pytest.raises(Refused, match="being rebuilt") as caught:
            tenant.app.index("a")
        assert (caught.value.status, caught.value.retry_after_s) == (503, 5)
        assert tenant.records("b") == {"1": {"objectID": "1"}}
        task = tenant.app.submit(accepting.put("a", None, {"objectID": "2"}, "", Limits()))
    finally:
        going_on.set()
    assert tenant.app.wait(task, PATIENCE_S)
    assert (tenant.records("a") or {}).keys() == {"1", "2"}
