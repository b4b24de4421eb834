"""What an index holds beside its records, changed: settings merged, synonyms and rules kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from storagebox.search.language.attributes import parse_replicas
from storagebox.search.language.settings import OF_PRIMARY, Settings

Items = Sequence[Mapping[str, Any]]
Json = Mapping[str, Any]

# Not a copy's to take along (OpenAPI description of operationIndex).
NOT_COPIED: Final = ("enableReRanking", "mode", "replicas")
# Both names of the setting that says which replicas there are.
REPLICAS: Final = ("replicas", "slaves")


def settings(held: Json | None, patch: Json) -> Json | None:
    """Settings after a patch; a null in it resets one to its default. Raises LanguageError."""
    return Settings.from_json(held or {}).patched(patch).given or None


def merged(held: Json, patch: Json) -> dict[str, Any]:
    """A mapping after a patch; None in it takes one away."""
    return {name: value for name, value in {**held, **patch}.items() if value is not None}


def saved(held: Items | None, new: Iterable[Json], replace: bool) -> list[Any] | None:
    """Synonyms or rules with `new` ones, each in the place of the one that had its objectID."""
    kept = {} if replace else {item["objectID"]: item for item in held or ()}
    for item in new:
        kept[item["objectID"]] = item
    return list(kept.values()) or None


def without(held: Items | None, object_id: str) -> list[Any] | None:
    """Synonyms or rules but for one."""
    return [item for item in held or () if item["objectID"] != object_id] or None


def copied(source: Json | None, own: Json | None) -> dict[str, Any] | None:
    """The settings that a copy gets over its `own`."""
    result = {name: value for name, value in (source or {}).items() if name not in NOT_COPIED}
    result.update((name, own[name]) for name in NOT_COPIED if own and name in own)
    return result or None


def moved(source: Json | None, replaced: Json | None) -> dict[str, Any] | None:
    """The settings of an index that moves to a name: the name's replicas stay the name's."""
    result = {name: value for name, value in (source or {}).items() if name not in REPLICAS}
    if replaced and "replicas" in replaced:
        result["replicas"] = replaced["replicas"]
    return result or None


def of_virtual(primary: Json | None, own: Json | None) -> dict[str, Any] | None:
    """What a virtual replica's settings come to."""
    result = {name: value for name, value in (primary or {}).items() if name not in REPLICAS}
    result.update((name, value) for name, value in (own or {}).items() if name not in OF_PRIMARY)
    return result or None


def replicas(held: Json | None) -> dict[str, bool]:
    """The replicas that settings name, in order, and whether each is a virtual one."""
    return {each.name: each.virtual for each in parse_replicas((held or {}).get("replicas") or ())}
