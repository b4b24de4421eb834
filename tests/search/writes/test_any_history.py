"""Any log leads to one state: in however many commits, with restarts between, or made anew."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storagebox.search.writes import catalog as catalogs
from storagebox.search.writes import chunks
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.catalog import Catalog
from storagebox.search.writes.keys import Keys
from storagebox.search.writes.log import Log, LoopThread
from storagebox.search.writes.operations import (
    SCOPES,
    Batch,
    ClearIndex,
    CopyIndex,
    DeleteBy,
    DeleteIndex,
    MoveIndex,
    Operation,
    Request,
    SaveItems,
    SetSettings,
    encode,
)
from storagebox.search.writes.rebuild import rebuild
from storagebox.search.writes.snapshots import Snapshots
from storagebox.search.writes.state import State
from storagebox.store.sqlite import SqliteStore

NAMES = st.sampled_from("abc")
IDS = st.sampled_from("123")
PLUS = {"_operation": "Increment", "value": 1}
LIST = {"_operation": "Add", "value": "x"}


def request(index: str, action: str, object_id: str) -> Request:
    if action in ("clear", "delete"):
        return Request(index, action)
    if action == "deleteObject":
        return Request(index, action, object_id)
    body: dict[str, Any] = {"objectID": object_id, "n": 1, "year": 1970}
    if action.startswith("partial"):
        body = {"objectID": object_id, "n": PLUS, "list": LIST}
    return Request(index, action, object_id, body)


ACTIONS = st.sampled_from(
    ["addObject", *["partialUpdateObject"] * 4, "partialUpdateObjectNoCreate", "deleteObject"]
)
RARE = st.sampled_from(["clear", "delete"])
REQUESTS = st.builds(request, NAMES, ACTIONS, IDS)
BATCHES = st.builds(lambda parts: Batch(tuple(parts)), st.lists(REQUESTS, min_size=1, max_size=4))
REPLICAS = st.lists(
    st.sampled_from(["a", "b", "c", "virtual(c)"]),
    max_size=2,
    unique_by=lambda name: name.strip("virtual()"),
)
OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    BATCHES,
    BATCHES,
    BATCHES,
    st.builds(
        lambda parts: Batch(tuple(parts)),
        st.lists(st.builds(request, NAMES, ACTIONS | RARE, IDS), min_size=1, max_size=4),
    ),
    st.builds(CopyIndex, NAMES, NAMES, st.sampled_from([(), (), ("settings", "rules")])),
    st.builds(MoveIndex, NAMES, NAMES),
    st.builds(DeleteIndex, NAMES),
    st.builds(ClearIndex, NAMES),
    st.builds(lambda name: DeleteBy(name, {"filters": "n > 2"}), NAMES),
    st.builds(lambda name, names: SetSettings(name, {"replicas": names}), NAMES, REPLICAS),
    st.builds(lambda name, n: SetSettings(name, {"hitsPerPage": n}, True), NAMES, st.just(3)),
    st.builds(
        lambda name: SaveItems(name, "rules", ({"objectID": "1", "consequence": {"hide": []}},)),
        NAMES,
    ),
)
# What happens after an operation: nothing, a commit, or a restart with what isn't committed lost.
AFTER = st.sampled_from(["", "", "flush", "restart"])


def unheard(event: str, /, **fields: Any) -> None:
    """What can't be done is told, and here of no interest."""


def opened(folder: Path) -> State:
    folder.mkdir(exist_ok=True)
    held = catalogs.load(folder, 10)
    state = State(folder, held[0] if held else Catalog("A", Keys(10), "k"), Limits(), unheard)
    state.open()
    return state


def run(folder: Path, history: list[tuple[Operation, str]]) -> State:
    """Apply a history; the state at its end, committed."""
    state = opened(folder)
    position = 0
    restarts = {n for n, (_, after) in enumerate(history, 1) if after == "restart"}
    while position < len(history):
        operation, after = history[position]
        position += 1
        state.apply(position, operation, position)
        if after == "flush":
            state.flush()
        elif position in restarts:
            restarts.discard(position)
            state.close()
            state = opened(folder)
            position = state.catalog.applied
    state.flush()
    state.save(position)
    return state


def contents(state: State) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, view in state.views.items():
        records = sorted(map(orjson.dumps, map(orjson.loads, view.index.records())))
        metas = {scope: view.own.meta(scope) for scope in SCOPES}
        found[name] = [records, metas, view.place.primary, view.place.virtual]
    return found


@settings(
    max_examples=12,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(OPERATIONS, AFTER), max_size=20))
def test_restarts_and_commits_change_nothing_and_any_index_can_be_made_anew(
    memory: Path, history: list[tuple[Operation, str]]
) -> None:
    folder = Path(tempfile.mkdtemp(dir=memory))
    plain = run(folder / "plain", [(operation, "flush") for operation, _ in history])
    expected = contents(plain)
    plain.close()
    state = run(folder / "harried", history)
    assert contents(state) == expected
    thread = LoopThread()
    log = Log(thread, thread.run(SqliteStore.open(folder / "log.sqlite")))
    for position, (operation, _) in enumerate(history, 1):
        records = chunks.split(encode(operation, position))
        assert log.append(records, str(position)).result() == position
    for place in state.catalog.places.values():
        state.indices.mark_damaged(place.folder, "so it is said")
        rebuild(state, Snapshots(folder / "harried", unheard), log, place.folder)
        state.indices.open_one(place.folder)
    state.publish()
    assert contents(state) == expected
    state.close()
    log.close()
    thread.close()
    shutil.rmtree(folder)
