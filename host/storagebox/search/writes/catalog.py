"""Which indices an application has, and where: what is more than one index, in one small file.

`applied` is the position up to which the log is applied in every index. While it stands, names
mean the folders that this file says: whoever starts goes on from there, and an index that is ahead
skips what it has. So every operation that gives a name another meaning writes this file anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import orjson

from storagebox.search.writes import durable, metas
from storagebox.search.writes.keys import Keys
from storagebox.search.writes.operations import DictionaryOperation, SetDictionarySettings

FILE: Final = "catalog"
PREVIOUS: Final = "catalog.previous"
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Place:
    """An index: the folder it is in, and what it is to others."""

    folder: str
    created_ms: int  # Unix time, as is updated_ms
    updated_ms: int
    primary: str | None = None  # the index whose replica it is
    virtual: bool = False  # it has its own settings, and shows the primary's records
    lost: bool = False  # its records were damaged, and couldn't be had back


@dataclass
class Catalog:
    """All that an application is beside its indices' contents.

    Mappings in it are replaced, never changed: other threads read them.
    """

    application: str
    keys: Keys
    admin_key: str
    applied: int = 0
    places: Mapping[str, Place] = field(default_factory=dict[str, Place])
    dictionaries: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict[str, Mapping[str, Any]]
    )
    dictionary_settings: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def replicas(self, primary: str) -> list[str]:
        """The names of an index's replicas."""
        return [name for name, place in self.places.items() if place.primary == primary]

    def put(self, name: str, place: Place) -> None:
        """Have `name` mean this."""
        self.places = {**self.places, name: place}

    def drop(self, name: str) -> None:
        """Have `name` mean nothing."""
        self.places = {other: place for other, place in self.places.items() if other != name}

    def touch(self, name: str, at_ms: int) -> None:
        """Note that an index was written to. Lasts with the next `save`."""
        place = self.places.get(name)
        if place is not None and at_ms > place.updated_ms:
            self.put(name, replace(place, updated_ms=at_ms))

    def change_dictionary(self, operation: DictionaryOperation) -> None:
        """Entries or settings of a dictionary."""
        if isinstance(operation, SetDictionarySettings):
            self.dictionary_settings = metas.merged(self.dictionary_settings, operation.settings)
            return
        name = operation.dictionary
        held = {} if operation.clear else dict(self.dictionaries.get(name, {}))
        held.update((entry["objectID"], entry) for entry in operation.add)
        for object_id in operation.delete:
            held.pop(object_id, None)
        self.dictionaries = {**self.dictionaries, name: held}

    def copy(self) -> Catalog:
        """One that goes its own way."""
        return replace(self, keys=self.keys.copy())

    def to_bytes(self) -> bytes:
        """What `from_bytes` reads: JSON."""
        return orjson.dumps(
            {
                "format": _FORMAT,
                "application": self.application,
                "admin_key": self.admin_key,
                "applied": self.applied,
                "indices": {name: asdict(place) for name, place in self.places.items()},
                "keys": self.keys.to_stored(),
                "dictionaries": self.dictionaries,
                "dictionary_settings": self.dictionary_settings,
            }
        )

    def save(self, folder: Path) -> None:
        """Write it to `folder`; the one before is kept. Raises OSError."""
        durable.write(folder / FILE, self.to_bytes(), folder / PREVIOUS)


def kept_in(folder: Path) -> bool:
    """Whether there is a catalog in `folder`: for an instant, only the one before is."""
    return (folder / FILE).exists() or (folder / PREVIOUS).exists()


def from_bytes(data: bytes, key_limit: int) -> Catalog:
    """A catalog from `Catalog.to_bytes`. Raises ValueError."""
    try:
        stored = orjson.loads(data)
        if stored["format"] != _FORMAT:
            raise ValueError(f"search: a catalog of format {stored['format']}: update Phantom")
        return Catalog(
            stored["application"],
            Keys(key_limit, stored["keys"]),
            stored["admin_key"],
            stored["applied"],
            {name: Place(**place) for name, place in stored["indices"].items()},
            stored["dictionaries"],
            stored["dictionary_settings"],
        )
    except (KeyError, TypeError) as fault:
        raise ValueError(f"search: this is no catalog: {fault!r}") from None


def load(folder: Path, key_limit: int) -> tuple[Catalog, bool] | None:
    """The catalog in `folder` and whether it is the latest; None if there is none.

    Where the latest is damaged, it is the one before: what the log says since leads on from it.
    Raises DamagedFileError if that can't be read either.
    """
    faults: list[Exception] = []
    for name in (FILE, PREVIOUS):
        try:
            return from_bytes(durable.read(folder / name), key_limit), name == FILE
        except FileNotFoundError:
            continue
        except (durable.DamagedFileError, ValueError) as fault:
            faults.append(fault)
    if faults:
        raise durable.DamagedFileError(f"{folder / FILE}: {faults[0]}")
    return None
