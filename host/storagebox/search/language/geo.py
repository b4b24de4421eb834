"""Places: points, circles, boxes and polygons on the Earth, as requests write them. Degrees."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import orjson

from storagebox.search.language.kinds import Kind, integer, refuse

# A circle's radius in metres, "all" for none that filters, None to choose one by density.
Radius = int | Literal["all"] | None

# Steps of aroundPrecision that are shorter count as this long: Algolia's minimum.
MIN_PRECISION_M = 10

MIN_POLYGON_POINTS = 3
MAX_POLYGON_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees: `lat` from -90 to 90, `lng` from -180 to 180."""

    lat: float
    lng: float


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; one that crosses the date line has `west` greater than `east`."""

    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True, slots=True)
class Polygon:
    """A closed outline of at least three points; its edges are straight in latitude, longitude."""

    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """From a distance of `start` metres on, distances count alike in steps of `value` metres."""

    start: int
    value: int


def _numbers_of(value: object) -> list[float] | None:
    if isinstance(value, str):
        parts = value.split(",")
        try:
            numbers = [float(each) for each in parts]
        except ValueError:
            return None
    elif isinstance(value, Sequence):
        items = cast("Sequence[object]", value)
        if any(isinstance(each, bool) or not isinstance(each, int | float) for each in items):
            return None
        numbers = [float(cast("int | float", each)) for each in items]
    else:
        return None
    return numbers if all(math.isfinite(each) for each in numbers) else None


def _lists_of(value: object) -> list[list[float]] | None:
    """Lists of numbers from any form they come in: nested lists, one list, or text of either."""
    if isinstance(value, str):
        if value.lstrip()[:1] == "[":
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                return None
        else:
            value = [value] if value.strip() else []
    if not isinstance(value, Sequence):
        return None
    items = cast("Sequence[object]", value)
    if not items:
        return []
    if all(isinstance(each, int | float) for each in items):
        items = [items]
    lists: list[list[float]] = []
    for each in items:
        numbers = _numbers_of(each)
        if numbers is None:
            return None
        lists.append(numbers)
    return lists


def _is_place(lat: float, lng: float) -> bool:
    return -90 <= lat <= 90 and -180 <= lng <= 180


def _check_point(name: str, value: object) -> Point | None:
    if value == "":
        return None
    numbers = _numbers_of(value) if isinstance(value, str) else None
    if numbers is None or len(numbers) != 2 or not _is_place(numbers[0], numbers[1]):
        refuse(name, POINT.expected)
    return Point(numbers[0], numbers[1])


def _check_boxes(name: str, value: object) -> tuple[Box, ...]:
    lists = _lists_of(value)
    if lists is None:
        refuse(name, BOXES.expected)
    boxes: list[Box] = []
    for numbers in lists:
        if len(numbers) != 4 or not (
            _is_place(numbers[0], numbers[1]) and _is_place(numbers[2], numbers[3])
        ):
            refuse(name, BOXES.expected)
        lat_1, lng_1, lat_2, lng_2 = numbers
        # Any two opposite corners do, unless they lie across the date line from each other: then
        # they're the south-west and the north-east one, as maps give them, in either order.
        west, east = (lng_1, lng_2) if lat_1 <= lat_2 else (lng_2, lng_1)
        if west > east and west - east <= 180:
            west, east = east, west
        boxes.append(Box(min(lat_1, lat_2), west, max(lat_1, lat_2), east))
    return tuple(boxes)


def _check_polygons(name: str, value: object) -> tuple[Polygon, ...]:
    lists = _lists_of(value)
    if lists is None:
        refuse(name, POLYGONS.expected)
    polygons: list[Polygon] = []
    for numbers in lists:
        pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
        if (
            len(numbers) % 2
            or not MIN_POLYGON_POINTS <= len(pairs) <= MAX_POLYGON_POINTS
            or not all(_is_place(lat, lng) for lat, lng in pairs)
        ):
            refuse(name, POLYGONS.expected)
        polygons.append(Polygon(tuple(Point(lat, lng) for lat, lng in pairs)))
    return tuple(polygons)


_METRES = integer(1)
_FROM = integer(0)


def _check_radius(name: str, value: object) -> Radius:
    if value == "all":
        return "all"
    try:
        return cast(int, _METRES.check(name, value))
    except ValueError:
        refuse(name, RADIUS.expected)


def _check_precision(name: str, value: object) -> int | tuple[Step, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        steps: list[Step] = []
        for item in cast("Sequence[object]", value):
            step = _step_of(item)
            if step is None:
                refuse(name, PRECISION.expected)
            steps.append(step)
        return tuple(sorted(steps, key=lambda each: each.start))
    try:
        return max(cast(int, _METRES.check(name, value)), MIN_PRECISION_M)
    except ValueError:
        refuse(name, PRECISION.expected)


def _step_of(item: object) -> Step | None:
    if not isinstance(item, Mapping):
        return None
    fields = cast("Mapping[str, object]", item)
    try:
        start = cast(int, _FROM.check("from", fields.get("from", 0)))
        value = cast(int, _METRES.check("value", fields.get("value")))
        return Step(start, max(value, MIN_PRECISION_M))
    except ValueError:
        return None


def _loaded(text: str) -> object:
    if text.lstrip()[:1] == "[":
        try:
            return cast(object, orjson.loads(text))
        except orjson.JSONDecodeError:
            pass
    return text


def _plain(text: str) -> object:
    return text


POINT = Kind('a latitude and a longitude such as "40.71,-74.01"', _check_point, _plain)
RADIUS = Kind('integer greater than 0, or "all"', _check_radius, _plain)
PRECISION = Kind(
    'integer greater than 0, or an array of {"from": metres, "value": metres}',
    _check_precision,
    _loaded,
)
BOXES = Kind("arrays of two corners: lat, lng, lat, lng", _check_boxes, _loaded)
POLYGONS = Kind(
    f"arrays of {MIN_POLYGON_POINTS} to {MAX_POLYGON_POINTS} points: lat, lng, lat, lng, …",
    _check_polygons,
    _loaded,
)
