"""What each place in a record is worth to a query: tables by code, see layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storagebox.search.engine.grades import BEGINS
from storagebox.search.engine.layout import MAX_ATTRIBUTE, MAX_POSITION, POSITION_BITS, Layout
from storagebox.search.engine.snapshot import Snapshot
from storagebox.search.language.query import Query

ATTRIBUTE_STEP: Final = 1000
"""From one rank of attributes to the next, in the criterion."""


@dataclass(frozen=True, slots=True)
class Places:
    """Tables by code; None where all places are alike.

    allowed: whether a place is searched. keys: uint32, the attribute criterion; None when it is
    off. inexact: matches there never count as exact. no_prefix, no_typos: words there match whole
    only, and without typos only. `min_proximity` and `single_word` are the query's parameters.
    """

    allowed: NDArray[np.bool_] | None
    keys: NDArray[np.uint32] | None
    inexact: NDArray[np.bool_] | None
    no_prefix: NDArray[np.bool_] | None
    no_typos: NDArray[np.bool_] | None
    min_proximity: int
    single_word: str
    attribute_by: str

    @property
    def alike(self) -> bool:
        """Whether all places take part, in every way."""
        return self.allowed is None and self.no_prefix is None and self.no_typos is None

    def strike(self, grades: NDArray[np.uint8], codes: NDArray[np.uint16]) -> None:
        """Set the grades to 0 that words at these places don't have."""
        if self.allowed is not None:
            grades[~self.allowed[codes]] = 0
        if self.no_prefix is not None:
            grades[(grades == BEGINS) & self.no_prefix[codes]] = 0
        if self.no_typos is not None:
            grades[(grades > BEGINS) & self.no_typos[codes]] = 0

    def good(self, how: int, codes: NDArray[np.uint16]) -> NDArray[np.bool_]:
        """At which of some places a word of one grade has it."""
        kept = np.full(len(codes), True) if self.allowed is None else self.allowed[codes]
        if how == BEGINS and self.no_prefix is not None:
            kept &= ~self.no_prefix[codes]
        if how > BEGINS and self.no_typos is not None:
            kept &= ~self.no_typos[codes]
        return kept


def places_of(snapshot: Snapshot, query: Query) -> Places:
    """The tables for a query, which many share."""
    key = (
        "places",
        query.restrict_searchable_attributes,
        query.disable_exact_on_attributes,
        query.disable_typo_tolerance_on_attributes,
        query.min_proximity,
        query.exact_on_single_word_query,
        _attribute_by(query),
    )
    found = snapshot.cache.get(key)
    if found is None:
        found = snapshot.cache[key] = _made(snapshot.layout, query)
    return found


def _made(layout: Layout, query: Query) -> Places:
    restricted = query.restrict_searchable_attributes
    return Places(
        allowed=_among(layout, restricted) if restricted else None,
        keys=_keys(layout),
        inexact=_among_any(layout, query.disable_exact_on_attributes),
        no_prefix=_among_any(layout, query.settings.disable_prefix_on_attributes),
        no_typos=_among_any(layout, query.disable_typo_tolerance_on_attributes),
        min_proximity=query.min_proximity,
        single_word=query.exact_on_single_word_query,
        attribute_by=_attribute_by(query),
    )


def _attribute_by(query: Query) -> str:
    """Behind proximity, `best` is what makes the proximity: so Algolia defines it."""
    asked = query.attribute_criteria_computed_by
    if asked == "sum":
        return asked
    order = [each for each in query.ranking if each in ("proximity", "attribute")]
    if order == ["proximity", "attribute"]:
        return "minProximity"
    if asked is None and query.attribute_criteria_computed_by_min_proximity:
        return "minProximity"
    return asked or "best"


def _numbers() -> NDArray[np.int64]:
    return np.arange(1 << 16) >> POSITION_BITS


def _among(layout: Layout, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """By code, whether it is in one of these attributes or beneath one.

    Where nested attributes have the number of the one they are in, that one will do.
    """
    chosen = np.zeros(MAX_ATTRIBUTE + 1, np.bool_)
    for number, attribute in enumerate(layout.attributes()):
        for name in names:
            if f"{attribute}.".startswith(f"{name}.") or (
                not layout.searchable and name.startswith(f"{attribute}.")
            ):
                chosen[min(number, MAX_ATTRIBUTE)] = True
    return chosen[_numbers()]


def _among_any(layout: Layout, names: tuple[str, ...]) -> NDArray[np.bool_] | None:
    if not names:
        return None
    found = _among(layout, names)
    return found if found.any() else None


def _keys(layout: Layout) -> NDArray[np.uint32] | None:
    if not layout.searchable:
        return None
    ranks = np.zeros(MAX_ATTRIBUTE + 1, np.int64)
    ordered = np.zeros(MAX_ATTRIBUTE + 1, np.int64)
    for number, attribute in enumerate(layout.searchable[: MAX_ATTRIBUTE + 1]):
        ranks[number] = attribute.rank
        ordered[number] = attribute.ordered
    positions = np.minimum(np.arange(1 << 16) & MAX_POSITION, ATTRIBUTE_STEP - 1)
    numbers = _numbers()
    return (ranks[numbers] * ATTRIBUTE_STEP + positions * ordered[numbers]).astype(np.uint32)
