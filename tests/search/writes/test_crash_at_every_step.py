"""Power is cut before and after every write to the disk; what follows is always the same state.

The folder is copied at each of those instants, as a dead process leaves it, and from each copy the
log is applied to its end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson
import pytest

from storagebox.search.engine.changes import Change
from storagebox.search.engine.index import Index
from storagebox.search.writes import catalog as catalogs
from storagebox.search.writes import durable
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.catalog import Catalog
from storagebox.search.writes.keys import Keys
from storagebox.search.writes.operations import (
    SCOPES,
    AddKey,
    Batch,
    CopyIndex,
    DeleteIndex,
    DeleteKey,
    MoveIndex,
    Operation,
    Request,
    SaveItems,
    SetSettings,
)
from storagebox.search.writes.state import State

# All cuts take 12 s; every seventh says nearly as much.
STRIDE = 7


def plays(index: str, *ids: str) -> Batch:
    value = {"_operation": "Increment", "value": 1}
    return Batch(
        tuple(
            Request(index, "partialUpdateObject", one, {"objectID": one, "plays": value})
            for one in ids
        )
    )


LOG: list[Operation] = [
    plays("a", "1", "2"),
    plays("a", "1"),
    SetSettings("a", {"replicas": ["r", "virtual(v)"], "hitsPerPage": 5}),
    plays("a", "2", "3"),
    Batch((*plays("a", "1").requests, *plays("b", "1").requests, *plays("c", "1").requests)),
    CopyIndex("a", "b"),
    plays("a", "1"),
    plays("b", "1"),
    MoveIndex("b", "a"),
    plays("b", "9"),  # a new one, of the name that went
    plays("a", "1"),
    AddKey("k", {"acl": ["search"]}),
    CopyIndex("a", "c", ("settings",)),
    SaveItems("a", "rules", ({"objectID": "1", "consequence": {"hide": []}},), forward=True),
    Batch((*plays("c", "5").requests, Request("c", "delete"), *plays("c", "1", "1").requests)),
    SetSettings("a", {"replicas": ["v"]}),
    DeleteIndex("b"),
    DeleteKey("k"),
    plays("a", "1", "4"),
]
FLUSH_AFTER = (2, 7, 11, 15, 18)


def unheard(event: str, /, **fields: Any) -> None:
    """Whatever is reported."""


def opened(folder: Path) -> State:
    held = catalogs.load(folder, 10)
    catalog, latest = held or (Catalog("A", Keys(10), "admin"), True)
    state = State(folder, catalog, Limits(), unheard)
    state.open(latest)
    return state


def applied(state: State) -> dict[str, Any]:
    """Apply the log to its end; what there is then."""
    for position, operation in enumerate(LOG, 1):
        state.apply(position, operation, position * 1000)
        if position in FLUSH_AFTER:
            state.flush()
    state.flush()
    state.save(len(LOG))
    assert not state.indices.damaged
    found: dict[str, Any] = {"keys": state.catalog.keys.to_stored()}
    for name, view in state.views.items():
        records = sorted(view.index.records())
        metas = {scope: view.own.meta(scope) for scope in SCOPES}
        place = view.place
        found[name] = [list(map(orjson.loads, records)), metas, place.primary, place.virtual]
        found[name] += [place.created_ms, place.updated_ms]
    return found


@pytest.fixture
def at_each_step(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have something called before and after everything that changes the disk."""

    def arrange(step: Callable[[], None]) -> None:
        apply, write, opening = Index.apply, durable.write, Index.open.__func__  # pyright: ignore

        def applying(index: Index, changes: Iterable[Change], position: int) -> None:
            step()
            apply(index, changes, position)
            step()

        def writing(path: Path, *data: Any) -> None:
            step()
            write(path, *data)
            step()

        def open_index(kind: type[Index], folder: Path, *told: Any) -> Index:
            step()
            index = opening(kind, folder, *told)
            step()
            return index

        monkeypatch.setattr(Index, "apply", applying)
        monkeypatch.setattr(Index, "open", classmethod(open_index))
        monkeypatch.setattr(durable, "write", writing)

    return arrange


def test_every_cut_leads_to_the_state_that_no_cut_leads_to(
    memory: Path,
    at_each_step: Callable[[Callable[[], None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = memory / "live"
    live.mkdir()
    cuts: list[Path] = []

    def cut() -> None:
        copy = memory / f"cut{len(cuts)}"
        shutil.copytree(live, copy)
        cuts.append(copy)

    at_each_step(cut)
    state = opened(live)
    expected = applied(state)
    state.close()
    monkeypatch.undo()
    assert expected["a"][0] == [
        {"objectID": "1", "plays": 6},
        {"objectID": "2", "plays": 2},
        {"objectID": "3", "plays": 1},
        {"objectID": "4", "plays": 1},
    ]
    assert expected["c"][0] == [{"objectID": "1", "plays": 2}]
    assert len(cuts) >= 100
    for number, folder in enumerate(cuts):
        if number % STRIDE:
            continue
        if number % 2 and (folder / catalogs.PREVIOUS).exists():
            (folder / catalogs.FILE).write_bytes(b"the sector went bad")
        elif not number % 4 and (folder / catalogs.PREVIOUS).exists():
            (folder / catalogs.FILE).unlink()  # cut as the latest took its place
        again = opened(folder)
        assert applied(again) == expected, folder
        again.close()
