"""What counts beside words in the reference: filters, places, groups, and what facets come to."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import asin, cos, radians, sin, sqrt
from typing import Any, Final

_EARTH_M: Final = 6_371_008.8
_NOWHERE: Final = 1 << 60  # further than anything
_COMPARED: Final = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}

Record = Mapping[str, Any]


def holds(record: Record, asked: Mapping[str, Any]) -> bool:
    """Whether the filters let a record pass, and it is within the radius."""
    radius = asked.get("aroundRadius", "all")
    return (
        all(
            any(_has(record, each) for each in ([group] if isinstance(group, str) else group))
            for group in asked.get("facetFilters", ())
        )
        and all(_compares(record, each) for each in asked.get("numericFilters", ()))
        and ("aroundLatLng" not in asked or radius == "all" or metres(record, asked) <= radius)
    )


def steps(record: Record, asked: Mapping[str, Any]) -> int:
    """How many steps of `aroundPrecision` a record is away."""
    if "aroundLatLng" not in asked:
        return 0
    return metres(record, asked) // asked.get("aroundPrecision", 10)


def metres(record: Record, asked: Mapping[str, Any]) -> int:
    """Whole metres to the nearest of a record's places along the great circle."""
    lat, lng = (radians(float(each)) for each in asked["aroundLatLng"].split(","))
    far = _NOWHERE
    for place in record.get("_geoloc", ()):
        to_lat, to_lng = radians(place["lat"]), radians(place["lng"])
        half = sin((to_lat - lat) / 2) ** 2
        half += cos(lat) * cos(to_lat) * sin((to_lng - lng) / 2) ** 2
        far = min(far, int(2 * _EARTH_M * asin(sqrt(half))))
    return far


def grouped(records: Sequence[Record], found: Sequence[int], attribute: str) -> list[list[int]]:
    """Records by the value of an attribute, groups as their first; without a value one by one."""
    groups: dict[object, list[int]] = {}
    for number in found:
        groups.setdefault(records[number].get(attribute, number), []).append(number)
    return list(groups.values())


def counts(records: Sequence[Record], facets: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many records have each value; facets without any are left out."""
    found = {name: Counter(v for each in records for v in values(each, name)) for name in facets}
    return {name: dict(counted) for name, counted in found.items() if counted}


def values(record: Record, name: str) -> list[str]:
    """The values of a facet."""
    value = record.get(name, [])
    return value if isinstance(value, list) else [str(value)]


def _has(record: Record, wanted: str) -> bool:
    name, value = wanted.split(":")
    if value.startswith("-"):
        return value[1:] not in values(record, name)
    return value in values(record, name)


def _compares(record: Record, wanted: str) -> bool:
    parts = re.fullmatch(r"(\w+)(<=|<|=|!=|>=|>)(\d+)", wanted)
    assert parts
    value = record.get(parts[1])
    return value is not None and _COMPARED[parts[2]](value, int(parts[3]))
