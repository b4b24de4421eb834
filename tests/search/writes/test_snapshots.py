"""Snapshots: what they hold, when they are taken, and what they let the log forget."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from storagebox.search.engine.changes import Clear, Delete, Put
from storagebox.search.engine.index import Index
from storagebox.search.writes.catalog import Catalog
from storagebox.search.writes.keys import Keys
from storagebox.search.writes.snapshots import FOLDER, Snapshots, Unusable
from tests.search.writes.tenant import Tenant


def unheard(event: str, /, **fields: object) -> None:
    """Whatever is reported."""


def put(*ids: str) -> list[Put]:
    return [Put(each, {"objectID": each, "text": each * 10}) for each in ids]


def test_the_records_of_a_moment_stay_those_of_that_moment(memory: Path) -> None:
    index = Index.open(memory / "index")
    index.apply(put(*map(str, range(5000))), 1)
    records = index.records()
    first = next(records)
    for position, change in enumerate((Delete("77"), Clear(), *put("new"), *put("4999")), 2):
        index.apply([change], position)
    found = {orjson.loads(body)["objectID"] for body in (first, *records)}
    assert found == set(map(str, range(5000)))
    index.close()


def snapshot(memory: Path, *indices: tuple[str, Index]) -> Snapshots:
    snapshots = Snapshots(memory, unheard)
    snapshots.open()
    catalog = Catalog("A", Keys(10), "admin", applied=9)
    snapshots.begin(catalog, dict(indices))
    snapshots.wait()
    return snapshots


def test_an_index_comes_back_as_it_was(memory: Path) -> None:
    index = Index.open(memory / "index")
    index.apply(put("1", "2"), 5)
    snapshot(memory, ("i", index))
    again = Snapshots(memory, unheard)
    again.open()
    assert again.manifest is not None
    assert again.manifest.position == 9
    again.restore("i", memory / "restored")
    restored = Index.open(memory / "restored")
    assert restored.applied == 5
    assert sorted(restored.records()) == sorted(index.records())
    with pytest.raises(Unusable, match="no snapshot"):
        again.restore("other", memory / "nothing")


def test_what_did_not_change_is_not_written_again_and_what_is_gone_is_deleted(
    memory: Path,
) -> None:
    one, two = Index.open(memory / "one"), Index.open(memory / "two")
    one.apply(put("1"), 1)
    two.apply(put("2"), 1)
    snapshot(memory, ("one", one), ("two", two))
    files = {path.name: path.stat().st_mtime_ns for path in (memory / FOLDER).iterdir()}
    two.apply(put("3"), 2)
    snapshot(memory, ("one", one), ("two", two))
    later = {path.name: path.stat().st_mtime_ns for path in (memory / FOLDER).iterdir()}
    assert later["one@1.ndjson.gz"] == files["one@1.ndjson.gz"]
    assert later.keys() == {"manifest", "one@1.ndjson.gz", "two@2.ndjson.gz"}
    snapshot(memory, ("two", two))
    assert {p.name for p in (memory / FOLDER).iterdir()} == {"manifest", "two@2.ndjson.gz"}


def test_a_damaged_snapshot_is_noticed(memory: Path) -> None:
    index = Index.open(memory / "index")
    index.apply(put(*map(str, range(100))), 1)
    snapshots = snapshot(memory, ("i", index))
    file = memory / FOLDER / "i@1.ndjson.gz"
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole[:200] + b"\xff" * 9 + whole[209:]):
        file.write_bytes(damaged)
        with pytest.raises(Unusable):
            snapshots.restore("i", memory / f"to {len(damaged)}")
    (memory / FOLDER / "manifest").write_bytes(b"garbage")
    again = Snapshots(memory, unheard)
    again.open()
    assert again.manifest is None


def test_the_log_is_cut_below_a_snapshot_and_everything_is_still_there(tenant: Tenant) -> None:
    tenant.reopen(snapshot_bytes=2000)
    for number in range(60):
        tenant.add("t", {"objectID": str(number)})
        if tenant.told("snapshot.taken"):
            break
    first, last = tenant.app._log.bounds()  # pyright: ignore[reportPrivateUsage]
    assert first == tenant.told("snapshot.taken")[0]["position"] + 1
    assert last == number + 1
    tenant.reopen()
    assert (tenant.records("t") or {}).keys() == set(map(str, range(number + 1)))
    assert tenant.add("t", {"objectID": "next"}) == last + 1
