"""What can be done to an index; `Index.apply` does a sequence of these in one commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Put:
    """Keep `record` under `object_id`, in place of what was there."""

    object_id: str
    record: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget the record under `object_id`, if there is one."""

    object_id: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget all records; settings, synonyms and rules stay."""


@dataclass(frozen=True, slots=True)
class Meta:
    """Keep a JSON value beside the records: "settings", "synonyms", "rules". None forgets it."""

    name: str
    value: object


Change = Put | Delete | Clear | Meta
