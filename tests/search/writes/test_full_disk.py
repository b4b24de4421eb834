"""The disk is full at each write in turn, for a while: nothing is lost, nothing done twice."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from storagebox.search.engine import checkpoint
from storagebox.search.engine import index as index_module
from storagebox.search.engine.index import Index
from storagebox.search.engine.store import Store
from storagebox.search.writes import accepting, applying
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.catalog import FILE, PREVIOUS
from tests.search.writes.tenant import PATIENCE_S, Tenant

# All writes of the history take 15 s; every seventeenth says nearly as much.
STRIDE: Final = 17
# Tries that find the disk full, one after the other.
FULL_FOR: Final = 3


class Disk:
    """Counts what is written, and is full from one of these on, for a while."""

    def __init__(self) -> None:
        self.writes = 0
        self.full_at: int | None = None

    def write(self) -> None:
        at, self.writes = self.writes, self.writes + 1
        if self.full_at is not None and self.full_at <= at < self.full_at + FULL_FOR:
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Asked before each file is made, synced or renamed, and before each commit of an index."""
    made = Disk()

    def before(work: Callable[..., Any], when: Callable[..., bool]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **named: Any) -> Any:
            if when(*arguments):
                made.write()
            return work(*arguments, **named)

        return wrapped

    def to_write(_: Path, mode: str = "r", *__: Any) -> bool:
        return "w" in mode

    always: Callable[..., bool] = lambda *_: True  # noqa: E731
    monkeypatch.setattr(Path, "open", before(Path.open, to_write))
    monkeypatch.setattr(Path, "replace", before(Path.replace, always))
    monkeypatch.setattr(Path, "mkdir", before(Path.mkdir, always))
    monkeypatch.setattr(os, "fsync", before(os.fsync, always))
    monkeypatch.setattr(Store, "commit", before(Store.commit, always))
    monkeypatch.setattr(applying, "_RETRY_S", (0.001,))
    yield made
    monkeypatch.undo()


def test_whichever_write_finds_the_disk_full_it_is_done_once_there_is_room(
    memory: Path, disk: Disk
) -> None:
    counting = Tenant(memory / "COUNTING")
    counting.reopen(snapshot_bytes=1)
    disk.writes = 0
    expected = counting.history()
    counting.app.close()
    writes = disk.writes
    assert writes > 60
    for at in range(0, writes, STRIDE):
        disk.full_at = None
        tenant = Tenant(memory / f"FULL{at}")
        tenant.reopen(snapshot_bytes=1)
        disk.writes, disk.full_at = 0, at
        assert tenant.history() == expected, at
        assert not tenant.app.failures, at
        assert not tenant.told("fault"), at
        disk.full_at = None
        tenant.reopen()
        tenant.wait_for_all()
        found = tenant.contents()
        assert found == expected, at
        tenant.app.close()
        shutil.rmtree(tenant.folder)


def test_a_catalog_that_can_not_be_written_leaves_the_one_there_was(
    tenant: Tenant, disk: Disk
) -> None:
    tenant.add("a", {"objectID": "1"})
    catalog = (tenant.folder / FILE).read_bytes()
    state: Any = tenant.app._state  # pyright: ignore[reportPrivateUsage]
    disk.full_at = disk.writes
    with pytest.raises(OSError, match="No space"):
        state.save(tenant.app.last)
    assert (tenant.folder / FILE).read_bytes() == catalog
    assert not (tenant.folder / f"{FILE}.new").exists()
    assert (tenant.folder / PREVIOUS).exists()


def test_a_task_stays_unpublished_while_there_is_no_room_and_the_log_says_why(
    tenant: Tenant, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant.add("a", {"objectID": "1"})
    with monkeypatch.context() as patch:
        patch.setattr(Disk, "write", _full)
        task = tenant.app.submit(accepting.put("a", None, {"objectID": "2"}, "", Limits()))
        assert not tenant.app.wait(task, 0.1)
        assert tenant.app.task("a", task) == "notPublished"
        assert (tenant.records("a") or {}).keys() == {"1"}  # searches go on
    assert tenant.app.wait(task, PATIENCE_S)
    (told,) = tenant.told("applying.waits")
    for part in (str(tenant.folder), "No space left", "free some room", "Nothing is lost"):
        assert part in told["reason"]
    assert len(tenant.told("applying.goes_on")) == 1


def _full(_: Disk) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_tables_that_can_not_be_saved_are_told_of_and_saved_later(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_WORTH_SAVING", 100)
    told: list[str] = []
    index = Index.open(memory / "index", told.append)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: _full(Disk()))
        put(index, 0, 3000, 1)
        index.settle()  # the thread that builds has come to its end
    assert len(told) == 1
    for part in (str(memory / "index"), "can't be saved", "No space left", "free some room"):
        assert part in told[0]
    assert not list((memory / "index").glob("tables.bin*"))
    assert len(index) == 3000
    index.close()  # there is room again
    assert len(told) == 1
    assert checkpoint.load(memory / "index") is not None


def test_tables_that_can_not_be_built_are_built_with_later_writes(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(index_module, "_AGAIN_S", 0.0)
    index = Index.open(memory / "index", told.append)

    def no_memory(*_: Any) -> Any:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("storagebox.search.engine.tables.build", no_memory)
        put(index, 0, 1500, 1)
        index.settle()
    assert len(told) == 1
    assert "can't be built" in told[0]
    put(index, 1500, 1600, 2)
    index.settle()
    assert not index._tables.tail_rows  # pyright: ignore[reportPrivateUsage]
    assert {orjson.loads(body)["n"] for body in index.records()} == set(range(1600))
    index.close()


def put(index: Index, first: int, last: int, position: int) -> None:
    from storagebox.search.engine.changes import Put

    index.apply((Put(str(n), {"n": n}) for n in range(first, last)), position)
