"""Operations that give names another meaning, or copy from one index into another.

Each is called within State.restructure. It may be cut off anywhere and be done again from the
start: indices are built in new folders, whole or not at all, and names mean them only at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from storagebox.search.engine.changes import Change, Meta
from storagebox.search.engine.index import Index
from storagebox.search.writes import metas
from storagebox.search.writes.catalog import Place
from storagebox.search.writes.indices import records
from storagebox.search.writes.operations import (
    CREATING,
    DELETE_INDEX,
    SCOPES,
    SETTINGS,
    CopyIndex,
    DeleteIndex,
    MoveIndex,
    Request,
    SetSettings,
)
from storagebox.search.writes.refused import Refused

if TYPE_CHECKING:
    from storagebox.search.writes.state import State

Structural = DeleteIndex | CopyIndex | MoveIndex | SetSettings


def check(state: State, operation: Structural) -> None:
    """Raises Refused for what can't be done as indices are now."""
    places, replicas = state.catalog.places, state.catalog.replicas
    match operation:
        case DeleteIndex(name):
            if (place := places.get(name)) is not None and place.primary is not None:
                raise Refused(
                    f"{name} is a replica of {place.primary}: take it out of the replicas of that"
                    " index first",
                    403,
                )
        case CopyIndex(_, destination, scope) if not scope:
            old = places.get(destination)
            if old is not None and (old.primary is not None or replicas(destination)):
                raise Refused("cannot copy to a primary/replica index", 403)
        case CopyIndex():
            pass
        case MoveIndex(source, destination):
            if (place := places.get(source)) is None:
                return
            if place.primary is not None or replicas(source):
                raise Refused("cannot move a primary/replica index", 403)
            if (old := places.get(destination)) is not None and old.primary is not None:
                raise Refused("cannot move to a replica index", 403)
        case SetSettings(name, settings):
            _check_replicas(state, name, metas.replicas(settings))


def change(state: State, position: int, operation: Structural, at_ms: int) -> None:
    """Do it. Raises Refused if it can't be done, or IndexDamaged, Exhausted, OSError."""
    check(state, operation)
    match operation:
        case DeleteIndex(name):
            _delete(state, name)
        case CopyIndex(_, _, scope) if scope:
            _copy_scope(state, position, operation, at_ms)
        case CopyIndex():
            _copy(state, position, operation, at_ms)
        case MoveIndex():
            _move(state, position, operation, at_ms)
        case SetSettings():
            _set_replicas(state, position, operation, at_ms)


def delete_and_begin(
    state: State, position: int, batches: Mapping[str, list[Request]], at_ms: int
) -> None:
    """Batches, by index, that delete it: only what they ask for after that is left."""
    for name, asked in batches.items():
        try:
            check(state, DeleteIndex(name))
        except Refused as fault:
            state.failed(position, Request(name, DELETE_INDEX), fault)
            continue
        _delete(state, name)
        last = max(n for n, request in enumerate(asked) if request.action == DELETE_INDEX)
        rest = asked[last + 1 :]
        if any(request.action in CREATING for request in rest):
            changes = state.resolved(position, rest, None)
            state.begin(position, name, Place("", at_ms, at_ms), changes)


def prepare_copy(state: State, position: int, operation: CopyIndex, at_ms: int) -> None:
    """What a copy of settings, synonyms or rules is to be put into."""
    if operation.destination not in state.catalog.places:
        state.create(position, operation.destination, at_ms)


def _delete(state: State, name: str) -> None:
    if name not in state.catalog.places:
        return
    for replica in state.catalog.replicas(name):
        _detach(state, replica)
    state.catalog.drop(name)


def _copy(state: State, position: int, operation: CopyIndex, at_ms: int) -> None:
    places = state.catalog.places
    old, source = places.get(operation.destination), places.get(operation.index)
    changes: Iterable[Change] = ()
    if source is not None:
        own = state.indices[old.folder].meta(SETTINGS) if old is not None else None
        held = _held(state.indices[source.folder])
        held[SETTINGS] = metas.copied(held[SETTINGS], _mapping(own))
        changes = chain(_metas(held), records(_with_records(state, source)))
    place = Place("", old.created_ms if old is not None else at_ms, at_ms)
    state.begin(position, operation.destination, place, changes)


def _copy_scope(state: State, position: int, operation: CopyIndex, at_ms: int) -> None:
    source = state.catalog.places.get(operation.index)
    held = _held(state.indices[source.folder]) if source is not None else {}
    target = state.indices.pending(state.catalog.places[operation.destination].folder)
    if target.applied >= position:
        return
    for scope in operation.scope:
        value = held.get(scope)
        if scope == SETTINGS:
            value = metas.copied(_mapping(value), _mapping(target.meta(SETTINGS)))
        target.add(position, [Meta(scope, value)])
    state.catalog.touch(operation.destination, at_ms)


def _move(state: State, position: int, operation: MoveIndex, at_ms: int) -> None:
    places, destination = state.catalog.places, operation.destination
    place, old = places.get(operation.index), places.get(destination)
    if place is None:
        return
    # The name's replicas stay the name's: they get the records that it has now.
    index = state.indices[place.folder]
    replaced = state.indices[old.folder].meta(SETTINGS) if old is not None else None
    settings = metas.moved(_mapping(index.meta(SETTINGS)), _mapping(replaced))
    state.indices.apply(place.folder, [Meta(SETTINGS, settings)], position)
    state.catalog.drop(operation.index)
    created_ms = old.created_ms if old is not None else place.created_ms
    state.catalog.put(destination, Place(place.folder, created_ms, at_ms))
    for name in state.catalog.replicas(destination):
        replica = state.catalog.places[name]
        if not replica.virtual:
            own = _held(state.indices[replica.folder])
            fresh = Place("", replica.created_ms, at_ms, destination)
            state.begin(position, name, fresh, chain(_metas(own), records(index)))


def _check_replicas(state: State, name: str, wanted: Mapping[str, bool]) -> None:
    place = state.catalog.places.get(name)
    if place is not None and place.primary is not None and wanted:
        raise Refused(f"{name} is a replica of {place.primary}: it can't have replicas")
    for replica in wanted:
        other = state.catalog.places.get(replica)
        if replica == name:
            raise Refused(f"{name} can't be a replica of itself")
        if other is not None and other.primary not in (None, name):
            raise Refused("A replica index is already replica of another index")
        if state.catalog.replicas(replica):
            raise Refused(f"{replica} has replicas itself: it can't be a replica")
    state.check_count({name, *wanted})


def _set_replicas(state: State, position: int, operation: SetSettings, at_ms: int) -> None:
    """Settings that say which replicas an index has, and possibly more."""
    name, wanted = operation.index, metas.replicas(operation.settings)
    if name not in state.catalog.places:
        state.begin(position, name, Place("", at_ms, at_ms), ())
    folder = state.catalog.places[name].folder
    held = _mapping(state.indices[folder].meta(SETTINGS))
    settings = metas.settings(held, operation.settings)
    state.indices.apply(folder, [Meta(SETTINGS, settings)], position)
    state.catalog.touch(name, at_ms)
    for replica in state.catalog.replicas(name):
        if state.catalog.places[replica].virtual != wanted.get(replica):
            _detach(state, replica)
    patch = {k: value for k, value in operation.settings.items() if k not in metas.REPLICAS}
    for replica in state.catalog.replicas(name) if operation.forward and patch else ():
        pending = state.indices.pending(state.catalog.places[replica].folder)
        if pending.applied < position:
            settings = metas.settings(_mapping(pending.meta(SETTINGS)), patch)
            pending.add(position, [Meta(SETTINGS, settings)])
    for replica, virtual in wanted.items():
        if replica not in state.catalog.replicas(name):
            _attach(state, position, name, replica, virtual, at_ms)


def _attach(
    state: State, position: int, name: str, replica: str, virtual: bool, at_ms: int
) -> None:
    """Have `replica` be one, with the settings that it has, or else its primary's."""
    primary = state.indices[state.catalog.places[name].folder]
    old = state.catalog.places.get(replica)
    held = _held(state.indices[old.folder] if old is not None else primary)
    if old is None:
        held[SETTINGS] = metas.copied(held[SETTINGS], None)
    place = Place("", old.created_ms if old is not None else at_ms, at_ms, name, virtual)
    content = () if virtual else records(primary)
    state.begin(position, replica, place, chain(_metas(held), content))


def _detach(state: State, name: str) -> None:
    """Have a replica be an index of its own; a virtual one has no records then."""
    place = state.catalog.places[name]
    state.catalog.put(name, Place(place.folder, place.created_ms, place.updated_ms))


def _with_records(state: State, place: Place) -> Index:
    """The index that has the records which `place` shows."""
    if place.virtual and place.primary is not None:
        place = state.catalog.places[place.primary]
    return state.indices[place.folder]


def _held(index: Index) -> dict[str, Any]:
    return {scope: index.meta(scope) for scope in SCOPES}


def _metas(held: Mapping[str, Any]) -> list[Change]:
    return [Meta(scope, value) for scope, value in held.items() if value is not None]


def _mapping(value: object) -> Mapping[str, Any] | None:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else None
