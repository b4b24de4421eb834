"""The state that a log leads to: an application's indices and catalog, applied entry by entry.

Changes gather until `flush`, which commits each index once, with the position that it has reached.
The catalog is written when names change their meaning, and only once everything up to there is
committed. Therefore, after a crash at any instant: start behind `catalog.applied`, and let each
index skip the positions that it holds already. Nothing is lost and nothing done twice.

Replicas are committed before their primary, whose records say what an update comes to: as long as
the primary is not at a position, that can be found out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storagebox.search.engine.changes import Change, Clear, Delete, Meta
from storagebox.search.engine.index import Index
from storagebox.search.language.errors import LanguageError
from storagebox.search.writes import accepting, metas, structure
from storagebox.search.writes.accepting import Limits
from storagebox.search.writes.catalog import Catalog, Place
from storagebox.search.writes.indices import IndexDamaged, Indices, Report
from storagebox.search.writes.matching import matching
from storagebox.search.writes.operations import (
    CREATING,
    DELETE_INDEX,
    SETTINGS,
    AddKey,
    Batch,
    ClearIndex,
    CopyIndex,
    DeleteBy,
    DeleteIndex,
    DeleteItem,
    DeleteKey,
    DictionaryBatch,
    MoveIndex,
    Operation,
    Request,
    RestoreKey,
    SaveItems,
    SetDictionarySettings,
    SetSettings,
    UpdateKey,
)
from storagebox.search.writes.pending import Pending, resolved
from storagebox.search.writes.refused import Refused


@dataclass(frozen=True, slots=True)
class View:
    """An index as it is searched: `index` has the records, `own` the settings."""

    place: Place
    index: Index
    own: Index

    @property
    def is_virtual(self) -> bool:
        """Whether it is a virtual replica, which shows its primary's records."""
        return self.own is not self.index

    def meta(self, scope: str) -> Any:
        """Settings, synonyms or rules as JSON, or None.

        A virtual replica's settings are its primary's, but for those that it may have itself.
        """
        value: Any = self.own.meta(scope)
        if scope == SETTINGS and self.is_virtual:
            base: Any = self.index.meta(scope)
            return metas.of_virtual(base, value)
        return value


class State:
    """What is under `folder`, as `catalog` says. One thread applies; any may read `views`."""

    def __init__(self, folder: Path, catalog: Catalog, limits: Limits, report: Report) -> None:
        self.folder = folder
        self.catalog = catalog
        self.limits = limits
        self.views: Mapping[str, View] = {}
        self.damaged: frozenset[str] = frozenset()  # the names that there would be views of
        self.indices = Indices(folder, report)
        self._report = report

    def open(self, tidy: bool = True) -> None:
        """Open all indices; those that can't be are in `indices.damaged`.

        `tidy` deletes what no index of the catalog is in: not to be done by an older catalog.
        Raises Exhausted or OSError.
        """
        self.indices.open(self._folders(), tidy)
        self.publish()

    def close(self) -> None:
        """Let go of all indices; what isn't flushed is dropped."""
        self.views = {}
        self.indices.close()

    def publish(self) -> None:
        """Let readers see the catalog as it is now."""
        views: dict[str, View] = {}
        for name, place in self.catalog.places.items():
            source = place
            if place.virtual and place.primary is not None:
                source = self.catalog.places.get(place.primary, place)
            own, index = self.indices.get(place.folder), self.indices.get(source.folder)
            if own is not None and index is not None:
                views[name] = View(place, index, own)
        damaged = self.catalog.places.keys() - views.keys()
        self.damaged |= damaged  # whoever reads meanwhile finds a name in one or the other
        self.views = views
        self.damaged = frozenset(damaged)

    def apply(self, position: int, operation: Operation, at_ms: int) -> None:
        """Do what the entry at `position` says, but for committing it.

        What can't be done is reported and has no effect. Raises IndexDamaged, Exhausted or
        OSError, upon which the same entry is to be applied again.
        """
        if position <= self.catalog.applied:
            return
        try:
            self._apply(position, operation, at_ms)
        except (Refused, LanguageError) as fault:
            self.failed(position, operation, fault)

    def flush(self) -> None:
        """Commit all that was applied. Raises Exhausted, upon which it may be tried again."""
        primaries = {p.folder for p in self.catalog.places.values() if p.primary is None}
        before = dict(self.indices.damaged)
        self.indices.flush(primaries.__contains__)
        if self.indices.damaged != before:
            self.publish()

    def save(self, position: int) -> None:
        """Write the catalog; everything up to `position` is committed. Raises OSError."""
        before, self.catalog.applied = self.catalog.applied, position
        try:
            self.catalog.save(self.folder)
        except BaseException:
            self.catalog.applied = before
            raise
        self.indices.keep_only(self._folders())
        self.publish()

    def restructure(self, position: int, change: Callable[[], object]) -> None:
        """Do what gives names another meaning, or reads one index to write another.

        All before `position` is committed first, and then the catalog says that `position` is.
        """
        self._settle()
        before = self.catalog.copy()
        try:
            change()
            self._settle()
            self.save(position)
        except BaseException:
            self.catalog = before
            self.indices.forget_pending()
            self.publish()
            raise

    def create(self, position: int, name: str, at_ms: int) -> None:
        """An empty index, in the catalog before anything is in it."""
        self.check_count({name})
        self._settle()
        before = self.catalog.copy()
        folder = self.new_folder(position)
        self.indices.build(folder, 0, ())
        try:
            self.catalog.put(name, Place(folder, at_ms, at_ms))
            self.save(position - 1)
        except BaseException:
            self.catalog = before
            raise

    def begin(self, position: int, name: str, place: Place, changes: Iterable[Change]) -> None:
        """Have `name` mean an index in a new folder that holds just `changes`."""
        folder = self.new_folder(position)
        self.indices.build(folder, position, changes)
        created_ms, updated_ms = place.created_ms, place.updated_ms
        self.catalog.put(name, Place(folder, created_ms, updated_ms, place.primary, place.virtual))

    def new_folder(self, position: int) -> str:
        """A name for a folder: the same whenever the entry is applied, and no other's."""
        taken = set(self._folders())
        number = 1
        while (folder := f"{position}-{number}") in taken:
            number += 1
        return folder

    def check_count(self, names: Iterable[str]) -> None:
        """Raises Refused if there would be too many indices with these."""
        most = self.limits.indices
        if len(self.catalog.places.keys() | set(names)) > most:
            raise Refused(f"an application has {most} indices at most: delete some")

    def check_record(self, record: Mapping[str, Any]) -> None:
        """Raises Refused for a record that has grown too big."""
        accepting.check_size(record, 0, str(record.get("objectID")), self.limits)

    def failed(self, position: int, what: Operation | Request, fault: Exception) -> None:
        """Report what had no effect."""
        fields: dict[str, Any] = {"task": position, "reason": str(fault)}
        if isinstance(what, Request):
            fields |= {"index": what.index, "action": what.action, "object": what.object_id}
        else:
            fields |= {"operation": type(what).__name__}
        self._report("task.failed", **fields)

    def _settle(self) -> None:
        """Commit everything. Raises IndexDamaged if an index isn't whole."""
        self.flush()
        for folder, reason in self.indices.damaged.items():
            raise IndexDamaged(folder, reason)

    def _folders(self) -> list[str]:
        return [place.folder for place in self.catalog.places.values()]

    def _apply(self, position: int, operation: Operation, at_ms: int) -> None:
        match operation:
            case Batch(requests):
                self._batch(position, requests, at_ms)
            case ClearIndex(name):
                self._change_all(position, name, at_ms, "clear", lambda _: [Clear()])
                self._found_again(name)
            case DeleteBy(name, params):
                self.flush()  # what matches is found among what is committed
                self._change_all(
                    position,
                    name,
                    at_ms,
                    "delete by query",
                    lambda pending: [Delete(one) for one in matching(pending.index, params)],
                )
            case SetSettings(name, settings, forward) if settings.keys().isdisjoint(
                metas.REPLICAS
            ):
                self._change_meta(
                    position, operation, at_ms, forward, lambda old: metas.settings(old, settings)
                )
            case SaveItems(_, _, items, replace, forward):
                self._change_meta(
                    position,
                    operation,
                    at_ms,
                    forward,
                    lambda old: metas.saved(old, items, replace),
                )
            case DeleteItem(name, _, object_id, forward):
                if name in self.catalog.places:
                    self._change_meta(
                        position,
                        operation,
                        at_ms,
                        forward,
                        lambda old: metas.without(old, object_id),
                    )
            case DeleteIndex() | CopyIndex() | MoveIndex() | SetSettings():
                if isinstance(operation, CopyIndex) and operation.scope:
                    structure.prepare_copy(self, position, operation, at_ms)
                self.restructure(
                    position, lambda: structure.change(self, position, operation, at_ms)
                )
            case AddKey() | UpdateKey() | DeleteKey() | RestoreKey():
                self.restructure(position, lambda: self.catalog.keys.apply(operation, at_ms))
            case DictionaryBatch() | SetDictionarySettings():
                self.restructure(position, lambda: self.catalog.change_dictionary(operation))

    # Records

    def _batch(self, position: int, requests: tuple[Request, ...], at_ms: int) -> None:
        by_name: dict[str, list[Request]] = {}
        for request in requests:
            by_name.setdefault(request.index, []).append(request)
        deleted: dict[str, list[Request]] = {}
        for name, asked in by_name.items():
            if any(request.action == DELETE_INDEX for request in asked):
                deleted[name] = asked
                continue
            try:
                self._requests(position, name, asked, at_ms)
            except (Refused, LanguageError) as fault:  # the other indices are none of its business
                self.failed(position, Request(name, "batch"), fault)
        if deleted:
            self.restructure(
                position, lambda: structure.delete_and_begin(self, position, deleted, at_ms)
            )

    def _requests(self, position: int, name: str, asked: list[Request], at_ms: int) -> None:
        if name not in self.catalog.places:
            if not any(request.action in CREATING for request in asked):
                return
            self.create(position, name, at_ms)
        self._change_all(
            position, name, at_ms, "batch", lambda pending: self.resolved(position, asked, pending)
        )

    def resolved(
        self, position: int, asked: Iterable[Request], pending: Pending | None
    ) -> list[Change]:
        """What requests come to for an index, None for an empty one."""
        return resolved(
            pending.get if pending is not None else lambda _: None,
            asked,
            self.check_record,
            lambda request, fault: self.failed(position, request, fault),
        )

    def _change_all(
        self,
        position: int,
        name: str,
        at_ms: int,
        what: str,
        changes: Callable[[Pending], Iterable[Change]],
    ) -> None:
        """The same changes to an index and its standard replicas."""
        place = self.catalog.places.get(name)
        if place is None:
            return
        if place.primary is not None:
            raise Refused(f"cannot apply the {what} operation on a replica index", 403)
        names = [name, *self.catalog.replicas(name)]
        places = [self.catalog.places[each] for each in names]
        targets = [self.indices.pending(each.folder) for each in places if not each.virtual]
        primary = targets[0]
        behind = [target for target in targets if target.applied < position]
        if primary in behind:
            group = list(changes(primary))
            for target in behind:
                target.add(position, group)
        else:  # a replica that was rebuilt from further back
            for target in behind:
                target.add(position, changes(target))
        for each in names:
            self.catalog.touch(each, at_ms)

    def _found_again(self, name: str) -> None:
        """One whose records were lost is whole again once it is to have none."""
        place = self.catalog.places.get(name)
        if place is not None and place.lost:
            self.catalog.put(name, Place(place.folder, place.created_ms, place.updated_ms))
            self.publish()

    # Settings, synonyms, rules

    def _change_meta(
        self,
        position: int,
        operation: SetSettings | SaveItems | DeleteItem,
        at_ms: int,
        forward: bool,
        change: Callable[[Any], Any],
    ) -> None:
        name = operation.index
        scope = SETTINGS if isinstance(operation, SetSettings) else operation.scope
        if name not in self.catalog.places:
            self.create(position, name, at_ms)
        for each in (name, *(self.catalog.replicas(name) if forward else ())):
            pending = self.indices.pending(self.catalog.places[each].folder)
            if pending.applied < position:
                pending.add(position, [Meta(scope, change(pending.meta(scope)))])
            self.catalog.touch(each, at_ms)
