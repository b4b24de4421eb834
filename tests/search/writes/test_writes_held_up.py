"""Writes that can't be kept or applied now: a full disk, too many of them, faults of ours."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from storagebox.search.engine.changes import Change, Put
from storagebox.search.engine.index import Index
from storagebox.search.writes import accepting, applying
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.application import Unavailable
from storagebox.search.writes.refused import Refused
from tests.search.writes.tenant import PATIENCE_S, Tenant

RULE = {"objectID": "1", "consequence": {"params": {"query": "x"}}}


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
        patch.setattr(Index, "open", lambda *_: (_ for _ in ()).throw(wanting))
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
    tenant.wait_for_all()
    assert (tenant.records("a") or {}).keys() == set("012345")
