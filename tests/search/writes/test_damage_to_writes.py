"""Damage: an index is made anew, a log replaced, a full disk waited out; the rest goes on."""

from __future__ import annotations

import errno
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from storagebox.search.engine.changes import Change, Put
from storagebox.search.engine.index import Index
from storagebox.search.writes import accepting, applying, snapshots
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.application import Application, Unavailable
from storagebox.search.writes.operations import ClearIndex, CopyIndex, DeleteIndex, MoveIndex
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


def history(tenant: Tenant) -> dict[str, Any]:
    """Writes of every kind, and what they lead to."""
    for first in range(0, 20, 5):
        numbers = range(first, first + 5)
        tenant.add("a", *({"objectID": str(n % 7), "number": n} for n in numbers))
    increment = {"_operation": "Increment", "value": 1}
    tenant.settings("a", {"hitsPerPage": 5, "replicas": ["r"]})
    tenant.do(CopyIndex("a", "b"))
    tenant.batch("a", *(("partialUpdateObject", {"objectID": "1", "n": increment}),) * 3)
    tenant.batch("b", ("partialUpdateObject", {"objectID": "1", "n": increment}))
    tenant.add("tmp", {"objectID": "moved", "n": 1})
    tenant.do(MoveIndex("tmp", "c"))
    tenant.batch("c", ("partialUpdateObject", {"objectID": "moved", "n": increment}))
    return contents(tenant)


def contents(tenant: Tenant) -> dict[str, Any]:
    return {n: (tenant.records(n), tenant.app.meta(n, "settings")) for n in tenant.names()}


def wait_until_whole(tenant: Tenant) -> None:
    marker = tenant.app.submit(ClearIndex("nothing"))
    assert tenant.app.wait(marker, PATIENCE_S)


def test_a_damaged_index_is_made_anew_from_the_log(tenant: Tenant) -> None:
    expected = history(tenant)
    damaged = [folder_of(tenant, name) for name in ("a", "c", "r")]
    tenant.app.close()
    ruin(damaged[0])
    ruin(damaged[1])
    shutil.rmtree(damaged[2])
    tenant.reopen()
    wait_until_whole(tenant)
    assert contents(tenant) == expected
    assert len(tenant.told("index.rebuilt")) == 3
    tenant.add("a", {"objectID": "new"})
    assert "new" in (tenant.records("r") or {})


def test_a_damaged_index_is_made_anew_from_a_snapshot_and_what_came_since(
    tenant: Tenant,
) -> None:
    history(tenant)
    tenant.reopen(snapshot_bytes=1)
    tenant.add("a", {"objectID": "before"})
    snapshot_done(tenant)
    assert tenant.told("snapshot.taken")
    tenant.reopen()  # without further snapshots
    tenant.add("a", {"objectID": "after"})
    tenant.do(MoveIndex("b", "d"))
    tenant.add("d", {"objectID": "late"})
    expected = contents(tenant)
    for name in ("a", "d", "r"):
        ruin(folder_of(tenant, name))
    tenant.reopen()
    wait_until_whole(tenant)
    assert contents(tenant) == expected
    assert len(tenant.told("index.rebuilt")) == 3


def snapshot_done(tenant: Tenant) -> None:
    """Write until the log has been cut: a snapshot is written meanwhile."""
    for _ in range(200):
        if tenant.told("snapshot.taken"):
            return
        tenant.add("pace", {"objectID": "1"})
    raise AssertionError("no snapshot was taken")


def test_an_index_damaged_while_it_is_open_is_made_anew(tenant: Tenant) -> None:
    history(tenant)
    folder = folder_of(tenant, "a")
    shutil.rmtree(folder)
    tenant.add("a", {"objectID": "new"})
    tenant.add("b", {"objectID": "other"})
    expected = contents(tenant)
    assert "new" in expected["a"][0]
    assert "19" not in expected["a"][0]
    assert expected["a"][0]["1"]["n"] == 3
    tenant.reopen()
    assert contents(tenant) == expected


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
    wait_until_whole(tenant)
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
    expected = history(tenant)
    last = tenant.app.last
    tenant.app.close()
    for path in tenant.folder.glob("log.sqlite*"):
        path.unlink() if gone else path.write_bytes(b"\xff" * 9000)
    tenant.reopen()
    assert tenant.told("log.lost")
    assert contents(tenant) == expected
    task = tenant.add("a", {"objectID": "new"})
    assert task > last + 1000
    assert "new" in (tenant.records("a") or {})
    tenant.reopen()
    assert "new" in (tenant.records("r") or {})


def test_a_damaged_catalog_is_replaced_by_the_one_before(tenant: Tenant) -> None:
    expected = history(tenant)
    tenant.app.close()
    (tenant.folder / "catalog").write_bytes(b"garbage")
    tenant.reopen()
    wait_until_whole(tenant)
    assert contents(tenant) == expected
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


@pytest.fixture
def applying_fails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Exception]]:
    """What the next commits with a Put fail with, one after the other."""
    faults: list[Exception] = []
    apply = Index.apply

    def failing(index: Index, changes: Iterable[Change], position: int) -> None:
        held = list(changes)
        if faults and any(isinstance(change, Put) for change in held):
            raise faults.pop(0)
        apply(index, held, position)

    monkeypatch.setattr(Index, "apply", failing)
    yield faults
    assert not faults


def test_a_full_disk_is_waited_out(
    tenant: Tenant, applying_fails: list[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "_RETRY_S", (0.01,))
    tenant.add("a", {"objectID": "1"})
    full = OSError(errno.ENOSPC, "No space left on device")
    rust = ValueError('IoError(Os { code: 28, kind: StorageFull, message: "No space left" })')
    files = ValueError("could not open: Too many open files (os error 24)")
    applying_fails += [full, rust, files, MemoryError()]
    tenant.add("a", {"objectID": "2"})
    assert (tenant.records("a") or {}).keys() == {"1", "2"}
    assert len(tenant.told("applying.waits")) == 1
    assert tenant.app.fault is None
    assert not tenant.app.failures


def test_a_disk_that_is_nearly_full_takes_no_writes(tenant: Tenant) -> None:
    tenant.reopen(limits=Limits(disk_reserve_bytes=1 << 60))
    with pytest.raises(Refused, match="disk almost full") as caught:
        tenant.add("a", {"objectID": "1"})
    assert (caught.value.status, caught.value.retry_after_s) == (429, 30)


def test_a_record_that_no_index_takes_fails_alone(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = Index.apply

    def poisoned(index: Index, changes: Iterable[Change], position: int) -> None:
        held = list(changes)
        if any(isinstance(change, Put) and change.object_id == "poison" for change in held):
            raise ValueError("no index could hold this")
        apply(index, held, position)

    tenant.add("a", {"objectID": "1"})
    monkeypatch.setattr(Index, "apply", poisoned)
    tasks = [
        tenant.app.submit(accepting.put("a", None, {"objectID": each}, "", Limits()))
        for each in ("2", "poison", "3")
    ]
    assert tenant.app.wait(tasks[-1], PATIENCE_S)
    assert (tenant.records("a") or {}).keys() == {"1", "2", "3"}
    assert [failure["task"] for failure in tenant.app.failures] == [tasks[1]]
    monkeypatch.undo()
    tenant.reopen()
    assert (tenant.records("a") or {}).keys() == {"1", "2", "3"}


def test_a_fault_of_ours_is_told_and_stops_no_log(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "_RETRY_S", (0.01,))

    def broken(*_: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("storagebox.search.writes.metas.saved", broken)
    task = tenant.do(accepting.save_items("a", "rules", [RULE], False, False))
    tenant.add("a", {"objectID": "1"})
    assert tenant.records("a") == {"1": {"objectID": "1"}}
    assert [failure["task"] for failure in tenant.app.failures] == [task]
    assert "ZeroDivisionError" in tenant.told("fault")[0]["reason"]


def test_who_writes_faster_than_can_be_applied_is_slowed_down(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.reopen(limits=Limits(pending_operations=5))
    tenant.add("a", {"objectID": "0"})
    held, apply = threading.Event(), Index.apply

    def slow(index: Index, changes: Iterable[Change], position: int) -> None:
        held.wait(PATIENCE_S)
        apply(index, changes, position)

    monkeypatch.setattr(Index, "apply", slow)
    write: Callable[[int], int] = lambda n: tenant.app.submit(  # noqa: E731
        accepting.put("a", None, {"objectID": str(n)}, "", Limits())
    )
    try:
        tasks = [write(n) for n in range(5)]
        with pytest.raises(Refused, match="too many jobs") as caught:
            write(5)
        assert caught.value.status == 429
        assert 1 <= (caught.value.retry_after_s or 0) <= 30
    finally:
        held.set()
    assert tenant.app.wait(tasks[-1], PATIENCE_S)
    assert tenant.app.wait(write(6), PATIENCE_S)


def test_a_log_that_takes_no_more_says_so_and_searches_go_on(tenant: Tenant) -> None:
    tenant.add("a", {"objectID": "1"})
    store: Any = tenant.app._log._store  # pyright: ignore[reportPrivateUsage]
    thread: Any = tenant.app._log._thread  # pyright: ignore[reportPrivateUsage]

    def limit(pages: int) -> None:
        thread.run(store._run(lambda: store._file.all(f"PRAGMA max_page_count = {pages}")))

    limit(1)  # SQLite lets it be no less than the pages that there are: full
    noise = {"objectID": "2", "text": [f"{n * 7919:x}" for n in range(6000)]}
    with pytest.raises(Refused, match="could not be kept") as caught:
        tenant.app.submit(accepting.put("a", None, noise, "", Limits()))
    assert (caught.value.status, caught.value.retry_after_s) == (503, 1)
    assert (tenant.records("a") or {})["1"] == {"objectID": "1"}
    limit(1 << 30)
    tenant.add("a", {"objectID": "3"})
    assert "3" in (tenant.records("a") or {})


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


def test_a_request_larger_than_requests_may_be_is_refused(tenant: Tenant) -> None:
    tenant.reopen(limits=Limits(operation_bytes=1000))
    with pytest.raises(Refused, match="over 1000") as caught:
        tenant.add("a", {"objectID": "1", "text": "x" * 2000})
    assert caught.value.status == 413


def test_an_index_that_can_not_be_opened_for_want_of_something_is_not_taken_for_damaged(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.add("a", {"objectID": "1"})
    tenant.app.close()
    with monkeypatch.context() as patch:
        wanting = ValueError("Too many open files (os error 24)")
        patch.setattr(Index, "open", lambda _: (_ for _ in ()).throw(wanting))
        with pytest.raises(Unavailable, match="open files"):
            tenant.reopen()
    tenant.reopen()
    assert tenant.records("a") == {"1": {"objectID": "1"}}
    assert not tenant.told("index.damaged")


def test_an_end_while_nothing_can_be_applied_loses_nothing(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.add("a", {"objectID": "0"})
    with monkeypatch.context() as patch:
        full = OSError(errno.ENOSPC, "No space left on device")
        patch.setattr(Index, "apply", lambda *_: (_ for _ in ()).throw(full))
        for number in range(1, 6):
            tenant.app.submit(accepting.put("a", None, {"objectID": str(number)}, "", Limits()))
        while tenant.app.fault is None:
            time.sleep(0.01)
        tenant.app.close()
    tenant.reopen()
    wait_until_whole(tenant)
    assert (tenant.records("a") or {}).keys() == set("012345")
